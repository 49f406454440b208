"""What a caller feeds into a main graph: placeholders and iterators, in file order, without lifting the graph."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.model.dtype import BOOL, DType
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.ops.kinds import ELEMENTS, PLACEHOLDERS

# Scalars that are no bools and yet no data; what a graph feeds when it is trained is not what it is fed in service.
_SWITCHES = re.compile(
    r"(keep_?prob(ability)?|dropout|drop_?rate|is_?train(ing)?|train(ing)?|(train_?)?phase|learning_?phase|learning_?rate|lr"
    r"|momentum|weight_?decay)(_?(prob|rate|keep_?prob|phase|flag|mode|train|last|ph|placeholder|in|\d+))*",
    re.IGNORECASE,
)
# A placeholder without a shape was written with the shape of a scalar up to this version of GraphDef.
_SCALAR_IS_UNKNOWN = 21


class InputFact(NamedTuple):
    """Something that goes into a graph.

    Attributes:
        role: "feed", "switch" (training or inference, what dropout keeps, a learning rate), "default" or "iterator".
        fed_by: the signatures that feed it.
        internal: fed by whatever loads the model: the path of the checkpoint, or of an asset.
    """

    tensor: TensorFact
    role: str = "feed"
    fed_by: Collection[str] = ()
    internal: bool = False


def placeholders(metagraph: MetaGraph, fed_by: Mapping[str, Collection[str]]) -> list[InputFact]:
    """Return what is fed into a main graph, in file order. Does not lift the graph.

    Args:
        metagraph: whose main graph.
        fed_by: tensor name -> signatures that feed it.
    """
    internal = internal_inputs(metagraph)
    inputs = []
    for node in metagraph.graph.peek(PLACEHOLDERS | ELEMENTS):
        for tensor, role in _inputs(node):
            inputs.append(InputFact(tensor, role, fed_by.get(tensor.name or "", ()), node.name in internal))
    return inputs


def internal_inputs(metagraph: MetaGraph) -> set[str]:
    """Return the names of nodes that whatever loads the model feeds: the path of the checkpoint, or of an asset."""
    internal = {asset.mention.node_name for asset in metagraph.assets}
    if metagraph.saver is not None:
        filename = metagraph.saver.filename.node_name
        # A TF1 saver takes its path through two placeholders of one scope.
        internal |= {filename, f"{filename.rpartition('/')[0]}/filename"}
    return internal


def placeholder_shape(node: Node) -> Shape:
    """Return the shape that a placeholder asks for."""
    shape = node.attrs.get("shape")
    if not isinstance(shape, Shape):
        return _recorded_shapes(node)[0] if _recorded_shapes(node) else UNKNOWN_RANK
    version = node.graph.metagraph.producer.get("graph_version") or 0
    is_legacy = node.op == "Placeholder" and version <= _SCALAR_IS_UNKNOWN
    return UNKNOWN_RANK if is_legacy and shape.rank == 0 else shape


def placeholder_role(node: Node) -> str:
    """Return the role of a placeholder: "feed", "switch" or "default"."""
    dtype = node.attrs.get("dtype")
    fact = TensorFact(f"{node.name}:0", dtype if isinstance(dtype, DType) else None, placeholder_shape(node))
    return _role(node, fact)


def _inputs(node: Node) -> Iterator[tuple[TensorFact, str]]:
    if node.op in PLACEHOLDERS:
        dtype = node.attrs.get("dtype")
        fact = TensorFact(f"{node.name}:0", dtype if isinstance(dtype, DType) else None, placeholder_shape(node))
        yield fact, _role(node, fact)
        return
    shapes = _recorded_shapes(node)
    for port, dtype in enumerate(node.output_dtypes() or ()):
        shape = shapes[port] if port < len(shapes) else UNKNOWN_RANK
        yield TensorFact(f"{node.name}:{port}", dtype, shape), "iterator"


def _role(node: Node, fact: TensorFact) -> str:
    if not fact.shape.rank and (fact.dtype is BOOL or _SWITCHES.fullmatch(node.name.rpartition("/")[2])):
        return "switch"
    return "default" if node.op == "PlaceholderWithDefault" else "feed"


def _recorded_shapes(node: Node) -> list[Shape]:
    for key in ("output_shapes", "_output_shapes"):
        shapes = node.attrs.get(key)
        if isinstance(shapes, list):
            return [shape if isinstance(shape, Shape) else UNKNOWN_RANK for shape in shapes]
    return []
