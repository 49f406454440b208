"""Pictures of graphs: what is drawn is chosen (`picture`), laid out (`layout`) and written (`svg`, `dot`, `html`).

`draw` does it all; a model or graph shows itself in a notebook through it.
"""

from graphsurgeon.render.drawing import FORMATS, Drawing, draw, to_page, to_svg
from graphsurgeon.render.picture import View
from graphsurgeon.render.scene.scene import Box, Cluster, Edge, Scene

__all__ = ["FORMATS", "Box", "Cluster", "Drawing", "Edge", "Scene", "View", "draw", "to_page", "to_svg"]
