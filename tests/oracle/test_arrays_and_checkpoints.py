"""From arrays to checkpoints and back: numpy, safetensors and TensorFlow read the same values at both ends."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.cli.app import run
from graphsurgeon.edit import edit
from graphsurgeon.errors import UnsupportedError

pytestmark = pytest.mark.tensorflow


def arrays() -> dict[str, Any]:
    source = np.random.default_rng(1)
    return {
        "enc/kernel": np.asfortranarray(source.normal(size=(3, 4)).astype("f4")),
        "enc/bias": source.normal(size=4).astype("f2"),
        "step": np.array(7),
        "flags": np.array([True, False]),
        "z": np.array([1 + 2j], "c8"),
        "none": np.zeros((0, 3), "u1"),
    }


def held(path: Path) -> dict[str, Any]:
    import tensorflow as tf

    reader = tf.train.load_checkpoint(str(path))
    return {name: reader.get_tensor(name) for name, _ in tf.train.list_variables(str(path))}


@pytest.mark.parametrize("suffix", [".npz", "_packed.npz", ".safetensors"])
def test_arrays_become_a_checkpoint_and_arrays_again(suffix: str, tmp_path: Path) -> None:
    from safetensors import numpy as safetensors

    source, back = tmp_path / f"w{suffix}", tmp_path / f"back{suffix}"
    if suffix == ".safetensors":
        safetensors.save_file({name: np.ascontiguousarray(value) for name, value in arrays().items()}, source)
    else:
        (np.savez_compressed if "packed" in suffix else np.savez)(source, **arrays())
    assert run(["convert", str(source), str(tmp_path / "ck"), "--format", "checkpoint"]) == 0
    np.testing.assert_equal(held(tmp_path / "ck"), arrays())
    assert run(["convert", str(tmp_path / "ck"), str(back)]) == 0
    again = safetensors.load_file(back) if suffix == ".safetensors" else dict(np.load(back))
    np.testing.assert_equal(again, arrays())
    assert {name: value.dtype for name, value in again.items()} == {name: v.dtype for name, v in arrays().items()}


def test_types_that_numpy_has_not(tmp_path: Path) -> None:
    import ml_dtypes
    from safetensors import numpy as safetensors

    wanted = {"w": np.array([1.5, -2.0], ml_dtypes.bfloat16), "q": np.array([0.5], ml_dtypes.float8_e4m3fn)}
    safetensors.save_file(wanted, tmp_path / "w.safetensors")
    edit(tmp_path / "w.safetensors", [("convert", {})], output=tmp_path / "w.ckpt")
    found = held(tmp_path / "w.ckpt")
    assert {name: (value.dtype, value.tolist()) for name, value in found.items()} == {
        name: (value.dtype, value.tolist()) for name, value in wanted.items()
    }


def test_a_saver_restores_arrays(tmp_path: Path) -> None:
    import tensorflow as tf

    np.savez(tmp_path / "w.npz", **{"enc/kernel": np.array([[1.0, 2.0]], "f4")})
    edit(tmp_path / "w.npz", [("convert", {})], output=tmp_path / "w.ckpt")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        kernel = tf.compat.v1.get_variable("enc/kernel", [1, 2])
        tf.compat.v1.train.Saver().restore(session, f"{tmp_path}/w.ckpt")
        np.testing.assert_equal(session.run(kernel), [[1.0, 2.0]])


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_objects_come_back_from_their_keys(suffix: str, tmp_path: Path) -> None:
    import tensorflow as tf

    def program(value: float) -> tuple[Any, list[Any]]:
        holder, inner = tf.Module(), tf.Module()
        inner.kernel, inner.names = tf.Variable([value]), {"a/b": tf.Variable(value + 1)}
        holder.layers = [inner]
        table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, -1.0)
        table.insert(tf.constant([3], tf.int64), tf.constant([value]))
        return tf.train.Checkpoint(net=holder, table=table), [inner.kernel, inner.names["a/b"], table]

    saved, _ = program(5.0)
    path = saved.save(f"{tmp_path}/ck")
    assert run(["convert", path, f"{tmp_path}/w{suffix}"]) == 0
    assert run(["convert", f"{tmp_path}/w{suffix}", f"{tmp_path}/new.ckpt"]) == 0
    fresh, (kernel, other, table) = program(0.0)
    fresh.restore(f"{tmp_path}/new.ckpt").assert_consumed()
    assert (kernel.numpy(), other.numpy(), table.lookup(tf.constant([3], tf.int64)).numpy()) == ([5.0], 6.0, [5.0])


@pytest.mark.parametrize("name", ["m.weights.h5", "m.keras"])
def test_weights_of_keras(name: str, tmp_path: Path) -> None:
    import keras

    net = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    net.save_weights(tmp_path / name) if "weights" in name else net.save(tmp_path / name)
    assert run(["convert", str(tmp_path / name), f"{tmp_path}/w.ckpt"]) == 0
    found = held(tmp_path / "w.ckpt")
    np.testing.assert_equal(
        [found["layers/dense/vars/0"], found["layers/dense/vars/1"]], [w.numpy() for w in net.weights]
    )


def test_types_that_tensorflow_has_not_are_refused(tmp_path: Path) -> None:
    import json

    header = json.dumps({"x": {"dtype": "F8_E8M0", "shape": [4], "data_offsets": [0, 4]}}).encode()
    (tmp_path / "w.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + b"\x7f\x80\x81\x7e")
    with pytest.raises(UnsupportedError, match="TensorFlow has no type float8_e8m0fnu"):
        edit(tmp_path / "w.safetensors", [("convert", {})], output=tmp_path / "w.ckpt")
    edit(tmp_path / "w.safetensors", [("cast", {"dtype": "float32"})], output=tmp_path / "w.ckpt")
    np.testing.assert_equal(held(tmp_path / "w.ckpt"), {"x": [1.0, 2.0, 4.0, 0.5]})
