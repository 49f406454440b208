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
from xml.sax.saxutils import escape

from graphsurgeon.model.graph import Graph
from graphsurgeon.model.model import Model
from graphsurgeon.render.assets import asset
from graphsurgeon.render.picture import Picture, View, color_scene, compose_scene, levels
from graphsurgeon.render.scene.scene import Scene
from graphsurgeon.render.write import palette
from graphsurgeon.render.write.page_data import PageData

_SCRIPTS = (
    "layered.js",
    "tree.js",
    "arrange.js",
    "columns.js",
    "paint.js",
    "legend.js",
    "panel.js",
    "search.js",
    "minimap.js",
    "page.js",
    "pointer.js",
    "sides.js",
    "start.js",
)


def html_text(subject: Model | Graph, picture: Picture, view: View) -> tuple[Scene, str]:
    """Return the scene that the page opens with, and the page. Reads the values of small weights."""
    root, opening = levels(picture, view)
    scene, composer = compose_scene(picture, root, opening)
    scene = color_scene(scene, composer, view)
    page = json.dumps(PageData(subject, picture, root, opening, view).data(), separators=(",", ":"), ensure_ascii=True)
    return scene, _document(scene, page)


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
        *(f".m-{mark} .body{{stroke:{light};stroke-width:2.6}}" for mark, (light, _) in palette.MARKS.items()),
    ]
    dark = [
        *(f".f-{f} .body{{fill:{palette.DARK_FILLS[f]};stroke:{palette.DARK_STROKES[f]}}}" for f in palette.FILLS),
        *(f".m-{mark} .body{{stroke:{dark}}}" for mark, (_, dark) in palette.MARKS.items()),
    ]
    return "\n".join([*light, "@media (prefers-color-scheme: dark){", *dark, "}", ""])
