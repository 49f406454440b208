"""Data for inputs that nobody gave any: ones, zeros, or random numbers that are the same for the same name and seed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from itertools import chain, repeat
from typing import TYPE_CHECKING, NamedTuple

from graphsurgeon.analysis.interface.examples import parsed_features, serialize_example
from graphsurgeon.compare.entries import Input
from graphsurgeon.errors import UsageError
from graphsurgeon.model import numeric
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

WORDS = (b"alpha", b"beta", b"gamma", b"delta")
MOST_BYTES = 1 << 30  # of one input that is made here


def random_input(entry: Input, *, seed: int = 0, shape: Shape | None = None) -> np.ndarray[Any, Any]:
    """Return random data for an input: numbers from 0 to 1, small integers, words, or examples that can be parsed.

    Args:
        entry: the input.
        seed: other seeds give other numbers.
        shape: to be taken instead of the input's.

    Raises:
        UsageError: the input has a type that cannot be fed, or is too large.
    """
    import numpy as np

    dims = concrete(shape or entry.shape)
    dtype = numpy_type(entry)
    _check_size(entry.name, dims, dtype)
    digest = hashlib.sha256(f"{seed} {entry.name}".encode("utf-8", "surrogateescape")).digest()
    random = np.random.default_rng(int.from_bytes(digest[:8], "little"))
    if entry.dtype is STRING:
        return _strings(entry, random, dims)
    if dtype.kind == "b":
        return random.integers(0, 2, dims).astype(bool)
    if dtype.kind in "iu":
        return random.integers(0, 256 if dtype.itemsize == 1 and dtype.kind == "u" else 3, dims).astype(dtype)
    if dtype.kind == "c":
        return (random.random(dims) + 1j * random.random(dims)).astype(dtype)
    return random.random(dims).astype(dtype)


def filled_input(entry: Input, value: float, *, shape: Shape | None = None) -> np.ndarray[Any, Any]:
    """Return an array of one number for an input; of strings, of that number as text."""
    import numpy as np

    dims = concrete(shape or entry.shape)
    dtype = numpy_type(entry)
    _check_size(entry.name, dims, dtype)
    return np.full(dims, str(int(value)).encode() if dtype.kind == "O" else value, dtype)


def numpy_type(entry: Input) -> np.dtype[Any]:
    """Return the type of the array that is fed; types that numpy lacks are fed as the type that holds them.

    Raises:
        UsageError: the input has a type that cannot be fed.
    """
    import numpy as np

    if entry.dtype is None:
        raise UsageError(f"the type of input {entry.name!r} is not known", hint="give data with --feed")
    if entry.dtype is STRING:
        return np.dtype(object)
    if not entry.dtype.bits:
        raise UsageError(f"input {entry.name!r} is a {entry.dtype}, which cannot be fed")
    dtype: np.dtype[Any] = numeric.to_numpy(entry.dtype, b"").dtype
    return dtype


class OpenSizes(NamedTuple):
    """Sizes of dimensions that no shape says.

    Attributes:
        picture: of a tensor of rank 4, the first such dimension behind the batch and the others.
        other: of other ranks.
    """

    picture: tuple[int, int]
    other: int


MODEST = OpenSizes((64, 64), 8)
OBLONG = OpenSizes((64, 96), 8)
# Masks want the length of what they mask, and poolings leave nothing of what is small.
LARGER = (OpenSizes((64, 64), 64), OpenSizes((224, 320), 64), OpenSizes((512, 512), 1024))


def concrete(shape: Shape, sides: OpenSizes = MODEST) -> list[int]:
    """Return a size for every dimension: an unknown batch is 2, others are as `sides` has them."""
    if shape.dims is None:
        return [2]
    sizes = chain(sides.picture, repeat(sides.picture[1])) if len(shape.dims) == 4 else repeat(sides.other)
    return [dim if dim is not None else next(sizes) if place else 2 for place, dim in enumerate(shape.dims)]


def compatible(dims: Sequence[int], shape: Shape) -> bool:
    """Say whether an array of some size fits a shape."""
    return Shape(dims).is_compatible_with(shape)


def assumed(entries: Mapping[str, Input], assume: Mapping[str, Shape]) -> dict[str, Shape]:
    """Return the shapes that were asked for, by input.

    Raises:
        UsageError: there is no such input, or it has another rank or size.
    """
    for name, shape in assume.items():
        if name not in entries:
            raise UsageError(f"there is no input {name!r}", hint=f"there is {', '.join(entries)}")
        if not shape.is_compatible_with(entries[name].shape):
            raise UsageError(f"input {name!r} has shape {entries[name].shape}, not {shape}")
    return dict(assume)


def _check_size(name: str, dims: Sequence[int], dtype: np.dtype[Any]) -> None:
    size = dtype.itemsize
    for dim in dims:
        size *= dim
    if size > MOST_BYTES:
        raise UsageError(f"input {name!r} would take {size} bytes", hint="give a smaller shape with --assume")


def _strings(entry: Input, random: Any, dims: Sequence[int]) -> np.ndarray[Any, Any]:
    import numpy as np

    features = parsed_features(entry.value.graph.metagraph, entry.value)
    words = WORDS if features is None else (serialize_example(features),)
    array = np.empty(dims, object)
    flat = [words[int(index)] for index in random.integers(0, len(words), array.size)]
    array.reshape(-1)[...] = np.array([*flat, None], object)[:-1]
    return array
