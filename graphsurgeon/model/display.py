"""What a model or graph asks of the layers above it, which are therefore named rather than imported."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from graphsurgeon.errors import GraphSurgeonError

if TYPE_CHECKING:
    from types import ModuleType

    from graphsurgeon.model.graph import Graph
    from graphsurgeon.model.model import Model


def svg_of(subject: Model | Graph) -> str | None:
    """Return a picture as SVG; None if there is nothing to draw, or nothing here that draws: the text is shown then."""
    try:
        svg: str = import_module("graphsurgeon.render").to_svg(subject)
    except GraphSurgeonError:
        return None
    return svg


def page_of(subject: Model | Graph) -> str | None:
    """Return the page to explore as an element of a notebook; None if there is none, or it is too large for that."""
    try:
        page: str | None = import_module("graphsurgeon.render").to_page(subject)
    except GraphSurgeonError:
        return None
    return page


def text_of(graph: Graph) -> str:
    """Return a graph as text, a line a node, with what is known of its values."""
    text: str = import_module("graphsurgeon.shapes.text").to_text(graph)
    return text


def authoring() -> ModuleType:
    """Return what completes and checks nodes by the definitions of their ops."""
    return import_module("graphsurgeon.ops.authoring")
