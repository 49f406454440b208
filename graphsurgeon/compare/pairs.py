"""Which entry of one model is to be compared with which of another, and which inputs and outputs correspond."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, TypeAlias

from graphsurgeon.compare.across import pair_across
from graphsurgeon.compare.align_functions import align_metagraphs
from graphsurgeon.compare.alignment import Alignment
from graphsurgeon.compare.cuts import entry_of_whole
from graphsurgeon.compare.entries import Entry, EntryPair, Input, Loader, OneRun, Skipped, entries, graph_entry
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

Image: TypeAlias = Callable[[Value], Value | None]


def make_call(
    loader: Loader, entry: Entry, feeds: Mapping[str, np.ndarray[Any, Any]], outputs: Mapping[str, str]
) -> OneRun:
    """Return a call of an entry.

    Args:
        loader: what runs it.
        entry: what is called.
        feeds: data by the names of the entry's inputs.
        outputs: name of a result -> name of an output of the entry.
    """
    types = {name: entry.inputs[name].dtype for name in feeds}
    if entry.key is not None and _takes_keys(loader, entry):
        dtypes = {name: dtype.name for name, dtype in types.items() if dtype is not None}
        return OneRun(loader, entry.key, dict(feeds), dict(outputs), dtypes)
    name_of = tensor_name if loader in ("session", "interpreter") else str
    tensors = {name: name_of(entry.inputs[name].value) for name in feeds}
    return OneRun(
        loader,
        None,
        {tensors[name]: array for name, array in feeds.items()},
        {name: name_of(entry.outputs[output]) for name, output in outputs.items()},
        {tensors[name]: dtype.name for name, dtype in types.items() if dtype is not None},
    )


def _takes_keys(loader: Loader, entry: Entry) -> bool:
    """Say whether a loader knows inputs and outputs by a signature's keys: OpenVINO those of a SavedModel."""
    is_stored = any(value.graph.kind == "subgraph" for value in entry.outputs.values())
    return loader in ("object", "interpreter") or (loader == "openvino" and not is_stored)


def tensor_name(value: Value) -> str:
    """Return how runtimes name a tensor: `node:0`; of TFLite, whose names repeat, its index."""
    return f"#{value.port}" if value.graph.vocabulary == TFLITE else str(value)


def pair_entries(before: Model, after: Model, first: MetaGraph, second: MetaGraph) -> tuple[list[EntryPair], Skipped]:
    """Pair what can be called of two models; what cannot be paired comes with the reason."""
    ours, theirs = entries(before, first), entries(after, second)
    if not ours or not theirs:
        return [], [("the graph", "nothing says what comes out")]
    if first.vocabulary != second.vocabulary:
        return pair_across(ours, theirs)
    pairs, skipped = _by_alignment(ours, theirs, first, second)
    if not pairs and not any(entry.problem for entry in (*ours, *theirs)):
        found, more = pair_across(ours, theirs)
        return (found, more) if found else (pairs, skipped)
    return pairs, skipped


def _by_alignment(
    ours: list[Entry], theirs: list[Entry], first: MetaGraph, second: MetaGraph
) -> tuple[list[EntryPair], Skipped]:
    """Pair entries of two graphs of the same ops, whose nodes correspond."""
    _, alignments = align_metagraphs(first, second)
    alignment = alignments[first.graph]
    image = _across(alignments)
    has_keys = ours[0].key is not None, theirs[0].key is not None
    pairs: list[EntryPair] = []
    skipped: Skipped = []
    if all(has_keys):
        partners = _partners(ours, theirs, image)
        for entry in ours:
            partner = partners.get(entry.key)
            _add(pairs, skipped, _whole(entry, partner, alignment, image), partner, image)
    elif has_keys[0]:
        for entry in ours:
            _add(pairs, skipped, entry, _by_keys(entry, second), image)
    elif has_keys[1]:
        back = {value: key for key, value in _images(alignment).items()}
        for entry in theirs:
            _add(pairs, skipped, _whole(_by_images(entry, first, back), entry, alignment, image), entry, image)
    else:
        outputs = {name: found for name, value in ours[0].outputs.items() if (found := image(value))}
        partner = graph_entry(second, outputs) if outputs else theirs[0]
        _add(pairs, skipped, _whole(ours[0], partner, alignment, image), partner, image)
    return pairs, skipped


def _across(alignments: Mapping[Graph, Alignment]) -> Image:
    """Return what gives the counterpart of a value, of whatever graph: signatures of TFLite have one each."""

    def image(value: Value) -> Value | None:
        alignment = alignments.get(value.graph)
        return alignment.image(value) if alignment is not None else None

    return image


