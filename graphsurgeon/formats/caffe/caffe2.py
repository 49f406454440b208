"""Caffe2 nets: `predict_net` with the operators, `init_net` with operators that fill the weights in."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from graphsurgeon.disk.files import SourceFile
from graphsurgeon.errors import FormatError
from graphsurgeon.formats import registry
from graphsurgeon.formats.blobgraph import BlobGraph
from graphsurgeon.formats.caffe.net import NetFile
from graphsurgeon.formats.protolike import NamedFields
from graphsurgeon.formats.protolike.values import numbers, settings
from graphsurgeon.model.dtype import FLOAT32, STRING, DType
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.node import AttrValue, FunctionRef
from graphsurgeon.model.tensor import Tensor

_DEEPEST = 10  # nets in arguments of operators
# Operators that fill a tensor with the numbers of their argument `values`, and the type of these.
_FILLS = {
    "GivenTensorFill": "float32", "GivenTensorIntFill": "int32", "GivenTensorInt64Fill": "int64",
    "GivenTensorDoubleFill": "float64", "GivenTensorBoolFill": "bool", "GivenTensorByteStringToUInt8Fill": "uint8",
    "GivenTensorStringFill": "string", "Int8GivenTensorFill": "uint8", "Int8GivenIntTensorFill": "int32",
}  # fmt: skip


def read(path: Path, *, is_text: bool = False, force_text: bool = False) -> Model:
    """Read a Caffe2 net. The weights of a `predict_net` are looked for in the `init_net` beside it.

    Args:
        path: the file.
        is_text: it is the text form.
        force_text: read it even if it is so large that this takes minutes.

    Raises:
        FormatError: the file is damaged.
        FileError: it is missing or unreadable.
    """
    file = NetFile(path, registry.CAFFE2, "NetDef", is_text=is_text, force_text=force_text)
    try:
        net = file.net()
        name = path.name.replace("predict", "init")
        beside = file.weights_beside(path.with_name(name), is_text=is_text) if name != path.name else None
        metagraph = MetaGraph(vocabulary=registry.CAFFE2.vocabulary)
        metagraph.graph = _lift(metagraph, "", net, fills(*(beside or (net, file.source))), file.source, 0)
    except FormatError as error:
        raise error.at(path) from error
    facts = {"framework": "Caffe2", "version": None, "tensorflow": None, "description": net.text("name") or None}
    metagraph.producer = facts
    file.model.metagraphs = [metagraph]
    return file.model


def fills(net: NamedFields, source: SourceFile) -> dict[str, Tensor]:
    """Return the tensors that operators of a net fill with numbers of their own, by name."""
    found: dict[str, Tensor] = {}
    for op in net.messages("op"):
        kind, outputs = op.text("type"), op.texts("output")
        if kind in _FILLS and outputs:
            arguments = {argument.text("name"): argument for argument in op.messages("arg")}
            found[outputs[0]] = _filled(DType.named(_FILLS[kind]), arguments, source)
    return found


def _filled(dtype: DType, arguments: dict[str, NamedFields], source: SourceFile) -> Tensor:
    shape = [max(0, dim) for dim in arguments.get("shape", NamedFields()).numbers("ints")]
    values = arguments.get("values", NamedFields())
    field = "strings" if dtype is STRING else "floats" if dtype.is_floating else "ints"
    found: list[Any] = values.get(field, [])
    if not found and values.get("s"):  # bytes in one piece
        found = values["s"]
    if dtype.name == "float64":  # its numbers are floats in the file, too
        dtype = FLOAT32
    return numbers(source, found, dtype, shape)


def _lift(
    metagraph: MetaGraph, name: str, net: NamedFields, weights: dict[str, Tensor], source: SourceFile, depth: int
) -> Graph:
    graph = BlobGraph(metagraph, name)
    filled = {output for op in net.messages("op") if op.text("type") in _FILLS for output in op.texts("output")}
    for known in net.texts("external_input"):
        if known in weights and known not in filled:
            graph.constant(known, weights[known])
        elif not graph.known(known):
            graph.input(known)
    for op in net.messages("op"):
        for needed in op.texts("input"):
            if needed in weights and not graph.known(needed):
                graph.constant(needed, weights[needed])
        kind, own = op.text("type", "?"), op.text("name")
        outputs = op.texts("output")
        inputs = [graph.read(text) for text in op.texts("input")]
        node_name = own or (outputs[0] if outputs else kind)
        node = graph.layer(kind, node_name, inputs, _attrs(graph.graph, op, kind, node_name, source, depth), outputs)
        if kind in _FILLS and node.outputs and outputs[0] in weights:
            value, tensor = node.outputs[0], weights[outputs[0]]
            value.dtype, value.shape, value.tensor = tensor.dtype, tensor.shape, tensor
    return graph.finish(net.texts("external_output") or None)


def _attrs(graph: Graph, op: NamedFields, kind: str, name: str, source: SourceFile, depth: int) -> dict[str, AttrValue]:
    attrs: dict[str, AttrValue] = {}
    for argument in op.messages("arg"):
        key = argument.text("name")
        if kind in _FILLS and key == "values":
            continue
        nets = [*argument.messages("n"), *argument.messages("nets")]
        if nets and depth < _DEEPEST:
            for number, net in enumerate(nets):
                metagraph = graph.metagraph
                function = metagraph.unique_function_name(f"{name}/{key}" + (f"_{number}" if number else ""))
                metagraph.functions[function] = Graph(metagraph, "subgraph", function)  # keeps the place in the order
                inner = _lift(metagraph, function, net, {}, source, depth + 1)
                metagraph.functions[function] = inner
                attrs[key if len(nets) == 1 else f"{key}.{number}"] = FunctionRef(inner)
            continue
        rest = NamedFields({field: values for field, values in argument.items() if field not in ("name", "n", "nets")})
        values = settings(rest)
        attrs |= {key if len(values) == 1 else f"{key}.{field}": value for field, value in values.items()}
    for field in ("engine", "device_option"):
        attrs |= settings(NamedFields({field: op[field]})) if field in op else {}
    return attrs
