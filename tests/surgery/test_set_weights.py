"""Values of weights: what is refused before anything changes, and that nothing but the values does change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import GraphSurgeonError, UnsupportedError, UsageError, read, surgery, write
from graphsurgeon.cli.app import run
from graphsurgeon.edit import edit
from graphsurgeon.model import numeric
from graphsurgeon.model.dtype import DType
from tests.formats import tflite_files
from tests.oracle import tflite_objects

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
KERAS = FIXTURES / "savedmodel" / "keras_export"
INT8 = FIXTURES / "tflite" / "cnn_int8.tflite"
FORMS = FIXTURES / "tflite" / "quantized_forms.tflite"
OBJECTS = FIXTURES / "checkpoint" / "object_graph"
FROZEN = FIXTURES / "graphdef" / "linear.pb"


def stored(data: bytes) -> list[bytes]:
    """Return the buffers of a TFLite file, by the flatbuffers package."""
    buffers = tflite_objects.model(data).buffers
    return [b"" if buffer.data is None else np.asarray(buffer.data, "u1").tobytes() for buffer in buffers]


def test_a_tflite_tensor_is_quantized_by_its_own_scale_and_no_other_buffer_changes(tmp_path: Path) -> None:
    before = tflite_objects.model(INT8.read_bytes())
    tensor = next(one for one in before.subgraphs[0].tensors if one.name == b"MatMul")
    scales, zeros = tensor.quantization.scale, tensor.quantization.zeroPoint
    given = np.linspace(-0.4, 0.4, 20, dtype="f4").reshape(5, 4)
    report = edit(INT8, [("set-weights", {"values": {"MatMul": given}})], output=tmp_path / "new.tflite")
    old, new = stored(INT8.read_bytes()), stored((tmp_path / "new.tflite").read_bytes())
    assert [number for number, (a, b) in enumerate(zip(old, new, strict=True)) if a != b] == [tensor.buffer]
    assert (len(scales), tensor.quantization.quantizedDimension, set(zeros)) == (5, 0, {0})
    steps = np.array(scales, "f4")[:, None]
    wanted = np.floor(np.abs(given / steps) + 0.5) * np.sign(given)
    assert new[tensor.buffer] == wanted.astype("i1").tobytes()
    (weight,) = report.steps[0].report.weights  # type: ignore[attr-defined]
    assert "quantized, off by at most" in weight.rounding
    assert np.all(2 * np.abs(wanted * steps - given) <= steps * 1.0001)


def test_a_scale_for_each_channel_and_each_block(tmp_path: Path) -> None:
    shapes = {"per_channel": [[40.0, -2.0]], "blockwise": [[1, 2, 6, 8], [15, 18, 28, 32]]}
    edit(FORMS, [("set-weights", {"values": shapes, "clip": True})], output=tmp_path / "new.tflite")
    before = {one.name.decode(): one for one in tflite_objects.model(FORMS.read_bytes()).subgraphs[0].tensors}
    channel = before["per_channel"].quantization
    new = stored((tmp_path / "new.tflite").read_bytes())
    wanted = [
        int(np.clip(np.floor(abs(x / s) + 0.5) * np.sign(x) + z, -128, 127))
        for x, s, z in zip([40.0, -2.0], channel.scale, channel.zeroPoint, strict=True)
    ]
    assert np.frombuffer(new[before["per_channel"].buffer], "i1").tolist() == wanted
    assert np.frombuffer(new[before["blockwise"].buffer], "i1").tolist() == [1, 2, 3, 4, 5, 6, 7, 8]  # scales 1 2, 3 4


def test_raw_integers_are_stored_as_given_packed_where_the_type_is(tmp_path: Path) -> None:
    values = {"int4": [1, -8, 7], "int2": [1, 0, -1, -2], "per_tensor": [0, 255, 3]}
    edit(FORMS, [("set-weights", {"values": values, "raw": True})], output=tmp_path / "new.tflite")
    tensors = {one.name.decode(): one for one in tflite_objects.model(FORMS.read_bytes()).subgraphs[0].tensors}
    new = stored((tmp_path / "new.tflite").read_bytes())
    assert new[tensors["int4"].buffer] == bytes([0x81, 0x07])
    assert new[tensors["int2"].buffer] == bytes([0b10_11_00_01])
    assert new[tensors["per_tensor"].buffer] == bytes([0, 255, 3])


def test_a_buffer_that_others_share_is_left_to_them(tmp_path: Path) -> None:
    report = edit(INT8, [("set-weights", {"values": {"arith.constant": 1}})], output=tmp_path / "new.tflite")
    old, new = stored(INT8.read_bytes()), stored((tmp_path / "new.tflite").read_bytes())
    assert new[: len(old)] == old
    assert len(new) == len(old) + 1
    assert any("shared its bytes with arith.constant1" in note for note in report.steps[0].report.notes)  # type: ignore[attr-defined]


def test_a_sparse_tensor_becomes_a_dense_one(tmp_path: Path) -> None:
    source = FIXTURES / "tflite" / "sparse.tflite"
    edit(source, [("set-weights", {"values": {"packed": np.eye(3, 4)}})], output=tmp_path / "new.tflite")
    (tensor,) = (
        one
        for one in tflite_objects.model((tmp_path / "new.tflite").read_bytes()).subgraphs[0].tensors
        if one.name == b"packed"
    )
    assert tensor.sparsity is None
    assert stored((tmp_path / "new.tflite").read_bytes())[tensor.buffer] == np.eye(3, 4, dtype="<f4").tobytes()


def test_both_copies_of_a_keras_export_change(tmp_path: Path) -> None:
    edit(KERAS, [("set-weights", {"values": {"probs/bias": [1, 2, 3]}})], output=tmp_path / "new")
    old, new = read(KERAS).checkpoint, read(tmp_path / "new").checkpoint
    assert old is not None
    assert new is not None
    changed = {key for key, one in old.variables.items() if one.tensor.tobytes() != new.variables[key].tensor.tobytes()}
    assert {key.partition("/.")[0] for key in changed} == {"variables/13", "_all_variables/10"}
    index = {path.name: path.read_bytes() for path in (KERAS).glob("saved_model.pb")}
    assert (tmp_path / "new" / "saved_model.pb").read_bytes() == index["saved_model.pb"]


@pytest.mark.parametrize("name", ["model/heads/0/bias", "model/heads/0/bias/.ATTRIBUTES/VARIABLE_VALUE"])
def test_a_variable_goes_by_its_path_and_its_key(name: str, tmp_path: Path) -> None:
    edit(OBJECTS, [("set-weights", {"values": {name: 7}})], output=tmp_path / "new")
    old, new = read(OBJECTS).checkpoint, read(tmp_path / "new").checkpoint
    assert old is not None
    assert new is not None
    changed = {key for key, one in old.variables.items() if one.tensor.tobytes() != new.variables[key].tensor.tobytes()}
    assert changed == {"model/heads/0/bias/.ATTRIBUTES/VARIABLE_VALUE"}
    assert new.variables[changed.pop()].tensor.items() == [7.0, 7.0, 7.0]


@pytest.mark.parametrize(
    ("path", "values", "options", "says"),
    [
        (KERAS, {"stem/kernl": 1}, {}, "did you mean 'stem/kernel'"),
        (KERAS, {"probs/bias": [1, 2]}, {}, "has shape [3], the values given have [2]"),
        (KERAS, {"probs/kernel": np.zeros((3, 5))}, {}, "turned round"),
        (KERAS, {"probs/bias": 1e39}, {}, "does not fit float32"),
        (KERAS, {"probs/bias": "abc"}, {}, "cannot hold"),
        (KERAS, {"probs/bias": np.zeros(3, "c8")}, {}, "cannot hold complex64"),
        (KERAS, {"probs/bias": 1, "variables/13": 2}, {}, "are the same weight"),
        (KERAS, {"seed_generator/seed_generator_state": [1.5, 2]}, {}, "1 of 2 values do not fit int64"),
        (KERAS, {}, {}, "nothing to set"),
        (OBJECTS, {"bias": 1}, {}, "2 variables are called 'bias'"),
        (INT8, {"MatMul": np.zeros((5, 4), "i1")}, {}, "--raw stores integers as given"),
        (INT8, {"MatMul": np.full((5, 4), 0.7)}, {}, "4 of 20 values do not fit the int8 of its quantization"),
        (INT8, {"MatMul": np.full((5, 4), np.nan)}, {}, "the first is nan at [0, 0]"),
        (INT8, {"MatMul": 200}, {"raw": True}, "does not fit int8, -128 to 127"),
        (INT8, {"MatMul": 0.5}, {"raw": True}, "does not fit int8"),
        (INT8, {"#0": 1}, {}, "has no value that is stored"),
        (FROZEN, {"x": 1}, {}, "is no constant"),
    ],
)
def test_what_does_not_fit_is_refused_before_anything_changes(
    path: Path, values: dict[str, Any], options: dict[str, Any], says: str
) -> None:
    model = read(path)
    good = {INT8: {"add": [1, 2, 3, 4, 5]}, KERAS: {"stem/kernel": 0.0}}.get(path, {})
    with pytest.raises(UsageError) as caught:
        surgery.set_weights(model, values={**good, **values} if values else None, **options)
    assert says in str(caught.value)
    for name in good:
        fresh = {weight: tensor.tobytes() for weight, tensor in tensors(read(path)).items()}
        assert {weight: tensor.tobytes() for weight, tensor in tensors(model).items()} == fresh, name


def tensors(model: Any) -> dict[str, Any]:
    if model.checkpoint is not None:
        return {key: variable.tensor for key, variable in model.checkpoint.variables.items()}
    return {value.name: value.tensor for value in model.graph.values if value.tensor is not None}


def test_what_holds_no_values_that_can_be_written_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="V1 checkpoint"):
        edit(FIXTURES / "checkpoint" / "v1", [("set-weights", {"values": {"dense/bias": 1}})], output=tmp_path / "c")
    with pytest.raises(UnsupportedError, match="value is not in this model"):
        edit(
            FIXTURES / "graphdef" / "unfrozen" / "graph.pbtxt",
            [("set-weights", {"values": {"last/weights": 1}})],
            output=tmp_path / "g.pb",
        )


def test_files_recipes_and_the_command_are_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kernel = np.asfortranarray(np.arange(15.0).reshape(5, 3))
    np.save(tmp_path / "k.npy", kernel)
    np.savez(tmp_path / "all.npz", **{"probs/kernel": kernel, "other": kernel})
    np.savez(tmp_path / "one.npz", **{"probs/kernel": kernel})
    (tmp_path / "map.json").write_text('{"probs/kernel": "@%s"}' % (tmp_path / "k.npy"))
    (tmp_path / "steps.gs").write_text(f"set-weights probs/kernel=@{tmp_path / 'k.npy'}\n")
    ways = {
        "npy": ["set-weights", KERAS, f"probs/kernel=@{tmp_path / 'k.npy'}"],
        "npz": ["set-weights", KERAS, f"probs/kernel=@{tmp_path / 'all.npz'}"],
        "member": ["set-weights", KERAS, f"probs/kernel=@{tmp_path / 'all.npz'}:other"],
        "map": ["set-weights", KERAS, "--map", tmp_path / "map.json"],
        "from": ["set-weights", KERAS, "--from", tmp_path / "one.npz"],
        "recipe": ["apply", tmp_path / "steps.gs", KERAS],
    }
    for name, words in ways.items():
        assert run([*map(str, words), "-o", str(tmp_path / name)]) == 0, capsys.readouterr().err
        checkpoint = read(tmp_path / name).checkpoint
        assert checkpoint is not None
        for key in ("variables/12", "_all_variables/9"):
            tensor = checkpoint.variables[f"{key}/.ATTRIBUTES/VARIABLE_VALUE"].tensor
            assert tensor.tobytes() == kernel.astype("<f4").tobytes("C"), name
    assert run(["set-weights", str(KERAS), f"probs/kernel=@{tmp_path / 'k.npy'}", "--dry-run"]) == 0


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("w.npy", b"\x93NUMPY\x01\x00", "no readable header"),
        ("w.npy", b"nothing", "is no NumPy array"),
        ("w.txt", b"1 2 3", "holds no array"),
    ],
)
def test_damaged_files_of_values(name: str, data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(GraphSurgeonError, match=says):
        edit(KERAS, [("set-weights", {"values": {"probs/bias": f"@{tmp_path / name}"}})], dry_run=True)
    np.save(tmp_path / "short.npy", np.zeros(3, "f4"))
    (tmp_path / "short.npy").write_bytes((tmp_path / "short.npy").read_bytes()[:-4])
    with pytest.raises(GraphSurgeonError, match="ends 4 bytes before"):
        edit(KERAS, [("set-weights", {"values": {"probs/bias": f"@{tmp_path / 'short.npy'}"}})], dry_run=True)


def test_a_large_weight_is_converted_by_block(tmp_path: Path) -> None:
    source = tflite_files.packed_file(tmp_path, large_model(1 << 20))
    given = np.linspace(-1, 1, 1 << 20).reshape(1 << 10, 1 << 10)  # float64, so that it is not copied
    np.save(tmp_path / "w.npy", given)
    edit(source, [("set-weights", {"values": {"w": f"@{tmp_path / 'w.npy'}"}})], output=tmp_path / "new.tflite")
    assert stored((tmp_path / "new.tflite").read_bytes())[1] == given.astype("<f4").tobytes()


def large_model(count: int) -> Any:
    model = tflite_files.small_model()
    model.buffers[1].data = np.zeros(4 * count, "u1")
    for tensor in model.subgraphs[0].tensors:
        tensor.shape = [1 << 10, count >> 10]
    return model


@pytest.mark.parametrize("name", ["bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2fnuz"])
def test_types_that_numpy_lacks_are_rounded_as_ml_dtypes_does(name: str) -> None:
    ml_dtypes = pytest.importorskip("ml_dtypes")
    random = np.random.RandomState(0)
    given = (random.randn(4000) * np.exp(random.randn(4000))).astype("f4")
    given[:3] = 0.0, -0.0, 1.5
    given = np.clip(given, *numeric.float_range(DType.named(name)))
    wanted = given.astype(getattr(ml_dtypes, name))
    assert numeric.from_numpy(DType.named(name), given) == wanted.tobytes()
    assert numeric.float_range(DType.named(name)) == tuple(
        float(end) for end in (ml_dtypes.finfo(wanted.dtype).min, ml_dtypes.finfo(wanted.dtype).max)
    )


def test_text_and_numbers_of_a_constant(tmp_path: Path) -> None:
    model = read(FROZEN)
    names = [node.name for node in model.graph.nodes if node.op == "Const"]
    surgery.set_weights(model, values={names[0]: "0.25", f"{names[1]}:0": 2})
    write(model, tmp_path / "new.pb")
    found = read(tmp_path / "new.pb").graph
    for name, item in zip(names, (0.25, 2.0), strict=False):
        node = found.node(name)
        assert node is not None
        tensor: Any = node.attrs["value"]
        assert set(tensor.items()) == {item}
