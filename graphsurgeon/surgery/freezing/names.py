"""Names of what is fed and fetched in a frozen graph: signature keys where they are free, else the source's names."""

from __future__ import annotations

import re
from collections.abc import Mapping

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.errors import FormatError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.surgery.freezing.endpoints import Endpoints

_NOT_FIRST = re.compile(r"^[^A-Za-z0-9.]")
_NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9_.\\/>-]")


def name_endpoints(
    graph: Graph, feeds: Mapping[str, Node], endpoints: Endpoints, *, keep_names: bool
) -> tuple[dict[str, Value], dict[str, Value]]:
    """Give feeds and fetches their names; return the values by key.

    Args:
        graph: the frozen graph; its outputs are the fetches, and are taken away.
        feeds: key -> node.
        endpoints: where the fetches were in the source.
        keep_names: keep the names of the source.

    Raises:
        FormatError: an output that gets a name has no type that is known.
    """
    outputs = {output.name: output.value for output in graph.outputs}
    by_key = endpoints.signature is not None and not keep_names
    if by_key:
        _name_feeds(graph, feeds, outputs)
    graph.outputs = []
    fed = {key: node.output(0) for key, node in feeds.items()}
    if by_key:
        return fed, {key: _identity(graph, value, node_name(key), feeds) for key, value in outputs.items()}
    return fed, _under_source_names(graph, outputs, endpoints, feeds)


def node_name(text: str) -> str:
    """Return a text as a valid node name."""
    return (
        _NOT_FIRST.sub("_", _NOT_IN_NAMES.sub("_", text)).replace("_", "x_", 1)
        if _NOT_FIRST.match(text)
        else (_NOT_IN_NAMES.sub("_", text))
    )


def _name_feeds(graph: Graph, feeds: Mapping[str, Node], outputs: Mapping[str, Value]) -> None:
    named: set[Node] = set()
    for key, node in feeds.items():
        name = node_name(key)
        if node.name != name and node not in named:  # of two keys of one tensor the first gives the name
            node.name = graph.unique_name(name)
        named.add(node)


def _identity(graph: Graph, value: Value, name: str, feeds: Mapping[str, Node]) -> Value:
    """Return a value whose node has the name, or one like it: the value itself if its node is so called."""
    producer = value.producer
    assert producer is not None
    if producer.name == name and value.port == 0 and producer not in feeds.values():
        return value
    return graph.add_node("Identity", graph.unique_name(name), [value], {"T": _type_of(value)}).output(0)


def _type_of(value: Value) -> DType:
    """Return the type that an Identity of a value has.

    Raises:
        FormatError: it is not known: the operation has no such output, or nobody says what it gives.
    """
    dtype = dtype_of(value)
    if dtype is None:
        op = value.producer.op if value.producer is not None else "?"
        what = f"the output {str(value)!r} has no type that is known: {op} has no such output, or does not say its type"
        raise FormatError(what, hint="--outputs names others; --keep-names needs no type of nodes that stay")
    return dtype.base


def _under_source_names(
    graph: Graph, outputs: Mapping[str, Value], endpoints: Endpoints, feeds: Mapping[str, Node]
) -> dict[str, Value]:
    """Let fetches be called what they were; where the node is gone, an Identity (or IdentityN) takes its name."""
    found: dict[str, Value] = {}
    gone: dict[Node, dict[int, list[str]]] = {}
    for key, value in outputs.items():
        before = endpoints.fetches[key].value
        assert before.producer is not None
        now = value.producer
        if (
            now is not None
            and now.name == before.producer.name
            and now.op == before.producer.op
            and value.port == before.port
        ):
            found[key] = value
        elif isinstance(before.port, int):
            gone.setdefault(before.producer, {}).setdefault(before.port, []).append(key)
    for node, keys in gone.items():
        values = [outputs[keys.get(port, next(iter(keys.values())))[0]] for port in range(max(keys) + 1)]
        types = [_type_of(value) for value in values]
        name = graph.unique_name(node.name)
        if len(values) == 1:
            named = graph.add_node("Identity", name, values, {"T": types[0]})
        else:
            named = graph.add_node("IdentityN", name, values, {"T": types})
        found |= {key: named.output(port) for port, several in keys.items() for key in several}
    return {key: found[key] for key in outputs}
