"""Lookup tables that fill themselves: contents as constants, imported before the first lookup.

A frozen graph has no init op. The handle passes through an Identity that waits for the import, and everybody takes
the handle from there. Each run imports again, which a HashTable notices to be nothing new, and costs a
mutable table time but changes nothing, since signatures that change a table are refused.
"""

from __future__ import annotations

from collections.abc import Iterable

from graphsurgeon.analysis.flow.calls import Place
from graphsurgeon.analysis.flow.restore_map import constant, resource_key
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import RESOURCE, STRING
from graphsurgeon.model.graph import AttrValue, Graph, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import (
    DENSE_TABLES,
    HANDS_ON,
    TABLE_CHANGES,
    TABLE_FILES,
    TABLE_FILLS,
    TABLES,
    TABLES_BY_REFERENCE,
)
from graphsurgeon.surgery.freezing.table_contents import Contents, TableContents, live_rows
from graphsurgeon.surgery.moves.copy_computation import Made, copy_computation

KEEP = "keep a SavedModel with its tables"


def fill_tables(graph: Graph, functions: Iterable[Graph], contents: TableContents) -> list[str]:
    """Let every table of a main graph fill itself, in place; return their names.

    Raises:
        UnsupportedError: the graph changes a table, or nothing tells what one holds.
        FileError: the contents cannot be read.
    """
    functions = list(functions)
    _check_unchanged([graph, *functions])
    for function in functions:
        for node in function.nodes:
            if node.op in TABLES and not _is_filled(node):
                raise UnsupportedError(f"function {function.name!r} has a table of its own, {node.name!r}", hint=KEEP)
    tables = _merge([node for node in graph.nodes if node.op in TABLES])
    made: Made = {}
    filled = []
    for table in tables:
        if not _is_filled(table):
            _fill(table, contents.of(table), made)
            filled.append(table.name)
    return filled


def _check_unchanged(graphs: Iterable[Graph]) -> None:
    for graph in graphs:
        for node in graph.nodes:
            table = node.inputs[0].producer if node.op in TABLE_CHANGES and node.inputs else None
            if node.op in TABLE_CHANGES and (table is None or not table.op.startswith("Anonymous")):
                where = f" of function {graph.name!r}" if graph.name else ""
                raise UnsupportedError(
                    f"{node.name!r} ({node.op}){where} changes a table when the model runs", hint=KEEP
                )


def _is_filled(table: Node) -> bool:
    """Say whether the graph itself fills a table before it is used."""
    return any(node.op in TABLE_FILLS or node.op in TABLE_FILES for node in table.output(0).consumers)


def _merge(tables: list[Node]) -> list[Node]:
    """Leave one node for each table."""
    first: dict[object, Node] = {}
    for table in tables:
        kept = first.setdefault(resource_key(table), table)
        if kept is not table:
            table.output(0).replace_with(kept.output(0))
            table.graph.take_out([table])
    return list(first.values())


def _fill(table: Node, contents: Contents | None, made: Made) -> None:
    graph = table.graph
    _modernize(table)
    for key in ("shared_name", "container"):
        if key in table.attrs:
            del table.attrs[key]
    if contents is None:
        return
    if table.op in DENSE_TABLES:
        contents = _live(table, contents)
    keys, values = (
        _add(graph, table, name, given, made) for name, given in (("keys", contents.keys), ("values", contents.values))
    )
    users = table.output(0).consumers
    attrs: dict[str, AttrValue] = {"Tin": table.attrs["key_dtype"], "Tout": table.attrs["value_dtype"]}
    op = "LookupTableInsertV2" if table.op in DENSE_TABLES else "LookupTableImportV2"
    fill = graph.add_node(op, graph.unique_name(f"{table.name}/fill"), [table.output(0), keys, values], attrs)
    filled = graph.add_node(
        "Identity", graph.unique_name(f"{table.name}/filled"), [table.output(0)], {"T": RESOURCE}, controls=[fill]
    )
    for node in users:
        node.inputs = [filled.output(0) if value is table.output(0) else value for value in node.inputs]


def _live(table: Node, contents: Contents) -> Contents:
    if not isinstance(contents.keys, Tensor) or not isinstance(contents.values, Tensor):
        return contents
    marks = [constant(Place(value)) for value in table.inputs[:2]]
    if any(mark is None for mark in marks):
        raise UnsupportedError(f"the empty key of table {table.name!r} is computed at run time", hint=KEEP)
    return Contents(*live_rows(table, contents.keys, contents.values, [mark for mark in marks if mark is not None]))


def _add(graph: Graph, table: Node, name: str, given: Tensor | Place, made: Made) -> Value:
    if isinstance(given, Tensor):
        attrs: dict[str, AttrValue] = {"dtype": given.dtype, "value": given}
        return graph.add_node("Const", graph.unique_name(f"{table.name}/{name}"), [], attrs).output(0)
    return copy_computation(given, graph, made, f"the {name} of table {table.name!r}")


def _modernize(table: Node) -> None:
    """Turn a table of references, and its users, into one of handles: a reference cannot wait for an import."""
    if table.op == "MutableDenseHashTable":
        why = "names no key for what is deleted, which a table needs that is filled on each run"
        raise UnsupportedError(f"table {table.name!r} ({table.op}) {why}", hint=KEEP)
    if table.op not in TABLES_BY_REFERENCE:
        return
    table.op = f"{table.op}V2"
    for node in table.output(0).consumers:
        if node.op in TABLES_BY_REFERENCE:
            node.op = f"{node.op}V2"
        elif node.attrs.get("T") is STRING and node.op in HANDS_ON:
            raise UnsupportedError(f"{node.name!r} ({node.op}) hands on table {table.name!r} by reference", hint=KEEP)
