"""From levels to a scene: boxes for what is closed, frames around what is open, and the edges between them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from graphsurgeon.model.graph import Value
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.render.arrange.depth import Opening, contents
from graphsurgeon.render.arrange.levels import Part
from graphsurgeon.render.choose.ends import End
from graphsurgeon.render.choose.flow import is_empty_name
from graphsurgeon.render.choose.select import Link, behind, dtype_of
from graphsurgeon.render.scene.describe import Describer, first_block, frame_title, members
from graphsurgeon.render.scene.scene import Box, Cluster, Edge, NodeName, Terminal

_LONGEST_ID = 80  # characters of an id that tools which read the picture still show
_WITHOUT_LABEL = frozenset({"shape", "condition", "control", "removed", "resource"})  # a handle has no shape to tell


class Composer:
    """Puts boxes, frames and edges together.

    Attributes:
        boxes, clusters, edges: what has been made.
        parts: id of a box or frame -> the part it shows; outputs have none.
    """

    def __init__(self, describer: Describer) -> None:
        self.describer = describer
        self.selection = describer.selection
        self.boxes: list[Box] = []
        self.clusters: list[Cluster] = []
        self.edges: list[Edge] = []
        self.parts: dict[str, Part] = {}
        self._box_of: dict[int, str] = {}
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

    def add_outputs(self, outputs: Sequence[End], most: int | None = None) -> list[Terminal]:
        """Add a box for every output, or one for more than so many, with edges from what yields it; return all."""
        found = []
        groups = _by_values(outputs)
        if most is not None and len(groups) > most:
            return self._add_together(groups)
        for ends in groups:
            sources = {self._box_of[i]: role for i, role in self._behind(ends[0]).items() if i in self._box_of}
            if ends[0].sources and not sources:
                continue  # outside the part that was asked for
            values = ends[0].values
            identity = self._identity(ends[0].key, "output")
            self.boxes.append(self.describer.end_box(ends, "output", identity, _producers(values)))
            found += [self.describer.terminal(end, identity) for end in ends]
            # Which part of a composite tensor comes from where is not told.
            label = self.describer.label(values[0], values[0]) if len(values) == 1 else ""
            self.edges += [
                Edge(source, identity, role, "" if role in _WITHOUT_LABEL else label, tuple(map(str, values)))
                for source, role in sources.items()
            ]
        return found

    def _add_together(self, groups: Sequence[Sequence[End]]) -> list[Terminal]:
        """Add one box for many outputs, with an edge from each box that yields some."""
        drawn = [(ends, sources) for ends in groups if (sources := self._behind(ends[0])) or not ends[0].sources]
        identity = self._identity(f"{len(drawn)} outputs", "output")
        told: dict[tuple[str, str], list[str]] = {}
        for ends, sources in drawn:
            for index, role in sources.items():
                if index in self._box_of:
                    told.setdefault((self._box_of[index], role), []).extend(map(str, ends[0].values))
        self.boxes.append(self.describer.outputs_box([ends[0] for ends, _ in drawn], identity))
        self.edges += [Edge(box, identity, role, "", tuple(values)) for (box, role), values in told.items()]
        return [self.describer.terminal(end, identity) for ends, _ in drawn for end in ends]

    def terminals(self, inputs: Sequence[End]) -> list[Terminal]:
        """Return what goes in, with the box of each."""
        boxes = [next((self._box_of[source] for source in end.sources if source in self._box_of), "") for end in inputs]
        return [self.describer.terminal(end, box) for end, box in zip(inputs, boxes, strict=True) if box]

    def box_of(self, operation: int) -> str | None:
        """Return the id of the box that an operation is in; None for one that is not drawn."""
        return self._box_of.get(operation)

    def dtype(self, box: str) -> str | None:
        """Return the dtype that most operations of a box yield; None where none is known."""
        part = self.parts.get(box)
        if part is None:
            return None
        operations = (self.selection.flow.operations[index] for index in members(part))
        values = (one.value if one.node is None else next(iter(one.node.outputs), None) for one in operations)
        counts = Counter(found.name for value in values if value is not None and (found := self.describer.dtype(value)))
        return counts.most_common(1)[0][0] if counts else None

    def _open(self, part: Part, cluster: str) -> str:
        path = first_block(part).path
        identity = self._identity(path, "scope")
        self.clusters.append(Cluster(identity, cluster, part.kind, frame_title(part), path, part.count))
        self.parts[identity] = part
        return identity

    def _close(self, part: Part, cluster: str) -> None:
        identity = self._identity(first_block(part).path, "node")
        self.boxes.append(self.describer.box(part, identity, cluster))
        self.parts[identity] = part
        self._box_of.update(dict.fromkeys(members(part), identity))

    def _behind(self, end: End) -> dict[int, str]:
        """Return the drawn operations that yield an output, each with its role."""
        found: dict[int, str] = {}
        for source in end.sources:
            found |= self.selection.results.get(source) or behind(self.selection, source)
        for source in end.conditions:
            found |= dict.fromkeys(self.selection.results.get(source) or behind(self.selection, source), "condition")
        return found

    def _identity(self, name: str, prefix: str) -> str:
        telling = "/".join(segment for segment in name.split("/") if not is_empty_name(segment)) or name
        stem = f"{prefix}-{re.sub(r'[^A-Za-z0-9_.-]+', '-', telling)[-_LONGEST_ID:]}"
        found, number = stem, 1
        while found in self._ids:
            number += 1
            found = f"{stem}-{number}"
        self._ids.add(found)
        return found

    def _add_edges(self, links: Sequence[Link]) -> None:
        joined: dict[tuple[str, str, str], list[Link]] = {}
        for link in links:
            source, target = self._box_of.get(link.source), self._box_of.get(link.target)
            # What one turn hands to the next is drawn on the box that holds the whole turn, too.
            is_inner = source == target and link.kind != "loop"
            if source is None or target is None or is_inner or self._is_carried(link):
                continue
            joined.setdefault((source, target, _kind(link)), []).append(link)
        for (source, target, kind), same in joined.items():
            # That the shape counts goes without saying where the value itself is read.
            if kind != "shape" or (source, target, "data") not in joined:
                self.edges.append(self._edge(source, target, kind, same))

    def _edge(self, source: str, target: str, kind: str, links: Sequence[Link]) -> Edge:
        values = dict.fromkeys(link.value for link in links if link.value is not None)
        first = links[0]
        is_told = kind not in _WITHOUT_LABEL and first.value is not None and first.read is not None
        label = self.describer.label(first.value, first.read) if is_told and first.value and first.read else ""
        # Of equal blocks drawn as one, each has these values.
        blocks = max((repeat.count for repeat in self._copies.get(first.source, ())), default=1)
        others = len(values) // blocks - 1
        marks = self.describer.marks
        is_marked = all("highlight" in marks.get(end, ()) for end in (first.source, first.target))
        return Edge(
            source, target, kind, f"{label} +{others}".strip() if others > 0 and label else label,
            tuple(map(str, values)), ("highlight",) if is_marked else (),
        )  # fmt: skip

    def _is_carried(self, link: Link) -> bool:
        """Say whether a link leads from one of several equal blocks, drawn as one, to the next."""
        before, after = self._copies.get(link.source, {}), self._copies.get(link.target, {})
        return any(repeat in after and after[repeat] != number for repeat, number in before.items())

    def _count_copies(self, root: Part) -> None:
        for repeat in (part for part in root.parts() if part.kind == "repeat"):
            for number, block in enumerate(repeat.children):
                for index in block.operations():
                    self._copies.setdefault(index, {})[repeat] = number


def _kind(link: Link) -> str:
    if link.kind != "data" or link.value is None:
        return link.kind
    dtype = dtype_of(link.value)
    found = (link.value.extra or {}).get("quantization")
    is_quantized = isinstance(found, Quantization) and found.is_quantized
    return "quantized" if is_quantized or (dtype is not None and dtype.is_quantized) else "data"


def _by_values(outputs: Sequence[End]) -> list[list[End]]:
    """Return outputs in groups of one tensor: an answer may have several keys."""
    groups: dict[object, list[End]] = {}
    for end in outputs:
        groups.setdefault(tuple(map(id, end.values)) or id(end), []).append(end)
    return list(groups.values())


def _producers(values: Sequence[Value]) -> tuple[NodeName, ...]:
    nodes = [value.producer for value in values if value.producer is not None]
    return tuple(NodeName(node.name or str(value), node.graph.name) for node, value in zip(nodes, values, strict=False))
