"""Values that are made of constants alone, computed: a path in pieces, however its pieces are put together.

What is no constant, has no kernel here, or is large has no value; it is then followed like others (`trace.py`).
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.kernels import compute
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops import kinds
from graphsurgeon.scanning.flow import fold
from graphsurgeon.scanning.flow.strings import MOST_BYTES, MOST_ELEMENTS

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

_DEEPEST = 100
_MOST_STEPS = 20_000  # of one MetaGraph
_MOST_NUMBERS = 1 << 16  # of a constant
_MOST_UNPACKED = 1 << 20  # bytes
_SAME = kinds.IDENTITIES | {"EnsureShape", "GuaranteeConst"}
Calls = tuple["Node", "Calls | None"]  # the call that a function is looked at for, and those around it


class Exact:
    """Computes values of one MetaGraph.

    Args:
        callers: nodes that run a function.
        is_open: says of a node that its value is not what the graph says: an asset, the name that a saver is fed.
    """

    def __init__(self, callers: dict[Graph, list[Node]], is_open: Callable[[Node], bool]) -> None:
        self._callers = callers
        self._is_open = is_open
        self._known: dict[Value, Array | None] = {}
        self._steps = 0
        self._bytes = 0  # of all texts that were put together

    def strings(self, value: Value) -> list[bytes] | None:
        """Return the elements of a value of strings, row-major; None if they are not known."""
        array = self._of(value, None, 0)
        if array is None or array.dtype != object or array.size > MOST_ELEMENTS:
            return None
        return [bytes(item) for item in array.ravel()]

    def number(self, value: Value) -> int | None:
        """Return a value that is one integer; None if it is not known."""
        array = self._of(value, None, 0)
        return int(array.ravel()[0]) if array is not None and array.size == 1 and array.dtype.kind in "iu" else None

    def _of(self, value: Value, calls: Calls | None, depth: int) -> Array | None:
        if calls is None and value in self._known:
            return self._known[value]
        self._steps += 1
        if depth > _DEEPEST or self._steps > _MOST_STEPS:
            return None
        if calls is None:
            self._known[value] = None  # round a loop
        found = self._argument(value, calls, depth) if value.producer is None else self._made(value, calls, depth)
        if calls is None:
            self._known[value] = found
        return found

    def _argument(self, value: Value, calls: Calls | None, depth: int) -> Array | None:
        """Return what the call passes that is looked at, or the only one there is."""
        if not isinstance(value.port, int) or value.graph.kind != "function":
            return None
        around = self._callers.get(value.graph, []) if calls is None else [calls[0]]
        if len(around) != 1 or not _is_call(around[0]) or value.port >= len(around[0].inputs):
            return None
        return self._of(around[0].inputs[value.port], None if calls is None else calls[1], depth + 1)

    def _made(self, value: Value, calls: Calls | None, depth: int) -> Array | None:
        node, port = value.producer, value.port
        assert node is not None
        if self._is_open(node) or not isinstance(port, int):
            return None
        if node.op == "Const":
            return _constant(node.attrs.get("value"))
        if _is_call(node):
            results = [output.value for function in node.functions for output in function.outputs[port : port + 1]]
            return self._of(results[0], (node, calls), depth + 1) if len(results) == 1 else None
        inputs: list[Array] = []
        for given in node.inputs:
            array = self._of(given, calls, depth + 1)
            if array is None:
                return None
            inputs.append(array)
        found = _computed(node, port, inputs)
        if found is not None and found.dtype == object:
            self._bytes += sum(map(len, found.ravel()))
        return found if self._bytes <= MOST_BYTES else None


def _is_call(node: Node) -> bool:
    return node.callee is not None or node.op.endswith("PartitionedCall")


def _constant(tensor: object) -> Array | None:
    import numpy as np

    if not isinstance(tensor, Tensor):
        return None
    if tensor.num_elements > (MOST_ELEMENTS if tensor.dtype is STRING else _MOST_NUMBERS):
        return None
    try:
        if tensor.dtype is STRING:
            return _strings([bytes(item) for item in tensor.items()], tuple(tensor.shape))
        return np.asarray(tensor.numpy())
    except (ValueError, GraphSurgeonError):  # too long, or damaged
        return None


def _strings(items: Sequence[bytes], shape: Sequence[int | None]) -> Array:
    import numpy as np

    if sum(map(len, items)) > MOST_BYTES:
        raise ValueError("too long")
    array = np.empty(len(items), dtype=object)
    array[:] = items
    return array.reshape([dim or 0 for dim in shape])


def _computed(node: Node, port: int, inputs: list[Array]) -> Array | None:
    if not inputs:
        return None
    try:
        if node.op in _SAME:
            return inputs[0]
        if node.op in fold.OF_ONE and inputs[0].dtype == object:
            others = [array.ravel()[0] if array.size == 1 else None for array in inputs[1:]]
            items = [fold.OF_ONE[node.op](node, bytes(item), others) for item in inputs[0].ravel()]
            return _strings(items, inputs[0].shape)
        if node.op in _WHOLE:
            return _WHOLE[node.op](node, inputs) if port == _PORTS.get(node.op, 0) else None
        outputs = compute(node, inputs)
    except fold.UNKNOWN:
        return None
    found: Array | None = outputs[port] if outputs is not None and port < len(outputs) else None
    return found if found is not None and found.size <= _MOST_NUMBERS else None


# -- ops on strings ------------------------------------------------------------------------------------


def _between(node: Node) -> bytes:
    separator = node.attrs.get("separator")
    return separator if isinstance(separator, bytes) else b""


def _string_join(node: Node, inputs: list[Array]) -> Array:
    import numpy as np

    rows = [array.ravel() for array in np.broadcast_arrays(*inputs)]
    shape = np.broadcast_shapes(*(array.shape for array in inputs))
    return _strings([_between(node).join(map(bytes, parts)) for parts in zip(*rows, strict=True)], shape)


def _reduce_join(node: Node, inputs: list[Array]) -> Array:
    array, rank = inputs[0], inputs[0].ndim
    axes = [int(axis) % rank for axis in inputs[1].ravel()]
    for axis in axes:  # one after the other: the order of the axes is that of the parts
        rows = _moved(array, axis)
        joined = [_between(node).join(map(bytes, row)) for row in rows.reshape(-1, array.shape[axis])]
        shape = (*array.shape[:axis], 1, *array.shape[axis + 1 :])
        array = _strings(joined, shape)
    if node.attrs.get("keep_dims"):
        return array
    return array.reshape([size for axis, size in enumerate(array.shape) if axis not in axes])


def _moved(array: Array, axis: int) -> Array:
    import numpy as np

    return np.moveaxis(array, axis, -1)


def _segment_join(node: Node, inputs: list[Array]) -> Array:
    count = int(inputs[2].ravel()[0])
    if count > MOST_ELEMENTS or inputs[0].shape != inputs[1].shape:
        raise ValueError("too many, or rows of a matrix")
    parts: list[list[bytes]] = [[] for _ in range(count)]
    for item, place in zip(inputs[0].ravel(), inputs[1].ravel(), strict=True):
        if place >= 0:
            parts[int(place)].append(bytes(item))
    return _strings([_between(node).join(row) for row in parts], [count])


def _as_string(node: Node, inputs: list[Array]) -> Array:
    if inputs[0].dtype.kind not in "iu" or node.attrs.get("fill") or (node.attrs.get("width") or -1) != -1:
        raise ValueError("no plain integers")
    return _strings([str(int(item)).encode() for item in inputs[0].ravel()], inputs[0].shape)


def _encode(node: Node, inputs: list[Array]) -> Array:
    encoding = node.attrs.get("output_encoding")
    letters, ends = inputs[0].ravel(), [int(end) for end in inputs[1].ravel()]
    name = {b"UTF-8": "utf-8", b"UTF-16-BE": "utf-16-be", b"UTF-32-BE": "utf-32-be"}[encoding]  # type: ignore[index]
    rows = [letters[start:end] for start, end in pairwise(ends)]
    return _strings(["".join(map(chr, row)).encode(name, "replace") for row in rows], [len(rows)])


def _split(node: Node, inputs: list[Array]) -> Array:
    separator, most = bytes(inputs[1].ravel()[0]) or None, node.attrs.get("maxsplit")
    most = most if isinstance(most, int) else -1
    parts = [part for item in inputs[0].ravel() for part in bytes(item).split(separator, most)]
    return _strings(parts, [len(parts)])


def _unpack(node: Node, inputs: list[Array]) -> Array:
    kind = node.attrs.get("compression_type") or b""
    found = []
    for item in map(bytes, inputs[0].ravel()):
        if not kind:
            found.append(item)
            continue
        unpacker = zlib.decompressobj({b"ZLIB": 15, b"GZIP": 31}[kind])  # type: ignore[index]
        found.append(unpacker.decompress(item, _MOST_UNPACKED))
        if unpacker.unconsumed_tail:
            raise ValueError("too long")
    return _strings(found, inputs[0].shape)


_PORTS = {"StringSplitV2": 1}  # which output is computed, if not the first
_WHOLE: dict[str, Callable[[Node, list[Array]], Array]] = {
    "StringJoin": _string_join,
    "ReduceJoin": _reduce_join,
    "UnsortedSegmentJoin": _segment_join,
    "AsString": _as_string,
    "UnicodeEncode": _encode,
    "DecodeCompressed": _unpack,
    "StringSplitV2": _split,
}
