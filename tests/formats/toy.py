"""A format that nobody has: JSON, in a record, a reader and a writer. `Max` is no reduction in it."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from graphsurgeon.disk.files import Rope, SourceFile, open_source, rope_chunks
from graphsurgeon.formats.graph.file import MESSAGE, lower_single
from graphsurgeon.formats.graph.metagraph import lift_graph_def, serialize_graph_def
from graphsurgeon.formats.schema import message
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.format import TENSORFLOW, Format, Vocabulary
from graphsurgeon.model.graph import FunctionRef, Graph, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor

TOY: Vocabulary = "toy"


def sniff(file: SourceFile) -> bool:
    """Say whether some JSON is of the format."""
    return b'"toy":' in file.read_at(0, min(file.size, 64))


def reads(record: list[Format]) -> Any:
    """Return the module of a format whose graphs have ops of its own; the record is there once it is made."""

    def read(path: Path) -> Model:
        file = open_source(path)
        stored = json.loads(file.read_at(0, file.size))
        metagraph = MetaGraph(vocabulary=TOY)
        metagraph.graph = _graph(metagraph, "", stored)
        for name, body in stored.get("bodies", {}).items():
            metagraph.functions[name] = _graph(metagraph, name, body)
        for graph in metagraph.graphs:
            for node in graph.nodes:
                if "body" in node.attrs:
                    node.attrs["body"] = FunctionRef(metagraph.functions[str(node.attrs["body"])])
        model = Model(record[0], str(path))
        model.metagraphs, model.files = [metagraph], {str(path): file.size}
        return model

    return SimpleNamespace(read=read, sniff=sniff)


def _graph(metagraph: MetaGraph, name: str, stored: Any) -> Graph:
    graph = Graph(metagraph, "subgraph", name)  # its values are stored
    shape = Shape([1, 4])
    values: dict[str, Value] = {text: graph.add_value(text, FLOAT32, shape) for text in stored["inputs"]}
    for text, items in stored["weights"].items():
        values[text] = graph.add_value(text, FLOAT32, Shape([len(items)]), Tensor.of(FLOAT32, [len(items)], items))
    for node_name, op, inputs, outputs, attrs in stored["nodes"]:
        node = graph.add_node(op, node_name, [values[text] for text in inputs], attrs)
        values |= {text: graph.add_value(text, FLOAT32, shape) for text in outputs}
        node.set_outputs([values[text] for text in outputs])
    graph.inputs = [values[text] for text in stored["inputs"]]
    graph.outputs = [Output("", values[text], FLOAT32) for text in stored["outputs"]]
    return graph


# -- the same with everything, for graphs of TensorFlow's ops -----------------------------------------------


def writes(record: list[Format]) -> Any:
    """Return the module of a format that holds what a GraphDef holds, and can be written."""

    def read(path: Path) -> Model:
        file = open_source(path)
        graph_def = message(f"tensorflow.{MESSAGE}").FromString(
            bytes.fromhex(json.loads(file.read_at(0, file.size))["toy"])
        )
        model = Model(record[0], str(path))
        model.metagraphs, model.files = [lift_graph_def(graph_def, [])], {str(path): file.size}
        return model

    def lower(model: Model) -> dict[str, Rope]:
        rope = lower_single(model, record[0], MESSAGE, serialize_graph_def, text=False)[""]
        return {"": [json.dumps({"toy": b"".join(rope_chunks(rope)).hex()}).encode()]}

    return SimpleNamespace(read=read, lower=lower, sniff=sniff)


def with_nothing() -> Format:
    """Return a format that is only read, with ops of its own."""
    record: list[Format] = []
    record.append(
        Format(
            name="toy",
            title="Toy model",
            module=reads(record),
            sniffed_among=("json",),
            vocabulary=TOY,
            edit_with="edit it with toysurgeon",
        )
    )
    return record[0]


def with_everything() -> Format:
    """Return a format that can be all that a GraphDef can."""
    record: list[Format] = []
    record.append(
        Format(
            name="toy",
            title="Toy model",
            module=writes(record),
            sniffed_among=("json",),
            vocabulary=TENSORFLOW,
            holds_functions=True,
            writes=frozenset((TENSORFLOW,)),
            suffixes={".toy": None},
        )
    )
    return record[0]
