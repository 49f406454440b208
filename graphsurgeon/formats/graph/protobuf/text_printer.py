"""A message in text form, as protobuf prints it; of graphs, attributes that many nodes have are printed once.

Every text is protobuf's own, or that of a string which it prints as it is. Most attributes of a graph are the same as
others, and printing them takes protobuf ten times as long as looking them up.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from graphsurgeon.formats import schema

_PLAIN = re.compile(r"[ !#-&(-\[\]-~]*")  # printable ASCII without quotes and backslashes, printed as it is
_MOST_BYTES = 256  # of an attribute that is remembered; longer ones are mostly weights, each another
_MOST_KEPT = 1 << 16
_PLAIN_FIELDS = frozenset({"name", "op", "input", "device", "attr"})  # of a NodeDef, in the order of their numbers
_NODE = "NodeDef"
# Messages that hold nodes, or others of these.
_AROUND = frozenset({"SavedModel", "MetaGraphDef", "GraphDef", "FunctionDefLibrary", "FunctionDef"})
_STEP = 2  # columns that protobuf indents by


def print_message(message: Any) -> str:
    """Return the text of a message, the same as `text_format.MessageToString`."""
    return "".join(_Printer().fields(message, 0))


class _Printer:
    def __init__(self) -> None:
        self._known: dict[tuple[int, str, bytes], str] = {}
        self._node = schema.message(f"tensorflow.{_NODE}")

    def fields(self, message: Any, indent: int) -> Iterator[str]:
        """Yield the text of a message piece by piece; what holds no nodes is left to protobuf."""
        if message.DESCRIPTOR.name not in _AROUND:
            yield _by_protobuf(message, indent)
            return
        for field, value in message.ListFields():
            kind = field.message_type.name if field.message_type is not None else ""
            if kind not in _AROUND and kind != _NODE:
                yield _by_protobuf(_alone(message, field), indent)
                continue
            margin = " " * indent
            for item in value if _is_repeated(field) else [value]:
                yield f"{margin}{field.name} {{\n"
                yield from self.node(item, indent + _STEP) if kind == _NODE else self.fields(item, indent + _STEP)
                yield f"{margin}}}\n"

    def node(self, node: Any, indent: int) -> Iterator[str]:
        """Yield the text of a node."""
        texts = [(name, getattr(node, name)) for name in ("name", "op", "device")]
        listed = {field.name for field, _ in node.ListFields()}
        strings = [text for _, text in texts] + list(node.input)
        if not listed <= _PLAIN_FIELDS or not all(map(_PLAIN.fullmatch, strings)):
            yield _by_protobuf(node, indent)
            return
        margin = " " * indent
        for name, text in texts[:2]:
            if text:
                yield f'{margin}{name}: "{text}"\n'
        for text in node.input:
            yield f'{margin}input: "{text}"\n'
        if node.device:
            yield f'{margin}device: "{node.device}"\n'
        attrs = node.attr
        for key in sorted(attrs):
            yield self._attr(key, attrs[key], indent)

    def _attr(self, key: str, value: Any, indent: int) -> str:
        data = value.SerializeToString(deterministic=True)
        found = self._known.get((indent, key, data))
        if found is None:
            found = _by_protobuf(self._node(attr={key: value}), indent)
            if len(data) <= _MOST_BYTES and len(self._known) < _MOST_KEPT:
                self._known[indent, key, data] = found
        return found


def _by_protobuf(message: Any, indent: int) -> str:
    from google.protobuf import text_format

    text: str = text_format.MessageToString(message, indent=indent, descriptor_pool=schema.pool())
    return text


def _alone(message: Any, field: Any) -> Any:
    """Return a message with one field of another."""
    found = type(message)()
    value = getattr(message, field.name)
    if not _is_repeated(field):
        if field.message_type is None:
            setattr(found, field.name, value)
        else:
            getattr(found, field.name).CopyFrom(value)
    else:  # lists and maps
        getattr(found, field.name).MergeFrom(value)
    return found


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated if hasattr(field, "is_repeated") else field.label == field.LABEL_REPEATED)
