"""What is kept, what is folded, and where it goes."""

from __future__ import annotations

from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import SignatureEntry
from graphsurgeon.render.picture import View, build_scene, select_picture
from graphsurgeon.render.scene.scene import Scene
from tests.render.build import Maker


def scene_of(maker: Maker, **view: object) -> Scene:
    asked = View(**view)  # type: ignore[arg-type]
    return build_scene(select_picture(maker.model, asked), asked)


def ops(scene: Scene) -> list[str]:
    return [box.title for box in scene.boxes if box.kind not in ("input", "output")]


def arrows(scene: Scene) -> set[tuple[str, str, str]]:
    title = {box.id: box.title for box in scene.boxes}
    return {(title[edge.source], title[edge.target], edge.kind) for edge in scene.edges}


def chain(maker: Maker) -> None:
    """x -> dense -> dense -> y, beside a part that saves and one that nothing reads."""
    x = maker.placeholder()
    first = maker.dense("one", x)
    second = maker.dense("two", maker.node("Identity", "between", first))
    maker.sign({"x": x}, {"y": second})
    maker.node("SaveV2", "save/SaveV2", maker.const("save/filename"), maker.const("save/names", 2))
    maker.node("Mul", "unused", second, second)


def test_only_what_leads_to_outputs_is_drawn() -> None:
    maker = Maker()
    chain(maker)
    assert ops(scene_of(maker)) == ["MatMul", "BiasAdd", "Relu"] * 2


def test_everything_is_drawn_when_asked() -> None:
    maker = Maker()
    chain(maker)
    scene = scene_of(maker, everything=True)
    assert len(scene.boxes) == len(maker.graph) + 1  # and one for the output
    assert scene.hidden_nodes == 0


def test_identities_become_edges_and_weights_become_facts() -> None:
    maker = Maker()
    chain(maker)
    scene = scene_of(maker)
    assert ("Relu", "MatMul", "data") in arrows(scene)
    products = [box for box in scene.boxes if box.title == "MatMul"]
    assert [box.parameters for box in products] == [16, 16]
    assert products[0].lines[:2] == ("4×4", "16 params")


def test_arithmetic_on_weights_is_folded_into_what_uses_it() -> None:
    maker = Maker()
    x = maker.placeholder()
    scale = maker.node(
        "Rsqrt", "bn/rsqrt", maker.node("AddV2", "bn/add", maker.const("bn/variance", 4), maker.const("bn/e"))
    )
    last = maker.node("Mul", "bn/mul", maker.dense("d", x), scale)
    maker.sign({"x": x}, {"y": last})
    scene = scene_of(maker)
    assert ops(scene) == ["MatMul", "BiasAdd", "Relu", "Mul"]
    assert scene.boxes[-2].parameters == 4  # the variance; the scalar is no weight


def test_arithmetic_on_shapes_is_an_edge_where_nothing_else_is_read() -> None:
    maker = Maker()
    x = maker.placeholder()
    size = maker.node(
        "StridedSlice", "size", maker.node("Shape", "shape", x), *(maker.const(f"c{i}", 1) for i in range(3))
    )
    noise = maker.node("RandomUniform", "noise", size)
    shaped = maker.node("Reshape", "reshape", maker.dense("d", x), size)
    maker.sign({"x": x}, {"y": maker.node("AddV2", "sum", noise, shaped)})
    drawn = arrows(scene_of(maker))
    assert ("x", "RandomUniform", "shape") in drawn
    assert ("Relu", "Reshape", "data") in drawn
    assert ("x", "Reshape", "shape") not in drawn
    assert not {"Shape", "StridedSlice"} & set(ops(scene_of(maker)))


def test_a_switched_value_is_an_edge_and_its_condition_reaches_the_merge() -> None:
    maker = Maker()
    x, train = maker.placeholder(), maker.placeholder("train")
    yes = maker.node("Tanh", "cond/yes", maker.node("Switch", "cond/switch", x, train))
    no = maker.node("Neg", "cond/no", maker.node("Switch", "cond/switch_1", x, train))
    maker.sign({"x": x, "train": train}, {"y": maker.node("Merge", "cond/Merge", no, yes)})
    drawn = arrows(scene_of(maker))
    assert {("x", "Tanh", "data"), ("x", "Neg", "data"), ("train", "Merge", "condition")} <= drawn


