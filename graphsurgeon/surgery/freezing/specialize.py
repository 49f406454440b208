"""Graphs whose variables become values, and the functions they run, specialised for the values passed to them.

A function that is given a variable becomes one that is given its value: argument and result types change, in the
function and in every list of types on the node that runs it. Functions stay functions (lowering them to V1
control flow is what breaks other tools' results); plain calls are inlined. One function serves all nodes
that pass it variables of the same types in the same places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.flow.calls import nesting, settle
from graphsurgeon.analysis.flow.effects import Effects
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Value
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import SHAPE_READS, VARIABLES
from graphsurgeon.ops.opdef import ArgDef
from graphsurgeon.surgery.freezing.control_edges import clean_control_edges
from graphsurgeon.surgery.freezing.idle_writes import idle_writes
from graphsurgeon.surgery.freezing.reads import pass_value, read_value
from graphsurgeon.surgery.freezing.variables import FrozenVariables
from graphsurgeon.surgery.freezing.writes import Access, check_order, drop_write, kept_state, needed_nodes
from graphsurgeon.surgery.moves.branches.fold_predicates import fold_predicates
from graphsurgeon.surgery.moves.functions.function_arguments import ArgumentFlow, Run, runs_of
from graphsurgeon.surgery.moves.inlining.inline import Growth, Inliner, has_uncounted_outputs, has_v1_control_flow
from graphsurgeon.surgery.moves.inlining.open_attrs import bind_attrs
from graphsurgeon.surgery.moves.prune import prune_graph
from graphsurgeon.surgery.moves.variable_uses import HeldVariable, Holders, Use, trace, uses, variable_of

MAX_NESTING = 100  # calls in calls; what is deeper is recursion, and Python's stack holds a thousand frames
_Key = tuple[Graph, str, tuple[object, ...]]


@dataclass(frozen=True, slots=True)
class Specialised:
    """A function made for certain arguments.

    Attributes:
        graph: the function.
        arguments: what stands for the variable in each argument, None where none is passed.
        reads, writes: what it does to them, and to variables that it names itself.
    """

    graph: Graph
    arguments: tuple[HeldVariable | None, ...]
    reads: frozenset[HeldVariable]
    writes: frozenset[HeldVariable]


class Specializer:
    """Turns variables into values in one main graph and in the functions that it runs.

    Args:
        variables: the variables and their values.
        keep_functions: leave plain calls that neither take nor name a variable.
    """

    def __init__(self, variables: FrozenVariables, *, keep_functions: bool) -> None:
        self._variables = variables
        self._keep_functions = keep_functions
        self._flow = ArgumentFlow()
        self._effects = Effects()
        self._made: dict[_Key, Specialised] = {}
        self._active: list[Graph] = []
        self._names_variables: dict[Graph, bool] = {}
        self._growth: Growth | None = None
        self.dropped: dict[str, None] = {}
        self.state: frozenset[HeldVariable] = frozenset()
        self.inlined = 0

    def run(self, graph: Graph, roots: Sequence[Node] = ()) -> None:
        """Turn the variables of a main graph into values, in place. Outputs of the graph say what is needed.

        Args:
            graph: the graph.
            roots: nodes that stay even if nothing needs them.

        Raises:
            UnsupportedError: a variable is used in a way that a constant does not allow.
            FileError: a variable has no value.
        """
        self._growth = self._growth or Growth(graph.metagraph)
        depth = nesting(graph)
        if depth > MAX_NESTING:
            raise UnsupportedError(f"functions run functions {depth} deep, at most {MAX_NESTING} are followed")
        self._flatten(graph, results_wait=True)
        self._dissolve(graph, {}, roots)

    def told(self) -> dict[str, tuple[str, ...]]:
        """Return what a report says of writes, by the names of its fields."""
        return {"dropped_writes": tuple(self.dropped), "state": tuple(sorted(map(str, self.state)))}

    def _flatten(self, graph: Graph, *, results_wait: bool) -> None:
        """Inline calls and decide what is decided, until neither leaves anything to the other."""
        nodes = None
        while True:
            inliner = Inliner(
                graph, keep=self._keeps, effects=self._effects, results_wait=results_wait, growth=self._growth
            )
            inliner.run(nodes)
            self.inlined += inliner.inlined
            nodes = fold_predicates(graph)
            if not nodes:
                return

    def _keeps(self, call: Node, function: Graph) -> bool:
        """Say whether a call stays a call."""
        if has_uncounted_outputs(function):
            return True
        if not self._keep_functions:
            return False
        is_given = any(dtype is None or dtype.name == "resource" for dtype in map(dtype_of, call.inputs))
        return not is_given and not self._touches(function) and not any(v.dtype is None for v in function.inputs)

    def _touches(self, function: Graph) -> bool:
        """Say whether a function names a variable itself, or one that it runs does."""
        if function not in self._names_variables:
            settle(
                function,
                self._names_variables,
                lambda graph: not VARIABLES.isdisjoint(graph.op_counts),
                lambda graph: (inner for node in graph.nodes for inner in node.functions),
            )
        return self._names_variables[function]

    def _dissolve(
        self, graph: Graph, seeds: Mapping[Value, HeldVariable], roots: Sequence[Node] = ()
    ) -> tuple[frozenset[HeldVariable], frozenset[HeldVariable]]:
        """Turn variables into values in a graph; return what was read and what was written."""
        named = {node.output(0): held for node in graph.nodes if (held := self._variables.held(node)) is not None}
        holders = trace(graph, {**named, **seeds}, self._flow.returned)
        self._drop_idle(graph, idle_writes(graph, holders))
        used = uses(holders)
        runners = {node: None for node, use, _ in used if use == "function"}
        runners |= {node: None for node in graph.nodes if any(self._touches(f) for f in node.functions)}
        accesses = [self._specialise_runs(node, holders) for node in runners]
        accesses += [_access(node, use, held) for node, use, held in used if node not in runners]
        place = {node: number for number, node in enumerate(graph.nodes)}
        accesses.sort(key=lambda access: place[access.node])  # so that the same one is refused in every run
        self._effects = Effects()  # functions were exchanged
        needed = self._settle_writes(graph, holders, accesses, roots)
        in_frames = has_v1_control_flow(graph)
        for node, use, _ in uses(holders):
            if node in graph and use == "pass":
                pass_value(node, holders)
            elif node in graph and use == "read":
                read_value(node, holders, in_frames=in_frames)
        self._variables.place_values(graph)
        reads = frozenset(held for access in accesses if access.node in needed for held in access.reads)
        return reads, frozenset(held for access in accesses for held in access.writes)

    def _drop_idle(self, graph: Graph, writes: Sequence[Node]) -> None:
        """Take out writes that change nothing; who waits for one waits for what it would have written."""
        for node in writes:
            source = node.inputs[1].producer
            for waiting in node.control_consumers:
                others = [*waiting.controls, *node.controls, *([] if source is None else [source])]
                waiting.controls = list(dict.fromkeys(other for other in others if other is not node))
            self.dropped[f"{node.name} ({node.op}), which writes back what was read"] = None
        gone = set(writes)
        graph.control_outputs = {key: node for key, node in graph.control_outputs.items() if node not in gone}
        graph.remove_nodes(writes)

    def _settle_writes(
        self, graph: Graph, holders: Holders, accesses: list[Access], roots: Sequence[Node]
    ) -> set[Node]:
        """Check the order of writes and reads, then drop the writes; return the nodes whose values matter."""
        writes = {access.node: None for access in accesses if access.is_plain}
        acting = [node for node in graph.nodes if node not in writes and self._effects.of_node(node)]
        needed = needed_nodes(graph, acting)
        check_order(graph, accesses, needed)
        if not graph.name:
            self.state |= kept_state(accesses, needed)
        for node in writes:
            where = f" in function {graph.name}" if graph.name else ""
            self.dropped[f"{node.name} ({node.op}){where}"] = None
        if has_v1_control_flow(graph):
            for node in writes:
                place = next(index for index, value in enumerate(node.inputs) if value in holders)
                drop_write(node, place)
        else:
            clean_control_edges(graph, lambda node: node not in writes and self._effects.of_node(node))
        prune_graph(graph, roots)
        return needed

    # -- functions -------------------------------------------------------------------------------------

    def _specialise_runs(self, node: Node, holders: Holders) -> Access:
        """Exchange the functions that a node runs, and its types; return what they do to variables."""
        reads: set[HeldVariable] = set()
        writes: set[HeldVariable] = set()
        returned = self._flow.returned(node, holders)
        for run in runs_of(node):
            given = {argument: node.inputs[i] for i, argument in run.arguments.items() if node.inputs[i] in holders}
            if not given and not self._touches(run.function):
                continue
            made = self._specialise(node, run, given, holders)
            passed = {made.arguments[argument]: holders[value] for argument, value in given.items()}
            reads.update(one for held in made.reads for one in passed.get(held, {held}))
            writes.update(one for held in made.writes for one in passed.get(held, {held}))
            _retarget(node, run, made.graph)
        _retype(node, holders, [bool(held) for held in returned])
        return Access(node, frozenset(reads), frozenset(writes))

    def _specialise(self, node: Node, run: Run, given: Mapping[int, Value], holders: Holders) -> Specialised:
        function = run.function
        key, arguments = _pattern(function, run, given, holders)
        if key not in self._made:
            if function in self._active:
                raise UnsupportedError(f"function {function.name!r} runs itself (through {node.name!r})")
            self._active.append(function)
            self._made[key] = self._make(function, run.ref.attrs, arguments)
            self._active.pop()
        return self._made[key]

    def _make(
        self, function: Graph, bindings: Mapping[str, AttrValue], arguments: tuple[HeldVariable | None, ...]
    ) -> Specialised:
        if self._growth is not None:
            self._growth.take(len(function), function)
        graph = function.clone(function.name)
        if bindings:
            for node in graph.nodes:
                bind_attrs(node, bindings)
        prune_graph(graph)
        self._flatten(graph, results_wait=False)
        seeds = {value: held for value, held in zip(graph.inputs, arguments, strict=True) if held is not None}
        returned = self._flow.returns(function)
        reads, writes = self._dissolve(graph, seeds)
        for value, passed in seeds.items():
            value.dtype, value.shape, value.extra = passed.dtype, passed.shape, None
        for output, places in zip(graph.outputs, returned, strict=True):
            given = [held for place in sorted(places) if (held := arguments[place]) is not None]
            if given:
                output.dtype = given[0].dtype
        for attr in ("_input_shapes", "_resource_arg_unique_id"):
            graph.attrs.pop(attr, None)
        return Specialised(graph, arguments, reads, writes)


def _access(node: Node, use: Use, held: frozenset[HeldVariable]) -> Access:
    if use == "write":
        return Access(node, writes=held, is_plain=True)
    is_read = use == "read" and node.op not in SHAPE_READS
    return Access(node, reads=held if is_read else frozenset())


def _pattern(
    function: Graph, run: Run, given: Mapping[int, Value], holders: Holders
) -> tuple[_Key, tuple[HeldVariable | None, ...]]:
    """Return what distinguishes a specialisation, and new stand-ins for the variables passed.

    Which variables they are does not matter to the function, only their types and which are the same.
    """
    numbers: dict[frozenset[HeldVariable], int] = {}
    arguments: list[HeldVariable | None] = []
    pattern: list[object] = []
    made: dict[int, HeldVariable] = {}
    for place in range(len(function.inputs)):
        value = given.get(place)
        if value is None:
            arguments.append(None)
            pattern.append(None)
            continue
        number = numbers.setdefault(holders[value], len(numbers))
        variable = variable_of(value, holders)
        held = made.setdefault(number, HeldVariable(variable.name, variable.dtype, variable.shape, variable.key))
        arguments.append(held)
        pattern.append((number, held.dtype.number, held.shape))
    return (function, repr(sorted(run.ref.attrs.items())), tuple(pattern)), tuple(arguments)


def _retarget(node: Node, run: Run, function: Graph) -> None:
    """Make a node run another function."""
    if not run.key:
        node.op = function
    elif run.position is None:
        node.attrs[run.key] = FunctionRef(function)
    else:
        refs = list(node.attrs[run.key])  # type: ignore[arg-type]
        refs[run.position] = FunctionRef(function)
        node.attrs[run.key] = refs


def _retype(node: Node, holders: Holders, returned: list[bool]) -> None:
    """Change the types of inputs and outputs that were handles in the node's lists of types and shapes."""
    types = {i: variable_of(value, holders).dtype for i, value in enumerate(node.inputs) if value in holders}
    out = {port: variable_of(node.output(port), holders) for port, is_held in enumerate(returned) if is_held}
    opdef = catalog.of(node)
    if opdef is not None:
        inputs, outputs = opdef.input_lengths(node.attrs), opdef.output_lengths(node.attrs)
        _retype_lists(node, opdef.inputs, inputs or (), types)
        _retype_lists(node, opdef.outputs, outputs or (), {port: held.dtype for port, held in out.items()})
    shapes = node.attrs.get("output_shapes")
    if isinstance(shapes, list) and out and len(shapes) > max(out):
        node.attrs["output_shapes"] = [out[i].shape if i in out else shape for i, shape in enumerate(shapes)]
    for key in ("_output_shapes", "_read_only_resource_inputs", "_handle_dtypes", "_handle_shapes"):
        node.attrs.pop(key, None)


def _retype_lists(node: Node, args: Sequence[ArgDef], lengths: Sequence[int], types: Mapping[int, DType]) -> None:
    start = 0
    for arg, length in zip(args, lengths, strict=False):
        changed = {place - start: dtype for place, dtype in types.items() if start <= place < start + length}
        listed = node.attrs.get(arg.type_list_attr) if arg.type_list_attr else None
        if changed and isinstance(listed, list):
            node.attrs[arg.type_list_attr] = [changed.get(i, dtype) for i, dtype in enumerate(listed)]
        start += length
