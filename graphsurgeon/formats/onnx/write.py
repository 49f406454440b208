"""An ONNX model as a file: what gs has made of a network of another framework.

Fields are those of `onnx.proto`, written one by one: a message of protobuf would hold all weights in memory. Weights
stand in the file up to the 2 GiB that protobuf takes, beyond that in `NAME.data` beside it
(`docs/ExternalData.md`). Graphs with bodies (If, Loop, Scan) or functions of their own are not made here, nor written.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from typing import Any

from graphsurgeon.disk.files import BLOCK, Computed, Piece, Rope, exists, rope_size
from graphsurgeon.encoding.protowire import encode_varint, length_delimited
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats.graph.protobuf.protofile import MAX_MESSAGE
from graphsurgeon.formats.onnx.types import number_of
from graphsurgeon.formats.target import Target
from graphsurgeon.formats.writing import WritePlan
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.model import Model
from graphsurgeon.model.node import AttrValue
from graphsurgeon.model.tensor import Tensor

_IR_VERSION = 8
_SPARE = 64 << 20  # bytes of a message that are no weights, more than any has
_SMALL = 1 << 10  # bytes of a weight that stays in the file when the others go beside it
_ALIGNED = 1 << 12  # runtimes map external data, which begins at such multiples (docs/ExternalData.md)
_FLOAT, _INT, _STRING, _TENSOR, _FLOATS, _INTS, _STRINGS = 1, 2, 3, 4, 6, 7, 8  # AttributeProto.AttributeType
_EXTERNAL = 1  # TensorProto.DataLocation


class _Beside:
    """The file of weights beside the model.

    Attributes:
        name: its name; empty where all weights stand in the model.
        pieces: what it holds.
        size: bytes of that.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.pieces: Rope = []
        self.size = 0

    def takes(self, tensor: Tensor) -> bool:
        """Say whether the values of a tensor go there."""
        return bool(self.name) and tensor.dtype is not STRING and tensor.nbytes >= _SMALL

    def add(self, tensor: Tensor) -> tuple[int, int]:
        """Add values; return where they begin, and their length."""
        gap = -self.size % _ALIGNED
        if gap:
            self.pieces.append(bytes(gap))
        offset = self.size + gap
        self.pieces += _values(tensor)
        self.size = offset + tensor.nbytes
        return offset, tensor.nbytes


def plan(model: Model, target: Target, *, force: bool, in_place: bool = False) -> WritePlan:
    """Decide what is written: the model, and a file of weights beside it where they are too many.

    Raises:
        UsageError: there is a file of that name, and `force` is not given.
        UnsupportedError: the graph has bodies, or values of a type that ONNX lacks.
    """
    model_rope, weights = _written(model, target.path.name)
    files: dict[str, Any] = {"": model_rope}
    if weights.pieces:
        beside = target.path.with_name(weights.name)
        if exists(beside) and not force:
            hint = "the model keeps its weights in a file of that name; --force replaces it"
            raise UsageError("already exists", path=beside, hint=hint)
        files = {weights.name: weights.pieces, **files}
    return WritePlan(target, files)


def lower(model: Model) -> dict[str, Rope]:
    """Return the files of a model that has no name yet.

    Raises:
        UnsupportedError: as `plan` does.
    """
    rope, weights = _written(model, "model.onnx")
    return {**({weights.name: weights.pieces} if weights.pieces else {}), "": rope}


def _written(model: Model, name: str) -> tuple[Rope, _Beside]:
    [metagraph] = model.metagraphs
    if metagraph.functions:
        raise UnsupportedError("an ONNX graph with bodies or functions of its own is not written here")
    total = sum(value.tensor.nbytes for value in metagraph.graph.values if value.tensor is not None)
    weights = _Beside(f"{name}.data" if total > MAX_MESSAGE - _SPARE else "")
    facts = metagraph.producer
    rope: Rope = [_number(1, facts.get("ir_version") or _IR_VERSION)]
    for field, key in ((2, "framework"), (3, "version"), (6, "description")):
        rope.append(_text(field, str(facts.get(key) or "")))
    rope += _nested(7, _graph(metagraph.graph, weights))
    for domain, version in (facts.get("opsets") or {}).items():
        rope.append(length_delimited(8, _text(1, "" if domain == "ai.onnx" else domain) + _number(2, version)))
    return [piece for piece in rope if len(piece)], weights


def _graph(graph: Graph, weights: _Beside) -> Rope:
    rope: Rope = []
    for node in graph.nodes:
        rope.append(length_delimited(1, _node(node)))
    rope.append(_text(2, graph.name or "graph"))
    used = {value for node in graph.nodes for value in node.inputs} | {output.value for output in graph.outputs}
    for value in graph.values:
        if value.tensor is not None and value in used:
            rope += _nested(5, _tensor(value.name or "", value.tensor, weights))
    rope += [length_delimited(11, _info(value)) for value in graph.inputs]
    rope += [length_delimited(12, _info(output.value)) for output in graph.outputs]
    ends = {*graph.inputs, *(output.value for output in graph.outputs)}
    inner = [value for value in graph.values if value.producer is not None and value not in ends]
    rope += [length_delimited(13, _info(value)) for value in inner if value.shape is not None and value.shape.dims]
    return rope


