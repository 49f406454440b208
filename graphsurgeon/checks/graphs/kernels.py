"""Rules about attributes that only the kernel of an op looks at: numbers and texts that it does not take.

Importers take them, whatever they say; a run that reaches the node makes the kernel, which refuses. Sources:
`lookup_table_init_op.cc` and `lookup_util.cc`, `lookup_table_op.cc`, `batch_kernels.cc`, `lower_while_op.cc`,
`ragged_tensor_to_tensor_op.cc` and `xla_call_module_loader.cc` of TensorFlow 2.21.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphsurgeon.checks.graphs.nodes import Running
from graphsurgeon.checks.places import Nodes, every_node, place
from graphsurgeon.model.dtype import INT64, DType
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import AttrValue, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops.kinds import LOOPS, TABLE_FILES, TABLES

_Demand = tuple[str, Callable[[AttrValue], bool], str]  # attribute, what it must be, the same in words
_WHOLE_LINE, _LINE_NUMBER = -2, -1  # in place of the number of a column
_PARTITIONS = frozenset(
    {b"FIRST_DIM_SIZE", b"VALUE_ROWIDS", b"ROW_LENGTHS", b"ROW_SPLITS", b"ROW_LIMITS", b"ROW_STARTS"}
)
_OLDEST_XLA = 4  # version of the calling convention
_BYTECODE = b"ML\xefR"


def _at_least(least: int) -> Callable[[AttrValue], bool]:
    return lambda value: not isinstance(value, int) or value >= least


def _is_bucket_count(value: AttrValue) -> bool:
    return not isinstance(value, int) or (value >= 4 and not value & (value - 1))


def _is_one_byte(value: AttrValue) -> bool:
    return not isinstance(value, bytes) or len(value) == 1


_FILES: tuple[_Demand, ...] = (
    ("delimiter", _is_one_byte, "one character"),
    ("vocab_size", lambda value: value == -1 or _at_least(1)(value), "-1 or at least 1"),
    ("key_index", _at_least(_WHOLE_LINE), "at least -2"),
    ("value_index", _at_least(_WHOLE_LINE), "at least -2"),
)
_BUCKETS: tuple[_Demand, ...] = (("initial_num_buckets", _is_bucket_count, "a power of two from 4 on"),)
_DEMANDS: dict[str, tuple[_Demand, ...]] = {
    **dict.fromkeys(TABLE_FILES, _FILES),
    **dict.fromkeys(("MutableDenseHashTable", "MutableDenseHashTableV2", "AnonymousMutableDenseHashTable"), _BUCKETS),
    "BatchFunction": (
        ("max_batch_size", _at_least(1), "at least 1"),
        ("batch_timeout_micros", _at_least(0), "at least 0"),
    ),
    "XlaCallModule": (
        ("version", _at_least(_OLDEST_XLA), f"at least {_OLDEST_XLA}"),
        ("module", lambda value: not isinstance(value, bytes) or _is_module(value), "a module of StableHLO"),
    ),
    "RaggedTensorToTensor": (
        (
            "row_partition_types",
            lambda value: not isinstance(value, list) or _PARTITIONS.issuperset(value),
            "ways of partitioning",
        ),
    ),
}


_ASKED = _DEMANDS.keys() | LOOPS


def kernels(metagraph: MetaGraph, nodes: Nodes = every_node) -> Iterator[Finding]:
    """Find attributes of values that no kernel takes."""
    running = Running(metagraph)
    for graph in metagraph.graphs:
        for node in nodes(graph):
            for what in _faults(node):
                yield Finding(running.severity(node), place(graph, node), what, "set another", "kernel-attribute")


def _faults(node: Node) -> Iterator[str]:
    op = node.op
    if op not in _ASKED:
        return
    for name, is_taken, words in _DEMANDS.get(op, ()):
        value = node.attrs.get(name)
        if value is not None and not is_taken(value):
            yield f"its attribute {name!r} is {_shown(value)}, {op} takes {words}"
    if op in LOOPS and node.attrs.get("_lower_using_switch_merge") is True:
        turns = node.attrs.get("parallel_iterations")
        if isinstance(turns, int) and turns < 1:
            yield f"its attribute 'parallel_iterations' is {turns}, the loop that is made of it takes at least 1"
    if op in TABLE_FILES and node.inputs:
        yield from _line_numbers(node, node.inputs[0].producer)


def _line_numbers(node: Node, table: Node | None) -> Iterator[str]:
    """Find keys or values that are numbers of lines, in a table that holds something else."""
    for index, kind, noun in (("key_index", "key_dtype", "keys"), ("value_index", "value_dtype", "values")):
        held = table.attrs.get(kind) if table is not None and table.op in TABLES else None
        if isinstance(held, DType) and node.attrs.get(index) == _LINE_NUMBER and held is not INT64:
            yield f"its {noun} are numbers of lines, and those of the table are {held}"


def _is_module(data: bytes) -> bool:
    return data.startswith(_BYTECODE) or b"func" in data


def _shown(value: AttrValue) -> str:
    items = value if isinstance(value, list) else [value]
    texts = [one[:40].decode("utf-8", "backslashreplace") if isinstance(one, bytes) else one for one in items]
    return ", ".join(map(repr, texts))
