"""Many inputs, and inputs of several parts: one box each, which opens."""

from __future__ import annotations

from graphsurgeon.model.dtype import FLOAT32, INT64
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.render import View, draw
from graphsurgeon.render.scene.scene import Box, Scene
from tests.render.build import Maker


def fed(count: int, steps: int = 12) -> Model:
    """A network with so many inputs, each of which a step of its own reads."""
    maker = Maker()
    inputs = {f"in{number}": maker.placeholder(f"p{number}") for number in range(count)}
    source = None
    for number, one in enumerate(inputs.values()):
        for step in range(steps if number == 0 else 1):
            one = maker.dense(f"towers/tower{number}/step{step}", one, size=4)
        source = one if source is None else maker.node("Mul", f"towers/mul{number}", source, one)
    assert source is not None
    return maker.sign(inputs, {"y": source})


def sparse() -> Model:
    """A network that reads two sparse tensors, each of three parts."""
    maker = Maker()
    parts = {key: [maker.placeholder(f"{key}_{part}") for part in ("i", "v", "s")] for key in ("red", "blue")}
    source = None
    for key, nodes in parts.items():
        one = maker.node("AddN", f"{key}/sum", *nodes)
        for step in range(40):
            one = maker.dense(f"{key}/step{step}", one, size=4 + step % 7)
        source = one if source is None else maker.node("Mul", "both", source, one)
    assert source is not None
    entries = {
        key: SignatureEntry(None, INT64, None, components=[Mention.of(node.output(0), key) for node in nodes])
        for key, nodes in parts.items()
    }
    outputs = {"y": SignatureEntry(Mention.of(source.output(0), "y"), FLOAT32, None)}
    maker.metagraph.signatures["serving_default"] = Signature("serving_default", maker.graph, entries, outputs)
    return maker.model


def ends(scene: Scene) -> list[Box]:
    return [box for box in scene.boxes if box.kind == "input"]


def test_very_many_inputs_are_one_box_until_it_is_opened() -> None:
    (box,) = ends(draw(fed(30), format="dot").scene)
    assert (box.title, box.lines) == ("30 inputs", ("in0", "in1", "in2", "in3", "26 more"))
    assert len(box.nodes) == 30
    scene = draw(fed(30), format="dot").scene
    assert {one.key for one in scene.inputs} == {f"in{number}" for number in range(30)}
    assert {one.box for one in scene.inputs} == {box.id}
    opened = ends(draw(fed(30), format="dot", view=View(depth=9)).scene)
    assert {one.title for one in opened} == {f"in{number}" for number in range(30)}
    assert all(one.cluster for one in opened)  # they stand in its frame
    assert len(ends(draw(fed(20), format="dot").scene)) == 20
    assert len(ends(draw(fed(20), format="dot", view=View(paper="column")).scene)) == 1


def test_on_paper_many_outputs_are_one_box() -> None:
    maker = Maker()
    x = maker.placeholder()
    outputs = {f"out{number}": maker.dense(f"head{number}", x, size=4 + number) for number in range(6)}
    model = maker.sign({"x": x}, outputs)
    scene = draw(model, format="dot", view=View(paper="a4")).scene
    (box,) = [box for box in scene.boxes if box.kind == "output"]
    assert (box.title, box.lines) == ("6 outputs", ("out0", "out1", "out2", "out3", "2 more"))
    assert {(one.key, one.box) for one in scene.outputs} == {(key, box.id) for key in outputs}
    assert {value for edge in scene.edges if edge.target == box.id for value in edge.values} == {
        f"{node.name}:0" for node in outputs.values()
    }
    assert len([one for one in draw(model, format="dot").scene.boxes if one.kind == "output"]) == 6


def test_the_parts_of_a_composite_input_are_one_box() -> None:
    scene = draw(sparse(), format="dot").scene
    assert sorted((box.title, box.lines[0].split()[0], len(box.nodes)) for box in ends(scene)) == [
        ("blue", "int64", 3),
        ("red", "int64", 3),
    ]
    edges = [edge for edge in scene.edges if edge.source in {box.id for box in ends(scene)}]
    assert {len(edge.values) for edge in edges} == {3}
