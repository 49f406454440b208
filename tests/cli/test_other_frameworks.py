"""Commands on files of other frameworks: what looks works, what edits is refused with what does it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

from graphsurgeon.encoding import hdf5
from graphsurgeon.formats.keras.archive import BytesWindow
from tests.cli.conftest import GS
from tests.formats.caffe.test_caffe import NET as CAFFE
from tests.formats.keras.test_keras import archive, functional, layer, small_model, source, write_h5
from tests.formats.mmdnn.test_mmdnn import WEIGHTS, graph, npy
from tests.formats.mxnet.test_mxnet import NET as MXNET
from tests.formats.mxnet.test_mxnet import array, parameters
from tests.test_start_up import BLOCK

# file -> format, op that is there, weights as `gs weights` counts them
FORMATS = {
    "keras/m.h5": ("keras", "Dense", 4),
    "archive/m.keras": ("keras", "Dense", 4),
    "mxnet/m-symbol.json": ("mxnet", "Convolution", 2),
    "caffe/m.caffemodel": ("caffe", "Convolution", 2),
    "mmdnn/m.json": ("mmdnn", "Conv", 2),
}


@pytest.fixture
def models(tmp_path: Path) -> Path:
    for name in FORMATS:
        (tmp_path / name).parent.mkdir()
    write_h5(tmp_path / "keras/m.h5", small_model())
    archive(tmp_path / "archive/m.keras")
    (tmp_path / "archive/m.h5").unlink()
    (tmp_path / "mxnet/m-symbol.json").write_text(MXNET)
    arrays = [array(np.arange(108, dtype="f4").reshape(4, 3, 3, 3)), array(np.ones(4, "f4"))]
    (tmp_path / "mxnet/m-0001.params").write_bytes(parameters(arrays, ["arg:conv_weight", "arg:conv_bias"]))
    (tmp_path / "caffe/m.caffemodel").write_bytes(CAFFE)
    (tmp_path / "mmdnn/m.json").write_text(json.dumps(graph()))
    npy(tmp_path / "mmdnn/m.npy", WEIGHTS)
    return tmp_path


@pytest.mark.parametrize("name", FORMATS)
def test_what_looks_works(gs: GS, models: Path, name: str) -> None:
    format, op, count = FORMATS[name]
    model = models / name
    shown = gs("show", model, "--json").json
    assert shown["format"] == format
    assert shown["graphs"][0]["inputs"][0]["role"] == "feed"
    assert gs("show", model).status == 0
    found = gs("find", model, "--op", op, "--json").json["values"]
    assert {value["op"] for value in found} == {op}
    assert len({value["node"] for value in found}) == shown["graphs"][0]["ops"][op]
    assert len(gs("weights", model, "--all", "--json").json["weights"]) >= count
    assert gs("weights", model, "--stats", "--checksum").status == 0
    assert gs("check", model).status == 0
    assert gs("diff", model, model).status == 0
    assert gs("inputs", model).status == gs("outputs", model).status == 0
    assert gs("render", model, "-o", models / "picture.svg").status == 0
    assert gs("convert", model, models / "weights.npz").status == 0
    with np.load(models / "weights.npz") as arrays:
        assert len(arrays.files) >= 1


@pytest.mark.parametrize("name", FORMATS)
def test_what_edits_is_refused(gs: GS, models: Path, name: str) -> None:
    before = (models / name).read_bytes()
    for command in (["rename", models / name, "a=b"], ["strip", models / name]):
        result = gs(*command, "-o", models / "out")
        assert result.status == 4
        assert result.err.count("\n") == 1
        assert "ops of its own framework" in result.err
    if not name.startswith("mxnet"):  # that becomes one of TensorFlow's ops
        assert gs("convert", models / name, models / "out.pb").status == 4
    assert (models / name).read_bytes() == before
    assert not (models / "out").exists()


@pytest.mark.parametrize("name", FORMATS)
def test_a_folder_with_one_model_stands_for_it(gs: GS, models: Path, name: str) -> None:
    result = gs("show", (models / name).parent, "--json")
    if name.startswith("mmdnn"):  # graph and weights are each something to look at
        assert result.status == 2
    else:
        assert result.json["format"] == FORMATS[name][0]


def test_two_files_that_differ(gs: GS, models: Path) -> None:
    other = small_model()
    other["config"]["layers"][1]["config"]["units"] = 5
    write_h5(models / "other.h5", other)
    result = gs("diff", models / "keras/m.h5", models / "other.h5")
    assert result.status == 1
    assert "units" in result.out


def test_patterns_find_layers(gs: GS, models: Path) -> None:
    keras = models / "keras/m.h5"
    assert "sum" in gs("find", keras, "--pattern", "Add(Dense(Dense(_)), _)").out  # in either order
    assert gs("find", models / "caffe/m.caffemodel", "--pattern", "ReLU(Convolution(...))").status == 0
    result = gs("find", keras, "--pattern", "Dens(_)")
    assert result.status == 2
    assert "did you mean Dense?" in result.err


def test_slots_are_told_apart(gs: GS, models: Path) -> None:
    weights = gs("weights", models / "keras/m.h5", "--json").json["weights"]
    assert [weight["name"] for weight in weights if weight["kind"] == "slot"] == ["optimizer_weights/Adam/m_0:0"]


def old_lstm(path: Path) -> Path:
    config = functional(
        [
            layer("InputLayer", "x", batch_input_shape=[None, 4, 4], dtype="float32"),
            layer("LSTM", "r", [source("x")], units=4, time_major=False),
            layer("LSTM", "r/inner", [source("x")], units=4, time_major=False),
        ],
        [["x", 0, 0]],
        [["r", 0, 0]],
    )
    return write_h5(path, config)


def test_check_names_the_releases_that_do_not_load_a_file(gs: GS, tmp_path: Path) -> None:
    findings = gs("check", old_lstm(tmp_path / "old.h5"), "--json").json["findings"]
    (found,) = (finding for finding in findings if "time_major" in finding["what"])
    assert (found["severity"], found["where"]) == ("warning", "r and 1 more")
    assert found["what"].startswith("Keras 3 (TensorFlow 2.16 and newer) does not load time_major: false (LSTM)")
    assert found["hint"] == "gs convert --for keras-3 writes a file that it loads"
    assert any("cannot save both" in finding["what"] for finding in findings)
    assert gs("check", tmp_path / "old.h5").status == 0
    assert gs("check", tmp_path / "old.h5", "--strict").status == 1


def test_mending_changes_the_json_alone(gs: GS, tmp_path: Path) -> None:
    old, new = old_lstm(tmp_path / "old.h5"), tmp_path / "new.h5"
    report = gs("convert", old, new, "--for", "keras-3", "--json").json
    assert [change["where"] for change in report["changes"]][:2] == ["r", "r/inner"]
    before, after = old.read_bytes(), new.read_bytes()
    assert sum(a != b for a, b in zip(before, after[: len(before)], strict=True)) < 100
    with h5py.File(old) as first, h5py.File(new) as second:
        config = json.loads(second.attrs["model_config"])
        assert "time_major" not in config["config"]["layers"][1]["config"]
        assert json.loads(second.attrs["training_config"])["optimizer_config"]["config"] == {"learning_rate": 0.001}
        names: list[str] = []
        first.visit(names.append)
        for name in names:
            if isinstance(first[name], h5py.Dataset):
                assert np.array_equal(first[name][()], second[name][()])
    assert {item.path for item in hdf5.open_file(BytesWindow(before)).walk()} == {
        item.path for item in hdf5.open_file(BytesWindow(after)).walk()
    }
    assert "time_major" not in gs("check", new).out


def test_a_file_that_needs_nothing_is_copied(gs: GS, tmp_path: Path) -> None:
    old = write_h5(tmp_path / "old.h5", small_model())
    result = gs("convert", old, tmp_path / "new.h5", "--for", "keras-2")
    assert "nothing to change" in result.out
    assert (tmp_path / "new.h5").read_bytes() == old.read_bytes()


def test_an_architecture_is_mended_too(gs: GS, tmp_path: Path) -> None:
    config = functional([layer("LSTM", "r", units=4, time_major=False)], [], [])
    (tmp_path / "old.json").write_text(json.dumps({"model_config": config, "keras_version": "2.4.0"}))
    assert gs("convert", tmp_path / "old.json", tmp_path / "new.json", "--for", "keras-3").status == 0
    written = json.loads((tmp_path / "new.json").read_text())
    assert written["keras_version"] == "2.4.0"
    assert "time_major" not in written["model_config"]["config"]["layers"][0]["config"]


def test_what_cannot_be_mended_is_named_and_nothing_is_written(gs: GS, tmp_path: Path) -> None:
    config = functional([layer("LSTM", "r", units=4, time_major=True)], [], [])
    result = gs("convert", write_h5(tmp_path / "old.h5", config), tmp_path / "new.h5", "--for", "keras-3")
    assert result.status == 4
    assert "r: time_major: true (LSTM)" in result.err
    assert not (tmp_path / "new.h5").exists()


def test_wrong_uses_of_for(gs: GS, models: Path) -> None:
    keras = models / "keras/m.h5"
    assert gs("convert", keras, models / "new.h5", "--for", "keras-9").status == 2
    assert gs("convert", keras, keras, "--for", "keras-3", "--force").status == 2
    assert gs("convert", models / "caffe/m.caffemodel", models / "new", "--for", "keras-3").status == 4
    assert gs("convert", models / "archive/m.keras", models / "new.h5", "--for", "keras-2").status == 4
    assert gs("convert", "graphdef/linear.pb", models / "new.pb", "--for", "keras-3").status == 4


def test_layers_of_one_name_are_an_error(gs: GS, tmp_path: Path) -> None:
    config = functional([layer("Dense", "d", units=1), layer("Dense", "d", units=2)], [], [])
    result = gs("check", write_h5(tmp_path / "m.h5", config))
    assert result.status == 1
    assert "2 layers have this name" in result.out


def test_keras_files_are_read_without_h5py_and_keras(models: Path) -> None:
    code = f"{BLOCK}\nfrom graphsurgeon.cli.app import run\nraise SystemExit(run(sys.argv[1:]))"
    for name in ("keras/m.h5", "archive/m.keras"):
        for command in ("show", "check"):
            done = subprocess.run(
                [sys.executable, "-c", code, command, models / name], capture_output=True, check=False
            )
            assert done.returncode == 0, done.stderr


def test_the_metadata_of_keras_in_a_saved_model_is_shown(gs: GS) -> None:
    said = "keras_metadata.pb tells of a Keras model, class Sequential, 'sequential': 3 layers"
    assert said in gs("show", "savedmodel/keras2_trained").out
