"""A format that nobody has: JSON, in a record, a reader and a writer. `Max` is no reduction in it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from graphsurgeon.disk.files import Rope, SourceFile, open_source, rope_chunks
from graphsurgeon.formats import registry
from graphsurgeon.formats.graph.file import MESSAGE, lower_single
from graphsurgeon.formats.graph.metagraph import lift_graph_def, serialize_graph_def
from graphsurgeon.formats.schema import message
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.format import TENSORFLOW, Format, Vocabulary
from graphsurgeon.model.graph import FunctionRef, Graph, Output
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

TOY: Vocabulary = "toy"


def sniff(file: SourceFile) -> bool:
    """Say whether some JSON is of the format."""
    return b'"toy":' in file.read_at(0, min(file.size, 64))


# -- read alone, with ops of its own -------------------------------------------------------------------------


def read_nodes(path: Path) -> Model:
    """Read nodes and the values between them."""
    metagraph = MetaGraph(vocabulary=TOY)
    model, stored = _opened(path, metagraph)
    metagraph.functions = {name: _graph(metagraph, name, body) for name, body in stored.get("bodies", {}).items()}
    metagraph.graph = _graph(metagraph, "", stored)
    return model


def _graph(metagraph: MetaGraph, name: str, stored: Any) -> Graph:
    graph = Graph(metagraph, "subgraph", name)  # dtypes, shapes, constants, inputs and outputs are stored
    shape = Shape([1, 4])
    values = {text: graph.add_value(text, FLOAT32, shape) for text in stored["inputs"]}
    for text, items in stored["weights"].items():
        values[text] = graph.add_value(text, FLOAT32, Shape([len(items)]), Tensor.of(FLOAT32, [len(items)], items))
    for node_name, op, inputs, outputs, attrs in stored["nodes"]:
        attrs = {key: FunctionRef(metagraph.functions[of]) if key == "body" else of for key, of in attrs.items()}
        node = graph.add_node(op, node_name, [values[text] for text in inputs], attrs)
        values |= {text: graph.add_value(text, FLOAT32, shape) for text in outputs}
        node.set_outputs([values[text] for text in outputs])
    graph.inputs = [values[text] for text in stored["inputs"]]
    graph.outputs = [Output("", values[text], FLOAT32) for text in stored["outputs"]]
    return graph


def _opened(path: Path, metagraph: MetaGraph | None = None) -> tuple[Model, Any]:
    file = open_source(path)
    model = Model(registry.get("toy"), str(path))
    model.files = {str(path): file.size}
    model.metagraphs = [metagraph] if metagraph is not None else []
    return model, json.loads(file.read_at(0, file.size))


def with_nothing() -> Format:
    """Return a format that is only read, with ops of its own."""
    return Format(
        name="toy",
        title="Toy model",
        module=SimpleNamespace(read=read_nodes, sniff=sniff),
        sniffed_among=("json",),
        vocabulary=TOY,
        edit_with="edit it with toysurgeon",
    )


# -- with everything, and TensorFlow's ops -------------------------------------------------------------------


def read_message(path: Path) -> Model:
    """Read a GraphDef that is kept as JSON."""
    model, stored = _opened(path)
    graph_def = message(f"tensorflow.{MESSAGE}").FromString(bytes.fromhex(stored["toy"]))
    model.metagraphs = [lift_graph_def(graph_def, [])]
    return model


def lower(model: Model) -> dict[str, Rope]:
    """Return a GraphDef as JSON."""
    rope = lower_single(model, model.traits, MESSAGE, serialize_graph_def, text=False)[""]
    return {"": [json.dumps({"toy": b"".join(rope_chunks(rope)).hex()}).encode()]}


def with_everything() -> Format:
    """Return a format that can do all that a GraphDef can."""
    return Format(
        name="toy",
        title="Toy model",
        module=SimpleNamespace(read=read_message, lower=lower, sniff=sniff),
        sniffed_among=("json",),
        vocabulary=TENSORFLOW,
        holds_functions=True,
        writes=frozenset((TENSORFLOW,)),
        suffixes={".toy": None},
    )
