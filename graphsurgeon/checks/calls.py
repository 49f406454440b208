"""Rules about functions and the nodes that call them."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.checks.places import place
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import AttrValue, Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import BRANCHES, CALLS, LOOPS, PLAIN_CALLS

CALL_TYPES = "call-types"  # no loader refuses them, but running the node fails
_CHECKED = CALLS | BRANCHES | LOOPS


def missing_functions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find functions that nodes or gradients name and the library lacks: one finding a function."""
    missing: dict[str, tuple[int, Node]] = {}
    plain: dict[str, bool] = {}
    for graph in metagraph.graphs:
        for node in graph.nodes:
            if _names_none(node, plain):
                continue
            for ref in node.function_refs:
                if ref.graph is None and ref.name:
                    number, first = missing.get(ref.name, (0, node))
                    missing[ref.name] = (number + 1, first)
    for name, (number, first) in missing.items():
        where = place(first.graph, first) + (f" and {number - 1} more" if number > 1 else "")
        yield _missing("error", where, f"it names the function {name!r}, which the library lacks")
    for function, gradient in metagraph.gradients.items():
        if gradient not in metagraph.functions:
            yield _missing("warning", f"function {function}", f"its gradient {gradient!r} is not in the library")


def recursion(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find functions that call themselves, directly or through others."""
    circle = call_circle(metagraph.graphs)
    if circle:
        names = " -> ".join(function.name for function in [*circle, circle[0]])
        what = f"it calls itself: {names}"
        yield Finding("warning", place(circle[0]), what, "TensorFlow cannot run it without end", "recursion")


def call_circle(graphs: list[Graph]) -> list[Graph]:
    """Return functions that call each other in a circle, none if there are no such; without recursion of our own."""
    if len(graphs) == 1 and graphs[0].kind == "main":
        return []
    plain: dict[str, bool] = {}
    callees: dict[Graph, list[Graph]] = {}
    for graph in graphs:
        calling = (node for node in graph.nodes if node.callee is not None or not _names_none(node, plain))
        callees[graph] = list(dict.fromkeys(function for node in calling for function in node.functions))
    done: set[Graph] = set()
    for start in graphs:
        path: dict[Graph, Iterator[Graph]] = {start: iter(callees[start])}
        while path:
            graph, rest = next(reversed(path.items()))
            callee = next((one for one in rest if one not in done), None)
            if callee is None:
                done.add(graph)
                del path[graph]
            elif callee in path:
                trail = list(path)
                return trail[trail.index(callee) :]
            else:
                path[callee] = iter(callees.get(callee, ()))
    return []


def _names_none(node: Node, known: dict[str, bool]) -> bool:
    """Say whether the definition of a node's op leaves no attribute for a function. Remembers it for each op."""
    op = node.op
    if op not in known:
        opdef = catalog.get(op)
        known[op] = opdef is not None and not any("func" in attr.type for attr in opdef.attrs.values())
    return known[op]


def _missing(severity: str, where: str, what: str) -> Finding:
    hint = "take the function from the model that this one was made from"
    return Finding(severity, where, what, hint, "missing-function")  # type: ignore[arg-type]


def call_arguments(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find calls, branches and loops whose arguments or results are not those of their functions."""
    for graph in metagraph.graphs:
        for node in graph.nodes:
            if node.op in _CHECKED:
                yield from _call(node)


def _call(node: Node) -> Iterator[Finding]:
    is_loop = node.op in LOOPS
    arguments = _types(node, "T" if is_loop else "Tin")
    results = _types(node, "T" if is_loop else "Tout")
    for ref in node.function_refs:
        function = ref.graph
        if function is None or _is_generic(function):
            continue
        taken = [value.dtype for value in function.inputs]
        what = f"{node.op} gives {function.name} {_listed(arguments)}, it takes {_listed(taken)}"
        if arguments is not None and not _equal(arguments, taken):
            yield _mismatch(node, what)
        is_condition = is_loop and ref == node.attrs.get("cond")
        given = [output.dtype for output in function.outputs]
        if results is not None and not is_condition and not _equal(results, given):
            yield _mismatch(node, f"{node.op} expects {_listed(results)} of {function.name}, it gives {_listed(given)}")
    # The condition of a branch, the device of a call that says one.
    besides = node.op in BRANCHES or node.op in CALLS - PLAIN_CALLS
    passed = len(node.inputs) - besides
    if arguments is not None and passed != len(arguments):
        yield _mismatch(node, f"{node.op} has {passed} arguments, its types name {len(arguments)}")


def _mismatch(node: Node, what: str) -> Finding:
    return Finding(
        "warning", place(node.graph, node), what, "make the types of the node those of the function", CALL_TYPES
    )


def _types(node: Node, name: str) -> list[AttrValue] | None:
    value = node.attrs.get(name)
    return value if isinstance(value, list) and all(isinstance(item, DType) for item in value) else None


def _is_generic(function: Graph) -> bool:
    return any(value.dtype is None for value in function.inputs) or any(out.dtype is None for out in function.outputs)


def _equal(expected: list[AttrValue], actual: list[DType | None]) -> bool:
    if len(expected) != len(actual):
        return False
    return all(
        not isinstance(one, DType) or two is None or one.base is two.base
        for one, two in zip(expected, actual, strict=True)
    )


def _listed(types: object) -> str:
    shown = [str(dtype) for dtype in types] if isinstance(types, list) else []
    return f"({', '.join(shown[:8])}{', ...' if len(shown) > 8 else ''})" if len(shown) < 20 else f"{len(shown)} values"
