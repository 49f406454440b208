"""What a box says: the op with what matters about it, or what a closed scope holds; and what an edge says."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace

from graphsurgeon.model.dtype import FLOAT32, DType
from graphsurgeon.model.graph import Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.traversal import in_preorder
from graphsurgeon.ops.kinds import BATCH_NORMS, CONSTANTS, VARIABLES
from graphsurgeon.render.arrange.entries import INPUT
from graphsurgeon.render.arrange.levels import Part
from graphsurgeon.render.arrange.titles import WHILE
from graphsurgeon.render.choose.ends import End
from graphsurgeon.render.choose.flow import Drawn
from graphsurgeon.render.choose.select import Selection, dtype_of
from graphsurgeon.render.scene import boxes, families
from graphsurgeon.render.scene.scene import Box, NodeName, Terminal
from graphsurgeon.shapes import ShapeReport

LONGEST_LINE = 48  # characters of a line in a box
_ROOM = LONGEST_LINE - 12  # for a list, so that what follows it fits too
_MOST_ENTRIES = 4  # inputs that are named in the box of many
_MOST_OPS = 4  # kinds of operations that a box lists
_LONGEST_CONDITION = 36
_KIND_LINES = {"loop": "loop body", "condition": "loop condition", "branch": "branch"}
_TITLES = dict.fromkeys(BATCH_NORMS, "BatchNorm")
_LEARNING = frozenset({"convolution", "dense", "recurrent", "lookup", "normalization"})
_COMPARED = frozenset({"added", "removed", "changed", "frozen", "renamed"})
_NORMS = (
    (re.compile(r"batch_?norm|(^|[_/])bn(_?\d+)?($|/)"), "BatchNorm"),
    (re.compile(r"layer_?norm"), "LayerNorm"),
    (re.compile(r"norm"), "Norm"),
)


class Describer:
    """Makes boxes of parts, inputs and outputs; they have no place in a picture yet."""

    def __init__(
        self, selection: Selection, report: ShapeReport, inputs: Sequence[End], marks: Mapping[int, Collection[str]]
    ) -> None:
        self.selection = selection
        self.operations = selection.flow.operations
        self.report = report
        self.marks = marks
        self._inputs: dict[int, list[End]] = {}
        for end in inputs:
            for source in end.sources:
                self._inputs.setdefault(source, []).append(end)
        self._readers: dict[int, set[int]] = {}
        for reader, weights in selection.weights.items():
            for weight in weights:
                self._readers.setdefault(weight, set()).add(reader)
        self._made_with = self._constants_made_with()

    def box(self, part: Part, identity: str, cluster: str) -> Box:
        """Return the box of a part that is closed."""
        shown = first_block(part)
        ends = self._ends_of(shown)
        if ends:
            return replace(self.end_box(ends, "input", identity, self._names(members(part))), cluster=cluster)
        if shown.family == INPUT:
            return self._entries_box(part, identity, cluster)
        if shown.is_operation or shown.kind == "layer":
            return self._operation_box(part, identity, cluster)
        return self._scope_box(part, identity, cluster)

    def _ends_of(self, part: Part) -> list[End]:
        """Return the inputs that a part is: one operation, or those that a composite tensor is made of."""
        if part.is_operation or part.family != INPUT:
            return self._inputs.get(part.operation, [])
        first, *others = (self._inputs.get(index, []) for index in part.operations())
        return [end for end in first if all(end in ends for ends in others)]

    def _entries_box(self, part: Part, identity: str, cluster: str) -> Box:
        """Return the box of many inputs."""
        shown = first_block(part)
        inside = set(shown.operations())
        names = dict.fromkeys(end.key for index, ends in self._inputs.items() if index in inside for end in ends)
        lines = _few(list(names))
        marks = self._marks(members(part))
        return Box(
            identity, "input", shown.title, _fitting(lines), shown.path, INPUT, cluster,
            self._names(members(part)), 0, part.count, marks,
        )  # fmt: skip

    def outputs_box(self, ends: Sequence[End], identity: str) -> Box:
        """Return the box of many outputs."""
        values = [value for end in ends for value in end.values if value.producer is not None]
        names = [NodeName(value.producer.name, value.producer.graph.name) for value in values if value.producer]
        title = f"{len(ends)} outputs"
        lines = _fitting(_few([end.key for end in ends]))
        return Box(identity, "output", title, lines, title, "output", nodes=tuple(dict.fromkeys(names)))

    def end_box(self, ends: Sequence[End], role: str, identity: str, nodes: Sequence[NodeName]) -> Box:
        """Return the box of an input or output; several keys may name one tensor."""
        keys = list(dict.fromkeys(end.key for end in ends))
        signatures = dict.fromkeys(name for end in ends for name in end.signatures)
        terminal = self.terminal(ends[0], "")
        shape = boxes.shape_text(None if terminal.shape is None else Shape(terminal.shape))
        lines = [*keys[1:], f"{terminal.dtype or ''} {shape}".strip(), ", ".join(signatures)]
        tensors = ", ".join(map(str, ends[0].values))
        marks = self._marks(ends[0].sources) if role == "input" else ()
        return Box(
            identity, role, boxes.shortened(keys[0], boxes.LONGEST_TITLE), _fitting(lines),
            f"{', '.join(keys)}: {tensors}", role, nodes=nodes, marks=marks,
        )  # fmt: skip

    def terminal(self, end: End, box: str) -> Terminal:
        """Return what is known of an input or output: what its signature says, else what was inferred."""
        value = end.values[0] if end.values else None
        dtype = end.dtype or (self.report.dtype(value) if value is not None else None)
        shape = end.shape
        # The shape of a composite tensor is that of none of its parts.
        if (shape is None or shape.dims is None) and value is not None and len(end.values) == 1:
            shape = self.report.shape(value)
        dims = None if shape is None or shape.dims is None else list(shape.dims)
        name = None if dtype is None else dtype.name
        return Terminal(end.key, tuple(end.signatures), tuple(map(str, end.values)), name, dims, box)

    def dtype(self, value: Value) -> DType | None:
        """Return the dtype of a value, None if it is not known."""
        return self.report.dtype(value) or dtype_of(value)

    def label(self, value: Value, read: Value) -> str:
        """Return dtype (unless float32) and shape of a value, as known where it is made or where it is read."""
        shape = min(self.report.shape(value), self.report.shape(read), key=_unknowns)
        dtype = self.dtype(value)
        name = "" if dtype is None or dtype.base is FLOAT32 else dtype.base.name
        return f"{name} {boxes.shape_text(shape)}".strip()

    def weights(self, operations: Iterable[int]) -> list[Drawn]:
        """Return the constants and variables folded into operations, each once."""
        found = dict.fromkeys(weight for index in operations for weight in self.selection.weights.get(index, ()))
        return [self.operations[index] for index in found]

    def counted(self, operations: Iterable[int]) -> list[Drawn]:
        """Return the weights folded into operations that count as parameters, each once.

        Where a model has variables, a constant is one only if a product, a lookup or a normalization reads it: others
        are what it was made with (a mean, a scale), not what it has learnt.
        """
        return [weight for weight in self.weights(operations) if weight.index not in self._made_with]

    def _constants_made_with(self) -> set[int]:
        found = {index for weights in self.selection.weights.values() for index in weights}
        if not any(self.operations[index].op in VARIABLES for index in found):
            return set()
        learnt = {
            weight
            for reader, weights in self.selection.weights.items()
            if families.family(self.operations[reader].op) in _LEARNING
            for weight in weights
        }
        return {index for index in found - learnt if self.operations[index].op in CONSTANTS}

    def _size(self, part: Part) -> str:
        """Tell how many parameters a part has; shared ones are those that something else in the picture reads too."""
        own = list(first_block(part).operations())
        weights = self.counted(own)
        count = boxes.parameters(weights)
        if not count:
            return ""
        telling = [weight.index for weight in weights if boxes.parameters([weight])]
        is_shared = all(self._readers[index].difference(own) for index in telling) and self._is_shared_beyond(
            part, telling
        )
        each = " shared" if is_shared else " each" if part.count > 1 else ""
        return boxes.count_text(count, "param") + each

    def _is_shared_beyond(self, part: Part, weights: Sequence[int]) -> bool:
        """Say whether weights are read beyond the layer that a part is in: within one that goes without saying."""
        around = first_block(part).parent
        if around is None or around.parent is None:
            return True
        inside = set(around.operations())
        return all(self._readers[index] - inside for index in weights)

    def _weight_shapes(self, index: int) -> list[Shape]:
        """Return the shapes of the weights folded into an operation, largest first; of one in parts, as it is read."""
        own = [boxes.weight_shape(weight) for weight in self.weights([index])]
        ranks = {shape.rank for shape in own}
        read = [self.report.shape(value) for value in self.selection.folded.get(index, ())]
        whole = [shape for shape in read if shape.rank in ranks and shape.num_elements is not None]
        return sorted([*whole, *own], key=lambda shape: -(shape.num_elements or 0))

    def _operation_box(self, part: Part, identity: str, cluster: str) -> Box:
        shown = first_block(part)
        inside = list(shown.operations())
        head = min(inside, key=lambda index: _rank(self.operations[index].op))
        operation = self.operations[head]
        is_one = shown.is_operation or bool(shown.title)
        tails = [] if is_one else [tail for child in shown.children for tail in self._tails(child, head)]
        facts = shown.about if shown.title else _joined(boxes.attributes(operation, self._weight_shapes(head)))
        count = boxes.parameters(self.counted(inside))
        name = shown.name or operation.name
        told = "" if name.lower() == operation.label.lower() else name
        return Box(
            identity,
            "layer" if tails or shown.title else "operation",
            (shown.title or _op_title(operation)) + _times(part),
            _fitting([facts, _listed(tails), self._size(part), told, _beside(part), self._told_marks(part)]),
            shown.path,
            shown.family or families.family(operation.op),
            cluster,
            self._names(members(part)),
            count,
            part.count,
            self._marks(members(part)),
        )

    def _scope_box(self, part: Part, identity: str, cluster: str) -> Box:
        shown = first_block(part)
        inside = list(shown.operations())
        count = boxes.parameters(self.counted(inside))
        lines = [self._census(inside), self._size(part), _beside(part), _loop_line(shown), self._told_marks(part)]
        is_norm = "norm" in shown.name.lower() and all(_rank(self.operations[index].op) == 2 for index in inside)
        family = "normalization" if is_norm else "scope"
        return Box(
            identity, shown.kind, scope_title(part), _fitting(lines), shown.path, family, cluster,
            self._names(members(part)), count, part.count, self._marks(members(part)),
        )  # fmt: skip

    def _tails(self, part: Part, head: int) -> list[str]:
        """Name what follows in a layer: operations, or the norm or activation that a scope of them makes."""
        inside = list(part.operations())
        followers = [self.operations[index] for index in inside if index != head]
        titles = [_op_title(operation) for operation in followers]
        if part.title:
            return [part.title]
        if part.children and any(child.title for child in part.children) and head not in inside:
            return [tail for child in part.children for tail in self._tails(child, head)]
        if part.is_operation or head in inside:
            return titles
        named = next((title for pattern, title in _NORMS if pattern.search(part.name.lower())), None)
        return [named] if named else titles

    def _census(self, operations: Sequence[int]) -> str:
        titles = {self.operations[index].op: _op_title(self.operations[index]) for index in operations}
        counts = Counter(self.operations[index].op for index in operations)
        telling = sorted(counts.items(), key=lambda item: (_rank(item[0]), -item[1], item[0]))
        named: list[str] = []
        for op, count in telling[:_MOST_OPS]:
            text = f"{count} {titles[op]}"
            if named and len(" · ".join([*named, text])) > _ROOM:
                break
            named.append(text)
        rest = sum(count for _, count in telling[len(named) :])
        return " · ".join([*named, f"{rest} more"] if rest else named)

    def _names(self, operations: Iterable[int]) -> tuple[NodeName, ...]:
        found = (self.operations[index] for index in operations)
        return tuple(NodeName(operation.name, operation.graph.name) for operation in found)

    def _told_marks(self, part: Part) -> str:
        """Say what a comparison found of a part: colours alone would not tell everybody."""
        counts = Counter(mark for index in members(part) for mark in self.marks.get(index, ()) if mark in _COMPARED)
        if part.is_operation:
            return ", ".join(counts)
        return ", ".join(f"{count} {mark}" for mark, count in counts.items())

    def _marks(self, operations: Iterable[int]) -> tuple[str, ...]:
        if not self.marks:
            return ()
        return tuple(dict.fromkeys(mark for index in operations for mark in self.marks.get(index, ())))


def main_operation(selection: Selection, part: Part) -> int | None:
    """Return the operation that a part is about: its one product or convolution; None where there are several."""
    inside = list(first_block(part).operations())
    products = [index for index in inside if families.is_product(selection.flow.operations[index].op)]
    return (products or inside)[0] if len(products) == 1 or len(inside) == 1 else None


def first_block(part: Part) -> Part:
    """Return the block that is drawn for all of a repeat; any other part itself."""
    return part.children[0] if part.kind == "repeat" else part


def members(part: Part) -> list[int]:
    """Return every operation that a part is drawn for, those of equal blocks included."""
    leaves = [leaf for leaf in first_block(part).parts() if leaf.is_operation]
    return [leaf.operation for leaf in in_preorder(leaves, lambda leaf: leaf.twins)]


def twins(part: Part) -> list[Part]:
    """Return the parts that one is drawn for beside itself: those at its place in equal blocks, in order."""
    first = first_block(part)
    return [twin for twin in in_preorder([first], lambda one: one.twins) if twin is not first]


def frame_title(part: Part) -> str:
    """Return the name of a scope as its frame shows it: of a loop with what it goes on for."""
    condition = first_block(part).condition
    if part.kind == "repeat" and part.about:
        return f"{scope_title(part)} {part.about}"
    told = f"{WHILE}{boxes.shortened(condition, _LONGEST_CONDITION)}" if condition else ""
    return scope_title(part) + told


def _beside(part: Part) -> str:
    return part.about if part.kind == "repeat" else ""


def _loop_line(part: Part) -> str:
    return f"while {part.condition}" if part.condition else _KIND_LINES.get(part.kind, "")


def scope_title(part: Part) -> str:
    """Return the name of a scope as its box shows it."""
    return boxes.shortened(first_block(part).name, boxes.LONGEST_TITLE) + _times(part)


def _times(part: Part) -> str:
    return f" ×{part.count}" if part.count > 1 else ""


def _rank(op: str) -> int:
    """Rank ops by how much they say about a layer: products first, then pooling and lookups, then the rest."""
    family = families.family(op)
    return {"convolution": 0, "dense": 0, "recurrent": 0, "pooling": 1, "lookup": 1}.get(family, 2)


def _listed(names: Sequence[str]) -> str:
    counted = [f"{name} ×{count}" if count > 1 else name for name, count in Counter(names).items()]
    shown: list[str] = []
    for text in counted:
        if len(shown) == _MOST_OPS or (shown and len(", ".join([*shown, text])) > _ROOM):
            break
        shown.append(text)
    more = [f"{len(counted) - len(shown)} more"] if len(counted) > len(shown) else []
    return "+ " + ", ".join([*shown, *more]) if counted else ""


def _joined(facts: Sequence[str]) -> str:
    kept = list(facts)
    while len(kept) > 1 and len(" · ".join(kept)) > LONGEST_LINE:
        kept.pop()
    return " · ".join(kept)


def _few(names: Sequence[str]) -> list[str]:
    """Return the first names of many, and how many more there are."""
    told = [boxes.shortened(name, boxes.LONGEST_TITLE) for name in names[:_MOST_ENTRIES]]
    return [*told, f"{len(names) - len(told)} more" if len(names) > len(told) else ""]


def _fitting(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(boxes.shortened(line, LONGEST_LINE) for line in lines if line)


def _op_title(operation: Drawn) -> str:
    return boxes.shortened(_TITLES.get(operation.op, operation.label), boxes.LONGEST_TITLE)


def _unknowns(shape: Shape) -> int:
    return 1000 if shape.dims is None else sum(dim is None for dim in shape.dims)
