"""Inference over the graphs that call each other: functions inferred for the shapes they are called with.

A call is inferred once per set of facts about its arguments; symbols are numbered by first appearance, so
that two calls that differ only in which unknown dimensions they pass share the work. A function that calls
itself, nested too deep, or called in too many ways is taken for what its recorded argument shapes give.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphsurgeon.model.dtype import RESOURCE
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.shape import SCALAR, Shape
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError, Symbol, merge, product
from graphsurgeon.shapes.fact import UNKNOWN, Fact, Held, join
from graphsurgeon.shapes.propagate import GraphPass

MOST_DEPTH = 48  # of calls within calls; Python's own stack ends at about four times that
MOST_VARIANTS = 32  # of one function


class Session:
    """What the passes over the graphs of one MetaGraph share.

    Attributes:
        assumed: shapes to take for granted, by value.
        contradicted: the assumed values of which the file records another shape, or none: what it records of values
            computed from them need not hold.
        findings: contradictions, in the order found.
        called_with: what is known of the arguments of each function at every call outside other calls, joined.
    """

    def __init__(self, assumed: Mapping[Value, Dims | None] | None = None) -> None:
        self.assumed = dict(assumed or {})
        self.contradicted = {value: dims for value, dims in self.assumed.items() if not _narrows(value, dims)}
        self.findings: dict[Finding, None] = {}
        self.called_with: dict[Graph, list[Fact]] = {}
        self._last_symbol = 0
        self._memo: dict[Graph, dict[object, list[Fact]]] = {}
        self._running: list[Graph] = []

    def new_symbol(self) -> Symbol:
        """Return a symbol unlike any other."""
        self._last_symbol += 1
        return Symbol((self._last_symbol,))

    def find(self, graph: Graph, where: str, what: str) -> None:
        """Keep a finding; the same one is kept once."""
        self.findings[Finding("warning", where, what, graph=graph.name)] = None

    def call(self, function: Graph, arguments: Sequence[Fact]) -> list[Fact]:
        """Return what is known of the results of a function for what is known of its arguments."""
        facts = _matched(function, arguments)
        if not self._running:
            self._remember(function, facts)
        key, generic, names = _generic(facts)
        variants = self._memo.setdefault(function, {})
        if key not in variants:
            if function in self._running or len(self._running) > MOST_DEPTH or len(variants) >= MOST_VARIANTS:
                return [Fact(dtype=output.dtype) for output in function.outputs]
            self._running.append(function)
            try:
                variants[key] = GraphPass(function, self, generic, is_reported=False).run().results()
            finally:
                self._running.pop()
        return [_renamed(fact, names) for fact in variants[key]]

    def report_on(self, function: Graph) -> GraphPass:
        """Infer a function by itself: for the argument shapes it records, or else for those it is called with."""
        return GraphPass(function, self, self._argument_facts(function)).run()

    def _argument_facts(self, function: Graph) -> list[Fact]:
        called = self.called_with.get(function)
        if called is None:
            return [_recorded(value) for value in function.inputs]
        return [self._argument_fact(value, fact) for value, fact in zip(function.inputs, called, strict=True)]

    def _argument_fact(self, argument: Value, called: Fact) -> Fact:
        """Return what a function records of an argument, completed by its calls; constants may differ elsewhere."""
        recorded = _recorded(argument)
        prefer_call = self.assumed and called.dims is not None
        # A shape recorded as unknown says that the function takes any.
        is_open = _recorded_shape(argument) is None
        dims = called.dims if is_open or prefer_call else recorded.dims
        return Fact(dims, handle=called.handle or recorded.handle, dtype=recorded.dtype or called.dtype)

    def _remember(self, function: Graph, facts: list[Fact]) -> None:
        before = self.called_with.get(function)
        self.called_with[function] = facts if before is None else list(map(join, before, facts))


def _recorded(argument: Value) -> Fact:
    """Return what a function records of an argument: dtype, shape, and what a handle stands for."""
    held = argument.extra.get("resource") if argument.extra else None
    handle = tuple(Held(dtype, shape.dims) for dtype, shape in held) if held else None
    shape = _recorded_shape(argument)
    if argument.dtype is RESOURCE and handle is not None and shape is None:
        shape = SCALAR
    return Fact(shape.dims if shape is not None else None, handle=handle, dtype=argument.dtype)


def _recorded_shape(argument: Value) -> Shape | None:
    """Return the shape of an argument by its own attribute or the function's `_input_shapes`; None if there is none."""
    shapes = argument.graph.attrs.get("_input_shapes")
    position = argument.port
    if argument.shape is not None or not isinstance(shapes, list) or not isinstance(position, int):
        return argument.shape
    shape = shapes[position] if position < len(shapes) else None
    return shape if isinstance(shape, Shape) else None


