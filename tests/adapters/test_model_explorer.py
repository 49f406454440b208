"""What Model Explorer is given: by its own classes where the package is here, else by the fields that they have."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.adapters.graphs import graph_of, graphs_of
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.model import Model

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
# Fields of the dataclasses in `model_explorer/graph_builder.py` of ai-edge-model-explorer 0.1.34.
GRAPH = {"id", "nodes", "groupNodeAttributes", "groupNodeConfigs", "nodeLabelsToHide", "tasksData", "layoutConfigs"}
NODE = {"id", "label", "namespace", "subgraphIds", "attrs", "incomingEdges", "outputsMetadata", "inputsMetadata",
        "style", "config"}  # fmt: skip
EDGE = {"sourceNodeId", "sourceNodeOutputId", "targetNodeInputId"}
STYLE = {"backgroundColor", "borderColor", "hoveredBorderColor"}
MODELS = ["graphdef/encoder.pb", "savedmodel/keras_export", "savedmodel/control_flow", "tflite/cnn_int8.tflite"]


def pairs(of: list[dict[str, str]]) -> dict[str, str]:
    assert all(set(pair) == {"key", "value"} for pair in of)
    return {pair["key"]: pair["value"] for pair in of}


def labelled(graph: dict[str, Any], label: str, name: str) -> dict[str, Any]:
    (found,) = [one for one in graph["nodes"] if one["label"] == label and pairs(one["attrs"])["name"].endswith(name)]
    return dict(found)


@pytest.mark.parametrize("path", MODELS)
def test_fields_and_edges(path: str) -> None:
    (graph,) = graphs_of(FIXTURES / path)
    assert set(graph) <= GRAPH
    outputs = {node["id"]: {item["id"] for item in node["outputsMetadata"]} for node in graph["nodes"]}
    assert len(outputs) == len(graph["nodes"])
    for node in graph["nodes"]:
        assert set(node) <= NODE
        assert set(node["style"]) <= STYLE
        for edge in node["incomingEdges"]:
            assert set(edge) == EDGE
            assert edge["sourceNodeOutputId"] in outputs[edge["sourceNodeId"]]
        for item in (*node["outputsMetadata"], *node["inputsMetadata"]):
            assert set(item) == {"id", "attrs"}
            assert pairs(item["attrs"])["__tensor_tag"]


def test_shapes_weights_and_folded_layers() -> None:
    (graph,) = graphs_of(FIXTURES / "savedmodel/keras_export")
    conv = labelled(graph, "Conv2D", "stem_1/convolution")
    told = pairs(conv["attrs"])
    assert told["padding"] == "SAME"
    assert told["parameters"] == "108"  # 3 x 3 x 3 x 4
    (weight,) = [value for key, value in told.items() if key.startswith("weight ")]
    assert weight.startswith("float32[3,3,3,4]; ")
    assert "mean" in weight
    (output,) = conv["outputsMetadata"]
    assert pairs(output["attrs"])["tensor_shape"] == "float32[?,8,8,4]"
    (graph,) = graphs_of(FIXTURES / "graphdef/encoder.pb")
    norm = next(node for node in graph["nodes"] if "LayerNorm" in pairs(node["attrs"])["shows"])
    assert norm["namespace"] == "encoder/layer_0 ×6/attention"
    assert graph["groupNodeAttributes"]["encoder/layer_0 ×6"]["stands for"] == "6 equal blocks"


def test_a_checkpoint_has_no_graph() -> None:
    with pytest.raises(UnsupportedError, match="a checkpoint has no graph"):
        graphs_of(FIXTURES / "checkpoint/v1/model.ckpt")


def test_model_explorer_finds_and_runs_the_extension() -> None:
    manager = pytest.importorskip("model_explorer.extension_manager").ExtensionManager(["graphsurgeon.adapters"])
    manager.load_extensions()
    (told,) = [one for one in manager.get_extensions_metadata() if one["id"] == "graphsurgeon"]
    assert "tflite" in told["fileExts"]
    path = FIXTURES / "graphdef/encoder.pb"
    answer = manager.run_cmd(
        {"extensionId": "graphsurgeon", "cmdId": "convert", "modelPath": str(path), "settings": {}}
    )
    (graph,) = answer["graphs"]
    (own,) = graphs_of(path)
    assert [node["id"] for node in graph["nodes"]] == [node["id"] for node in own["nodes"]]
    assert graph["groupNodeAttributes"] == own["groupNodeAttributes"]


def test_a_model_that_was_read() -> None:
    import graphsurgeon

    model = graphsurgeon.read(FIXTURES / "graphdef/linear.pb")
    assert isinstance(model, Model)
    assert graph_of(model)["id"] == "linear.pb"
