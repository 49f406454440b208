"""What an error advises is done here as it stands, and works."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import pytest

from graphsurgeon.analysis.stored_weights import weights
from graphsurgeon.model import tensor
from tests.cli.conftest import GS
from tests.cli.hint_cases import ELSEWHERE, NOT_TRIED, REFUSALS
from tests.cli.hint_cases_check import CHECKS
from tests.cli.hint_cases_files import FILES
from tests.cli.hint_models import MODELS
from tests.cli.hints import Case, Hint, hints

# What is refused, what the message says of the way out, and that way, step by step. OUT is a folder of the test's own.
HINTS = [
    (
        "strip graphdef/cnn.pb -o OUT/m.h5",
        "gs add-signature graphdef/cnn.pb --output KEY=TENSOR -o OUT/m/ makes a SavedModel, which keras",
        ["add-signature graphdef/cnn.pb --output KEY=Identity:0 -o OUT/m/"],
    ),
    (
        "strip savedmodel/linear -o OUT/m.params",
        "-o OUT/m/ writes a SavedModel, and gs convert OUT/m/ OUT/m.onnx makes what other frameworks read",
        ["strip savedmodel/linear -o OUT/m/"],
    ),
    (
        "strip savedmodel/linear -o OUT/w.npz",
        "gs convert savedmodel/linear OUT/w.npz writes the weights alone",
        ["convert savedmodel/linear OUT/w.npz"],
    ),
    (
        "convert metagraph/face_resnet/model-1.meta OUT/w.npz --checkpoint checkpoint/name_based",
        "gs convert checkpoint/name_based OUT/w.npz writes them",
        ["convert checkpoint/name_based OUT/w.npz"],
    ),
    (
        "freeze savedmodel/linear --outputs MatMul -o OUT/f.pb",
        "`gs add-output MODEL MatMul=NAME -o OUT` carries it out; freeze OUT with --outputs NAME",
        ["add-output savedmodel/linear MatMul=NAME -o OUT/m", "freeze OUT/m --outputs NAME -o OUT/f.pb"],
    ),
    (
        "freeze metagraph/face_resnet -o OUT/f.pb",
        "choose --outputs logits/MatMul:0",
        [
            "freeze metagraph/face_resnet --outputs logits/MatMul:0 -o OUT/f.pb --set train_phase=false"
            " --set train_phase_last=false"
        ],
    ),
    (
        "rename checkpoint/v1 --prefix a/ -o OUT/ck",
        "a V1 checkpoint can be read but not written; gs convert it first",
        ["convert checkpoint/v1 OUT/v2.ckpt", "rename OUT/v2.ckpt --prefix a/ -o OUT/ck"],
    ),
    (
        "extract checkpoint/v1 --match * -o OUT/ck",
        "gs convert it first",
        ["convert checkpoint/v1 OUT/v2.ckpt", "extract OUT/v2.ckpt --match * -o OUT/ck"],
    ),
    (
        "attach-checkpoint savedmodel/linear checkpoint/name_based -o OUT/m",
        "gs convert takes the graph out of a SavedModel: MODEL graph.meta",
        ["convert savedmodel/v1_tag_sets OUT/graph.meta", "attach-checkpoint OUT/graph.meta OUT/graph -o OUT/m"],
    ),
    (
        "show graphdef/unfrozen",
        "give one of graphdef/unfrozen/weights graphdef/unfrozen/graph.pbtxt",
        ["show graphdef/unfrozen/weights", "show graphdef/unfrozen/graph.pbtxt"],
    ),
    (
        "freeze tflite/float.tflite -o OUT/f.pb",
        "the weights of a TFLite model are constants already; gs weights lists them",
        ["weights tflite/float.tflite"],
    ),
    (
        "extract graphdef/linear.pb -o OUT/f.pb",
        "give --outputs A,B (gs outputs lists likely ones)",
        ["outputs graphdef/linear.pb", "extract graphdef/linear.pb --outputs Identity:0 -o OUT/f.pb"],
    ),
    (
        "set-input graphdef/linear.pb --shape Identity=2,3 -o OUT/f.pb",
        "gs inputs lists them",
        ["inputs graphdef/linear.pb"],
    ),
    (
        "rename savedmodel/linear output_0=scores -o OUT/m",
        "--what keys serving_default.output_0=scores",
        ["rename savedmodel/linear --what keys serving_default.output_0=scores -o OUT/m"],
    ),
    (
        "rename savedmodel/v1_tag_sets train=fit -o OUT/m",
        "",
        ["rename savedmodel/v1_tag_sets --what tags train=fit -o OUT/m"],
    ),
    (
        "inputs checkpoint/name_based",
        "gs weights lists its variables",
        ["weights checkpoint/name_based"],
    ),
    (
        "add-signature savedmodel/v1_text --output scores=y -o OUT/m",
        "--replace replaces it",
        ["add-signature savedmodel/v1_text --output scores=y -o OUT/m --replace"],
    ),
    (
        "rename checkpoint/name_based --prefix a/ -o OUT/w.npz",
        "-o OUT/w.ckpt writes a checkpoint, and gs convert OUT/w.ckpt OUT/w.npz makes it",
        ["rename checkpoint/name_based --prefix a/ -o OUT/w.ckpt", "convert OUT/w.ckpt OUT/w.npz"],
    ),
    (
        "weights tflite/float.tflite --match MatMul",
        "no weight matches 'MatMul'; --all takes small constants too",
        ["weights tflite/float.tflite --match MatMul --all"],
    ),
    (
        "convert graphdef/linear.pb OUT/x.foo",
        "",
        ["convert graphdef/linear.pb OUT/x.foo/", "convert graphdef/linear.pb OUT/y.foo --format saved_model"],
    ),
]


CASES = [*(Case(*hint) for hint in HINTS), *REFUSALS, *FILES, *CHECKS]


@pytest.mark.parametrize(
    "case",
    [pytest.param(one, marks=[getattr(pytest.mark, mark) for mark in one.needs], id=one.command) for one in CASES],
)
def test_what_is_advised_works(case: Case, gs: GS, tmp_path: Path) -> None:
    result = gs(*words(case.command, tmp_path))
    said = result.err + result.out
    assert case.advice.replace("OUT/", f"{tmp_path}/").replace("{OUT}", "OUT") in said
    if result.err:
        assert result.err.count("\n") == 1
    for step in case.way:
        done = gs(*words(step.removeprefix("1: "), tmp_path))
        assert done.status == step.startswith("1: "), (step, done.err + done.out)
        assert not case.command.startswith("check ") or case.advice not in done.out, step


def test_every_hint_that_holds_a_command_is_run() -> None:
    """A text that stands in several places is run as often, since each leads there on its own way."""
    found: dict[str, list[Hint]] = {}
    for hint in hints():
        found.setdefault(hint.text, []).append(hint)
    left = []
    for text, places in found.items():
        cases = [case for case in CASES if places[0].is_in(case.advice.replace("{OUT}", "OUT"))]
        run = [
            case for case in cases if places[0].commands <= {step.removeprefix("1: ").split()[0] for step in case.way}
        ]
        if len(run) + (text in ELSEWHERE or text in NOT_TRIED) < len(places):
            left.append((text, [place.where for place in places], len(run)))
    assert not left, "\n".join(map(str, left))


@pytest.mark.parametrize("text", ELSEWHERE)
def test_what_another_test_runs_is_run_there(text: str) -> None:
    """It asserts a part of the hint and runs the command, or the operation of that name."""
    path, _, name = ELSEWHERE[text].partition("::")
    source = (Path(__file__).resolve().parents[1] / path).read_text("utf-8")
    body = source[source.index(f"def {name}(") :].partition("\n\n\n")[0]
    assert any(hint.text == text for hint in hints())
    for command in Hint("", text).commands:
        assert re.search(command.replace("-", "[-_]"), body), command


def words(command: str, folder: Path) -> list[str]:
    """Return the arguments of a command; models that it names are made."""
    for name in re.findall(r"OUT/([\w.]+)", command):
        if name in MODELS and not any(folder.glob(f"{name}*")):
            MODELS[name](folder / name)
    return [word.replace("OUT", str(folder)) for word in shlex.split(command)]


def test_weights_that_claim_too_much(gs: GS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With bounds so low that little is too much: what the bounds are stands in their own tests."""
    MODELS["filled_up.pbtxt"](tmp_path / "m.pbtxt")
    monkeypatch.setattr(tensor, "MOST_HELD", 1000)
    assert (
        "gs weights --checksum and gs diff read them block"
        in gs("weights", tmp_path / "m.pbtxt", "--values", "one").err
    )
    assert gs("weights", tmp_path / "m.pbtxt", "--checksum").status == 0
    assert gs("diff", tmp_path / "m.pbtxt", tmp_path / "m.pbtxt").status == 0
    monkeypatch.setattr(weights, "MOST_REPEATED", -64 * (tmp_path / "m.pbtxt").stat().st_size + 10_000)
    result = gs("weights", tmp_path / "m.pbtxt", "--checksum")
    assert "read single ones, with gs weights --match" in result.err
    assert gs("weights", tmp_path / "m.pbtxt", "--match", "one", "--checksum").status == 0


