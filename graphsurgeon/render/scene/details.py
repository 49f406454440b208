"""What the page's side panel says about an operation: attributes, inputs, outputs, weights with what they are like."""

from __future__ import annotations

from collections.abc import Iterable
from math import isfinite
from typing import Any

from graphsurgeon.analysis.flow.restore_map import resource_name, restore_map
from graphsurgeon.analysis.stored_weights.weights import numbers, statistics
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import VARIABLES
from graphsurgeon.render.choose.flow import Drawn
from graphsurgeon.render.picture import Picture
from graphsurgeon.render.scene import boxes

CHEAP = 4 << 20  # bytes of a weight whose values are read for its statistics
BUDGET = 64 << 20  # bytes read for all of them
_MOST_ROWS = 64  # of the table behind one box; the page scrolls no further
_LONGEST = 400  # characters of one attribute
BINS = 24  # of a histogram

JOINT = " · "  # between names of one weight
# name, dtype, shape, statistics as text, other names, [lowest, highest, *counts] of its values
WeightFacts = list[Any]


class Details:
    """Collects the facts of operations; reads values of weights until its budget is spent."""

    def __init__(self, subject: Model | Graph, picture: Picture) -> None:
        self.picture = picture
        self.operations = picture.selection.flow.operations
        self.budget = BUDGET
        self._facts: dict[int, WeightFacts] = {}
        checkpoint = subject.checkpoint if isinstance(subject, Model) else None
        self._variables = checkpoint.variables if checkpoint is not None else {}
        self._restored = restore_map(picture.metagraph).variables if checkpoint is not None else {}

    def of(self, operation: Drawn) -> dict[str, Any]:
        """Return the facts of one operation, ready for JSON."""
        node = operation.node
        facts: dict[str, Any] = {"op": operation.label, "name": operation.name}
        if operation.graph.name:
            facts["graph"] = operation.graph.name
        if node is None:
            facts["outputs"] = [self._tensor(operation.value)] if operation.value is not None else []
            return facts
        facts["attributes"] = _attributes(node)
        facts["inputs"] = [self._tensor(value) for value in node.inputs[:_MOST_ROWS]]
        facts["outputs"] = [self._tensor(value) for value in node.outputs[:_MOST_ROWS]]
        facts["weights"] = self.weights(operation.index)
        if node.device:
            facts["device"] = node.device
        return {key: value for key, value in facts.items() if value}

    def weights(self, operation: int) -> list[WeightFacts]:
        """Return the facts of the weights folded into an operation, those of weights that are cheap with statistics."""
        return [self._weight(index) for index in self.picture.selection.weights.get(operation, ())[:_MOST_ROWS]]

    def _tensor(self, value: Value | None) -> list[str]:
        if value is None:
            return []
        report = self.picture.report
        dtype = report.dtype(value)
        return [str(value), "" if dtype is None else dtype.name, str(report.shape(value))]

    def _weight(self, index: int) -> WeightFacts:
        if index not in self._facts:
            operation = self.operations[index]
            tensor = self._values(operation)
            dtype = boxes.weight_dtype(operation) or (tensor.dtype if tensor is not None else None)
            shape = boxes.weight_shape(operation)
            if shape.dims is None and tensor is not None:
                shape = tensor.shape
            row = [operation.name, "" if dtype is None else dtype.name, str(shape)]
            text, histogram = self._values_told(tensor)
            facts = [*row, text, self._other_names(operation), histogram]
            while not facts[-1]:
                facts.pop()
            self._facts[index] = facts
        return self._facts[index]

    def _other_names(self, operation: Drawn) -> str:
        """Return what else a variable goes by: its name at run time, its key in the checkpoint."""
        if operation.node is None or operation.op not in VARIABLES:
            return ""
        restored = self._restored.get(operation.node)
        names = [resource_name(operation.node), restored.key if restored is not None else ""]
        return JOINT.join(dict.fromkeys(name for name in names if name and name != operation.name))

    def _values(self, operation: Drawn) -> Tensor | None:
        found = boxes.weight_tensor(operation)
        restored = self._restored.get(operation.node) if found is None and operation.node is not None else None
        variable = self._variables.get(restored.key) if restored is not None else None
        return found if variable is None else variable.tensor

    def _values_told(self, tensor: Tensor | None) -> tuple[str, list[float]]:
        """Return what the values of a weight are like, and their histogram; nothing of one that is dear to read."""
        if tensor is None or not tensor.dtype.bits or tensor.nbytes > min(CHEAP, self.budget):
            return "", []
        self.budget -= tensor.nbytes
        if 0 < tensor.num_elements <= 4:
            return ", ".join(boxes.attribute_text(item) for item in tensor.items()), []
        found = statistics(tensor)
        if found is None or found.mean is None or found.min is None or found.max is None:
            return "", []
        text = f"{found.min:.4g} to {found.max:.4g}, mean {found.mean:.4g}, deviation {found.std or 0:.4g}"
        bad = [
            f"{count} {what}" for count, what in ((found.zeros, "zeros"), (found.nan, "NaN"), (found.inf, "infinite"))
        ]
        told = ", ".join([text, *(part for part in bad if not part.startswith("0 "))])
        return told, _histogram(tensor, float(found.min), float(found.max))


def _histogram(tensor: Tensor, low: float, high: float) -> list[float]:
    """Return the borders of the finite values of a tensor, and how many are in each of `BINS` equal steps between."""
    import numpy as np

    if not low < high or not isfinite(high - low):
        return []
    counts = np.zeros(BINS, np.int64)
    for block in numbers(tensor):
        if np.iscomplexobj(block):
            return []
        values = block.astype(np.float64)
        counts += np.histogram(values[np.isfinite(values)], bins=BINS, range=(low, high))[0]
    return [float(f"{low:.6g}"), float(f"{high:.6g}"), *counts.tolist()]


def _attributes(node: Node) -> list[list[str]]:
    shown: Iterable[str] = (key for key in node.attrs if not key.startswith("_") or key == "_class")
    return [[key, boxes.attribute_text(node.attrs[key], most=_LONGEST)] for key in sorted(shown)][:_MOST_ROWS]
