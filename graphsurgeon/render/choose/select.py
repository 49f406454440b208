"""What of a flow matters in a picture, and how: boxes, what is folded into them, and the edges between them.

By default only what outputs depend on is kept; constants and variables are folded into the operation that uses
them, what hands its input on is folded into the edges, and so is arithmetic on shapes and on constants alone.
Nothing is collapsed here: that is the business of `levels`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from graphsurgeon.model.dtype import RESOURCE, VARIANT, DType
from graphsurgeon.model.graph import Value
from graphsurgeon.model.traversal import nearest_first
from graphsurgeon.ops.kinds import BACK_EDGES, EXITS, MERGES, SWITCHES
from graphsurgeon.render.choose.flow import Drawn, DrawnOperand, Flow
from graphsurgeon.render.scene import families

_FAR = 500  # operations that the search for a condition may look at
_SHAPE, _FIXED, _DYNAMIC = "shape", "fixed", "dynamic"


@dataclass(frozen=True, slots=True)
class Link:
    """An edge between two operations that are drawn.

    Attributes:
        source, target: indices of operations.
        value: what flows, as the source's graph knows it.
        read: the same as the target's graph knows it.
        kind: "data", "resource", "shape" (only its shape matters), "loop" (from one turn to the next), "condition"
            (chooses a branch) or "control" (runs before).
    """

    source: int
    target: int
    value: Value | None
    read: Value | None
    kind: str


@dataclass(slots=True)
class Selection:
    """The operations to draw.

    Attributes:
        flow: where they are from.
        order: their indices, each after what it reads (loops aside), branches one after the other.
        links: the edges between them.
        weights: operation -> the constants and variables folded into it, as indices of operations.
        folded: operation -> the values it reads that are computed from those.
        results: operation that an output names -> the drawn operations that yield it, each with its role.
        is_all: nothing was left out.
    """

    flow: Flow
    order: list[int]
    links: list[Link] = field(default_factory=list)
    weights: dict[int, list[int]] = field(default_factory=dict)
    folded: dict[int, list[Value]] = field(default_factory=dict)
    results: dict[int, dict[int, str]] = field(default_factory=dict)
    is_all: bool = False

    @property
    def hidden(self) -> int:
        """Number of operations that have no box of their own."""
        return len(self.flow.operations) - len(self.order)


def select_all(flow: Flow) -> Selection:
    """Return every operation and every edge, nothing folded."""
    order = _sorted(flow, range(len(flow.operations)), lambda index: flow.operations[index].operands)
    selection = Selection(flow, order, is_all=True)
    for operation in flow.operations:
        selection.links += [_link(flow, operand, operation.index) for operand in operation.operands]
        selection.links += [Link(index, operation.index, None, None, "control") for index in operation.controls]
    return selection


def select(
    flow: Flow,
    outputs: Iterable[int],
    inputs: Iterable[int],
    *,
    keep_weights: bool = False,
    keep_passing: bool = False,
) -> Selection:
    """Return what outputs depend on, with constants and mere passing folded.

    Args:
        flow: the operations.
        outputs: indices of the operations to start from.
        inputs: indices of operations that are drawn in any case.
        keep_weights: draw constants and variables as boxes of their own.
        keep_passing: draw what only hands its input on, too.
    """
    passing = frozenset() if keep_passing else families.PASSING
    return _Selector(flow, list(outputs), set(inputs), keep_weights, passing).run()


class _Selector:
    def __init__(
        self, flow: Flow, outputs: list[int], inputs: set[int], keep_weights: bool, passing: frozenset[str]
    ) -> None:
        self.flow = flow
        self.operations = flow.operations
        self.outputs = outputs
        self.inputs = inputs
        self.keep_weights = keep_weights
        self.passing = passing
        self.nature: dict[int, str] = {}

    def run(self) -> Selection:
        reached = _sorted(self.flow, [*self.outputs, *self.inputs], lambda index: self.operations[index].operands)
        for index in reached:
            self.nature[index] = self._nature(self.operations[index])
        results = {output: self._behind(output) for output in self.outputs}
        starts = [index for found in results.values() for index in found]
        forced = self.inputs | set(starts)
        visible: dict[int, list[DrawnOperand]] = {}
        waiting = list(dict.fromkeys([*starts, *self.inputs]))
        while waiting:
            index = waiting.pop()
            if index in visible:
                continue
            visible[index] = found = self._read_by(self.operations[index])
            waiting += [o.source for o in found if self._is_drawn(o.source, forced)]
        selection = self._selection(visible)
        selection.results = results
        return selection

    def _selection(self, visible: dict[int, list[DrawnOperand]]) -> Selection:
        reads = {i: [o for o in found if o.source in visible] for i, found in visible.items()}
        starts = dict.fromkeys([*self.outputs, *visible])
        order = _sorted(self.flow, [i for i in starts if i in visible], reads.__getitem__)
        selection = Selection(self.flow, order)
        for index in order:
            # That shapes count goes without saying where values are read.
            values = [operand for operand in reads[index] if operand.role != "shape"]
            selection.links += [_link(self.flow, operand, index) for operand in values or reads[index]]
            folded = [operand for operand in visible[index] if operand.source not in visible]
            # What a loop begins with is no weight of what the first turn reads.
            turning = {operand.slot for operand in visible[index] if operand.role == "loop"}
            weights = self._weights(operand.source for operand in folded if operand.slot not in turning)
            if weights:
                selection.weights[index] = weights
                selection.folded[index] = [operand.read for operand in folded]
        selection.links += self._controls(set(order))
        return selection

    def _is_drawn(self, index: int, forced: set[int]) -> bool:
        if index in forced or self.nature[index] == _DYNAMIC:
            return True
        return self.keep_weights and (self.operations[index].op in families.WEIGHTS or not self.passing)

    def _nature(self, operation: Drawn) -> str:
        """Say whether an operation depends on inputs, on their shapes only, or on nothing but constants."""
        if operation.op in families.WEIGHTS or _is_captured(operation):
            return _FIXED
        if operation.index in self.inputs:
            return _DYNAMIC
        # What a condition is made of decides nothing about the value: a switched weight is a weight.
        kept = operation.operands[:1] if operation.op in SWITCHES else operation.operands
        operands = {self.nature.get(o.source, _DYNAMIC) for o in kept if o.role == "data"}
        is_passing = operation.op in families.PASSING
        if not operands or (families.is_stateful(operation.op) and not is_passing):
            return _DYNAMIC
        if operands == {_FIXED}:
            return _FIXED
        if families.is_shape_source(operation.op):
            return _SHAPE
        is_step = families.is_shape_step(operation.op) or is_passing
        return _SHAPE if is_step and _DYNAMIC not in operands else _DYNAMIC

    def _read_by(self, operation: Drawn) -> list[DrawnOperand]:
        """Return what an operation reads once passing is folded; shapes are followed to what they are the shape of."""
        found: dict[tuple[int, int, str], DrawnOperand] = {}
        for operand in [*operation.operands, *self._conditions(operation)]:
            for origin in self._origins(operand):
                found.setdefault((origin.source, operand.slot, origin.role), origin)
        return list(found.values())

    def _conditions(self, operation: Drawn) -> list[DrawnOperand]:
        """Return what chooses between the branches that a merge joins; nothing for the merge at a loop's head."""
        if operation.op not in MERGES:
            return []
        waiting = [(operand.source, 0) for operand in operation.operands]
        seen: set[int] = set()
        while waiting and len(seen) < _FAR:
            index, inner = waiting.pop()
            current = self.operations[index]
            if index in seen or current.op in BACK_EDGES:
                continue
            seen.add(index)
            if current.op in SWITCHES and inner == 0:
                choosing = [operand for operand in current.operands if operand.slot == 1]
                is_loop = any(self.operations[operand.source].op == "LoopCond" for operand in choosing)
                return [] if is_loop else [operand._replace(slot=-1, role="condition") for operand in choosing]
            inner += (current.op in MERGES) - (current.op in SWITCHES)
            waiting += [(operand.source, inner) for operand in current.operands]
        return []

    def _origins(self, operand: DrawnOperand) -> list[DrawnOperand]:
        found: list[DrawnOperand] = []
        seen: set[int] = set()
        waiting = [operand]
        while waiting:
            current = waiting.pop()
            operation = self.operations[current.source]
            if current.source in self.inputs or not self._is_bypassed(operation):
                found.append(current)
                continue
            if current.source in seen:
                continue
            seen.add(current.source)
            is_shape = self.nature.get(current.source) == _SHAPE
            role = "loop" if operation.op in BACK_EDGES else "shape" if is_shape else current.role
            waiting += [
                DrawnOperand(o.source, o.value, current.read, operand.slot, role if o.role == "data" else o.role)
                for o in reversed(self._result_of_loop(operation) or _handed_on(operation, current, is_shape))
            ]
        return found

    def _result_of_loop(self, operation: Drawn) -> list[DrawnOperand]:
        """Return what the last turn of a loop yields, which is what leaves it; nothing for another operation."""
        if operation.op not in EXITS:
            return []
        sources = {operation.index}
        for ops in (EXITS, SWITCHES, MERGES):
            operands = [o for index in sources for o in self.operations[index].operands if o.slot != 1 or ops is MERGES]
            sources = {o.source for o in operands if ops is not MERGES or self._is_turn(o.source)}
        return [operand for index in sources for operand in self.operations[index].operands]

    def _is_turn(self, index: int) -> bool:
        return self.operations[index].op in BACK_EDGES

    def _is_bypassed(self, operation: Drawn) -> bool:
        if not operation.operands:
            return False
        return operation.op in self.passing or self.nature.get(operation.index) == _SHAPE

    def _behind(self, index: int) -> dict[int, str]:
        """Return the operation itself, or those whose values it hands on, each with its role."""
        operation = self.operations[index]
        if index in self.inputs or operation.op not in self.passing or not operation.operands:
            return {index: "data"}
        first, *_ = operation.operands
        read = DrawnOperand(index, first.value, first.read, 0)
        return {origin.source: origin.role for origin in self._origins(read)}

    def _weights(self, sources: Iterable[int]) -> list[int]:
        """Return the constants and variables behind what was folded."""

        def folded(index: int) -> list[int]:
            return [] if is_weight(index) else [operand.source for operand in self.operations[index].operands]

        def is_weight(index: int) -> bool:
            return self.operations[index].op in families.WEIGHTS or _is_captured(self.operations[index])

        return [index for index in nearest_first(sources, folded) if is_weight(index)]

    def _controls(self, drawn: set[int]) -> list[Link]:
        return [
            Link(before, index, None, None, "control")
            for index in sorted(drawn)
            for before in self.operations[index].controls
            if before in drawn and before != index
        ]


