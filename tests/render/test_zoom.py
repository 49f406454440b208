"""Parts of a picture, asked for by name."""

from __future__ import annotations

import pytest

from graphsurgeon.errors import UsageError
from graphsurgeon.render.picture import View, build_scene, select_picture
from graphsurgeon.render.scene.scene import Box, Scene
from tests.render.build import Maker


@pytest.fixture
def maker() -> Maker:
    """x -> a -> b -> c -> y, and b -> side -> z."""
    made = Maker()
    x = made.placeholder()
    first = made.dense("net/a", x)
    second = made.dense("net/b", first)
    third = made.dense("net/c", second)
    made.sign({"x": x}, {"y": third, "z": made.node("Tanh", "side", made.node("Identity", "passing", second))})
    return made


def scene_of(maker: Maker, **view: object) -> Scene:
    asked = View(**view)  # type: ignore[arg-type]
    return build_scene(select_picture(maker.model, asked), asked)


def names(boxes: list[Box]) -> set[str]:
    return {node.name for box in boxes for node in box.nodes if box.kind not in ("input", "output")}


def test_scope_with_its_neighbours(maker: Maker) -> None:
    scene = scene_of(maker, scope="b")
    inside = [box for box in scene.boxes if "outside" not in box.marks]
    assert names(inside) == {"net/b/MatMul", "net/b/BiasAdd", "net/b/Relu"}
    assert names([box for box in scene.boxes if box not in inside]) == {"net/a/Relu", "net/c/MatMul", "side"}


def test_around_a_node(maker: Maker) -> None:
    scene = scene_of(maker, focus="net/b/BiasAdd", radius=1)
    assert names(list(scene.boxes)) == {"net/b/MatMul", "net/b/BiasAdd", "net/b/Relu"}
    assert [box.title for box in scene.boxes if "highlight" in box.marks] == ["BiasAdd"]
    assert len(scene_of(maker, focus="net/b/BiasAdd", radius=0).boxes) == 1


def test_a_folded_node_stands_for_what_yields_it(maker: Maker) -> None:
    scene = scene_of(maker, focus="passing", radius=0)
    assert names(list(scene.boxes)) == {"net/b/Relu"}


def test_between_nodes(maker: Maker) -> None:
    scene = scene_of(maker, start="net/b/MatMul:0", end="net/c/BiasAdd")
    expected = {"net/b/MatMul", "net/b/BiasAdd", "net/b/Relu", "net/c/MatMul", "net/c/BiasAdd"}
    assert names(list(scene.boxes)) == expected
    assert [terminal.key for terminal in scene.outputs] == []
    assert [terminal.key for terminal in scene_of(maker, start="net/c").outputs] == ["y"]
    assert [terminal.key for terminal in scene_of(maker, end="side").outputs] == ["z"]


def test_highlighted_nodes_scopes_globs_and_paths(maker: Maker) -> None:
    def marked(text: str) -> set[str]:
        return names([box for box in scene_of(maker, highlight=[text]).boxes if "highlight" in box.marks])

    assert marked("side") == {"side"}
    assert marked("net/c") == {"net/c/MatMul", "net/c/BiasAdd", "net/c/Relu"}
    assert marked("*Relu") == {"net/a/Relu", "net/b/Relu", "net/c/Relu"}
    assert marked("net/b/Relu->side") == {"net/b/Relu", "side"}


def test_colours_of_a_comparison(maker: Maker) -> None:
    scene = scene_of(maker, colors={"side": "added", "net/a/MatMul": "changed"})
    assert {box.title: box.marks for box in scene.boxes if box.marks} == {"Tanh": ("added",), "MatMul": ("changed",)}


@pytest.mark.parametrize(
    ("view", "message"),
    [
        ({"focus": "net/b/BiasAd"}, "nothing drawn is named 'net/b/BiasAd'; did you mean 'net/b/BiasAdd'"),
        ({"scope": "nets"}, "no scope 'nets' is drawn"),
        ({"start": "side", "end": "net/c/Relu"}, "no path leads from the one to the other"),
        ({"graph": "nothing"}, "no function 'nothing'"),
        ({"signature": "serving"}, "no signature 'serving'"),
    ],
)
def test_names_that_do_not_exist(maker: Maker, view: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError) as error:
        scene_of(maker, **view)
    assert message in str(error.value)
