"""`AttrValue` to Python values and back, and the attributes of a node as a mapping that writes through.

A change is kept beside the raw message until the node is lowered: raw messages are never altered.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from contextlib import contextmanager
from typing import Any

from graphsurgeon.encoding.protowire import MAX_DEPTH
from graphsurgeon.errors import FormatError
from graphsurgeon.formats.graph.protobuf.payloads import Payload
from graphsurgeon.formats.graph.values.tensorproto import read_shape, read_tensor, write_shape, write_tensor
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node
from graphsurgeon.model.node import AttrView, refs_among
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops import authoring


class Context:
    """What texts and markers inside raw messages mean: the functions and payloads of the file as it was read.

    Attributes:
        functions: by name as read.
        payloads: what markers stand for.
        drops_debug_info: nodes are written without the fields that say where they come from.
    """

    __slots__ = ("_renamed", "drops_debug_info", "functions", "payloads")

    def __init__(self, payloads: list[Payload]) -> None:
        self.payloads = payloads
        self.functions: dict[str, Graph] = {}
        self.drops_debug_info = False
        self._renamed: dict[str, str] | None = None

    @property
    def renamed_functions(self) -> dict[str, str]:
        """Old name -> new name of every function that has been renamed."""
        if self._renamed is not None:
            return self._renamed
        return {name: function.name for name, function in self.functions.items() if function.name != name}

    @contextmanager
    def settled(self) -> Iterator[None]:
        """Within, no function is renamed: what has been is found out once, not for every function anew."""
        self._renamed = self.renamed_functions
        try:
            yield
        finally:
            self._renamed = None


class NodeAttrs(AttrView):
    """Attributes of a node that was read: the raw map, with changes on top."""

    __slots__ = ("changes", "context", "op", "raw")

    def __init__(
        self, raw: Any, context: Context, changes: dict[str, AttrValue | _Deleted] | None = None, *, op: str = ""
    ) -> None:
        self.raw = raw
        self.op = op
        self.context = context
        self.changes = dict(changes) if changes else None  # most nodes stay as they are

    def __getitem__(self, key: str) -> AttrValue:
        value: AttrValue | _Deleted = self.get(key, _DELETED)
        if isinstance(value, _Deleted):
            raise KeyError(key)
        return value

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default. Every node is asked for attributes that few have, so nothing is raised."""
        if self.changes is not None and key in self.changes:
            value = self.changes[key]
            return default if isinstance(value, _Deleted) else value
        message = self.raw.get(key)
        return default if message is None else decode(message, self.context)

    def __setitem__(self, key: str, value: AttrValue) -> None:
        self._change(key, authoring.coerced(self.op, key, value, self.get("dtype") if key == "value" else None))

    def __delitem__(self, key: str) -> None:
        if key not in self:
            raise KeyError(key)
        self._change(key, _DELETED)

    def _change(self, key: str, value: AttrValue | _Deleted) -> None:
        if self.changes is None:
            self.changes = {}
        self.changes[key] = value

    def __contains__(self, key: object) -> bool:
        if self.changes is not None and key in self.changes:
            return not isinstance(self.changes[key], _Deleted)
        return key in self.raw

    def __iter__(self) -> Iterator[str]:
        changes = self.changes or {}
        yield from sorted({*self.raw, *changes} - {k for k, v in changes.items() if isinstance(v, _Deleted)})

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def function_refs(self) -> Iterator[FunctionRef]:
        """Yield the functions that attributes name, without making values of the other attributes."""
        changes = self.changes or {}
        yield from function_refs(self.raw, self.context, changes)
        yield from refs_among(value for value in changes.values() if not isinstance(value, _Deleted))

    @property
    def is_changed(self) -> bool:
        """Say whether an attribute is not what the file holds."""
        return bool(self.changes)

    def lower(self, message: Any, payloads: list[Payload]) -> None:
        """Bring the attributes of a copy of the raw node up to date."""
        for key, value in (self.changes or {}).items():
            message.attr.pop(key, None)
            if value is not None and not isinstance(value, _Deleted):
                encode(value, message.attr[key], payloads)

    def copy(self) -> NodeAttrs:
        """Return a mapping of its own with the same changes over the same raw map."""
        return NodeAttrs(self.raw, self.context, self.changes)


