"""Rules about lists among attributes whose length the kernels or shape functions of TensorFlow fix.

Sources: `common_shape_fns.cc` (`CheckFormatConstraintsOnShape` and the functions of convolutions and pools),
`functional_ops.cc`, `dataset_ops.cc`, `data_flow_ops.cc` of TensorFlow 2.21.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.checks.nodes import reached, severity_in
from graphsurgeon.checks.places import place
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops.kinds import BRANCHES, ITERATED, LOOPS

_WINDOW = {"strides": 4, "dilations": 4}
_POOL = {"strides": 4, "ksize": 4}
# Op -> attribute -> number of entries: one for each dimension of the image.
_FIXED: dict[str, dict[str, int]] = {
    "Conv2D": _WINDOW, "DepthwiseConv2dNative": _WINDOW, "Conv2DBackpropInput": {"strides": 4},
    "Conv3D": {"strides": 5, "dilations": 5}, "AvgPool": _POOL, "MaxPool": _POOL, "MaxPoolWithArgmax": _POOL,
    "AvgPool3D": {"strides": 5, "ksize": 5}, "MaxPool3D": {"strides": 5, "ksize": 5},
    "Dilation2D": {"strides": 4, "rates": 4}, "ExtractImagePatches": {"strides": 4, "ksizes": 4, "rates": 4},
}  # fmt: skip
# Op -> (list, list of the same length, whether the first may be empty instead).
_PAIRS: dict[str, tuple[str, str, bool]] = {
    **dict.fromkeys(BRANCHES, ("output_shapes", "Tout", True)),
    **dict.fromkeys(LOOPS, ("output_shapes", "T", True)),
    **dict.fromkeys(
        ITERATED | {"DatasetToSingleElement", "OptionalGetValue"}, ("output_shapes", "output_types", False)
    ),
    **dict.fromkeys(
        ("FIFOQueue", "FIFOQueueV2", "RandomShuffleQueue", "RandomShuffleQueueV2", "PaddingFIFOQueueV2"),
        ("shapes", "component_types", True),
    ),
}


def lengths(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find lists with another number of entries than their op takes."""
    known = reached(metagraph)
    for graph in metagraph.graphs:
        if graph.op_counts.keys().isdisjoint(_FIXED) and graph.op_counts.keys().isdisjoint(_PAIRS):
            continue
        for node in graph.nodes:
            for what in (*_fixed(node), *_paired(node)):
                yield Finding(severity_in(graph, known), place(graph, node), what, "set it", "list-length")


def _fixed(node: Node) -> Iterator[str]:
    for name, wanted in _FIXED.get(node.op, {}).items():
        found = node.attrs.get(name)
        if isinstance(found, list) and len(found) != wanted:
            yield f"its attribute {name!r} has {len(found)} entries, {node.op} takes {wanted}"


def _paired(node: Node) -> Iterator[str]:
    name, other, may_be_empty = _PAIRS.get(node.op, ("", "", True))
    found, beside = (node.attrs.get(name), node.attrs.get(other)) if name else (None, None)
    if not isinstance(found, list) or not isinstance(beside, list):
        return
    if len(found) != len(beside) and (found or not may_be_empty):
        yield f"its attribute {name!r} has {len(found)} entries, {other!r} {len(beside)}"
