"""Weights in HDF5 as Keras 1, 2 and 3 lay them out.

Keras 1 and 2 name layers and weights in attributes (`layer_names`, `weight_names`); of a whole model they lie below
`model_weights`, what the optimizer keeps below `optimizer_weights`. Keras 3 numbers the variables of each object:
`layers/conv2d/vars/0`, the object's own name an attribute of `vars`. Source: `legacy/saving/legacy_h5_format.py` and
`saving/saving_lib.py` of Keras 3.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.disk.files import BLOCK, FileRange
from graphsurgeon.encoding.hdf5 import Dataset, File, Item, layout
from graphsurgeon.encoding.hdf5.file import strings_of
from graphsurgeon.encoding.hdf5.messages import Datatype, num_elements
from graphsurgeon.errors import FormatError
from graphsurgeon.formats.keras.archive import Readable
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

MODEL_WEIGHTS, OPTIMIZER_WEIGHTS = "model_weights", "optimizer_weights"
_VARS = "vars"
_MOST_FILLED = 1 << 30  # bytes of values that were never written, or compressed ...
_MOST_TIMES = 1032  # ... and of each stored byte: DEFLATE makes no more of it
_INTEGERS = {1: "int8", 2: "int16", 4: "int32", 8: "int64"}
_FLOATS = {2: "float16", 4: "float32", 8: "float64"}


def read_weights(file: File, window: Readable, path: str) -> tuple[Checkpoint, list[str]]:
    """Return every dataset of a file as a variable, and notes on what could not be read. Values stay in the file.

    Args:
        file: the HDF5 file.
        window: its bytes, from which values are read.
        path: of the file, for messages.

    Raises:
        FormatError: the structure is damaged.
    """
    notes: list[str] = []
    outside: list[str] = []
    variables: dict[str, Variable] = {}
    names = _names(file)
    for item in _in_order(file, list(names)):
        found = item.dataset()
        dtype = _dtype(found.type, item)
        if dtype is None:
            notes.append(f"{item.path} is left out: its type is none of numbers or text")
            continue
        tensor = Tensor(dtype, Shape(found.shape), DatasetSource(file, window, item.path, found))
        is_slot = _is_kept_by_optimizer(item.path) and bool(found.shape)
        variables[item.path] = Variable(item.path, tensor, name=names.get(item.path) or _label(file, item.path))
        variables[item.path].is_slot = is_slot
        if found.elsewhere:
            notes.append(f"the values of {item.path} cannot be read: {found.elsewhere}")
        elif found.contiguous is not None and found.contiguous + tensor.nbytes > window.size:
            outside.append(item.path)
    if outside:
        more = f" and of {len(outside) - 1} more" if len(outside) > 1 else ""
        notes.append(f"the values of {outside[0]}{more} lie beyond the end of the file: it is cut off or damaged")
    return Checkpoint(path, 2, variables), notes


def is_weights(file: File) -> bool:
    """Say whether an HDF5 file holds weights as Keras lays them out."""
    root = file.root
    if MODEL_WEIGHTS in root.children or root.texts("layer_names") is not None:
        return True
    if any(child.texts("weight_names") is not None for child in root.children.values() if not child.is_dataset):
        return True
    return any(item.name == _VARS and not item.is_dataset for item in file.walk())


class DatasetSource:
    """TensorSource over a dataset."""

    __slots__ = ("_dataset", "_file", "_path", "_window")

    def __init__(self, file: File, window: Readable, path: str, dataset: Dataset) -> None:
        self._file = file
        self._window = window
        self._path = path
        self._dataset = dataset

    @property
    def nbytes(self) -> int:
        """Bytes that the values take."""
        return num_elements(self._dataset.shape) * self._dataset.type.size

    def ranges(self) -> list[FileRange] | None:
        """Return where the little-endian values lie in the file; None where they do not lie there in a row."""
        found = self._dataset
        if found.contiguous is None or _swapped(found.type) or found.elsewhere:
            return None
        piece = self._window.range_at(found.contiguous, self.nbytes)
        return [piece] if isinstance(piece, FileRange) else None

    def chunks(self) -> Iterator[bytes]:
        """Yield the row-major little-endian bytes in blocks.

        Raises:
            FormatError: the values do not lie in the file, or are damaged.
            UnsupportedError: they are stored in a way that is not known.
        """
        size = _swapped(self._dataset.type)
        for chunk in self._stored():
            yield _swap(chunk, size) if size else chunk

    def strings(self) -> list[bytes]:
        """Return all elements of a dataset of text."""
        return strings_of(
            self._dataset.type, b"".join(self._stored()), num_elements(self._dataset.shape), self._file.image
        )

    def _stored(self) -> Iterator[bytes]:
        found = self._dataset
        if found.elsewhere:
            raise FormatError(f"the values of {self._path} cannot be read: {found.elsewhere}")
        if found.contiguous is None and self.nbytes > _MOST_FILLED + _MOST_TIMES * self._window.size:
            what = f"{self._path} claims {self.nbytes} bytes of values, which the file does not hold"
            raise FormatError(what)
        if found.compact is not None:
            yield found.compact
        elif found.chunks is not None:
            yield from layout.slabs(self._file.image, found)
        elif found.contiguous is None:
            yield from _filled(found, self.nbytes)
        else:
            for start in range(0, self.nbytes, BLOCK):
                yield self._window.read_at(found.contiguous + start, min(BLOCK, self.nbytes - start))


def _filled(found: Dataset, size: int) -> Iterator[bytes]:
    """Yield what a dataset without values reads as."""
    one = found.fill or bytes(found.type.size)
    block = one * max(1, BLOCK // max(1, len(one)))
    for start in range(0, size, len(block)):
        yield block[: size - start]


def _swapped(type: Datatype) -> int:
    """Return the bytes of the numbers that stand in big-endian order, 0 if none do."""
    if type.kind == 6:
        return type.parts[0].size if type.parts and type.parts[0].is_big else 0
    return type.size if type.is_big and type.size > 1 else 0


def _swap(data: bytes, size: int) -> bytes:
    result = bytearray(len(data))
    for place in range(size):
        result[place::size] = data[size - 1 - place :: size]
    return bytes(result)


def _dtype(type: Datatype, item: Item) -> DType | None:
    if type.is_text:
        return STRING
    name = None
    if type.kind == 0:
        name = _INTEGERS.get(type.size)
        name = f"u{name}" if name and not type.is_signed else name
    elif type.kind == 1:
        name = "bfloat16" if type.size == 2 and type.exponent == 8 else _FLOATS.get(type.size)
    elif type.kind == 5 and type.size == 2:
        name = "bfloat16" if item.text("dtype") in ("bfloat16", "") else None
    elif type.kind == 6 and [part.kind for part in type.parts] == [1, 1]:
        name = {8: "complex64", 16: "complex128"}.get(type.size)
    elif type.kind == 8:
        name = "bool" if type.size == 1 and {m.upper() for m in type.members} == {"FALSE", "TRUE"} else None
    return None if name is None else DType.named(name)


def _names(file: File) -> dict[str, str]:
    """Return the path of each dataset that attributes name -> the name of the weight, in the order of the layers."""
    found: dict[str, str] = {}
    for group in _groups(file):
        prefix = f"{group.path}/" if group.path else ""
        layers = group.texts("layer_names")
        for layer in layers if layers is not None else [*group.children]:
            item = group.children.get(layer) or group.get(layer)
            for weight in (item.texts("weight_names") or []) if item is not None and not item.is_dataset else []:
                plain = weight.removesuffix(":0")
                found[f"{prefix}{layer}/{weight}"] = plain if "/" in plain else f"{layer}/{plain}"
    optimizer = file.root.children.get(OPTIMIZER_WEIGHTS)
    for weight in (optimizer.texts("weight_names") or []) if optimizer is not None else []:
        found[f"{OPTIMIZER_WEIGHTS}/{weight}"] = weight.removesuffix(":0")
    return found


def _groups(file: File) -> list[Item]:
    below = file.root.children.get(MODEL_WEIGHTS)
    return [file.root] if below is None else [below]


def _in_order(file: File, named: list[str]) -> Iterator[Item]:
    """Yield every dataset, first those that attributes name, in their order."""
    datasets = {item.path: item for item in file.walk() if item.is_dataset}
    for path in dict.fromkeys([*named, *datasets]):
        if path in datasets:
            yield datasets[path]


def _is_kept_by_optimizer(path: str) -> bool:
    return path.split("/")[0] in (OPTIMIZER_WEIGHTS, "optimizer")


def _label(file: File, path: str) -> str | None:
    """Return a name for a variable of Keras 3: the names of the objects on its way and its number; else None."""
    parts = path.split("/")
    if len(parts) < 2 or parts[-2] != _VARS:
        return None
    names = []
    group: Item | None = file.root
    for part in parts[:-2]:
        group = group.children.get(part) if group is not None else None
        own = group.children.get(_VARS) if group is not None and not group.is_dataset else None
        name = own.text("name") if own is not None else ""
        if name or part not in _CONTAINERS:
            names.append(name or part)
    return "/".join([*names, parts[-1]])


_CONTAINERS = ("layers", "_layer_checkpoint_dependencies")
