"""Run a model: a signature, or any tensors of it, on given or made data."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsurgeon.analysis.names import choose_metagraph, find_signature, find_value
from graphsurgeon.bridges.child import require_extra, runtime_of
from graphsurgeon.bridges.feeds import make_feed, parse_feeds
from graphsurgeon.bridges.fetching import fetched_first
from graphsurgeon.bridges.guard import NOTHING, Allowed, Tell, require_allowed
from graphsurgeon.bridges.probe import written
from graphsurgeon.bridges.runner import run_calls
from graphsurgeon.compare.entries import Entry, Loader, Result, RunOutcome, entries, graph_entry, loaders_of
from graphsurgeon.compare.inputs import assumed
from graphsurgeon.compare.pairs import make_call
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats import read
from graphsurgeon.formats.savedmodel.folder import require_contained
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.surgery import add_output

if TYPE_CHECKING:
    import numpy as np

FEW = 8  # values that a summary shows


@dataclass(frozen=True)
class ArraySummary:
    """What a report says of an array.

    Attributes:
        name: signature key, or tensor.
        dtype, shape: of the array.
        minimum, maximum, mean: of its finite numbers; None for strings, and where there are none.
        not_finite: how many numbers are infinite or NaN.
        values: the first few, row by row.
    """

    name: str
    dtype: str
    shape: Shape
    minimum: float | None = None
    maximum: float | None = None
    mean: float | None = None
    not_finite: int = 0
    values: list[Any] = field(default_factory=list)


@dataclass(frozen=True)
class RunReport:
    """What a run gave.

    Attributes:
        path: the model.
        signature: that was run; None for tensors of the graph.
        loader: what ran it: "object", "session", "interpreter", "onnxruntime", "openvino" or "keras".
        inputs, outputs: in short.
        results: the arrays by name, not part of the printed report.
    """

    path: str
    signature: str | None
    loader: str
    inputs: list[ArraySummary]
    outputs: list[ArraySummary]
    results: dict[str, Result]


@fetched_first
def run(
    path: str | os.PathLike[str],
    *,
    signature: str | None = None,
    outputs: Sequence[str] = (),
    feeds: Mapping[str, object] | Sequence[str] = (),
    assume: Mapping[str, Shape] | None = None,
    seed: int = 0,
    tags: Sequence[str] | None = None,
    graph: str | None = None,
    allowed: Allowed = NOTHING,
    tell: Tell | None = None,
    runtime: str | None = None,
) -> RunReport:
    """Run a model in a process of its own.

    Args:
        path: a SavedModel, GraphDef, `.meta` with its checkpoint, TFLite, ONNX or Keras model.
        signature: which; without one the default one, or the graph's likely outputs.
        outputs: instead of all outputs of the signature: some of its keys, or any tensors, inside functions too.
        feeds: input -> array, number, or text as `make_feed` takes it; or `NAME=DATA` texts. The others are random.
        assume: input -> shape, for data without one.
        seed: of random data.
        tags: of the MetaGraph.
        graph: limits the search for output tensors to one function or subgraph.
        allowed: what the model may reach outside itself.
        tell: is told what it does there, before it is run.
        runtime: what runs it; without it the first of its format's that is installed.

    Raises:
        UnsupportedError: the extra is missing, the model reaches outside itself, or the runtime fails; with what it
            says.
        UsageError: a name does not exist, or data do not fit.
    """
    model = read(path)
    runtime = runtime_of(model.traits, path, wanted=runtime)
    require_contained(model)
    require_extra(runtime)
    known = len(model.notes)
    metagraph = choose_metagraph(model, tags)
    for note in model.notes[known:] if tell is not None else ():
        assert tell is not None
        tell(note)
    entry = _entry(model, metagraph, signature)
    if outputs and all(name in entry.outputs for name in outputs):
        entry = Entry(entry.key, entry.inputs, {name: entry.outputs[name] for name in outputs}, entry.problem)
        outputs = ()
    if entry.problem:
        raise UnsupportedError(f"signature {entry.key!r} cannot be run from here: {entry.problem}", path=path)
    with _opened(model, metagraph, entry, outputs, graph, tags) as (place, chosen):
        arrays = _arrays(chosen, feeds, assume or {}, seed)
        chosen_tags = metagraph.tags if tags is None else tags
        require_allowed(model, metagraph, chosen.outputs.values(), allowed, tell)
        loaders = loaders_of(model, metagraph, chosen, runtime)
        return _run(model, loaders, place, chosen, arrays, chosen_tags, allowed.stand)


def _run(
    model: Model,
    loaders: Sequence[Loader],
    place: Path,
    entry: Entry,
    arrays: dict[str, np.ndarray[Any, Any]],
    tags: Sequence[str] | None,
    stand: Path | None,
) -> RunReport:
    names = {name: name for name in entry.outputs}
    prefix = model.checkpoint.prefix if model.checkpoint is not None and model.traits.variables == "beside" else None
    calls = [make_call(loader, entry, arrays, names) for loader in loaders]
    outcome, loader = RunOutcome({}, "nothing ran"), loaders[0]
    for call in calls:
        (outcome,) = run_calls(place, [call], tags=tags, checkpoint=prefix, stand=stand)
        loader = call.loader
        if not outcome.error:
            break
    if outcome.error:
        raise UnsupportedError(f"it does not run: {outcome.error}", path=model.path, hint=_advice(entry, outcome.error))
    inputs = [summary(name, str(array.dtype), array) for name, array in arrays.items()]
    results = [summary(name, result.dtype, result.array) for name, result in outcome.results.items()]
    return RunReport(model.path, entry.key, loader, inputs, results, outcome.results)


def summary(name: str, dtype: str, array: np.ndarray[Any, Any]) -> ArraySummary:
    """Return what a report says of an array."""
    import numpy as np

    shown = [item if isinstance(item, bytes) else item.item() for item in array.reshape(-1)[:FEW]]
    shape = Shape(array.shape)
    if array.dtype.kind == "O":
        return ArraySummary(name, "string", shape, values=shown)
    if array.dtype.kind == "c" or not array.size:
        return ArraySummary(name, dtype, shape, values=[str(item) for item in shown])
    finite = array[np.isfinite(array)].astype("f8")
    if not finite.size:
        return ArraySummary(name, dtype, shape, not_finite=array.size, values=shown)
    mean = float(finite.mean())
    low, high = float(finite.min()), float(finite.max())
    return ArraySummary(
        name, dtype, shape, low, high, mean if math.isfinite(mean) else None, array.size - finite.size, shown
    )


def _entry(model: Model, metagraph: MetaGraph, signature: str | None) -> Entry:
    found = {entry.key: entry for entry in entries(model, metagraph)}
    if signature is None and (None in found or not found):
        return found.get(None) or Entry(None, {}, {})
    return found[find_signature(metagraph, signature).key]


@contextmanager
def _opened(
    model: Model,
    metagraph: MetaGraph,
    entry: Entry,
    outputs: Sequence[str],
    graph: str | None,
    tags: Sequence[str] | None,
) -> Iterator[tuple[Path, Entry]]:
    """Yield where to load the model from, and what to call: for tensors inside functions a copy that shows them."""
    path = Path(model.path)
    if not outputs:
        if not entry.outputs:
            raise UsageError("nothing says what comes out", path=path, hint="give --outputs TENSOR")
        yield path, entry
        return
    keys = entry.outputs
    values = {name: keys[name] if name in keys else find_value(metagraph, name, graph=graph) for name in outputs}
    hidden = [name for name, value in values.items() if value.graph.kind == "function"]
    if not hidden:
        yield path, _with_keys(graph_entry(metagraph, values), entry)
        return
    shown = {name: metagraph.graph.unique_name(f"gs_probe_{place}") for place, name in enumerate(hidden)}
    add_output(model, shown, graph=graph, tags=tags)
    for name, node in shown.items():
        value = metagraph.graph.value(node)
        assert value is not None
        values[name] = value
    metagraph.resolve_mentions()
    with written(model) as place:
        yield place, _with_keys(graph_entry(metagraph, values), entry)


def _with_keys(found: Entry, signature: Entry) -> Entry:
    """Let inputs of tensors be known by the signature's keys too, whose types and shapes are told there."""
    keys: dict[Value, str] = {item.value: key for key, item in signature.inputs.items()}
    inputs = {}
    for name, item in found.inputs.items():
        key = keys.get(item.value)
        inputs[key or name] = signature.inputs[key] if key is not None else item
    return Entry(None, inputs, found.outputs)


def _arrays(
    entry: Entry, feeds: Mapping[str, object] | Sequence[str], assume: Mapping[str, Shape], seed: int
) -> dict[str, np.ndarray[Any, Any]]:
    given = dict(feeds) if isinstance(feeds, Mapping) else dict(parse_feeds(feeds, entry.inputs))
    for name in given:
        if name not in entry.inputs:
            raise UsageError(f"there is no input {name!r}", hint=f"there is {', '.join(entry.inputs)}")
    shapes = assumed(entry.inputs, assume)
    arrays = {}
    for name, item in entry.inputs.items():
        if name in given or not item.optional:
            arrays[name] = make_feed(item, given.get(name, "random"), seed=seed, shape=shapes.get(name))
        elif item.default is not None:
            arrays[name] = make_feed(item, item.default.numpy())
    return arrays


def _advice(entry: Entry, error: str) -> str:
    if not any(word in error.lower() for word in ("shape", "dimension", "size", "rank")):
        return ""
    unknown = [name for name, item in entry.inputs.items() if not item.shape.is_static]
    return f"if the made data have the wrong size, say it: --assume {unknown[0]}=SHAPE" if unknown else ""
