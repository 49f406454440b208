"""What a part of a graph computes, in the graph that it was cut out of: fed where it was cut, fetched where it ends.

Where a tensor was cut there is a placeholder now. Its consumers have counterparts in the whole graph, and what these
read in the same place is the tensor.
"""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.compare.alignment import Alignment
from graphsurgeon.compare.entries import Entry, Input, placeholder_input
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.traversal import producers, upstream
from graphsurgeon.ops.kinds import PLACEHOLDERS


def entry_of_whole(part: Entry, alignment: Alignment) -> Entry | None:
    """Return the tensors of the first graph that an entry of the second takes and gives, None if some are not found.

    Args:
        part: an entry of the second graph.
        alignment: which node of the first graph is which of the second.
    """
    back = {image: node for node, image in alignment.nodes.items()}
    found = {name: _given(value, back) for name, value in part.outputs.items()}
    outputs = {name: value for name, value in found.items() if value is not None}
    inputs: dict[str, Input] = {}
    for name, item in part.inputs.items():
        value = _taken(item.value, back) or _same(item.value, back)  # a placeholder's own counterpart may be a guess
        if value is not None:
            inputs[name] = Input(name, value, item.dtype, item.shape, item.optional, item.default)
        elif not item.optional:
            return None
    # What the edit has made a constant of is fed to the whole graph alone.
    fed = {item.value for item in inputs.values()}
    unfed = [node for node in upstream(producers(outputs.values(), fed), fed=fed) if node.op in PLACEHOLDERS]
    inputs.update((node.name, placeholder_input(node)) for node in unfed)
    return Entry(None, inputs, outputs) if outputs else None


def _same(value: Value, back: Mapping[Node, Node]) -> Value | None:
    node = back.get(value.producer) if value.producer is not None else None
    return node.output(value.port) if node is not None and isinstance(value.port, int) else None


def _given(value: Value, back: Mapping[Node, Node]) -> Value | None:
    """Return the counterpart of a result; an Identity that gives it a name of its own has none."""
    seen: set[Node] = set()
    while (found := _same(value, back)) is None:
        node = value.producer
        if node is None or node.op != "Identity" or node in seen:
            return None
        seen.add(node)
        value = node.inputs[0]
    return found


def _taken(value: Value, back: Mapping[Node, Node]) -> Value | None:
    """Return what the counterpart of a placeholder's consumer reads in its place."""
    for node in value.consumers:
        whole = back.get(node)
        if whole is not None and len(whole.inputs) == len(node.inputs):
            return next(read for read, now in zip(whole.inputs, node.inputs, strict=True) if now is value)
    return None
