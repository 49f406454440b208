"""What lookup tables hold once the model is loaded: given by the init op, by a vocabulary file, or by the checkpoint.

Text files are read as `tensorflow/core/kernels/lookup_util.cc` reads them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from graphsurgeon.analysis.flow.attributes import attribute
from graphsurgeon.analysis.flow.calls import Call, Place, origin
from graphsurgeon.analysis.flow.load_path import LoadPath
from graphsurgeon.analysis.flow.restore_map import ResourceKey, Restored, RestoreMap, constant, resource_key
from graphsurgeon.errors import FileError, FormatError, UnsupportedError, plural
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.dtype import INT64, STRING, DType
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import Asset
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import FIXED_TABLES, TABLE_FILES, TABLE_FILLS, TABLES

WHOLE_LINE, LINE_NUMBER = -2, -1


@dataclass(frozen=True, slots=True)
class Contents:
    """Keys and values of a table: each a tensor, or a value in the source that computes it."""

    keys: Tensor | Place
    values: Tensor | Place


class TableContents:
    """Finds the contents of tables.

    Args:
        restored: what the saver restores.
        load_path: what the init op runs.
        checkpoint: the stored values, None if there is none.
        graphs: where to look for initializers if there is no init op.
    """

    def __init__(
        self, restored: RestoreMap, load_path: LoadPath, checkpoint: Checkpoint | None, graphs: Iterable[Graph]
    ) -> None:
        self._load_path = load_path
        self._checkpoint = checkpoint
        self._restored = {resource_key(node): source for node, source in restored.tables.items()}
        nodes: list[tuple[Node, Call | None]] = load_path.nodes or [(node, None) for g in graphs for node in g.nodes]
        self._fills: dict[ResourceKey, tuple[Node, Call | None]] = {}
        for node, call in nodes:
            if (node.op in TABLE_FILLS or node.op in TABLE_FILES) and node.inputs:
                table = origin(Place(node.inputs[0], call)).value.producer
                if table is not None and table.op in TABLES:
                    self._fills.setdefault(resource_key(table), (node, call))

    def of(self, table: Node) -> Contents | None:
        """Return what a table holds; None for a mutable one that starts empty.

        Raises:
            UnsupportedError: nothing says, or it is computed by something unknown.
            FileError: a file or checkpoint entry is missing or damaged.
        """
        key = resource_key(table)
        if key in self._restored:
            keys, values = (self._stored(table, restored) for restored in self._restored[key])
            return Contents(keys, values)
        if key not in self._fills:
            if table.op in FIXED_TABLES:
                raise UnsupportedError(
                    f"nothing that runs on load fills table {table.name!r} ({table.op})", hint="keep a SavedModel"
                )
            return None
        node, call = self._fills[key]
        if node.op in TABLE_FILLS:
            return Contents(*(constant(place) or place for place in (Place(value, call) for value in node.inputs[1:3])))
        return self._from_text(table, node, call)

    def _stored(self, table: Node, restored: Restored) -> Tensor:
        variable = self._checkpoint.variables.get(restored.key) if self._checkpoint is not None else None
        if variable is None:
            raise FileError(f"the checkpoint has no value for table {table.name!r} (key {restored.key!r})")
        return variable.tensor

    def _from_text(self, table: Node, node: Node, call: Call | None) -> Contents:
        place = Place(node.inputs[1], call)
        asset = self._load_path.asset(place)
        if asset is None or asset.content is None:
            path = constant(place)
            name = path.items()[0].decode("utf-8", "replace") if path is not None and path.dtype is STRING else "?"
            raise UnsupportedError(
                f"table {table.name!r} is read from the file {name!r}, which is no asset of the model",
                hint="export a SavedModel, which takes the file along",
            )
        return parse_text(asset, asset.content(), node, _dtype(table, "key_dtype"), _dtype(table, "value_dtype"))


def parse_text(asset: Asset, data: bytes, node: Node, key_dtype: DType, value_dtype: DType) -> Contents:
    """Return what an `InitializeTableFromTextFileV2` node makes of a file.

    Raises:
        FormatError: a line does not have the column, or it is not of the type; with the line's number.
    """
    lines = data.replace(b"\r", b"").split(b"\n")
    if lines and not lines[-1]:
        lines.pop()
    wanted = _number(node, "vocab_size")
    if wanted >= 0:
        if len(lines) < wanted:
            raise FormatError(
                f"asset {asset.filename!r} has {plural(len(lines), 'line')}, table {node.name!r} asks for {wanted}"
            )
        lines = lines[:wanted]
    delimiter = attribute(node, "delimiter")
    split = delimiter if isinstance(delimiter, bytes) and delimiter else b"\t"
    columns = [
        _numbers(asset, len(lines), _number(node, "offset"), dtype)
        if _number(node, name) == LINE_NUMBER
        else _column(asset, lines, _number(node, name), split, dtype)
        for name, dtype in (("key_index", key_dtype), ("value_index", value_dtype))
    ]
    _check_unique(asset, *columns)
    keys, values = (Tensor.of(d, [len(lines)], c) for d, c in zip((key_dtype, value_dtype), columns, strict=True))
    return Contents(keys, values)


def live_rows(table: Node, keys: Tensor, values: Tensor, empty: list[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the entries of a dense table without those of its buckets that stand for nothing.

    Args:
        table: the `MutableDenseHashTableV2`.
        keys, values: all buckets, as the checkpoint has them.
        empty: the keys that mark empty and deleted buckets.
    """
    count = (keys.shape.dims or (0,))[0] or 0
    width, depth = _row(keys, count), _row(values, count)
    marks = [mark.items() for mark in empty]
    flat, held = keys.items(), values.items()
    rows = [row for row in range(count) if flat[row * width : (row + 1) * width] not in marks]
    key_shape = [len(rows)] if width == 1 else [len(rows), width]
    shape = table.attrs.get("value_shape")
    inner = [dim or 0 for dim in shape] if isinstance(shape, Shape) else []
    kept_keys = [item for row in rows for item in flat[row * width : (row + 1) * width]]
    kept_values = [item for row in rows for item in held[row * depth : (row + 1) * depth]]
    return Tensor.of(keys.dtype, key_shape, kept_keys), Tensor.of(values.dtype, [len(rows), *inner], kept_values)


