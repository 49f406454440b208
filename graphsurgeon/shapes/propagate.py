"""Inference over one graph: every node once in an order that respects the edges, loops to a fixed point.

An edge from NextIteration to Merge is the only one that may close a cycle in a sound graph: the order leaves
it out, and what comes back along it widens what the Merge yields until nothing changes. A Merge only ever
loses knowledge, so this ends. Other cycles (broken files) are cut where they are found.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model.dtype import RESOURCE, DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.traversal import downstream, in_postorder
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import BACK_EDGES, MERGES
from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes import registry
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims, Symbol
from graphsurgeon.shapes.fact import MOST_ELEMENTS, UNKNOWN, Fact, Held, join
from graphsurgeon.shapes.kinds import Kinds

if TYPE_CHECKING:
    from graphsurgeon.shapes.session import Session

RECORDS = "the file records"  # in findings about what is inferred against it
ASSUMED = "is assumed"  # the same of what the caller says
MOST_FLOATS = 16  # elements of a floating-point constant worth computing with
MOST_UNREAD = 256  # outputs of a node that are looked at although nobody may read them
PATIENCE = 8  # turns of a loop before its elements, twice as many before its shape, are given up


class GraphPass:
    """What is known of every value of one graph, for what is known of its arguments.

    Attributes:
        facts: a fact per output of each node.
        arguments: a fact per argument of a function.
        uninferred: nodes whose op has no shape function and whose shapes the file does not record.
    """

    def __init__(
        self, graph: Graph, session: Session, arguments: Sequence[Fact] = (), *, is_reported: bool = True
    ) -> None:
        self.graph = graph
        self.session = session
        self.facts: dict[Node, list[Fact]] = {}
        self.uninferred: list[Node] = []
        self.arguments: dict[Value, Fact] = {}
        self._is_reported = is_reported
        self._assumed = _by_node(session.assumed, graph) if is_reported else {}
        contradicted = _by_node(session.contradicted, graph) if is_reported else {}
        self._affected = downstream(contradicted, controls=False) if contradicted else None
        self._symbols: dict[tuple[object, int, int], Symbol] = {}
        self._turns: dict[Node, int] = {}
        self._kinds = Kinds(graph)
        self._is_of_its_own = False  # the node that is looked at: what came of it comes of no other
        self._shape_fns = registry.shape_functions()
        self._value_fns = registry.value_functions()
        for position, (value, fact) in enumerate(zip(graph.inputs, arguments, strict=False)):
            assumed = fact.with_dims(session.assumed[value]) if is_reported and value in session.assumed else fact
            self.arguments[value] = self._named(value, position, assumed)

    def run(self) -> GraphPass:
        """Infer every node. Returns self."""
        order = order_of(self.graph.nodes)
        loops = []
        for node in order:
            self.facts[node] = self._evaluate(node)
            if node.op in MERGES:
                loops.append(node)
        self._settle(order, [node for node in loops if any(_is_back_edge(value) for value in node.inputs)])
        return self

    def learn(self, node: Node) -> list[Fact]:
        """Infer one more node, behind what it reads; return what is known of its outputs."""
        self.facts[node] = self._evaluate(node)
        return self.facts[node]

    def fact(self, value: Value) -> Fact:
        """Return what is known of a value."""
        if value.producer is None:
            return self.arguments.get(value, UNKNOWN)
        facts = self.facts.get(value.producer)
        port = value.port
        return facts[port] if facts is not None and isinstance(port, int) and 0 <= port < len(facts) else UNKNOWN

    def results(self) -> list[Fact]:
        """Return what is known of the results of a function."""
        return [self.fact(output.value) for output in self.graph.outputs]

    # -- loops -----------------------------------------------------------------------------------------

    def _settle(self, order: dict[Node, int], merges: Sequence[Node]) -> None:
        """Evaluate anew, in order, what depends on a changed fact, beginning with the heads of loops."""
        nodes = list(order)
        waiting = {order[node] for node in merges}
        heap = sorted(waiting)
        while heap:
            position = heapq.heappop(heap)
            waiting.discard(position)
            node = nodes[position]
            before = self.facts[node]
            self.facts[node] = after = self._evaluate(node)
            changed = {port for port, fact in enumerate(after) if port >= len(before) or fact != before[port]}
            for consumer in _consumers(node, changed):
                if order[consumer] not in waiting:
                    waiting.add(order[consumer])
                    heapq.heappush(heap, order[consumer])

    def _merged_inputs(self, node: Node) -> list[Fact]:
        """Return one fact for all inputs of a Merge: what it was joined with what comes in now."""
        known = [
            fact
            for value, fact in zip(node.inputs, self._inputs(node), strict=True)
            if value.producer in self.facts or not _is_back_edge(value)
        ]
        if self.facts.get(node):
            known.append(self.facts[node][0])
        if not known:
            return [UNKNOWN]
        joined = known[0]
        for fact in known[1:]:
            joined = join(joined, fact)
        turns = self._turns[node] = self._turns.get(node, 0) + 1
        if turns > 2 * PATIENCE:
            return [UNKNOWN]
        return [Fact(joined.dims, handle=joined.handle)] if turns > PATIENCE else [joined]

    # -- one node --------------------------------------------------------------------------------------

    def _evaluate(self, node: Node) -> list[Fact]:
        if node.op in MERGES:
            return self._all_named(node, self._worked_out(node, self._merged_inputs(node)))
        inputs = self._inputs(node)
        kind = self._kinds.of(node, inputs, trusted=self._trusts(node)) if node not in self._assumed else None
        known = self._kinds.get(kind) if kind is not None else None
        if known is None:
            self._is_of_its_own = False
            known = self._worked_out(node, inputs)
            if kind is not None and not self._is_of_its_own:
                known = self._kinds.keep(kind, inputs, known)
        return self._all_named(node, known)

    def _worked_out(self, node: Node, inputs: list[Fact]) -> list[Fact]:
        dtypes = output_dtypes(node)
        count = _num_outputs(node, dtypes)
        context = InferenceContext(node, catalog.of(node), inputs, count, self.session)
        results = self._infer(context)
        recorded = self._recorded(node)
        self._is_of_its_own |= dtypes is None
        if results is None and not recorded and count and self._is_reported:
            self._is_of_its_own = True
            self.uninferred.append(node)
        facts = []
        for port in range(count):
            result = results[port] if results is not None and port < len(results) else None
            fact = result if isinstance(result, Fact) else Fact(result)
            dtype = dtypes[port] if dtypes is not None and port < len(dtypes) and dtypes[port].number else None
            if port < len(recorded):
                fact = self._with_recorded(node, port, fact, recorded[port], trusted=results is None)
            facts.append(self._finished(node, port, fact, dtype or fact.dtype))
        return self._with_value(context, facts)

    def _inputs(self, node: Node) -> list[Fact]:
        return [self.fact(value) for value in node.inputs]

    def _infer(self, context: InferenceContext) -> Sequence[registry.Result] | None:
        """Return what the shape function says; None if there is none, nothing known if the node contradicts its op."""
        node = context.node
        try:
            if node.callee is not None:
                return self.session.call(node.callee, context.inputs)
            function = self._shape_fns.get(node.op)
            return function(context) if function is not None else None
        except GraphSurgeonError as error:
            what = error.message
        except (LookupError, ArithmeticError, TypeError, ValueError):
            # A file may give a node any number of inputs and any attribute; what comes of it is not a crash.
            what = f"its inputs and attributes are not those of {node.op}"
        self._find(node, what)
        return ()

    def _with_value(self, context: InferenceContext, facts: list[Fact]) -> list[Fact]:
        function = self._value_fns.get(context.node.op)
        if function is None or not facts:
            return facts
        fact = facts[0]
        size = dim.size(fact.dims)
        if size is None or size > _most_elements(fact.dtype):
            return facts
        try:
            items = function(context)
        except (GraphSurgeonError, LookupError, ArithmeticError, TypeError, ValueError):
            return facts  # only the elements stay unknown: the shape function has said what there is to say
        if items is not None and len(items) == size:
            facts[0] = Fact(fact.dims, items, handle=fact.handle, dtype=fact.dtype)
        return facts

    def _finished(self, node: Node, port: int, fact: Fact, dtype: DType | None) -> Fact:
        """Return a fact with its dtype and the assumed shape."""
        if node in self._assumed and port in self._assumed[node]:
            fact = self._with_assumed(node, port, fact)
        if fact.dims is not None and len(fact.dims) > dim.MOST_DIMS:
            self._find(node, f"output {port} has {len(fact.dims)} dimensions")
            fact = UNKNOWN
        if dtype is RESOURCE and fact.handle is None:
            fact = Fact(fact.dims, handle=_recorded_handle(node))
        if fact.dtype is not dtype:
            fact = fact.with_dtype(dtype)
        return fact

    def _all_named(self, node: Node, facts: list[Fact]) -> list[Fact]:
        """Return facts with a name for every unknown dimension; a list that needs none as it is."""
        for fact in facts:
            if fact.dims is not None and None in fact.dims:
                return [self._named(node, port, fact) for port, fact in enumerate(facts)]
        return facts

    def _named(self, owner: object, port: int, fact: Fact) -> Fact:
        dims = fact.dims
        if dims is None or None not in dims:
            return fact
        if isinstance(owner, Node) and fact.dtype is not None and fact.dtype.is_ref:
            return fact  # what a reference holds may change its shape between two reads
        named = tuple(self._symbol(owner, port, axis) if d is None else d for axis, d in enumerate(dims))
        return fact.with_dims(named)

    def _symbol(self, owner: object, port: int, axis: int) -> Symbol:
        key = (owner, port, axis)
        if key not in self._symbols:
            self._symbols[key] = self.session.new_symbol()
        return self._symbols[key]

    # -- what the file records -------------------------------------------------------------------------

    def _recorded(self, node: Node) -> list[Shape]:
        value = node.attrs.get("_output_shapes")
        return [item if isinstance(item, Shape) else Shape(None) for item in value] if isinstance(value, list) else []

    def _with_recorded(self, node: Node, port: int, fact: Fact, recorded: Shape, *, trusted: bool) -> Fact:
        """Return a fact with what `_output_shapes` adds; behind assumed shapes only where nothing else is known."""
        if not trusted and not self._trusts(node):
            return fact
        try:
            dims = dim.merge(fact.dims, recorded.dims)
        except dim.ShapeError:
            self._find(node, f"output {port} has shape {dim.show(fact.dims)}, {RECORDS} {recorded}")
            return fact
        return fact if dims is fact.dims else fact.with_dims(dims)

    def _trusts(self, node: Node) -> bool:
        """Say whether what the file records of a node counts although its shape can be inferred."""
        return not self.session.contradicted or (self._affected is not None and node not in self._affected)

    def _with_assumed(self, node: Node, port: int, fact: Fact) -> Fact:
        assumed = self._assumed[node][port]
        try:
            dim.merge(fact.dims, assumed)
        except dim.ShapeError:
            self._find(node, f"output {port} has shape {dim.show(fact.dims)}, {dim.show(assumed)} {ASSUMED}")
        return Fact(assumed, handle=fact.handle)

    def _find(self, node: Node, what: str) -> None:
        self._is_of_its_own = True
        if self._is_reported:
            self.session.find(self.graph, str(node), what)


class DemandPass(GraphPass):
    """The same of a graph without loops, each value looked at when it is asked for."""

    def fact(self, value: Value) -> Fact:
        """Return what is known of a value; what it follows from is inferred first."""
        node = value.producer
        if node is not None and node not in self.facts:
            for one in in_postorder([node], self._ahead):
                self.facts[one] = self._evaluate(one)
        return super().fact(value)

    def _inputs(self, node: Node) -> list[Fact]:
        return [GraphPass.fact(self, value) for value in node.inputs]  # behind them in the order, cycles aside

    def _ahead(self, node: Node) -> list[Node]:
        return [one for one in _forward_producers(node) if one not in self.facts]


def order_of(nodes: Iterable[Node]) -> dict[Node, int]:
    """Return nodes with their positions in an order that puts producers first, as far as cycles allow."""
    return {node: place for place, node in enumerate(in_postorder(nodes, _forward_producers))}


def output_dtypes(node: Node) -> list[DType] | None:
    """Return the dtype of every output as the op's definition gives it, None if their number is unknown."""
    if node.graph.raw is not None:
        return node.output_dtypes()
    if node.callee is not None:
        return [output.dtype or DType.of(0) for output in node.callee.outputs]
    definition = catalog.of(node)
    return definition.output_dtypes(node.attrs) if definition is not None else None


