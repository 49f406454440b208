"""What two exports of one architecture have in common: a checksum of the structure that no name enters.

Two exports of one Keras model differ in the names of functions (`__inference_..._1234`), in suffixes of layers
(`dense_3`) and in the order of their variables, by which the saver is sorted (measured with TensorFlow 2.21). So a node
is hashed with what its op is, its attributes, and the hashes of what it reads; a graph is the sorted hashes of its
nodes; a function is called by the hash of its graph. What a training run decides (values of weights, scales of
quantization) stays out.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.model import Model
from graphsurgeon.model.node import AttrValue, FunctionRef, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import in_order, in_postorder
from graphsurgeon.ops import kinds

# Names, places and settings of a session: they differ from one export to the next.
_NOT_STRUCTURE = frozenset(
    ("shared_name", "container", "debug_name", "config_proto", "config", "executor_type", "metadata")
)
_FEW = 16  # elements: a constant of so many integers is a shape, an axis or a size, which is structure
_BACK = b"back"  # what is not hashed, or not yet: the saver, and one node of each loop
Hashes: TypeAlias = "dict[Graph, bytes | None]"  # None of a function that saves or restores


def structure(model: Model) -> str | None:
    """Return a checksum that exports of one architecture in one format share; None without a graph.

    Two graphs that differ only in which of two equal nodes feeds what have the same one.
    """
    graphs = [graph for graph in model.graphs if len(graph)]
    if not graphs:
        return None
    hashes: Hashes = {}
    for graph in in_postorder(graphs, _called):
        is_saver = graph.kind == "function" and any(kinds.is_saver(op) for op in graph.op_counts)
        hashes[graph] = None if is_saver else _hash_graph(graph, hashes)
    return _digest(sorted(found for found in hashes.values() if found is not None)).hex()


def outline(model: Model, shapes: Iterable[tuple[str, Shape]]) -> str | None:
    """Return a coarser checksum: which ops there are, how often, and the weights' dtypes and shapes; None without both.

    Args:
        model: any model.
        shapes: dtype and shape of each weight.
    """
    counts: Counter[str] = Counter()
    for graph in model.graphs:
        counts.update({op: number for op, number in graph.op_counts.items() if op not in kinds.VARIABLES})
    weights = sorted(f"{dtype} {shape}" for dtype, shape in shapes)
    if not counts and not weights:
        return None
    ops = [f"{op} {number}" for op, number in sorted(counts.items())]
    return _digest([line.encode("utf-8", "surrogateescape") for line in (*ops, *weights)]).hex()


def _called(graph: Graph) -> list[Graph]:
    return [function for node in graph.nodes for function in node.functions]


def _hash_graph(graph: Graph, functions: Hashes) -> bytes:
    hashes: dict[Node, bytes] = {}
    nodes = [node for node in graph.nodes if not _saves(node, functions)]
    for node in in_order(nodes, controls=True, back_edges=kinds.BACK_EDGES):
        hashes[node] = _digest(_parts(node, hashes, functions))
    outputs = [_value(output.value, hashes) for output in graph.outputs]
    return _digest([*sorted(hashes.values()), b"outputs", *outputs])


def _saves(node: Node, functions: Hashes) -> bool:
    return kinds.is_saver(node.op) or any(functions.get(function, _BACK) is None for function in node.functions)


def _parts(node: Node, hashes: dict[Node, bytes], functions: Hashes) -> Iterator[bytes]:
    # A function that is called as if it were an op has a name that the next export changes.
    yield b"call" if node.callee is not None else node.op.encode("utf-8", "surrogateescape")
    yield from (functions.get(function) or _BACK for function in node.functions)
    for name in sorted(node.attrs):
        if not name.startswith("_") and name not in _NOT_STRUCTURE:
            value = _attr(node.attrs[name])
            if value is not None:
                yield name.encode("utf-8", "surrogateescape") + b"=" + value
    yield from (_value(value, hashes) for value in node.inputs)
    yield b"after"
    yield from sorted(hashes.get(other, _BACK) for other in node.controls)


def _value(value: Value, hashes: dict[Node, bytes]) -> bytes:
    if value.producer is not None:
        found = hashes.get(value.producer)
        return _BACK if found is None else found + str(value.port).encode()
    stored = b"" if value.tensor is None else _tensor(value.tensor)
    return f"{value.dtype} {value.shape} ".encode() + stored


def _attr(value: AttrValue) -> bytes | None:
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, list):
        parts = [_attr(item) for item in value]
        return b"[" + b",".join(part for part in parts if part is not None) + b"]"
    if isinstance(value, bytes):
        return value
    if isinstance(value, bool | int | float | str | DType | Shape):
        return str(value).encode("utf-8", "surrogateescape")
    if isinstance(value, FunctionRef) and value.graph is None:
        return value.name.encode("utf-8", "surrogateescape")
    return None  # functions stand before the attributes, by what they do


def _tensor(tensor: Tensor) -> bytes:
    """Hash what a constant is; its values only where they can be no weights."""
    what = f"{tensor.dtype} {tensor.shape}"
    is_counted = tensor.dtype.is_integer or tensor.dtype.name == "bool"
    if is_counted and tensor.num_elements <= _FEW:
        what += f" {tensor.items()}"
    return what.encode()


def _digest(parts: Iterable[bytes]) -> bytes:
    found = hashlib.blake2b(digest_size=16)
    for part in parts:
        found.update(len(part).to_bytes(8, "little"))
        found.update(part)
    return found.digest()
