"""Samples that a converter measures the ranges of tensors with: from an archive, an array, a folder of pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from graphsurgeon.bridges.feeds import PICTURES, make_feed, npz_names
from graphsurgeon.compare.entries import Input
from graphsurgeon.compare.inputs import concrete
from graphsurgeon.disk.files import folder_names, is_folder
from graphsurgeon.errors import UsageError
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Array = np.ndarray[Any, Any]

RANDOM = "random"
MOST = 200  # samples; TensorFlow's guide asks for 100 to 500
FEW = 10  # random samples: more of them say no more


def samples(data: str, inputs: Mapping[str, Input], *, seed: int) -> list[dict[str, Array]]:
    """Return samples, each with an array for every input, of the input's shape with a batch of one where it is free.

    Args:
        data: an `.npz` with an array for each input, an `.npy` or a folder of pictures for the only input, or `random`.
        inputs: of the signature.
        seed: of random data.

    Raises:
        UsageError: the data do not fit the inputs, or there are none.
        FileError: a file is missing or damaged.
        UnsupportedError: the extra that reads pictures is missing.
    """
    single = {name: Shape([1, *concrete(item.shape)[1:]]) if _is_free(item) else None for name, item in inputs.items()}
    if data == RANDOM:
        return [
            {name: make_feed(item, RANDOM, seed=seed + place, shape=single[name]) for name, item in inputs.items()}
            for place in range(FEW)
        ]
    path = Path(data)
    if is_folder(path):
        item = _only(inputs, path)
        return [{item.name: make_feed(item, f"@{file}", shape=single[item.name])} for file in _pictures(path)]
    if path.suffix == ".npz":
        columns = {name: list(_split(item, f"@{path}:{name}")) for name, item in _named(inputs, path).items()}
    else:
        item = _only(inputs, path)
        columns = {item.name: list(_split(item, f"@{path}"))}
    count = min(map(len, columns.values()), default=0)
    if not count:
        raise UsageError("holds no samples", path=path)
    return [{name: column[place] for name, column in columns.items()} for place in range(min(count, MOST))]


def _is_free(item: Input) -> bool:
    return bool(item.shape.dims) and item.shape.dims is not None and item.shape.dims[0] is None


def _named(inputs: Mapping[str, Input], path: Path) -> Mapping[str, Input]:
    names = npz_names(path)
    missing = [name for name in inputs if name not in names]
    if missing:
        raise UsageError(f"has no array for input {missing[0]!r}", path=path, hint=f"it has {', '.join(names[:8])}")
    return inputs


def _only(inputs: Mapping[str, Input], path: Path) -> Input:
    if len(inputs) != 1:
        raise UsageError("the model has several inputs", path=path, hint="give an .npz with an array for each")
    (item,) = inputs.values()
    return item


def _split(item: Input, data: str) -> Iterator[Array]:
    """Yield what an array holds for an input: along its first dimension, in pieces of the input's own batch."""
    rank = item.shape.rank
    whole = Input(item.name, item.value, item.dtype, Shape([None] * rank) if rank is not None else item.shape)
    array = make_feed(whole, data)
    dims = item.shape.dims or ()
    size = dims[0] if dims and dims[0] is not None else 1
    for start in range(0, len(array) - size + 1 if array.ndim else 0, size):
        yield make_feed(item, array[start : start + size])


def _pictures(folder: Path) -> list[Path]:
    found = [folder / name for name in sorted(folder_names(folder)) if Path(name).suffix.lower() in PICTURES]
    if not found:
        raise UsageError("has no pictures", path=folder, hint=f"a picture is one of {', '.join(PICTURES)}")
    return found[:MOST]