def _recorded_handle(node: Node) -> tuple[Held, ...] | None:
    """Return what attributes say is behind a resource (of an argument node, where nothing else could)."""
    dtypes, shapes = node.attrs.get("_handle_dtypes"), node.attrs.get("_handle_shapes")
    if not isinstance(dtypes, list) or not isinstance(shapes, list):
        return None
    pairs = zip(dtypes, shapes, strict=False)
    return tuple(Held(d, s.dims) for d, s in pairs if isinstance(d, DType) and isinstance(s, Shape)) or None


def _by_node(assumed: Mapping[Value, Dims | None], graph: Graph) -> dict[Node, dict[int, Dims | None]]:
    by_node: dict[Node, dict[int, Dims | None]] = {}
    for value, dims in assumed.items():
        if value.graph is graph and value.producer is not None and isinstance(value.port, int):
            by_node.setdefault(value.producer, {})[value.port] = dims
    return by_node


def _forward_producers(node: Node) -> list[Node]:
    return [
        value.producer for value in node.inputs if value.producer is not None and value.producer.op not in BACK_EDGES
    ]


def _is_back_edge(value: Value) -> bool:
    return value.producer is not None and value.producer.op in BACK_EDGES


def _consumers(node: Node, ports: set[int]) -> Iterable[Node]:
    for port in ports:
        yield from node.output(port).consumers


def _num_outputs(node: Node, dtypes: Sequence[DType] | None) -> int:
    """Return how many outputs to keep facts of: those there are, but not many more than anybody reads.

    An attribute of a few bytes may claim a million outputs.
    """
    if dtypes is not None and len(dtypes) <= MOST_UNREAD:
        return len(dtypes)
    ports = [port for port in node.known_outputs if isinstance(port, int)]
    most = len(dtypes) if dtypes is not None else max(ports, default=-1) + 1
    return min(most, max(MOST_UNREAD, 4 * len(ports)))


def _most_elements(dtype: DType | None) -> int:
    return MOST_FLOATS if dtype is None or dtype.is_floating else MOST_ELEMENTS
