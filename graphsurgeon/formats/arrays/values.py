"""One array out of a file, as `@FILE` names it on the command line: `w.npy`, `all.npz:w`, `all.safetensors:w`."""

from __future__ import annotations

from pathlib import Path

from graphsurgeon.errors import UsageError
from graphsurgeon.model.tensor import Tensor

_ARRAY = ".npy"
_SEVERAL = (".npz", ".safetensors")
_MOST_SHOWN = 8


def read_values(place: str, name: str) -> Tensor:
    """Return an array; its values stay in the file.

    Args:
        place: path of an `.npy` file, or of one of several arrays, with `:NAME` behind it.
        name: of the array where the place does not say; where there is only one, that is taken.

    Raises:
        UsageError: the file has no such array, or is of another kind.
        FileError: the file is missing or damaged.
    """
    path, member = Path(place), ""
    for suffix in _SEVERAL:
        front, mark, rest = place.rpartition(f"{suffix}:")
        if mark:
            path, member = Path(front + suffix), rest
    if path.suffix.lower() == _ARRAY:
        from graphsurgeon.formats.arrays.npz import read_npy

        return read_npy(path)
    if path.suffix.lower() not in _SEVERAL:
        raise UsageError(f"{path.suffix or 'a file without suffix'} holds no array", path=path, hint=_HINT)
    from graphsurgeon.formats import read

    checkpoint = read(path).checkpoint
    variables = checkpoint.variables if checkpoint is not None else {}
    chosen = variables.get(member or name)
    if chosen is None and not member and len(variables) == 1:
        (chosen,) = variables.values()
    if chosen is None:
        hint = f"name one with @{path}:NAME: {', '.join(list(variables)[:_MOST_SHOWN])}"
        raise UsageError(f"it has no array {member or name!r}", path=path, hint=hint)
    return chosen.tensor


_HINT = "give .npy, .npz:NAME or .safetensors:NAME"
