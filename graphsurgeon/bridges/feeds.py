"""Data that a user gives for an input: `ones`, `zeros`, `random`, a literal, or `@FILE` (.npy, .npz, a picture)."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsurgeon.compare.entries import Input
from graphsurgeon.compare.inputs import concrete, filled_input, numpy_type, random_input
from graphsurgeon.disk.files import open_source
from graphsurgeon.errors import FileError, FormatError, UnsupportedError, UsageError
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

PICTURES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff")
FORM = "NAME=DATA"


def parse_feeds(texts: Iterable[str], known: Iterable[str]) -> dict[str, str]:
    """Return the data of each input from `NAME=DATA` texts; `@FILE.npz` alone gives every array of that name.

    Args:
        texts: as typed.
        known: names of the inputs; where one of them stands before a `=`, the text is cut there, else at the last.

    Raises:
        UsageError: a text has no `=`.
    """
    names = set(known)
    found: dict[str, str] = {}
    for text in texts:
        if text.startswith("@") and text.endswith(".npz"):
            found.update({name: f"{text}:{name}" for name in npz_names(Path(text[1:])) if name in names})
            continue
        cuts = [place for place, sign in enumerate(text) if sign == "="]
        if not cuts or not cuts[-1]:
            raise UsageError(f"{text!r} is not of the form {FORM}")
        cut = next((place for place in cuts if text[:place] in names), cuts[-1])
        found[text[:cut]] = text[cut + 1 :]
    return found


def maker(data: object, *, seed: int = 0, shape: Shape | None = None) -> Callable[[Input], Array]:
    """Return a function that makes an input's array of data: a text as typed, or anything that numpy understands."""
    return lambda entry: make_feed(entry, data, seed=seed, shape=shape)


def make_feed(entry: Input, data: object, *, seed: int = 0, shape: Shape | None = None) -> Array:
    """Return the array to feed into an input.

    Args:
        entry: the input.
        data: `ones`, `zeros`, `random`, `@FILE`, a literal as text; or an array, number or list.
        seed: of `random`.
        shape: for data without one.

    Raises:
        UsageError: the data do not fit the input.
        FileError: a file is missing or damaged.
        UnsupportedError: the extra that reads pictures is missing.
    """
    if not isinstance(data, str):
        return _fitting(entry, data, shape)
    if data == "random":
        return random_input(entry, seed=seed, shape=shape)
    if data in ("ones", "zeros"):
        return filled_input(entry, float(data == "ones"), shape=shape)
    if data.startswith("@"):
        return _fitting(entry, _from_file(entry, data[1:]), shape)
    return _fitting(entry, _literal(entry, data), shape)


def npz_names(path: Path) -> list[str]:
    """Return the names of the arrays in an `.npz` file."""
    with _opened(path) as file:
        return list(file.files)


def _literal(entry: Input, text: str) -> object:
    try:
        value = json.loads(text)
    except ValueError:
        value = _bare(entry, text)
    if entry.dtype is STRING:
        return _encoded(value if isinstance(value, list | str) else text)
    return value


def _bare(entry: Input, text: str) -> object:
    """Return what a text stands for that is no JSON: `True`, `1e-3`, `1,2,3`, or itself."""
    if entry.dtype is STRING:
        return text
    words = {"true": True, "false": False, "nan": float("nan"), "inf": float("inf"), "-inf": float("-inf")}
    items = [word.strip().lower() for word in text.split(",")]
    try:
        values = [words[item] if item in words else float(item) for item in items]
    except ValueError:
        hint = "give ones, zeros, random, a number, a JSON list, or @FILE"
        raise UsageError(f"{text!r} is no data for input {entry.name!r}", hint=hint) from None
    return values[0] if len(values) == 1 else values


def _encoded(value: object) -> object:
    if isinstance(value, list):
        return [_encoded(item) for item in value]
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "surrogateescape")


