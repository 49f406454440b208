"""Rules about files: the assets of a SavedModel; of a TFLite model identifier, version, and where buffers lie."""

from __future__ import annotations

from collections.abc import Iterator, Set
from typing import Any

from graphsurgeon.analysis.flow.load_path import LoadPath
from graphsurgeon.disk.files import contained, is_file, is_folder
from graphsurgeon.disk.places import path_of
from graphsurgeon.encoding.appended_zip import unsafe_names
from graphsurgeon.errors import FormatError, GraphSurgeonError, plural
from graphsurgeon.formats.savedmodel import parts
from graphsurgeon.formats.tflite.behind import is_cut_off, unexplained
from graphsurgeon.formats.tflite.buffers import BufferSource
from graphsurgeon.formats.tflite.read import TfliteModelSource
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model

_IDENTIFIER = b"TFL3"
_VERSION = 3  # of the schema, since 2017: tensorflow/lite/schema/schema.fbs
_ALIGNMENT = 16  # of the schema; 4 is what readers in place need at least
_LEAST_ALIGNMENT = 4
_MOST_TEXT = 1 << 20  # bytes of texts that are looked at: where each of them lies stands among them


def of_model(model: Model) -> Iterator[Finding]:
    """Find assets that are not there, or lie outside the model's folder; for TFLite what is wrong with the file."""
    if isinstance(model.raw, TfliteModelSource):
        yield from _of_tflite(model)
    folder = path_of(model.path)
    if not model.traits.holds_assets or not is_folder(folder):
        return
    names = {one.filename: one.source for metagraph in model.metagraphs for one in metagraph.assets}
    read = {name for metagraph in model.metagraphs for name in _read_on_load(metagraph)}
    for name in sorted(names):
        where = f"asset {name}"
        try:
            source = names[name]  # of an asset that an edit brings along
            there = is_file(path_of(source) if source else contained(folder / parts.ASSETS, name, folder))
        except FormatError as error:
            hint = "do not load this model: reading it would read that file"
            yield Finding("error", where, error.message, hint, "asset-outside")
            continue
        if not there:
            hint = "put the file into assets/, or make the model anew"
            severity: Severity = "error" if name in read else "warning"  # loaders feed the path, and open nothing
            yield Finding(severity, where, "the file is not in assets/", hint, "asset-missing")


def _read_on_load(metagraph: MetaGraph) -> Iterator[str]:
    """Yield the names of assets whose paths what runs on load takes."""
    run = {node for node, _ in LoadPath(metagraph).nodes} if metagraph.assets else set()
    return (asset.filename for asset in metagraph.assets if asset.mention.node in run)


def _of_tflite(model: Model) -> Iterator[Finding]:
    """Find what keeps interpreters from opening the file, and buffers that are not where they should be."""
    source: Any = model.raw
    if source.file.read_at(4, 4) != _IDENTIFIER:
        what = f"the file's identifier is {source.file.read_at(4, 4)!r}, not TFL3"
        yield Finding("error", "file", what, "any edit writes it anew", "identifier")
    if source.version != _VERSION:
        what = f"schema version {source.version}, interpreters take {_VERSION}"
        yield Finding("error", "file", what, "convert the model anew", "schema-version")
    tensors = (value.raw.table for graph in model.graphs for value in graph.values if value.raw is not None)
    own = {table.get("buffer") for table in tensors if table.image is source.image}
    yield from _buffers(source, own - {0})
    yield from _constants(model)
    yield from _behind(source)


def _behind(source: Any) -> Iterator[Finding]:
    """Find what is carried along behind the model."""
    rest = unexplained(source)
    if rest is not None and is_cut_off(source, rest):
        what = f"the archive behind the model, from byte {rest[0]:,} on, has no end: the file is cut off"
        yield Finding("warning", "file", what, "fetch or write it again", "archive-cut")
    elif rest is not None:
        what = f"{plural(rest[1] - rest[0], 'byte')} from byte {rest[0]:,} on that no field of the model places"
        hint = "code for an accelerator may lie there, or what does not belong to a model"
        yield Finding("note", "file", what, hint, "bytes-behind")
    names = source.archive.names if source.archive is not None else []
    for name in unsafe_names(names):
        what = f"the archive behind the model has a file of the name {name!r}"
        yield Finding("warning", "file", what, "do not unpack it: the name leads out of its folder", "archive-name")


