"""From levels to a scene: what each box says, and which edges between operations each arrow stands for."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence

from graphsurgeon.model.dtype import FLOAT32, DType
from graphsurgeon.model.graph import Value
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import Shape
from graphsurgeon.render import boxes, families
from graphsurgeon.render.depth import Opening, contents
from graphsurgeon.render.ends import End
from graphsurgeon.render.flow import EMPTY_NAMES, Operation
from graphsurgeon.render.levels import Part
from graphsurgeon.render.scene import Box, Cluster, Edge, NodeName, Terminal
from graphsurgeon.render.select import Link, Selection, behind, dtype_of
from graphsurgeon.shapes import ShapeReport

LONGEST_TITLE = 36
LONGEST_LINE = 48
_MOST_OPS = 4  # kinds of operations that a closed scope names
_MOST_TAILS = 4


class Composer:
    """Makes boxes, frames and edges of the parts that are visible.

    Attributes:
        boxes, clusters, edges: what has been made.
        box_of: operation -> id of the box that shows it.
    """

    def __init__(
        self, selection: Selection, report: ShapeReport, inputs: Sequence[End], marks: Mapping[int, Collection[str]]
    ) -> None:
        self.selection = selection
        self.operations = selection.flow.operations
        self.report = report
        self.marks = marks
        self.boxes: list[Box] = []
        self.clusters: list[Cluster] = []
        self.edges: list[Edge] = []
        self.box_of: dict[int, str] = {}
        self._inputs: dict[int, list[End]] = {}
        for end in inputs:
            for source in end.sources:
                self._inputs.setdefault(source, []).append(end)
        self._ids: set[str] = set()
        self._copies: dict[int, dict[Part, int]] = {}

    def add(self, root: Part, opening: Opening) -> None:
        """Add everything inside a root."""
        self._count_copies(root)
        waiting: list[tuple[Part, str]] = [(child, "") for child in reversed(contents(root))]
        while waiting:
            part, cluster = waiting.pop()
            if part in opening.opened:
                inside = self._open(part, cluster)
                waiting += [(child, inside) for child in reversed(contents(part))]
            else:
                self._close(part, cluster)
        self._add_edges(self.selection.links)

    def add_outputs(self, outputs: Sequence[End]) -> list[Terminal]:
        """Add a box for every output, with edges from what yields it; return what they are."""
        found = []
        for end in outputs:
            behind_end = self._behind(end)
            if end.sources and not any(index in self.box_of for index in behind_end):
                continue  # outside the part that was asked for
            box = self._end_box(
                end, "output", f"out-{end.key}", tuple(node for v in end.values for node in _node_of(v))
            )
            found.append(self._terminal(end, box.id))
            sources = {self.box_of[index]: role for index, role in behind_end.items() if index in self.box_of}
            values = tuple(map(str, end.values))
            label = self._label(end.values[0], end.values[0]) if end.values else ""
            self.edges += [
                Edge(source, box.id, role, label if role == "data" else "", values) for source, role in sources.items()
            ]
        return found

    def _behind(self, end: End) -> dict[int, str]:
        """Return the drawn operations that yield an output, each with its role."""
        found: dict[int, str] = {}
        for source in end.sources:
            found |= self.selection.results.get(source) or behind(self.selection, source)
        return found

    def terminals(self, inputs: Sequence[End]) -> list[Terminal]:
        """Return what goes in, with the box of each."""
        return [self._terminal(end, next((self.box_of.get(s, "") for s in end.sources), "")) for end in inputs]

    # -- boxes -----------------------------------------------------------------------------------------

    def _open(self, part: Part, cluster: str) -> str:
        inner = part.children[0] if part.kind == "repeat" else part
        title = boxes.shortened(inner.name, LONGEST_TITLE) + (f" ×{part.count}" if part.count > 1 else "")
        identity = self._identity(inner.path, "scope")
        self.clusters.append(Cluster(identity, cluster, part.kind, title, inner.path, part.count))
        return identity

    def _close(self, part: Part, cluster: str) -> None:
        shown = part.children[0] if part.kind == "repeat" else part
        every = [twin.operation for leaf in shown.parts() if leaf.is_operation for twin in _twins(leaf)]
        ends = self._inputs.get(part.operation)
        if ends:
            box = self._end_box(ends[0], "input", shown.path, self._names(every), ends)
        elif shown.is_operation or self._head(shown) is not None:
            box = self._operation_box(part, shown, cluster, every)
        else:
            box = self._scope_box(part, shown, cluster, every)
        self.boxes += [box] if not ends else []
        self.box_of.update(dict.fromkeys(every, box.id))

    def _operation_box(self, part: Part, shown: Part, cluster: str, every: list[int]) -> Box:
        inside = list(shown.operations())
        head = inside[0] if shown.is_operation else self._head(shown)
        assert head is not None
        operation = self.operations[head]
        weights = self._weights(inside)
        shapes = sorted((boxes.weight_shape(w) for w in self._weights([head])), key=lambda s: -(s.num_elements or 0))
        facts = boxes.attributes(operation, shapes)
        tails = [] if shown.is_operation else [tail for child in shown.children for tail in self._tails(child, head)]
        count = boxes.parameters(weights)
        while len(facts) > 1 and len(" · ".join(facts)) > LONGEST_LINE:
            facts.pop()
        lines = [" · ".join(facts), _listed(tails), self._size(count, part), _name_line(shown, operation)]
        kind = "layer" if tails else "operation"
        title = _op_title(operation.op) + (f" ×{part.count}" if part.count > 1 else "")
        return self._box(kind, title, lines, shown.path, families.family(operation.op), cluster, every, part, count)

    def _tails(self, part: Part, head: int) -> list[str]:
        """Name what follows in a layer: operations, or the norm or activation that a scope of them makes."""
        ops = [self.operations[index].op for index in part.operations() if index != head]
        if part.is_operation or head in set(part.operations()):
            return [_op_title(op) for op in ops]
        if sorted(ops) == ["Mul", "Sigmoid"]:
            return ["Swish"]
        named = next((title for pattern, title in _NORMS if pattern.search(part.name.lower())), None)
        return [named] if named else [_op_title(op) for op in ops]

    def _scope_box(self, part: Part, shown: Part, cluster: str, every: list[int]) -> Box:
        inside = list(shown.operations())
        count = boxes.parameters(self._weights(inside))
        lines = [self._census(inside), self._size(count, part), _KIND_LINES.get(shown.kind, "")]
        title = boxes.shortened(shown.name, LONGEST_TITLE) + (f" ×{part.count}" if part.count > 1 else "")
        is_norm = "norm" in shown.name.lower() and all(self._rank(self.operations[index].op) == 2 for index in inside)
        family = "normalization" if is_norm else "scope"
        return self._box(shown.kind, title, lines, shown.path, family, cluster, every, part, count)

    def _box(
        self, kind: str, title: str, lines: Iterable[str], name: str, family: str, cluster: str, every: list[int],
        part: Part, parameters: int,
    ) -> Box:  # fmt: skip
        marks = tuple(dict.fromkeys(mark for index in every for mark in self.marks.get(index, ())))
        shown = tuple(boxes.shortened(line, LONGEST_LINE) for line in lines if line)
        identity = self._identity(name, "node")
        nodes = self._names(every)
        return Box(identity, kind, title, shown, name, family, cluster, nodes, parameters, part.count, marks)

    def _end_box(self, end: End, role: str, name: str, nodes: tuple[NodeName, ...], ends: Sequence[End] = ()) -> Box:
        """Add the box of an input or output; several keys may name one tensor."""
        keys = list(dict.fromkeys(other.key for other in ends or [end]))
        signatures = dict.fromkeys(name for other in ends or [end] for name in other.signatures)
        terminal = self._terminal(end, "")
        shape = boxes.shape_text(None if terminal.shape is None else Shape(terminal.shape))
        fact = f"{terminal.dtype or ''} {shape}".strip()
        lines = [
            *(boxes.shortened(key, LONGEST_LINE) for key in keys[1:]),
            fact,
            boxes.shortened(", ".join(signatures), LONGEST_LINE),
        ]
        title = boxes.shortened(keys[0], LONGEST_TITLE)
        tensors = ", ".join(map(str, end.values))
        marks = tuple(mark for source in end.sources for mark in self.marks.get(source, ())) if role == "input" else ()
        box = Box(
            self._identity(name, "end"), role, title, tuple(filter(None, lines)), f"{keys[0]}: {tensors}", role,
            nodes=nodes, marks=tuple(dict.fromkeys(marks)),
        )  # fmt: skip
        self.boxes.append(box)
        return box

    def _head(self, part: Part) -> int | None:
        """Return the operation that a layer is named after: the first that is more than padding; None if no layer."""
        if part.kind != "layer":
            return None
        ranked = sorted(part.operations(), key=lambda index: self._rank(self.operations[index].op))
        return ranked[0]

    @staticmethod
    def _rank(op: str) -> int:
        family = families.family(op)
        return {"convolution": 0, "dense": 0, "recurrent": 0, "pooling": 1, "lookup": 1}.get(family, 2)

    def _weights(self, operations: Iterable[int]) -> list[Operation]:
        found = dict.fromkeys(weight for index in operations for weight in self.selection.weights.get(index, ()))
        return [self.operations[index] for index in found]

    def _names(self, operations: Iterable[int]) -> tuple[NodeName, ...]:
        found = (self.operations[index] for index in operations)
        return tuple(NodeName(operation.name, operation.graph.name) for operation in found)

    def _census(self, operations: Iterable[int]) -> str:
        counts = Counter(self.operations[index].op for index in operations)
        telling = sorted(counts.items(), key=lambda item: (self._rank(item[0]), -item[1], item[0]))
        named: list[str] = []
        for op, count in telling[:_MOST_OPS]:
            text = f"{count} {_op_title(op)}"
            if named and len(" · ".join([*named, text])) > LONGEST_LINE - 12:
                break
            named.append(text)
        rest = sum(count for _, count in telling[len(named) :])
        return " · ".join([*named, f"{rest} more"] if rest else named)

    @staticmethod
    def _size(parameters: int, part: Part) -> str:
        if not parameters:
            return ""
        return boxes.count_text(parameters, "params") + (" each" if part.count > 1 else "")

    def _terminal(self, end: End, box: str) -> Terminal:
        value = end.values[0] if end.values else None
        dtype = end.dtype or (self.report.dtype(value) if value is not None else None)
        shape = end.shape
        if shape is None and value is not None:
            shape = self.report.shape(value)
        dims = None if shape is None or shape.dims is None else list(shape.dims)
        return Terminal(
            end.key,
            tuple(end.signatures),
            tuple(map(str, end.values)),
            None if dtype is None else dtype.name,
            dims,
            box,
        )

    def _identity(self, name: str, prefix: str) -> str:
        telling = "/".join(segment for segment in name.split("/") if segment not in EMPTY_NAMES) or name
        stem = f"{prefix}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', telling)[-80:]}"
        found, number = stem, 1
        while found in self._ids:
            number += 1
            found = f"{stem}-{number}"
        self._ids.add(found)
        return found

    # -- edges -----------------------------------------------------------------------------------------

    def _add_edges(self, links: Sequence[Link]) -> None:
        joined: dict[tuple[str, str, str], list[Link]] = {}
        for link in links:
            source, target = self.box_of.get(link.source), self.box_of.get(link.target)
            if source is None or target is None or source == target or self._is_carried(link):
                continue
            joined.setdefault((source, target, self._kind(link)), []).append(link)
        for (source, target, kind), same in joined.items():
            # That the shape counts goes without saying where the value itself is read.
            if kind != "shape" or (source, target, "data") not in joined:
                self.edges.append(self._edge(source, target, kind, same))

    def _edge(self, source: str, target: str, kind: str, links: Sequence[Link]) -> Edge:
        values = dict.fromkeys(link.value for link in links if link.value is not None)
        first = links[0]
        label = (
            self._label(first.value, first.read)
            if first.value and first.read and kind not in ("shape", "condition")
            else ""
        )
        # Of equal blocks drawn as one, each has these values.
        blocks = max((repeat.count for repeat in self._copies.get(first.source, ())), default=1)
        others = len(values) // blocks - 1
        is_marked = all(
            "highlight" in self.marks.get(end, ()) for link in links[:1] for end in (link.source, link.target)
        )
        return Edge(
            source, target, kind, f"{label} +{others}".strip() if others > 0 else label, tuple(map(str, values)),
            ("highlight",) if is_marked else (),
        )  # fmt: skip

    def _kind(self, link: Link) -> str:
        if link.kind != "data" or link.value is None:
            return link.kind
        dtype = dtype_of(link.value)
        found = (link.value.extra or {}).get("quantization")
        is_quantized = isinstance(found, Quantization) and found.is_quantized
        return "quantized" if is_quantized or (dtype is not None and dtype.is_quantized) else "data"

    def _label(self, value: Value, read: Value) -> str:
        shapes = [self.report.shape(value), self.report.shape(read)]
        shape = min(shapes, key=_unknowns)
        dtype: DType | None = self.report.dtype(value) or dtype_of(value)
        name = "" if dtype is None or dtype.base is FLOAT32 else dtype.base.name
        return f"{name} {boxes.shape_text(shape)}".strip()

    def _is_carried(self, link: Link) -> bool:
        """Say whether a link leads from one of several equal blocks, drawn as one, to the next."""
        before, after = self._copies.get(link.source, {}), self._copies.get(link.target, {})
        return any(repeat in after and after[repeat] != number for repeat, number in before.items())

    def _count_copies(self, root: Part) -> None:
        for repeat in (part for part in root.parts() if part.kind == "repeat"):
            for number, block in enumerate(repeat.children):
                for index in block.operations():
                    self._copies.setdefault(index, {})[repeat] = number


_NORMS = (
    (re.compile(r"batch_?norm|(^|[/_])bn(_?\d+)?($|/)"), "BatchNorm"),
    (re.compile(r"layer_?norm"), "LayerNorm"),
    (re.compile(r"norm"), "Norm"),
)
_KIND_LINES = {"loop": "loop body", "condition": "loop condition", "branch": "branch"}


def _twins(part: Part) -> list[Part]:
    """Return a part and all parts that it is drawn for."""
    found, waiting = [], [part]
    while waiting:
        twin = waiting.pop()
        found.append(twin)
        waiting += reversed(twin.twins)
    return found


def _node_of(value: Value) -> list[NodeName]:
    node = value.producer
    return [] if node is None else [NodeName(node.name or str(value), node.graph.name)]


def _listed(names: Sequence[str]) -> str:
    counted = [f"{name} ×{count}" if count > 1 else name for name, count in Counter(names).items()]
    shown: list[str] = []
    for text in counted:
        if len(shown) == _MOST_TAILS or len(", ".join([*shown, text])) > LONGEST_LINE - 12:
            break
        shown.append(text)
    more = [f"{len(counted) - len(shown)} more"] if len(counted) > len(shown) else []
    return "+ " + ", ".join([*shown, *more]) if counted else ""


_TITLES = {"FusedBatchNorm": "BatchNorm", "FusedBatchNormV2": "BatchNorm", "FusedBatchNormV3": "BatchNorm"}


def _op_title(op: str) -> str:
    return boxes.shortened(_TITLES.get(op, op), LONGEST_TITLE)


def _name_line(part: Part, operation: Operation) -> str:
    """Return the part of the name that helps: not the op again."""
    name = part.name or operation.name
    return "" if name.lower() == operation.op.lower() else name


def _unknowns(shape: Shape) -> int:
    return 1000 if shape.dims is None else sum(dim is None for dim in shape.dims)
