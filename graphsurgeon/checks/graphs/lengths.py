"""Rules about lists among attributes whose length the kernels or shape functions of TensorFlow fix.

Sources: `common_shape_fns.cc` (`CheckFormatConstraintsOnShape` and the functions of convolutions and pools),
`functional_ops.cc`, `dataset_ops.cc`, `data_flow_ops.cc` of TensorFlow 2.21.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.checks.graphs.nodes import reached, severity_in
from graphsurgeon.checks.graphs.ops import OUTPUT_SHAPES
from graphsurgeon.checks.places import Nodes, every_node, place
from graphsurgeon.errors import plural
from graphsurgeon.formats.graph.values import attr_kinds
from graphsurgeon.formats.graph.values.attrs import has_attr
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops.kinds import (
    BRANCHES,
    ELEMENTS_BY_TYPES,
    LOOPS,
    QUEUES_BY_TYPES,
    WINDOWS_OF_IMAGES,
    WINDOWS_OF_VOLUMES,
)

# Attributes with an entry for each dimension of what an op slides over.
_PER_DIMENSION = ("strides", "dilations", "ksize", "ksizes", "rates")
# Op -> (list, list of the same length, whether the first may be empty instead).
_PAIRS: dict[str, tuple[str, str, bool]] = {
    **dict.fromkeys(BRANCHES, ("output_shapes", "Tout", True)),
    **dict.fromkeys(LOOPS, ("output_shapes", "T", True)),
    **dict.fromkeys(ELEMENTS_BY_TYPES, ("output_shapes", "output_types", False)),
    **dict.fromkeys(QUEUES_BY_TYPES, ("shapes", "component_types", True)),
}


def lengths(metagraph: MetaGraph, nodes: Nodes = every_node) -> Iterator[Finding]:
    """Find lists with another number of entries than their op takes."""
    known = reached(metagraph)
    for graph in metagraph.graphs:
        for node in nodes(graph):
            for what in (*_fixed(node), *_paired(node), *_recorded(node)):
                yield Finding(severity_in(graph, known), place(graph, node), what, "set it", "list-length")


def _fixed(node: Node) -> Iterator[str]:
    wanted = 4 if node.op in WINDOWS_OF_IMAGES else 5 if node.op in WINDOWS_OF_VOLUMES else 0
    for name in _PER_DIMENSION if wanted else ():
        found = node.attrs.get(name)
        if isinstance(found, list) and len(found) != wanted:
            yield f"its attribute {name!r} has {len(found)} entries, {node.op} takes {wanted}"


def _recorded(node: Node) -> Iterator[str]:
    """Hold the shapes that are noted down to the outputs: more may be (`ValidateShape` of graph_constructor.cc)."""
    shapes = attr_kinds.StoredAttrs(node).get(OUTPUT_SHAPES) if has_attr(node, OUTPUT_SHAPES) else None
    # Importers pass over what is no list of shapes alone.
    if shapes is None or attr_kinds.kinds(shapes) not in ((), ("list",), ("list(shape)",)):
        return
    count, outputs = attr_kinds.size(shapes) if shapes.HasField("list") else 0, node.output_dtypes()
    if outputs is not None and count < len(outputs):
        yield f"it records shapes of {plural(count, 'output')}, and has {len(outputs)}"


def _paired(node: Node) -> Iterator[str]:
    name, other, may_be_empty = _PAIRS.get(node.op, ("", "", True))
    found, beside = (node.attrs.get(name), node.attrs.get(other)) if name else (None, None)
    if not isinstance(found, list) or not isinstance(beside, list) or (may_be_empty and not found):
        return
    if len(found) != len(beside):
        yield f"its attribute {name!r} has {len(found)} entries, {other!r} {len(beside)}"
