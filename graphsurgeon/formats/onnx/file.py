"""An ONNX file as a Model: its graph is the main one; functions of the model and bodies of nodes are its functions."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsurgeon.disk.files import Rope, SourceFile, open_source
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats import registry
from graphsurgeon.formats.bare_source import BareSource
from graphsurgeon.formats.graph.protobuf import protofile
from graphsurgeon.formats.onnx import attrs
from graphsurgeon.formats.onnx.graph import DEFAULT_DOMAINS, OnnxGraphSource
from graphsurgeon.formats.onnx.tensors import External, Store, is_external
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.format import ONNX
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import Collection, CollectionItem, MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from graphsurgeon.formats.graph.protobuf.protofile import ProtoFile

MESSAGE = "onnx.ModelProto"
_IR_WITH_DEFAULTS = 4  # from this version on an initializer that is an input too may be replaced by a caller
Key = tuple[str, str, str]  # domain, name and overload of a function


class OnnxModelSource(BareSource):
    """MetaGraphSource over a `ModelProto`.

    Attributes:
        file: the parsed file.
        message: the `ModelProto`.
        store: where values of tensors lie.
        metagraph: the one of the model.
        functions: the functions of the model, by what nodes call them.
        has_defaults: initializers that are inputs too may be replaced by a caller.
    """

    __slots__ = ("_bodies", "_repeated", "file", "functions", "has_defaults", "message", "metagraph", "store")

    def __init__(self, file: ProtoFile) -> None:
        self.file = file
        self.message = file.message
        self.store = Store(file.source, file.payloads)
        self.has_defaults = self.message.ir_version >= _IR_WITH_DEFAULTS
        self.functions: dict[Key, Graph] = {}
        self._bodies: dict[int, Graph] = {}  # by identity of the GraphProto, which the source of the Graph keeps
        self._repeated: Counter[str] = Counter()
        self.metagraph = MetaGraph(self, vocabulary=ONNX)
        self.metagraph.producer = _producer(self.message)
        self._read_graphs()

    def op(self, domain: str, op_type: str, overload: str) -> str | Graph:
        """Return what a node runs: a function of the model, or the name of an op."""
        function = self.functions.get((_domain(domain), op_type, overload))
        return function if function is not None else op_name(domain, op_type, overload)

    def op_name(self, domain: str, op_type: str, overload: str) -> str:
        """Return the name of what a node runs."""
        found = self.op(domain, op_type, overload)
        return found if isinstance(found, str) else found.name

    def graph_of(self, message: Any) -> Graph | None:
        """Return the Graph that stands for a `GraphProto` in an attribute."""
        return self._bodies.get(id(message))

    def collections(self, metagraph: MetaGraph) -> dict[str, Collection]:
        """Return `metadata_props`, one collection a key."""
        found: dict[str, Collection] = {}
        for entry in self.message.metadata_props:
            item = CollectionItem("", {}, Tensor.of(STRING, [], [entry.value.encode()]), entry)
            found.setdefault(entry.key, Collection(entry.key, "metadata", [])).items.append(item)
        return found

    def external_files(self) -> tuple[dict[str, int], list[str]]:
        """Return path -> bytes of the files of external data, and what is wrong with those that cannot be had."""
        found: dict[str, int] = {}
        faults: list[str] = []
        for location in dict.fromkeys(External(message).location for message in self._external_tensors()):
            file = self._external_file(location)
            if isinstance(file, GraphSurgeonError):
                faults.append(f"weights in {location!r} cannot be read: {file.message}")
            else:
                found[str(file.path)] = file.size
        return found, faults

    def _external_file(self, location: str) -> SourceFile | GraphSurgeonError:
        try:
            return self.store.external_file(location)
        except GraphSurgeonError as error:
            return error

    def _external_tensors(self) -> list[Any]:
        graphs = [graph.raw.message for graph in self.metagraph.graphs if isinstance(graph.raw, OnnxGraphSource)]
        tensors = [tensor for graph in graphs for tensor in getattr(graph, "initializer", ())]
        return [tensor for tensor in tensors if is_external(tensor)]

    def _read_graphs(self) -> None:
        for message in self.message.functions:
            key = (_domain(message.domain), message.name, message.overload)
            if key not in self.functions:
                name = self._unique(op_name(message.domain, message.name, message.overload))
                self.functions[key] = self._enter(name, message, None)
        self.metagraph.graph = Graph(
            self.metagraph, "subgraph", self.message.graph.name, OnnxGraphSource(self, self.message.graph)
        )
        for function in self.functions.values():
            self._read_bodies(function, f"{function.name}/")
        self._read_bodies(self.metagraph.graph, "")
        for number, training in enumerate(self.message.training_info):
            for part in ("initialization", "algorithm"):
                if training.HasField(part):
                    name = self._unique(f"training_info[{number}]/{part}")
                    self._read_bodies(self._enter(name, getattr(training, part), self.metagraph.graph), f"{name}/")

    def _read_bodies(self, graph: Graph, prefix: str) -> None:
        """Enter the graphs among the attributes of a graph's nodes, and what is in them."""
        for number, node in enumerate(graph.raw.message.node if graph.raw is not None else ()):  # type: ignore[attr-defined]
            for attribute, message in attrs.subgraphs(node):
                name = self._unique(f"{prefix}{node.name or f'#{number}'}/{attribute}")
                body = self._bodies[id(message)] = self._enter(name, message, graph)
                self._read_bodies(body, f"{name}/")

    def _enter(self, name: str, message: Any, outer: Graph | None) -> Graph:
        graph = Graph(self.metagraph, "subgraph", name, OnnxGraphSource(self, message, outer))
        self.metagraph.functions[name] = graph
        return graph

    def _unique(self, name: str) -> str:
        """Return a name that no function has yet; counted, since thousands of nodes may have one name."""
        found = name
        while found in self.metagraph.functions:
            self._repeated[name] += 1
            found = f"{name}_{self._repeated[name]}"
        return found