def _matched(function: Graph, arguments: Sequence[Fact]) -> list[Fact]:
    """Return one fact per argument, each with what the function itself records of it."""
    facts = []
    for position, value in enumerate(function.inputs):
        given = arguments[position] if position < len(arguments) else UNKNOWN
        recorded = _recorded(value)
        given = given.with_dims(_both(given.dims, recorded.dims))
        if given.handle is None and recorded.handle is not None:
            given = Fact(given.dims, handle=recorded.handle, dtype=given.dtype)
        facts.append(given if given.dtype is value.dtype or value.dtype is None else given.with_dtype(value.dtype))
    return facts


def _narrows(value: Value, dims: Dims | None) -> bool:
    """Say whether an assumed shape is one of those that the file records a value to have."""
    recorded = _recorded_shape(value) if value.producer is None else _recorded_output(value)
    if recorded is None:
        return False
    try:
        return merge(recorded.dims, dims) == dims
    except ShapeError:
        return False


def _recorded_output(value: Value) -> Shape | None:
    assert value.producer is not None
    shapes, port = value.producer.attrs.get("_output_shapes"), value.port
    shape = shapes[port] if isinstance(shapes, list) and isinstance(port, int) and port < len(shapes) else None
    return shape if isinstance(shape, Shape) else None


def _both(given: Dims | None, recorded: Dims | None) -> Dims | None:
    """Return what is given with what is recorded; what is given where they contradict each other."""
    try:
        return merge(given, recorded)
    except ShapeError:
        return given


# -- symbols across calls ------------------------------------------------------------------------------


def _generic(facts: Sequence[Fact]) -> tuple[object, list[Fact], dict[Symbol, Symbol]]:
    """Return a key that is equal for equal calls, the facts in symbols of their own, and what each stands for."""
    own: dict[Symbol, Symbol] = {}
    generic = [_renamed(fact, own, make=True) for fact in facts]
    key = tuple((fact.dtype, fact.dims, fact.items, fact.handle) for fact in generic)
    return key, generic, {mine: theirs for theirs, mine in own.items()}


def _renamed(fact: Fact, names: dict[Symbol, Symbol], *, make: bool = False) -> Fact:
    """Return a fact with its symbols renamed; one without a new name becomes unknown, or gets one (`make`)."""

    def rename(symbol: Symbol) -> Dim:
        if make:
            return names.setdefault(symbol, Symbol((-1 - len(names),)))
        return product([symbol.coefficient, *(names.get(Symbol((factor,))) for factor in symbol.factors)])

    def shape(dims: Dims | None) -> Dims | None:
        return None if dims is None else tuple(rename(d) if isinstance(d, Symbol) else d for d in dims)

    items = fact.items
    if items is not None:
        items = tuple(rename(item) if isinstance(item, Symbol) else item for item in items)
    handle = None if fact.handle is None else tuple(Held(held.dtype, shape(held.dims)) for held in fact.handle)
    return Fact(shape(fact.dims), items, handle=handle, dtype=fact.dtype)
