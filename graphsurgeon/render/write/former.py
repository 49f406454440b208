"""What boxes and edges of a picture were in the model that it is compared with: the left of two panes shows that."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from graphsurgeon.render.arrange.compose import Composer
from graphsurgeon.render.arrange.depth import Opening, contents
from graphsurgeon.render.arrange.levels import Part
from graphsurgeon.render.picture import Earlier, View, compose_scene, levels
from graphsurgeon.render.scene.scene import Box, Edge, Scene

_FORMER = "former"  # kind of an edge that is only in the first model, between boxes of both
_MUCH_LARGER = 2  # a box that held so many times what its partner holds was something else


class Former:
    """The first of two models, told in the boxes of the second."""

    def __init__(self, earlier: Earlier, view: View, scene: Scene, composer: Composer) -> None:
        self.olds = earlier.pairs
        self.composer = composer
        root, opening = levels(earlier.picture, view)
        whole = Opening({part for part in root.parts() if contents(part)}, opening.depth)
        self.scene, self.before = compose_scene(earlier.picture, root, whole)
        self.news = {old: new for new, old in earlier.pairs.items()}
        self.later = scene
        self.had = {
            (source, target)
            for link in earlier.picture.selection.links
            if (source := self._box_of(link.source)) and (target := self._box_of(link.target)) and source != target
        }
        self.partners = dict(self._operations())
        self.outputs = self._outputs()
        self.partners |= {box.id: identity for identity, box in self.outputs.items()}
        ends = ((self.partners.get(e.source), self.partners.get(e.target), e.label) for e in self.scene.edges)
        self.labels = {(start, end): label for start, end, label in ends if start and end and start != end}
        self.had |= self.labels.keys()

    def output(self, identity: str) -> Box | None:
        """Return the box of the first model for an output of the second."""
        return self.outputs.get(identity)

    def box(self, part: Part) -> Box | None:
        """Return the box that showed in the first model what a part shows; None if none did."""
        olds = [self.olds[index] for index in part.operations() if index in self.olds]
        names = {name for old in olds if (name := self.before.box_of(old)) is not None}
        parts = [self.before.parts[name] for name in names]
        found = _common(parts)
        if found is None or found.parent is None or sum(1 for _ in found.operations()) > _MUCH_LARGER * len(olds):
            return None
        return self.before.describer.box(found, "", "")

    def edge(self, edge: Edge) -> list[str | None]:
        """Return what there is to add to an edge: its label in the first model, None if it was not there."""
        ends = (edge.source, edge.target)
        if ends in self.had:
            label = self.labels.get(ends, edge.label)
            return [label] if label != edge.label else []
        return [None] if edge.kind != "removed" else []

    def edges(self) -> Iterator[Edge]:
        """Yield the edges that only the first model has, between boxes that both have."""
        now = {(edge.source, edge.target) for edge in self.later.edges}
        for source, target in sorted(self.had - now):
            yield Edge(source, target, _FORMER, self.labels.get((source, target), ""), ())

    def _box_of(self, old: int) -> str | None:
        return self.composer.box_of(self.news[old]) if old in self.news else None

    def _operations(self) -> Iterator[tuple[str, str]]:
        """Yield boxes of operations of the first model, each with that of the second that has most of its partners."""
        for name, part in self.before.parts.items():
            found = Counter(box for old in part.operations() if (box := self._box_of(old)) is not None)
            if found:
                yield name, found.most_common(1)[0][0]

    def _outputs(self) -> dict[str, Box]:
        """Return the outputs of the second model with those of the first: of the same key, else of the same maker."""
        boxes = {box.id: box for box in self.scene.boxes}
        keys = {end.key: end.box for end in self.scene.outputs}
        found = {end.box: boxes[keys[end.key]] for end in self.later.outputs if end.key in keys}
        taken = {box.id for box in found.values()}
        makers: dict[str, str] = {}
        for edge in self.scene.edges:
            maker = self.partners.get(edge.source)
            if maker is not None and edge.target in keys.values() and edge.target not in taken:
                makers.setdefault(maker, edge.target)
        left = {end.box for end in self.later.outputs} - found.keys()
        for edge in self.later.edges:
            if edge.target in left and edge.source in makers:
                found.setdefault(edge.target, boxes[makers.pop(edge.source)])
        return found


def _common(parts: list[Part]) -> Part | None:
    """Return the innermost part around some."""
    common: list[Part] | None = None
    for part in parts:
        around = _around(part)
        common = around if common is None else [one for one, other in zip(common, around, strict=False) if one is other]
    return common[-1] if common else None


def _around(part: Part) -> list[Part]:
    found = [part]
    while found[-1].parent is not None:
        found.append(found[-1].parent)
    return found[::-1]
