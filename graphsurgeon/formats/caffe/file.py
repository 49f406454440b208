"""Caffe nets: `.prototxt` with the layers, `.caffemodel` with layers and weights.

Layers come in three ways of writing, of which the newest (`layer`) is Caffe's own since 2014, the older ones (`layers`,
with types as an enum, and those with a layer inside) are upgraded in the same way as Caffe does it
(src/caffe/util/upgrade_proto.cpp).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from graphsurgeon.disk.files import SourceFile
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats import registry
from graphsurgeon.formats.blobgraph import BlobGraph
from graphsurgeon.formats.caffe.net import NetFile
from graphsurgeon.formats.protolike import NamedFields
from graphsurgeon.formats.protolike.values import count, numbers, settings
from graphsurgeon.model.dtype import FLOAT32, FLOAT64
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

# Types of older files whose name today is not the same word in other letters.
_TYPES = {
    "absval": "AbsVal", "argmax": "ArgMax", "bnll": "BNLL", "lrn": "LRN", "mvn": "MVN", "relu": "ReLU", "tanh": "TanH",
    "elu": "ELU", "hdf5_data": "HDF5Data", "hdf5_output": "HDF5Output", "innerproduct": "InnerProduct", "softmax_loss":
    "SoftmaxWithLoss", "im2col": "Im2col",
}  # fmt: skip
_NOT_SETTINGS = frozenset({"name", "type", "bottom", "top", "blobs", "layer"})
_WEIGHTS = ("weight", "bias")
_SOLVER = ("net", "train_net", "test_net", "base_lr", "max_iter")


def read(path: Path, *, is_text: bool = False, force_text: bool = False) -> Model:
    """Read a Caffe net. Weights stay in the file; those of a text are looked for in a `.caffemodel` beside it.

    Args:
        path: the file.
        is_text: it is the text form.
        force_text: read it even if it is so large that this takes minutes.

    Raises:
        FormatError: the file is damaged.
        FileError: it is missing or unreadable.
    """
    file = NetFile(path, registry.CAFFE, "NetParameter", is_text=is_text, force_text=force_text)
    try:
        net = file.net()
        _require_net(net, path)
        beside = file.weights_beside(path.with_suffix(".caffemodel"), is_text=False) if is_text else None
        _lift(file.model, net, _blobs(*(beside or (net, file.source))))
    except FormatError as error:
        raise error.at(path) from error
    return file.model


def layers_of(net: NamedFields) -> list[NamedFields]:
    """Return the layers, older ones as today's: with name and type of their own."""
    return [_upgraded(layer) for key in ("layer", "layers") for layer in net.messages(key)]


def layer_type(layer: NamedFields) -> str:
    """Return the type of a layer by its name of today."""
    kind = layer.first("type", "?")
    if not isinstance(kind, str):
        return f"type_{kind}"
    low = kind.lower()
    if kind.isupper() or kind.islower():
        return _TYPES.get(low) or "".join(part.capitalize() for part in low.split("_"))
    return kind


def _upgraded(layer: NamedFields) -> NamedFields:
    inner = layer.first("layer")
    if not isinstance(inner, NamedFields):
        return layer
    return NamedFields({**inner, **{key: value for key, value in layer.items() if key != "layer"}})


def _blobs(net: NamedFields, source: SourceFile) -> dict[str, list[Tensor]]:
    """Return the weights of each layer by its name."""
    found: dict[str, list[Tensor]] = {}
    for layer in layers_of(net):
        blobs = [_tensor(blob, source) for blob in layer.messages("blobs")]
        if blobs:
            found.setdefault(layer.text("name"), []).extend(blobs)
    return found


def _tensor(blob: NamedFields, source: SourceFile) -> Tensor:
    shape = blob.first("shape")
    values, dtype = blob.get("data", []), FLOAT32
    if not values and blob.get("double_data"):
        values, dtype = blob["double_data"], FLOAT64
    if isinstance(shape, NamedFields):
        dims = [max(0, dim) for dim in shape.numbers("dim")]
    else:
        dims = [max(0, int(blob.first(axis) or 0)) for axis in ("num", "channels", "height", "width")]
        if not any(dims) and values:
            dims = [count(values, dtype.itemsize)]
    return numbers(source, values, dtype, dims)


def _require_net(net: NamedFields, path: Path) -> None:
    """Refuse what only tells how a net is trained, and name the net."""
    if any(key in net for key in ("layer", "layers", "input")) or not any(key in net for key in _SOLVER):
        return
    named = next((net.text(key) for key in ("net", "train_net", "test_net") if net.text(key)), "")
    hint = f"give the net that it names, {named}" if named else "give the net"
    raise UnsupportedError("this tells how a Caffe net is trained (a solver), and holds none", path=path, hint=hint)


def _lift(model: Model, net: NamedFields, weights: Mapping[str, list[Tensor]]) -> None:
    metagraph = MetaGraph(vocabulary=registry.CAFFE.vocabulary)
    graph = BlobGraph(metagraph)
    _inputs(graph, net)
    for layer in layers_of(net):
        _layer(graph, layer, weights.get(layer.text("name"), []))
    metagraph.graph = graph.finish()
    name = net.text("name")
    metagraph.producer = {"framework": "Caffe", "version": None, "tensorflow": None, "description": name or None}
    model.metagraphs = [metagraph]


def _inputs(graph: BlobGraph, net: NamedFields) -> None:
    """Add the inputs that the net itself declares, four dimensions each where they stand in one list."""
    shapes = [shape.numbers("dim") for shape in net.messages("input_shape")]
    dims = net.numbers("input_dim")
    for number, name in enumerate(net.texts("input")):
        if number < len(shapes):
            graph.input(name, FLOAT32, Shape(shapes[number]))
        else:
            own = dims[4 * number : 4 * number + 4]
            graph.input(name, FLOAT32, Shape(own if own else None))


def _layer(graph: BlobGraph, layer: NamedFields, blobs: list[Tensor]) -> None:
    name, kind = layer.text("name"), layer_type(layer)
    inputs = [graph.read(bottom) for bottom in layer.texts("bottom")]
    parameters = [graph.constant(f"{name}/{_weight_name(number, blobs)}", blob) for number, blob in enumerate(blobs)]
    attrs = settings(NamedFields({key: values for key, values in layer.items() if key not in _NOT_SETTINGS}))
    node = graph.layer(kind, name, [*inputs, *parameters], attrs, layer.texts("top"))
    if kind == "Input":
        _input_layer(graph, layer, list(node.outputs))


def _weight_name(number: int, blobs: list[Tensor]) -> str:
    return _WEIGHTS[number] if len(blobs) <= len(_WEIGHTS) else str(number)


def _input_layer(graph: BlobGraph, layer: NamedFields, values: list[Value]) -> None:
    parameter = layer.first("input_param")
    shapes = list(parameter.messages("shape")) if isinstance(parameter, NamedFields) else []
    for number, value in enumerate(values):
        shape = shapes[min(number, len(shapes) - 1)] if shapes else None
        value.dtype = FLOAT32
        value.shape = Shape(None if shape is None else shape.numbers("dim"))
    graph.graph.inputs = [*graph.graph.inputs, *values]
