"""Let operators follow another batch where the converter has folded a batch of 1 into them.

A RESHAPE to `[1,1917,4]` becomes one to `[-1,1917,4]`, which any batch fits, and whose shape interpreters know when
they allocate. A RESHAPE that is a folded transpose (`[1,T,F]` to `[T,1,F]`) becomes a TRANSPOSE: with a larger batch
the reshape would mix the examples. A slice `0:1` becomes the whole batch, or is meant: the file does not say which, so
that is done only where it is allowed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from graphsurgeon.errors import GraphSurgeonError, UnsupportedError, plural
from graphsurgeon.model.dtype import INT32
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.shapes.tflite import infer_subgraph
from graphsurgeon.surgery.moves.reports import Contradiction

MOST_FIXES = 200  # each is found by inferring the whole subgraph again

Find = Callable[[Mapping[Value, Shape]], Sequence[Contradiction]]


def fix_reshapes(graph: Graph, trial: Mapping[Value, Shape], find: Find, *, slices: bool) -> list[str]:
    """Change operators until nothing contradicts the shapes of a trial, or change nothing.

    Args:
        graph: a subgraph, changed in place.
        trial: input -> shape with another batch.
        find: returns what contradicts shapes, in the order of operators.
        slices: let a slice of one element of the batch take the whole batch.

    Returns:
        What was changed, one line each.

    Raises:
        UnsupportedError: something contradicts the shapes and cannot be changed; it is named.
    """
    undo: list[Callable[[], None]] = []
    told: list[str] = []
    try:
        while found := find(trial):
            if len(told) == MOST_FIXES:
                raise UnsupportedError(f"more than {plural(MOST_FIXES, 'operator')} would have to be changed")
            told.append(_fix(graph, trial, found[0], undo, slices=slices))
    except GraphSurgeonError:
        for back in reversed(undo):
            back()
        raise
    return told


def _fix(
    graph: Graph, trial: Mapping[Value, Shape], found: Contradiction, undo: list[Callable[[], None]], *, slices: bool
) -> str:
    node = graph.nodes[int(found.where.partition("#")[2].partition(" ")[0])]
    undo.append(_undo(node))
    shapes = infer_subgraph(graph, trial).shapes
    now = shapes.get(node.inputs[0], node.inputs[0].shape)
    was, made = node.inputs[0].shape, node.outputs[0].shape
    if node.op == "RESHAPE" and was is not None and made is not None and now is not None:
        what = _fix_reshape(node, was, now, made)
    elif node.op in ("SLICE", "STRIDED_SLICE") and slices:
        what = _fix_slice(node)
    else:
        what = ""
    if what:
        return f"{found.where}: {what}"
    is_slice = node.op in ("SLICE", "STRIDED_SLICE") and not slices
    hint = "with --allow-contradictions it takes the whole batch" if is_slice else "--fix-reshapes does not mend this"
    raise UnsupportedError(f"{found.where}: {found.what}", hint=hint)


def _undo(node: Node) -> Callable[[], None]:
    op, raw, inputs, spelling = node.op, node.raw, node.inputs, node.keeps_spelling
    attrs = dict(node.attrs)
    graph, count = node.graph, len(node.graph.values)

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
        graph.remove_values(graph.values[count:])

    return back


def _fix_reshape(node: Node, was: Shape, now: Shape, made: Shape) -> str:
    """Let a reshape keep the batch: by -1 in its place, or as a transpose. Returns what was done, empty if nothing."""
    batch = _batch_axis(was, now)
    before, after = was.dims or (), made.dims or ()
    if batch is None or None in after:
        return ""
    rest = [*before[:batch], *before[batch + 1 :]]
    places = [axis for axis, dim in enumerate(after) if dim == 1 and [*after[:axis], *after[axis + 1 :]] == rest]
    if batch == 0 and after[:1] == (1,):
        wanted = [-1, *(dim or 0 for dim in after[1:])]
        node.inputs = [node.inputs[0], _numbers(node, wanted)]
        node.attrs["new_shape"] = list(wanted)
        return f"reshapes to {Shape([None, *after[1:]])}"
    if len(places) != 1 or len(before) != len(after):
        return ""
    order = [axis for axis in range(len(before)) if axis != batch]
    order.insert(places[0], batch)
    node.become("TRANSPOSE", [node.inputs[0], _numbers(node, order)], {})
    return f"transposes by {order}"


def _batch_axis(was: Shape, now: Shape) -> int | None:
    """Return the one dimension that was 1 and is more now, None where there is no such, or others changed too."""
    if was.dims is None or now.dims is None or len(was.dims) != len(now.dims):
        return None
    other = [axis for axis, (a, b) in enumerate(zip(was.dims, now.dims, strict=True)) if a != b]
    return other[0] if len(other) == 1 and was.dims[other[0]] == 1 else None


def _fix_slice(node: Node) -> str:
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
    numbers = [_numbers(node, items) for items in (begin, ends, [1] * len(ends))]
    masks = {"begin_mask": 0, "ellipsis_mask": 0, "new_axis_mask": 0, "shrink_axis_mask": 0, "end_mask": mask}
    node.become("STRIDED_SLICE", [node.inputs[0], *numbers], {key: value for key, value in masks.items() if value})


def _numbers(node: Node, numbers: Sequence[int]) -> Value:
    """Add a constant of an operator's own: others may read the one it had."""
    graph = node.graph
    taken = {value.name for value in graph.values}
    base = f"{node.outputs[0].name or node.op}/batch"
    name = next(name for n in range(len(taken) + 1) if (name := f"{base}_{n}" if n else base) not in taken)
    return graph.add_value(name, INT32, Shape([len(numbers)]), Tensor.of(INT32, [len(numbers)], list(numbers)))
