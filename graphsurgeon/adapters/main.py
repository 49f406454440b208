"""The extension of Model Explorer: its package `model_explorer` imports this module by name."""

from __future__ import annotations

from typing import Any

from model_explorer import Adapter, AdapterMetadata, ModelExplorerGraphs, graph_builder

from graphsurgeon.adapters.graphs import graphs_of

# Endings for which Model Explorer offers the extension; what a file is, is found from its content.
ENDINGS = ".pb .pbtxt .meta .tflite .onnx .keras .h5 .hdf5 .json .prototxt .caffemodel"


class GraphsurgeonAdapter(Adapter):  # type: ignore[misc]
    """Shows models as graphsurgeon draws them."""

    metadata = AdapterMetadata(
        id="graphsurgeon",
        name="graphsurgeon",
        description="Layers folded, equal blocks once, inferred shapes, statistics of weights",
        source_repo="",
        fileExts=[ending[1:] for ending in ENDINGS.split()],
    )

    def convert(self, model_path: str, settings: dict[str, Any]) -> ModelExplorerGraphs:
        """Return the graphs of a model file."""
        return {"graphs": [_graph(graph) for graph in graphs_of(model_path)]}


def _graph(graph: dict[str, Any]) -> graph_builder.Graph:
    nodes = [_node(node) for node in graph["nodes"]]
    return graph_builder.Graph(graph["id"], nodes, groupNodeAttributes=graph["groupNodeAttributes"])


def _node(node: dict[str, Any]) -> graph_builder.GraphNode:
    return graph_builder.GraphNode(
        node["id"],
        node["label"],
        node["namespace"],
        attrs=_pairs(node["attrs"]),
        incomingEdges=[graph_builder.IncomingEdge(**edge) for edge in node["incomingEdges"]],
        inputsMetadata=[_metadata(item) for item in node["inputsMetadata"]],
        outputsMetadata=[_metadata(item) for item in node["outputsMetadata"]],
        style=graph_builder.GraphNodeStyle(**node["style"]),
    )


def _metadata(item: dict[str, Any]) -> graph_builder.MetadataItem:
    return graph_builder.MetadataItem(item["id"], _pairs(item["attrs"]))


def _pairs(pairs: list[dict[str, str]]) -> list[graph_builder.KeyValue]:
    return [graph_builder.KeyValue(**pair) for pair in pairs]
