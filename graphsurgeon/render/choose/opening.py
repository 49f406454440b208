"""Which graphs a node runs, and how their arguments and results are wired to it: calls, loops and branches.

TensorFlow and TFLite pass a body all that it reads, ONNX only what changes from turn to turn; of Loop the body counts
turns with its first argument and says with its first result whether another one follows
(https://onnx.ai/onnx/operators/onnx__Loop.html, `onnx__Scan.html`, `onnx__If.html`).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from graphsurgeon.analysis.flow.calls import called_function
from graphsurgeon.model.graph import FunctionRef, Graph, Node
from graphsurgeon.ops.kinds import BRANCHES, LOOPS

BRANCH_NAME = "branch "
_LOOPS = LOOPS | {"WHILE", "STABLEHLO_WHILE"}
_BRANCHES = BRANCHES | {"IF"}
_ONNX_IF, _ONNX_LOOP, _ONNX_SCAN = "onnx: If", "onnx: Loop", "onnx: Scan"
_COUNTER, _CONDITION = 0, 1  # arguments of the body of ONNX's Loop


class Wiring(NamedTuple):
    """How a graph stands in a node.

    Attributes:
        offset: argument `p` is input `p + offset` of the node.
        results: output `k` of the node is result `k + results` of the graph.
        back: argument `p` is in the next turn of a loop result `p - back`.
        turning: the arguments that change from turn to turn.
        counter: the argument that counts turns, which no input is; -1 for none.
        choosing: inputs of the node that choose whether the graph runs, or how often.
        deciding: results of the graph that do.
    """

    offset: int = 0
    results: int = 0
    back: int = 0
    turning: range = range(0)
    counter: int = -1
    choosing: tuple[int, ...] = ()
    deciding: tuple[int, ...] = ()


PLAIN = Wiring()


class Called(NamedTuple):
    """A graph to open: as what ("call", "loop", "condition" or "branch"), and the segment of names that it gets."""

    function: Graph
    kind: str
    segment: str
    wiring: Wiring = PLAIN


def calls(node: Node) -> list[Called]:
    """Return the graphs to open at a node, none if their arguments do not fit its inputs."""
    function, op = called_function(node), node.qualified_op
    if op == _ONNX_LOOP:
        return _onnx_loop(node)
    if op == _ONNX_SCAN:
        return _onnx_scan(node)
    if function is not None:
        found = [Called(function, "call", "")]
    elif op in _LOOPS:
        found = _loop(node)
    elif op in _BRANCHES or op == _ONNX_IF:
        found = _branches(node)
    else:
        functions = node.functions if op == "STABLEHLO_COMPOSITE" else []
        found = [Called(functions[0], "call", "")] if functions else []
    return found if all(len(one.function.inputs) + one.wiring.offset == len(node.inputs) for one in found) else []


def _loop(node: Node) -> list[Called]:
    named = _named(node)
    cond = next((graph for name, graph in named.items() if name.startswith("cond")), None)
    body = next((graph for name, graph in named.items() if name.startswith("body")), None)
    if cond is None or body is None:
        return []
    turning = Wiring(turning=range(len(body.inputs)))
    return [Called(cond, "condition", "condition"), Called(body, "loop", "body", turning)]


def _branches(node: Node) -> list[Called]:
    functions = node.functions
    names = ["then", "else"] if len(functions) == 2 else [f"{BRANCH_NAME}{index}" for index in range(len(functions))]
    if node.qualified_op == _ONNX_IF:  # attributes stand in any order
        named = _named(node)
        functions = [named[name] for name in ("then_branch", "else_branch") if name in named]
    wiring = Wiring(offset=1, choosing=(0,))
    return [Called(function, "branch", name, wiring) for function, name in zip(functions, names, strict=False)]


def _onnx_loop(node: Node) -> list[Called]:
    body = _named(node).get("body")
    # The number of turns and the condition may be left out, at the end too.
    if body is None or len(body.inputs) < 2 or len(body.inputs) != max(len(node.inputs), 2):
        return []
    turning = range(_CONDITION, len(body.inputs))
    wiring = Wiring(results=1, back=1, turning=turning, counter=_COUNTER, choosing=(0, 1), deciding=(0,))
    return [Called(body, "loop", "body", wiring)]


def _onnx_scan(node: Node) -> list[Called]:
    body, scanned = _named(node).get("body"), node.attrs.get("num_scan_inputs")
    if body is None or not isinstance(scanned, int) or not 0 <= scanned <= len(body.inputs):
        return []
    offset = len(node.inputs) - len(body.inputs)  # in opset 8 lengths of sequences come first
    wiring = Wiring(offset=offset, turning=range(len(body.inputs) - scanned))
    return [Called(body, "loop", "body", wiring)] if offset in (0, 1) else []


def _named(node: Node) -> dict[str, Graph]:
    refs: Sequence[tuple[str, object]] = list(node.attrs.items())
    return {name: ref.graph for name, ref in refs if isinstance(ref, FunctionRef) and ref.graph is not None}