def test_a_loop_of_the_first_kind_runs_from_its_head_to_its_result() -> None:
    maker = Maker()
    x = maker.placeholder()
    enter = maker.node("Enter", "while/Enter", x)
    head = maker.node("Merge", "while/Merge", enter, enter)
    cond = maker.node("LoopCond", "while/LoopCond", maker.node("Less", "while/Less", head, maker.const("while/limit")))
    switch = maker.node("Switch", "while/Switch", head, cond)
    body = maker.node("Tanh", "while/Tanh", switch)
    head.inputs = [enter.output(0), maker.node("NextIteration", "while/Next", body).output(0)]
    maker.sign({"x": x}, {"y": maker.node("Relu", "after", maker.node("Exit", "while/Exit", switch))})
    drawn = arrows(scene_of(maker))
    assert {("x", "Merge", "data"), ("Merge", "Tanh", "data"), ("Tanh", "Merge", "loop"), ("Tanh", "Relu", "data")} == {
        arrow for arrow in drawn if arrow[1] != "y"
    }


def test_waiting_is_drawn_between_what_is_drawn() -> None:
    maker = Maker()
    x = maker.placeholder()
    first = maker.dense("a", x)
    maker.sign({"x": x}, {"y": maker.node("Tanh", "b", x, controls=[first]), "z": first})
    assert ("Relu", "Tanh", "control") in arrows(scene_of(maker))


def test_a_small_graph_shows_its_constants() -> None:
    maker = Maker()
    x = maker.placeholder()
    maker.sign({"x": x}, {"y": maker.node("Mul", "mul", x, maker.const("half"))})
    assert ops(scene_of(maker)) == ["Const", "Mul"]


def test_an_unused_input_still_stands_in_the_picture() -> None:
    maker = Maker()
    x, spare = maker.placeholder(), maker.placeholder("spare")
    maker.sign({"x": x, "spare": spare}, {"y": maker.dense("d", x)})
    scene = scene_of(maker)
    assert {terminal.key: bool(terminal.box) for terminal in scene.inputs} == {"x": True, "spare": True}


def test_one_tensor_under_several_keys_is_one_box() -> None:
    maker = Maker()
    x = maker.placeholder()
    last = maker.dense("d", x)
    maker.sign({"x": x}, {"y": last, "scores": last})
    maker.sign({"inputs": x}, {"outputs": last}, key="predict")
    scene = scene_of(maker)
    (end,) = [box for box in scene.boxes if box.kind == "output"]
    assert (end.title, *end.lines) == ("y", "scores", "outputs", "float32 ?×4", "serving_default, predict")
    (start,) = [box for box in scene.boxes if box.kind == "input"]
    assert (start.title, start.lines[0]) == ("x", "inputs")


def test_a_composite_output_is_not_told_by_its_parts() -> None:
    maker = Maker()
    x = maker.placeholder()
    splits = maker.node("Range", "splits", x)
    maker.sign({"x": x}, {"y": maker.dense("d", x)})
    outputs = maker.metagraph.signatures["serving_default"].outputs
    parts = [Mention.of(outputs["y"].mention.target, "y"), Mention.of(splits.output(0), "y")]
    outputs["y"] = SignatureEntry(None, FLOAT32, None, components=parts)
    scene = scene_of(maker)
    (end,) = [box for box in scene.boxes if box.kind == "output"]
    assert end.lines == ("float32", "serving_default")
    assert [edge.label for edge in scene.edges if edge.target == end.id] == ["", ""]


def test_a_file_that_is_all_suffix_is_titled_with_its_folder() -> None:
    maker = Maker()
    x = maker.placeholder()
    maker.model.path = "runs/vgg/.meta"
    maker.sign({"x": x}, {"y": maker.dense("d", x)})
    assert scene_of(maker).title == "vgg/.meta"
