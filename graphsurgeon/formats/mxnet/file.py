"""MXNet symbols: layers and the variables that they read, weights from the `.params` beside them.

A variable (`null`) is an input of the net or a weight. Weights are those that the parameters hold; without a file of
parameters those that MXNet itself names after the layer that reads them: `conv1_weight` for `conv1`.
Source: nnvm's `SaveJSON`, python/mxnet/model.py for `PREFIX-symbol.json` and `PREFIX-0000.params`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from graphsurgeon.disk.files import SourceFile, folder_names, open_source
from graphsurgeon.errors import FormatError
from graphsurgeon.formats import registry
from graphsurgeon.formats.blobgraph import BlobGraph
from graphsurgeon.formats.mxnet.params import Parameters, read_parameters
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.graph import Graph, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.node import AttrValue, FunctionRef
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

MOST_TEXT = 32 << 20  # bytes of a symbol
_SYMBOL = "-symbol.json"
_LOOKED_AT = 1 << 20  # bytes at either end; behind the nodes lists of their numbers come first
_WITHOUT_STATES = 3  # inputs of a BatchNorm before 0.9; `UpgradeJSON_000800_000900` of MXNet adds the other two
_DEEPEST = 10  # graphs in attributes of control flow
_NUMBER = re.compile(r"-?\d{1,18}")
_FLOAT = re.compile(r"-?(?:\d+\.\d*|\.\d+|\d+)(?:[eE][-+]?\d+)?")
_TUPLE = re.compile(r"[(\[]\s*(?:-?\d{1,18}\s*(?:,\s*-?\d{1,18}\s*)*,?)?[)\]]")
_WEIGHTS = re.compile(
    r".*_(?:weight|bias|gamma|beta|alpha|moving_mean|moving_var|running_mean|running_var|parameters|state|state_cell)\d*"
)


def sniff(file: SourceFile) -> bool:
    """Say whether JSON is a symbol: in a long one what tells, its heads, stands behind all nodes."""
    if file.size > MOST_TEXT:
        return False
    head = file.read_at(0, min(file.size, _LOOKED_AT))
    tail = file.read_at(max(0, file.size - _LOOKED_AT), min(file.size, _LOOKED_AT))
    return b'"nodes"' in head and b'"op"' in head and b'"heads"' in tail


def read(path: Path) -> Model:
    """Read a symbol, or parameters alone. Values stay in the file.

    Raises:
        FormatError: the file is damaged.
        FileError: it is missing or unreadable.
    """
    source = open_source(path)
    model = Model(registry.MXNET, str(path))
    model.files = {str(path): source.size}
    try:
        if source.read_at(0, min(source.size, 8)) == b"\x12\x01\0\0\0\0\0\0":
            found = read_parameters(source)
            variables = {key: Variable(key, tensor, name=_plain(key)) for key, tensor in found.tensors.items()}
            model.checkpoint = Checkpoint(str(path), 2, variables)
            model.notes = found.notes
            return model
        if source.size > MOST_TEXT:
            raise FormatError(f"a symbol of {source.size} bytes is too long")
        symbol = _parse(source.read_at(0, source.size))
        _lift(model, symbol, _parameters_beside(model, path))
    except FormatError as error:
        raise error.at(path) from error
    return model


def _parse(data: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError) as error:
        what = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FormatError(f"a symbol that is no JSON: {what}") from error
    if not isinstance(found, dict) or not isinstance(found.get("nodes"), list):
        raise FormatError("a symbol without a list of nodes")
    return found


def _parameters_beside(model: Model, path: Path) -> Parameters | None:
    """Read the newest parameters of the same prefix."""
    prefix = path.name.removesuffix(_SYMBOL) if path.name.endswith(_SYMBOL) else path.stem
    wanted = re.compile(re.escape(prefix) + r"(?:-\d{4})?\.params")
    names = [name for name in folder_names(path.parent) if wanted.fullmatch(name)]
    if not names:
        return None
    source = open_source(path.parent / names[-1])
    try:
        found = read_parameters(source)
    except FormatError as error:
        model.notes.append(f"the weights in {names[-1]} cannot be read: {error.message}")
        return None
    model.files[str(source.path)] = source.size
    newest = f", the newest of {len(names)} epochs" if len(names) > 1 else ""
    model.notes.append(f"the weights are those of {names[-1]}, which lies beside it{newest}")
    model.notes += found.notes
    return found


def _plain(key: str) -> str:
    return key.removeprefix("arg:").removeprefix("aux:")


def _lift(model: Model, symbol: Mapping[str, Any], parameters: Parameters | None) -> None:
    metagraph = MetaGraph(vocabulary=registry.MXNET.vocabulary)
    tensors = {_plain(key): tensor for key, tensor in parameters.tensors.items()} if parameters is not None else {}
    metagraph.graph = _Lifter(metagraph, "", symbol, tensors).graph(0)
    attrs = symbol.get("attrs")
    version = attrs.get("mxnet_version") if isinstance(attrs, Mapping) else None
    number = version[1] if isinstance(version, list) and len(version) == 2 and isinstance(version[1], int) else None
    text = None if number is None else f"{number // 10000}.{number // 100 % 100}.{number % 100}"
    metagraph.producer = {
        "framework": "MXNet",
        "version": text,
        "tensorflow": None,
        "description": None,
    }
    model.metagraphs = [metagraph]
    if parameters is not None:
        read = {value.name for graph in metagraph.graphs for value in graph.values}
        unused = [name for name in tensors if name not in read]
        if unused:
            model.notes.append(f"{len(unused)} arrays of the parameters belong to no layer ({unused[0]!r} ...)")


class _Lifter:
    def __init__(
        self, metagraph: MetaGraph, name: str, symbol: Mapping[str, Any], tensors: Mapping[str, Tensor]
    ) -> None:
        self._metagraph = metagraph
        self._blobs = BlobGraph(metagraph, name)
        self._nodes = [node if isinstance(node, dict) else {} for node in symbol.get("nodes", ())]
        self._heads = _entries(symbol.get("heads"))
        self._tensors = tensors
        self._values: dict[tuple[int, int], Value] = {}

    def graph(self, depth: int) -> Graph:
        widths: dict[int, int] = {}
        for entry in [*self._heads, *(one for node in self._nodes for one in _entries(node.get("inputs")))]:
            widths[entry[0]] = min(max(widths.get(entry[0], 1), entry[1] + 1), 10_000)
        readers = {entry[0] for node in self._nodes for entry in _entries(node.get("inputs"))}
        for number, node in enumerate(self._nodes):
            name = node["name"] if isinstance(node.get("name"), str) else f"#{number}"
            if node.get("op") == "null":
                self._values[(number, 0)] = self._variable(name, _attrs_of(node), is_read=number in readers)
                continue
            inputs = [self._value(entry) for entry in _entries(node.get("inputs"))]
            if node.get("op") == "BatchNorm" and len(inputs) == _WITHOUT_STATES:
                inputs += [
                    self._variable(f"{name}_{state}", {}, is_read=True) for state in ("moving_mean", "moving_var")
                ]
            count = widths.get(number, 1)
            outputs = [name, *(f"{name}:{port}" for port in range(1, count))]
            made = self._blobs.layer(str(node.get("op")), name, inputs, self._attrs(node, name, depth), outputs)
            self._values |= {(number, port): value for port, value in enumerate(made.outputs)}
        graph = self._blobs.graph
        graph.outputs = [Output("", value, value.dtype) for value in map(self._value, self._heads)]
        return graph

    def _variable(self, name: str, attrs: Mapping[str, Any], *, is_read: bool) -> Value:
        if name in self._tensors:
            return self._blobs.constant(name, self._tensors[name])
        shape = _number_list(attrs.get("__shape__"))
        known = None if not shape else Shape([dim if dim > 0 else None for dim in shape])
        if _WEIGHTS.fullmatch(name) and is_read:
            return self._blobs.value(name, None, known)
        return self._blobs.input(name, None, known)

    def _value(self, entry: tuple[int, int]) -> Value:
        if entry not in self._values:
            value = Value(self._blobs.graph, None, (1 << 30) + len(self._values), f"#{entry[0]}:{entry[1]}")
            value.is_dangling = True
            self._values[entry] = value
        return self._values[entry]

    def _attrs(self, node: Mapping[str, Any], name: str, depth: int) -> dict[str, AttrValue]:
        attrs: dict[str, AttrValue] = {key: _setting(value) for key, value in _attrs_of(node).items()}
        subgraphs = node.get("subgraphs")
        for number, symbol in enumerate(subgraphs if isinstance(subgraphs, list) and depth < _DEEPEST else ()):
            if isinstance(symbol, Mapping):
                own = self._metagraph.unique_function_name(f"{name}/subgraph{number}")
                self._metagraph.functions[own] = Graph(self._metagraph, "subgraph", own)
                inner = _Lifter(self._metagraph, own, symbol, self._tensors).graph(depth + 1)
                self._metagraph.functions[own] = inner
                attrs[f"subgraph{number}"] = FunctionRef(inner)
        return attrs


def _attrs_of(node: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of a node, under the three names that they have had."""
    found: dict[str, Any] = {}
    for key in ("param", "attr", "attrs"):
        value = node.get(key)
        if isinstance(value, Mapping):
            found |= value
    return found


def _entries(value: Any) -> list[tuple[int, int]]:
    """Return (node, output) of each entry of a list of inputs or heads."""
    found = []
    for item in value if isinstance(value, list) else ():
        numbers = item if isinstance(item, list) else [item, 0]
        if len(numbers) >= 2 and all(isinstance(number, int) and number >= 0 for number in numbers[:2]):
            found.append((numbers[0], numbers[1]))
    return found


def _number_list(text: Any) -> list[int]:
    return [int(part) for part in _NUMBER.findall(text)] if isinstance(text, str) and _TUPLE.fullmatch(text) else []


def _setting(value: Any) -> AttrValue:
    """Return a setting, which MXNet writes as text, as what it stands for."""
    if not isinstance(value, str):
        return value if isinstance(value, bool | int | float) else json.dumps(value).encode()
    if value in ("True", "False"):
        return value == "True"
    if _NUMBER.fullmatch(value):
        return int(value)
    if _FLOAT.fullmatch(value):
        return float(value)
    if _TUPLE.fullmatch(value):
        numbers: Sequence[int] = _number_list(value)
        return list(numbers)
    return value.encode("utf-8", "surrogatepass")
