"""What a pattern says of attributes and of constants, as functions."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model import numeric
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Node
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.patterns.parser import dtype_named
from graphsurgeon.patterns.syntax import AttrItem, AttrTest, Literal, Word
from graphsurgeon.patterns.vocabulary import Vocabulary


def attr_test(tests: Sequence[AttrTest], words: Vocabulary) -> Callable[[Node], bool] | None:
    """Return the test for a node's attributes, None if there is nothing to test."""
    if not tests:
        return None

    def test(node: Node) -> bool:
        return all(
            any(attr_is(attribute(node, one.name, words), value) for value in one.values) is one.is_equal
            for one in tests
        )

    return test


def attribute(node: Node, name: str, words: Vocabulary) -> AttrValue:
    """Return an attribute of a node, or the default of its op; None where there is neither."""
    value = node.attrs.get(name)
    if value is not None:
        return value
    definition = words.definition(node.op)
    return None if definition is None else definition.attr({}, name)


def attr_is(value: AttrValue, item: AttrItem) -> bool:
    """Say whether an attribute has the value that a pattern writes."""
    if item is None:
        return value is not None
    if isinstance(item, tuple):
        items = list(value.dims) if isinstance(value, Shape) and value.dims is not None else value
        if not isinstance(items, list) or len(items) != len(item):
            return False
        return all(map(attr_is, items, item))
    if isinstance(item, Word | str):
        return _is_word(value, item.text if isinstance(item, Word) else item)
    return _is_number(value, item)


def _is_word(value: AttrValue, word: str) -> bool:
    if isinstance(value, bool):
        return word == ("true" if value else "false")
    if isinstance(value, bytes):
        return value == word.encode()
    if isinstance(value, DType):
        return dtype_named(word) is value
    if isinstance(value, FunctionRef):
        return value.name == word
    return value == word


def _is_number(value: AttrValue, number: int | float) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    # A float attribute is stored in single precision.
    return value == number or (isinstance(value, float) and value == _single(number))


def _single(number: float) -> float:
    try:
        return float(struct.unpack("<f", struct.pack("<f", number))[0])
    except OverflowError:
        return math.inf


def literal_test(pattern: Literal) -> Callable[[Tensor, Sequence[Any]], bool]:
    """Return the test for a constant and its elements: numbers are rounded to its dtype first."""
    rounded: dict[DType, Any] = {}
    dims = _dims(pattern.items)
    wanted = _flat(pattern.items)

    def test(tensor: Tensor, items: Sequence[Any]) -> bool:
        if not items and wanted:
            return False
        if dims is not None and tensor.shape.dims != dims:
            return False
        dtype = tensor.dtype
        if dtype not in rounded:
            rounded[dtype] = _rounded(dtype, wanted, exactly=not pattern.tolerance)
        numbers = rounded[dtype]
        if numbers is None:
            return False
        if dims is None:
            numbers = numbers * len(items)
        return all(abs(item - number) <= pattern.tolerance for item, number in zip(items, numbers, strict=True))

    return test


def _rounded(dtype: DType, numbers: Sequence[Any], *, exactly: bool) -> list[Any] | None:
    """Return numbers as a dtype holds them; None if it cannot."""
    is_float = dtype.is_floating or dtype.is_complex
    if not is_float:
        return None if exactly and any(number != int(number) for number in numbers) else list(numbers)
    try:
        return numeric.decode(dtype, numeric.encode(dtype, numbers))
    except (GraphSurgeonError, struct.error, OverflowError, ValueError):
        return None


def _dims(items: Any) -> tuple[int, ...] | None:
    """Return the shape of nested tuples, None for a number."""
    if not isinstance(items, tuple):
        return None
    return (len(items), *((_dims(items[0]) or ()) if items else ()))


def _flat(items: Any) -> list[Any]:
    return [number for item in items for number in _flat(item)] if isinstance(items, tuple) else [items]