def has_attr(node: Node, name: str) -> bool:
    """Say whether a node has an attribute, without making its mapping of attributes."""
    if node.held_attrs is None and node.raw is not None:
        return name in node.raw.attr
    return name in node.attrs


class _Deleted:
    """Mark of an attribute that has been removed."""


_DELETED = _Deleted()


def decode(message: Any, context: Context) -> AttrValue:
    """Return the Python value of an `AttrValue`; None if it is empty. A placeholder comes as a str."""
    kind = message.WhichOneof("value")
    if kind == "list":
        return _decode_list(message.list, context)
    if kind is None:
        return None
    value: AttrValue = _DECODERS[kind](getattr(message, kind), context)
    return value


def encode(value: AttrValue, message: Any, payloads: list[Payload]) -> None:
    """Fill an empty `AttrValue`."""
    if isinstance(value, list):
        message.list.SetInParent()
        for item in value:
            _encode_item(item, message.list, payloads)
        return
    kind = _kind(value)
    if kind in _SCALARS:
        setattr(message, kind, value.number if isinstance(value, DType) else value)
    elif value is not None:
        _fill(value, getattr(message, kind), payloads)


def function_refs(raw: Any, context: Context, changed: Container[str] = ()) -> Iterator[FunctionRef]:
    """Yield the functions that a raw attribute map names, nested ones behind the one that names them.

    Args:
        raw: the map.
        context: what knows the functions.
        changed: keys whose values no longer count.
    """
    named = []
    for key, message in raw.items():
        kind = message.WhichOneof("value")
        if (kind == "func" or (kind == "list" and message.list.func)) and key not in changed:
            named.append(key)
    for key in sorted(named):
        message = raw[key]
        for function in message.list.func if message.WhichOneof("value") == "list" else (message.func,):
            yield _function(function, context)
            yield from function_refs(function.attr, context)


def rename_functions(raw: Any, names: dict[str, str]) -> None:
    """Respell function names in an attribute map, in place (on a message made for writing)."""
    for message in raw.values():
        kind = message.WhichOneof("value")
        functions = (message.func,) if kind == "func" else message.list.func if kind == "list" else ()
        for function in functions:
            function.name = names.get(function.name, function.name)
            rename_functions(function.attr, names)


def _function(message: Any, context: Context, depth: int = 0) -> FunctionRef:
    if depth > MAX_DEPTH:
        raise FormatError("function attributes are nested too deep")
    attrs = {key: decode(value, context) for key, value in message.attr.items()}
    return FunctionRef(context.functions.get(message.name), message.name, attrs)


def _decode_list(message: Any, context: Context) -> AttrValue:
    for field, items in message.ListFields():  # those that hold something, in the order of the schema
        decoder = _DECODERS[field.name]
        return [decoder(item, context) for item in items]
    return []


_DECODERS: dict[str, Any] = {
    "s": lambda value, _: value,
    "i": lambda value, _: value,
    "f": lambda value, _: value,
    "b": lambda value, _: value,
    "placeholder": lambda value, _: value,
    "type": lambda value, _: DType.of(value),
    "shape": lambda value, _: read_shape(value),
    "tensor": lambda value, context: read_tensor(value, context.payloads),
    "func": _function,
}

_SCALARS = ("s", "i", "f", "b", "type", "placeholder")


_KINDS: dict[type, str] = {
    bool: "b", int: "i", float: "f", bytes: "s", str: "placeholder", DType: "type",
    Shape: "shape", Tensor: "tensor", FunctionRef: "func",
}  # fmt: skip


def _kind(value: AttrValue) -> str:
    found = _KINDS.get(value.__class__)
    if found is not None:
        return found
    return next((kind for cls, kind in _KINDS.items() if isinstance(value, cls)), "")


def _encode_item(value: AttrValue, message: Any, payloads: list[Payload]) -> None:
    kind = _kind(value)
    if kind in ("s", "i", "f", "b", "type"):
        getattr(message, kind).append(value.number if isinstance(value, DType) else value)
    else:
        _fill(value, getattr(message, kind).add(), payloads)


def _fill(value: AttrValue, message: Any, payloads: list[Payload]) -> None:
    if isinstance(value, Shape):
        write_shape(value, message)
    elif isinstance(value, Tensor):
        write_tensor(value, message, payloads)
    elif isinstance(value, FunctionRef):
        message.name = value.name
        for key, attr in value.attrs.items():
            encode(attr, message.attr[key], payloads)