@pytest.mark.tensorflow
@pytest.mark.litert
def test_a_tflite_model_is_made_in_the_two_steps_that_are_told(gs: GS, tmp_path: Path) -> None:
    result = gs("strip", "savedmodel/linear", "-o", tmp_path / "m.tflite")
    assert f"gs convert {tmp_path}/m/ {tmp_path}/m.tflite makes it" in result.err
    assert gs("strip", "savedmodel/linear", "-o", f"{tmp_path}/m/").status == 0
    assert gs("convert", f"{tmp_path}/m/", tmp_path / "m.tflite").status == 0


def test_a_tensor_of_a_loop_is_told_to_be_none_that_can_be_had(gs: GS, tmp_path: Path) -> None:
    result = gs("freeze", "savedmodel/control_flow", "--outputs", "while/MatMul", "-o", tmp_path / "f.pb")
    assert "'while' (While)" in result.err
    assert "the outputs of 'while' can be had" in result.err
    assert "add-output" not in result.err


def test_models_of_several_checkpoints_are_named(gs: GS, tmp_path: Path, fixtures_dir: Path) -> None:
    for name in ("one.tflite", "two.tflite"):
        shutil.copyfile(fixtures_dir / "tflite" / "float.tflite", tmp_path / name)
    result = gs("show", tmp_path)
    proposed = [word for word in shlex.split(result.err) if word.endswith(".tflite")]
    assert len(proposed) == 2
    assert all(gs("show", path).status == 0 for path in proposed)


