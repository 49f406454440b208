"""Of which kind the attributes of a node are, as the file says it: a value made for Python no longer shows it all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphsurgeon.formats.graph.values.attrs import NodeAttrs, encode
from graphsurgeon.formats.schema import message
from graphsurgeon.model.graph import Node

PLACEHOLDER = "placeholder"
_KINDS = {"s": "string", "i": "int", "f": "float", "b": "bool"}  # the others are called as their fields are
_FIELDS = ("s", "i", "f", "b", "type", "shape", "tensor", "func")
_MOST_ENTRIES = (1 << 63) - 1
_MOST_DIMENSIONS = 254  # tensor_shape.h


class StoredAttrs:
    """The attributes of a node as messages: those that were read, and what a changed one would be written as."""

    def __init__(self, node: Node) -> None:
        held: Any = node.held_attrs
        is_view = isinstance(held, NodeAttrs)
        self._raw: Any = held.raw if is_view else node.raw.attr if node.raw is not None and held is None else {}
        self._changed: Any = (held.changes or {}) if is_view else held or {}
        self._all = node.attrs if self._changed else None

    def names(self) -> list[str]:
        """Return the names of the attributes that were read and are there still."""
        return [name for name in self._raw if name not in self._changed]

    def get(self, name: str) -> Any | None:
        """Return the `AttrValue` of an attribute, None if the node does not have it."""
        if self._all is None or name not in self._changed:
            return self._raw.get(name)
        if name not in self._all:
            return None
        written = message("tensorflow.AttrValue")()
        encode(self._all[name], written, [])
        return written


def kinds(stored: Any) -> tuple[str, ...]:
    """Return the kinds of an `AttrValue`: none if it is empty; `list` for an empty list; of a list all it has."""
    field = stored.WhichOneof("value")
    if field != "list":
        return (_KINDS.get(field, field),) if field else ()
    found = tuple(f"list({_KINDS.get(one, one)})" for one in _FIELDS if getattr(stored.list, one))
    return found or ("list",)


def types(stored: Any) -> list[int]:
    """Return the numbers of the types in an `AttrValue` that holds one, or a list of them."""
    return list(stored.list.type) if stored.WhichOneof("value") == "list" else [stored.type]


def size(stored: Any) -> int:
    """Return the integer that an `AttrValue` holds, or the length of its list."""
    if stored.WhichOneof("value") != "list":
        return int(stored.i)
    return sum(len(getattr(stored.list, one)) for one in _FIELDS)


def shape_fault(stored: Any) -> str:
    """Say what is wrong with a shape, or one of a list of shapes; empty if nothing is."""
    shapes = stored.list.shape if stored.WhichOneof("value") == "list" else [stored.shape]
    return next((fault for fault in map(_fault, shapes) if fault), "")


def _fault(shape: Any) -> str:
    """Judge a shape as `PartialTensorShape::IsValidShape` of tensor_shape.cc does."""
    sizes = [dim.size for dim in shape.dim]
    if shape.unknown_rank:
        return "of unknown rank, and has dimensions" if sizes else ""
    if len(sizes) > _MOST_DIMENSIONS:
        return f"of {len(sizes)} dimensions, {_MOST_DIMENSIONS} are possible"
    if any(one < -1 for one in sizes):
        return f"{sizes}, with a dimension below -1"
    count = 1
    for one in sizes:
        if one < 0:
            return ""
        count *= one
        if count > _MOST_ENTRIES:
            return f"{sizes}, more than 2**63 - 1 entries"
    return ""


def class_fault(node: Node) -> str:
    """Say what keeps Python's importer from reading `_class`; empty if nothing does.

    It goes through the entries of whatever it finds there (`_ProcessColocationParam`, importer.py).
    """
    stored = StoredAttrs(node).get("_class")
    if stored is None:
        return ""
    found = kinds(stored)
    if found in ((), ("list",)) or (found == ("string",) and not stored.s):
        return ""
    if found[0] != "list(string)":  # what else a list holds is passed over
        return f"is a {' and '.join(found)}, and its kind is list(string)"
    return "" if all(map(_is_text, stored.list.s)) else "holds bytes that are no text"


def colocations(node: Node) -> Sequence[bytes]:
    """Return the texts in `_class` of a node; none where it has no list of texts."""
    held = node.held_attrs
    if held is None and node.raw is not None:
        stored = node.raw.attr
        return stored["_class"].list.s if "_class" in stored else ()
    classes = node.attrs.get("_class")
    return [item for item in classes if isinstance(item, bytes)] if isinstance(classes, list) else ()


def _is_text(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def has_data_after_controls(node: Node) -> bool:
    """Say whether a node was read with an input behind a control input; new inputs are written in order."""
    if node.raw is None or not node.keeps_spelling:
        return False
    is_behind = False
    for text in node.raw.input:
        if text.startswith("^"):
            is_behind = True
        elif is_behind:
            return True
    return False
