"""Set what a TFLite model says of itself to MediaPipe Tasks: fields, labels, normalization; or take it away."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

from graphsurgeon.errors import UnsupportedError, UsageError, plural
from graphsurgeon.formats.tflite import support
from graphsurgeon.formats.tflite.describe import Json, parser_version, read_json, stated
from graphsurgeon.formats.tflite.described import bytes_now, called, describe
from graphsurgeon.formats.tflite.read import TfliteModelSource, told_of_archive
from graphsurgeon.model.calls import checked_call
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model

LABELS = "TENSOR_AXIS_LABELS"
_RGB = 3  # channels of a picture
_NORMALIZATION = "NormalizationOptions"


@dataclass(frozen=True)
class MetadataReport:
    """What was set.

    Attributes:
        set: what was set, one line each; empty where all was taken away.
        files: names and bytes of files that were put into the archive behind the model.
        notes: where MediaPipe Tasks will not take it.
    """

    set: tuple[str, ...] = ()
    files: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@checked_call
def set_metadata(
    model: Model,
    *,
    fields: Mapping[str, Any] | None = None,
    labels: Mapping[str, tuple[str, bytes]] | None = None,
    norm: Mapping[str, Sequence[float]] | None = None,
    remove: bool = False,
) -> MetadataReport:
    """Change the metadata of a TFLite model; one without any gets an entry for each input and output first.

    Args:
        model: changed in place.
        fields: as `gs metadata --json` prints them; what is not named stays, null takes a field away.
        labels: output (its name or key, empty for the only one) -> name of the file, and the file.
        norm: input (empty for the only one) -> mean and deviation of pixels: one of each, or one for each channel.
        remove: take all of it away, with the files that it names.

    Raises:
        UsageError: there is no such field, input or output; a number does not fit.
        UnsupportedError: the model is no TFLite model, or its metadata is not MediaPipe's.
    """
    if model.traits.vocabulary != TFLITE:
        raise UnsupportedError("only a TFLite model has such metadata")
    metagraph = model.metagraphs[0]
    archive = metagraph.raw.archive if isinstance(metagraph.raw, TfliteModelSource) else None
    behind = archive.names if archive is not None else ()
    model.notes = [note for note in model.notes if note != told_of_archive(behind)]  # the report says which there are
    if remove and (fields or labels or norm):
        raise UsageError("--remove leaves nothing to be set")
    if remove:
        return _remove(metagraph, behind)
    if not (fields or labels or norm):
        raise UsageError("nothing to set", hint="give --fields, --labels or --norm")
    graph = metagraph.graph
    before = bytes_now(metagraph)
    base = support.root_of(before)
    if before and base is None:
        raise UnsupportedError(f"the model has other bytes under the name {support.NAME}")
    said = read_json(before) or blank(metagraph, graph)
    _merge_json(said, fields or {})
    files: dict[str, bytes] = {}
    for name, numbers in (norm or {}).items():
        _normalize(_tensor(metagraph, said, "input", name), numbers)
    for name, (file, data) in (labels or {}).items():
        _label(_tensor(metagraph, said, "output", name), file)
        files[file] = data
    type_ = support.schema().table("ModelMetadata")
    stated(type_, base, said)  # what is wrong with it is told by this
    said["min_parser_version"] = parser_version(said)
    described = support.Described(support.packed(stated(type_, base, said)))
    described.files = files
    describe(metagraph, described)
    notes = [*_label_notes(metagraph, labels or {}), *_norm_notes(graph, said)]
    told = [f"field {name}" for name in fields or ()]
    told += [f"normalization of {name or 'the input'}" for name in norm or ()]
    told += [f"labels of {name or 'the output'}" for name in labels or ()]
    return MetadataReport(tuple(told), {name: len(data) for name, data in files.items()}, tuple(notes))


def _remove(metagraph: MetaGraph, behind: Collection[str]) -> MetadataReport:
    if support.NAME not in metagraph.collections:
        raise UsageError("the model has no metadata")
    named = support.file_names(bytes_now(metagraph))
    del metagraph.collections[support.NAME]
    left = sorted(name for name in behind if name not in named)
    stays = [f"what no metadata named stays behind the model: {', '.join(left)}"] if left else []
    return MetadataReport(notes=(*_norm_notes(metagraph.graph, {}), *stays))


def blank(metagraph: MetaGraph, graph: Graph) -> Json:
    """Return what is said of a model that says nothing: what its inputs and outputs are called."""
    sides = {
        "input_tensor_metadata": [{"name": called(metagraph, value, "inputs")} for value in graph.inputs],
        "output_tensor_metadata": [{"name": called(metagraph, one.value, "outputs")} for one in graph.outputs],
    }
    return {"subgraph_metadata": [sides]}


def _merge_json(said: Json, fields: Mapping[str, Any]) -> None:
    """Merge fields into what is said: objects by name, lists of objects by place."""
    for name, value in fields.items():
        old = said.get(name)
        if isinstance(value, Mapping) and isinstance(old, dict):
            _merge_json(old, value)
        elif isinstance(value, list) and isinstance(old, list) and all(isinstance(one, Mapping) for one in value):
            for number, one in enumerate(value):
                if number < len(old):
                    _merge_json(old[number], one)
                else:
                    old.append(one)
        else:
            said[name] = value


def _tensor(metagraph: MetaGraph, said: Json, side: str, name: str) -> Json:
    """Return what is said of an input or output, made if nothing is."""
    graph = metagraph.graph
    values = graph.inputs if side == "input" else [output.value for output in graph.outputs]
    if name:
        keys = [{called(metagraph, v, f"{side}s"), v.name, f"#{v.port}"} for v in values]
        found = [number for number, known in enumerate(keys) if name in known]
        if not found:
            there_is = ", ".join(called(metagraph, v, f"{side}s") for v in values)
            raise UsageError(f"the model has no {side} {name!r}", hint=f"there is {there_is}")
    elif len(values) == 1:
        found = [0]
    else:
        there_is = ", ".join(called(metagraph, v, f"{side}s") for v in values)
        raise UsageError(f"the model has {plural(len(values), side)}", hint=f"give NAME=...; there is {there_is}")
    subgraphs = said.setdefault("subgraph_metadata", [])
    if not subgraphs:
        subgraphs.append({})
    entries = subgraphs[0].setdefault(f"{side}_tensor_metadata", [])
    entries += [{"name": called(metagraph, v, f"{side}s")} for v in values[len(entries) :]]
    tensor: Json = entries[found[0]]
    return tensor


def _normalize(tensor: Json, numbers: Sequence[float]) -> None:
    half = len(numbers) // 2
    if len(numbers) not in (2, 2 * _RGB):
        raise UsageError(f"{plural(len(numbers), 'number')} for a normalization", hint="MEAN,STD or three of each")
    mean, std = list(numbers[:half]), list(numbers[half:])
    if 0 in std:
        raise UsageError("a deviation of 0 divides by zero", hint="MEAN,STD such as 127.5,127.5")
    units = [one for one in tensor.get("process_units") or () if one.get("options_type") != _NORMALIZATION]
    options = {"mean": mean, "std": std}
    tensor["process_units"] = [{"options_type": _NORMALIZATION, "options": options}, *units]
    image = {"content_properties_type": "ImageProperties", "content_properties": {"color_space": "RGB"}}
    tensor.setdefault("content", image)


def _norm_notes(graph: Graph, said: Json) -> list[str]:
    """Say where a picture has no normalization, or one by channel: it wants one pair, unless pixels are uint8."""
    subgraph: Json = next(iter(said.get("subgraph_metadata") or ()), {})
    entries = list(subgraph.get("input_tensor_metadata") or ())
    told = []
    for value, entry in zip_longest(graph.inputs, entries[: len(graph.inputs)], fillvalue=None):
        dims = value.shape.dims if value is not None and value.shape is not None else None
        if value is None or not dims or len(dims) != 4 or dims[-1] != _RGB or str(value.dtype) != "float32":
            continue
        units = [one for one in (entry or {}).get("process_units") or () if one.get("options_type") == _NORMALIZATION]
        options = units[0].get("options") or {} if units else {}
        if not units:
            told.append(f"MediaPipe Tasks takes no float32 picture without normalization (--norm): input {value}")
        elif any(len(set(options.get(name) or ())) > 1 for name in ("mean", "std")):
            told.append(f"MediaPipe Tasks takes no normalization by channel: input {value}")
    return told


def _label(tensor: Json, file: str) -> None:
    others = [one for one in tensor.get("associated_files") or () if one.get("type") != LABELS]
    tensor["associated_files"] = [{"name": file, "type": LABELS, "description": "Labels."}, *others]


def _label_notes(metagraph: MetaGraph, labels: Mapping[str, tuple[str, bytes]]) -> list[str]:
    """Say where a file has another number of labels than the output has classes: MediaPipe fails at the first run."""
    told = []
    outputs = {called(metagraph, one.value, "outputs"): one.value for one in metagraph.graph.outputs}
    for name, (file, data) in labels.items():
        value = outputs.get(name) or next(iter(outputs.values()))
        dims = value.shape.dims if value.shape is not None else None
        lines = data.decode("utf-8", "replace").split("\n")
        count = len(lines) - (not lines[-1].strip())
        if dims and dims[-1] not in (None, count):
            told.append(f"{file} has {plural(count, 'label')}, output {value} has {dims[-1]} classes")
    return told
