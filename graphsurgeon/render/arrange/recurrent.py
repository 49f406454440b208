"""Recurrent layers: a loop that holds the cell of an LSTM, a GRU or a simple RNN, with what feeds it, as one part.

What a cell is made of is counted and not matched by a pattern of `patterns/`: gates stand in one product or in four,
biases apart or together, in whatever order a converter left them, and sigmoids and tanhs are as many in all of these.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from graphsurgeon.errors import plural
from graphsurgeon.render.arrange.levels import Part
from graphsurgeon.render.choose.flow import Drawn
from graphsurgeon.render.choose.select import Selection
from graphsurgeon.render.scene import boxes, families
from graphsurgeon.shapes.report import ShapeReport

# How often a cell has sigmoid and tanh -> its name, and how many gates the columns of its kernel are for.
_CELLS = {(3, 2): ("LSTM", 4), (2, 1): ("GRU", 3), (1, 1): ("GRU", 0), (0, 1): ("RNN", 1)}
_FEWEST_PRODUCTS, _MOST_PRODUCTS = 1, 3  # of a cell: kernel and recurrent kernel, apart or as one; GRU's candidate
_FEEDING = frozenset({"layout", "recurrent", "control", "input", "weight"})  # families beside the loop in its layer
_FEEDERS = ("TensorListFromTensor", "TensorArrayScatterV3")  # of the values of all steps


def gather_recurrent(root: Part, selection: Selection, report: ShapeReport) -> None:
    """Give the parts that are recurrent layers a title, in place; they are drawn as one box until they are opened.

    Args:
        root: of the scopes.
        selection: what they hold.
        report: what is known of their shapes.
    """
    operations = selection.flow.operations
    for loop in [part for part in root.parts() if part.kind == "loop" and part is not root]:
        inside = [operations[index] for index in loop.operations()]
        cell = _cell(inside)
        if cell is None or any(part.kind == "loop" for part in loop.parts() if part is not loop):
            continue
        layer = _whole_layer(loop, root, operations)
        name, gates = cell
        layer.kind, layer.title, layer.family = "layer", name, "recurrent"
        facts = [_units(inside, selection, gates), _steps(layer, operations, report)]
        layer.about = " · ".join(fact for fact in facts if fact)


def _cell(inside: list[Drawn]) -> tuple[str, int] | None:
    """Return what cell some operations make, and its gates; None if they make none."""
    names = Counter(operation.label.lower().replace("logistic", "sigmoid") for operation in inside)
    products = [operation for operation in inside if families.family(operation.op) in ("dense", "convolution")]
    is_dense = all(families.family(operation.op) == "dense" for operation in products)
    if not is_dense or not _FEWEST_PRODUCTS <= len(products) <= _MOST_PRODUCTS:
        return None
    found = _CELLS.get((names["sigmoid"], names["tanh"]))
    return None if found is None or (found[0] == "RNN" and len(products) != 2) else found


def _whole_layer(loop: Part, root: Part, operations: list[Drawn]) -> Part:
    """Return the outermost scope that holds a loop and what only feeds it."""
    layer = loop
    while layer.parent is not None and layer.parent is not root:
        around = layer.parent
        beside = (child for child in around.children if child is not layer)
        others = (operations[index] for child in beside for index in child.operations())
        if around.kind not in ("scope", "call") or any(families.family(o.op) not in _FEEDING for o in others):
            break
        layer = around
    return layer


def _units(inside: list[Drawn], selection: Selection, gates: int) -> str:
    sizes = {size // gates for size in _columns(inside, selection) if gates and size % gates == 0}
    return plural(sizes.pop(), "unit") if len(sizes) == 1 else ""


def _columns(inside: list[Drawn], selection: Selection) -> Iterator[int]:
    """Yield how many columns the kernels of the products have."""
    for operation in inside:
        for index in selection.weights.get(operation.index, ()) if families.family(operation.op) == "dense" else ():
            shape = boxes.weight_shape(selection.flow.operations[index])
            if shape.dims is not None and len(shape.dims) == 2 and shape.dims[1] is not None:
                yield shape.dims[1]


def _steps(layer: Part, operations: list[Drawn], report: ShapeReport) -> str:
    for index in layer.operations():
        node = operations[index].node
        if node is not None and node.op in _FEEDERS and node.inputs:
            shape = report.shape(node.inputs[2 if node.op == _FEEDERS[1] else 0])
            if shape.dims and shape.dims[0] is not None:
                return plural(shape.dims[0], "step")
    return ""
