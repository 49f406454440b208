"""The weights of a TensorFlow.js model: one run of bytes for each group of the manifest, cut into shards.

Weights stand one behind the other in the order of the manifest. Values may be stored smaller than they are:
as 8 or 16 bit integers with a scale and a minimum, or as float16.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from graphsurgeon.disk.files import Computed, FileRange, Piece, SourceFile, contained, open_source
from graphsurgeon.errors import FileError, FormatError
from graphsurgeon.model.dtype import STRING, DType

if TYPE_CHECKING:
    import numpy as np

_SIZES = {"float32": 4, "int32": 4, "bool": 1, "complex64": 8, "uint8": 1, "uint16": 2, "float16": 2, "string": 0}
_STORED = {"float32": "<f4", "int32": "<i4", "bool": "|u1", "complex64": "<c8", "uint8": "|u1", "uint16": "<u2",
           "float16": "<f2"}  # fmt: skip
_LONGEST_STRING = 1 << 26  # bytes
_MOST_ELEMENTS = 1 << 48  # damaged dimensions claim more


class WeightQuantization(NamedTuple):
    """How stored numbers stand for the values: `scale * stored + minimum`."""

    scale: float
    minimum: float


class ManifestWeight(NamedTuple):
    """An entry of the manifest.

    Attributes:
        dtype: of the values.
        stored: type as stored, a key of `_STORED` or "string".
        group: number of the group whose bytes hold it.
        offset: where in these bytes; None behind strings whose shard is missing.
        quantization: None if the values are stored as they are.
    """

    name: str
    dtype: DType
    shape: tuple[int, ...]
    stored: str
    group: int
    offset: int | None
    quantization: WeightQuantization | None

    @property
    def size(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


class Shards:
    """The files of one manifest.

    Attributes:
        folder: where `model.json` lies.
        groups: names of the files of each group.
    """

    def __init__(self, folder: Path, groups: Sequence[Sequence[str]]) -> None:
        self.folder = folder
        self.groups = groups
        self._files: dict[str, SourceFile] = {}

    def file(self, name: str) -> SourceFile:
        """Return a shard.

        Raises:
            FormatError: its name leads outside the model's folder.
            FileError: it is missing or unreadable.
        """
        if name not in self._files:
            self._files[name] = open_source(contained(self.folder, name))
        return self._files[name]

    def ranges(self, group: int, offset: int, length: int) -> list[FileRange]:
        """Return where bytes of a group lie.

        Raises:
            FormatError: the shards hold fewer.
            FileError: a shard is missing.
        """
        found: list[FileRange] = []
        start = 0
        for name in self.groups[group]:
            file = self.file(name)
            first, last = max(offset, start), min(offset + length, start + file.size)
            if first < last:
                found.append(FileRange(file, first - start, last - first))
            start += file.size
        if sum(map(len, found)) != length:
            what = f"the shards of its weights hold {start} bytes, {offset + length} are needed"
            raise FormatError(what, path=self.folder, hint="a shard is cut short or missing in the manifest")
        return found

    def read(self, group: int, offset: int, length: int) -> bytes:
        """Return bytes of a group. Raises as `ranges`."""
        return b"".join(part.read() for part in self.ranges(group, offset, length))

    def sizes(self) -> dict[str, int]:
        """Return path -> bytes of the shards that can be had."""
        return {str(file.path): file.size for name in self.names() if (file := self._tried(name)) is not None}

    def missing(self) -> list[str]:
        """Return the names of the shards that cannot be had."""
        return [name for name in self.names() if self._tried(name) is None]

    def names(self) -> list[str]:
        """Return the names of all shards."""
        return list(dict.fromkeys(name for group in self.groups for name in group))

    def _tried(self, name: str) -> SourceFile | None:
        try:
            return self.file(name)
        except FileError:  # reported by name; told again when values are asked for
            return None


def read_manifest(manifest: object, folder: Path) -> tuple[dict[str, ManifestWeight], Shards]:
    """Return the weights of a manifest by name, and where they lie.

    Raises:
        FormatError: the manifest is malformed.
    """
    groups = [group for group in _list(manifest, "weightsManifest") if isinstance(group, Mapping)]
    shards = Shards(folder, [[str(name) for name in _list(group.get("paths"), "paths")] for group in groups])
    weights: dict[str, ManifestWeight] = {}
    for number, group in enumerate(groups):
        offset: int | None = 0
        for entry in _list(group.get("weights"), "weights"):
            weight = _weight(entry, number, offset)
            weights.setdefault(weight.name, weight)
            offset = None if offset is None else _end(weight, shards, offset)
    return weights, shards


def strings(weight: ManifestWeight, shards: Shards) -> list[bytes]:
    """Return the elements of a string weight: each with its length in front. Reads the file.

    Raises:
        FormatError: they do not fit the bytes that are there.
        FileError: a shard is missing.
    """
    return list(_strings(weight, shards, _place(weight)))


def pieces(weight: ManifestWeight, shards: Shards, dtype: DType) -> list[Piece]:
    """Return the row-major little-endian bytes of a weight as elements of a type: ranges where they are stored so.

    What cannot be had (a missing shard) fails when it is read.
    """
    count = weight.size
    if weight.quantization is None and weight.stored == dtype.name and weight.offset is not None:
        try:
            return list(shards.ranges(weight.group, weight.offset, count * dtype.itemsize))
        except FileError:  # a shard is missing or short: said when the values are asked for
            pass
    return [Computed(count * dtype.itemsize, lambda: _converted(weight, shards, dtype))]


def _converted(weight: ManifestWeight, shards: Shards, dtype: DType) -> Iterator[bytes]:
    import numpy as np

    if weight.stored not in _STORED or dtype.name not in _NUMPY:
        raise FormatError(f"weight {weight.name!r} of type {weight.stored} cannot be one of {dtype}")
    stored = np.dtype(_STORED[weight.stored])
    rest = b""
    for part in shards.ranges(weight.group, _place(weight), weight.size * stored.itemsize):
        for chunk in part.chunks():
            data = rest + chunk
            whole = len(data) - len(data) % stored.itemsize
            rest = data[whole:]
            yield _decoded(np.frombuffer(data[:whole], stored), weight, dtype).tobytes()


def _decoded(array: np.ndarray[Any, Any], weight: ManifestWeight, dtype: DType) -> np.ndarray[Any, Any]:
    """Return stored numbers as values: the loaders compute in float32 and round what become integers."""
    import numpy as np

    if weight.quantization is not None:
        scale, minimum = weight.quantization
        wide = array.astype("f8") * scale + minimum
        array = np.rint(wide) if weight.dtype.is_integer else wide.astype("<f4")
    return array.astype(_NUMPY[dtype.name])


_NUMPY = {
    "float32": "<f4", "float64": "<f8", "float16": "<f2", "int8": "|i1", "uint8": "|u1", "int16": "<i2",
    "uint16": "<u2", "int32": "<i4", "uint32": "<u4", "int64": "<i8", "uint64": "<u8", "bool": "|b1",
    "complex64": "<c8", "complex128": "<c16",
}  # fmt: skip


def _weight(entry: object, group: int, offset: int | None) -> ManifestWeight:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
        raise FormatError("an entry of the weights manifest has no name")
    name, shape = entry["name"], entry.get("shape", [])
    is_shape = isinstance(shape, list) and all(isinstance(dim, int) and dim >= 0 for dim in shape)
    if not is_shape or math.prod(shape) > _MOST_ELEMENTS:
        raise FormatError(f"weight {name!r} has the shape {str(shape)[:80]}")
    stored, quantization = str(entry.get("dtype")), entry.get("quantization")
    dtype_name, scaling = stored, None
    if isinstance(quantization, Mapping):
        stored = str(quantization.get("dtype"))
        dtype_name = str(quantization.get("original_dtype") or dtype_name)
        if stored in ("uint8", "uint16"):
            scaling = WeightQuantization(_float(quantization.get("scale"), name), _float(quantization.get("min"), name))
    if stored not in _SIZES or dtype_name not in _SIZES:
        raise FormatError(f"weight {name!r} has the type {stored!r}, which TensorFlow.js does not have")
    return ManifestWeight(name, DType.named(dtype_name), tuple(shape), stored, group, offset, scaling)


def _end(weight: ManifestWeight, shards: Shards, offset: int) -> int | None:
    """Return where the bytes of a weight end; None if that stands in a shard that is missing."""
    if weight.dtype is not STRING:
        return offset + weight.size * _SIZES[weight.stored]
    try:
        return offset + sum(4 + len(item) for item in _strings(weight, shards, offset))
    except FileError:
        return None


def _strings(weight: ManifestWeight, shards: Shards, offset: int) -> Iterator[bytes]:
    for _ in range(weight.size):
        (length,) = struct.unpack("<I", shards.read(weight.group, offset, 4))
        if length > _LONGEST_STRING:
            raise FormatError(f"weight {weight.name!r}: a string of {length} bytes")
        yield shards.read(weight.group, offset + 4, length)
        offset += 4 + length


def _place(weight: ManifestWeight) -> int:
    if weight.offset is None:
        raise FormatError(f"where weight {weight.name!r} lies stands in a shard that is missing")
    return weight.offset


def _float(value: object, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise FormatError(f"weight {name!r} is quantized without scale and minimum")
    return float(value)


def _list(value: object, what: str) -> list[Any]:
    if not isinstance(value, list):
        raise FormatError(f"{what} of the model is no list")
    return value
