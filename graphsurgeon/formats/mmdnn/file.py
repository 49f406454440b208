"""MMdnn's graphs: nodes as in TensorFlow's GraphDef, in JSON or protobuf, with ops and layouts of MMdnn's own.

Source: mmdnn/conversion/common/IR/graph.proto and IR_graph.py; the weights of layer `conv1` are `conv1/weights` and so
on in the `.npy` file beside.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from graphsurgeon.disk.files import SourceFile, is_file, open_source
from graphsurgeon.errors import FormatError, GraphSurgeonError
from graphsurgeon.formats import registry
from graphsurgeon.formats.blobgraph import BlobGraph
from graphsurgeon.formats.mmdnn.arrays import is_object_file, read_arrays
from graphsurgeon.formats.protolike import NamedFields, decode, load_table
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.node import AttrValue
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

MOST_TEXT = 32 << 20  # bytes of JSON, which takes many times that in memory
_INPUTS = ("DataInput", "Placeholder")
_SHAPES = "_output_shapes"
_DEEPEST = 40  # lists in lists of one attribute


def sniff(file: SourceFile) -> bool:
    """Say whether a `.npy` file holds an object, as MMdnn's weights are, or a graph in JSON has MMdnn's input op."""
    if is_object_file(file):
        return True
    if file.size > MOST_TEXT or file.read_at(0, min(file.size, 64)).lstrip()[:1] != b"{":
        return False
    return b'"DataInput"' in file.read_at(0, file.size)


def read(path: Path) -> Model:
    """Read a graph, or a file of weights. Values stay in the file, and nothing in it is unpickled.

    Raises:
        FormatError: the file is damaged.
        FileError: it is missing or unreadable.
        UnsupportedError: the weights are a pickle of something else than arrays.
    """
    source = open_source(path)
    model = Model(registry.MMDNN, str(path))
    model.files = {str(path): source.size}
    try:
        if is_object_file(source):
            variables = {name: Variable(name, tensor) for name, tensor in read_arrays(source).items()}
            model.checkpoint = Checkpoint(str(path), 2, variables)
        else:
            _lift(model, _graph(source), _weights_beside(model, path))
    except FormatError as error:
        raise error.at(path) from error
    return model


def _graph(source: SourceFile) -> NamedFields:
    """Return the GraphDef of a file; JSON becomes the same messages."""
    if source.read_at(0, min(source.size, 64)).lstrip()[:1] != b"{":
        with source.view() as view:
            return decode(view, "GraphDef", load_table("mmdnn"))
    if source.size > MOST_TEXT:
        raise FormatError(f"a graph of {source.size} bytes is too long", path=source.path)
    try:
        found = json.loads(source.read_at(0, source.size))
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FormatError(f"a graph that is no JSON: {what}", path=source.path) from error
    if not isinstance(found, dict) or not isinstance(found.get("node"), list):
        raise FormatError("a graph without a list of nodes", path=source.path)
    return _message(found)


def _message(value: Mapping[str, Any], depth: int = 0) -> NamedFields:
    """Return an object of JSON as a message; a map becomes its entries."""
    if depth > _DEEPEST:
        raise FormatError(f"messages are nested more than {_DEEPEST} deep")
    found = NamedFields()
    for key, inner in value.items():
        if key == "attr" and isinstance(inner, Mapping):
            entries = [(name, one) for name, one in inner.items() if isinstance(one, Mapping)]
            found[key] = [NamedFields({"key": [name], "value": [_message(one, depth + 1)]}) for name, one in entries]
            continue
        items = inner if isinstance(inner, list) else [inner]
        found[key] = [_message(one, depth + 1) if isinstance(one, Mapping) else _scalar(key, one) for one in items]
    return found


def _scalar(key: str, item: Any) -> Any:
    """Return a value of JSON, where protobuf writes 64-bit integers as text and bytes in base64."""
    if key in ("size", "i") and isinstance(item, str):
        try:
            return int(item)
        except ValueError:
            return item
    if key == "s" and isinstance(item, str):
        try:
            return base64.b64decode(item, validate=True)
        except (binascii.Error, ValueError):
            return item.encode("utf-8", "surrogatepass")
    return item


def _weights_beside(model: Model, path: Path) -> dict[str, Tensor]:
    beside = path.with_suffix(".npy")
    if beside == path or not is_file(beside):
        return {}
    source = open_source(beside)
    try:
        found = read_arrays(source) if is_object_file(source) else {}
    except GraphSurgeonError as error:
        model.notes.append(f"the weights in {beside.name} cannot be read: {error.message}")
        return {}
    if found:
        model.files[str(beside)] = source.size
        model.notes.append(f"the weights are those of {beside.name}, which lies beside it")
    return found


def _lift(model: Model, net: NamedFields, weights: Mapping[str, Tensor]) -> None:
    metagraph = MetaGraph(vocabulary=registry.MMDNN.vocabulary)
    graph = BlobGraph(metagraph)
    by_layer: dict[str, list[str]] = {}
    for name in weights:
        by_layer.setdefault(name.rpartition("/")[0], []).append(name)
    nodes = list(net.messages("node"))
    for node in _in_order(nodes):
        name, op = node.text("name"), node.text("op", "?")
        attrs = {entry.text("key"): entry.first("value") for entry in node.messages("attr")}
        shapes = _shapes(attrs.get(_SHAPES))
        inputs = [graph.read(text.removesuffix(":0")) for text in node.texts("input")]
        parameters = [graph.constant(key, weights[key]) for key in by_layer.get(name, ())]
        settings = {key: _setting(value) for key, value in attrs.items() if key != _SHAPES}
        outputs = [name, *(f"{name}:{port}" for port in range(1, len(shapes)))]
        made = graph.layer(op, name, [*inputs, *parameters], settings, outputs)
        for value, shape in zip(made.outputs, shapes, strict=False):
            value.shape = shape
        if op in _INPUTS:
            graph.graph.inputs = [*graph.graph.inputs, *made.outputs]
    metagraph.graph = graph.finish()
    metagraph.producer = {"framework": "MMdnn", "version": None, "tensorflow": None, "description": None}
    model.metagraphs = [metagraph]


def _in_order(nodes: list[NamedFields]) -> list[NamedFields]:
    """Return nodes with producers first, as far as cycles allow: MMdnn writes them in any order."""
    by_name = {node.text("name"): node for node in nodes}
    order: list[NamedFields] = []
    state: dict[int, int] = {}
    for root in nodes:
        stack = [root]
        while stack:
            node = stack[-1]
            if state.get(id(node)) == 1:
                state[id(node)] = 2
                order.append(node)
            if state.get(id(node)) == 2:
                stack.pop()
                continue
            state[id(node)] = 1
            read = (by_name.get(text.partition(":")[0]) for text in node.texts("input"))
            stack += [other for other in read if other is not None and id(other) not in state]
    return order


def _shapes(value: Any) -> list[Shape]:
    inner = value.first("list") if isinstance(value, NamedFields) else None
    return [_shape(shape) for shape in inner.messages("shape")] if isinstance(inner, NamedFields) else []


def _shape(value: NamedFields) -> Shape:
    if value.first("unknown_rank"):
        return Shape(None)
    sizes = [dim.first("size", 0) for dim in value.messages("dim")]
    return Shape([size if isinstance(size, int) else None for size in sizes])


def _setting(value: Any, depth: int = 0) -> AttrValue:
    """Return an AttrValue of MMdnn as an attribute."""
    if not isinstance(value, NamedFields) or depth > 1:
        return b""
    for name, items in value.items():
        first = items[0] if items else None
        if name == "list":
            return _list(first) if isinstance(first, NamedFields) else []
        if name == "shape" and isinstance(first, NamedFields):
            return _shape(first)
        if name == "type":
            return _type(first)
        if isinstance(first, bool | int | float | bytes):
            return first
        if isinstance(first, str):
            return first.encode("utf-8", "surrogatepass")
    return b""


def _list(value: NamedFields) -> list[AttrValue]:
    return [
        _setting(NamedFields({name: [item]}), 1) for name, items in value.items() if name != "list" for item in items
    ]


def _type(value: Any) -> AttrValue:
    try:
        return DType.named(str(value))
    except KeyError:
        return str(value).encode()
