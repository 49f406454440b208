"""What the catalog says of one model: a row of plain values that can be sent, stored and compared."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any, TypeAlias

from graphsurgeon.analysis import fingerprint
from graphsurgeon.analysis.stored_weights.variables import named_variables
from graphsurgeon.analysis.stored_weights.weight_totals import first_entries
from graphsurgeon.analysis.stored_weights.weights import Allowance, Weight, list_weights
from graphsurgeon.analysis.summary import GraphSummary, SignatureTensor, Summary, summarize
from graphsurgeon.checks.check import check
from graphsurgeon.disk import crc32c
from graphsurgeon.disk.files import is_file, is_folder, stamp, tree_names
from graphsurgeon.disk.places import path_of
from graphsurgeon.errors import FileError, FormatError, GraphSurgeonError, UnsupportedError
from graphsurgeon.fleet.columns import COLUMNS
from graphsurgeon.fleet.pool import DiedError, TooLongError, TooMuchError
from graphsurgeon.formats import read
from graphsurgeon.formats.checkpoint.find import stored_checksums
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.scanning.finding import Threat
from graphsurgeon.scanning.scan import scan, scan_read

Row: TypeAlias = dict[str, Any]
_UNKNOWN = -1  # of a dimension: a list of integers with holes becomes one of floats in pandas
_MOST_FINDINGS = 100  # of one model; a row is no report
_MOST_FILES = 1000  # of a folder that cannot be read
_MOST_COUNT = (1 << 63) - 1  # what a hostile file may claim, and a column hold
_SAVE_COUNTER = "save_counter"  # counts how often a checkpoint was written: no weight


@dataclass(frozen=True)
class Wanted:
    """What a row is to say.

    Attributes:
        checksum: read all weights where no checksum is stored, so that models of every format compare.
        findings: run `check` and `scan`.
    """

    checksum: bool = False
    findings: bool = True


_USUAL = Wanted()
_KINDS: tuple[tuple[type[GraphSurgeonError], str], ...] = (
    (TooLongError, "time"),
    (TooMuchError, "memory"),
    (DiedError, "died"),
    (FormatError, "damaged"),
    (FileError, "unreadable"),
    (UnsupportedError, "unsupported"),
)


def describe(path: str, wanted: Wanted = _USUAL) -> Row:
    """Return the row of one model: every column of the catalog but those that compare it with other models.

    What goes wrong with the model is in `error` and `error_kind`. Runs in any thread, process or worker.

    Args:
        path: as `read` takes it.
        wanted: what to look at.
    """
    begun = perf_counter()
    row: Row = {**dict.fromkeys(COLUMNS), "path": path}
    try:
        row |= _described(path, wanted)
    except GraphSurgeonError as error:
        row |= failed(path, error)
        row["findings"] = _threats_of_file(path) if wanted.findings else []
    row["worst"] = _worst(row["findings"])
    row["seconds"] = round(perf_counter() - begun, 4)
    return row


def describe_item(item: tuple[str, Wanted]) -> Row:
    """Return the row of a path and what is wanted of it, sent together."""
    return describe(*item)


def failed(path: str, error: GraphSurgeonError) -> Row:
    """Return what a row says of a model that could not be looked at."""
    files = _stamps(_files_of(path_of(path)))
    return {
        **dict.fromkeys(COLUMNS),
        "path": path,
        "files": files,
        "bytes": sum(file["bytes"] for file in files) if files else None,
        "findings": [],
        "error": str(error),
        "error_kind": next((kind for known, kind in _KINDS if isinstance(error, known)), "unclear"),
    }


def _files_of(path: Path) -> list[str]:
    """Return the files whose change may mend what cannot be read."""
    if is_file(path):
        return [str(path)]
    if is_folder(path):
        return [str(path / name) for name in tree_names(path)[:_MOST_FILES] if not name.endswith("/")]
    index = path.with_name(path.name + ".index")
    return [str(index)] if is_file(index) else []


def _described(path: str, wanted: Wanted) -> Row:
    model = read(path)
    summary = summarize(model)
    own = _own_weights(model)
    ops = _ops(summary.graphs)
    unknown = sorted({op for graph in summary.graphs for op in graph.unknown_ops})
    is_lite = model.traits.vocabulary == TFLITE
    return {
        "format": summary.format,
        "files": _stamps(places(model)),
        "bytes": summary.bytes,
        "structure": fingerprint.structure(model),
        "weights": _weights(model, own, read_all=wanted.checksum),
        "outline": fingerprint.outline(model, [(weight.dtype.name, weight.shape) for weight in own]),
        **_producer(summary.producer),
        "tags": [",".join(graph.tags) for graph in summary.graphs if graph.tags is not None],
        "signatures": _signatures(summary),
        "ops": [{"op": op, "count": count} for op, count in ops.most_common()],
        "op_names": sorted(ops),
        "unknown_ops": [] if is_lite else unknown,
        "custom_ops": unknown if is_lite else [],
        "nodes": sum(graph.nodes for graph in summary.graphs),
        "functions": sum(graph.functions for graph in summary.graphs),
        "parameters": min(sum(weight.tensor.num_elements for weight in own), _MOST_COUNT),
        "weight_bytes": min(sum(weight.bytes for weight in own), _MOST_COUNT),
        "dtypes": _dtypes(own),
        "assets": list(summary.assets),
        "findings": list(_findings(path, model)) if wanted.findings else [],
        "notes": list(summary.notes),
    }


def _own_weights(model: Model) -> list[Weight]:
    """Return variables, each once and without what an optimizer keeps, and constants of 16 elements and more."""
    named = [] if model.checkpoint is None else named_variables(model.checkpoint, model)
    once = {one.key for one in first_entries(one for one in named if one.kind == "variable")}
    weights = list_weights(model, model.metagraphs, lambda metagraph: metagraph.graphs)
    return [
        weight
        for weight in weights
        if weight.kind == "constant" or (weight.name in once and _SAVE_COUNTER not in weight.name)
    ]


def _producer(producer: Any) -> Row:
    version = producer.get("version")
    return {
        "framework": producer.get("framework"),
        "framework_version": None if version is None else str(version),
        "tensorflow": producer.get("tensorflow"),
        "graph_version": producer.get("graph_version"),
        "min_consumer": producer.get("min_consumer"),
    }


def _ops(graphs: Sequence[GraphSummary]) -> Counter[str]:
    ops: Counter[str] = Counter()
    for graph in graphs:
        ops.update(graph.ops)
    return ops


def _signatures(summary: Summary) -> list[Row]:
    found = []
    for graph in summary.graphs:
        for key, signature in graph.signatures.items():
            sides = {"inputs": _tensors(signature.inputs), "outputs": _tensors(signature.outputs)}
            found.append({"key": key, "method": signature.method, **sides})
    if not found:  # what goes in and comes out is known of a bare graph, too
        for graph in summary.graphs[:1]:
            inputs = {fact.tensor.name: SignatureTensor(fact.tensor) for fact in graph.inputs}
            outputs = {fact.tensor.name: SignatureTensor(fact.tensor) for fact in graph.outputs}
            if inputs or outputs:
                found.append({"key": "", "method": "", "inputs": _tensors(inputs), "outputs": _tensors(outputs)})
    return found


def _tensors(entries: Any) -> list[Row]:
    return [{"name": name, **_typed(entry.tensor.dtype, entry.tensor.shape)} for name, entry in entries.items()]


def _typed(dtype: DType | None, shape: Shape | None) -> Row:
    dims = None if shape is None else shape.to_json()
    whole = None if dims is None else [_UNKNOWN if dim is None else dim for dim in dims]
    return {"dtype": None if dtype is None else dtype.name, "shape": whole}


def _dtypes(weights: Iterable[Weight]) -> list[Row]:
    counts: Counter[str] = Counter()
    sizes: Counter[str] = Counter()
    for weight in weights:
        counts[weight.dtype.name] += 1
        sizes[weight.dtype.name] += weight.bytes
    return [
        {"dtype": dtype, "count": count, "bytes": min(sizes[dtype], _MOST_COUNT)}
        for dtype, count in counts.most_common()
    ]


def _weights(model: Model, weights: Sequence[Weight], *, read_all: bool) -> str | None:
    """Return a checksum of the set of weights, whatever they are called; None where it is not known."""
    allowance = Allowance(sum(model.files.values()))
    parts = set()
    for weight in weights:
        found = stored_checksums(weight.tensor)
        if found is None and read_all and weight.dtype.bits:
            allowance.take(weight.bytes)
            found = [_checksum(weight)]
        if found is None:
            if weight.kind == "variable":
                return None
            continue  # constants beside variables are part of the structure, more or less
        parts.add(f"{weight.dtype} {weight.shape} {found}")
    return hashlib.blake2b("\n".join(sorted(parts)).encode(), digest_size=16).hexdigest() if parts else None


def _checksum(weight: Weight) -> int:
    found = 0
    for chunk in weight.tensor.chunks():
        found = crc32c.crc32c(chunk, found)
    return crc32c.mask(found)


def _findings(path: str, model: Model) -> Iterator[Row]:
    found = check(model)
    for finding in found[:_MOST_FINDINGS]:
        yield {
            **dict.fromkeys(("op", "when", "target")),
            "source": "check",
            "severity": finding.severity,
            "what": finding.what,
            "where": finding.where,
        }
    yield from map(_threat, scan_read(path, model).findings[:_MOST_FINDINGS])


def _threats_of_file(path: str) -> list[Row]:
    """Return what a file that is no model could do: a pickle, an archive."""
    try:
        return [_threat(threat) for threat in scan(path).findings[:_MOST_FINDINGS]]
    except GraphSurgeonError:
        return []


def _threat(threat: Threat) -> Row:
    fields = ("severity", "op", "what", "where", "when", "target")
    return {"source": "scan", **{name: getattr(threat, name) for name in fields}}


def _worst(findings: Sequence[Row]) -> str | None:
    order = ("critical", "high", "error", "medium", "needs", "warning", "note", "info")
    return min((finding["severity"] for finding in findings), key=order.index, default=None)


def places(model: Model) -> list[str]:
    """Return the path of each file of a model; those of a folder are named within it."""
    if model.traits.layout != "folder":
        return list(model.files)
    return [str(path_of(model.path) / name) for name in model.files]


def _stamps(paths: Iterable[str]) -> list[Row]:
    found = []
    for path in paths:
        try:
            size, changed = stamp(path_of(path))
        except FileError:  # gone meanwhile: the row is made anew next time
            size, changed = -1, 0
        found.append({"name": str(path), "bytes": size, "mtime_ns": changed})
    return found
