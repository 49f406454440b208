"""Constructs of several operations are one box with the name that people have for them, where that hides no edge."""

from __future__ import annotations

from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.graph import Node
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.render.picture import View, build_scene, select_picture
from tests.render.build import Maker


def titles(maker: Maker, **view: object) -> list[str]:
    asked = View(**view)  # type: ignore[arg-type]
    scene = build_scene(select_picture(maker.model, asked), asked)
    return [box.title for box in scene.boxes if box.kind not in ("input", "output")]


def swish(maker: Maker, x: Node) -> Node:
    return maker.node("Mul", "act/mul", x, maker.node("Sigmoid", "act/Sigmoid", x))


def hard_swish(maker: Maker, x: Node) -> Node:
    shifted = maker.node("Relu6", "r", maker.node("AddV2", "a", x, number(maker, 3.0)))
    return maker.node("Mul", "mul", x, maker.node("RealDiv", "div", shifted, number(maker, 6.0)))


def number(maker: Maker, value: float) -> Node:
    attrs = {"dtype": FLOAT32, "value": Tensor.of(FLOAT32, [], [value])}
    return maker.graph.add_node("Const", f"number_{value:g}", attrs=attrs, checked=False)


def test_activations_have_names() -> None:
    for build, name in ((swish, "Swish"), (hard_swish, "HardSwish")):
        maker = Maker()
        x = maker.placeholder()
        maker.sign({"x": x}, {"y": maker.node("Tanh", "end", build(maker, maker.node("Exp", "start", x)))})
        assert titles(maker) == ["Exp", name, "Tanh"]
        assert "Mul" in titles(maker, everything=True)


def test_what_is_read_outside_stays_open() -> None:
    maker = Maker()
    x = maker.placeholder()
    product = swish(maker, maker.node("Exp", "start", x))
    mask = maker.graph.node("act/Sigmoid")
    assert mask is not None
    maker.sign({"x": x}, {"y": product, "mask": maker.node("Tanh", "end", mask)})
    assert "Swish" not in titles(maker)
    assert {"Sigmoid", "Mul", "Tanh"} <= set(titles(maker))


def test_other_scopes_are_not_taken_along() -> None:
    maker = Maker()
    x = maker.placeholder()
    start = maker.node("Exp", "start", x)
    gate = maker.node("Sigmoid", "gate/Sigmoid", start)
    side = maker.node("Tanh", "gate/side", start)
    maker.sign({"x": x}, {"y": maker.node("Mul", "mul", start, gate), "z": side})
    assert "Swish" not in titles(maker)
