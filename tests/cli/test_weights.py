"""`gs weights`: lists, checksums, statistics, values, exports."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.formats import schema
from tests.cli.conftest import GS

DTYPES = "checkpoint/dtypes"


def test_fields(gs: GS) -> None:
    weights = gs("weights", "checkpoint/name_based", "--json").json["weights"]
    keys = {"name", "variable", "graph", "dtype", "shape", "bytes", "kind", "sha256", "stats"}
    assert all(weight.keys() >= keys for weight in weights)
    assert all(weight["variable"] == weight["name"] for weight in weights)
    assert weights[0]["sha256"] is None
    assert weights[0]["stats"] is None


def test_object_keys_come_with_the_names_of_variables(gs: GS) -> None:
    weights = gs("weights", "savedmodel/linear", "--json").json["weights"]
    assert {weight["name"]: weight["variable"] for weight in weights} == {
        "b/.ATTRIBUTES/VARIABLE_VALUE": "b",
        "w/.ATTRIBUTES/VARIABLE_VALUE": "w",
    }


def test_names_of_variables_are_found_through_the_restore_path(gs: GS) -> None:
    """Where three variables are called `Variable`, only the handles' names tell them apart."""
    weights = gs("weights", "savedmodel/embedding", "--json").json["weights"]
    assert all(weight["variable"] for weight in weights if weight["kind"] == "variable")


def test_sorting(gs: GS) -> None:
    sizes = [w["bytes"] for w in gs("weights", DTYPES, "--sort", "size", "--json").json["weights"]]
    assert sizes == sorted(sizes, reverse=True)
    names = [w["name"] for w in gs("weights", "graphdef/cnn.pb", "--sort", "name", "--json").json["weights"]]
    assert names == sorted(names)
    in_file = [w["name"] for w in gs("weights", "graphdef/cnn.pb", "--json").json["weights"]]
    assert sorted(in_file) == names
    assert in_file != names


def test_match(gs: GS) -> None:
    result = gs("weights", "checkpoint/v1", "--match", "dense/*,beta*", "--match", "dense/kernel", "--json")
    assert result.status == 0
    names = {weight["name"] for weight in result.json["weights"]}
    assert names == {"dense/bias", "dense/bias/Adam", "dense/bias/Adam_1", "dense/kernel", "dense/kernel/Adam",
                     "dense/kernel/Adam_1", "beta1_power", "beta2_power"}  # fmt: skip
    assert gs("weights", "savedmodel/linear", "--match", "w").out.startswith("w/.ATTRIBUTES/VARIABLE_VALUE  w ")
    nothing = gs("weights", "checkpoint/v1", "--match", "kernel")
    assert (nothing.status, nothing.err) == (
        2, "gs: checkpoint/v1: no weight matches 'kernel'; did you mean '*kernel*'?\n",
    )  # fmt: skip


def test_small_constants_only_with_all(gs: GS) -> None:
    few = gs("weights", "graphdef/cnn.pb", "--json").json["weights"]
    every = gs("weights", "graphdef/cnn.pb", "--json", "--all").json["weights"]
    assert len(every) > len(few)
    assert all(np.prod(weight["shape"], dtype=int) >= 16 for weight in few)


def test_graph_limits_constants(gs: GS) -> None:
    weights = gs("weights", "savedmodel/captured_constants", "--all", "--json").json["weights"]
    assert {weight["graph"] for weight in weights} > {""}
    main = gs("weights", "savedmodel/captured_constants", "--all", "--json", "--graph", "main").json["weights"]
    assert {weight["graph"] for weight in main} == {""}


def test_totals(gs: GS) -> None:
    out = gs("weights", "checkpoint/v1").out
    assert out.splitlines()[-1] == "5 variables, 18 elements, 76 B; 4 optimizer slots, 30 elements, 120 B"


def test_checksum_of_values(gs: GS) -> None:
    [weight] = gs("weights", "savedmodel/linear", "--match", "b", "--checksum", "--json").json["weights"]
    values = gs("weights", "savedmodel/linear", "--values", "b", "--json").json["values"]
    assert weight["sha256"] == hashlib.sha256(np.array(values, "<f4").tobytes()).hexdigest()
    assert weight["is_intact"] is True


