"""Tensors inside two builds of one network that correspond: of one framework by structure, of two by names and shapes.

Two TFLite builds (float, float16, quantized) have the same operators in the same order, once those that only change
types are left out; names there are no guide, for numbers are appended to make them unique. Between TensorFlow and
TFLite a name tells: an operator that stands for several nodes has the names of all of them, joined by `;`.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from difflib import SequenceMatcher

from graphsurgeon.compare.alignment import align
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.traversal import in_postorder, producers
from graphsurgeon.ops.kinds import CONSTANTS, MUST_BE_FED, TFLITE_TYPES_ONLY, VALUE_READS, VARIABLES
from graphsurgeon.shapes.report import ShapeReport

Pair = tuple[Value, Value]
_CALLS = re.compile(r"^((Stateful)?PartitionedCall(_\d+)?/)+")  # scopes that inlined calls put in front
_HELD = CONSTANTS | VARIABLES | MUST_BE_FED | VALUE_READS


def pair_tensors(
    one: Graph, other: Graph, shapes: tuple[ShapeReport, ShapeReport], needed: tuple[Container[Node], Container[Node]]
) -> list[Pair]:
    """Return the tensors of two graphs that correspond, in the order in which the first one computes them.

    Args:
        one, other: main graphs without calls, or TFLite subgraphs.
        shapes: of each.
        needed: the nodes of each that what is compared needs.
    """
    if one.vocabulary != other.vocabulary:
        ours, theirs = (
            [value for value in _yielded(_computed(graph)) if value.producer in inside]
            for graph, inside in ((one, needed[0]), (other, needed[1]))
        )
        if one.kind == "subgraph":
            return _by_names(ours, theirs, shapes)
        back = {partner: value for value, partner in _by_names(theirs, ours, (shapes[1], shapes[0]))}
        return [(value, back[value]) for value in ours if value in back]
    if one.kind == "subgraph":
        return list(_by_operators(one, other))
    alignment = align(one, other, {})
    found = ((value, alignment.image(value)) for value in _yielded(_computed(one)))
    return [(value, image) for value, image in found if image is not None]


def _by_operators(one: Graph, other: Graph) -> Iterator[Pair]:
    """Pair what operators yield that come in the same order, with the same shapes."""
    ours, theirs = ([node for node in graph.nodes if node.op not in TFLITE_TYPES_ONLY] for graph in (one, other))
    matcher = SequenceMatcher(None, [_mark(node) for node in ours], [_mark(node) for node in theirs], autojunk=False)
    for start, twin, count in matcher.get_matching_blocks():
        for node, partner in zip(ours[start : start + count], theirs[twin : twin + count], strict=True):
            yield from zip(node.outputs, partner.outputs, strict=False)


def _mark(node: Node) -> tuple[str, tuple[str, ...]]:
    return node.op, tuple(str(value.shape) for value in node.outputs)


def _by_names(ours: Sequence[Value], theirs: Sequence[Value], shapes: tuple[ShapeReport, ShapeReport]) -> list[Pair]:
    """Pair each tensor of one, in order, with the last computed of the other that has one of its names and its shape.

    Args:
        ours: in the order of computation; those that go by several names, if either do.
        theirs: the same of the other graph.
        shapes: of both.
    """
    known: dict[str, list[tuple[int, Value]]] = {}
    for place, value in enumerate(theirs):
        for name in _names(value):
            known.setdefault(name, []).append((place, value))
    found: list[Pair] = []
    for value in ours:
        shape = shapes[0].shape(value)
        alike = [one for name in _names(value) for one in known.get(name, ())]
        fitting = [one for one in alike if _fits(shape, shapes[1].shape(one[1]))]
        if fitting:
            found.append((value, max(fitting, key=lambda one: one[0])[1]))
    return found


def _names(value: Value) -> Iterator[str]:
    """Yield the names that a tensor goes by, without output numbers and without what several functions put in front."""
    text = value.name if value.graph.kind == "subgraph" else str(value)
    for part in (text or "").split(";"):
        name = _CALLS.sub("", part.partition(":")[0])
        if name:
            yield name


def _fits(one: Shape, other: Shape) -> bool:
    return one.rank is not None and one.rank == other.rank and one.is_compatible_with(other)


def _computed(graph: Graph) -> Sequence[Node]:
    """Return nodes behind those whose values they read."""
    return list(in_postorder(graph.nodes, lambda node: (*producers(node.inputs), *node.controls)))


def _yielded(nodes: Iterable[Node]) -> Iterator[Value]:
    return (value for node in nodes if node.op not in _HELD for value in node.outputs)