@pytest.mark.parametrize(
    ("command", "listed"),
    [
        ("show tflite/float.tflite --signature qq", "there is serving_default"),
        ("extract tflite/float.tflite --signature qq -o OUT/m", "there is --signature serving_default"),
        ("set-output tflite/float.tflite --dtype qq=int8 -o OUT/m", "there is output_0, StatefulPartitionedCall:0"),
        ("set-input tflite/float.tflite --shape qq=1,4 -o OUT/m", "there is serving_default_x:0, x"),
        (
            "add-output tflite/float.tflite qq=y -o OUT/m",
            "there is serving_default_x:0, MatMul, add, MatMul;add, StatefulPartitionedCall:0",
        ),
        (
            "rename tflite/float.tflite --what keys qq=y -o OUT/m",
            "there is serving_default.x, serving_default.output_0",
        ),
        ("set-weights tflite/float.tflite qq=1 -o OUT/m", "there is MatMul, add"),
        ("weights tflite/float.tflite --match qq", "there is #1, #2, MatMul, add"),
        ("freeze savedmodel/linear --outputs qq -o OUT/m", "there is --outputs output_0"),
        ("set-input savedmodel/linear --shape qq=1 -o OUT/m", "there is serving_default_x, x"),
        (
            "add-signature savedmodel/linear --name n --output y=StatefulPartitionedCall --input x=qq -o OUT/m",
            "there is b, b/Read/ReadVariableOp, w, w/Read/ReadVariableOp, serving_default_x,"
            " StatefulPartitionedCall, NoOp, Const and 2 more",
        ),
        (
            "rename checkpoint/name_based qq=z -o OUT/m",
            "there is beta1_power, beta2_power, dense/bias, dense/bias/Adam, dense/bias/Adam_1, dense/kernel,"
            " dense/kernel/Adam, dense/kernel/Adam_1 and 1 more",
        ),
        ("find graphdef/linear.pb --op Qq", "there is AddV2, Const, Identity"),
    ],
)
def test_a_name_that_is_near_to_none_is_answered_with_what_there_is(
    command: str, listed: str, gs: GS, tmp_path: Path
) -> None:
    result = gs(*words(command, tmp_path))
    assert result.status in (1, 2)
    assert result.err.count("\n") == 1
    assert listed in result.err