def test_flipped_bit_is_listed_and_told(gs: GS) -> None:
    result = gs("weights", "hostile/ckpt_bad_crc", "--checksum", "--json")
    assert [w["name"] for w in result.json["weights"] if w["is_intact"] is False] == ["dense/kernel/Adam"]
    assert result.status == 3
    assert "'dense/kernel/Adam' do not match their checksum" in result.err


def test_what_can_be_read_of_a_damaged_checkpoint(gs: GS) -> None:
    result = gs("weights", "hostile/ckpt_wrong_size", "--checksum", "--json")
    bad = {weight["name"] for weight in result.json["weights"] if weight["error"]}
    assert bad == {"dense/bias", "dense/kernel"}
    assert all((weight["sha256"] is None) == (weight["name"] in bad) for weight in result.json["weights"])
    assert (result.status, result.err.count("\n")) == (3, 1)


def test_statistics(gs: GS) -> None:
    stats = {w["name"]: w["stats"] for w in gs("weights", DTYPES, "--stats", "--json").json["weights"]}
    assert stats["special"] == {
        "min": -0.0, "max": 5e-324, "mean": 0.0, "std": 0.0, "zeros": 1, "nan": 1, "inf": 2,
    }  # fmt: skip
    assert stats["empty"] == {"min": None, "max": None, "mean": None, "std": None, "zeros": 0, "nan": 0, "inf": 0}
    assert stats["strings"] is None
    assert stats["dense/bool"]["max"] == 1
    assert stats["quantized/qint8"]["mean"] == 1.5


def test_values_print_as_numpy_does(gs: GS) -> None:
    out = gs("weights", DTYPES, "--values", "quantized/qint8").out
    assert out == "quantized/qint8  qint8  [2]\n[1, 2]\n"
    assert gs("weights", DTYPES, "--values", "dense/int32", "--slice", "0,:2").out.splitlines()[1] == "[0, 1]"
    assert gs("weights", DTYPES, "--values", "dense/int32", "--slice", "..., -1", "--json").json["shape"] == [2]
    assert gs("weights", DTYPES, "--values", "special", "--json").json["not_finite"] == 3


@pytest.mark.parametrize("part", ["0,0,0", "9", "x", "1:2:3:4", "0::0"])
def test_bad_slices(gs: GS, part: str) -> None:
    result = gs("weights", DTYPES, "--values", "dense/int32", "--slice", part)
    assert (result.status, result.out) == (2, "")
    assert f"--slice {part} does not fit the shape [2, 3]" in result.err


def test_values_of_one_weight_only(gs: GS) -> None:
    result = gs("weights", DTYPES, "--values", "quantized/*")
    assert result.status == 2
    assert "3 weights match 'quantized/*'; name one of quantized/qint32, quantized/qint8" in result.err


def test_export_to_npz(gs: GS, tmp_path: Path) -> None:
    target = tmp_path / "w.npz"
    assert gs("weights", "checkpoint/v1", "--export", target).status == 0
    with np.load(target) as arrays:
        listed = gs("weights", "checkpoint/v1", "--checksum", "--json").json["weights"]
        assert {name: hashlib.sha256(arrays[name].tobytes()).hexdigest() for name in arrays} == {
            weight["name"]: weight["sha256"] for weight in listed
        }
    refused = gs("weights", "checkpoint/v1", "--export", target)
    assert refused.status == 2
    assert "already exists" in refused.err
    assert gs("weights", "checkpoint/v1", "--export", target, "--force").status == 0


def test_export_knows_two_formats(gs: GS, tmp_path: Path) -> None:
    result = gs("weights", "checkpoint/v1", "--export", tmp_path / "w.h5")
    assert result.status == 2
    assert "exported to .npz or .safetensors, not to .h5" in result.err
    strings = gs("weights", DTYPES, "--export", tmp_path / "w.safetensors")
    assert strings.status == 4
    assert not list(tmp_path.iterdir())


