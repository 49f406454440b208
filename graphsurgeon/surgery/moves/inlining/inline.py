"""Calls of functions become the nodes of the functions, in order and with their effects.

A body node is named `<call>/<node>`. Results take the place of the call's outputs; what waited for the call
waits for the nodes that the function says a caller waits for (`control_ret`), or, in functions of TF1 that do
not say, for the nodes that act. In a graph with V1 control flow ("guarded") every body node must run in the
frame and on the branch of its call, also one without inputs: there a NoOp stands for the start of the call, as in
`tensorflow/core/common_runtime/inline_function_utils.cc`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.flow.calls import MAX_CALLS, called_function, inlined_size
from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.analysis.flow.frames import control_flow
from graphsurgeon.analysis.flow.restore_map import shared_name
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import downstream, nearest_first
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import CONTROL_FLOW, ENTERS, PLAIN_CALLS, SWITCHES
from graphsurgeon.surgery.moves.copy_part import CopiedPart, copy_part
from graphsurgeon.surgery.moves.inlining.open_attrs import bind_attrs, bindings_of

# Calls of calls grow without bound: so many nodes may come of them, and so many times what the file itself holds, which
# keeps an edit linear in the size of the file.
MOST_REPEATED = 100_000
MOST_TIMES = 4


class Growth:
    """How many nodes an edit may still make of the functions of a MetaGraph: linear in the size of the file.

    Args:
        metagraph: whose functions are inlined or copied.
        is_bounded: False where functions are inlined that go themselves, so that nothing grows.
    """

    def __init__(self, metagraph: MetaGraph, *, is_bounded: bool = True) -> None:
        self.is_bounded = is_bounded
        self.most = MOST_REPEATED + MOST_TIMES * sum(map(len, metagraph.graphs))
        self.left = self.most

    def take(self, nodes: int, function: Graph) -> None:
        """Count nodes that a function, with what it calls, is going to add.

        Raises:
            UnsupportedError: there would be more than there is room for.
        """
        self.left -= nodes
        if self.is_bounded and self.left < 0:
            raise UnsupportedError(
                f"inlining {function.name!r} and what it calls would give more than {self.most:,} nodes",
                hint=f"choose outputs that need no call of {function.name!r}, or --keep-functions for gs freeze",
            )


class Inliner:
    """Inlines calls of one graph, those that appear by inlining included.

    Args:
        graph: the graph.
        keep: says of a call and its function that they stay.
        effects: what acts.
        results_wait: results of calls that stand in the graph itself wait for what acts inside the call, because
            nothing else may (main graphs); in function bodies the control outputs see to that.
        wanted: function -> nodes of it that are to be there, though nothing may need them.
        growth: what is left of the nodes that may be made; None if this is all that is made.

    Attributes:
        inlined: how many calls were inlined.
        parts: call that was inlined -> what has become of the nodes and values of its function.
    """

    def __init__(
        self,
        graph: Graph,
        *,
        keep: Callable[[Node, Graph], bool],
        effects: Effects,
        results_wait: bool,
        wanted: Mapping[Graph, Collection[Node]] | None = None,
        growth: Growth | None = None,
    ) -> None:
        self._graph = graph
        self._keep = keep
        self._effects = effects
        self._results_wait = results_wait
        self._guards_all = has_v1_control_flow(graph)
        self._around: dict[Node, tuple[tuple[Graph, ...], bool]] = {}
        self._wanted = wanted or {}
        self._growth = growth or Growth(graph.metagraph)
        self.inlined = 0
        self.parts: dict[Node, CopiedPart] = {}

    def run(self, nodes: Iterable[Node] | None = None) -> None:
        """Inline every call, or the calls among some nodes, and whatever calls their functions bring.

        Raises:
            UnsupportedError: a function calls itself.
        """
        waiting = list(self._graph.nodes if nodes is None else nodes)
        self._check_size(waiting)
        while waiting:
            call = waiting.pop()
            function = called_function(call)
            if function is None or call not in self._graph or self._keep(call, function):
                continue
            functions, guarded = self._around.pop(call, ((), self._guards_all))
            if function in functions or len(functions) >= MAX_CALLS:
                names = (
                    " -> ".join(outer.name for outer in functions[functions.index(function) :])
                    if function in functions
                    else "calls"
                )
                raise UnsupportedError(
                    f"function {function.name!r} calls itself ({names} -> {function.name}) and cannot be inlined"
                )
            wait = self._results_wait and not functions
            also = self._wanted.get(function, ())
            part = _inline(self._graph, call, function, self._effects, also, guarded=guarded, results_wait=wait)
            self.parts[call] = part
            body = list(part.nodes.values())
            inside = guarded or has_v1_control_flow(function)
            self._around.update((node, ((*functions, function), inside)) for node in body if _is_call(node))
            waiting += [node for node in body if _is_call(node)]
            self.inlined += 1

    def _check_size(self, nodes: Iterable[Node]) -> None:
        """Refuse calls that would grow beyond all measure, before the first of them is inlined."""
        sizes: dict[Graph, int] = {}
        for call in nodes:
            function = called_function(call)
            if function is not None and not self._keep(call, function):
                self._growth.take(inlined_size(function, sizes), function)


def has_v1_control_flow(graph: Graph) -> bool:
    """Say whether a graph has Switch, Merge, Enter and the like. Does not lift the graph."""
    return not CONTROL_FLOW.isdisjoint(graph.op_counts)


def has_uncounted_outputs(function: Graph) -> bool:
    """Say whether a function reads outputs of unknown ops, which functions name and main graphs must count."""
    values = [value for node in function.nodes for value in node.inputs]
    values += [output.value for output in function.outputs]
    return any(isinstance(value.port, str) for value in values)


def alive_control(value: Value) -> Node:
    """Return a node that runs exactly when a value is alive: its producer, or an Identity for an output of a Switch.

    A control edge from the Switch itself would fire on either side.
    """
    node = value.producer
    assert node is not None
    if node.op not in SWITCHES:
        return node
    graph = node.graph
    for user in value.consumers:
        if user.op == "Identity" and not user.controls:
            return user
    return graph.add_node("Identity", graph.unique_name(f"{node.name}/alive"), [value], {"T": node.attrs.get("T")})


def _is_call(node: Node) -> bool:
    return node.callee is not None or node.op in PLAIN_CALLS


def _inline(
    graph: Graph,
    call: Node,
    function: Graph,
    effects: Effects,
    also: Iterable[Node],
    *,
    guarded: bool,
    results_wait: bool,
) -> CopiedPart:
    """Put the body of a function in the place of a call; return what has become of it."""
    if len(call.inputs) != len(function.inputs):
        raise UnsupportedError(
            f"{call.name!r} passes {len(call.inputs)} arguments to function {function.name!r},"
            f" which takes {len(function.inputs)}"
        )
    start = _start(graph, call) if guarded else None
    arguments = [
        _guard(graph, call, value, start, argument)
        for value, argument in zip(call.inputs, function.inputs, strict=True)
    ]
    roots = _acting(function, effects)
    results = [output.value for output in function.outputs]
    wanted = [value for port, value in enumerate(results) if _is_read(call.output(port), graph)]
    prefix = call.name
    cut = dict(zip(function.inputs, arguments, strict=True))
    part = copy_part(function, graph, wanted, [*roots, *also], cut=cut, name=lambda name: f"{prefix}/{name}")
    _adapt(part, call, prefix, effects, start)
    ran = [part.nodes[node] for node in dict.fromkeys([*roots, *_reads(part)])]
    finish = _finish(graph, call, ran, start, [part.value(value) for value in wanted], acts=bool(roots))
    for port, value in enumerate(results):
        if value in wanted:
            _replace_result(graph, call, port, part.value(value), start, finish if results_wait and roots else None)
    graph.take_out([call])
    return part


def _acting(function: Graph, effects: Effects) -> list[Node]:
    """Return the nodes of a function that run whether a result needs them or not, if they act or wait for such.

    With V1 control flow, what acts on a branch or in a loop may be dead: the node at which the ways meet again
    stands for it.
    """
    acting = [node for node in function.nodes if effects.of_node(node)]
    if acting and function.control_outputs:
        behind = downstream(acting, controls=True)
        acting = [node for node in dict.fromkeys(function.control_outputs.values()) if node in behind]
    if not acting or not has_v1_control_flow(function):
        return acting
    flow = control_flow(function)
    inside = {*flow.frames, *flow.branches}
    return list(dict.fromkeys(meeting for node in acting if (meeting := _meeting(node, inside)) is not None))


def _meeting(node: Node, inside: set[Node]) -> Node | None:
    """Return the node itself if it always runs, else the first after it that does; None if there is none."""
    after = nearest_first([node], lambda one: (*one.consumers, *one.control_consumers))
    return next((one for one in after if one not in inside), None)


def _start(graph: Graph, call: Node) -> Node | None:
    """Add the NoOp that runs when all inputs of a call are there; None if the call has none and runs at the root."""
    controls = dict.fromkeys([alive_control(value) for value in call.inputs if value.producer is not None])
    controls.update(dict.fromkeys(call.controls))
    if not controls:
        return None
    return graph.add_node("NoOp", graph.unique_name(f"{call.name}/start"), controls=list(controls))


def _guard(graph: Graph, call: Node, value: Value, start: Node | None, argument: Value) -> Value:
    """Let an argument wait for the start of the call, so that it is dead where the call is."""
    if start is None or len(call.inputs) + len(call.controls) == 1:
        return value
    dtypes = value.producer.output_dtypes() if value.producer is not None else None
    dtype = (
        dtypes[value.port] if dtypes and isinstance(value.port, int) and value.port < len(dtypes) else argument.dtype
    )
    if dtype is None or dtype.is_ref:
        return value
    name = graph.unique_name(f"{call.name}/{argument.name}")
    return graph.add_node("Identity", name, [value], {"T": dtype}, controls=[start]).output(0)


def _adapt(part: CopiedPart, call: Node, prefix: str, effects: Effects, start: Node | None) -> None:
    """Fit copied body nodes to their new place: attributes of the call, frames, order."""
    bindings = bindings_of(call)
    before = [start] if start is not None else list(call.controls)
    for node, copy in part.nodes.items():
        if bindings:
            bind_attrs(copy, bindings)
        if copy.op in ENTERS:
            frame = copy.attrs.get("frame_name")
            copy.attrs["frame_name"] = (
                prefix.encode("utf-8", "surrogateescape") + b"/" + (frame if isinstance(frame, bytes) else b"")
            )
        _name_resource(copy, node)
        copy.device = copy.device or call.device
        if before and not copy.controls and _needs_order(node, effects):
            copy.controls = before


def _needs_order(node: Node, effects: Effects) -> bool:
    """Say whether a body node must wait for what its call waited for: one without inputs, or with a state."""
    return not node.inputs or _is_stateful(node) or effects.of_node(node)


def _is_stateful(node: Node) -> bool:
    opdef = catalog.of(node)
    return opdef is None or opdef.is_stateful


def _name_resource(copy: Node, node: Node) -> None:
    """Spell out the name of a variable or table that was the node's own, which has just changed."""
    opdef = catalog.of(copy)
    is_named = opdef is None or "shared_name" not in opdef.attrs or copy.attrs.get("shared_name")
    if not is_named and not copy.inputs and shared_name(node):
        copy.attrs["shared_name"] = node.name.encode("utf-8", "surrogateescape")


