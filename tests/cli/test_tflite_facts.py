"""What commands say of TFLite tensors: sizes as stored, and quantization that people can read."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read, write
from graphsurgeon.model import DType, Shape, Tensor
from graphsurgeon.model.quantization import Quantization
from tests.cli.conftest import GS


@pytest.fixture
def packed(fixtures_dir: Path, tmp_path: Path) -> Path:
    """Return a model with a constant of 31 4-bit integers."""
    model = read(fixtures_dir / "tflite" / "float.tflite")
    int4 = DType.named("int4")
    model.graph.add_value("four bits", int4, Shape([31]), Tensor.of(int4, [31], [1] * 31))
    write(model, tmp_path / "packed.tflite")
    return tmp_path / "packed.tflite"


def test_packed_weights_have_the_size_that_is_stored(gs: GS, packed: Path) -> None:
    (row,) = [row for row in gs("weights", packed, "--json").json["weights"] if row["name"] == "four bits"]
    assert row["bytes"] == 16
    shown = gs("show", packed, "--json").json["graphs"][0]["constants"]["bytes"]
    others = [row["bytes"] for row in gs("weights", packed, "--json").json["weights"]]
    assert shown == sum(others)


def test_sparse_weights_have_the_size_that_is_stored(gs: GS, fixtures_dir: Path) -> None:
    model = read(fixtures_dir / "tflite" / "sparse.tflite")
    stored = {
        value.name: value.tensor.source.nbytes
        for value in model.graph.values
        if value.tensor is not None and "sparsity" in (value.extra or {})
    }
    assert stored
    rows = {row["name"]: row for row in gs("weights", "tflite/sparse.tflite", "--all", "--json").json["weights"]}
    for name, size in stored.items():
        assert rows[name]["bytes"] == size < Shape(rows[name]["shape"]).num_elements * 4  # type: ignore[operator]


def test_find_shows_quantization_of_every_tensor(gs: GS) -> None:
    values = gs("find", "tflite/cnn_int8.tflite", "--json").json["values"]
    assert all("quantization" in value for value in values)
    (softmax,) = [value for value in values if value["op"] == "SOFTMAX"]
    assert softmax["quantization"] == {"scale": [0.00390625], "zero_point": [-128], "axis": 0}
    assert "scale 0.00390625, zero point -128" in gs("find", "tflite/cnn_int8.tflite", "--op", "SOFTMAX").out
    assert "quantization" not in gs("find", "graphdef/cnn.pb", "--json").json["values"][0]


def test_extract_and_diff_tell_quantization_in_words(gs: GS, fixtures_dir: Path, tmp_path: Path) -> None:
    source = fixtures_dir / "tflite" / "cnn_int8.tflite"
    model = read(source)
    output = model.graph.outputs[0].value
    told = gs("extract", source, "--outputs", f"#{output.port}", "-o", tmp_path / "part.tflite").out
    quantization = (output.extra or {})["quantization"]
    assert f"scale {quantization.scale[0]:.6g}, zero point {quantization.zero_point[0]}" in told
    assert ", , , ," not in told
    assert output.extra is not None
    output.extra["quantization"] = quantization._replace(zero_point=(5,))
    write(model, tmp_path / "other.tflite")
    assert "zero point 5" in gs("diff", source, tmp_path / "other.tflite").out


def test_quantization_in_words() -> None:
    assert str(Quantization((0.5,), (3,))) == "scale 0.5, zero point 3"
    assert str(Quantization((0.5, 0.25), (0, 0), 3)) == "2 scales along dimension 3"
    assert str(Quantization(minimum=(-1.0,), maximum=(6.0,))) == "range -1 to 6"
    assert str(Quantization(custom=b"abc")) == "custom, 3 bytes"


def test_names_joined_by_commas_are_told_to_be_repeated(gs: GS, fixtures_dir: Path, tmp_path: Path) -> None:
    graph = read(fixtures_dir / "tflite" / "cnn_float.tflite").graph
    names = [str(output.value.name) for output in graph.outputs]
    for joined in (",".join(names), f"#{graph.outputs[0].value.port},#{graph.outputs[1].value.port}"):
        result = gs("extract", "tflite/cnn_float.tflite", "--outputs", joined, "-o", tmp_path / "a.tflite")
        assert result.status == 2
        assert "repeat the option for each" in result.err
    each = [word for name in names for word in ("--outputs", name)]
    assert gs("extract", "tflite/cnn_float.tflite", *each, "-o", tmp_path / "a.tflite").status == 0


def test_show_prints_what_a_model_says_of_itself(gs: GS) -> None:
    out = gs("show", "tflite/metadata.tflite").out
    assert "\nDense classifier\n" in out
    assert out.index("Dense classifier") < out.index("next:")
    assert "says of itself" not in gs("show", "tflite/float.tflite").out