def test_dequantize(gs: GS) -> None:
    plain = gs("weights", "tflite/cnn_int8.tflite", "--json").json["weights"]
    real = gs("weights", "tflite/cnn_int8.tflite", "--dequantize", "--json").json["weights"]
    quantized = [weight for weight in plain if weight["quantization"] is not None]
    assert quantized
    assert {weight["dtype"] for weight in quantized} >= {"int8"}
    assert {w["dtype"] for w in real if w["name"] in {q["name"] for q in quantized}} == {"float32"}


def test_constants_have_no_variable(gs: GS) -> None:
    for weight in gs("weights", "graphdef/cnn.pb", "--json").json["weights"]:
        assert (weight["variable"], weight["kind"], weight["is_intact"]) == (None, "constant", None)


def test_integers_below_a_byte(gs: GS, tmp_path: Path) -> None:
    """Their checksum is over the bytes that TensorFlow's own arrays have: the low bits of one byte each."""
    node = 'node { name: "c" op: "Const" attr { key: "dtype" value { type: DT_INT4 } } attr { key: "value" value {'
    tensor = "tensor { dtype: DT_INT4 tensor_shape { dim { size: 2 } } int_val: 1 int_val: -2 } } } }"
    (tmp_path / "g.pbtxt").write_text(node + tensor)
    [weight] = gs("weights", tmp_path / "g.pbtxt", "--all", "--checksum", "--json").json["weights"]
    assert weight["sha256"] == hashlib.sha256(b"\x01\x0e").hexdigest()
    assert "[ 1, -2]" in gs("weights", tmp_path / "g.pbtxt", "--values", "c").out


@pytest.fixture
def huge_strings(tmp_path: Path) -> Path:
    """A graph of some 80 bytes with a string constant of shape [1e9]."""
    graph: Any = schema.message("tensorflow.GraphDef")()
    node = graph.node.add(name="c", op="Const")
    node.attr["dtype"].type = 7
    tensor = node.attr["value"].tensor
    tensor.dtype = 7
    tensor.tensor_shape.dim.add().size = 1_000_000_000
    tensor.string_val.append(b"")
    (tmp_path / "g.pb").write_bytes(graph.SerializeToString())
    return tmp_path / "g.pb"


def test_commands_on_a_huge_string_constant(gs: GS, huge_strings: Path, tmp_path: Path) -> None:
    result = gs("weights", huge_strings, "--checksum", "--json")
    assert result.json["weights"][0]["sha256"] == hashlib.sha256(b"").hexdigest()
    assert gs("diff", huge_strings, huge_strings).status == 0
    for option in (["--values", "c"], ["--export", tmp_path / "w.npz"]):
        result = gs("weights", huge_strings, *option)
        assert (result.status, "bytes of memory" in result.err) == (3, True), option


@pytest.mark.parametrize(("count", "says"), [((1,), "1 element,"), ((2,), "2 elements,"), ((0,), "0 elements,")])
def test_one_element_is_no_elements(gs: GS, tmp_path: Path, count: tuple[int, ...], says: str) -> None:
    np.savez(tmp_path / "one.npz", v=np.zeros(count, np.float32))
    out = gs("weights", tmp_path / "one.npz").out
    assert out.splitlines()[-1].startswith(f"1 variable, {says}")


def test_what_is_equally_large_stands_in_the_order_of_its_numbers(gs: GS, tmp_path: Path) -> None:
    names = ["c/conv_10/w", "c/conv_2/w", "c/conv/w", "c/large"]
    source = tmp_path / "w.npz"
    np.savez(source, **{name: np.zeros(64 if "large" in name else 32, np.float32) for name in names})

    def listed(order: str) -> list[str]:
        return [weight["name"] for weight in gs("weights", source, "--sort", order, "--json").json["weights"]]

    assert listed("size") == ["c/large", "c/conv/w", "c/conv_2/w", "c/conv_10/w"]
    assert listed("name") == ["c/conv/w", "c/conv_2/w", "c/conv_10/w", "c/large"]