def _reads(part: CopiedPart) -> list[Node]:
    """Return the copied nodes of a function that look at a state: what waits for the call may change that state.

    With V1 control flow none, since one may lie on a branch that is not taken.
    """
    if any(node.op in CONTROL_FLOW for node in part.nodes):
        return []
    return [node for node in part.nodes if node.inputs and _is_stateful(node)]


def _finish(
    graph: Graph, call: Node, ran: list[Node], start: Node | None, results: list[Value], *, acts: bool
) -> Node | None:
    """Send those who waited for the call to what they must wait for; return the node that stands for its end."""
    waiting = call.control_consumers
    ends = [key for key, node in graph.control_outputs.items() if node is call]
    controls = dict.fromkeys(ran if acts or waiting or ends else [])
    if start is not None:
        controls[start] = None
    if not acts:
        controls.update(dict.fromkeys(alive_control(value) for value in results if value.producer is not None))
    finish = None
    if controls and (waiting or acts or ends):
        finish = graph.add_node("NoOp", graph.unique_name(f"{call.name}/done"), controls=list(controls))
    for node in waiting:
        node.controls = list(
            dict.fromkeys(other for other in (finish if o is call else o for o in node.controls) if other)
        )
    if ends:
        kept = {key: finish if key in ends else node for key, node in graph.control_outputs.items()}
        graph.control_outputs = {key: node for key, node in kept.items() if node is not None}
    return finish


def _replace_result(graph: Graph, call: Node, port: int, value: Value, start: Node | None, finish: Node | None) -> None:
    controls = [node for node in (start, finish) if node is not None]
    dtype = dtype_of(call.output(port))
    if controls and dtype is not None:
        name = graph.unique_name(f"{call.name}/result_{port}")
        value = graph.add_node("Identity", name, [value], {"T": dtype}, controls=controls).output(0)
    call.output(port).replace_with(value)


def _is_read(value: Value, graph: Graph) -> bool:
    return bool(value.consumers) or any(output.value is value for output in graph.outputs)
