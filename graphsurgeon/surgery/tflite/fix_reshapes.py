"""Let operators follow another batch where the converter has folded a batch of 1 into them.

A RESHAPE to `[1,1917,4]` becomes one to `[-1,1917,4]`, which any batch fits, and whose shape interpreters know when
they allocate. A RESHAPE that is a folded transpose (`[1,T,F]` to `[T,1,F]`) becomes a TRANSPOSE: with a larger batch
the reshape would mix the examples. A slice `0:1` becomes the whole batch, or is meant: the file does not say which, so
that is done only where it is allowed. Where an operator needs a true shape (BROADCAST_TO, TRANSPOSE_CONV), or joins
what is there for one example with a batch (CONCATENATION, PACK), the shape is a constant of the new batch, or computed
where that is unknown. The state of SVDF and of an LSTM becomes one of the new batch; of an unknown one it cannot be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from graphsurgeon.errors import GraphSurgeonError, UnsupportedError, plural
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.shapes.tflite_flow import infer_subgraph
from graphsurgeon.surgery.moves.reports import Contradiction
from graphsurgeon.surgery.tflite.batch_shapes import batch_shape, broadcast, numbers

MOST_FIXES = 200  # each is found by inferring the whole subgraph again

Find = Callable[[Mapping[Value, Shape]], Sequence[Contradiction]]


@dataclass(frozen=True)
class _Trial:
    """What is tried: shapes of inputs, what slices may become, and whether the batch is to stay unknown."""

    graph: Graph
    inputs: Mapping[Value, Shape]
    shapes: Mapping[Value, Shape]
    slices: bool
    is_open: bool
    undo: list[Callable[[], None]]
    computed: list[Value]

    def repeat(self, value: Value, source: Value, axis: int = 0) -> Value:
        """Return a tensor repeated for each example."""
        repeated = broadcast(value, source, axis)
        assert repeated.producer is not None
        self.computed.append(repeated.producer.inputs[1])
        return repeated

    def now(self, value: Value) -> tuple[int | None, ...]:
        """Return the sizes of a tensor in the trial."""
        shape = self.shapes.get(value, value.shape)
        return tuple((shape.dims if shape is not None else None) or ())


def fix_reshapes(
    graph: Graph, trial: Mapping[Value, Shape], find: Find, *, slices: bool, is_open: bool = False
) -> tuple[list[str], list[Value]]:
    """Change operators until nothing contradicts the shapes of a trial, or change nothing.

    Args:
        graph: a subgraph, changed in place.
        trial: input -> shape with another batch.
        find: returns what contradicts shapes, in the order of operators.
        slices: let a slice of one element of the batch take the whole batch.
        is_open: the trial stands for a batch of any size.

    Returns:
        What was changed, one line each; and shapes that are computed now, to be settled where the batch is known.

    Raises:
        UnsupportedError: something contradicts the shapes and cannot be changed; it is named.
    """
    undo: list[Callable[[], None]] = []
    told: list[str] = []
    computed: list[Value] = []
    try:
        while found := find(trial):
            if len(told) == MOST_FIXES:
                raise UnsupportedError(f"more than {plural(MOST_FIXES, 'operator')} would have to be changed")
            shapes = infer_subgraph(graph, trial).shapes
            told.append(_fix(found[0], _Trial(graph, trial, shapes, slices, is_open, undo, computed)))
    except GraphSurgeonError:
        for back in reversed(undo):
            back()
        raise
    return told, computed


def operators_of(graph: Graph, before: str = "") -> dict[str, Node]:
    """Return every operator of a subgraph and of those that it runs, by how it is told, the inner ones first."""
    found: dict[str, Node] = {}
    for number, node in enumerate(graph.nodes):
        for called in node.functions if node.op in ("WHILE", "IF") else ():
            found |= operators_of(called, f"{before}subgraph {called.name}: ")
        found[f"{before}operator #{number} ({node.op})"] = node
    return found


def state_tensors(node: Node) -> list[Value]:
    """Return what an operator keeps from one run to the next."""
    return [value for value in node.inputs if (value.extra or {}).get("is_variable")]


def batch_of(node: Node, shape: Shape | None) -> int | None:
    """Return the batch that an operator with a state is given, None if that is not known."""
    axis = 1 if node.attrs.get("time_major") and shape is not None and (shape.rank or 0) > 2 else 0
    return shape.dims[axis] if shape is not None and shape.dims is not None and len(shape.dims) > axis else None


def _fix(found: Contradiction, trial: _Trial) -> str:
    node = operators_of(trial.graph)[found.where]
    trial.undo.append(_undo(node))
    is_slice = node.op in ("SLICE", "STRIDED_SLICE") and not trial.slices
    mend = _fix_state if state_tensors(node) else _MENDS.get(node.op)
    what = mend(node, trial) if mend is not None and not is_slice else ""
    if what:
        return f"{found.where}: {what}"
    hint = "with --allow-contradictions it takes the whole batch" if is_slice else _HINTS.get(node.op, _NO_HINT)
    if state_tensors(node):
        hint = "give a fixed batch: LiteRT does not resize what is kept from run to run"
    raise UnsupportedError(f"{found.where}: {found.what}", hint=hint)


_NO_HINT = "--fix-reshapes does not mend this"
_HINTS = {"SQUEEZE": "the batch is squeezed away, and nothing says where it would go"}


def _undo(node: Node) -> Callable[[], None]:
    op, raw, inputs, spelling = node.op, node.raw, node.inputs, node.keeps_spelling
    attrs = dict(node.attrs)
    graph, count, operators = node.graph, len(node.graph.values), len(node.graph.nodes)
    shapes = [(value, value.shape) for value in (*state_tensors(node), *node.outputs)]

    def back() -> None:
        changed = node.op != op
        node.op, node.raw, node.keeps_spelling = op, raw, spelling
        node.inputs = inputs
        for key in [key for key in node.attrs if key not in attrs] if not changed else ():
            del node.attrs[key]
        if changed:
            node.forget_attrs()
        else:
            node.attrs.update(attrs)
        for value, shape in shapes:
            value.shape = shape
        graph.take_out(graph.nodes[operators:])
        graph.remove_values(graph.values[count:])

    return back


def _fix_reshape(node: Node, trial: _Trial) -> str:
    """Let a reshape keep the batch: by -1 in its place, or as a transpose. Returns what was done, empty if nothing."""
    was, made = node.inputs[0].shape, node.outputs[0].shape
    if was is None or made is None:
        return ""
    batch = batch_axis(was, Shape(trial.now(node.inputs[0])))
    before, after = was.dims or (), made.dims or ()
    if batch is None and after[:1] == (1,) and None not in after and _leads_merged(node.inputs[0], trial):
        return _reshape_to(node, after, 0)
    if batch is None or None in after:
        return ""
    rest = [*before[:batch], *before[batch + 1 :]]
    places = [axis for axis, dim in enumerate(after) if dim == 1 and [*after[:axis], *after[axis + 1 :]] == rest]
    if batch == 0 and after[:1] == (1,):
        return _reshape_to(node, after, _free_axis(node, after, trial))
    if batch == 0 and list(after) == rest and _only_broadcast(node.outputs[0], len(before)):
        return _reshape_to(node, (1, *after), 0)
    if len(places) != 1 or len(before) != len(after):
        return ""
    order = [axis for axis in range(len(before)) if axis != batch]
    order.insert(places[0], batch)
    node.become("TRANSPOSE", [node.inputs[0], _numbers(node, order)], {})
    return f"transposes by {order}"


def _leads_merged(value: Value, trial: _Trial) -> bool:
    """Say whether the rows of a matrix are the batch and more, the batch outermost: a dense layer has merged them.

    Of rows that something else has merged the batch may be the inner part, which a batch of 1 does not show.
    """
    node = value.producer
    while node is not None and (node.op in _BY_ELEMENT or node.op == "FULLY_CONNECTED"):
        source = node.inputs[0]
        if source.shape is None or source.shape.dims is None or node.attrs.get("keep_num_dims"):
            return False
        if batch_axis(source.shape, Shape(trial.now(source))) == 0:
            return node.op == "FULLY_CONNECTED"
        if source.shape.rank != 2:
            return False
        node = source.producer
    return False


_BY_ELEMENT = frozenset({"RELU", "RELU6", "LOGISTIC", "TANH", "QUANTIZE", "DEQUANTIZE"})


def _reshape_to(node: Node, sizes: Sequence[int | None], axis: int) -> str:
    wanted = [-1 if place == axis else dim or 0 for place, dim in enumerate(sizes)]
    node.inputs = [node.inputs[0], _numbers(node, wanted)]
    node.attrs["new_shape"] = list(wanted)
    return f"reshapes to {Shape([None if dim == -1 else dim for dim in wanted])}"


def _free_axis(node: Node, sizes: Sequence[int | None], trial: _Trial) -> int:
    """Return the one of several dimensions of 1 in front that is the batch: not the one along which it is joined.

    What a loop writes into an array of steps has the step in front: `[1, batch, units]`; and so has an array of the
    last step alone, which is taken out of it behind the loop.
    """
    joined = {
        axis % len(sizes)
        for user in node.outputs[0].consumers
        if user.op == "CONCATENATION" and isinstance(axis := user.attrs.get("axis", 0), int)
    }
    loop = _loop_of(node.graph, trial)
    for place, output in enumerate(node.graph.outputs if loop is not None else ()):
        if loop is not None and output.value is node.outputs[0] and any(map(_takes_one, loop.outputs[place].consumers)):
            joined.add(0)
    ones = next((place for place, dim in enumerate(sizes) if dim != 1), len(sizes))
    return next((place for place in range(ones) if place not in joined), 0)


def _only_broadcast(value: Value, rank: int) -> bool:
    """Say whether all that read a tensor without batch take one with a batch in front, and yield what they did."""
    readers = value.consumers
    is_output = any(output.value is value for output in value.graph.outputs)
    ranks = [max((other.shape.rank or 0) for other in node.inputs if other.shape is not None) for node in readers]
    return bool(readers) and not is_output and all(node.op in _BROADCAST for node in readers) and min(ranks) >= rank


_BROADCAST = frozenset({"ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "POW"})


def _fix_shape(node: Node, trial: _Trial) -> str:
    """Give an operator that asks for the shape it yields one of the batch."""
    place, data = (0, 2) if node.op == "TRANSPOSE_CONV" else (1, 0)
    said = node.inputs[place].tensor
    items = said.items() if said is not None else None
    source = node.inputs[data]
    if not items or int(items[0]) != 1 or len(trial.now(source)) != len(items):
        return ""
    inputs = list(node.inputs)
    base = f"{node.outputs[0].name or node.op}/batch"
    inputs[place] = batch_shape(source, [int(item) for item in items], base)
    node.inputs = inputs
    trial.computed.append(inputs[place])
    return f"yields {Shape([None, *(int(item) for item in items[1:])])}"


def _fix_join(node: Node, trial: _Trial) -> str:
    """Repeat what is there for one example, before it is joined with a batch along another dimension."""
    ranks = {len(trial.now(value)) for value in node.inputs}
    batches = [value for value in node.inputs if trial.now(value)[:1] not in ((1,), (None,), ())]
    single = [value for value in node.inputs if trial.now(value)[:1] == (1,) and None not in trial.now(value)]
    if node.op == "CONCATENATION" and len(ranks) == 1 and (what := _fix_array(node, trial)):
        return what
    if len(ranks) != 1 or not batches or not single:
        return ""
    rank, axis = min(ranks), node.attrs.get("axis")
    if (axis if isinstance(axis, int) else 0) % (rank + (node.op == "PACK")) == 0:
        return ""
    repeated = {value: trial.repeat(value, batches[0]) for value in dict.fromkeys(single)}
    node.inputs = [repeated.get(value, value) for value in node.inputs]
    names = ", ".join(value.name or f"#{value.port}" for value in repeated)
    return f"joins {names}, repeated for each example"


def _fix_state(node: Node, trial: _Trial) -> str:
    """Give an operator a state of the new batch; one of unknown size there cannot be."""
    batch = batch_of(node, Shape(trial.now(node.inputs[0])))
    if trial.is_open or batch is None:
        return ""
    for value in state_tensors(node):
        dims = (value.shape.dims if value.shape is not None else None) or ()
        value.shape = Shape([batch, *dims[1:]])
    return f"keeps a state for {batch} examples"


def batch_axis(was: Shape | None, now: Shape) -> int | None:
    """Return the one dimension that was 1 and is more now, None where there is no such, or others changed too."""
    if was is None or was.dims is None or now.dims is None or len(was.dims) != len(now.dims):
        return None
    other = [axis for axis, (a, b) in enumerate(zip(was.dims, now.dims, strict=True)) if a != b]
    return other[0] if len(other) == 1 and was.dims[other[0]] == 1 else None


def _fix_slice(node: Node, trial: _Trial) -> str:
    """Let a slice take the whole first dimension. Returns what was done, empty if it takes something else."""
    constants = [value.tensor.items() if value.tensor is not None else None for value in node.inputs[1:]]
    if any(items is None or not items for items in constants) or constants[0][0] != 0:  # type: ignore[index]
        return ""
    if node.op == "SLICE":
        _become_strided(node, constants[0] or [], constants[1] or [])
        return "takes the whole batch"
    masks = [node.attrs.get(name) for name in ("shrink_axis_mask", "new_axis_mask", "ellipsis_mask")]
    steps = constants[2] or []
    if steps[0] != 1 or any(isinstance(mask, int) and mask & 1 for mask in masks):
        return ""
    mask = node.attrs.get("end_mask")
    node.attrs["end_mask"] = (mask if isinstance(mask, int) else 0) | 1
    return "takes the whole batch"


def _become_strided(node: Node, begin: Sequence[int], sizes: Sequence[int]) -> None:
    """Turn a SLICE into a STRIDED_SLICE of the whole batch: of a SLICE no shape is known before it has run."""
    ends = [0 if size == -1 else start + size for start, size in zip(begin, sizes, strict=True)]
    mask = sum(1 << axis for axis, size in enumerate(sizes) if size == -1 or axis == 0)
    bounds = [_numbers(node, items) for items in (begin, ends, [1] * len(ends))]
    masks = {"begin_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0, "end_mask": mask}
    node.become("STRIDED_SLICE", [node.inputs[0], *bounds], {key: value for key, value in masks.items() if value})


def _numbers(node: Node, items: Sequence[int]) -> Value:
    """Add a constant of an operator's own: others may read the one it had."""
    return numbers(node.graph, f"{node.outputs[0].name or node.op}/batch", items)


