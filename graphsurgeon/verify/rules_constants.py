"""Rules about constants: whether type, shape and stored bytes of a value agree. Reads no values."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.verify.finding import Finding
from graphsurgeon.verify.places import place

_CONSTANTS = frozenset({"Const", "HostConst"})
_MOST_ELEMENTS = 1 << 60


def constants(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find constants that no loader can make a tensor of."""
    for graph in metagraph.graphs:
        for node in graph.nodes:
            value = node.attrs.get("value") if node.op in _CONSTANTS else None
            if isinstance(value, Tensor):
                for what in _faults(node, value):
                    yield Finding("error", place(graph, node), what, "the file is damaged: get it again", "constant")


def _faults(node: Node, tensor: Tensor) -> Iterator[str]:
    dtype = node.attrs.get("dtype")
    if isinstance(dtype, DType) and dtype is not tensor.dtype:
        yield f"its value is {tensor.dtype}, its dtype says {dtype}"
    count = tensor.shape.num_elements
    if count is None or count >= _MOST_ELEMENTS:
        yield f"its value has the shape {tensor.shape}"
        return
    stored = getattr(tensor.source, "content_size", None)
    if stored is not None and tensor.dtype.bits and stored != tensor.nbytes:
        yield f"{stored} bytes are stored for {tensor.dtype} of shape {tensor.shape}, which takes {tensor.nbytes}"
