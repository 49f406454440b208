"""What a TFLite model that is being edited says of itself: which of its inputs and outputs its metadata describes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from graphsurgeon.formats.tflite import support
from graphsurgeon.formats.tflite.attrs import is_of
from graphsurgeon.formats.tflite.metadata import KIND
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import Collection, CollectionItem, MetaGraph
from graphsurgeon.model.node import Value
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from graphsurgeon.formats.tflite.read import TfliteModelSource


def bytes_of(item: CollectionItem) -> bytes:
    """Return the bytes of an entry, as it was read or made."""
    return item.value.tobytes() if isinstance(item.value, Tensor) else bytes(item.value)  # type: ignore[call-overload]


def bytes_now(metagraph: MetaGraph) -> bytes:
    """Return the metadata in step with the inputs and outputs of today; nothing where it tells nothing of them."""
    item = entry_of(metagraph)
    return (support.in_step(bytes_of(item), sides_of(metagraph, item)) or b"") if item is not None else b""


def entry_of(metagraph: MetaGraph) -> CollectionItem | None:
    """Return the entry that MediaPipe reads, None if there is none."""
    collection = metagraph.collections.get(support.NAME)
    return collection.items[0] if collection is not None and collection.items else None


def describe(metagraph: MetaGraph, described: support.Described) -> None:
    """Let a model say this of its inputs and outputs of today; files that are to be added stay so."""
    graph = metagraph.graph
    described.inputs, described.outputs = list(graph.inputs), [output.value for output in graph.outputs]
    collection = metagraph.collections.setdefault(support.NAME, Collection(support.NAME, KIND, []))
    if not collection.items:
        collection.items.append(CollectionItem("", {}, described))
    elif isinstance(collection.items[0].value, support.Described):
        described.files = {**collection.items[0].value.files, **described.files}
    collection.items[0].value = described


def sides_of(metagraph: MetaGraph, item: CollectionItem) -> support.Sides:
    """Return what has become of inputs and outputs since the metadata was read or made."""
    graph = metagraph.graph
    source: TfliteModelSource = metagraph.raw  # type: ignore[assignment]
    outputs = [output.value for output in graph.outputs] if graph.is_lifted else []
    if isinstance(item.value, support.Described):
        known = item.value.inputs, item.value.outputs
        return support.Sides(0, (len(known[0]), len(known[1])), _places(metagraph, graph, known, outputs))
    origin: Any = graph.raw
    index = getattr(origin, "index", None)
    table = source.subgraphs[index or 0].raw.table  # type: ignore[union-attr]
    counts = len(table.scalars("inputs")), len(table.scalars("outputs"))
    if index is None or not graph.is_lifted:
        return support.Sides(index or 0, counts, (range(counts[0]), range(counts[1])))
    by_index = {value.raw.index: value for value in graph.values if is_of(value, source.root)}
    stood = [[by_index.get(number) for number in table.scalars(side)] for side in ("inputs", "outputs")]
    return support.Sides(index, counts, _places(metagraph, graph, (stood[0], stood[1]), outputs))


def called(metagraph: MetaGraph, value: Value, side: str) -> str:
    """Return what an input or output is called from outside: its key, where a signature has it, else its name."""
    for signature in metagraph.signatures.values():
        for key, entry in getattr(signature, side).items() if signature.graph is value.graph else ():
            if entry.mention is not None and entry.mention.target is value:
                return str(key)
    return value.name or f"tensor_{value.port}"


def _places(
    metagraph: MetaGraph,
    graph: Graph,
    stood: tuple[Sequence[Value | None], Sequence[Value | None]],
    outputs: Sequence[Value],
) -> tuple[list[support.Place], list[support.Place]]:
    """Return for each input and output where it stood, or its name; one that stood twice has both places."""
    found: tuple[list[support.Place], list[support.Place]] = ([], [])
    sides = zip(found, stood, (graph.inputs, outputs), ("inputs", "outputs"), strict=True)
    for places, before, values, side in sides:
        free: dict[Value | None, list[int]] = {}
        for number, value in reversed([*enumerate(before)]):
            free.setdefault(value, []).append(number)
        for value in values:
            numbers = free.get(value)
            places.append(numbers.pop() if numbers else called(metagraph, value, side))
    return found