def _fix_array(node: Node, trial: _Trial) -> str:
    """Let a loop start with an array for each example, into which its body writes a step of several."""
    shapes = [trial.now(value) for value in node.inputs]
    joined = node.attrs.get("axis")
    axes = [
        axis
        for axis in range(len(shapes[0]))
        if axis != joined and 1 in (sizes := {shape[axis] for shape in shapes}) and len(sizes - {None}) == 2
    ]
    states = {
        _state_of(value) for value, shape in zip(node.inputs, shapes, strict=True) if axes and shape[axes[0]] == 1
    }
    loop = _loop_of(node.graph, trial)
    if len(axes) != 1 or len(states) != 1 or loop is None or loop.graph is not trial.graph:
        return ""
    (place,) = states
    source = _batch_source(trial)
    if place is None or source is None or None in trial.now(loop.inputs[place]):
        return ""
    trial.undo.append(_undo(loop))
    start = loop.inputs[place]
    loop.set_input(place, trial.repeat(start, source, axes[0]))
    return f"joins to an array that the loop starts with, {start}, repeated for each example"


def _loop_of(body: Graph, trial: _Trial) -> Node | None:
    """Return the loop whose body a subgraph is, None if it is none."""
    operators = operators_of(trial.graph).values()
    return next((one for one in operators if one.op == "WHILE" and body is one.functions[-1]), None)


