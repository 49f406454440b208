"""Values of several tensors side by side, block by block, so that none lies in memory whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from graphsurgeon.analysis.stored_weights.weights import numbers
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

MOST = 1 << 18  # elements at once: of float64 2 MiB


def in_blocks(tensor: Tensor) -> Iterator[np.ndarray[Any, Any]]:
    """Yield the elements as flat arrays of `MOST` elements, the last one shorter. Reads the values.

    Types that numpy lacks come as float32, as `numeric.to_numpy` widens them. The values are compared with the checksum
    of the file: what is computed of damaged ones would look sound.
    """
    import numpy as np

    held: list[np.ndarray[Any, Any]] = []
    count = 0
    for array in numbers(tensor, checked=True):
        while array.size:
            part = array[: MOST - count]
            array = array[part.size :]
            held.append(part)
            count += part.size
            if count == MOST:
                yield np.concatenate(held)
                held, count = [], 0
    if held:
        yield np.concatenate(held)


def side_by_side(tensors: Sequence[Tensor]) -> Iterator[tuple[np.ndarray[Any, Any], ...]]:
    """Yield blocks of the same elements of tensors of one shape. Reads the values."""
    yield from zip(*map(in_blocks, tensors), strict=True)