def behind(selection: Selection, index: int) -> dict[int, str]:
    """Return the drawn operations that yield what an operation yields, itself or those it hands on from.

    Each with its role: "condition" for one that only chooses, "data" otherwise.
    """
    operations = selection.flow.operations
    drawn = set(selection.order)
    found: dict[int, str] = {}
    seen: set[int] = set()
    waiting = [(index, "data")]
    while waiting:
        current, role = waiting.pop()
        if current in drawn:
            found.setdefault(current, role)
        elif current not in seen:
            seen.add(current)
            is_switch = operations[current].op in SWITCHES
            kept = [o for o in operations[current].operands if not (is_switch and o.slot == 1)]
            waiting += [(o.source, "condition" if o.role == "condition" else role) for o in reversed(kept)]
    return found


def _handed_on(operation: Drawn, read: DrawnOperand, is_shape: bool) -> Sequence[DrawnOperand]:
    if is_shape:
        return operation.operands
    slot = read.value.port if operation.op == "IdentityN" and isinstance(read.value.port, int) else 0
    return [operand for operand in operation.operands if operand.slot == slot]


def _is_captured(operation: Drawn) -> bool:
    """Say whether this is a variable that a function gets as an argument."""
    return (
        operation.node is None
        and operation.value is not None
        and (operation.value.tensor is not None or operation.value.dtype is RESOURCE)
    )


