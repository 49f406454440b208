"""Values of attributes in the forms that people use, made those that a file holds: by the kind that is defined."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from operator import index
from typing import Any

from graphsurgeon.errors import UsageError
from graphsurgeon.model.dtype import BOOL, DTYPE_NAMES, FLOAT32, INT32, STRING, DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.opdef import AttrDef

_NATIVE = (int, float, bool, bytes, DType, Shape, Tensor, FunctionRef, Value)
_OF_PYTHON = {bool: BOOL, int: INT32, float: FLOAT32, str: STRING, bytes: STRING}


def coerce_attr(where: str, attr: AttrDef, value: Any, *, in_function: bool = False) -> AttrValue:
    """Return what a file holds for an attribute whose kind a definition gives.

    Args:
        where: what the attribute belongs to, for messages.
        attr: its definition.
        value: what was given; in a function a text may name an attribute of the caller instead of a type.
        in_function: whether the node is in a function.

    Raises:
        UsageError: the value is not of that kind, or not among those that are allowed.
    """
    kind = attr.type
    if kind.startswith("list("):
        if isinstance(value, str | bytes) or not isinstance(value, Iterable):
            if in_function and isinstance(value, str):
                return value
            raise _wrong(where, attr, value)
        items = value.tolist() if hasattr(value, "tolist") else value
        return [_one(where, attr, kind[5:-1], item, in_function=in_function) for item in items]
    found = _one(where, attr, kind, value, in_function=in_function)
    if attr.allowed is not None and isinstance(found, bytes | DType) and found not in attr.allowed:
        names = ", ".join(item.decode() if isinstance(item, bytes) else item.name for item in attr.allowed)
        shown = found.decode(errors="replace") if isinstance(found, bytes) else found
        raise UsageError(f"{where}: the attribute {attr.name} cannot be {shown}", hint=f"one of {names}")
    return found


def coerce_plain(where: str, name: str, value: Any) -> AttrValue:
    """Return what a file holds for an attribute of which no definition is known: numbers, types, arrays, lists.

    Raises:
        UsageError: it is nothing that an attribute can hold.
    """
    if value is None or isinstance(value, (str, *_NATIVE)):
        return value
    if isinstance(value, Graph):
        return FunctionRef(value)
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return coerce_plain(where, name, value.item())
    if hasattr(value, "__array__"):
        return coerce_tensor(where, name, value)
    if isinstance(value, list | tuple):
        return [coerce_plain(where, name, item) for item in value]
    dtype = as_dtype(value)
    if dtype is None:
        raise UsageError(f"{where}: the attribute {name} cannot be {value!r} ({type(value).__name__})")
    return dtype


def coerce_tensor(where: str, name: str, value: Any, dtype: DType | None = None) -> Tensor:
    """Return a tensor in memory: of a number, a text, nested lists, or an array.

    Args:
        where, name: for messages.
        value: what was given. Python's floats are float32 and its ints int32, unless `dtype` says otherwise.
        dtype: the type that it must have.

    Raises:
        UsageError: it is no array of one type, or does not fit the dtype.
    """
    if isinstance(value, Tensor):
        if dtype is not None and value.dtype is not dtype:
            raise UsageError(f"{where}: {name} is {value.dtype}, and {dtype} is wanted")
        return value
    import numpy as np

    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise UsageError(f"{where}: {name} is no array: {error}") from None
    if array.dtype.kind in "OV" and not all(isinstance(item, str | bytes) for item in array.ravel().tolist()):
        raise UsageError(f"{where}: {name} cannot be {value!r} ({type(value).__name__})")
    is_python = not hasattr(value, "dtype")
    try:
        tensor = Tensor.from_numpy(array)
    except KeyError:
        raise UsageError(f"{where}: {name} has the type {array.dtype}, which no tensor has") from None
    wanted = dtype or (_OF_PYTHON.get(type(array.ravel()[0].item())) if is_python and array.size else None)
    if wanted is None or wanted is tensor.dtype:
        return tensor
    return _cast(where, name, array, tensor.dtype, wanted)


def _cast(where: str, name: str, array: Any, found: DType, wanted: DType) -> Tensor:
    """Give numbers another type, if each stays what it is (a float may lose digits, not its size)."""
    numbers = array.ravel().tolist()
    if wanted is STRING or found is STRING or (wanted.is_integer and any(number != int(number) for number in numbers)):
        raise UsageError(f"{where}: {name} is {found}, and {wanted} is wanted")
    try:
        return Tensor.of(wanted, array.shape, [int(number) for number in numbers] if wanted.is_integer else numbers)
    except (OverflowError, TypeError, ValueError, KeyError):
        raise UsageError(f"{where}: {name} does not fit {wanted}") from None


def _one(where: str, attr: AttrDef, kind: str, value: Any, *, in_function: bool) -> AttrValue:
    try:
        found = _OF_KIND[kind](value)
    except (TypeError, ValueError, OverflowError):
        found = None
    if found is None and kind == "tensor":
        found = coerce_tensor(where, attr.name, value)
    if found is None and in_function and isinstance(value, str):
        return value
    if found is None:
        raise _wrong(where, attr, value)
    return found


def _wrong(where: str, attr: AttrDef, value: Any) -> UsageError:
    near = get_close_matches(str(value), DTYPE_NAMES, n=1) if attr.type == "type" else []
    return UsageError(
        f"{where}: the attribute {attr.name} is of kind {attr.type}, not {value!r}",
        hint=f"did you mean {near[0]!r}?" if near else "",
    )


def as_dtype(value: Any) -> DType | None:
    """Return the DType of a name, of numpy's or TensorFlow's types, or of Python's."""
    if isinstance(value, DType):
        return value
    if isinstance(value, type) and value in _OF_PYTHON:
        return _OF_PYTHON[value]
    name = value if isinstance(value, str) else getattr(value, "name", None) or getattr(value, "__name__", None)
    try:
        return DType.named(name) if isinstance(name, str) else None
    except KeyError:
        return None


def _text(value: Any) -> bytes | None:
    return value if isinstance(value, bytes) else str(value).encode() if isinstance(value, str) else None


def _number(value: Any) -> float | None:
    return None if isinstance(value, str | bytes | bool) else float(value)


def _whole(value: Any) -> int | None:
    return None if isinstance(value, bool) else index(value)


def _truth(value: Any) -> bool | None:
    return bool(value) if isinstance(value, bool) or type(value).__name__ in ("bool_", "bool") else None


def _shape(value: Any) -> Shape | None:
    return None if isinstance(value, bytes | Mapping) else Shape.of(value)


def _function(value: Any) -> FunctionRef | None:
    return value if isinstance(value, FunctionRef) else FunctionRef(value) if isinstance(value, Graph) else None


_OF_KIND: dict[str, Callable[[Any], AttrValue]] = {
    "type": as_dtype, "string": _text, "float": _number, "int": _whole, "bool": _truth, "shape": _shape,
    "func": _function, "tensor": lambda value: value if isinstance(value, Tensor) else None,
}  # fmt: skip
