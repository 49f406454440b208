"""How a model or graph shows itself in a notebook."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from graphsurgeon.errors import GraphSurgeonError

if TYPE_CHECKING:
    from graphsurgeon.model.graph import Graph
    from graphsurgeon.model.model import Model


def svg_of(subject: Model | Graph) -> str | None:
    """Return a picture as SVG; None if there is nothing to draw, or nothing here that draws: the text is shown then.

    Pictures stand above the model, so the module that draws is named rather than imported.
    """
    try:
        svg: str = import_module("graphsurgeon.render").to_svg(subject)
    except GraphSurgeonError:
        return None
    return svg
