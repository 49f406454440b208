"""Serialized `OpDef` messages to `OpDef` objects, without protobuf. Descriptions are skipped.

Field numbers are those of `op_def.proto`, `attr_value.proto` and `tensor_shape.proto` in
`tensorflow/core/framework`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable

from graphsurgeon.encoding import protowire
from graphsurgeon.errors import FormatError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops.opdef import ArgDef, AttrDef, OpDef

Wire = int | bytes


def decode(data: bytes) -> OpDef:
    """Return the op that a serialized `OpDef` message describes.

    Raises:
        FormatError: the bytes are no `OpDef` message.
    """
    message = _group(data)
    attrs = [_attr_def(item) for item in _messages(message, 4)]
    return OpDef(
        name=_text(message, 1),
        inputs=tuple(_arg_def(item) for item in _messages(message, 2)),
        outputs=tuple(_arg_def(item) for item in _messages(message, 3)),
        attrs={attr.name: attr for attr in attrs},
        control_outputs=tuple(_utf8(item) for item in _messages(message, 20)),
        is_aggregate=_flag(message, 16),
        is_stateful=_flag(message, 17),
        is_commutative=_flag(message, 18),
        allows_uninitialized_input=_flag(message, 19),
        is_distributed_communication=_flag(message, 21),
        deprecated_since=_deprecated_since(message),
    )


def _deprecated_since(message: dict[int, list[Wire]]) -> int:
    deprecation = _messages(message, 8)
    return _number(_group(deprecation[-1]), 1) if deprecation else 0


def _arg_def(data: bytes) -> ArgDef:
    message = _group(data)
    return ArgDef(
        name=_text(message, 1),
        type=_number(message, 3),
        type_attr=_text(message, 4),
        number_attr=_text(message, 5),
        type_list_attr=_text(message, 6),
        is_ref=_flag(message, 16),
    )


def _attr_def(data: bytes) -> AttrDef:
    message = _group(data)
    allowed = _messages(message, 7)
    return AttrDef(
        name=_text(message, 1),
        type=_text(message, 2),
        default=_attr_value(_messages(message, 3)[-1]) if 3 in message else None,
        has_default=3 in message,
        allowed=_allowed(allowed[-1]) if allowed else None,
        minimum=_number(message, 6),
        has_minimum=_flag(message, 5),
    )


def _allowed(data: bytes) -> tuple[bytes | DType, ...]:
    values = _attr_value(data)
    return tuple(v for v in values if isinstance(v, bytes | DType)) if isinstance(values, list) else ()


def _attr_value(data: bytes) -> AttrValue:
    for number, value in protowire.fields(data):
        if number == 1 and isinstance(value, bytes):
            return _list_value(value)
        if number in _VALUES:
            return _VALUES[number](value)
    return None


def _list_value(data: bytes) -> list[AttrValue]:
    items: list[AttrValue] = []
    for number, value in protowire.fields(data):
        if number in _VALUES:
            read = _VALUES[number]
            items += [read(item) for item in _unpack(number, value)]
    return items


def _unpack(number: int, value: Wire) -> Iterable[Wire]:
    """Yield the items of one field of a list: numbers are packed by newer writers, one by one by older ones."""
    if not isinstance(value, bytes) or number not in (3, 4, 5, 6):
        return (value,)
    if number == 4:
        return (value[start : start + 4] for start in range(0, len(value), 4))
    return protowire.packed(value)


def _float(value: Wire) -> float:
    if not isinstance(value, bytes) or len(value) != 4:
        raise FormatError("an attribute's float value is not four bytes")
    result: float = struct.unpack("<f", value)[0]
    return result


def _shape(value: Wire) -> Shape:
    message = _group(_bytes(value))
    if _flag(message, 3):
        return Shape(None)
    return Shape(_number(_group(dim), 1) for dim in _messages(message, 2))


def _integer(value: Wire) -> int:
    if isinstance(value, bytes):
        raise FormatError("an integer field holds bytes")
    return protowire.signed(value)


def _bytes(value: Wire) -> bytes:
    if not isinstance(value, bytes):
        raise FormatError("a field of bytes holds an integer")
    return value


# AttrValue's fields, and those of its ListValue: the same numbers. Tensors (8) and functions (10, 9) are left out.
_VALUES: dict[int, Callable[[Wire], AttrValue]] = {
    2: _bytes,
    3: _integer,
    4: _float,
    5: lambda value: bool(_integer(value)),
    6: lambda value: DType.of(_integer(value)),
    7: _shape,
}


def _group(data: bytes) -> dict[int, list[Wire]]:
    message: dict[int, list[Wire]] = {}
    for number, value in protowire.fields(data):
        message.setdefault(number, []).append(value)
    return message


def _messages(message: dict[int, list[Wire]], number: int) -> list[bytes]:
    return [_bytes(value) for value in message.get(number, ())]


def _text(message: dict[int, list[Wire]], number: int) -> str:
    values = message.get(number)
    return _utf8(_bytes(values[-1])) if values else ""


def _number(message: dict[int, list[Wire]], number: int) -> int:
    values = message.get(number)
    return _integer(values[-1]) if values else 0


def _flag(message: dict[int, list[Wire]], number: int) -> bool:
    return bool(_number(message, number))


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise FormatError(f"a name in an op definition is not UTF-8: {error}") from error