def _takes_one(node: Node) -> bool:
    """Say whether an operator takes one element along the first dimension, which is none of the examples then."""
    mask = node.attrs.get("shrink_axis_mask")
    is_slice = node.op == "STRIDED_SLICE" and isinstance(mask, int) and bool(mask & 1)
    return is_slice or (node.op == "GATHER" and node.attrs.get("axis", 0) == 0)


def _state_of(value: Value) -> int | None:
    """Return which state of a loop a tensor of its body is a part of, as slices take one; None if it is none."""
    while value.producer is not None and value.producer.op in ("SLICE", "STRIDED_SLICE"):
        value = value.producer.inputs[0]
    return value.graph.inputs.index(value) if value in value.graph.inputs else None


def _batch_source(trial: _Trial) -> Value | None:
    """Return an input whose first dimension is the batch."""
    return next((value for value, shape in trial.inputs.items() if batch_axis(value.shape, shape) == 0), None)


def _fix_loop(node: Node, trial: _Trial) -> str:
    """Let a loop start with a state for each example."""
    repeated = {}
    source = _batch_source(trial)
    for value, output in zip(node.inputs, node.functions[-1].outputs, strict=False):
        given, made = trial.now(value), trial.now(output.value)
        known = tuple(was if now is None else now for was, now in zip(given, made, strict=False))
        axis = batch_axis(Shape(given), Shape(known)) if given and len(given) == len(made) else None
        if axis is not None and source is not None and source.graph is node.graph and value not in repeated:
            repeated[value] = trial.repeat(value, source, axis)
    if not repeated:
        return ""
    node.inputs = [repeated.get(value, value) for value in node.inputs]
    return f"starts with {', '.join(str(value) for value in repeated)}, repeated for each example"


_MENDS: dict[str, Callable[[Node, _Trial], str]] = {
    "RESHAPE": _fix_reshape,
    "SLICE": _fix_slice,
    "STRIDED_SLICE": _fix_slice,
    "BROADCAST_TO": _fix_shape,
    "TRANSPOSE_CONV": _fix_shape,
    "CONCATENATION": _fix_join,
    "PACK": _fix_join,
    "WHILE": _fix_loop,
}
