"""`gs freeze` and `gs set-input`: what they tell, and that a refusal is one line and leaves nothing behind."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.cli.common import split_pairs
from graphsurgeon.formats import schema
from tests.cli.conftest import GS

FACE = "metagraph/face_resnet/model-1.meta"
UNFROZEN = "graphdef/unfrozen"


def test_json_maps_keys_to_tensors(gs: GS, tmp_path: Path) -> None:
    report = gs("freeze", "savedmodel/linear", "-o", tmp_path / "frozen.pb", "--json").json
    assert (report["feeds"], report["fetches"]) == ({"x": "x:0"}, {"output_0": "output_0:0"})
    assert (report["variables"], report["variable_bytes"], report["written"]) == (2, 60, True)


def test_a_dry_run_tells_the_same_and_writes_nothing(gs: GS, tmp_path: Path) -> None:
    dry = gs("freeze", "savedmodel/linear", "-o", tmp_path / "frozen.pb", "--dry-run").out
    assert not list(tmp_path.iterdir())
    wet = gs("freeze", "savedmodel/linear", "-o", tmp_path / "frozen.pb").out
    assert dry.replace("would write", "wrote") == wet


@pytest.mark.parametrize("suffix", [".pb", ".pbtxt", ".meta", ""])
def test_every_target_reads_back_without_variables(suffix: str, gs: GS, tmp_path: Path) -> None:
    target = tmp_path / f"frozen{suffix}"
    assert gs("freeze", "savedmodel/control_flow", "-o", target, "-q").status == 0
    model = read(target)
    assert not {"VarHandleOp", "ReadVariableOp"} & {op for graph in model.graphs for op in graph.op_counts}
    assert model.checkpoint is None or not model.checkpoint.variables


def test_a_checkpoint_elsewhere(gs: GS, tmp_path: Path) -> None:
    line = ("freeze", f"{UNFROZEN}/graph.pbtxt", "--outputs", "scores", "-o", tmp_path / "frozen.pb")
    alone = gs(*line)
    assert (alone.status, alone.err.count("\n")) == (3, 1)
    assert "6 variables have no value, such as 'conv/weights': there is no checkpoint; give --checkpoint" in alone.err
    assert gs(*line, "--checkpoint", f"{UNFROZEN}/weights", "--set", "train_phase=false").status == 0
    assert gs("freeze", tmp_path / "frozen.pb", "--outputs", "scores", "-o", tmp_path / "again.pb").status == 0


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"last/weights"', '"last/weight"', "no value for variable 'last/weight'; did you mean 'last/weights'"),
        ("size: 2", "size: 5", "'last/weights': the graph asks for shape [1,1,4,5], stored is [1,1,4,2]"),
        ("DT_FLOAT", "DT_HALF", "the graph asks for float16, stored is float32"),
    ],
)
def test_values_that_do_not_fit(old: str, new: str, message: str, gs: GS, tmp_path: Path) -> None:
    text = Path(UNFROZEN, "graph.pbtxt").read_text("utf-8")
    (tmp_path / "graph.pbtxt").write_text(text.replace(old, new), "utf-8")
    line = ("freeze", tmp_path / "graph.pbtxt", "--checkpoint", f"{UNFROZEN}/weights", "--outputs", "scores")
    result = gs(*line, "-o", tmp_path / "frozen.pb")
    assert (result.status, result.out, result.err.count("\n")) == (3, "", 1)
    assert message in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["graph.pbtxt"]


@pytest.mark.parametrize(
    ("values", "pairs"),
    [
        (["a=1.0,b=false", "c=2"], ["a=1.0", "b=false", "c=2"]),
        (["x=?,224,224,3,y=None,8"], ["x=?,224,224,3", "y=None,8"]),
        (['words=["k=v","w=x"],n=[1,2]'], ['words=["k=v","w=x"]', "n=[1,2]"]),
        (["conv,bias:0=1,2"], ["conv,bias:0=1,2"]),
        (["a==1", "no pair"], ["a==1", "no pair"]),
        (None, []),
    ],
)
def test_pairs_between_commas(values: list[str] | None, pairs: list[str]) -> None:
    assert split_pairs(values) == pairs


def test_values_between_commas(gs: GS, tmp_path: Path) -> None:
    together = ("--set", "train_phase=false,train_phase_last=false")
    apart = ("--set", "train_phase=false", "--set", "train_phase_last=false")
    for name, values in (("together.pb", together), ("apart.pb", apart)):
        assert gs("freeze", FACE, "--outputs", "E_BN2/Reshape_1", *values, "-o", tmp_path / name).status == 0
    assert (tmp_path / "together.pb").read_bytes() == (tmp_path / "apart.pb").read_bytes()


def test_a_damaged_shard(gs: GS, tmp_path: Path) -> None:
    shutil.copytree("savedmodel/linear", tmp_path / "model")
    shard = tmp_path / "model" / "variables" / "variables.data-00000-of-00001"
    data = bytearray(shard.read_bytes())
    data[3] ^= 1
    shard.write_bytes(data)
    result = gs("freeze", tmp_path / "model", "-o", tmp_path / "frozen.pb")
    assert (result.status, result.err.count("\n")) == (3, 1)
    assert "do not match" in result.err
    assert "variables.data-00000-of-00001" in result.err
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((FACE,), "there is no signature to tell what comes out; choose --outputs "),
        ((FACE, "--outputs", "logits/MatMull"), "no tensor and no signature output 'logits/MatMull'; did you mean"),
        ((FACE, "--outputs-by-shape", "None,77"), "no output of the main graph has the shape None,77"),
        ((FACE, "--outputs", "zzz"), "signature output 'zzz'; gs outputs lists the likely ones"),
        (("savedmodel/linear", "--outputs", "zzz"), "signature output 'zzz'; there is --outputs output_0"),
        (("savedmodel/linear", "--signature", "zzz"), "no signature 'zzz'; there is --signature serving_default"),
        (("savedmodel/linear", "--keep-vars", "x("), "'x(' is not a regular expression"),
        (("savedmodel/v1_unfed_placeholder",), "--set is_training=VALUE"),
    ],
)
def test_wrong_use_is_one_line(arguments: tuple[str, ...], message: str, gs: GS, tmp_path: Path) -> None:
    result = gs("freeze", *arguments, "-o", tmp_path / "frozen.pb")
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert message in result.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("source", ["tflite/float.tflite", "checkpoint/snappy"])
def test_what_freeze_does_not_apply_to(source: str, gs: GS, tmp_path: Path) -> None:
    result = gs("freeze", source, "-o", tmp_path / "frozen.pb")
    assert (result.status, result.err.count("\n")) == (4, 1)


def test_gradients_of_functions_that_are_gone_are_no_matter(gs: GS, tmp_path: Path) -> None:
    result = gs("freeze", "savedmodel/v1_functions", "-o", tmp_path / "frozen.pb")
    assert result.status == 0
    assert "warning" not in result.out


@pytest.mark.parametrize("model", ["graphdef/linear.pb", "tflite/float.tflite"])
def test_a_wrong_shape_names_the_option_that_was_typed(gs: GS, tmp_path: Path, model: str) -> None:
    result = gs("set-input", model, "--shape", "x=a,1", "-o", tmp_path / "out")
    assert (result.status, result.err.count("\n")) == (2, 1)
    assert "--shape x=a,1: 'a' is no dimension" in result.err
    assert "--assume" not in result.err


def test_an_input_inside_a_function_is_told_with_the_command_that_can(gs: GS, tmp_path: Path) -> None:
    found = gs("find", "savedmodel/linear", "--op", "MatMul", "--json").json["values"][0]
    name = found["name"]
    for line in (
        ("freeze", "savedmodel/linear", "--inputs", name),
        (
            "add-signature",
            "savedmodel/linear",
            "--name",
            "part",
            "--input",
            f"x={name}",
            "--output",
            "y=StatefulPartitionedCall",
        ),
    ):
        result = gs(*line, "-o", tmp_path / "out")
        assert (result.status, result.err.count("\n")) == (2, 1)
        assert "is a node of function" in result.err
        assert "gs extract" in result.err
    cut = ("--inputs", f"{name}=x", "--outputs", "Softmax=y")
    assert gs("extract", "savedmodel/linear", *cut, "-o", tmp_path / "part").status == 0


@pytest.mark.parametrize(
    ("output", "op"), [("save/restore_all:0", "NoOp"), ("save/RestoreV2/shape_and_slices:1", "Const")]
)
def test_an_output_that_its_op_does_not_have(output: str, op: str, gs: GS, fixtures_dir: Path, tmp_path: Path) -> None:
    source, folder = fixtures_dir / "savedmodel/v1_table_main_op", tmp_path / "m"
    shutil.copytree(source, folder)
    message = schema.message("tensorflow.SavedModel").FromString((source / "saved_model.pb").read_bytes())
    for info in message.meta_graphs[0].signature_def["serving_default"].outputs.values():
        info.name = output
    (folder / "saved_model.pb").write_bytes(message.SerializeToString())
    told = gs("freeze", folder, "-o", tmp_path / "frozen.pb")
    assert (told.status, told.err.count("\n")) == (3, 1)
    assert f"'{output}' has no type that is known: {op} has no such output" in told.err
    assert not (tmp_path / "frozen.pb").exists()
