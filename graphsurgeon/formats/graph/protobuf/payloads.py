"""Weights stay on disk: the protobuf wire format with large tensors taken out, and put back.

`reduce` copies a serialized message without the values of large `TensorProto`s; in their place stands a mark: a
`tensor_content` (`raw_data` of ONNX) of random bytes, drawn anew by each process so that no file can hold them, and
an index into a list of payloads. `expand` is its inverse on a serialized message. Only subtrees that can hold a
tensor, and are large enough to, are looked into.
Source: the encoding guide of protobuf; field numbers from the descriptors of TensorFlow.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import NamedTuple

from graphsurgeon.disk.files import FileRange, Piece, Rope, SourceFile, rope_size
from graphsurgeon.encoding.protowire import (
    MAX_DEPTH,
    WireWindow,
    encode_varint,
)
from graphsurgeon.errors import FormatError

LARGE = 1024  # bytes on the wire from which a tensor's values stay on disk

Payload = list[Piece]  # the value fields of one TensorProto, tags included


class TensorFields(NamedTuple):
    """Where the messages of a framework hold tensors.

    Attributes:
        children: message -> field -> message, on the way to a `TensorProto`.
        values: the fields of `TensorProto` that hold its elements; the others describe them.
        content: the one of them that holds bytes as they are, and so can hold a mark.
        merged: messages in which protobuf makes one of two tensors.
    """

    children: Mapping[str, Mapping[int, str]]
    values: frozenset[int]
    content: int
    merged: frozenset[str]


_TENSORFLOW = {
    "SavedModel": {2: "MetaGraphDef"},
    "MetaGraphDef": {2: "GraphDef", 5: "SignatureEntry"},
    "SignatureEntry": {2: "SignatureDef"},
    "SignatureDef": {4: "DefaultEntry"},
    "DefaultEntry": {2: "TensorProto"},
    "GraphDef": {1: "NodeDef", 2: "FunctionDefLibrary"},
    "FunctionDefLibrary": {1: "FunctionDef"},
    "FunctionDef": {3: "NodeDef", 5: "AttrEntry"},
    "NodeDef": {5: "AttrEntry"},
    "AttrEntry": {2: "AttrValue"},
    "AttrValue": {1: "ListValue", 8: "TensorProto", 10: "NameAttrList"},
    "ListValue": {8: "TensorProto", 9: "NameAttrList"},
    "NameAttrList": {2: "AttrEntry"},
}
_ONNX = {
    "ModelProto": {7: "GraphProto", 20: "TrainingInfoProto", 25: "FunctionProto"},
    "TrainingInfoProto": {1: "GraphProto", 2: "GraphProto"},
    "GraphProto": {1: "NodeProto", 5: "TensorProto", 15: "SparseTensorProto"},
    "FunctionProto": {7: "NodeProto", 11: "AttributeProto"},
    "NodeProto": {5: "AttributeProto"},
    "AttributeProto": {
        5: "TensorProto", 6: "GraphProto", 10: "TensorProto", 11: "GraphProto",
        22: "SparseTensorProto", 23: "SparseTensorProto",
    },
    "SparseTensorProto": {1: "TensorProto", 2: "TensorProto"},
}  # fmt: skip
LAYOUTS = {
    "tensorflow": TensorFields(
        _TENSORFLOW,
        frozenset(range(4, 19)),  # tensor_content and every typed field
        4,
        frozenset(("AttrEntry", "AttrValue", "DefaultEntry")),
    ),
    "onnx": TensorFields(
        _ONNX,
        frozenset((4, 5, 6, 7, 9, 10, 11)),  # raw_data and every typed field
        9,
        frozenset(("AttributeProto",)),
    ),
}
_SECRET = os.urandom(16)
_MARK_SIZE = len(_SECRET) + 8


def reduce(source: SourceFile, full_name: str, payloads: list[Payload]) -> bytes:
    """Return the message's bytes without large tensor values, which are appended to `payloads` and not read.

    Args:
        source: the file. It is read in small windows around what is structure: a map would count every large
            page that the system maps along as memory, and die with a file that shrinks.
        full_name: of the message: "GraphDef", "MetaGraphDef", "onnx.ModelProto" ...; TensorFlow's go without package.
        payloads: where the values lie.

    Raises:
        FormatError: the bytes are not a sequence of fields; with the offset.
    """
    package, _, message = full_name.rpartition(".")
    window = WireWindow(source)
    layout = LAYOUTS[package or "tensorflow"]
    pieces = _Reducer(source, window, payloads, layout).message(0, source.size, message, 0)
    return window.copy(0, source.size) if pieces is None else b"".join(pieces)


def expand(data: bytes, message: str, payloads: list[Payload]) -> Rope:
    """Return serialized bytes with every mark replaced by the payload, enclosing lengths adjusted."""
    return _expand(data, message, payloads) if _SECRET in data else [data]


def mark(number: int) -> bytes:
    """Return the `tensor_content` (or `raw_data` of ONNX) that stands for the payload of a number, counted from 1."""
    return _SECRET + number.to_bytes(8, "little")


def marked(content: bytes) -> int:
    """Return the number of the payload that a `tensor_content` stands for, 0 if it is itself the values."""
    is_mark = len(content) == _MARK_SIZE and content.startswith(_SECRET)
    return int.from_bytes(content[len(_SECRET) :], "little") if is_mark else 0


def has_mark(data: bytes) -> bool:
    """Say whether serialized bytes hold a mark."""
    return _SECRET in data


def rebased(data: bytes, start: int) -> bytes:
    """Return serialized bytes in which each mark stands for the payload that lies `start` places further on."""
    parts = data.split(_SECRET)
    return parts[0] + b"".join(mark(int.from_bytes(part[:8], "little") + start) + part[8:] for part in parts[1:])


class _Reducer:
    """One pass over a file; offsets are those of the file."""

    def __init__(self, source: SourceFile, window: WireWindow, payloads: list[Payload], layout: TensorFields) -> None:
        self.source = source
        self.window = window
        self.payloads = payloads
        self.layout = layout

    def message(self, start: int, end: int, message: str, depth: int) -> list[bytes] | None:
        """Return the pieces of the reduced message; None if it holds nothing large."""
        if message == "TensorProto":
            return self.tensor(start, end)
        if depth > MAX_DEPTH:
            raise FormatError(f"messages are nested too deep at byte {start}")
        window, children = self.window, self.layout.children[message]
        merged = 0
        pieces: list[bytes] = []
        copied = offset = start
        while offset < end:
            field_start = offset
            tag, length, body = window.head(offset)
            if tag & 7 != 2:
                offset = window.skip(tag & 7, body, end)
                continue
            offset = body + length
            if offset > end:
                raise FormatError(
                    f"field {tag >> 3} of {message} at byte {field_start} runs {offset - end} bytes past its end"
                )
            if (tag >> 3) not in children:
                continue
            merged += message in self.layout.merged
            if length < LARGE:
                continue
            inner = self.message(body, offset, children[tag >> 3], depth + 1)
            if inner is not None:
                pieces.append(window.copy(copied, field_start))
                pieces.append(encode_varint(tag) + encode_varint(sum(map(len, inner))))
                pieces += inner
                copied = offset
        if not pieces or merged > 1:
            return None
        pieces.append(window.copy(copied, end))
        return pieces

    def tensor(self, start: int, end: int) -> list[bytes] | None:
        """Keep what describes a tensor; make ranges of the fields that hold its values."""
        window, values = self.window, self.layout.values
        kept: list[bytes] = []
        ranges: list[tuple[int, int]] = []
        offset = start
        while offset < end:
            field_start = offset
            tag, offset = window.varint(offset)
            if tag & 7 == 2:
                length, offset = window.varint(offset)
                offset += length
                if offset > end:
                    raise FormatError(f"field {tag >> 3} of TensorProto at byte {field_start} runs past its end")
            else:
                offset = window.skip(tag & 7, offset, end)
            if tag >> 3 not in values:
                kept.append(window.copy(field_start, offset))
            elif ranges and ranges[-1][1] == field_start:
                ranges[-1] = (ranges[-1][0], offset)
            else:
                ranges.append((field_start, offset))
        if sum(stop - begin for begin, stop in ranges) < LARGE:
            return None
        self.payloads.append([FileRange(self.source, begin, stop - begin) for begin, stop in ranges])
        kept.append(encode_varint(self.layout.content << 3 | 2) + encode_varint(_MARK_SIZE) + mark(len(self.payloads)))
        return kept


def _expand(data: bytes, message: str, payloads: list[Payload]) -> Rope:
    window = WireWindow(data)
    children = {} if message == "TensorProto" else _TENSORFLOW[message]
    rope: Rope = []
    copied = offset = 0
    end = len(data)
    while offset < end:
        field_start = offset
        tag, offset = window.varint(offset)
        number = tag >> 3
        if tag & 7 != 2:
            offset = window.skip(tag & 7, offset, end)
            continue
        length, offset = window.varint(offset)
        body, offset = offset, offset + length
        if message == "TensorProto":
            index = marked(data[body:offset]) if number == LAYOUTS["tensorflow"].content and length == _MARK_SIZE else 0
            if index:
                rope.append(data[copied:field_start])
                rope += payloads[index - 1]
                copied = offset
        elif number in children and data.find(_SECRET, body, offset) >= 0:
            inner = _expand(data[body:offset], children[number], payloads)
            rope.append(data[copied:field_start] + encode_varint(tag) + encode_varint(rope_size(inner)))
            rope += inner
            copied = offset
    rope.append(data[copied:end])
    return [piece for piece in rope if not isinstance(piece, bytes) or piece]
