"""What a model or graph asks of the layers above it, which are therefore named rather than imported."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model.spellings import Answering

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


class Displayed(Answering):
    """A model or a graph, which a notebook shows as its page or picture."""

    __slots__ = ()

    def _repr_html_(self: Any) -> str | None:
        return page_of(self)

    def _repr_svg_(self: Any) -> str | None:
        return svg_of(self)


def text_of(graph: Graph) -> str:
    """Return a graph as text, a line a node, with what is known of its values."""
    text: str = import_module("graphsurgeon.shapes.text").to_text(graph)
    return text


def authoring() -> ModuleType:
    """Return what completes and checks nodes by the definitions of their ops."""
    return import_module("graphsurgeon.ops.authoring")