def _partners(ours: list[Entry], theirs: list[Entry], image: Image) -> dict[str | None, Entry]:
    """Return the entry of the second model for a key of the first: of the same key, else of the same outputs."""
    found = {entry.key: entry for entry in theirs}
    known = {entry.key for entry in ours}
    renamed = [entry for entry in theirs if entry.key not in known]
    for entry in (entry for entry in ours if entry.key not in found):
        images = {image(value) for value in entry.outputs.values()}
        alike = [other for other in renamed if set(other.outputs.values()) == images]
        if len(alike) == 1:
            found[entry.key] = alike[0]
            renamed.remove(alike[0])
    return found


def _whole(before: Entry | None, after: Entry | None, alignment: Alignment, image: Image) -> Entry | None:
    """Return the first entry, or what stands for the second one where that is of a part with ends of its own."""
    if after is None or after.problem or alignment.before.kind != "main":
        return before
    if before is None:
        return entry_of_whole(after, alignment)
    inputs = _matched(before.inputs, after.inputs, image, lambda entry: entry.value)
    unfed = after.inputs.keys() - inputs.values()
    is_part = not _matched(before.outputs, after.outputs, image, lambda value: value)
    if is_part or any(not after.inputs[name].optional for name in unfed):
        return entry_of_whole(after, alignment) or before
    return before


def _add(pairs: list[EntryPair], skipped: Skipped, before: Entry | None, after: Entry | None, image: Image) -> None:
    name = (before and before.key) or (after and after.key) or "the graph"
    if before is None or after is None:
        skipped.append((name, "only one of the models has it"))
        return
    if before.problem or after.problem:
        skipped.append((name, before.problem or after.problem))
        return
    inputs = _matched(before.inputs, after.inputs, image, lambda entry: entry.value)
    outputs = _matched(before.outputs, after.outputs, image, lambda value: value)
    if not outputs:
        skipped.append((name, "no output is in both models"))
        return
    own = [key for key, item in after.inputs.items() if not item.optional and key not in inputs.values()]
    if own:
        skipped.append((name, f"the second model takes {', '.join(own)}, which cannot be fed to the first"))
        return
    skipped += [
        (f"{name}, {key}", "the second model has no such output") for key in before.outputs if key not in outputs
    ]
    pairs.append(EntryPair(before, after, inputs, outputs))


def _matched(before: Mapping[str, Any], after: Mapping[str, Any], image: Image, value_of: Any) -> dict[str, str]:
    """Return name -> name: of equal names, else of the tensor that the first one has become."""
    found = {name: name for name in before if name in after}
    left = {value_of(item): name for name, item in after.items() if name not in found}
    for name, item in before.items():
        counterpart = image(value_of(item)) if name not in found else None
        if counterpart is not None and counterpart in left:
            found[name] = left.pop(counterpart)
    return found


def _images(alignment: Alignment) -> dict[Value, Value]:
    """Return every value of the first graph that has a counterpart, with it."""
    found = {
        value: image
        for node in alignment.nodes
        for value in node.outputs
        if (image := alignment.image(value)) is not None
    }
    return {**alignment.sources, **found}


def _by_keys(entry: Entry, metagraph: MetaGraph) -> Entry | None:
    """Return the tensors of a graph without signatures that stand for those of one: of its keys' names, or its own."""
    graph = metagraph.graph

    def counterpart(key: str, value: Value) -> Value | None:
        return graph.value(key) or graph.value(str(value))

    outputs = {key: found for key, value in entry.outputs.items() if (found := counterpart(key, value)) is not None}
    if not outputs:
        return None
    needed = graph_entry(metagraph, outputs)
    by_value = {item.value: item for item in needed.inputs.values()}
    inputs: dict[str, Input] = {}
    for key, item in entry.inputs.items():
        found = counterpart(key, item.value)
        if found is not None:
            inputs[key] = Input(key, found, item.dtype, item.shape, item.optional)
            by_value.pop(found, None)
    inputs.update({item.name: item for item in by_value.values()})
    return Entry(None, inputs, outputs)


def _by_images(entry: Entry, metagraph: MetaGraph, back: Mapping[Value, Value]) -> Entry | None:
    """Return the tensors of a graph without signatures that a signature of the other model names."""
    outputs = {key: back[value] for key, value in entry.outputs.items() if value in back}
    if not outputs:
        return None
    inputs = {
        key: Input(key, back[item.value], item.dtype, item.shape, item.optional)
        for key, item in entry.inputs.items()
        if item.value in back
    }
    fed = {item.value for item in inputs.values()}
    others = {name: item for name, item in graph_entry(metagraph, outputs).inputs.items() if item.value not in fed}
    return Entry(None, {**others, **inputs}, outputs)
