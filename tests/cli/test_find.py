"""`gs find`, `gs inputs` and `gs outputs`: filters, output, status."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import GS

FACE = "metagraph/face_resnet/model-1.meta"


def names(gs: GS, *arguments: str) -> list[str]:
    return [value["name"] for value in gs("find", *arguments, "--json").json["values"]]


def test_every_output_of_every_node(gs: GS) -> None:
    values = gs("find", "graphdef/linear.pb", "--json").json["values"]
    assert values[0] == {
        "name": "x:0", "op": "Placeholder", "graph": "", "tags": None, "dtype": "float32", "shape": [None, 4],
        "node": "x",
    }  # fmt: skip
    assert {value["op"] for value in values} == {"Placeholder", "Const", "Identity", "MatMul", "AddV2", "Softmax"}


def test_shape_in_every_spelling(gs: GS) -> None:
    found = names(gs, FACE, "--shape", "?,512")
    assert "E_BN2/Reshape_1:0" in found
    for spelling in ("None,512", "(None, 512)", "[-1,512]", "-1,512"):
        assert names(gs, FACE, f"--shape={spelling}") == found


def test_functions_are_searched_too(gs: GS) -> None:
    values = gs("find", "savedmodel/linear", "--op", "MatMul", "--json").json["values"]
    assert {value["tags"][0] for value in values} == {"serve"}
    assert all(value["graph"].startswith("__inference_") for value in values)
    assert gs("find", "savedmodel/linear", "--op", "MatMul", "--graph", "main").status == 1


def test_all_meta_graphs_are_searched_unless_told(gs: GS) -> None:
    every = gs("find", "savedmodel/v1_tag_sets", "--op", "Softmax", "--json").json["values"]
    one = gs("find", "savedmodel/v1_tag_sets", "--op", "Softmax", "--tags", "serve,gpu", "--json").json["values"]
    assert [value["tags"] for value in one] == [["serve", "gpu"]]
    assert one[0] in every


def test_neighbours(gs: GS) -> None:
    assert names(gs, "graphdef/linear.pb", "--consumers-of", "x") == ["MatMul:0"]
    assert len(names(gs, "graphdef/linear.pb", "--consumers-of", "x", "--depth", "2")) == 2
    assert "x:0" in names(gs, "graphdef/linear.pb", "--producers-of", "MatMul")


def test_lists_of_names(gs: GS) -> None:
    assert names(gs, "graphdef/linear.pb", "--op", "MatMul,Softmax") == names(
        gs, "graphdef/linear.pb", "--op", "MatMul", "--op", "Softmax"
    )


def test_tflite_names_may_hold_commas_and_colons(gs: GS) -> None:
    values = gs("find", "tflite/odd_names.tflite", "--json").json["values"]
    assert any("," in value["name"] for value in values)
    for value in values:
        if "\\" in value["name"]:  # bytes that are no UTF-8: by index only
            continue
        found = gs("find", "tflite/odd_names.tflite", f"--name={value['name']}", "--json").json["values"]
        assert value in found


def test_count(gs: GS) -> None:
    assert gs("find", "graphdef/linear.pb", "--op", "Const", "--count").out == "2\n"
    assert gs("find", "graphdef/linear.pb", "--op", "Const", "--count", "--json").json == {"schema": 1, "count": 2}


def test_rows_in_a_pipe(gs: GS) -> None:
    assert gs("find", "graphdef/linear.pb", "--op", "MatMul").out == "MatMul:0  float32  [?,3]  MatMul\n"


@pytest.mark.parametrize(
    ("options", "hint"),
    [
        (["--name", "mat"], "; did you mean '*Mat*'?"),
        (["--op", "Matmul"], "; did you mean '*MatMul*'?"),
        (["--op", "SoftMaks"], "; did you mean 'Softmax'?"),
        (["--shape", "9,9"], ""),
    ],
)
def test_nothing_matches(gs: GS, options: list[str], hint: str) -> None:
    result = gs("find", "graphdef/linear.pb", *options)
    assert (result.status, result.out, result.err) == (1, "", f"gs: nothing matches{hint}\n")
    assert json.loads(gs("find", "graphdef/linear.pb", *options, "--json").out) == {"schema": 1, "values": []}


def test_what_may_match_is_hinted_at(gs: GS) -> None:
    result = gs("find", "graphdef/linear.pb", "--shape", "7,4")
    assert result.status == 1
    assert "may have that shape: add --maybe" in result.err
    assert "x:0" in names(gs, "graphdef/linear.pb", "--shape", "7,4", "--maybe")


def test_assume(gs: GS) -> None:
    assert "MatMul:0" in names(gs, "graphdef/linear.pb", "--assume", "x=7,4", "--shape", "7,3")
    wrong = gs("find", "graphdef/linear.pb", "--assume", "x=7,y")
    assert (wrong.status, wrong.out) == (2, "")
    assert "--assume x=7,y: 'y' is no dimension" in wrong.err
    unknown = gs("find", "graphdef/linear.pb", "--assume", "nope=1")
    assert unknown.status == 2


def test_uninferred(gs: GS) -> None:
    assert names(gs, "graphdef/custom_op.pbtxt", "--uninferred")


def test_the_embedding_is_the_first_output_of_its_shape(gs: GS) -> None:
    outputs = gs("outputs", FACE, "--shape", "None,512", "--json").json["outputs"]
    assert outputs[0]["name"] == "E_BN2/Reshape_1:0"
    assert outputs[0]["why"]
    scores = [output["score"] for output in outputs]
    assert scores == sorted(scores, reverse=True)


def test_inputs_come_with_roles_and_reasons(gs: GS) -> None:
    inputs = gs("inputs", FACE, "--json").json["inputs"]
    assert inputs[0]["name"] == "input_image:0"
    assert {fact["role"] for fact in inputs} >= {"feed", "switch"}
    assert "input_image:0" in gs("inputs", FACE).out.splitlines()[0]


def test_best_ten_unless_all(gs: GS) -> None:
    few = gs("outputs", FACE, "--dtype", "float32")
    assert len(few.out.splitlines()) == 10
    assert few.err.endswith(" more with --all\n")
    assert len(gs("outputs", FACE, "--dtype", "float32", "--all").out.splitlines()) > 10


def test_tflite_inputs_and_outputs_are_stored(gs: GS) -> None:
    [fact] = gs("inputs", "tflite/float.tflite", "--json").json["inputs"]
    assert fact["name"] == "serving_default_x:0"
    [fact] = gs("outputs", "tflite/float.tflite", "--json").json["outputs"]
    assert fact["name"] == "StatefulPartitionedCall:0"


def test_no_candidates(gs: GS) -> None:
    result = gs("outputs", "graphdef/constants.pb")
    assert (result.status, result.out) == (1, "")
    assert result.err == "gs: no likely outputs; gs find lists every value\n"


def test_nodes_without_outputs_where_an_op_or_a_name_asks(gs: GS) -> None:
    asked = ("find", "savedmodel/linear", "--graph", "__inference__traced_restore*", "--json")
    values = gs(*asked, "--op", "AssignVariableOp").json["values"]
    assert [(value["name"], value["node"], value["dtype"], value["shape"]) for value in values] == [
        ("AssignVariableOp", "AssignVariableOp", None, None), ("AssignVariableOp_1", "AssignVariableOp_1", None, None),
    ]  # fmt: skip
    assert {value["op"] for value in gs(*asked, "--name", "*AssignVariableOp_1").json["values"]} == {"AssignVariableOp"}
    assert not {"AssignVariableOp", "NoOp"} & {value["op"] for value in gs(*asked).json["values"]}
    assert gs(*asked, "--op", "NoOp", "--dtype", "float32").status == 1
    shown = gs("find", "savedmodel/linear", "--op", "SaveV2,MergeV2Checkpoints").out.splitlines()
    assert [line.split()[1:3] for line in shown] == [["-", "-"]] * 2


def test_tflite_operators_without_outputs(gs: GS) -> None:
    values = gs("find", "tflite/variables.tflite", "--op", "ASSIGN_VARIABLE", "--json").json["values"]
    assert {(value["dtype"], value["shape"], value.get("index")) for value in values} == {(None, None, None)}
