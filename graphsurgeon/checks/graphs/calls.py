"""Rules about functions and the nodes that call them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from graphsurgeon.analysis.flow.calls import run_function
from graphsurgeon.analysis.flow.load_path import init_node
from graphsurgeon.checks.graphs.nodes import Running, reached
from graphsurgeon.checks.graphs.ops import OutputTypes
from graphsurgeon.checks.places import place
from graphsurgeon.formats.graph.metagraph import repeated_gradients
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import AttrValue, Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import BRANCHES, CALLS, LOOPS, PLAIN_CALLS

CALL_TYPES = "call-types"  # no importer refuses them, but running the node fails
_CHECKED = CALLS | BRANCHES | LOOPS
_REDUCTION = "ReduceDataset"
_TYPES_HINT = "make the types of the node those of the function"


def missing_functions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find functions that nodes or gradients name and the library lacks: one finding a function."""
    missing: dict[str, list[Node]] = {}
    plain: dict[str, bool] = {}
    running = Running(metagraph)
    for graph in metagraph.graphs:
        for node in graph.nodes:
            if _names_none(node, plain):
                continue
            for ref in node.function_refs:
                if ref.graph is None and ref.name:
                    missing.setdefault(ref.name, []).append(node)
    for name, found in missing.items():
        first, more = found[0], len(found) - 1
        where = place(first.graph, first) + (f" and {more} more" if more else "")
        # A session places every call of the main graph, run or not: it refuses, or never ends.
        is_asked = any(node.graph.kind == "main" or running.severity(node) == "error" for node in found)
        severity = "error" if is_asked else "warning"
        yield _missing(severity, where, f"it names the function {name!r}, which the library lacks")
    for function, gradient in metagraph.gradients.items():
        if gradient not in metagraph.functions:
            yield _missing("error", f"function {function}", f"its gradient {gradient!r} is not in the library")
    for function in repeated_gradients(metagraph):
        yield Finding(
            "error", f"function {function}", "it has two gradients", "get the file again", "repeated-gradient"
        )


