"""To TFLite: what is refused before TensorFlow starts, what the samples are, and results that LiteRT confirms."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.bridges import child
from graphsurgeon.bridges.converting import compared, to_tflite
from graphsurgeon.bridges.converting.calibration import FEW, samples
from graphsurgeon.bridges.converting.convert import convert
from graphsurgeon.bridges.converting.prepare import one_key_each
from graphsurgeon.bridges.converting.request import Request
from graphsurgeon.compare.entries import Entry, entries
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats import read
from graphsurgeon.ops import catalog
from graphsurgeon.ops.tflite_converter import NONE, SELECT, refused
from tests.cli.conftest import GS, gs

__all__ = ["gs"]  # the fixture


@pytest.fixture
def no_child(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every extra, and no process."""
    monkeypatch.setattr(child, "NEEDS", dict.fromkeys(child.NEEDS, child.Need("it", "it", ())))

    def refuse(*_: object) -> dict[str, Any]:
        raise AssertionError("a process was started")

    monkeypatch.setattr(to_tflite, "have_done", refuse)


def entry_of(path: Path, key: str | None) -> Entry:
    model = read(path)
    return next(entry for entry in entries(model, model.metagraphs[0]) if entry.key == key)


@pytest.mark.usefixtures("no_child")
def test_ops_that_are_not_there_are_named_first(fixtures_dir: Path, tmp_path: Path) -> None:
    source, target = fixtures_dir / "savedmodel" / "string_inputs", tmp_path / "x.tflite"
    with pytest.raises(UnsupportedError, match=r"no DecodePng \(map/while/DecodePng\); --select-tf-ops lets"):
        convert(source, target)
    assert not target.exists()


@pytest.mark.usefixtures("no_child")
@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"quantize": "int4"}, "'int4' is none; one of dynamic"),
        ({"quantize": "int8"}, "needs data to measure ranges with; give --calibrate"),
        ({"int8_io": True}, "--int8-io is for --quantize int8 and int16x8"),
        ({"quantize": "float16", "calibrate": "random"}, "--calibrate is for --quantize int8"),
        ({"opset": 3}, "'opset' is no setting"),
    ],
)
def test_settings_that_contradict_each_other(
    settings: dict[str, object], said: str, fixtures_dir: Path, tmp_path: Path
) -> None:
    with pytest.raises(UsageError, match=said):
        convert(fixtures_dir / "savedmodel" / "linear", tmp_path / "x.tflite", settings=settings)


def test_the_command_knows_whose_option_it_is(gs: GS, tmp_path: Path) -> None:
    done = gs("convert", "graphdef/linear.pb", tmp_path / "x.pbtxt", "--quantize", "dynamic")
    assert done.status == 2
    assert "--quantize is for conversions" in done.err


def test_the_table_of_refused_ops() -> None:
    table = refused()
    assert set(table.values()) == {SELECT, NONE}
    assert not table.keys() - set(catalog.names())
    assert table["MatrixInverse"] == SELECT
    assert not {"Conv2D", "MatMul", "Erf", "StridedSlice", "HashTableV2", "VarHandleOp", "If", "While"} & table.keys()


def test_samples_of_an_archive(fixtures_dir: Path, tmp_path: Path) -> None:
    inputs = entry_of(fixtures_dir / "savedmodel" / "linear", "serving_default").inputs
    (name,) = inputs
    width = (inputs[name].shape.dims or ())[-1]
    data = np.arange(5 * (width or 1), dtype="f4").reshape(5, -1)
    np.savez(tmp_path / "a.npz", **{name: data})
    np.save(tmp_path / "a.npy", data)
    for file in ("a.npz", "a.npy"):
        found = samples(str(tmp_path / file), inputs, seed=0)
        assert len(found) == 5
        np.testing.assert_array_equal(found[3][name], data[3:4])
    assert len(samples("random", inputs, seed=0)) == FEW


def test_samples_that_do_not_fit(fixtures_dir: Path, tmp_path: Path) -> None:
    inputs = entry_of(fixtures_dir / "savedmodel" / "linear", "serving_default").inputs
    np.savez(tmp_path / "a.npz", other=np.zeros(3))
    with pytest.raises(UsageError, match=r"has no array for input .*it has other"):
        samples(str(tmp_path / "a.npz"), inputs, seed=0)
    with pytest.raises(UsageError, match="has no pictures"):
        samples(str(tmp_path), inputs, seed=0)


def test_what_the_converter_says_in_one_line() -> None:
    text = '<unknown>:0: error: loc(fused["A:", "b"]): \'tf.A\' op is not known\n<unknown>:0: note: x'
    assert to_tflite._said(text).strip() == "'tf.A' op is not known"


@pytest.mark.tensorflow
@pytest.mark.litert
def test_floats_and_integers(gs: GS, tmp_path: Path) -> None:
    target = tmp_path / "x.tflite"
    options = ("--quantize", "int8", "--calibrate", "random", "--int8-io")
    found = gs("convert", "savedmodel/linear", target, *options, "--json").json
    assert (found["verified"], found["written"], found["problem"]) == (True, True, "")
    assert {row["name"] for row in found["outputs"]} == {"output_0"}
    measured = found["details"]["quantized"]
    assert measured["bytes"] == target.stat().st_size
    assert all(0 < row["largest"] < row["range"] for row in measured["outputs"])
    entry = entry_of(target, "serving_default")
    assert {str(item.dtype) for item in entry.inputs.values()} == {"int8"}


@pytest.mark.tensorflow
@pytest.mark.litert
def test_kernels_of_tensorflow(gs: GS, tmp_path: Path) -> None:
    target = tmp_path / "x.tflite"
    made = gs("replace", "graphdef/linear.pb", "Identity(x) => Identity(Cosh(x))", "--once", "-o", tmp_path / "cosh.pb")
    assert made.status == 0
    refusal = gs("convert", tmp_path / "cosh.pb", target, "--outputs", "Identity")
    assert refusal.status == 4
    assert "TFLite has no Cosh" in refusal.err
    found = gs("convert", tmp_path / "cosh.pb", target, "--outputs", "Identity", "--select-tf-ops", "--json").json
    assert (found["verified"], found["written"]) == (False, True)
    assert "LiteRT here has not: Cosh" in found["notes"][0]


def test_a_result_that_differs_is_not_written(
    fixtures_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The converter's answer is stood in for: a model of others, whose numbers cannot be those of the source."""
    other = (fixtures_dir / "tflite" / "float.tflite").read_bytes()

    def have_done(_: str, arguments: dict[str, Any], __: object) -> dict[str, Any]:
        Path(arguments["target"]).write_bytes(other)
        return {"died": "", "error": ""}

    monkeypatch.setattr(child, "NEEDS", dict.fromkeys(child.NEEDS, child.Need("it", "it", ())))
    monkeypatch.setattr(to_tflite, "have_done", have_done)
    monkeypatch.setattr(to_tflite, "compare_with_source", lambda *_: compared.Compared(problem="output y differs"))
    target = tmp_path / "x.tflite"
    report = to_tflite.convert(Request(path=fixtures_dir / "savedmodel" / "linear", target=target))
    assert (report.written, report.problem) == (False, "output y differs")
    assert not target.exists()


def test_a_tensor_has_one_key(fixtures_dir: Path) -> None:
    model = read(fixtures_dir / "savedmodel" / "linear")
    inputs = model.metagraphs[0].signatures["serving_default"].inputs
    (key,) = inputs
    inputs["again"] = inputs[key]
    assert one_key_each(model).dropped == {"again": key}
    assert list(inputs) == [key]
