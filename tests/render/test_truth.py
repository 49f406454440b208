"""Whatever an arrow shows must be so: held against reachability in the graphs, for every fixture and the corpus."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import graphsurgeon
from graphsurgeon.analysis.stored_weights.weight_totals import summarize_variables
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.render import draw
from graphsurgeon.render.picture import View, build_scene, select_picture
from graphsurgeon.render.scene.scene import Box, Scene
from tests.render.build import Maker
from tests.render.truth import Vertex, reached, real_edges

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MODELS = [
    *sorted((FIXTURES / "savedmodel").iterdir()),
    *sorted((FIXTURES / "graphdef").glob("*.pb*")),
    *sorted((FIXTURES / "tflite").glob("*.tflite")),
    *sorted((FIXTURES / "metagraph").rglob("*.meta")),
]


def vertices(metagraph: MetaGraph, box: Box) -> set[Vertex]:
    """The nodes, arguments and tensors that a box stands for."""
    found: set[Vertex] = set()
    for name in box.nodes:
        for graph in metagraph.graphs:
            if graph.name == name.graph:
                node = graph.node(name.name)
                values = [value for value in [*graph.inputs, *graph.values] if str(value) == name.name]
                # A TFLite operator is named by the tensor that it yields.
                makers = [value.producer for value in values]
                # A call of a function has no box; what it yields may be an output.
                results = list(node.outputs) if node is not None else []
                found |= {vertex for vertex in [node, *results, *values, *makers] if vertex is not None}
    return found


def assert_true(model: Model, metagraph: MetaGraph, scene: Scene) -> None:
    after = real_edges(metagraph)
    boxes = {box.id: vertices(metagraph, box) for box in scene.boxes}
    following: dict[str, set[Vertex]] = {}
    for edge in scene.edges:
        sources, targets = boxes[edge.source], boxes[edge.target]
        assert sources, edge
        if edge.source not in following:
            following[edge.source] = reached(after, sources)
        if targets:
            assert targets & following[edge.source], f"{model.path}: {edge} stands for nothing"


def views() -> list[View]:
    return [View(), View(depth=1), View(everything=True)]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_every_edge_stands_for_real_ones(path: Path) -> None:
    model = graphsurgeon.read(path)
    for metagraph in model.metagraphs:
        for view in views():
            tags = (metagraph.tags or ["none"]) if len(model.metagraphs) > 1 else None
            scene = build_scene(select_picture(model, View(**{**vars(view), "tags": tags})), view)
            assert_true(model, metagraph, scene)


@pytest.mark.corpus
def test_every_edge_stands_for_real_ones_in_the_corpus(corpus: Path) -> None:
    checked = 0
    for line in (corpus / "MANIFEST.tsv").read_text().splitlines()[1:]:
        name, kind, *_ = line.split("\t")
        if kind not in ("savedmodel", "graphdef", "metagraph", "tflite"):
            continue
        try:
            model = graphsurgeon.read(corpus / name)
        except GraphSurgeonError:
            continue
        for metagraph in model.metagraphs[:1]:
            tags = (metagraph.tags or ["none"]) if len(model.metagraphs) > 1 else None
            scene = build_scene(select_picture(model, View(tags=tags)), View())
            assert len(scene.boxes) <= 150, name
            assert_true(model, metagraph, scene)
            checked += 1
    assert checked > 100


@st.composite
def graphs(draw: st.DrawFn) -> Maker:
    """A random graph of nodes in random scopes, each reading one or two earlier ones."""
    maker = Maker()
    nodes = [maker.placeholder()]
    for number in range(draw(st.integers(1, 60))):
        scope = "/".join(draw(st.lists(st.sampled_from("abc"), max_size=3)))
        op = draw(st.sampled_from(["MatMul", "AddV2", "Relu", "Identity", "Conv2D", "ConcatV2"]))
        reads = [nodes[draw(st.integers(0, len(nodes) - 1))] for _ in range(draw(st.integers(1, 2)))]
        nodes.append(maker.node(op, f"{scope}/n{number}" if scope else f"n{number}", *reads))
    return maker


@settings(max_examples=30)
@given(graphs(), st.sampled_from([8, 20, 80]))
def test_random_graphs_are_drawn_truly(maker: Maker, most: int) -> None:
    nodes = maker.graph.nodes
    model = maker.sign({"x": nodes[0]}, {"y": nodes[-1]})
    view = View(most=most)
    picture = select_picture(model, view)
    scene = build_scene(picture, view)
    assert_true(model, maker.metagraph, scene)
    # Every node stands in one box at most, and every direct edge between two boxes is drawn.
    box_of = {name.name: box.id for box in scene.boxes if box.kind != "output" for name in box.nodes}
    assert sum(len(box.nodes) for box in scene.boxes if box.kind != "output") == len(box_of)
    drawn = {(edge.source, edge.target) for edge in scene.edges}
    repeated = any(box.count > 1 for box in scene.boxes) or any(cluster.count > 1 for cluster in scene.clusters)
    for node in nodes:
        for value in node.inputs:
            ends = value.producer and box_of.get(value.producer.name), box_of.get(node.name)
            if all(ends) and ends[0] != ends[1] and not repeated:
                assert ends in drawn


def test_frames_nest_and_hold_their_boxes() -> None:
    for path in MODELS[:20]:
        model = graphsurgeon.read(path)
        if len(model.metagraphs) == 1:
            scene = build_scene(select_picture(model, View()), View())
            frames = {"": ""} | {cluster.id: cluster.parent for cluster in scene.clusters}
            assert all(cluster.parent in frames for cluster in scene.clusters)
            assert all(box.cluster in frames for box in scene.boxes)
            assert len({*frames, *(box.id for box in scene.boxes)}) == len(scene.clusters) + len(scene.boxes) + 1


@pytest.mark.tensorflow
def test_what_keras_counts_and_nothing_reads_is_told(tmp_path: Path) -> None:
    """Mean, variance and count of a Normalization are variables, but it computes with constants made of them."""
    keras = pytest.importorskip("keras")
    layers = [keras.layers.Normalization(mean=[1.0, 2.0], variance=[1.0, 4.0]), keras.layers.Dense(3)]
    adapted = keras.layers.Normalization()
    adapted.adapt(np.ones((4, 2), "float32"))
    network = keras.Sequential([keras.Input((2,)), layers[0], adapted, layers[1]])
    network.export(str(tmp_path / "m"), verbose=False)
    model = graphsurgeon.read(tmp_path / "m")
    assert model.checkpoint is not None
    counted = network.count_params()
    assert summarize_variables(model.checkpoint).parameters == counted
    scene = draw(model, format="dot").scene
    (note,) = [note for note in scene.notes if "reads" in note]
    drawn = sum(box.parameters * box.count for box in scene.boxes)
    told = re.search(r"holds (\d+) numbers more.*normalization", note)
    assert told is not None
    assert drawn + int(told[1]) == counted
