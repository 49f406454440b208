"""The arithmetic of dimensions: numbers, symbols, nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.dims import Dim, ShapeError, Symbol

A, B = Symbol((1,)), Symbol((2,))
DIMS = st.one_of(st.integers(0, 6), st.sampled_from([A, B, Symbol((1, 2)), Symbol((1,), 6)]), st.none())


def value(of: Dim, a: int, b: int) -> int | None:
    """Return what a dimension is for given values of the symbols."""
    if not isinstance(of, Symbol):
        return of
    number = of.coefficient
    for factor in of.factors:
        number *= {1: a, 2: b}[factor]
    return number


@given(DIMS, DIMS, st.integers(1, 9), st.integers(1, 9))
def test_what_is_computed_holds_for_every_value_of_the_symbols(first: Dim, second: Dim, a: int, b: int) -> None:
    x, y = value(first, a, b), value(second, a, b)
    for operation, number in ((dim.add, lambda: x + y), (dim.multiply, lambda: x * y), (dim.subtract, lambda: x - y)):
        result = value(operation(first, second), a, b)
        if x is not None and y is not None and result is not None:
            assert result == number()
    quotient = value(dim.divide(first, second), a, b)
    if quotient is not None and x is not None and y is not None:
        assert quotient * y == x


@given(DIMS, DIMS, st.integers(2, 9), st.integers(2, 9))
def test_broadcasting_holds_for_every_value_of_the_symbols(first: Dim, second: Dim, a: int, b: int) -> None:
    x, y = value(first, a, b), value(second, a, b)
    try:
        result = value(dim.broadcast_dim(first, second), a, b)
    except ShapeError:
        assert x != y
        assert 1 not in (x, y)
        return
    if x is not None and y is not None and result is not None and (x == y or 1 in (x, y)):
        assert result == (y if x == 1 else x)


def test_symbols() -> None:
    assert dim.multiply(A, 0) == 0
    assert dim.multiply(A, B) == dim.multiply(B, A)
    assert dim.add(A, A) == Symbol((1,), 2)
    assert dim.subtract(A, A) == 0
    assert dim.divide(Symbol((1, 2), 12), Symbol((2,), 4)) == Symbol((1,), 3)
    assert dim.divide(A, 2) is None
    assert dim.floor_divide(7, 2) == 3
    assert dim.floor_divide(7, 0) is None


def test_merging() -> None:
    assert dim.merge((None, 3), (2, None)) == (2, 3)
    assert dim.merge(None, (2,)) == (2,)
    assert dim.merge((A,), (4,)) == (4,)
    with pytest.raises(ShapeError):
        dim.merge((2,), (3,))
    with pytest.raises(ShapeError):
        dim.merge((2,), (2, 2))


def test_joining() -> None:
    assert dim.join((2, 3), (2, 4)) == (2, None)
    assert dim.join((A,), (B,)) == (None,)
    assert dim.join((2,), (2, 2)) is None
    assert dim.join(None, ()) is None


def test_broadcasting() -> None:
    assert dim.broadcast((3, 1), (4,)) == (3, 4)
    assert dim.broadcast((A, 1), (A, 5)) == (A, 5)
    assert dim.broadcast((A,), (B,)) == (None,)
    assert dim.broadcast((None,), (7,)) == (7,)
    assert dim.broadcast((None,), (None,)) == (None,)
    assert dim.broadcast(None, ()) is None
    with pytest.raises(ShapeError):
        dim.broadcast((3,), (4,))


# size, window, stride, padding, dilation: windows, by hand
@pytest.mark.parametrize(
    ("arguments", "places"),
    [
        ((224, 7, 2, "SAME"), 112), ((5, 3, 2, "SAME"), 3), ((7, 2, 3, "SAME"), 3), ((224, 7, 2, "VALID"), 109),
        ((5, 5, 3, "VALID"), 1), ((7, 1, 1, "VALID"), 7),
        ((A, 3, 1, "SAME"), A), ((A, 3, 2, "SAME"), None), ((A, 1, 1, "VALID"), A), ((None, 3, 1, "SAME"), None),
    ],
)  # fmt: skip
def test_windows(arguments: tuple[Dim, Dim, int, str], places: Dim) -> None:
    assert dim.windowed(*arguments) == places


def test_windows_with_dilation_and_explicit_padding() -> None:
    assert dim.windowed(10, 3, 1, "VALID", dilation=2) == 6
    assert dim.windowed(10, 3, 2, "EXPLICIT", pads=(1, 2)) == 6
    with pytest.raises(ShapeError):
        dim.windowed(2, 3, 1, "VALID")
    with pytest.raises(ShapeError):
        dim.windowed(2, 3, 0, "SAME")
