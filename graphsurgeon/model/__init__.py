"""The vocabulary: what a model file holds, in the field's own terms, independent of any format."""

from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Node, Output, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Asset, Collection, CollectionItem, MetaGraph, Saver, Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ConcreteFunction, ObjectGraph, ObjectNode, TensorSpec
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

__all__ = [
    "Asset",
    "AttrValue",
    "Checkpoint",
    "Collection",
    "CollectionItem",
    "ConcreteFunction",
    "DType",
    "FunctionRef",
    "Graph",
    "Mention",
    "MetaGraph",
    "Model",
    "Node",
    "ObjectGraph",
    "ObjectNode",
    "Output",
    "Quantization",
    "Saver",
    "Shape",
    "Signature",
    "SignatureEntry",
    "Tensor",
    "TensorSpec",
    "Value",
    "Variable",
]
