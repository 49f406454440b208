"""Tell protobuf messages apart that carry no name of their own, by the structure of their first fields.

`.pb` says nothing about content, and neither do the bytes: every message starts with a field. What decides is
what the first fields hold, looked at two or three levels deep, in several of the first entries, so that one
damaged byte does not make it another format. A message that ends too early still counts for what it starts as.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from graphsurgeon.encoding.protowire import read_varint
from graphsurgeon.errors import FormatError

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5
_LOOKED_AT = 40  # fields of one message: enough to outvote damage, few enough to cost nothing
_OP_NAME = re.compile(rb"[^\x00-\x1f\x7f]{1,200}")  # a function that is called as an op: `__inference_<lambda>_7`
_VERSIONS = {(1, _VARINT), (2, _VARINT), (3, _VARINT), (3, _BYTES)}  # VersionDef; the last is a packed list
# SavedObject of keras/protobuf/saved_metadata.proto: number, path, identifier, configuration in JSON, versions
_KERAS_OBJECT = {(2, _VARINT), (3, _BYTES), (4, _BYTES), (5, _BYTES), (6, _BYTES)}
_CORE_ML_MODELS = 200  # field numbers of the kinds of Core ML models start here


class RawField(NamedTuple):
    """Number and wire type of a field, and the bytes of its value."""

    number: int
    wire: int
    start: int
    end: int


def kind(view: memoryview) -> str | None:
    """Name the message that a file holds: a format of ours, a key of `foreign.FOREIGN`, or None."""
    fields = _fields(view, 0, len(view))
    if not fields:
        return None
    first = fields[0]
    if (first.number, first.wire) == (1, _VARINT):
        return _kind_with_version(view, fields)
    numbers = {field.number for field in fields if field.wire == _BYTES}
    if 100 in numbers and numbers <= {1, 2, 3, 6, 7, 8, 100}:
        return "caffemodel"
    if not any(field.wire == _BYTES and 1 <= field.number <= 7 for field in fields):
        return None
    if first[:2] == (1, _BYTES) and _is_paddle_block(view, first):
        return "paddle"
    if _are_keras_objects(view):
        return "keras_metadata"
    return _kind_of_graph(view, fields)


def _kind_with_version(view: memoryview, fields: list[RawField]) -> str | None:
    """Messages that start with a number: the version of their schema."""
    wires: dict[int, int] = {}
    for field in fields:
        wires.setdefault(field.number, field.wire)
    if wires.get(2) == _VARINT and _BYTES in (wires.get(8), wires.get(9)):
        return "onnx_tensor"  # by its name or its raw data
    if all(wires.get(number, _VARINT) == _VARINT for number in range(1, 6)) and len(wires) > 3:
        return "fingerprint" if wires.get(3) == _VARINT else "uff"
    if wires.get(2) == _VARINT:
        pairs = {field[:2] for field in fields}
        return "uff" if pairs & {(3, _BYTES), (4, _BYTES)} and not pairs & {(1, _BYTES), (2, _BYTES)} else None
    if sum(wires.get(number) == _BYTES for number in (2, 3, 7, 8)) > 1 and _BYTES in (wires.get(7), wires.get(8)):
        return "onnx"  # by maker and graph, or graph and opsets: one of them alone may be a damaged SavedModel
    if wires.get(7) == _BYTES and 2 not in wires:
        return "onnx"  # without a maker; two bits of a SavedModel's tag would have to flip for it to look like this
    if any(number >= _CORE_ML_MODELS for number in wires) and wires.get(2) == _BYTES:
        return "coreml"
    if set(wires) == {1}:
        return "saved_model" if fields[-1].end == len(view) else None  # without a MetaGraph
    graphs = [field for field in fields if field[:2] == (2, _BYTES)]
    return "saved_model" if any(_fields(view, graph.start, graph.end) for graph in graphs) else None


def _kind_of_graph(view: memoryview, fields: list[RawField]) -> str | None:
    firsts = [field for field in fields if field.number == 1 and field.wire == _BYTES]
    nodes = [node for node in (_node(view, field) for field in firsts) if node is not None]
    if nodes:
        return "mmdnn" if _is_mmdnn(view, nodes) else "graph_def"
    if firsts and _is_meta_info(view, firsts[0]):
        return "meta_graph"
    seconds = [field for field in fields if field.number == 2 and field.wire == _BYTES]
    if seconds and (not firsts or firsts[0].start == firsts[0].end):
        return _kind_of_second(view, seconds[0])
    if firsts and _is_text(view, firsts[0]):
        is_path = _bytes(view, firsts[0], 4096).endswith((b".py", b".cc"))
        return "debug_info" if is_path else _kind_of_net(view, fields)
    versions = [field for field in fields if field.number == 4 and field.wire == _BYTES]
    if versions and _wires(view, versions[0]) <= _VERSIONS:
        return "graph_def"  # of no nodes
    entries = [field for field in fields if field.number in (4, 5, 6, 7) and field.wire == _BYTES]
    return "meta_graph" if entries and not firsts and _is_map_entry(view, entries[0]) else None


def _kind_of_second(view: memoryview, field: RawField) -> str | None:
    """Decide by field 2, where field 1 is missing: a library, the graph of a MetaGraph, or a whole MetaGraph."""
    inner = _fields(view, field.start, field.end)
    firsts = [entry for entry in inner if entry.number == 1 and entry.wire == _BYTES]
    if any(_node(view, entry) is not None for entry in firsts):
        return "meta_graph"
    if any(_is_function(view, entry) for entry in firsts):
        return "graph_def"
    if any(_is_graph_without_nodes(view, entry) for entry in inner):
        return "meta_graph"
    if not inner or all(entry[:2] == (2, _BYTES) for entry in inner):
        return "graph_def"  # with an empty library, or one of gradients alone
    return "saved_model" if _kind_of_graph(view, inner) == "meta_graph" else None


def _is_graph_without_nodes(view: memoryview, field: RawField) -> bool:
    """Say whether a field is the versions of a GraphDef, or its library: a library itself has no such fields."""
    if field[:2] == (3, _VARINT):
        return True  # the version, as graphs of 2015 have it
    if field[:2] == (4, _BYTES):
        return _wires(view, field) <= _VERSIONS
    entries = _fields(view, field.start, field.end) if field[:2] == (2, _BYTES) else []
    return any(_is_function(view, entry) for entry in entries if entry[:2] == (1, _BYTES))


def _kind_of_net(view: memoryview, fields: list[RawField]) -> str | None:
    """Nets of Caffe and Caffe2 start with their name."""
    for field in fields:
        if field.number == 2 and field.wire == _BYTES:
            wires = _wires(view, field)
            if {(4, _BYTES), (5, _VARINT)} <= wires:
                return "caffemodel"
            if (4, _BYTES) in wires and wires <= {(number, _BYTES) for number in range(1, 12)}:
                return "caffe2"
    return None


def _node(view: memoryview, field: RawField) -> list[RawField] | None:
    """Return the fields of a NodeDef, None if it is none: all are length-delimited, and it has an op."""
    inner = _fields(view, field.start, field.end)
    if any(entry.wire != _BYTES or entry.number > 7 for entry in inner):
        return None
    ops = [entry for entry in inner if entry.number == 2]
    is_node = len(ops) == 1 and _OP_NAME.fullmatch(_bytes(view, ops[0], 200)) is not None
    return inner if is_node and all(_is_text(view, entry) for entry in inner if entry.number in (1, 3)) else None


def _is_mmdnn(view: memoryview, nodes: list[list[RawField]]) -> bool:
    """MMdnn's NodeDef is like TensorFlow's but keeps its attributes in field 4, where TensorFlow has the device."""
    fourth = [field for node in nodes for field in node if field.number == 4 and field.end > field.start]
    fifth = any(field.number == 5 for node in nodes for field in node)
    return bool(fourth) and not fifth and all(_is_map_entry(view, field) for field in fourth)


def _is_paddle_block(view: memoryview, field: RawField) -> bool:
    """BlockDesc: its number, that of its parent, variables and operators."""
    inner = _fields(view, field.start, field.end)
    return [entry[:2] for entry in inner[:3]] == [(1, _VARINT), (2, _VARINT), (3, _BYTES)]


def _are_keras_objects(view: memoryview) -> bool:
    """Say whether a file is a SavedMetadata of Keras: SavedObjects from first to last, one of which has all that tells.

    The first object has the number 0, which is not stored, and looks like a MetaInfoDef then. That no graph comes later
    is looked at too: no field of a SavedObject is an op of a node, and no field behind them a graph.
    """
    at, is_told = 0, False
    while at < len(view):
        field = next(iter(_fields(view, at, len(view), most=1)), None)
        if field is None or field[:2] != (1, _BYTES):
            return False
        inner = _fields(view, field.start, field.end)
        if not inner or inner[-1].end != field.end or not {entry[:2] for entry in inner} <= _KERAS_OBJECT:
            return False
        held = {entry.number: entry for entry in inner}
        if held.keys() >= {3, 4, 5} and _is_text(view, held[3]) and _is_text(view, held[4]):
            is_told = is_told or _bytes(view, held[5], 1) == b"{"
        at = field.end
    return is_told


def _is_map_entry(view: memoryview, field: RawField) -> bool:
    inner = _fields(view, field.start, field.end)
    return bool(inner) and inner[0][:2] == (1, _BYTES) and _is_text(view, inner[0]) and inner[-1].number <= 2


def _is_meta_info(view: memoryview, field: RawField) -> bool:
    """MetaInfoDef: a list of ops, tags, the version of TensorFlow."""
    inner = _fields(view, field.start, field.end)
    wires = {entry[:2] for entry in inner}
    if any(entry[:2] == (5, _BYTES) and _is_map_entry(view, entry) for entry in inner):
        return False  # attributes of a node: in a MetaInfoDef the field is a version, as text
    return bool(wires & {(2, _BYTES), (4, _BYTES), (5, _BYTES), (6, _BYTES)}) and wires <= {
        (7, _VARINT),
        *((number, _BYTES) for number in (1, 2, 3, 4, 5, 6, 8)),
    }


def _is_function(view: memoryview, field: RawField) -> bool:
    inner = _fields(view, field.start, field.end)
    signature = next((entry for entry in inner if entry.number == 1 and entry.wire == _BYTES), None)
    if signature is None:
        return False
    names = [entry for entry in _fields(view, signature.start, signature.end) if entry[:2] == (1, _BYTES)]
    return bool(names) and _is_text(view, names[0])


def _is_text(view: memoryview, field: RawField) -> bool:
    text = _bytes(view, field, 4096)
    return field.wire == _BYTES and all(byte >= 32 or byte in b"\t\n\r" for byte in text)


def _wires(view: memoryview, field: RawField) -> set[tuple[int, int]]:
    return {entry[:2] for entry in _fields(view, field.start, field.end)}


def _bytes(view: memoryview, field: RawField, most: int) -> bytes:
    return bytes(view[field.start : min(field.end, field.start + most)])


def _fields(view: memoryview, start: int, end: int, most: int = _LOOKED_AT) -> list[RawField]:
    """Return the first fields up to where the bytes make no sense; one that is cut off ends where the bytes end."""
    found: list[RawField] = []
    try:
        while start < end and len(found) < most:
            tag, start = read_varint(view, start)
            number, wire = tag >> 3, tag & 7
            value = start
            if wire == _VARINT:
                start = read_varint(view, start)[1]
            elif wire == _BYTES:
                length, value = read_varint(view, start)
                start = value + length
            elif wire in (_FIXED64, _FIXED32):
                start += 8 if wire == _FIXED64 else 4
            else:
                break
            if not number or value > end:
                break
            found.append(RawField(number, wire, value, min(start, end)))
    except FormatError:
        pass
    return found
