"""How names, chains, cuts and repetition make levels, and how far they are opened."""

from __future__ import annotations

import pytest

from graphsurgeon.model.dtype import INT32
from graphsurgeon.model.graph import Node
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.render import draw
from graphsurgeon.render.picture import View, build_scene, select_picture
from graphsurgeon.render.scene.scene import Scene
from tests.render.build import Maker


def scene_of(maker: Maker, **view: object) -> Scene:
    asked = View(**view)  # type: ignore[arg-type]
    return build_scene(select_picture(maker.model, asked), asked)


def residual(maker: Maker, name: str, source: Node, *, size: int = 4) -> Node:
    """Two dense layers and a sum with what went in."""
    inner = maker.dense(f"{name}dense_b", maker.dense(f"{name}dense_a", source, size=size), size=size)
    return maker.node("AddV2", f"{name}add/AddV2", inner, source)


def tower(blocks: int, name: str) -> Maker:
    maker = Maker()
    source = x = maker.placeholder()
    for number in range(blocks):
        source = residual(maker, name.format(number), source)
    maker.sign({"x": x}, {"y": source})
    return maker


def test_depth_opens_scopes_by_name() -> None:
    maker = tower(3, "tower/block{}/")
    maker.dense("other/dense", maker.graph.nodes[0])
    closed = scene_of(maker, depth=1)
    assert [box.title for box in closed.boxes if box.kind == "scope"] == ["block0", "block1", "block2"]
    assert closed.boxes[1].lines == ("2 MatMul · 2 BiasAdd · 2 Relu · 1 more", "40 params")
    assert closed.depth == 1
    opened = scene_of(maker, depth=3)
    assert len(opened.boxes) == 3 * 7 + 2
    assert opened.hidden_nodes == len(maker.graph) - 3 * 7 - 1


def test_auto_stays_within_its_limits() -> None:
    for blocks in (1, 5, 20, 100):
        scene = scene_of(tower(blocks, "tower/block{}/"))
        assert 5 <= len(scene.boxes) <= 80, blocks


def test_layers_are_one_box_in_a_large_picture() -> None:
    maker = Maker()
    source = x = maker.placeholder()
    for number in range(20):
        source = residual(maker, f"tower/block{number}/", source, size=4 + number)
    maker.sign({"x": x}, {"y": source})
    layers = [box for box in scene_of(maker).boxes if box.kind == "layer"]
    assert len(layers) >= 20
    assert layers[0].title == "MatMul"
    assert layers[0].lines == ("4×4", "+ BiasAdd, Relu", "20 params", "dense_a")


def test_equal_blocks_are_drawn_once() -> None:
    scene = scene_of(tower(30, "tower/block_{}/"))
    (run,) = [cluster for cluster in scene.clusters if cluster.count > 1]
    assert (run.count, run.title) == (30, "block_0 ×30")
    inside = [box for box in scene.boxes if box.kind not in ("input", "output")]
    assert [len(box.nodes) for box in inside] == [30] * 7
    assert [box.title for box in inside] == ["MatMul", "BiasAdd", "Relu"] * 2 + ["AddV2"]


def test_blocks_that_differ_are_drawn_apart() -> None:
    maker = Maker()
    source = x = maker.placeholder()
    for number in range(30):
        source = residual(maker, f"tower/block_{number}/", source)
        if number == 14:
            source = maker.node("Tanh", "tower/block_14/tanh", source)
    maker.sign({"x": x}, {"y": source})
    counts = [cluster.count for cluster in scene_of(maker).clusters if cluster.count > 1]
    assert counts == [14, 15]


def test_blocks_read_from_outside_are_no_run() -> None:
    maker = Maker()
    source = x = maker.placeholder()
    ends = []
    for number in range(12):
        source = residual(maker, f"tower/block_{number}/", source)
        ends.append(source)
    maker.sign({"x": x}, {"y": maker.node("ConcatV2", "concat", *ends)})
    assert all(part.count == 1 for part in [*scene_of(maker).clusters, *scene_of(maker).boxes])


@pytest.mark.parametrize("name", ["block{}_", "stage_{}_", "b{}."])
def test_names_without_slashes_make_groups(name: str) -> None:
    scene = scene_of(tower(20, name), most=40)
    stems = {name.format(number).rstrip("_.") for number in range(20)}
    named = {part.title.partition(" ")[0] for part in [*scene.clusters, *scene.boxes]}
    assert stems & named


def test_blocks_are_found_where_names_do_not_help() -> None:
    maker = Maker()
    source = x = maker.placeholder()
    number = 0
    for block in range(24):
        before = source
        for _ in range(2 + block % 3):
            source = maker.node(
                "Tanh", f"n{number}", maker.node("MatMul", f"m{number}", source, maker.const(f"w{number}", 4, 4))
            )
            number += 1
        source = maker.node("AddV2", f"a{block}", source, before)
    maker.sign({"x": x}, {"y": source})
    scene = scene_of(maker)
    blocks = [part for part in [*scene.clusters, *scene.boxes] if part.kind in ("block", "repeat")]
    assert blocks
    assert 5 <= len(scene.boxes) <= 80


