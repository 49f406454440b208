"""Why a match cannot be replaced: asked before anything changes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.traversal import upstream
from graphsurgeon.patterns.match import Match
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.surgery.replacing.draft import Draft, Made, Slot, Substitute, refusal
from graphsurgeon.surgery.replacing.exchange import is_shared, takers_of
from graphsurgeon.surgery.replacing.ground import Ground, producers

# Operators of TFLite that yield the shape of their inputs, broadcast.
_ELEMENTWISE = """
    ABS ADD CEIL COS DIV ELU EXP FLOOR GELU HARD_SWISH LEAKY_RELU LOG LOGISTIC LOG_SOFTMAX MAXIMUM MINIMUM MUL NEG POW
    RELU RELU6 RELU_N1_TO_1 ROUND RSQRT SIGN SIN SOFTMAX SQRT SQUARE SQUARED_DIFFERENCE SUB TANH
    """
ELEMENTWISE = frozenset(_ELEMENTWISE.split())


def check(plan: Substitute, ground: Ground) -> None:
    """Refuse a plan that would change dtype or shape, lose a write, close a cycle, or tear control flow.

    Raises:
        UnsupportedError: with the place.
    """
    match = plan.match
    why = next(_reasons(plan, ground), "")
    if why:
        raise refusal(match, why)


def _reasons(plan: Substitute, ground: Ground) -> Iterator[str]:
    match = plan.match
    yield from _vanishing(match, ground)
    yield from _torn(match, ground)
    yield from _cycles(plan)
    for root, slot in zip(match.roots, plan.results, strict=True):
        before, after = ground.subject.dtype(root), dtype_of(slot, ground)
        if before is not None and after is not None and before.base is not after.base:
            yield f"{root} is {before}, the replacement {after}"
    yield from _named_parts(plan, ground)
    yield from _operators(plan, ground)
    yield from _shapes(plan, ground)


def dtype_of(slot: Slot, ground: Ground) -> DType | None:
    """Return the dtype of a value, or of an output of a draft."""
    if isinstance(slot, Made):
        return slot.draft.dtypes[slot.port] if slot.draft.dtypes is not None else None
    return ground.subject.dtype(slot)


def _vanishing(match: Match, ground: Ground) -> Iterator[str]:
    inside = match.inside()
    roots = producers(match.roots)
    for node in match.nodes:
        if ground.acts(node):
            is_gone = node in roots or not any(ground.subject.outside_reader(value, inside) for value in node.outputs)
            if is_gone:
                yield f"{node.name!r} ({node.op}) does more than yield a value, and would vanish"


def _torn(match: Match, ground: Ground) -> Iterator[str]:
    place = ground.place(match.root)
    for node in match.nodes:
        if ground.place(node) != place and not (node.op == "Const" or not node.inputs):
            yield f"{node.name!r} runs in another loop or branch than {match.root.name!r}"


def _cycles(plan: Substitute) -> Iterator[str]:
    """Find what a replacement reads of what it replaces; with one root nothing else can close a cycle."""
    read = {value for draft in plan.drafts for value in draft.inputs if isinstance(value, Value)}
    read |= {slot for slot in plan.results if isinstance(slot, Value)}
    roots = set(plan.match.roots)
    for value in read & roots:
        yield f"it reads {value}, which it replaces; write the op anew on the right side"
    if len(roots) > 1:
        behind = upstream(producers(read - roots))
        for root in producers(roots):
            if root in behind:
                yield f"it would close a cycle through {root.name!r}"


def _named_parts(plan: Substitute, ground: Ground) -> Iterator[str]:
    """Find a root that mentions name and whose node stays for other outputs: the name cannot go to the new root."""
    taken = set(takers_of(plan, ground).values())
    for root in plan.match.roots:
        node = root.producer
        is_result = root.graph.kind == "subgraph" and any(output.value is root for output in root.graph.outputs)
        is_named = root in ground.named or is_result
        if node is None or node in taken or not is_named:
            continue
        if root.graph.kind == "subgraph":
            yield f"{root} is an output, and TFLite has no operator that only hands a value on"
        elif is_shared(plan, root, ground):
            yield f"{root} is named by a signature or collection, and other outputs of {node.name!r} are read"


def _operators(plan: Substitute, ground: Ground) -> Iterator[str]:
    """Find new operators of TFLite whose outputs nobody can tell the shape of: the file stores every shape."""
    taken = takers_of(plan, ground)
    for draft in plan.drafts if plan.match.graph.kind == "subgraph" else ():
        if draft.tensor is None and draft not in taken and draft.op not in ELEMENTWISE:
            yield f"the shape of what a new {draft.op} yields is not known"


def _shapes(plan: Substitute, ground: Ground) -> Iterator[str]:
    graph = plan.match.graph
    if graph.kind == "subgraph":
        return
    report = ground.subject.shapes
    trial = _Trial(graph, plan.drafts)
    try:
        known = {draft: report.learn(graph, node) for draft, node in trial.nodes.items()}
    finally:
        trial.undo()
    for root, slot in zip(plan.match.roots, plan.results, strict=True):
        if isinstance(slot, Made):
            facts = known[slot.draft]
            after = facts[slot.port].dims if slot.port < len(facts) else None
        else:
            after = report.fact(slot).dims
        before = report.fact(root).dims
        if not _agree(before, after):
            yield f"{root} has shape {ground.subject.shape(root)}, the replacement {_shown(after)}"


def _agree(before: Dims | None, after: Dims | None) -> bool:
    if before is None or after is None:
        return True
    pairs = zip(before, after, strict=False)
    return len(before) == len(after) and all(
        not (isinstance(one, int) and isinstance(other, int)) or one == other for one, other in pairs
    )


def _shown(dims: Dims | None) -> Shape:
    return UNKNOWN_RANK if dims is None else Shape(dim if isinstance(dim, int) else None for dim in dims)


class _Trial:
    """Drafts as nodes beside the graph, to infer their shapes; they read the graph's values until they are undone."""

    def __init__(self, graph: Graph, drafts: Sequence[Draft]) -> None:
        self.graph = graph.blank()
        self.nodes: dict[Draft, Node] = {}
        for number, draft in enumerate(drafts):
            inputs = [
                self.nodes[slot.draft].output(slot.port) if isinstance(slot, Made) else slot for slot in draft.inputs
            ]
            self.nodes[draft] = self.graph.add_node(draft.op, f"draft_{number}", inputs, draft.attrs, checked=False)

    def undo(self) -> None:
        self.graph.take_out(self.nodes.values())