def _fitting(entry: Input, data: object, shape: Shape | None) -> Array:
    """Bring data to the type and rank of an input: one number fills it, one example becomes a batch of one."""
    import numpy as np

    dtype = numpy_type(entry) if entry.dtype is not None else None
    try:
        if dtype is not None and dtype.kind == "O":
            array = _strings(data)
        else:
            array = np.asarray(data) if dtype is None else np.asarray(data).astype(dtype)
    except (ValueError, TypeError) as error:
        raise UsageError(f"the data of input {entry.name!r} are no {entry.dtype}: {error}") from error
    wanted = shape or entry.shape
    if array.ndim == 0 and wanted.rank:
        array = np.broadcast_to(array, concrete(wanted)).copy()
    if wanted.rank is not None and array.ndim == wanted.rank - 1:
        array = array[np.newaxis]
    if not Shape(array.shape).is_compatible_with(entry.shape):
        raise UsageError(f"input {entry.name!r} has shape {entry.shape}, and the data {Shape(array.shape)}")
    return array


def _strings(data: object) -> Array:
    import numpy as np

    given = np.array(data, object)
    flat = [item if isinstance(item, bytes) else str(item).encode() for item in given.reshape(-1)]
    array = np.empty(len(flat), object)
    array[:] = flat
    return array.reshape(given.shape)


def _from_file(entry: Input, text: str) -> object:
    """Return what a file holds: the array, for a string input of a picture its bytes, else its pixels (0 to 255)."""
    name, mark, member = text.rpartition(".npz:")
    path = Path(f"{name}.npz" if mark else text)
    suffix = path.suffix.lower()
    if suffix == ".npy":
        with _opened(path) as array:
            return array
    if suffix == ".npz":
        with _opened(path) as file:
            return _member(file, path, member if mark else entry.name)
    if entry.dtype is STRING:
        source = open_source(path)
        return source.read_at(0, source.size)
    if suffix in PICTURES:
        return _pixels(entry, path)
    raise UsageError(
        f"a {suffix or 'file without suffix'} holds no numbers", path=path, hint="give .npy, .npz or a picture"
    )


def _member(file: Mapping[str, Any], path: Path, name: str) -> object:
    names = list(file)
    if name in names:
        return file[name]
    if len(names) == 1:
        return file[names[0]]
    raise UsageError(f"has no array {name!r}", path=path, hint=f"name one with @{path}:NAME: {', '.join(names[:8])}")


class _opened:  # noqa: N801  # used like a function
    """An array or archive of arrays in a file, closed when done."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: Any = None

    def __enter__(self) -> Any:
        import numpy as np

        open_source(self._path)  # says in our words what is wrong with the path
        try:
            self._file = np.load(self._path, allow_pickle=False)
        except (ValueError, OSError, EOFError) as error:
            raise FormatError(f"no arrays of numbers: {error}", path=self._path) from error
        return self._file

    def __exit__(self, *_: object) -> None:
        if hasattr(self._file, "close"):
            self._file.close()


def _pixels(entry: Input, path: Path) -> object:
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError:
        raise UnsupportedError(
            "reading pictures needs Pillow, which is not installed",
            path=path,
            hint="install the extra: pip install 'tf-graphsurgeon[images]'",
        ) from None
    import numpy as np

    open_source(path)
    try:
        with Image.open(path) as file:
            dims = entry.shape.dims or ()
            height, width, channels = dims[-3:] if len(dims) >= 3 else (None, None, None)
            picture = file.convert("L" if channels == 1 else "RGBA" if channels == 4 else "RGB")
            if height is not None and width is not None and (width, height) != picture.size:
                picture = picture.resize((width, height), Image.Resampling.BILINEAR)
            array = np.asarray(picture)
    except (UnidentifiedImageError, OSError, SyntaxError) as error:
        raise FileError(f"no picture that can be read: {error}", path=path) from error
    return array[..., np.newaxis] if array.ndim == 2 else array
