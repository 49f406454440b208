"""Whatever a picture shows can be asked for by the name that it shows; depth counts what is drawn."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphsurgeon
from graphsurgeon.errors import UsageError
from graphsurgeon.model import Model
from graphsurgeon.render.picture import View, build_scene, select_picture
from graphsurgeon.render.scene.scene import Scene
from tests.render.build import Maker
from tests.render.test_levels import residual, tower

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
PICTURED = (
    "savedmodel/keras_export", "savedmodel/control_flow", "graphdef/encoder.pb", "graphdef/lowered.pb",
    "tflite/cnn_int8.tflite", "savedmodel/v1_while",
)  # fmt: skip


def drawn(model: Model, **view: object) -> Scene:
    asked = View(**view)  # type: ignore[arg-type]
    return build_scene(select_picture(model, asked), asked)


def highlighted(model: Model, names: list[str]) -> list[str]:
    return [box.id for box in drawn(model, highlight=names).boxes if "highlight" in box.marks]


def inside(scene: Scene) -> set[str]:
    boxes = (box for box in scene.boxes if "outside" not in box.marks and box.kind not in ("input", "output"))
    return {node.name for box in boxes for node in box.nodes}


def blocks(maker: Maker) -> Maker:
    """Five equal blocks whose names, not scopes, tell them apart."""
    source = x = maker.placeholder()
    for number in range(1, 7):
        source = residual(maker, f"stage_block{number}_", source)
    maker.sign({"x": x}, {"y": source})
    return maker


@pytest.mark.parametrize("path", PICTURED)
def test_every_frame_and_box_is_a_scope_or_a_name(path: str) -> None:
    model = graphsurgeon.read(FIXTURES / path)
    scene = drawn(model)
    assert scene.boxes
    for cluster in scene.clusters:
        assert inside(drawn(model, scope=cluster.name)), cluster.name
        assert cluster.title == cluster.name or drawn(model, scope=cluster.title).boxes, cluster.title
    names = [box.title if box.kind == "input" else box.name for box in scene.boxes if box.kind != "output"]
    assert len(highlighted(model, names)) == len(names)
    assert len(highlighted(model, names[:1])) == 1
    for box in scene.boxes:
        assert box.kind != "output" or highlighted(model, [box.title]), box.title  # what yields it


def test_blocks_that_were_found_are_asked_for_by_their_titles() -> None:
    model = blocks(Maker()).model
    scene = drawn(model)
    (run,) = [cluster for cluster in scene.clusters if cluster.count > 1] or [
        box for box in scene.boxes if box.count > 1
    ]
    all_of_it = inside(drawn(model, scope=run.title))
    first = inside(drawn(model, scope=run.title.partition(" ×")[0]))
    assert first < all_of_it
    twin = inside(drawn(model, scope="stage_block4"))
    assert twin
    assert all(name.startswith("stage_block4") for name in twin)
    assert inside(drawn(model, scope="stage_block[45]*")) > twin


def test_a_title_that_is_not_there_is_told_with_one_that_is() -> None:
    with pytest.raises(UsageError, match="no scope 'stage_blok4' is drawn") as error:
        drawn(blocks(Maker()).model, scope="stage_blok4")
    assert "stage_block4" in (error.value.hint or "")


def test_depth_1_is_the_coarsest_and_each_level_opens_more() -> None:
    model = tower(40, "net/part{}/inner/").model
    counts = [len(drawn(model, depth=depth).boxes) for depth in range(1, 6)]
    assert counts == sorted(counts)
    assert counts[0] <= len(drawn(model).boxes)
    assert drawn(model, depth=1).depth == 1


def test_all_draws_all() -> None:
    maker = tower(40, "net/part{}/inner/")
    scene = drawn(maker.model, everything=True)
    assert scene.hidden_nodes == 0
    assert {node.name for box in scene.boxes for node in box.nodes} >= {node.name for node in maker.graph.nodes}


def test_numbers_that_tell_siblings_apart_stay() -> None:
    maker = Maker()
    source = x = maker.placeholder()
    for number in range(1, 12):
        source = maker.dense(f"expanded_conv_{number}_project", maker.dense(f"expanded_conv_{number}_expand", source))
        source = maker.node("Tanh", f"activation_{number}/Tanh", source)
    maker.sign({"x": x}, {"y": source})
    for depth in (1, 2, 3):
        titles = [box.title for box in drawn(maker.model, depth=depth).boxes]
        assert "expanded" not in titles
