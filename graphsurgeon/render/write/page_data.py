"""What the page gets of a picture: the whole tree of scopes, open and closed, with what its panel and search tell."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from graphsurgeon.model.graph import Graph
from graphsurgeon.model.model import Model
from graphsurgeon.render.arrange.depth import Opening, contents
from graphsurgeon.render.arrange.levels import Part
from graphsurgeon.render.picture import Picture, View, color_scene, compose_scene
from graphsurgeon.render.place.layout import box_size
from graphsurgeon.render.scene.describe import first_block, frame_title, main_operation, twins
from graphsurgeon.render.scene.details import Details
from graphsurgeon.render.scene.hidden import folded_into
from graphsurgeon.render.scene.scene import Box, Edge
from graphsurgeon.render.write import palette
from graphsurgeon.render.write.former import Former

_BUTTON = 26  # room on a closed scope for what opens it
_MOST_TWINS = 1000  # of one box
MOST_DETAILED = 20_000  # operations; larger graphs are shown without a panel's details


class PageData:
    """Everything that can be seen in a picture: all scopes, open and closed."""

    def __init__(self, subject: Model | Graph, picture: Picture, root: Part, opening: Opening, view: View) -> None:
        self.picture = picture
        self.root = root
        self.opening = opening
        whole = Opening({part for part in root.parts() if contents(part)}, opening.depth)
        self.scene, self.composer = compose_scene(picture, root, whole)
        self.closed = {
            c.id: self.composer.describer.box(self.composer.parts[c.id], c.id, "") for c in self.scene.clusters
        }
        everything = replace(self.scene, boxes=[*self.scene.boxes, *self.closed.values()])
        shown = color_scene(everything, self.composer, view)
        self.colors = shown.colors
        self.families = {box.id: box.family for box in shown.boxes}
        is_large = len(self.scene.boxes) > MOST_DETAILED
        self.operations = picture.selection.flow.operations
        self.details = None if is_large else Details(subject, picture)
        self.main: dict[str, int] = {}
        earlier = picture.earlier
        self.former = Former(earlier, view, self.scene, self.composer) if earlier is not None else None

    def data(self) -> dict[str, Any]:
        """Return what the page needs, as plain lists and dictionaries."""
        place = {cluster.id: index for index, cluster in enumerate(self.scene.clusters)}
        scopes = [self._scope(cluster.id, place.get(cluster.parent, -1)) for cluster in self.scene.clusters]
        offset = len(scopes)
        place |= {box.id: offset + index for index, box in enumerate(self.scene.boxes)}
        self._main_leaves(place)
        for scope, cluster in zip(scopes, self.scene.clusters, strict=True):
            scope |= {"main": self.main[cluster.id]} if cluster.id in self.main else {}
        leaves = [self._leaf(box, place.get(box.cluster, -1)) for box in self.scene.boxes]
        edges = [*self.scene.edges, *(self.former.edges() if self.former is not None else ())]
        return {
            "title": self.scene.title,
            "before": self.picture.before,
            "facts": list(self.scene.facts),
            "hidden": self.scene.hidden_nodes,
            "notes": list(self.scene.notes),
            "signatures": {key: [list(ins), list(outs)] for key, (ins, outs) in self.scene.signatures.items()},
            "parts": scopes + leaves,
            "edges": [[place[e.source], place[e.target], *self._edge(e)] for e in edges],
            "labels": {**palette.LABELS, **self.colors},
            "groups": palette.GROUPS,
            "folded": self._folded(place),
            "edgeLabels": palette.EDGE_LABELS,
            "markLabels": palette.MARK_LABELS,
        }

    def _edge(self, edge: Edge) -> list[Any]:
        was = self.former.edge(edge) if self.former is not None else []
        return [edge.kind, edge.label, list(edge.values[:8]), *was]

    def _tell_former(self, facts: dict[str, Any], part: Part | None) -> None:
        """Note what a box said in the model that is compared, where it said something else, with room for it."""
        if self.former is None:
            return
        box = self.former.output(facts["id"]) if part is None else self.former.box(part)
        if box is not None and [box.title, *box.lines] != [facts["title"], *facts["lines"]]:
            facts["was"] = [box.title, *box.lines]
            facts["size"] = [max(sizes) for sizes in zip(facts["size"], box_size(box), strict=True)]

    def _scope(self, identity: str, parent: int) -> dict[str, Any]:
        part = self.composer.parts[identity]
        facts = _box(self.closed[identity], parent) | {"scope": True, "frame": frame_title(part)}
        facts["family"] = self.families[identity]
        facts["at"] = part.position
        self._tell_former(facts, part)
        facts["size"][0] += _BUTTON
        names = [first_block(twin).path for twin in twins(part)[:_MOST_TWINS]]
        if names:
            facts["twins"] = [[name] for name in names]
        return facts | ({"open": True} if part in self.opening.opened else {})

    def _leaf(self, box: Box, parent: int) -> dict[str, Any]:
        facts = _box(box, parent) | {"family": self.families[box.id]}
        part = self.composer.parts.get(box.id)
        facts["at"] = len(self.scene.boxes) * 4 if part is None else part.position
        self._tell_former(facts, part)
        if part is not None and self.details is not None:
            index = next(part.operations())
            facts["details"] = self.details.of(self.operations[index])
            former = [row for one in part.operations() for row in self.picture.former.get(one, ())]
            if former:
                facts["details"]["former"] = [[field, f"{was} → {now}"] for field, was, now in former]
            others = [twin.operation for twin in twins(part)[:_MOST_TWINS]]
            if others:
                facts["twins"] = [[self.operations[one].name, *self._twin_weights(one)] for one in others]
        return facts

    def _twin_weights(self, operation: int) -> list[Any]:
        found = self.details.weights(operation) if self.details is not None else []
        return [found] if found else []

    def _main_leaves(self, place: dict[str, int]) -> None:
        """Note for every scope that is about one operation which one: its attributes are those of the scope."""
        for identity in self.closed:
            main = main_operation(self.picture.selection, self.composer.parts[identity])
            box = self.composer.box_of(main) if main is not None else None
            if box is not None:
                self.main[identity] = place[box]

    def _folded(self, place: dict[str, int]) -> list[list[Any]]:
        """Return names of nodes without a box, each with the box that it is folded into."""
        ends = [source for end in self.picture.ends.outputs for source in end.sources]
        weights = {index for found in self.picture.selection.weights.values() for index in found}
        homes = folded_into(self.picture.selection, ends).items() if self.details is not None else ()
        found = [(index, self.composer.box_of(home)) for index, home in homes if index not in weights]
        return [[self.operations[index].name, place[box]] for index, box in found if box is not None]


def _box(box: Box, parent: int) -> dict[str, Any]:
    width, height = box_size(box)
    facts: dict[str, Any] = {
        "id": box.id, "parent": parent, "kind": box.kind, "title": box.title, "lines": list(box.lines),
        "name": box.name, "family": box.family, "size": [width, height],
    }  # fmt: skip
    if box.count > 1:
        facts["count"] = box.count
    if box.marks:
        facts["marks"] = list(box.marks)
    return facts
