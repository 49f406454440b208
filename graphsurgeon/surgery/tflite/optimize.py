"""Optimize a TFLite model: operators on constants, operators that change nothing, what is there twice, what is dead.

Every bit stays. A runtime computes each operator of a subgraph whenever it runs, constants or not. What inputs,
outputs and signatures name stays, and so does whatever fills state or draws random numbers.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Any

from graphsurgeon.analysis.flow.effects import acts_in_tflite
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import TFLITE_RANDOM
from graphsurgeon.patterns.rules import rule_set
from graphsurgeon.surgery.replacing.ground import Ground
from graphsurgeon.surgery.replacing.rounds import Limits, Rounds
from graphsurgeon.surgery.tflite.constants import computed
from graphsurgeon.surgery.tflite.strip import strip_tflite
from graphsurgeon.surgery.tflite.tensors import unused_tensors

_RULES = "plain-arithmetic-tflite"
_KEPT_APART = "is_variable"


class TFLiteWork:
    """The passes over a TFLite model.

    Attributes:
        passes: name -> what runs it and counts what it changed.
        grown: bytes that folded constants take more than what they are made of.
    """

    def __init__(self, metagraph: MetaGraph, max_fold: int) -> None:
        self.metagraph = metagraph
        self.max_fold = max_fold
        self.grown = 0
        mentioned = (mention.target for mention in metagraph.mentions())
        self.named = {target for target in mentioned if isinstance(target, Value)}
        self.passes: Mapping[str, Callable[[], int]] = {
            "fold": partial(self._each, self._fold),
            "arithmetic": self._arithmetic,
            "constants": partial(self._each, self._constants),
            "common": partial(self._each, self._common),
            "buffers": self._buffers,
            "dead": self._dead,
        }

    def _each(self, work: Callable[[Graph], int]) -> int:
        return sum(work(graph) for graph in self.metagraph.graphs)

    def _ends(self, graph: Graph) -> set[Value]:
        return {*graph.inputs, *(output.value for output in graph.outputs), *self.named}

    def _fold(self, graph: Graph) -> int:
        ends, count = self._ends(graph), 0
        for node in graph.nodes:
            tensor = None if _is_apart(node) or not ends.isdisjoint(node.outputs) else computed(node, self.max_fold)
            if tensor is None:
                continue
            (old,) = node.outputs
            self.grown += tensor.nbytes - sum(value.tensor.nbytes for value in node.inputs if value.tensor is not None)
            new = graph.add_value(old.name or "", tensor.dtype, tensor.shape, tensor)
            old.replace_with(new)
            graph.take_out([node])
            graph.remove_values([old])
            count += 1
        return count

    def _arithmetic(self) -> int:
        ground = Ground(self.metagraph)
        return len(Rounds(rule_set(_RULES).rules, ground, self.metagraph.graphs, Limits(skips=True)).run().done)

    def _constants(self, graph: Graph) -> int:
        """Let what reads equal constants of a subgraph read the first."""
        first: dict[object, Value] = {}
        ends, gone = self._ends(graph), []
        for values in _alike(value for value in graph.values if _is_constant(value)):
            for value in values:
                quantization = repr((value.extra or {}).get("quantization"))
                other = first.setdefault((value.dtype, value.shape, quantization, _digest(value)), value)
                if other is not value and value not in ends:
                    value.replace_with(other)
                    gone.append(value)
        unused = set(unused_tensors(graph, self.named))
        graph.remove_values([value for value in gone if value in unused])
        return len(gone)

    def _common(self, graph: Graph) -> int:
        """Let what reads equal operators of equal inputs read the first."""
        first: dict[object, Node] = {}
        ends, gone = self._ends(graph), []
        for node in graph.nodes:
            key = None if _is_apart(node) else _key(node)
            if key is None:
                continue
            other = first.setdefault(key, node)
            if other is node or not ends.isdisjoint(node.outputs):
                continue
            for value, same in zip(node.outputs, other.outputs, strict=True):
                value.replace_with(same)
            gone.append(node)
        values = [value for node in gone for value in node.outputs]
        graph.take_out(gone)
        graph.remove_values(values)
        return len(gone)

    def _buffers(self) -> int:
        """Let constants of equal bytes share a buffer, across subgraphs too."""
        first: dict[object, Tensor] = {}
        count = 0
        everything = (value for graph in self.metagraph.graphs for value in graph.values if _is_constant(value))
        for values in _alike(everything):
            for value in values:
                assert value.tensor is not None
                other = first.setdefault((value.tensor.dtype, _digest(value)), value.tensor)
                if other.storage != value.tensor.storage:
                    value.tensor = Tensor(value.tensor.dtype, value.tensor.shape, other.source)
                    count += 1
        return count

    def _dead(self) -> int:
        return sum(1 for _ in strip_tflite(self.metagraph, ("unreachable",), ()))


def _is_apart(node: Node) -> bool:
    return acts_in_tflite(node) or node.op in TFLITE_RANDOM


def _is_constant(value: Value) -> bool:
    return value.tensor is not None and value.producer is None and not (value.extra or {}).get(_KEPT_APART)


def _alike(values: Any) -> list[list[Value]]:
    """Return constants of as many bytes and elements together, where there are several; others need no look."""
    groups: dict[object, list[Value]] = defaultdict(list)
    for value in values:
        groups[value.dtype, value.tensor.nbytes, value.tensor.num_elements].append(value)
    return [group for group in groups.values() if len(group) > 1]


def _digest(value: Value) -> bytes:
    assert value.tensor is not None
    digest = hashlib.sha256()
    if value.tensor.dtype is STRING:
        for item in value.tensor.source.strings():
            digest.update(len(item).to_bytes(8, "little") + item)
    else:
        for chunk in value.tensor.chunks():
            digest.update(chunk)
    return digest.digest()


def _key(node: Node) -> object | None:
    """Return what equal operators share, None for one that keeps tensors or subgraphs of its own."""
    attrs = [(name, value) for name, value in sorted(node.attrs.items())]
    if any(_is_object(value) for _, value in attrs):
        return None
    outputs = [(value.dtype, value.shape, repr((value.extra or {}).get("quantization"))) for value in node.outputs]
    return node.op, node.inputs, repr(attrs), repr(outputs)


def _is_object(value: object) -> bool:
    items: Collection[object] = value if isinstance(value, list) else [value]
    return any(isinstance(item, Value | Tensor) for item in items)
