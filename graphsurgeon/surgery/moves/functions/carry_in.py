"""Feed tensors inside nested functions from the main graph, beside what runs today.

The functions on the way are copied; in the copies the tensors are arguments, and what computed them is gone with the
arguments that nothing else needs. The main graph gets placeholders and a second call; the first one stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from graphsurgeon.analysis.flow.calls import Call
from graphsurgeon.analysis.interface.parsed_features import read_results
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import parameter_name
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.traversal import downstream, producers, reached, upstream
from graphsurgeon.ops.kinds import CONTROL_FLOW, MUST_BE_FED
from graphsurgeon.surgery.moves.functions.call_nodes import READ_ONLY, keep_outputs, retarget
from graphsurgeon.surgery.moves.functions.clone_function import clone_function, twin


class Fed(NamedTuple):
    """A tensor that is to be fed.

    Attributes:
        name: of the feature.
        value: the tensor.
        call: the calls that lead to its graph.
        dtype, shape: of the tensor.
    """

    name: str
    value: Value
    call: Call | None
    dtype: DType
    shape: Shape


@dataclass
class _Step:
    """One function on the way.

    Attributes:
        call: of it.
        fed: tensors in it.
        inner: the functions on the way that it calls itself.
        results: which of its results are read where it is called.
    """

    call: Call
    fed: list[Fed] = field(default_factory=list)
    inner: list[_Step] = field(default_factory=list)
    results: list[int] = field(default_factory=list)

    @property
    def wanted(self) -> list[Value]:
        """The results that are read, in the function."""
        return [self.call.function.outputs[place].value for place in self.results]


def carry_in(
    metagraph: MetaGraph, fed: Sequence[Fed], outputs: Mapping[str, Value]
) -> tuple[dict[str, Value], dict[str, Value], list[str]]:
    """Let main-graph outputs be computed from tensors inside functions.

    Args:
        metagraph: changed in place: its main graph gets a second call of copies of the functions.
        fed: the tensors; those of the main graph are left where they are.
        outputs: key -> main-graph value that is computed of them.

    Returns:
        name -> main-graph value to feed; key -> value that is computed of those; names of the functions copied.

    Raises:
        UnsupportedError: loops or branches of the main graph lie between a call and an output; nothing has changed.
    """
    metagraph.resolve_mentions()
    feeds = {one.name: one.value for one in fed if one.call is None}
    steps = _steps(fed, list(outputs.values()))
    between = _between(metagraph.graph, steps, outputs)
    names: list[str] = []
    copies: dict[Node, Node] = {}
    for step in steps:
        clone, kept = _clone(metagraph, step, names)
        placeholders = [_placeholder(metagraph.graph, one, feeds) for one in _all_fed(step)]
        copies[step.call.node] = _second_call(step, clone, kept, placeholders)
    for node in between:
        copies[node] = metagraph.graph.adopt(node, metagraph.graph.unique_name(node.name))
    for node in between:
        copies[node].inputs = [_of_copies(value, copies, steps) for value in node.inputs]
        copies[node].controls = [copies.get(other, other) for other in node.controls]
    return feeds, {key: _of_copies(value, copies, steps) for key, value in outputs.items()}, names


def left_unfed(graph: Graph, fed: Sequence[Fed], outputs: Sequence[Value]) -> list[Node]:
    """Return the placeholders of the main graph that outputs need beside what `carry_in` would feed."""
    steps = {step.call.node: step for step in _steps(fed, outputs)}
    given = {one.value for one in fed if one.call is None}
    needed = _needed(producers(outputs, given), given, steps)
    return [node for node in graph.nodes if node in needed and node.op in MUST_BE_FED]


def _needed(starts: Sequence[Node], fed: Collection[Value], steps: Mapping[Node, _Step]) -> dict[Node, None]:
    """Return some nodes and what they need; of a call on the way only what its copy will be given."""

    def before(node: Node) -> list[Node]:
        step = steps.get(node)
        inputs = node.inputs if step is None else [node.inputs[place] for place in _kept(step)]
        gone = {value.producer for value in fed}
        return [*producers(inputs, fed), *(other for other in node.controls if other not in gone)]

    return reached(starts, before)


def _kept(step: _Step) -> list[int]:
    """Return which arguments of a function its copy will still have."""
    function, fed = step.call.function, {one.value for one in step.fed}
    inner = {one.call.node: one for one in step.inner}
    needed = _needed([*producers(step.wanted, fed), *function.control_outputs.values()], fed, inner)
    read = set(step.wanted)
    for node in needed:
        places = _kept(inner[node]) if node in inner else range(len(node.inputs))
        read.update(node.inputs[place] for place in places)
    return [place for place, value in enumerate(function.inputs) if value in read and value not in fed]


def _steps(fed: Sequence[Fed], outputs: Sequence[Value]) -> list[_Step]:
    """Return the calls in the main graph, with what lies behind each of what main-graph values need."""
    known: dict[Call, _Step] = {}
    first: list[_Step] = []

    def step(call: Call) -> _Step:
        if call not in known:
            known[call] = _Step(call)
            (first if call.outer is None else step(call.outer).inner).append(known[call])
        return known[call]

    for one in fed:
        if one.call is not None:
            step(one.call).fed.append(one)
    _note_results(first, outputs, [], {one.value for one in fed if one.call is None})
    return first


def _note_results(steps: Sequence[_Step], wanted: Sequence[Value], waited: Sequence[Node], fed: set[Value]) -> None:
    """Note which results of calls in a graph are read by what some of its values need, and so on inwards."""
    needed = upstream([*producers(wanted, fed), *waited], fed=fed)
    read = {value for node in needed for value in node.inputs} | set(wanted)
    for step in steps:
        step.results = read_results(step.call, read)
        controls = step.call.function.control_outputs.values()
        _note_results(step.inner, step.wanted, list(controls), {one.value for one in step.fed})


def _between(graph: Graph, steps: Sequence[_Step], outputs: Mapping[str, Value]) -> list[Node]:
    """Return the nodes of the main graph behind the calls that the outputs need."""
    calls = {step.call.node for step in steps}
    needed = upstream(producers(outputs.values()))
    behind = downstream(calls, controls=False) - calls
    found = [node for node in graph.nodes if node in behind and node in needed]
    loops = [node for node in found if node.op in CONTROL_FLOW]
    if loops:
        raise UnsupportedError(
            f"{loops[0].name!r} ({loops[0].op}) lies between the parsed features and the outputs",
            hint="name outputs before it, or export a signature that is fed the features",
        )
    return found


def _all_fed(step: _Step) -> list[Fed]:
    return [*step.fed, *(one for inner in step.inner for one in _all_fed(inner))]


def _clone(metagraph: MetaGraph, step: _Step, names: list[str]) -> tuple[Graph, list[int]]:
    """Return a copy of a function whose last arguments are the tensors, and which other arguments it still has."""
    original = step.call.function
    copy = clone_function(metagraph, original)
    names.append(copy.name)
    arguments: list[Value] = []
    for one in step.fed:
        inside = twin(one.value, original, copy)
        arguments.append(_argument(copy, one, arguments))
        inside.replace_with(arguments[-1])
        if inside.producer is not None:  # nobody waits for what does not run any more
            for user in inside.producer.control_consumers:
                user.controls = [other for other in user.controls if other is not inside.producer]
    copy.outputs = [copy.outputs[place] for place in step.results]
    _take_out_unread(copy)
    for inner in step.inner:
        call = copy.node(inner.call.node.name)
        assert call is not None
        clone, kept = _clone(metagraph, inner, names)
        passed = []
        for one in _all_fed(inner):
            arguments.append(_argument(copy, one, arguments))
            passed.append(arguments[-1])
        _pass(call, inner, clone, kept, passed)
    kept = _drop_unread(copy, arguments)
    copy.attrs.pop("_input_shapes", None)
    copy.attrs.pop("_construction_context", None)
    return copy, kept


def _argument(function: Graph, fed: Fed, added: Sequence[Value]) -> Value:
    taken = {value.name for value in (*function.inputs, *added)} | {node.name for node in function.nodes}
    base = parameter_name(fed.name).lower()
    number, name = 0, base
    while name in taken:
        number += 1
        name = f"{base}_{number}"
    value = Value(function, None, len(function.inputs) + len(added), name)
    value.dtype = fed.dtype
    return value


def _drop_unread(function: Graph, added: Sequence[Value]) -> list[int]:
    """Take out what the results do not need any more, with the arguments that only that read; return those left."""
    _take_out_unread(function)
    results = {output.value for output in function.outputs}
    before = function.inputs
    kept = [place for place, value in enumerate(before) if value.consumers or value in results]
    function.inputs = [*(before[place] for place in kept), *added]
    return kept


def _take_out_unread(function: Graph) -> None:
    wanted = [output.value for output in function.outputs]
    needed = upstream([*producers(wanted), *function.control_outputs.values()])
    function.take_out([node for node in function.nodes if node not in needed])


def legal_name(name: str) -> str:
    """Return a name that a node may have."""
    legal = re.sub(r"[^A-Za-z0-9_.]", "_", name)
    return legal if legal[:1].isalnum() else f"input_{legal}"


def _placeholder(graph: Graph, fed: Fed, feeds: dict[str, Value]) -> Value:
    attrs = {"dtype": fed.dtype, "shape": fed.shape}
    name = graph.unique_name(legal_name(fed.name))
    feeds[fed.name] = graph.add_node("Placeholder", name, [], attrs).output()
    return feeds[fed.name]


def _second_call(step: _Step, clone: Graph, kept: Sequence[int], values: Sequence[Value]) -> Node:
    call = step.call.node
    copy = call.graph.adopt(call, call.graph.unique_name(call.name), call.inputs, controls=call.controls)
    _pass(copy, step, clone, kept, values)
    return copy


def _pass(call: Node, step: _Step, clone: Graph, kept: Sequence[int], values: Sequence[Value]) -> None:
    """Let a call run the copy, with the arguments that are left and some values behind them, for what is read."""
    function = step.call.function
    rest = call.inputs[len(function.inputs) :]  # the number of a device
    keep_outputs(call, step.results, len(function.outputs))
    retarget(call, function, clone)
    read_only = call.attrs.get(READ_ONLY)
    call.inputs = [*(call.inputs[place] for place in kept), *values, *rest]
    if call.callee is None:
        call.attrs["Tin"] = [value.dtype for value in clone.inputs if value.dtype is not None]
    if isinstance(read_only, list):
        call.attrs[READ_ONLY] = [new for new, old in enumerate(kept) if old in read_only]


def _of_copies(value: Value, copies: Mapping[Node, Node], steps: Sequence[_Step]) -> Value:
    copy = copies.get(value.producer) if value.producer is not None else None
    if copy is None:
        return value
    step = next((one for one in steps if one.call.node is value.producer), None)
    return copy.output(value.port if step is None else step.results.index(int(value.port)))