def _link(flow: Flow, operand: DrawnOperand, target: int) -> Link:
    return Link(operand.source, target, operand.value, operand.read, _kind(flow, operand))


def _kind(flow: Flow, operand: DrawnOperand) -> str:
    if flow.operations[operand.source].op in BACK_EDGES:
        return "loop"
    if operand.role != "data":
        return operand.role
    dtype = dtype_of(operand.value)
    return "resource" if dtype is not None and dtype.base in (RESOURCE, VARIANT) else "data"


def dtype_of(value: Value) -> DType | None:
    """Return the dtype that the file or the op's definition gives a value."""
    if value.dtype is not None or value.producer is None:
        return value.dtype
    dtypes = value.producer.output_dtypes()
    return dtypes[value.port] if dtypes and isinstance(value.port, int) and value.port < len(dtypes) else None


def _sorted(flow: Flow, starts: Iterable[int], reads: Callable[[int], list[DrawnOperand]]) -> list[int]:
    """Return the starts and all they depend on, each after what it reads, branches one after the other.

    What the previous turn of a loop yields comes after the loop's head, not before.
    """
    order: list[int] = []
    seen: set[int] = set()
    waiting = list(reversed(list(starts)))
    while waiting:
        _visit(flow, waiting.pop(), reads, order, seen, waiting)
    return order


def _visit(
    flow: Flow,
    start: int,
    reads: Callable[[int], list[DrawnOperand]],
    order: list[int],
    seen: set[int],
    later: list[int],
) -> None:
    stack: list[tuple[int, list[int]]] = []

    def enter(index: int) -> None:
        seen.add(index)
        operands = reads(index)
        turns = flow.operations[index].op in BACK_EDGES
        later.extend(o.source for o in operands if turns or o.role == "loop")
        stack.append((index, [] if turns else [o.source for o in reversed(operands) if o.role != "loop"]))

    if start not in seen:
        enter(start)
    while stack:
        index, sources = stack[-1]
        if not sources:
            order.append(index)
            stack.pop()
        elif sources[-1] in seen:
            sources.pop()
        else:
            enter(sources.pop())
