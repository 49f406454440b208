"""What can be called of a model, and what a call gives: the words between those who compare and those who run.

Nothing here runs a model; a runner does (`bridges`), and is passed in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from graphsurgeon.analysis.candidates import likely_outputs
from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.flow.placeholders import placeholder_shape
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import upstream
from graphsurgeon.ops.kinds import PLACEHOLDERS

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

Loader = Literal["session", "object", "interpreter", "onnxruntime", "openvino", "keras"]
Skipped = list[tuple[str, str]]  # what cannot be compared, and why
_DEFAULT = "serving_default"  # the signature that loaders take which know one alone
INTERNAL = "__saved_model"  # beginning of the signatures that name what runs on load
_ONLY_LOADER: dict[str, Loader] = {
    "litert": "interpreter", "onnxruntime": "onnxruntime", "openvino": "openvino", "keras": "keras",
}  # fmt: skip
MOST_OUTPUTS = 10  # of a graph that does not say what comes out


@dataclass(frozen=True)
class Input:
    """Something that must be fed.

    Attributes:
        name: signature key, or the tensor's name.
        value: the tensor in the graph.
        dtype: None if unknown.
        shape: as the signature or the placeholder says.
        optional: has a value of its own.
        default: that value, where the signature has it; Python's loaders do not apply it.
    """

    name: str
    value: Value
    dtype: DType | None
    shape: Shape
    optional: bool = False
    default: Tensor | None = None


@dataclass(frozen=True)
class Entry:
    """A way into a model: a signature, or the graph as it is.

    Attributes:
        key: of the signature; None for the graph.
        inputs: by signature key or tensor name.
        outputs: signature key or tensor name -> tensor.
        problem: why it cannot be run from here; empty if it can.
    """

    key: str | None
    inputs: dict[str, Input]
    outputs: dict[str, Value]
    problem: str = ""


@dataclass(frozen=True)
class OneRun:
    """One run.

    Attributes:
        loader: "session" feeds and fetches tensors by name, "object" calls a signature of `tf.saved_model.load`,
            "interpreter" is LiteRT's; the others load a file in one way, and are named like their runtimes.
        signature: whose keys the feeds and fetches are; None for tensors by name.
        feeds: signature key or tensor name -> array.
        dtypes: types of the feeds, since numpy does not have all.
        fetches: name of a result -> signature key or tensor name.
    """

    loader: Loader
    signature: str | None
    feeds: Mapping[str, np.ndarray[Any, Any]]
    fetches: Mapping[str, str]
    dtypes: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """An array, and the name of the type that the runtime computed, if numpy has no such type."""

    dtype: str
    array: np.ndarray[Any, Any]


@dataclass(frozen=True)
class RunOutcome:
    """What a run gave: results by name, or why there are none."""

    results: dict[str, Result]
    error: str = ""


@dataclass(frozen=True)
class EntryPair:
    """Two entries that should compute the same.

    Attributes:
        before, after: the entries.
        inputs: name of an input of the first -> of the second.
        outputs: name of an output of the first -> of the second.
        layouts: input of the first -> the axes of its data in the order of the second, where they differ.
        other_layouts: more of them that the shapes allow as well.
        is_across: the models are of different frameworks: types of another width and transposed outputs are the same.
        notes: how they were paired, where that was not by names.
    """

    before: Entry
    after: Entry
    inputs: dict[str, str]
    outputs: dict[str, str]
    layouts: dict[str, tuple[int, ...]] = field(default_factory=dict)
    is_across: bool = False
    notes: tuple[str, ...] = ()
    other_layouts: tuple[dict[str, tuple[int, ...]], ...] = ()


class Runner(Protocol):
    """Runs calls on a model, all in one process."""

    def __call__(self, path: Path, calls: Sequence[OneRun], *, tags: Sequence[str] | None = None) -> list[RunOutcome]:
        """Return one outcome per call."""


def entries(model: Model, metagraph: MetaGraph) -> list[Entry]:
    """Return every public signature of a MetaGraph; without any, the graph with its likely outputs."""
    found = [
        _signature_entry(signature)
        for signature in metagraph.signatures.values()
        if not signature.key.startswith(INTERNAL)
    ]
    if found:
        return found
    likely = [candidate.value for candidate in likely_outputs(metagraph)[:MOST_OUTPUTS]]
    return [graph_entry(metagraph, {str(value): value for value in likely})] if likely else []


def graph_entry(metagraph: MetaGraph, outputs: Mapping[str, Value]) -> Entry:
    """Return an entry that fetches tensors of the main graph, and feeds the placeholders that these need."""
    graph = metagraph.graph
    if graph.kind == "subgraph":
        inputs = {
            str(value): Input(str(value), value, value.dtype, value.shape or UNKNOWN_RANK) for value in graph.inputs
        }
        return Entry(None, inputs, dict(outputs))
    roots = [value.producer for value in outputs.values() if value.producer is not None]
    needed = {node for node in upstream(roots) if node.op in PLACEHOLDERS}
    placeholders = [node for node in graph.nodes if node in needed]
    return Entry(None, {node.name: placeholder_input(node) for node in placeholders}, dict(outputs))


def placeholder_input(node: Node) -> Input:
    """Return a placeholder as something that is fed by its name."""
    value = node.output()
    return Input(node.name, value, dtype_of(value), placeholder_shape(node), node.op == "PlaceholderWithDefault")


def loaders_of(model: Model, metagraph: MetaGraph, entry: Entry, runtime: str = "") -> tuple[Loader, ...]:
    """Return the loaders that can run an entry; signatures of TF2 models can be run by two.

    Args:
        model: that is run.
        metagraph: of it.
        entry: what is called.
        runtime: what runs it; the first of its format's, without one.

    Raises:
        UnsupportedError: the runtime does not run this entry.
    """
    runtime = runtime or model.traits.runtime
    if runtime == "openvino" and model.traits.is_servable and entry.key not in (None, _DEFAULT):
        raise UnsupportedError(f"OpenVINO runs the signature {_DEFAULT!r} alone, not {entry.key!r}", path=model.path)
    if runtime in _ONLY_LOADER:
        return (_ONLY_LOADER[runtime],)
    is_object = entry.key is not None and len(model.metagraphs) == 1 and metagraph.objects is not None
    return ("object", "session") if is_object else ("session",)


def _signature_entry(signature: Signature) -> Entry:
    problem = ""
    inputs: dict[str, Input] = {}
    outputs: dict[str, Value] = {}
    for key, entry in signature.inputs.items():
        value = _target(entry)
        if value is None:
            problem = problem or f"input {key!r} is composite, or names nothing"
        else:
            default = signature.defaults.get(key)
            known = entry.dtype or dtype_of(value), entry.shape or UNKNOWN_RANK
            inputs[key] = Input(key, value, *known, default is not None, default)
    for key, entry in signature.outputs.items():
        value = _target(entry)
        if value is None:
            problem = problem or f"output {key!r} is composite, or names nothing"
        else:
            outputs[key] = value
    return Entry(signature.key, inputs, outputs, problem)


def _target(entry: SignatureEntry) -> Value | None:
    mention: Mention | None = entry.mention
    target = mention.target if mention is not None else None
    return target if isinstance(target, Value) else None