def _buffers(source: Any, used: Set[int]) -> Iterator[Finding]:
    loose, bad = 0, 0
    for index, table in enumerate(source.buffers.tables):
        offset, length = source.buffers.extent(index)
        if offset + length > source.file.size:
            what = f"bytes {offset} to {offset + length} lie beyond the end of the file"
            severity: Severity = "error" if index in used else "warning"  # interpreters look at those of tensors alone
            yield Finding(severity, f"buffer {index}", what, "get the file again", "buffer-bounds")
        if length and table.extent("data") is not None:
            loose += offset % _ALIGNMENT > 0
            bad += offset % _LEAST_ALIGNMENT > 0
        if not index and length:
            what = "it holds data, but stands for no data"
            yield Finding("warning", "buffer 0", what, "convert the model anew", "buffer-sentinel")
    if bad:
        what = f"{_misplaced(bad, _LEAST_ALIGNMENT)}: 32-bit ARM cannot read them"
        yield Finding("warning", "file", what, "any edit aligns them", "buffer-alignment")
    elif loose:
        what = f"{_misplaced(loose, _ALIGNMENT)}, as the schema wants"
        yield Finding("note", "file", what, "any edit aligns them", "buffer-alignment")


def _misplaced(count: int, alignment: int) -> str:
    return f"{plural(count, 'buffer')} {'does' if count == 1 else 'do'} not start at a multiple of {alignment} bytes"


def _constants(model: Model) -> Iterator[Finding]:
    first: Any = model.raw
    files = {one.image: one for one in (first, *first.taken_in)}  # numbers of buffers are those of a tensor's own file
    for graph in model.graphs:
        for value in graph.values:
            where = f"tensor {value} (#{value.port})"
            source = files.get(value.raw.table.image, first) if value.raw is not None else first
            index = value.raw.table.get("buffer") if value.raw is not None and source.version == _VERSION else 0
            count = len(source.buffers.tables)
            if index and index >= count:
                what = f"its buffer is {index} of {count}"
                yield Finding("error", where, what, "convert the model anew", "buffer-index")
            elif index and value.tensor is None and source.buffers.is_empty_list(index) and _holds_any(value):
                what = f"its buffer is a list of no bytes, and {value.dtype} of shape {value.shape} takes some"
                yield Finding("error", where, what, "a tensor that is not stored has buffer 0", "buffer-size")
            yield from _constant(where, value)


def _holds_any(value: Value) -> bool:
    """Say whether an interpreter makes room for a tensor: unknown dimensions are stored as 1."""
    stored = value.raw.table.scalars("shape") if value.raw is not None else ()
    return bool(value.dtype is not None and value.dtype.bits and all(stored))


def _constant(where: str, value: Value) -> Iterator[Finding]:
    tensor = value.tensor
    stored = tensor.source if tensor is not None else None
    if tensor is None or not isinstance(stored, BufferSource):
        return
    if stored.external:
        try:
            stored.range()
        except GraphSurgeonError as error:
            hint = "put the file beside the model"
            yield Finding("error", where, f"its values cannot be read: {error}", hint, "external-buffer")
        return
    if tensor.dtype is STRING and stored.nbytes <= _MOST_TEXT:
        try:
            stored.strings()
        except FormatError as error:
            yield Finding("error", where, error.message, "convert the model anew", "buffer-size")
    if not tensor.dtype.bits or stored.sparsity is not None:
        return
    expected = -(-tensor.num_elements * tensor.dtype.bits // 8)
    if stored.nbytes not in (expected, tensor.nbytes):
        what = f"{plural(stored.nbytes, 'byte')} for {tensor.dtype} of shape {tensor.shape}, which takes {expected}"
        severity: Severity = "error" if stored.nbytes < expected else "warning"  # interpreters take more, not less
        yield Finding(severity, where, what, "convert the model anew", "buffer-size")