def recursion(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find functions that call themselves, directly or through others."""
    circle = call_circle(metagraph.graphs)
    if circle:
        names = " -> ".join(function.name for function in [*circle, circle[0]])
        what = f"it calls itself: {names}"
        # Branches and loops look a function up when they come to it; calls are put in place before, without end.
        is_endless = circle[0] in reached(metagraph) and _calls_plainly(circle)
        severity: Severity = "error" if is_endless else "warning"
        yield Finding(severity, place(circle[0]), what, "TensorFlow cannot run it without end", "recursion")


def _calls_plainly(circle: list[Graph]) -> bool:
    """Say whether each function of a circle calls the next by a call, not by a branch or a loop."""
    behind = [*circle[1:], circle[0]]
    return all(
        any(later is (node.callee or (node.op in PLAIN_CALLS and run_function(node))) for node in function.nodes)
        for function, later in zip(circle, behind, strict=True)
    )


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
    running, fetched = Running(metagraph), _fetched(metagraph)
    for graph in metagraph.graphs:
        for node in graph.nodes:
            for what in _misfits(node) if node.op in _CHECKED else _of_reduction(node) if node.op == _REDUCTION else ():
                severity: Severity = "error" if _is_instantiated(node) else running.severity(node)
                if node in fetched:
                    is_idle = fetched[node] and _gives_fewer(node)
                else:
                    is_idle = _has_idle_arguments(node) or _differs_unread(node)
                if is_idle:
                    severity = "warning"
                yield Finding(severity, place(graph, node), what, _TYPES_HINT, CALL_TYPES)


def call_attributes(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find calls that do not give an attribute which their function declares (`ValidateSignatureWithAttrs`)."""
    running = Running(metagraph)
    declared = {function: _declared(function) for function in metagraph.functions.values()}
    asking = {function for function, names in declared.items() if names}
    for graph in metagraph.graphs if asking else ():
        for node in graph.nodes:
            refs: list[tuple[Graph, Mapping[str, AttrValue]]]
            refs = [(ref.graph, ref.attrs) for ref in node.function_refs if ref.graph is not None]
            refs += [(node.callee, node.attrs)] if node.callee is not None else []
            for function, given in refs:
                for name in declared.get(function, []):
                    if name not in given:
                        severity: Severity = "error" if graph.kind == "main" else running.severity(node)
                        what = f"its function {function.name} declares the attribute {name!r}, and it gives none"
                        yield Finding(severity, place(graph, node), what, _TYPES_HINT, CALL_TYPES)


def _declared(function: Graph) -> list[str]:
    raw: Any = function.raw
    return list(raw.opdef(function).attrs) if raw is not None else []


def results(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find results of functions that are declared to be of another type than what they are made of."""
    running = Running(metagraph)
    for function in metagraph.functions.values():
        types = OutputTypes()
        for output in function.outputs:
            found = types.of(output.value)
            if found is not None and output.dtype is not None and found.base is not output.dtype.base:
                what = f"its result {output.name!r} is declared {output.dtype}, {output.value} is {found}"
                hint = "return a tensor of that type"
                yield Finding(running.severity_in_graph(function), place(function), what, hint, "result-type")


def _is_instantiated(node: Node) -> bool:
    """Say whether a session refuses a call whose counts do not fit, run or not: of one in the main graph it does.

    That is where the function takes more arguments, or gives more results, than the node has types for.
    """
    function = run_function(node) if node.graph.kind == "main" else None
    if function is None:
        return False
    results, arguments = _types(node, "Tout"), _types(node, "Tin")
    gives_more = results is not None and len(results) < len(function.outputs)
    takes_more = arguments is not None and len(arguments) < len(function.inputs)
    return gives_more or takes_more


def _fetched(metagraph: MetaGraph) -> dict[Node | None, bool]:
    """Return the nodes that loaders and clients fetch, and whether for what they do alone, not for results.

    A call among them is not replaced by its function, and its types count.
    """
    signatures = metagraph.signatures.values()
    read = [mention.node for one in signatures for entry in one.outputs.values() for mention in entry.mentions]
    saver = metagraph.saver
    run = [saver.restore.node if saver is not None else None, init_node(metagraph)]
    return {**dict.fromkeys(run, True), **dict.fromkeys(read, False)}


def _gives_fewer(node: Node) -> bool:
    """Say whether all that a call gets wrong are last results that its function does not give, and nothing reads."""
    function = run_function(node) if node.op in PLAIN_CALLS else None
    results, arguments = _types(node, "Tout"), _types(node, "Tin")
    if function is None or results is None or arguments is None or len(results) <= len(function.outputs):
        return False
    if not _equal(arguments, [value.dtype for value in function.inputs]) or len(node.inputs) != len(arguments):
        return False
    given = [output.dtype for output in function.outputs]
    is_equal = _equal(results[: len(given)], given)
    return is_equal and not any(output.consumers for output in node.outputs[len(given) :])


def _differs_unread(node: Node) -> bool:
    """Say whether all that a call gets wrong are types of results that nothing reads: it runs for what it does."""
    function = run_function(node) if node.op in PLAIN_CALLS else None
    results, arguments = _types(node, "Tout"), _types(node, "Tin")
    if function is None or results is None or arguments is None or len(results) != len(function.outputs):
        return False
    if not _equal(arguments, [value.dtype for value in function.inputs]) or len(node.inputs) != len(arguments):
        return False
    given = [output.dtype for output in function.outputs]
    others = [port for port, one in enumerate(results) if not _equal([one], [given[port]])]
    return not any(node.outputs[port].consumers for port in others if port < len(node.outputs))


def _has_idle_arguments(node: Node) -> bool:
    """Say whether all that a loop lacks are last arguments which nothing reads: opened, it runs without them."""
    types = _types(node, "T") if node.op in LOOPS and node.graph.kind == "main" else None
    taken = [ref.graph.inputs for ref in node.function_refs if ref.graph is not None] if types is not None else []
    if types is None or not any(len(inputs) > len(types) for inputs in taken):
        return False
    is_equal = all(_equal(types, [value.dtype for value in inputs[: len(types)]]) for inputs in taken)
    return is_equal and not any(value.consumers for inputs in taken for value in inputs[len(types) :])


def _misfits(node: Node) -> Iterator[str]:
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
            yield what
        is_condition = is_loop and ref == node.attrs.get("cond")
        given = [output.dtype for output in function.outputs]
        if is_condition and len(given) != 1:
            yield f"{node.op} takes one result of {function.name}, it gives {len(given)}"
        if results is not None and not is_condition and not _equal(results, given):
            yield f"{node.op} expects {_listed(results)} of {function.name}, it gives {_listed(given)}"
    # The condition of a branch, the device of a call that says one.
    besides = node.op in BRANCHES or node.op in CALLS - PLAIN_CALLS
    passed = len(node.inputs) - besides
    if arguments is not None and passed != len(arguments):
        yield f"{node.op} has {passed} arguments, its types name {len(arguments)}"


def _of_reduction(node: Node) -> Iterator[str]:
    """Hold the function of a reduction to what it gets: the state, an element of the data, what it captures."""
    state, captured = _types(node, "Tstate"), _types(node, "Targuments")
    function = next((ref.graph for ref in node.function_refs), None)
    if state is None or captured is None or function is None or _is_generic(function):
        return
    taken, given = [value.dtype for value in function.inputs], [output.dtype for output in function.outputs]
    if not _equal(state, given):
        yield f"{node.op} expects {_listed(state)} of {function.name}, it gives {_listed(given)}"
    elements = len(taken) - len(state) - len(captured)
    known = [*taken[: len(state)], *taken[len(taken) - len(captured) :]] if elements >= 0 else []
    if elements < 0 or not _equal([*state, *captured], known):
        what = f"the state {_listed(state)} first and {_listed(captured)} last"
        yield f"{node.op} gives {function.name} {what}, it takes {_listed(taken)}"


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
