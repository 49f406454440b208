"""TensorFlow restores what was cut out of, or renamed in, checkpoints of objects, with equal values."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import UsageError, read, write
from graphsurgeon.checks.check import check
from graphsurgeon.edit import edit
from graphsurgeon.surgery.extract import extract
from graphsurgeon.surgery.rename import rename

pytestmark = pytest.mark.tensorflow


def network(seed: int) -> Any:
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    return keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(2)])


def saved(net: Any, path: Path) -> str:
    """Save a model beside its optimizer: the keys of its weights lie under the optimizer."""
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam()
    optimizer.build(net.trainable_variables)
    return str(tf.train.Checkpoint(model=net, optimizer=optimizer).save(str(path)))


def assert_same_weights(one: Any, other: Any) -> None:
    for mine, theirs in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_all_weights_of_a_keras_model_are_extracted_by_path(tmp_path: Path) -> None:
    import tensorflow as tf

    net, fresh = network(1), network(2)
    model = read(saved(net, tmp_path / "ck"))
    extract(model, match=["model/*"])
    write(model, tmp_path / "part.ckpt")
    tf.train.Checkpoint(model=fresh).restore(str(tmp_path / "part.ckpt")).assert_consumed()
    assert_same_weights(net, fresh)


def test_what_was_left_out_is_missed(tmp_path: Path) -> None:
    """An edge to an object without a value would let both asserts pass over initial values."""
    import tensorflow as tf

    model = read(saved(network(1), tmp_path / "ck"))
    extract(model, match=["model/*/_kernel"])
    write(model, tmp_path / "part.ckpt")
    with pytest.raises(AssertionError, match="not bound"):
        tf.train.Checkpoint(model=network(2)).restore(str(tmp_path / "part.ckpt")).assert_consumed()


@pytest.mark.parametrize(
    ("names", "rules", "attributes"),
    [
        ({"model/": "encoder/"}, {}, ["encoder"]),
        ({"model/": "wrap/encoder/"}, {}, ["wrap", "encoder"]),
        ({}, {"regex": [r"s|^model/|encoder/|"]}, ["encoder"]),
        ({}, {"prefix": "wrap/"}, ["wrap", "model"]),
    ],
)
def test_a_renamed_scope_restores_under_its_new_name(
    names: dict[str, str], rules: dict[str, Any], attributes: list[str], tmp_path: Path
) -> None:
    import tensorflow as tf

    net, fresh = network(1), network(2)
    model = read(saved(net, tmp_path / "ck"))
    extract(model, match=["model/*"])
    rename(model, names, **rules)
    write(model, tmp_path / "new.ckpt")
    holder: Any = fresh
    for name in reversed(attributes[1:]):
        inner, holder = holder, tf.Module()
        setattr(holder, name, inner)
    restored = tf.train.Checkpoint(**{attributes[0]: holder})
    if "prefix" in rules:  # the counter is an object as others are
        restored.read(str(tmp_path / "new.ckpt")).assert_existing_objects_matched()
    else:
        restored.restore(str(tmp_path / "new.ckpt")).assert_consumed()
    assert_same_weights(net, fresh)


def test_slots_follow_when_model_and_optimizer_are_renamed(tmp_path: Path) -> None:
    import keras
    import tensorflow as tf

    net, fresh = network(1), network(2)
    model = read(saved(net, tmp_path / "ck"))
    rename(model, {"model/": "encoder/", "optimizer/": "adam/"})
    write(model, tmp_path / "new.ckpt")
    optimizer = keras.optimizers.Adam()
    optimizer.build(fresh.trainable_variables)
    tf.train.Checkpoint(encoder=fresh, adam=optimizer).restore(str(tmp_path / "new.ckpt")).assert_consumed()
    assert_same_weights(net, fresh)


def test_a_program_name_is_what_v1_savers_look_for(tmp_path: Path) -> None:
    import tensorflow as tf

    one = tf.Variable([3.0, 4.0], name="before")
    model = read(tf.train.Checkpoint(v=one).save(str(tmp_path / "ck")))
    rename(model, {"before": "after"})
    write(model, tmp_path / "new.ckpt")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        variable = tf.compat.v1.get_variable("after", shape=[2])
        tf.compat.v1.train.Saver([variable]).restore(session, str(tmp_path / "new.ckpt"))
        np.testing.assert_array_equal(session.run(variable), [3.0, 4.0])


def test_paths_inside_a_saved_model(tmp_path: Path) -> None:
    """Both object graphs, the keys and what the save function writes change together; values stay."""
    import tensorflow as tf

    from tests.oracle import sessions

    class Layer(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(tf.reshape(tf.range(12.0), [4, 3]))

    class Net(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = Layer()
            self.also = self.model

        @tf.function(input_signature=[tf.TensorSpec([None, 4], tf.float32)])
        def __call__(self, x: Any) -> Any:
            return {"y": tf.matmul(x, self.model.w)}

    net, x = Net(), tf.ones([2, 4])
    tf.saved_model.save(net, str(tmp_path / "source"), signatures=net.__call__)
    target, again = tmp_path / "renamed", tmp_path / "again"
    edit(tmp_path / "source", [("rename", {"names": {"model/": "encoder/"}, "what": "variables"})], output=target)
    loaded = tf.saved_model.load(str(target))
    assert not hasattr(loaded, "model")
    assert loaded.encoder is loaded.also
    want = net(x)["y"].numpy()
    assert sessions.same_bits(want, loaded.signatures["serving_default"](x=x)["y"].numpy())
    with sessions.saved_model(target, ["serve"], optimize=False) as served:
        inputs, outputs = served.signature("serving_default")
        got = served.run({"y": outputs["y"].name}, {inputs["x"].name: x.numpy()})
    assert sessions.same_bits(want, got["y"])
    tf.saved_model.save(loaded, str(again), signatures=loaded.signatures)
    for place in (target, again):
        fresh = Layer()
        fresh.w.assign(tf.zeros([4, 3]))
        tf.train.Checkpoint(encoder=fresh).read(
            str(place / "variables" / "variables")
        ).assert_existing_objects_matched()
        assert sessions.same_bits(net.model.w.numpy(), fresh.w.numpy())


def test_a_path_inside_a_saved_model_stays_as_long_as_it_is(tmp_path: Path) -> None:
    import tensorflow as tf

    net = tf.Module()
    net.model = tf.Module()
    net.model.w = tf.Variable(1.0, name="weight")
    tf.saved_model.save(net, str(tmp_path / "source"))
    for name in ("w", "deep/er/w"):
        with pytest.raises(UsageError, match="is longer or shorter than the path"):
            edit(
                tmp_path / "source",
                [("rename", {"names": {"model/w": name}, "what": "variables"})],
                output=tmp_path / "out",
            )
    names = {"weight": "scope/weight"}  # the variable's own name, which is no path
    edit(tmp_path / "source", [("rename", {"names": names, "what": "variables"})], output=tmp_path / "out")
    assert tf.saved_model.load(str(tmp_path / "out")).model.w.name == "scope/weight:0"


def test_part_of_a_saved_model_is_a_checkpoint(tmp_path: Path) -> None:
    import tensorflow as tf

    def program(value: float) -> tuple[Any, list[Any]]:
        holder = tf.Module()
        holder.encoder, holder.head = tf.Module(), tf.Variable([value], name="head")
        holder.encoder.w = tf.Variable([value + 1], name="encoder/w")
        return holder, [holder.encoder.w, holder.head]

    saved, _ = program(1.0)
    tf.saved_model.save(saved, str(tmp_path / "saved"))
    edit(tmp_path / "saved", [("extract", {"match": ["encoder/*"]})], output=tmp_path / "part.ckpt")
    fresh, (inner, head) = program(50.0)
    tf.train.Checkpoint(encoder=fresh.encoder).read(f"{tmp_path}/part.ckpt").assert_consumed()
    assert (inner.numpy(), head.numpy()) == ([2.0], [50.0])
    with pytest.raises(UsageError, match="variables alone"):
        edit(tmp_path / "saved", [("extract", {"match": ["encoder/*"]})], output=tmp_path / "folder")


def test_one_variable_under_two_keys_is_one(tmp_path: Path) -> None:
    """The shortest path gives a key: beside an optimizer it is another than alone."""
    import tensorflow as tf

    from graphsurgeon.compare.diff.diff import diff

    net = network(1)
    both = read(saved(net, tmp_path / "both"))
    alone = read(tf.train.Checkpoint(model=net).save(str(tmp_path / "alone")))
    report = diff(both, alone, match=["model/*"])
    assert report.counts["variable"]["renamed"] == 6  # kernels and biases, gamma and beta
    assert not any(change.kind == "changed" for change in report.changes)
    net.set_weights([weight + 1 for weight in net.get_weights()])
    other = read(tf.train.Checkpoint(model=net).save(str(tmp_path / "other")))
    changed = [one for one in diff(both, other, match=["model/*"]).changes if one.kind == "changed"]
    assert len(changed) == 8


def with_saver_of_its_own() -> Any:
    """Return a module of which a part is saved by a registered saver, beside a variable that TensorFlow saves."""
    import tensorflow as tf
    from tensorflow.python.saved_model import registration

    class Part(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable(tf.zeros(3))

    def save(trackables: Any, file_prefix: Any) -> Any:
        names = [f"{name}/VALUE" for name in trackables]
        values = [part.w.read_value() for part in trackables.values()]
        tf.raw_ops.SaveV2(prefix=file_prefix, tensor_names=names, shape_and_slices=[""] * len(names), tensors=values)
        return file_prefix

    def restore(trackables: Any, merged_prefix: Any) -> None:
        for name, part in trackables.items():
            (value,) = tf.raw_ops.RestoreV2(
                prefix=merged_prefix, tensor_names=[f"{name}/VALUE"], shape_and_slices=[""], dtypes=[tf.float32]
            )
            part.w.assign(value + 10)

    registered = f"Part{next(_COUNTER)}"  # registering one twice fails
    registration.register_tf_serializable(name=registered)(Part)
    registration.register_tf_checkpoint_saver(
        name=f"{registered}Saver",
        predicate=lambda one: isinstance(one, Part),
        save_fn=save,
        restore_fn=restore,
    )
    module = tf.Module()
    module.part, module.v = Part(), tf.Variable([5.0, 6.0])
    return module


_COUNTER = itertools.count()


def test_what_a_registered_saver_keeps_follows_its_keys(tmp_path: Path) -> None:
    import tensorflow as tf

    module = with_saver_of_its_own()
    module.part.w.assign([1.0, 2.0, 3.0])
    tf.train.Checkpoint(model=module).write(str(tmp_path / "ck"))
    edit(tmp_path / "ck", [("rename", {"names": {"model/": "encoder/"}})], output=tmp_path / "renamed.ckpt")
    edit(tmp_path / "ck", [("extract", {"match": ["model/v*"]})], output=tmp_path / "cut.ckpt")
    module.part.w.assign(tf.zeros(3))
    tf.train.Checkpoint(encoder=module).read(str(tmp_path / "renamed.ckpt")).assert_consumed()
    np.testing.assert_array_equal(module.part.w, [11.0, 12.0, 13.0])
    module.v.assign([0.0, 0.0])
    status = tf.train.Checkpoint(model=module).read(str(tmp_path / "cut.ckpt"))
    status.expect_partial()
    np.testing.assert_array_equal(module.v, [5.0, 6.0])
    np.testing.assert_array_equal(module.part.w, [11.0, 12.0, 13.0])


def test_what_a_registered_saver_keeps_in_a_saved_model_follows_its_keys(tmp_path: Path) -> None:
    import tensorflow as tf

    module = with_saver_of_its_own()
    module.part.w.assign([1.0, 2.0, 3.0])
    module.f = tf.function(lambda x: x * module.part.w, input_signature=[tf.TensorSpec([3])])
    tf.saved_model.save(module, str(tmp_path / "m"), signatures=module.f)
    assert check(read(tmp_path / "m")) == []
    edit(tmp_path / "m", [("rename", {"names": {"part/": "other/"}, "what": "variables"})], output=tmp_path / "renamed")
    loaded = tf.saved_model.load(str(tmp_path / "renamed"))
    np.testing.assert_array_equal(loaded.f(tf.ones(3)), [11.0, 12.0, 13.0])
