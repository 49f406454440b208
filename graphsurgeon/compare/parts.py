"""Data for inputs that are parts of one sparse or ragged tensor: random like the others, and fitting together.

By the names that signatures give them: `K_indices`, `K_values`, `K_dense_shape`; `K_values`, `K_row_splits`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from graphsurgeon.compare.entries import Input
from graphsurgeon.compare.inputs import concrete, numpy_type, random_input
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Arrays = dict[str, np.ndarray[Any, Any]]


def random_parts(
    inputs: Mapping[str, Input], *, seed: int, batch: int | None = None, given: Collection[str] = ()
) -> Arrays:
    """Return data for the parts of each sparse or ragged tensor: rows of one element and of two, in turn.

    Args:
        inputs: all that an entry takes.
        seed: other seeds give other values.
        batch: number of rows; None for as many as other inputs of an unknown batch get.
        given: names that have data, or a shape, already; what is a part of one with those is left to whoever gave them.
    """
    rows = concrete(Shape([None]))[0] if batch is None else batch
    found: Arrays = {}
    for key in inputs:
        base, _, part = key.rpartition("_")
        if part == "indices":
            names = [key, f"{base}_values", f"{base}_dense_shape"]
            make = _sparse
        elif key.endswith("_row_splits"):
            names = [key, f"{key.removesuffix('_row_splits')}_values"]
            make = _ragged
        else:
            continue
        if all(name in inputs for name in names) and not set(names).intersection(given):
            found.update(zip(names, make([inputs[name] for name in names], rows, seed), strict=False))
    return found


def _sparse(parts: list[Input], rows: int, seed: int) -> list[np.ndarray[Any, Any]]:
    """Return indices, values and shape; none where the rank is not known."""
    import numpy as np

    indices, values, shape = parts
    ranks = [dims[-1] for part in (indices, shape) if (dims := part.shape.dims)]
    rank = next((one for one in ranks if one is not None), None)
    if not rank:
        return []
    full = [8] * rank if rank == 1 else [rows, *[8] * (rank - 1)]
    places = [(row, *[0] * (rank - 2), place) for row in range(rows) for place in range(1 + row % 2)]
    if rank == 1:
        places = [(0,), (1,)]
    return [
        np.array(places, numpy_type(indices)).reshape(-1, rank),
        random_input(values, seed=seed, shape=Shape([len(places)])),
        np.array(full, numpy_type(shape)),
    ]


def _ragged(parts: list[Input], rows: int, seed: int) -> list[np.ndarray[Any, Any]]:
    """Return where rows start, and the values of all."""
    import numpy as np

    splits, values = parts
    starts = np.cumsum([0, *(1 + row % 2 for row in range(rows))]).astype(numpy_type(splits))
    inner = concrete(values.shape)[1:]
    return [starts, random_input(values, seed=seed, shape=Shape([int(starts[-1]), *inner]))]