def _row(tensor: Tensor, count: int) -> int:
    return tensor.num_elements // count if count else 1


def _numbers(asset: Asset, count: int, first: int, dtype: DType) -> list[object]:
    """Return the numbers of lines, which count from `offset`."""
    return [_converted(asset, line, str(first + line).encode(), dtype) for line in range(count)]


def _column(asset: Asset, lines: list[bytes], index: int, delimiter: bytes, dtype: DType) -> list[object]:
    items = []
    for number, line in enumerate(lines):
        if not line:
            raise FormatError(f"asset {asset.filename!r}, line {number + 1} is empty")
        cells = [line] if index == WHOLE_LINE else line.split(delimiter)
        place = 0 if index == WHOLE_LINE else index
        if place >= len(cells):
            raise FormatError(f"asset {asset.filename!r}, line {number + 1} has no column {index}")
        items.append(_converted(asset, number, cells[place], dtype))
    return items


def _converted(asset: Asset, number: int, text: bytes, dtype: DType) -> object:
    if dtype is STRING:
        return text
    convert: Callable[[bytes], object] = float if dtype.is_floating else int
    try:
        return convert(text)
    except ValueError as error:
        raise FormatError(f"asset {asset.filename!r}, line {number + 1}: {text[:80]!r} is no {dtype}") from error


def _check_unique(asset: Asset, keys: list[object], values: list[object]) -> None:
    seen: dict[object, object] = {}
    for number, (key, value) in enumerate(zip(keys, values, strict=True)):
        if seen.setdefault(key, value) != value:
            raise FormatError(f"asset {asset.filename!r}, line {number + 1} gives {key!r} a second value")


def _number(node: Node, name: str) -> int:
    value = attribute(node, name)
    return value if isinstance(value, int) else 0


def _dtype(table: Node, name: str) -> DType:
    dtype = table.attrs.get(name)
    return dtype if isinstance(dtype, DType) else INT64