def read(path: Path, *, is_text: bool = False, force_text: bool = False) -> Model:
    """Read an ONNX model; nodes and values are lifted when they are asked for.

    Raises:
        FormatError: the protobuf is damaged.
        FileError: the file is missing or unreadable.
        UnsupportedError: text of more than 64 MiB.
    """
    source = open_source(path)
    file = protofile.read(source, MESSAGE, is_text=is_text, force_text=force_text)
    model = Model(registry.ONNX_MODEL, str(path), file)
    origin = OnnxModelSource(file)
    model.metagraphs = [origin.metagraph]
    external, faults = origin.external_files()
    model.files = {str(path): source.size, **external}
    model.notes = [*file.notes, *faults]
    return model


def lower(model: Model) -> dict[str, Rope]:
    """Return the files of a model that gs has made; see `write`.

    Raises:
        UnsupportedError: it cannot be said in ONNX.
    """
    from graphsurgeon.formats.onnx import write

    return write.lower(model)


def op_name(domain: str, op_type: str, overload: str = "") -> str:
    """Return the name of an op as ONNX's text form has it: `Conv`, `com.microsoft.FusedConv`."""
    name = op_type if domain in DEFAULT_DOMAINS else f"{domain}.{op_type}"
    return f"{name}:{overload}" if overload else name


def _domain(domain: str) -> str:
    return "" if domain in DEFAULT_DOMAINS else domain


def _producer(message: Any) -> dict[str, Any]:
    opsets = {entry.domain or DEFAULT_DOMAINS[1]: int(entry.version) for entry in message.opset_import}
    return {
        "framework": message.producer_name or None,
        "version": message.producer_version or None,
        "opsets": opsets,
        "ir_version": int(message.ir_version),
        "model_version": int(message.model_version) or None,
        "domain": message.domain or None,
        "description": message.doc_string or None,
        "metadata": {entry.key: entry.value for entry in message.metadata_props} or None,
    }
