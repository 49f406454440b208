"""What is drawn of fixtures, as text: looked at once, then held. GRAPHSURGEON_GOLDEN=write writes it anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import graphsurgeon
from graphsurgeon.render.picture import View, build_scene, select_picture
from graphsurgeon.render.scene.scene import Scene

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
GOLDEN = Path(__file__).parent / "golden"
CASES = {
    "keras_export": ("savedmodel/keras_export", View()),
    "keras_rnn": ("savedmodel/keras_rnn", View()),
    "control_flow": ("savedmodel/control_flow", View()),
    "several_signatures": ("savedmodel/several_signatures", View()),
    "table_asset": ("savedmodel/table_asset", View()),
    "v1_while": ("savedmodel/v1_while", View()),
    "v1_cond": ("savedmodel/v1_cond_batch_norm_ref", View()),
    "face_detector": ("graphdef/face_detector.pb", View()),
    "face_detector_1": ("graphdef/face_detector.pb", View(depth=1)),
    "face_detector_scope": ("graphdef/face_detector.pb", View(scope="rnet")),
    "cnn_int8": ("tflite/cnn_int8.tflite", View()),
    "tflite_control_flow": ("tflite/control_flow.tflite", View()),
    "linear_all": ("graphdef/linear.pb", View(everything=True)),
}


def as_text(scene: Scene) -> str:
    return "\n".join(_lines(scene)) + "\n"


def _lines(scene: Scene) -> Iterator[str]:
    yield f"{scene.title}  depth {scene.depth}, {scene.hidden_nodes} nodes hidden"
    yield from scene.notes
    for cluster in scene.clusters:
        yield f"frame {cluster.id} in {cluster.parent or 'the picture'}: {cluster.kind} {cluster.title}"
    for box in scene.boxes:
        marks = f" ({', '.join(box.marks)})" if box.marks else ""
        yield f"box {box.id} in {box.cluster or 'the picture'}: {box.kind} {box.title} | {' | '.join(box.lines)}{marks}"
    for edge in scene.edges:
        yield f"edge {edge.source} -> {edge.target}: {edge.kind} {edge.label}".rstrip()


@pytest.mark.parametrize("name", CASES)
def test_scene(name: str) -> None:
    path, view = CASES[name]
    model = graphsurgeon.read(FIXTURES / path)
    drawn = as_text(build_scene(select_picture(model, view), view))
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("GRAPHSURGEON_GOLDEN") == "write":
        golden.write_text(drawn, "utf-8")
    assert drawn == golden.read_text("utf-8")


def test_the_same_model_is_drawn_the_same() -> None:
    path = FIXTURES / "savedmodel/keras_rnn"
    first, second = (build_scene(select_picture(graphsurgeon.read(path), View()), View()) for _ in range(2))
    assert as_text(first) == as_text(second)
