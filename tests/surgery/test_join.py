"""Joining: what is renamed, refused, and kept, on graphs that are made here. That numbers are right: `tests/oracle`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import graphsurgeon
from graphsurgeon import UnsupportedError, UsageError, read, surgery
from graphsurgeon.edit import edit
from graphsurgeon.formats import schema
from graphsurgeon.model import Model
from graphsurgeon.surgery.joining.names import default_prefix

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def written(path: Path, shape: str, *, dtype: str = "float32", frame: bool = False) -> Path:
    """Write a graph: y = Relu(x)."""
    made = graphsurgeon.new_model()
    x: Any = made.graph.add_node("Placeholder", "x", attrs={"dtype": dtype, "shape": shape})
    if frame:
        x = made.graph.add_node("Enter", "enter", [x], {"frame_name": b"loop"})
        x = made.graph.add_node("Exit", "exit", [x])
    made.graph.add_node("Relu", "y", [x])
    graphsurgeon.write(made, path)
    return path


def inputs_of(model: Model, name: str) -> list[str]:
    node = model.graph.node(name)
    assert node is not None
    return [str(value) for value in node.inputs]


def test_the_second_reads_the_first_and_only_what_collides_is_renamed(tmp_path: Path) -> None:
    first, second = read(written(tmp_path / "a.pb", "?,4")), read(written(tmp_path / "b.pb", "?,4"))
    report = surgery.join(first, second, connect={"y": "x"})
    assert report.connected == [("y:0", "x:0")]
    assert report.renamed == [("node", "x", "b/x"), ("node", "y", "b/y")]
    assert inputs_of(first, "b/y") == ["y:0"]
    assert first.graph.node("b/x") is None


def test_a_shape_that_the_second_knows_is_kept(tmp_path: Path) -> None:
    first, second = read(written(tmp_path / "a.pb", "?,?")), read(written(tmp_path / "b.pb", "?,4"))
    surgery.join(first, second, connect="y=x", prefix="behind")
    (name,) = inputs_of(first, "behind/y")
    node = first.graph.node(name.partition(":")[0])
    assert node is not None
    assert (node.op, str(node.attrs["shape"])) == ("EnsureShape", "[?,4]")


@pytest.mark.parametrize(
    ("shape", "dtype", "says"),
    [
        (
            "?,5",
            "float32",
            r"shapes do not fit: y:0 of .*a.pb is float32 \[\?,4\], and x:0 of .*b.pb takes float32 \[\?,5\]",
        ),
        ("?,4", "float64", r"dtypes do not fit: y:0 of .*a.pb is float32 .*, and x:0 of .*b.pb takes float64"),
        ("4", "float32", "shapes do not fit"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_changes(
    tmp_path: Path, shape: str, dtype: str, says: str
) -> None:
    first = read(written(tmp_path / "a.pb", "?,4"))
    second = read(written(tmp_path / "b.pb", shape, dtype=dtype))
    with pytest.raises(UsageError, match=says):
        surgery.join(first, second, connect={"y": "x"})
    assert [node.name for node in first.graph.nodes] == [node.name for node in second.graph.nodes] == ["x", "y"]


def test_loops_of_one_frame_name_stay_two(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pb", "?", frame=True)
    first = read(path)
    surgery.join(first, read(path), prefix="b")
    frames = {node.name: node.attrs["frame_name"] for node in first.graph.nodes if node.op == "Enter"}
    assert frames == {"enter": b"loop", "b/enter": b"b/loop"}


def test_unknown_names_and_one_input_given_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pb", "?,4")
    with pytest.raises(UsageError, match="no node 'z'"):
        surgery.join(read(path), read(path), connect={"z": "x"})
    with pytest.raises(UsageError, match="is given two tensors"):
        surgery.join(read(path), read(path), connect=["y=x", "x=x"])
    with pytest.raises(UsageError, match="not of the form OUT=IN"):
        surgery.join(read(path), read(path), connect="y")
    with pytest.raises(UsageError, match="cannot stand before names"):
        surgery.join(read(path), read(path), prefix="a b")


def test_what_is_of_other_ops_or_the_same_model_is_refused(tmp_path: Path) -> None:
    first = read(written(tmp_path / "a.pb", "?,4"))
    with pytest.raises(UnsupportedError, match="GraphDef and TFLite model cannot be joined"):
        surgery.join(first, read(FIXTURES / "tflite" / "float.tflite"))
    with pytest.raises(UsageError, match="with another one"):
        surgery.join(first, first)
    with pytest.raises(UnsupportedError, match="only a SavedModel"):
        surgery.join(first, read(tmp_path / "a.pb"), as_tags="train")


def test_variables_of_the_second_alone_and_weights_of_both_are_written(tmp_path: Path) -> None:
    first, second, out = tmp_path / "first", FIXTURES / "savedmodel" / "v1_while", tmp_path / "out"
    edit(written(tmp_path / "a.pb", "?,4"), [("add-signature", {"outputs": "y"})], output=first)
    edit(first, [("join", {"other": second})], output=out)
    theirs, ours = read(second).checkpoint, read(out).checkpoint
    assert theirs is not None
    assert ours is not None
    assert ours.variables.keys() == theirs.variables.keys()
    both = tmp_path / "both.pb"
    constants = FIXTURES / "graphdef" / "constants.pb"
    edit(constants, [("join", {"other": constants, "prefix": "second"})], output=both)
    source, result = read(constants).graph, read(both).graph
    names = [node.name for node in source.nodes if node.op == "Const"]
    assert names
    for name in names:
        found = [source.node(name), result.node(name), result.node(f"second/{name}")]
        assert len({node.attrs["value"].tobytes() for node in found if node is not None}) == 1
        assert None not in found


def test_what_was_changed_before_stays_changed(tmp_path: Path) -> None:
    first = read(written(tmp_path / "a.pb", "?,4"))
    y = first.graph.node("y")
    assert y is not None
    y.inputs = [first.graph.add_node("Neg", "z", [y.inputs[0]]).output()]
    surgery.rename(first, "x=w")
    surgery.join(first, read(tmp_path / "a.pb"), connect={"y": "x"}, prefix="b")
    assert [inputs_of(first, name) for name in ("y", "z", "b/y")] == [["z:0"], ["w:0"], ["y:0"]]


def test_a_wish_to_be_placed_with_what_goes_goes_too(tmp_path: Path) -> None:
    made = read(written(tmp_path / "a.pb", "?,4"))
    y = made.graph.node("y")
    assert y is not None
    y.attrs["_class"] = [b"loc:@x"]
    graphsurgeon.write(made, tmp_path / "b.pb")
    out = tmp_path / "out.pb"
    edit(tmp_path / "b.pb", [("join", {"other": tmp_path / "b.pb", "connect": "y=x", "prefix": "b"})], output=out)
    nodes = {node.name: node.attrs.get("_class") for node in read(out).graph.nodes}
    assert nodes == {"x": None, "y": [b"loc:@x"], "b/y": None}


def test_faults_that_the_second_had_are_no_reason_to_refuse(tmp_path: Path) -> None:
    model = FIXTURES / "savedmodel" / "v1_missing_entries"
    report = edit(model, [("join", {"other": model, "prefix": "second"})], output=tmp_path / "out")
    assert any("not sound, as in the source" in note for note in report.notes)


def test_which_signature_is_asked_of_which_model() -> None:
    one, several = FIXTURES / "savedmodel" / "linear", FIXTURES / "savedmodel" / "several_signatures"
    names = [key for key in read(several).metagraphs[0].signatures if not key.startswith("__")]
    with pytest.raises(UsageError, match=r"no signature 'z'.*several_signatures"):
        surgery.join(read(one), read(several), other_signature="z")
    model = read(several)
    for key in [key for key in names if key == "serving_default"]:
        surgery.rename(model, {key: "other"}, what="signatures")
    with pytest.raises(UsageError, match="several signatures") as error:
        surgery.join(read(one), model)
    assert "--other-signature" in (error.value.hint or "")


def test_joined_twice_no_name_is_there_twice(tmp_path: Path) -> None:
    path = written(tmp_path / "a.pb", "?,4")
    step = ("join", {"other": path, "connect": {"y": "x"}, "prefix": "b"})
    edit(path, [step, ("join", {"other": path, "connect": {"b/y": "x"}, "prefix": "b"})], output=tmp_path / "out.pb")
    result = read(tmp_path / "out.pb")
    assert [node.name for node in result.graph.nodes] == ["x", "y", "b/y", "b/b/y"]
    assert inputs_of(result, "b/b/y") == ["b/y:0"]


@pytest.mark.parametrize(
    ("path", "prefix"),
    [
        ("models/net.v2.pb", "net"),
        ("models/tokenizer/", "tokenizer"),
        ("served/resnet/3", "resnet"),
        ("a b-c.tflite", "a_b_c"),
        ("x/saved_model.pb", "x"),
        ("7", "model_7"),
    ],
)
def test_the_prefix_is_the_name_of_the_file(path: str, prefix: str) -> None:
    assert default_prefix(path) == prefix


def test_what_a_graph_says_of_itself_comes_along(tmp_path: Path) -> None:
    paths = [tmp_path / "a.meta", tmp_path / "b.meta"]
    for number, path in enumerate(paths):
        message = schema.message("tensorflow.MetaGraphDef")()
        message.meta_info_def.tags.append("serve")
        message.meta_info_def.function_aliases.update({"both": f"alias {number}", f"f{number}": "own"})
        message.graph_def.node.add(name=f"n{number}", op="NoOp")
        versions = message.graph_def.versions
        versions.producer, versions.min_consumer = 1000 + number, 12 + number
        path.write_bytes(message.SerializeToString())
    edit(paths[0], [("join", {"other": str(paths[1])})], output=tmp_path / "out.meta")
    joined = schema.message("tensorflow.MetaGraphDef").FromString((tmp_path / "out.meta").read_bytes())
    assert (joined.graph_def.versions.producer, joined.graph_def.versions.min_consumer) == (1001, 13)
    assert dict(joined.meta_info_def.function_aliases) == {"both": "alias 0", "f0": "own", "f1": "own"}


@pytest.mark.parametrize("second", ["cnn_float", "cnn_int8", "control_flow"])
def test_a_tflite_model_of_fewer_buffers_takes_one_of_more(tmp_path: Path, second: str) -> None:
    first, out = FIXTURES / "tflite" / "float.tflite", tmp_path / "both.tflite"
    other = FIXTURES / "tflite" / f"{second}.tflite"
    edit(first, [("join", {"other": other})], output=out)  # which checks what it has made
    kept = {value.tensor.numpy().tobytes() for graph in read(out).graphs for value in graph.values if value.tensor}
    assert kept >= {v.tensor.numpy().tobytes() for graph in read(other).graphs for v in graph.values if v.tensor}
