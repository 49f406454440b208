"""`gs run` and `gs verify` as commands; what the runtimes compute stands in for them here, and is theirs below."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.bridges import child
from graphsurgeon.compare.entries import OneRun, Result, RunOutcome
from tests.cli.conftest import GS

LINEAR = "graphdef/linear.pb"
Answer = Callable[[Path, OneRun], Any]


@pytest.fixture
def runtime(monkeypatch: pytest.MonkeyPatch) -> Callable[[Answer], list[OneRun]]:
    """Give answers in place of a runtime; return the calls it gets."""

    def play(answer: Answer) -> list[OneRun]:
        asked: list[OneRun] = []

        def run_calls(path: Path, calls: Sequence[OneRun], **_: object) -> list[RunOutcome]:
            asked.extend(calls)
            arrays = [np.asarray(answer(Path(path), call), "f4") for call in calls]
            return [
                RunOutcome({name: Result("float32", array) for name in call.fetches})
                for call, array in zip(calls, arrays, strict=True)
            ]

        for module in ("run", "verify", "locate"):
            monkeypatch.setattr(f"graphsurgeon.bridges.{module}.run_calls", run_calls)
        for module in ("run", "verify"):
            monkeypatch.setattr(f"graphsurgeon.bridges.{module}.require_extra", lambda runtime: None)
        return asked

    return play


def test_a_run_is_summed_up_and_saved(gs: GS, runtime: Any, tmp_path: Path) -> None:
    asked = runtime(lambda path, call: [[0.25, 0.5, np.inf]])
    np.save(tmp_path / "x.npy", np.full((1, 4), 2.0))
    result = gs("run", LINEAR, "--feed", f"x=@{tmp_path}/x.npy", "--save", tmp_path / "out.npz")
    assert (result.status, result.err) == (0, "")
    assert result.out == (
        "graph, run by a TensorFlow session\n"
        "  input   x           float32  [1,4]  [2, 2, 2, 2]      2 to 2, mean 2\n"
        "  output  Identity:0  float32  [1,3]  [0.25, 0.5, inf]  0.25 to 0.5, mean 0.375, 1 not finite\n"
        f"wrote {tmp_path}/out.npz\n"
    )
    assert [array.tolist() for array in asked[0].feeds.values()] == [[[2, 2, 2, 2]]]
    with np.load(tmp_path / "out.npz") as saved:
        assert saved["Identity:0"].tolist() == [[0.25, 0.5, np.inf]]


def test_a_run_as_json(gs: GS, runtime: Any) -> None:
    runtime(lambda path, call: [[1.5, np.nan]])
    report = gs("run", LINEAR, "--outputs", "add:0", "--feed", "x=ones", "--json").json
    assert (report["schema"], report["signature"], report["loader"]) == (1, None, "session")
    (output,) = report["outputs"]
    assert output["name"] == "add:0"
    assert output["shape"] == [1, 2]
    assert output["values"] == [1.5, None]
    assert (output["minimum"], output["not_finite"]) == (1.5, 1)
    assert "results" not in report


def test_a_signature_is_run_by_its_keys(gs: GS, runtime: Any) -> None:
    asked = runtime(lambda path, call: [0.0])
    assert gs("run", "savedmodel/keras_export", "--outputs", "probs", "--assume", "image=5,8,8,3").status == 0
    (call,) = asked
    assert (call.loader, call.signature) == ("object", "serving_default")
    assert list(call.fetches) == ["probs"]
    assert call.feeds["image"].shape == (5, 8, 8, 3)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--feed", "y=ones"], "there is no input 'y'; there is x"),
        (["--feed", "x=word"], "'word' is no data for input 'x'"),
        (["--feed", "x=[1, 2, 3]"], "input 'x' has shape [?,4], and the data [1,3]"),
        (["--assume", "z=1,4"], "there is no input 'z'"),
        (["--assume", "x=1,5"], "input 'x' has shape [?,4], not [1,5]"),
        (["--outputs", "nosuch"], "nosuch"),
        (["--signature", "nosuch"], "nosuch"),
        (["--save", "out.npy"], "results are saved as .npz"),
        (["--save", "{there}"], "already exists; give another output, or --force to replace it"),
    ],
)
def test_wrong_use_of_run(gs: GS, runtime: Any, tmp_path: Path, arguments: list[str], says: str) -> None:
    asked = runtime(lambda path, call: [0.0])
    there = tmp_path / "models.npz"
    there.touch()
    result = gs("run", LINEAR, *(argument.replace("{there}", str(there)) for argument in arguments))
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert says in result.err
    assert asked == []


def test_the_same_and_not_the_same(gs: GS, runtime: Any, tmp_path: Path) -> None:
    other = tmp_path / "other.pb"
    assert gs("rename", LINEAR, "x=image", "-o", other).status == 0
    runtime(lambda path, call: [[1.0, 2.0]])
    table = "    Identity:0  session  the same to the bit\nthe same: 1 output, to the bit\n"
    assert gs("verify", LINEAR, other) == (0, table, "")
    runtime(lambda path, call: [[1.0, 2.0 + (path == other)]])
    differs = gs("verify", LINEAR, other, "--json")
    assert differs.status == 1
    (output,) = differs.json["outputs"]
    assert (output["agrees"], output["different"], output["elements"], output["largest"]) == (False, 1, 2, 1.0)
    assert gs("verify", LINEAR, other, "--atol", "2").status == 0
    assert gs("verify", LINEAR, other, "--quiet") == (1, "", "")
    table = "    Identity:0  session  1 of 2 differ, by up to 1\n1 of 1 output differs\n"
    assert gs("verify", LINEAR, other) == (1, table, "")


def test_an_edit_that_computes_something_else_is_not_put_in_place(gs: GS, runtime: Any, tmp_path: Path) -> None:
    model = tmp_path / "model.pb"
    data = (Path("graphdef") / "linear.pb").read_bytes()
    model.write_bytes(data)
    runtime(lambda path, call: [float(path == model)])
    result = gs("rename", model, "x=image", "--in-place", "--verify")
    assert result.status == 1
    assert f"did not write {model}" in result.out
    assert model.read_bytes() == data
    assert [path.name for path in tmp_path.iterdir()] == ["model.pb"]


@pytest.mark.parametrize(
    ("command", "extra"),
    [
        (["run", LINEAR], "tensorflow"),
        (["run", "tflite/float.tflite"], "litert"),
        (["verify", LINEAR, LINEAR], "tensorflow"),
        (["rename", LINEAR, "x=image", "--verify", "-o", "never.pb"], "tensorflow"),
    ],
)
def test_a_missing_extra_is_named(gs: GS, monkeypatch: pytest.MonkeyPatch, command: list[str], extra: str) -> None:
    find = importlib.util.find_spec
    hidden = ("tensorflow", "ai_edge_litert", "openvino")
    monkeypatch.setattr(child.importlib.util, "find_spec", lambda name: None if name in hidden else find(name))
    result = gs(*command)
    assert (result.status, result.out, result.err.count("\n")) == (4, "", 1)
    assert f"pip install 'tf-graphsurgeon[{extra}]'" in result.err


def test_a_checkpoint_has_nothing_to_run(gs: GS) -> None:
    result = gs("run", "checkpoint/v1/model.ckpt")
    assert (result.status, result.err) == (4, "gs: checkpoint/v1/model.ckpt: a checkpoint has no graph to run\n")


@pytest.mark.tensorflow
def test_tensorflow_runs_a_tensor_inside_a_function(gs: GS, tmp_path: Path) -> None:
    image = np.random.default_rng(0).random((1, 8, 8, 3), "f4")
    np.savez(tmp_path / "in.npz", image=image)
    pool = "functional_1/pool_1/Mean"
    feed = ["--feed", f"@{tmp_path}/in.npz"]
    arguments = ["savedmodel/keras_export", "--outputs", pool, *feed, "--save", tmp_path / "out.npz"]
    report = gs("run", *arguments, "--json").json
    assert report["inputs"][0]["shape"] == [1, 8, 8, 3]
    assert report["outputs"][0]["shape"] == [1, 4]
    added = tmp_path / "added"
    assert (
        gs("add-output", "savedmodel/keras_export", f"{pool}=f", "--signature", "serving_default", "-o", added)[0] == 0
    )
    again = gs("run", added, "--outputs", "f", *feed, "--save", tmp_path / "again.npz")
    assert again.status == 0
    with np.load(tmp_path / "out.npz") as one, np.load(tmp_path / "again.npz") as other:
        np.testing.assert_allclose(one[pool], other["f"], rtol=1e-6)


@pytest.mark.tensorflow
def test_tensorflow_finds_the_first_tensor_that_differs(gs: GS, tmp_path: Path) -> None:
    from graphsurgeon import read, write
    from graphsurgeon.model.tensor import Tensor

    model = read(LINEAR)
    bias = model.graphs[0].node("add/ReadVariableOp/resource")
    assert bias is not None
    before = bias.attrs["value"]
    assert isinstance(before, Tensor)
    bias.attrs["value"] = Tensor.of(before.dtype, [3], [5.0, 0.0, 0.0])
    write(model, tmp_path / "other.pb")
    result = gs("verify", LINEAR, tmp_path / "other.pb")
    assert result.status == 1
    assert "the first tensor that differs: add/ReadVariableOp:0 (Identity)" in result.out


@pytest.mark.tensorflow
def test_tensorflow_runs_keys_and_tensors_together_and_gives_inputs_their_defaults(gs: GS) -> None:
    mixed = gs("run", "savedmodel/keras_export", "--outputs", "probs,functional_1/pool_1/Mean", "--json").json
    assert [item["name"] for item in mixed["outputs"]] == ["probs", "functional_1/pool_1/Mean"]
    run = gs("run", "savedmodel/default_inputs", "--feed", "x=[[1, 2]]", "--json").json
    assert {item["name"]: item["values"] for item in run["inputs"]} == {"scale": [2.5], "shift": [1, -1], "x": [1, 2]}
    assert [item["values"] for item in run["outputs"]] == [[1 * 2.5 + 1, 2 * 2.5 - 1]]


@pytest.mark.litert
@pytest.mark.parametrize(
    "arguments",
    [("--what", "keys", "--regex", "s|$|_new|"), ("--what", "signatures", "--prefix", "new_"), ("--prefix", "new/")],
)
def test_every_signature_is_compared_whatever_was_renamed(gs: GS, arguments: tuple[str, ...], tmp_path: Path) -> None:
    outputs = ["decode", "decode", "encode"]  # of two subgraphs
    result = gs("rename", "tflite/dynamic_range.tflite", *arguments, "-o", tmp_path / "a.tflite", "--verify", "--json")
    verdict = result.json["verdict"]
    assert (verdict["agrees"], verdict["skipped"]) == (True, [])
    assert [item["signature"] for item in verdict["outputs"]] == outputs


@pytest.mark.litert
def test_outputs_that_are_gone_are_named(gs: GS, tmp_path: Path) -> None:
    assert gs("add-output", "tflite/float.tflite", "--all", "-o", tmp_path / "all.tflite").status == 0
    verdict = gs("verify", tmp_path / "all.tflite", "tflite/float.tflite")
    assert "the second model has no such output" in verdict.out


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    ("model", "arguments", "out", "names"),
    [
        (LINEAR, ["--inputs", "MatMul=h", "--outputs", "Softmax"], "part.pb", ["Softmax:0"]),
        ("savedmodel/v1_partitioned", ["--outputs", "y=product"], "part", ["product"]),
        ("metagraph/face_resnet/model-1.meta", ["--inputs", "E_BN2/Reshape_1=e", "--outputs", "logits/MatMul=l"],
         "part.meta", ["l"]),
    ],
)  # fmt: skip
def test_tensorflow_compares_a_part_with_the_whole(
    gs: GS, model: str, arguments: list[str], out: str, names: list[str], tmp_path: Path
) -> None:
    result = gs("extract", model, *arguments, "-o", tmp_path / out, "--verify", "--json")
    assert (result.status, result.err) == (0, "")
    assert [item["name"] for item in result.json["verdict"]["outputs"]] == names
    assert result.json["verdict"]["notes"] == []
