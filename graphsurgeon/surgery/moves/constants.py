"""Values that users give, as tensors and Const nodes."""

from __future__ import annotations

import json
import struct
from typing import Any

from graphsurgeon.errors import UsageError
from graphsurgeon.model.dtype import BOOL, STRING, DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

_WORDS = {"true": True, "false": False}


def constant_tensor(value: object, dtype: DType, shape: Shape, where: str) -> Tensor:
    """Return a tensor of a dtype from a number, bool, string, nested list of these, array, or text that means one.

    Args:
        value: `False`, `1.0`, `[1, 2]`, `"false"`, `"1.0"`, `"[1,2]"`.
        dtype: what it must be.
        shape: what it must fit. A single element is repeated to fill a shape that is fully known.
        where: what the value is for, for messages.

    Raises:
        UsageError: it cannot be of that dtype or shape.
    """
    items, dims = elements_of(value, dtype, where)
    converted = [_convert(item, dtype, where) for item in items]
    if not dims and shape.is_static and shape.num_elements:
        dims, converted = [dim or 0 for dim in shape], converted * shape.num_elements
    if not shape.is_compatible_with(Shape(dims)):
        raise UsageError(f"{where} has shape {shape}, the value given has {Shape(dims)}")
    try:
        return Tensor.of(dtype, dims, converted)
    except (struct.error, OverflowError) as error:
        raise UsageError(f"{where} is {dtype}, which cannot hold {value!r}") from error


def elements_of(value: object, dtype: DType, where: str) -> tuple[list[Any], list[int]]:
    """Return the elements of a value that a user gave, in row-major order, and its shape. Arguments: `constant_tensor`.

    Raises:
        UsageError: it has rows of different lengths.
    """
    if isinstance(value, Tensor):
        return value.items(), [dim or 0 for dim in value.shape]
    return _flatten(_parse(value, dtype), where)


def _parse(value: object, dtype: DType) -> object:
    if hasattr(value, "tolist"):
        return value.tolist()
    if not isinstance(value, str) or (dtype is STRING and not value.startswith("[")):
        return value
    text = value.strip()
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    try:
        return json.loads(text)
    except ValueError:
        return value


def _flatten(value: Any, where: str) -> tuple[list[Any], list[int]]:
    """Return the elements in row-major order, and the shape."""
    if not isinstance(value, list | tuple):
        return [value], []
    parts = [_flatten(item, where) for item in value]
    if len({tuple(dims) for _, dims in parts}) > 1:
        raise UsageError(f"the value for {where} has rows of different lengths")
    return [item for items, _ in parts for item in items], [len(parts), *(parts[0][1] if parts else [])]


def _convert(item: Any, dtype: DType, where: str) -> Any:
    refused = UsageError(f"{where} is {dtype}, which cannot hold {item!r}")
    if dtype is STRING:
        if not isinstance(item, str | bytes):
            raise refused
        return item.encode() if isinstance(item, str) else item
    if isinstance(item, str | bytes) or item is None:
        raise refused
    if dtype is BOOL:
        if item not in (0, 1):
            raise refused
        return bool(item)
    if dtype.is_integer or dtype.is_quantized:
        if int(item) != item:
            raise refused
        return int(item)
    return item