def test_a_long_chain_is_divided() -> None:
    maker = Maker()
    source = x = maker.placeholder()
    for number in range(500):
        source = maker.node(("Tanh", "Sin", "Exp", "Conv2D")[number * number % 7 % 4], f"n{number}", source)
    maker.sign({"x": x}, {"y": source})
    assert len(scene_of(maker).boxes) <= 80


@pytest.mark.parametrize("count", range(8, 30))
def test_few_boxes_may_be_asked_of_a_scope_that_cannot_be_divided(count: int) -> None:
    maker = Maker()
    x = maker.placeholder()
    ops = ("Tanh", "Sin", "Exp", "Conv2D")
    ends = [maker.node(ops[number * number % 7 % 4], f"s/n{number}", x) for number in range(count)]
    maker.sign({"x": x}, {"y": maker.node("AddN", "end", *ends)})
    assert scene_of(maker, most=8).boxes


def test_scopes_that_hold_one_scope_are_one() -> None:
    maker = Maker()
    x = maker.placeholder()
    last = maker.dense("a/b/c/d", maker.dense("a/b/c/e", x))
    maker.sign({"x": x}, {"y": maker.node("Tanh", "end", last)})
    scene = scene_of(maker)
    assert [cluster.title for cluster in scene.clusters] == ["a/b/c", "e", "d"]


def test_an_operation_named_like_a_scope_stands_in_it() -> None:
    maker = Maker()
    x = maker.placeholder()
    inner = maker.node("MatMul", "conv/inner", x, maker.const("conv/w", 4, 4))
    maker.sign({"x": x}, {"y": maker.node("Tanh", "conv", inner), "z": maker.node("Relu", "out", inner)})
    scene = scene_of(maker)
    assert [box.cluster for box in scene.boxes if box.title == "Tanh"] == [scene.clusters[0].id]


def test_hundreds_of_scopes_deep() -> None:
    maker = Maker()
    x = maker.placeholder()
    deep = maker.node("Tanh", "/".join(f"s{n}" for n in range(900)), x)
    wide = maker.node("Relu", "/".join(f"s{n}" for n in range(450)) + "/other/relu", deep)
    maker.sign({"x": x}, {"y": wide})
    assert 3 <= len(scene_of(maker).boxes) <= 6


def test_a_weight_in_parts_is_told_as_a_whole() -> None:
    maker = Maker()
    x = maker.placeholder()
    axis = maker.graph.add_node(
        "Const", "w/axis", attrs={"dtype": INT32, "value": Tensor.of(INT32, (), [0])}, checked=False
    )
    parts = [maker.const("w/part_0", 3, 5), maker.const("w/part_1", 1, 5)]
    kernel = maker.graph.add_node(
        "ConcatV2", "w", [*(part.output() for part in parts), axis.output()], {"N": 2}, checked=False
    )
    source = maker.dense("third", maker.dense("second", maker.dense("first", x)))
    maker.sign({"x": x}, {"y": maker.node("MatMul", "last/MatMul", source, kernel)})
    (box,) = [box for box in scene_of(maker).boxes if box.name == "last/MatMul"]
    assert box.lines[:2] == ("4×5", "20 params")


def test_a_graph_without_nodes_has_a_picture() -> None:
    for view in ({}, {"depth": 2}, {"everything": True}, {"most": 1}):
        assert scene_of(Maker(), **view).boxes == []


def test_equal_branches_side_by_side_are_drawn_once() -> None:
    maker = Maker()
    xs = [maker.placeholder(f"x{number}") for number in range(12)]
    heads = []
    for number, x in enumerate(xs):
        inner = maker.dense(f"column{number}/first", x)
        heads.append(maker.node("Tanh", f"column{number}/out", maker.dense(f"column{number}/second", inner)))
    joined = maker.node("AddN", "join", *heads)
    model = maker.sign({f"x{number}": x for number, x in enumerate(xs)}, {"y": joined})
    scene = draw(model, format="dot").scene
    frames = [cluster.title for cluster in scene.clusters if cluster.count == 12]
    boxes = [box for box in scene.boxes if box.count == 12]
    assert frames + [box.title for box in boxes] == ["column0 ×12 side by side"]
    assert len([box for box in scene.boxes if box.kind == "input"]) == 12
    assert draw(model, format="dot", view=View(scope="column0 ×12 side by side")).scene.boxes
    assert draw(model, format="dot", view=View(scope="column7")).scene.boxes
    unequal = [*heads[:-1], maker.dense("other", xs[-1], size=7)]
    apart = maker.sign({"x": xs[0]}, {"y": maker.node("AddN", "again", *unequal)})
    assert {cluster.count for cluster in draw(apart, format="dot").scene.clusters} <= {1, 11}