# Of edits that files of other frameworks are given, all say what is done instead, and that works.
EDITS = (
    "strip F -o OUT/m", "freeze F -o OUT/m.pb", "rename F --prefix a/ -o OUT/m", "add-output F a=b -o OUT/m",
    "set-input F --shape a=1 -o OUT/m", "extract F --outputs a -o OUT/m", "optimize F -o OUT/m",
    "add-signature F --output y=a -o OUT/m", "remove-signature F a -o OUT/m", "set-weights F a=1 -o OUT/m",
    "join F F --connect a=b -o OUT/m", "rewire F a=b -o OUT/m", "set-output F --dtype a=int8 -o OUT/m",
    "replace F --rule older-ops -o OUT/m", "attach-checkpoint F checkpoint/name_based -o OUT/m",
)  # fmt: skip


OTHERS = {
    "model.onnx": "make it one of TensorFlow first: gs convert MODEL.onnx OUT/",
    "net-symbol.json": "gs convert makes it one of TensorFlow or ONNX",
    "deploy.prototxt": "gs convert makes it one of TensorFlow or ONNX",
    "mmdnn_ir.pb": "give the model that it was converted from",
}


@pytest.mark.parametrize(
    ("name", "command"), [*(("model.onnx", edit) for edit in EDITS), *((name, EDITS[0]) for name in OTHERS)]
)
def test_models_of_others_are_not_edited(name: str, command: str, gs: GS, tmp_path: Path) -> None:
    result = gs(*words(command.replace("F", f"hostile/foreign/{name}"), tmp_path))
    assert result.status == 4
    assert result.err.count("\n") == 1
    assert "has ops of its own framework" in result.err
    assert OTHERS[name] in result.err


@pytest.mark.parametrize("command", ["average dk F -o OUT/m.ckpt", "merge dk F -o OUT/m.ckpt"])
def test_a_model_in_the_place_of_a_checkpoint_is_called_what_it_is(command: str, gs: GS, tmp_path: Path) -> None:
    command = command.replace("dk", "checkpoint/name_based")
    result = gs(*words(command.replace("F", "savedmodel/linear"), tmp_path))
    assert result.status == 2
    assert "it is a SavedModel, no checkpoint; gs convert MODEL weights.ckpt --format checkpoint takes" in result.err
    taken = gs("convert", "savedmodel/linear", tmp_path / "weights.ckpt", "--format", "checkpoint")
    assert taken.status == 0
    result = gs(*words(command.replace("F", "hostile/foreign/model.onnx"), tmp_path))
    assert "it is an ONNX model, no checkpoint" in result.err