def _node(node: Node) -> bytes:
    domain, _, op = node.op.rpartition(".")
    out = b"".join(_repeated(1, "" if value.is_absent else value.name or "") for value in node.inputs)
    out += b"".join(_repeated(2, "" if value.is_absent else value.name or "") for value in node.outputs)
    out += _text(3, node.name) + _text(4, op)
    for name, value in node.attrs.items():
        out += length_delimited(5, _text(1, name) + _attribute(name, value))
    return out + _text(7, domain)


def _attribute(name: str, value: AttrValue) -> bytes:
    if isinstance(value, DType):
        value = number_of(value)
    if isinstance(value, bool | int):
        return _number(3, int(value), always=True) + _number(20, _INT)
    if isinstance(value, float):
        return encode_varint(2 << 3 | 5) + struct.pack("<f", value) + _number(20, _FLOAT)
    if isinstance(value, bytes):
        return length_delimited(4, value) + _number(20, _STRING)
    if isinstance(value, Tensor):
        whole = b"".join(piece if isinstance(piece, bytes) else piece.read() for piece in _tensor("", value, None))
        return length_delimited(5, whole) + _number(20, _TENSOR)
    if isinstance(value, list):
        return _list(value)
    raise UnsupportedError(f"attribute {name!r} cannot be written to an ONNX model: {value!r}")


def _list(items: list[Any]) -> bytes:
    if any(isinstance(item, float) for item in items):
        return b"".join(encode_varint(7 << 3 | 5) + struct.pack("<f", item) for item in items) + _number(20, _FLOATS)
    if any(isinstance(item, bytes) for item in items):
        return b"".join(length_delimited(9, item) for item in items) + _number(20, _STRINGS)
    return b"".join(_number(8, int(item), always=True) for item in items) + _number(20, _INTS)


def _tensor(name: str, tensor: Tensor, weights: _Beside | None) -> Rope:
    dims = b"".join(_number(1, dim or 0, always=True) for dim in tensor.shape)
    head = dims + _number(2, number_of(tensor.dtype))
    if tensor.dtype is STRING:
        items = b"".join(length_delimited(6, item) for item in tensor.source.strings())
        return [head + items + _text(8, name)]
    head += _text(8, name)
    if weights is None or not weights.takes(tensor):
        return [head + encode_varint(9 << 3 | 2) + encode_varint(tensor.nbytes), *_values(tensor)]
    offset, length = weights.add(tensor)
    entries = {"location": weights.name, "offset": str(offset), "length": str(length)}
    told = b"".join(length_delimited(13, _text(1, key) + _text(2, text)) for key, text in entries.items())
    return [head + told + _number(14, _EXTERNAL)]


def _values(tensor: Tensor) -> Rope:
    """Return where the bytes of a tensor come from: of the source's file as they lie, of others as they are made."""
    ranges = getattr(tensor.source, "ranges", lambda: None)()
    if ranges is not None:
        return list(ranges)
    return [Computed(tensor.nbytes, tensor.chunks) if tensor.nbytes > BLOCK else tensor.tobytes()]


def _info(value: Value) -> bytes:
    """Return a `ValueInfoProto`."""
    dtype = value.dtype
    if dtype is None:
        raise UnsupportedError(f"the type of {value.name!r} is not known")
    inner = _number(1, number_of(dtype))
    if value.shape is not None and value.shape.dims is not None:
        names = (value.extra or {}).get("dim_names") or [None] * len(value.shape.dims)
        dims = zip(value.shape.dims, names, strict=True)
        inner += length_delimited(2, b"".join(length_delimited(1, _dim(dim, name)) for dim, name in dims))
    return _text(1, value.name or "") + length_delimited(2, length_delimited(1, inner))


def _dim(dim: int | None, name: str | None) -> bytes:
    return _number(1, dim, always=True) if dim is not None else _text(2, name or "")


def _nested(field: int, rope: Iterable[Piece]) -> Rope:
    pieces = list(rope)
    return [encode_varint(field << 3 | 2) + encode_varint(rope_size(pieces)), *pieces]


def _number(field: int, value: int, *, always: bool = False) -> bytes:
    return encode_varint(field << 3) + encode_varint(value & (1 << 64) - 1) if value or always else b""


def _text(field: int, text: str) -> bytes:
    return _repeated(field, text) if text else b""


def _repeated(field: int, text: str) -> bytes:
    return length_delimited(field, text.encode("utf-8", "surrogateescape"))
