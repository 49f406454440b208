"""Inside the child process: inputs and outputs of runtimes that know them by names, or by their places alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

T = TypeVar("T")


def placed(names: Sequence[str], known: Sequence[T], names_of: Mapping[int, Sequence[str]]) -> list[T | None]:
    """Return which of what a runtime has is meant by each name: the one called so, else the one in the same place.

    Args:
        names: as they are asked for, in the order of the model.
        known: what the runtime has, in its order.
        names_of: place in `known` -> its names.
    """
    by_name = {name: place for place, names in names_of.items() for name in names}
    found = [by_name.get(name) for name in names]
    if not any(place is not None for place in found) and len(names) == len(known):
        return list(known)
    return [known[place] if place is not None else None for place in found]


def plain(array: Any) -> tuple[str, Any]:
    """Return the type and an array that goes between processes: texts as bytes, types that numpy lacks as float32."""
    import numpy as np

    array = np.asarray(array)
    if array.dtype.kind in "OSU":
        flat = [item if isinstance(item, bytes) else str(item).encode("utf-8") for item in array.reshape(-1).tolist()]
        texts = np.empty(len(flat), object)
        texts[:] = flat
        return "string", texts.reshape(array.shape)
    name = str(array.dtype)
    return name, array if array.dtype.kind in "biufc" else array.astype("float32")


def said(error: BaseException) -> str:
    """Return what a runtime says, with the type of its error."""
    return f"{type(error).__name__}: {error}"
