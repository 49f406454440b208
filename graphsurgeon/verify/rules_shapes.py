"""Rules about shapes: what inference finds contradictory, as TensorFlow's own does when it imports a graph."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.shapes import ShapeFinding, infer_shapes
from graphsurgeon.verify.finding import Finding

_SIGNATURE = "signature "


def contradictions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find nodes whose inputs their op cannot take, recorded shapes that cannot be, and signatures that say other."""
    for found in infer_shapes(metagraph).findings:
        if found.where.startswith(_SIGNATURE):
            hint = "set the signature's dtype and shape to those of the tensor"
            yield Finding("warning", found.where, found.what, hint, "signature-shape")
        else:
            yield _of_node(found)


def _of_node(found: ShapeFinding) -> Finding:
    where = f"function {found.graph}, node {found.where}" if found.graph else f"node {found.where}"
    hint = "gs strip takes recorded shapes out; else the input is not what the op wants"
    return Finding("warning" if found.graph else "error", where, found.what, hint, "shape")
