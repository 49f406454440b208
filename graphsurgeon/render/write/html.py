"""A page of one file that shows a graph: opens and closes scopes in place, searches, and tells details.

The page gets the whole tree of scopes as JSON and lays out, scope by scope, what is open, with a layout library
that is part of this package. It asks nothing of any network: its content security policy forbids all, and
allows just the scripts and styles in it, by their hashes. Texts of the model reach the page as data and are
shown as text, never as markup.
"""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import replace
from typing import Any
from xml.sax.saxutils import escape

from graphsurgeon.model.graph import Graph
from graphsurgeon.model.model import Model
from graphsurgeon.render.arrange.depth import Opening, contents
from graphsurgeon.render.arrange.levels import Part
from graphsurgeon.render.assets import asset
from graphsurgeon.render.picture import Picture, View, color_scene, compose_scene, levels
from graphsurgeon.render.place.layout import box_size
from graphsurgeon.render.scene.describe import scope_title
from graphsurgeon.render.scene.details import Details
from graphsurgeon.render.scene.scene import Box, Scene
from graphsurgeon.render.write import palette

_BUTTON = 26  # room on a closed scope for what opens it
MOST_DETAILED = 20_000  # operations; larger graphs are shown without a panel's details
_SCRIPTS = ("dagre.min.js", "tree.js", "arrange.js", "paint.js", "legend.js", "page.js")


def html_text(subject: Model | Graph, picture: Picture, view: View) -> tuple[Scene, str]:
    """Return the scene that the page opens with, and the page. Reads the values of small weights."""
    root, opening = levels(picture, view)
    scene, composer = compose_scene(picture, root, opening)
    scene = color_scene(scene, composer, view)
    page = json.dumps(_Tree(subject, picture, root, opening, view).data(), separators=(",", ":"), ensure_ascii=True)
    return scene, _document(scene, page)


class _Tree:
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
        self.details = None if is_large else Details(subject, picture)

    def data(self) -> dict[str, Any]:
        """Return what the page needs, as plain lists and dictionaries."""
        place = {cluster.id: index for index, cluster in enumerate(self.scene.clusters)}
        scopes = [self._scope(cluster.id, place.get(cluster.parent, -1)) for cluster in self.scene.clusters]
        offset = len(scopes)
        place |= {box.id: offset + index for index, box in enumerate(self.scene.boxes)}
        leaves = [self._leaf(box, place.get(box.cluster, -1)) for box in self.scene.boxes]
        edges = [[place[e.source], place[e.target], e.kind, e.label, list(e.values[:8])] for e in self.scene.edges]
        return {
            "title": self.scene.title,
            "facts": list(self.scene.facts),
            "hidden": self.scene.hidden_nodes,
            "notes": list(self.scene.notes),
            "signatures": {key: [list(ins), list(outs)] for key, (ins, outs) in self.scene.signatures.items()},
            "parts": scopes + leaves,
            "edges": edges,
            "labels": {**palette.LABELS, **self.colors},
            "groups": palette.GROUPS,
            "edgeLabels": palette.EDGE_LABELS,
            "markLabels": palette.MARK_LABELS,
        }

    def _scope(self, identity: str, parent: int) -> dict[str, Any]:
        part = self.composer.parts[identity]
        facts = _box(self.closed[identity], parent) | {"scope": True, "frame": scope_title(part)}
        facts["family"] = self.families[identity]
        facts["at"] = part.position
        facts["size"][0] += _BUTTON
        return facts | ({"open": True} if part in self.opening.opened else {})

    def _leaf(self, box: Box, parent: int) -> dict[str, Any]:
        facts = _box(box, parent) | {"family": self.families[box.id]}
        part = self.composer.parts.get(box.id)
        facts["at"] = len(self.scene.boxes) * 4 if part is None else part.position
        if part is not None and self.details is not None:
            index = next(part.operations())
            facts["details"] = self.details.of(self.picture.selection.flow.operations[index])
            facts["twins"] = [node.name for node in box.nodes[1:65]]
        return facts


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


def _document(scene: Scene, data: str) -> str:
    scripts = [asset(name) for name in _SCRIPTS]
    styles = asset("page.css") + _colors()
    policy = "; ".join(
        [
            "default-src 'none'",
            f"script-src {' '.join(map(_hash, scripts))}",
            f"style-src {_hash(styles)}",
            "img-src blob: data:",
            "base-uri 'none'",
            "form-action 'none'",
        ]
    )
    # Between script tags only `<` could end the data; as an escape it is the same JSON.
    safe = data.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")
    return asset("page.html").format(
        title=escape(scene.title),
        policy=policy,
        styles=styles,
        data=safe,
        scripts="\n".join(f"<script>{script}</script>" for script in scripts),
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _colors() -> str:
    """Return the rules for families and marks, on light and on dark paper."""
    light = [
        *(f".f-{f} .body{{fill:{palette.FILLS[f]};stroke:{palette.STROKES[f]}}}" for f in palette.FILLS),
        *(f"svg .m-{mark} .body{{stroke:{light};stroke-width:2.6}}" for mark, (light, _) in palette.MARKS.items()),
    ]
    dark = [
        *(f".f-{f} .body{{fill:{palette.DARK_FILLS[f]};stroke:{palette.DARK_STROKES[f]}}}" for f in palette.FILLS),
        *(f"svg .m-{mark} .body{{stroke:{dark}}}" for mark, (_, dark) in palette.MARKS.items()),
    ]
    return "\n".join([*light, "@media (prefers-color-scheme: dark){", *dark, "}", ""])
