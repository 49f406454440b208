"""TensorFlow's shape inference beside ours for whole graphs: import, then the static shape of every output."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import graphsurgeon
from graphsurgeon.model import DType, MetaGraph, Shape
from graphsurgeon.shapes import ShapeReport, infer_shapes
from tests.shapes.oracle import compare, shape_of

Key = tuple[str, str, int]  # function ("" for the main graph), node, output
Known = tuple[DType, Shape]


@dataclass
class Agreement:
    """How the shapes of a graph compare.

    Attributes:
        shapes: outputs by verdict: equal, more (we know more), less, wrong.
        dtypes: outputs whose dtypes differ.
        examples: some of what is less or wrong: (verdict, op, key, theirs, ours).
    """

    shapes: Counter[str] = field(default_factory=Counter)
    dtypes: int = 0
    examples: list[tuple[str, str, Key, Known, Known]] = field(default_factory=list)

    @property
    def total(self) -> int:
        """Number of outputs."""
        return self.shapes.total()

    def add(self, other: Agreement) -> None:
        """Count another graph too."""
        self.shapes += other.shapes
        self.dtypes += other.dtypes
        self.examples += other.examples


def graph_defs(path: Path) -> Iterator[object]:
    """Yield the GraphDef of every MetaGraph of a file or folder, read by TensorFlow's own classes."""
    from google.protobuf import text_format
    from tensorflow.core.framework import graph_pb2
    from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2

    if path.is_dir():
        path = next(file for pattern in ("saved_model.pb*", "*/saved_model.pb*") for file in path.glob(pattern))
    data = path.read_bytes()
    # Field 1 of each of these messages is a message or a number: no binary file begins with a letter.
    is_text = path.suffix == ".pbtxt" or data[:1].isalpha()
    if path.name.startswith("saved_model"):
        message = saved_model_pb2.SavedModel()
    else:
        message = meta_graph_pb2.MetaGraphDef() if path.name.endswith(".meta") else graph_pb2.GraphDef()
    if is_text:
        text_format.Parse(data.decode(), message)
    else:
        message.ParseFromString(data)
    if isinstance(message, saved_model_pb2.SavedModel):
        yield from (metagraph.graph_def for metagraph in message.meta_graphs)
    else:
        yield message.graph_def if isinstance(message, meta_graph_pb2.MetaGraphDef) else message


def without_recorded_shapes(graph_def: object) -> object:
    """Remove `_output_shapes` of nodes, so that nothing but the ops tells a shape. Changes the message."""
    nodes = [graph_def.node, *(function.node_def for function in graph_def.library.function)]
    for node in (node for group in nodes for node in group):
        node.attr.pop("_output_shapes", None)
    return graph_def


def compare_graph(graph_def: object) -> Agreement:
    """Infer a GraphDef, functions included, with TensorFlow and with ours. Raises what TensorFlow's import raises."""
    theirs = dict(their_shapes(graph_def))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "graph.pb")
        path.write_bytes(graph_def.SerializeToString())
        metagraph = graphsurgeon.read(path).metagraphs[0]
        report = infer_shapes(metagraph)
        return agreement(theirs, metagraph, report)


def agreement(theirs: dict[Key, Known], metagraph: MetaGraph, report: ShapeReport) -> Agreement:
    """Compare what TensorFlow says with a report."""
    found = Agreement()
    graphs = {"": metagraph.graph, **metagraph.functions}
    for key, (dtype, shape) in theirs.items():
        node = graphs[key[0]].node(key[1])
        value = node.output(key[2]) if node is not None else graphs[key[0]].value(key[1])
        ours = (report.dtype(value), report.shape(value))
        verdict = compare(shape, ours[1])
        found.shapes[verdict] += 1
        found.dtypes += ours[0] is not dtype
        if verdict != "equal" or ours[0] is not dtype:
            found.examples.append((verdict, node.op if node is not None else "argument", key, (dtype, shape), ours))
    return found


def their_shapes(graph_def: object) -> Iterator[tuple[Key, Known]]:
    """Yield what TensorFlow infers for every output of the main graph and of each function."""
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        tf.graph_util.import_graph_def(graph_def, name="")
        yield from _outputs("", graph)
        for function in graph_def.library.function:
            yield from _function_outputs(function)


def _function_outputs(function: object) -> Iterator[tuple[Key, Known]]:
    import tensorflow as tf
    from tensorflow.python.framework.function_def_to_graph import function_def_to_graph

    try:
        graph = function_def_to_graph(function)
    except (ValueError, KeyError, TypeError, tf.errors.OpError):
        return
    yield from _outputs(function.signature.name, graph)


def _outputs(function: str, graph: object) -> Iterator[tuple[Key, Known]]:
    for op in graph.get_operations():
        for port, output in enumerate(op.outputs):
            yield (function, op.name, port), (DType.of(output.dtype.as_datatype_enum), shape_of(output.shape))
