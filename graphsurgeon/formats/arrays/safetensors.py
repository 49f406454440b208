"""A safetensors file as variables: a header of JSON, then the bytes of the tensors. Nothing is executed.

Spec: https://github.com/huggingface/safetensors, "Format". The index of a file that was cut into shards names,
for each tensor, the shard that holds it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from graphsurgeon.disk.files import FileRange, SourceFile, contained, open_source
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats import registry
from graphsurgeon.formats.tflite.elements import packed_size, unpacked_chunks
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

_MOST_HEADER = 100_000_000  # bytes; the reference implementation's own limit
_METADATA = "__metadata__"
_DTYPES = {
    "BOOL": "bool", "U8": "uint8", "I8": "int8", "U16": "uint16", "I16": "int16", "U32": "uint32", "I32": "int32",
    "U64": "uint64", "I64": "int64", "F16": "float16", "BF16": "bfloat16", "F32": "float32", "F64": "float64",
    "C64": "complex64", "F8_E5M2": "float8_e5m2", "F8_E4M3": "float8_e4m3fn", "F8_E5M2FNUZ": "float8_e5m2fnuz",
    "F8_E4M3FNUZ": "float8_e4m3fnuz", "F8_E8M0": "float8_e8m0fnu", "F4": "float4_e2m1fn", "F6_E2M3": "float6_e2m3fn",
    "F6_E3M2": "float6_e3m2fn",
}  # fmt: skip


def read(path: Path) -> Model:
    """Read a safetensors file, or the index of one that was cut into shards; values stay where they are.

    Raises:
        FormatError: the header is damaged, or a tensor lies outside the file.
        FileError: a file is missing or unreadable.
        UnsupportedError: the index is of shards in another format.
    """
    source = open_source(path)
    model = Model(registry.SAFETENSORS, str(path))
    if source.read_at(0, min(source.size, 1)) == b"{":
        variables, files = _sharded(source)
    else:
        metadata, variables = _whole(source)
        files = {str(path): source.size}
        model.notes = _notes(metadata)
    model.checkpoint = Checkpoint(str(path), 2, {variable.key: variable for variable in variables})
    model.files = files
    return model


def _notes(metadata: Mapping[str, str]) -> list[str]:
    if not metadata:
        return []
    told = ", ".join(f"{key}={value[:80]}" for key, value in list(metadata.items())[:10])
    return [f"metadata: {told}{', ...' if len(metadata) > 10 else ''}"]


def _sharded(source: SourceFile) -> tuple[list[Variable], dict[str, int]]:
    """Return the variables that an index names, from the shards beside it."""
    content = _json(source.read_at(0, _checked_length(source.size, source)), source)
    mapping = content.get("weight_map")
    if not isinstance(mapping, dict) or not all(isinstance(name, str) for name in mapping.values()):
        raise FormatError("the index has no weight_map", path=source.path)
    files = {str(source.path): source.size}
    found: dict[str, Variable] = {}
    for name in dict.fromkeys(mapping.values()):
        if not name.endswith(".safetensors"):
            hint = "its shards are pickles, which are not opened: save the model with safe_serialization=True"
            raise UnsupportedError(f"the index is of {name!r}", path=source.path, hint=hint)
        shard = open_source(contained(source.path.parent, name))
        files[str(shard.path)] = shard.size
        found |= {variable.key: variable for variable in _whole(shard)[1] if mapping.get(variable.key) == name}
    lost = [key for key in mapping if key not in found]
    if lost:
        raise FormatError(f"no shard holds {lost[0]!r}, which its index names", path=source.path)
    return [found[key] for key in mapping], files


def _whole(source: SourceFile) -> tuple[Mapping[str, str], list[Variable]]:
    """Return metadata and variables of one file, in the order of the header."""
    length = int.from_bytes(source.read_at(0, min(8, source.size)), "little")
    if source.size < 8 or length > source.size - 8:
        raise FormatError(f"a header of {length} bytes in a file of {source.size}", path=source.path)
    header = _json(source.read_at(8, _checked_length(length, source)), source)
    metadata = header.pop(_METADATA, None)
    texts = {str(key): str(value) for key, value in metadata.items()} if isinstance(metadata, dict) else {}
    return texts, [Variable(name, _tensor(name, entry, source, 8 + length)) for name, entry in header.items()]


def _checked_length(length: int, source: SourceFile) -> int:
    if length > _MOST_HEADER:
        raise FormatError(f"a header of {length >> 20} MB", path=source.path)
    return length


def _json(data: bytes, source: SourceFile) -> dict[str, Any]:
    import json

    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise FormatError(f"the header is no JSON: {' '.join(str(error).split())[:100]}", path=source.path) from error
    if not isinstance(content, dict):
        raise FormatError("the header is no JSON object", path=source.path)
    return content


def _tensor(name: str, entry: object, source: SourceFile, start: int) -> Tensor:
    fields: Mapping[str, Any] = entry if isinstance(entry, dict) else {}
    dims, places, kind = fields.get("shape"), fields.get("data_offsets"), fields.get("dtype")
    if not _are_sizes(dims) or not _are_sizes(places) or len(places or ()) != 2 or not isinstance(kind, str):
        raise FormatError(f"the header says of {name!r}: {str(entry)[:100]}", path=source.path)
    assert isinstance(dims, list)
    assert isinstance(places, list)
    first, last = places
    if not first <= last <= source.size - start:
        what = f"{name!r} lies at bytes {first} to {last} of {source.size - start}"
        raise FormatError(what, path=source.path, hint="the file is cut short; get it again")
    dtype = DType.named(_DTYPES[kind]) if kind in _DTYPES else None
    if dtype is None:
        raise UnsupportedError(f"{name!r} is of type {kind!r}, which is not known here", path=source.path)
    shape = Shape(dims)
    if packed_size(shape.num_elements or 0, dtype.bits) != last - first:
        what = f"{name!r}: {last - first} bytes for {dtype} of shape {shape}"
        raise FormatError(what, path=source.path, hint="the header is damaged; get the file again")
    return Tensor(dtype, shape, RangeSource(FileRange(source, start + first, last - first), dtype, shape))


def _are_sizes(value: object) -> bool:
    return isinstance(value, list) and all(type(item) is int and 0 <= item < 1 << 60 for item in value)


class RangeSource:
    """Elements that lie in a file one behind the other, those smaller than a byte packed, as a `TensorSource`."""

    __slots__ = ("dtype", "shape", "stored")

    def __init__(self, stored: FileRange, dtype: DType, shape: Shape) -> None:
        self.stored = stored
        self.dtype = dtype
        self.shape = shape

    @property
    def nbytes(self) -> int:
        """Bytes as stored."""
        return self.stored.length

    def ranges(self) -> list[FileRange] | None:
        """Return where the elements lie, None where they are packed."""
        return [self.stored] if self.dtype.bits >= 8 else None

    def chunks(self) -> Iterator[bytes]:
        """Yield the elements, one byte for each that is smaller. Reads the file."""
        if self.dtype.bits >= 8:
            yield from self.stored.chunks()
        else:
            yield from unpacked_chunks(self.stored.chunks(), self.dtype, self.shape.num_elements or 0)

    def strings(self) -> list[bytes]:
        """Return the elements of a string tensor."""
        raise FormatError("safetensors hold no strings")
