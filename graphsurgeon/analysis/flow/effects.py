"""Which nodes do something beside yielding values: assert, print, assign, fill a table, enqueue.

Statefulness in an op's definition is more than that: it also covers reading, creating handles and drawing
random numbers, which nobody notices unless he uses the result. An unknown op is taken to act. Operators of
TFLite are judged by their tensors.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache

from graphsurgeon.analysis.flow.calls import settle
from graphsurgeon.model.dtype import RESOURCE, VARIANT
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.ops import catalog, kinds

_BUILTIN = re.compile(r"(?!BUILTIN_)[A-Z][A-Z0-9_]*")  # custom operators are named as in other languages


class Effects:
    """Answers whether nodes and functions act; remembers the answers, so make one per state of the functions."""

    __slots__ = ("_functions",)

    def __init__(self) -> None:
        self._functions: dict[Graph, bool] = {}

    def of_node(self, node: Node) -> bool:
        """Say whether a node acts when it runs, in a function that it runs included."""
        if node.graph.vocabulary == TFLITE:
            return acts_in_tflite(node)
        callee = node.callee
        if callee is not None:
            return self.of_function(callee)
        if node.op in kinds.RUNNERS:
            return any(self.of_function(function) for function in node.functions)
        return acts(node.qualified_op)

    def of_function(self, function: Graph) -> bool:
        """Say whether any node of a function acts."""
        if function not in self._functions:
            settle(function, self._functions, _acts_itself, _run_by)
        return self._functions[function]


def acts_in_tflite(node: Node) -> bool:
    """Say whether an operator may do more than yield its outputs: fill state, run subgraphs, or nobody knows."""
    values = (*node.inputs, *node.outputs)
    has_state = any(value.dtype in (RESOURCE, VARIANT) or (value.extra or {}).get("is_variable") for value in values)
    return has_state or not node.outputs or _BUILTIN.fullmatch(node.op) is None or bool(node.functions)


def _acts_itself(function: Graph) -> bool:
    return any(acts(op) for op in function.op_counts if op not in function.metagraph.functions)


def _run_by(function: Graph) -> Iterator[Graph]:
    for node in function.nodes:
        if node.callee is not None:
            yield node.callee
        elif node.op in kinds.RUNNERS:
            yield from node.functions


@cache
def acts(op: str) -> bool:
    """Say whether an op acts by itself: asserts, prints, assigns, enqueues; functions it runs are not looked into."""
    opdef = catalog.get(op)
    if opdef is None or op in kinds.LOUD:
        return True
    if any(arg.is_ref for arg in opdef.inputs):
        return op not in kinds.REFERENCE_ONLY | kinds.QUIET
    if not opdef.is_stateful or op in kinds.QUIET or op in kinds.RUNNERS or op.startswith(kinds.QUIET_PREFIXES):
        return False
    return not any(part in op for part in kinds.QUIET_PARTS)
