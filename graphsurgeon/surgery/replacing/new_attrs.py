"""Attributes of new nodes, from what a rule writes or an expression yields."""

from __future__ import annotations

from typing import Any

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue
from graphsurgeon.model.shape import Shape
from graphsurgeon.patterns.parser import dtype_named
from graphsurgeon.patterns.syntax import Word


def attr_of(value: Any, type: str) -> AttrValue:
    """Return an attribute of some type (`int`, `list(int)`, ...; empty where the op has no definition).

    Raises:
        UnsupportedError: it cannot be of that type.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if type.startswith("list("):
        if not isinstance(value, list | tuple):
            raise UnsupportedError(f"{_shown(value)} is no list")
        return [attr_of(item, type[5:-1]) for item in value]
    if not type:
        return _guessed(value)
    if type == "shape":
        return _shape(value)
    converted = _CONVERT[type](value) if type in _CONVERT else None
    if converted is None:
        raise UnsupportedError(f"{_shown(value)} is no {type}")
    return converted


def _string(value: Any) -> bytes | None:
    if isinstance(value, Word):
        return value.text.encode()
    return value.encode() if isinstance(value, str) else value if isinstance(value, bytes) else None


def _bool(value: Any) -> bool | None:
    if isinstance(value, Word) and value.text in ("true", "false"):
        return value.text == "true"
    return value if isinstance(value, bool) else None


def _int(value: Any) -> int | None:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return int(value) if is_number and value == int(value) else None


def _float(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _dtype(value: Any) -> DType | None:
    if isinstance(value, DType):
        return value
    return dtype_named(value.text if isinstance(value, Word) else value) if isinstance(value, Word | str) else None


_CONVERT = {"string": _string, "bool": _bool, "int": _int, "float": _float, "type": _dtype}


def _shape(value: Any) -> Shape:
    if value is None:
        return Shape(None)
    if not isinstance(value, list | tuple) or not all(item is None or isinstance(item, int) for item in value):
        raise UnsupportedError(f"{_shown(value)} is no shape")
    return Shape(value)


def _guessed(value: Any) -> AttrValue:
    if isinstance(value, list | tuple):
        return [_guessed(item) for item in value]
    if isinstance(value, Word):
        boolean = _bool(value)
        if boolean is not None:
            return boolean
        return dtype_named(value.text) or value.text.encode()
    return value.encode() if isinstance(value, str) else value


def _shown(value: Any) -> str:
    return value.text if isinstance(value, Word) else repr(value)
