"""Shapes of tensors, with unknown dimensions and unknown rank, and the patterns that select them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator


class Shape:
    """An immutable shape: a tuple of dimensions, `None` for an unknown one; or of unknown rank.

    `Shape(None)` has unknown rank, `Shape(())` is a scalar. Equality is exact: an unknown dimension
    equals an unknown dimension only.
    """

    __slots__ = ("dims",)
    dims: tuple[int | None, ...] | None

    def __init__(self, dims: Iterable[int | None] | None) -> None:
        self.dims = None if dims is None else tuple([None if d is None or d < 0 else d for d in dims])

    @staticmethod
    def of(given: Shape | str | int | Iterable[int | None] | None) -> Shape:
        """Return a shape in any form that people write: `"?,512"`, `"(None, 512)"`, `[None, 512]`, `512`, a shape.

        Text is read as on the command line: `?`, `None` and `-1` are unknown dimensions, brackets and spaces do not
        count, `"()"` is a scalar. None is unknown rank.

        Raises:
            ValueError: a dimension is no number.
        """
        if given is None or isinstance(given, Shape):
            return given if isinstance(given, Shape) else Shape(None)
        if isinstance(given, int):
            return Shape((given,))
        if not isinstance(given, str):
            return Shape(None if dim is None else _dimension(str(dim)) for dim in given)
        inner = "".join(letter for letter in given if letter not in "()[] ").strip(",")
        return Shape(_dimension(part) for part in (inner.split(",") if inner else []))

    @property
    def rank(self) -> int | None:
        """Number of dimensions, `None` if unknown."""
        return None if self.dims is None else len(self.dims)

    @property
    def is_static(self) -> bool:
        """Say whether every dimension is known."""
        return self.dims is not None and None not in self.dims

    @property
    def num_elements(self) -> int | None:
        """Product of the dimensions, `None` unless all are known."""
        return None if self.dims is None or None in self.dims else math.prod(self.dims)  # type: ignore[arg-type]

    def to_json(self) -> list[int | None] | None:
        """Return a list with `None` for unknown dimensions, `None` for unknown rank."""
        return None if self.dims is None else list(self.dims)

    def is_compatible_with(self, other: Shape) -> bool:
        """Say whether some fully known shape matches both."""
        if self.dims is None or other.dims is None:
            return True
        if len(self.dims) != len(other.dims):
            return False
        return all(a is None or b is None or a == b for a, b in zip(self.dims, other.dims, strict=True))

    def __iter__(self) -> Iterator[int | None]:
        return iter(self.dims or ())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Shape) and self.dims == other.dims

    def __hash__(self) -> int:
        return hash(self.dims)

    def __str__(self) -> str:
        """Format as on the command line: `[?,224,224,3]`, `[]` for a scalar, `?` for unknown rank."""
        if self.dims is None:
            return "?"
        return "[" + ",".join("?" if d is None else str(d) for d in self.dims) + "]"

    def __repr__(self) -> str:
        return f"Shape({self})"


def _dimension(text: str) -> int | None:
    if text.lower() in ("?", "none", "-1"):
        return None
    if not text.isdecimal():
        raise ValueError(f"{text!r} is no dimension")
    return int(text)


UNKNOWN_RANK = Shape(None)
SCALAR = Shape(())
