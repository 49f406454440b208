"""What an error advises is done here as it stands, and works."""

from __future__ import annotations

import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import GS

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
        "convert graphdef/linear.pb OUT/x.foo",
        "",
        ["convert graphdef/linear.pb OUT/x.foo/", "convert graphdef/linear.pb OUT/y.foo --format saved_model"],
    ),
]


@pytest.mark.parametrize(("refused", "advice", "way"), HINTS, ids=[hint[0] for hint in HINTS])
def test_the_way_that_an_error_tells_works(
    refused: str, advice: str, way: list[str], gs: GS, tmp_path: Path, fixtures_dir: Path
) -> None:
    result = gs(*words(refused, tmp_path))
    assert result.status in (2, 4)
    assert result.err.count("\n") == 1
    assert advice.replace("OUT/", f"{tmp_path}/") in result.err
    for step in way:
        done = gs(*words(step, tmp_path))
        assert done.status == 0, (step, done.err)


def words(command: str, folder: Path) -> list[str]:
    return [word.replace("OUT", str(folder)) for word in shlex.split(command)]


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
