"""TensorFlow restores checkpoints that were averaged, cast and merged, with the values that numpy computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import read
from graphsurgeon.edit import edit
from graphsurgeon.errors import UsageError
from graphsurgeon.model import numeric
from graphsurgeon.model.dtype import DType
from graphsurgeon.surgery import merge

pytestmark = pytest.mark.tensorflow


def network(seed: int) -> tuple[Any, Any]:
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    net = keras.Sequential([keras.Input((3,)), layers.Dense(4), layers.BatchNormalization(), layers.Dense(2)])
    net.set_weights([np.random.default_rng(seed).random(w.shape) for w in net.get_weights()])
    optimizer = keras.optimizers.Adam()
    optimizer.build(net.trainable_variables)
    optimizer.iterations.assign(seed)
    return net, optimizer


@pytest.fixture
def three(tmp_path: Path) -> list[tuple[str, Any]]:
    """Save three runs; what the second calls its model comes first, so that it has other keys and numbers."""
    import tensorflow as tf

    saved = []
    for seed in (1, 2, 3):
        net, optimizer = network(seed)
        extra = {"a_first": net} if seed == 2 else {}
        saved.append((tf.train.Checkpoint(model=net, optimizer=optimizer, **extra).save(f"{tmp_path}/ck{seed}"), net))
    return saved


@pytest.mark.parametrize(
    ("given", "factors"),
    [({}, None), ({"weights": [1.0, 2.0, 5.0]}, [1, 2, 5]), ({"decay": 0.75}, [0.5625, 0.1875, 0.25])],
)
def test_an_average(given: dict[str, Any], factors: Any, three: list[tuple[str, Any]], tmp_path: Path) -> None:
    import tensorflow as tf

    (first, _), *others = three
    step = ("average", {"checkpoints": [path for path, _ in others], **given})
    [done] = edit(first, [step], output=tmp_path / "mean.ckpt").steps
    fresh, optimizer = network(9)
    tf.train.Checkpoint(model=fresh, optimizer=optimizer).restore(f"{tmp_path}/mean.ckpt").assert_consumed()
    for mine, *theirs in zip(fresh.get_weights(), *(net.get_weights() for _, net in three), strict=True):
        wanted = np.average(np.stack(theirs).astype("f8"), axis=0, weights=factors).astype("f4")
        np.testing.assert_array_equal(mine, wanted)
    assert int(optimizer.iterations) == 3
    assert any("batch normalization" in note for note in done.report.notes)  # type: ignore[attr-defined]


def test_a_saver_restores_an_average(tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    values = [[1.0, 2.0], [4.0, 8.0]]
    with tf.Graph().as_default(), v1.Session() as session:
        v = v1.get_variable("s/v", [2], dtype=tf.bfloat16)
        step = v1.train.get_or_create_global_step()
        saver = v1.train.Saver()
        for number, value in enumerate(values):
            session.run([v.assign(value), step.assign(number)])
            saver.save(session, f"{tmp_path}/m", global_step=number)
        edit(f"{tmp_path}/m-0", [("average", {"checkpoints": [f"{tmp_path}/m-1"]})], output=tmp_path / "mean.ckpt")
        saver.restore(session, f"{tmp_path}/mean.ckpt")
        np.testing.assert_array_equal(session.run(v).astype("f4"), [2.5, 5.0])
        assert session.run(step) == 1


def test_what_has_no_partner_is_not_averaged(three: list[tuple[str, Any]], tmp_path: Path) -> None:
    import tensorflow as tf

    other = tf.train.Checkpoint(v=tf.Variable([1.0])).save(f"{tmp_path}/other")
    with pytest.raises(UsageError, match="no partner"):
        edit(three[0][0], [("average", {"checkpoints": [other]})], output=tmp_path / "x.ckpt")
    assert not list(tmp_path.glob("x.*"))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16", "float64"])
def test_a_cast_restores_into_variables_of_its_type(dtype: str, tmp_path: Path) -> None:
    import tensorflow as tf

    values = np.random.default_rng(1).normal(size=1000).astype("f4")
    path = tf.train.Checkpoint(v=tf.Variable(values), n=tf.Variable(3)).write(f"{tmp_path}/one")
    [done] = edit(path, [("cast", {"dtype": dtype})], output=tmp_path / "two.ckpt").steps
    made = tf.Variable(tf.zeros(1000, dtype))
    tf.train.Checkpoint(v=made, n=tf.Variable(0)).read(f"{tmp_path}/two.ckpt").assert_consumed()
    np.testing.assert_array_equal(made.numpy(), tf.cast(values, dtype).numpy())
    assert "no loader takes" in done.report.notes[0]  # type: ignore[attr-defined]
    with pytest.raises(Exception, match="dtype"):
        tf.train.Checkpoint(v=tf.Variable(values), n=tf.Variable(0)).read(f"{tmp_path}/two.ckpt").assert_consumed()


@pytest.mark.parametrize(("value", "dtype"), [(70000.0, "float16"), (3.4e38, "bfloat16"), (1e9, "float8_e5m2")])
def test_what_is_out_of_range_is_refused(value: float, dtype: str, tmp_path: Path) -> None:
    import tensorflow as tf

    path = tf.train.Checkpoint(big=tf.Variable([1.0, value])).write(f"{tmp_path}/one")
    with pytest.raises(UsageError, match=r"1 values of big.* beyond the range"):
        edit(path, [("cast", {"dtype": dtype})], output=tmp_path / "two.ckpt")
    assert not list(tmp_path.glob("two*"))


def test_what_becomes_zero_is_counted(tmp_path: Path) -> None:
    import tensorflow as tf

    path = tf.train.Checkpoint(v=tf.Variable([1.0, 1e-9, 0.0])).write(f"{tmp_path}/one")
    [done] = edit(path, [("cast", {"dtype": "float16"})], output=tmp_path / "two.ckpt").steps
    assert [count for _, count in done.report.became_zero] == [1]  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "name", ["bfloat16", "float8_e5m2", "float8_e4m3fn", "float8_e4m3fnuz", "float8_e4m3b11fnuz", "float8_e5m2fnuz"]
)
def test_rounding_is_that_of_ml_dtypes(name: str) -> None:
    import ml_dtypes

    floats = np.random.default_rng(0).normal(size=20000).astype("f4")
    ties = np.arange(-600, 600, 0.5, dtype="f4")
    cases = np.concatenate([floats, floats * 1e-3, floats * 1e3, ties, ties / 1024, [0, -0.0, np.inf, -np.inf]])
    wanted = cases.astype(getattr(ml_dtypes, name))
    mine = np.frombuffer(numeric.from_numpy(DType.named(name), cases), wanted.dtype)
    np.testing.assert_array_equal(mine.astype("f4"), wanted.astype("f4"))
    assert np.isnan(np.frombuffer(numeric.from_numpy(DType.named(name), np.array([np.nan])), wanted.dtype).astype("f4"))


def test_objects_of_both_are_restored_from_one(tmp_path: Path) -> None:
    import tensorflow as tf

    one, other = network(1), network(2)
    first = tf.train.Checkpoint(encoder=one[0], optimizer=one[1]).save(f"{tmp_path}/one")
    # The keys of both lie under `optimizer`: only restoring by objects tells them apart.
    holder = tf.Module()
    holder.optimizer = other[1]
    second = tf.train.Checkpoint(decoder=other[0], other=holder).save(f"{tmp_path}/two")
    edit(first, [("merge", {"checkpoint": second})], output=tmp_path / "both.ckpt")
    a, b = network(8), network(9)
    holder = tf.Module()
    holder.optimizer = b[1]
    program = tf.train.Checkpoint(encoder=a[0], optimizer=a[1], decoder=b[0], other=holder)
    program.restore(f"{tmp_path}/both.ckpt").assert_consumed()
    for mine, theirs in ((a, one), (b, other)):
        np.testing.assert_equal(mine[0].get_weights(), theirs[0].get_weights())
        assert int(mine[1].iterations) == int(theirs[1].iterations)


def test_keys_that_both_have_are_told_apart(tmp_path: Path) -> None:
    """A key need not show the path: an edited file may have the key of another."""
    import tensorflow as tf

    first = tf.train.Checkpoint(x=tf.Variable([1.0])).write(f"{tmp_path}/one")
    second = tf.train.Checkpoint(x=tf.Variable([2.0])).write(f"{tmp_path}/two")
    model = read(second)
    assert model.checkpoint is not None
    assert model.checkpoint.objects is not None
    root = model.checkpoint.objects.root
    root.children = [("y" if name == "x" else name, child) for name, child in root.children]
    into = read(first)
    assert merge(into, checkpoint=model).renamed
    from graphsurgeon import write

    write(into, tmp_path / "both.ckpt")
    x, y = tf.Variable([0.0]), tf.Variable([0.0])
    tf.train.Checkpoint(x=x, y=y).read(f"{tmp_path}/both.ckpt").assert_consumed()
    assert (x.numpy(), y.numpy()) == ([1.0], [2.0])


@pytest.mark.parametrize(("keep", "wanted"), [("first", 1.0), ("second", 2.0)])
def test_a_rule_for_what_both_have(keep: str, wanted: float, tmp_path: Path) -> None:
    import tensorflow as tf

    def saved(value: float, **more: Any) -> str:
        path: str = tf.train.Checkpoint(x=tf.Variable([value]), **more).save(f"{tmp_path}/{value}")
        return path

    first, second = saved(1.0), saved(2.0, z=tf.Variable([5.0]))
    with pytest.raises(UsageError, match="both have x"):
        edit(first, [("merge", {"checkpoint": second})], output=tmp_path / "both.ckpt")
    edit(first, [("merge", {"checkpoint": second, "keep": keep})], output=tmp_path / "both.ckpt")
    x, z = tf.Variable([0.0]), tf.Variable([0.0])
    tf.train.Checkpoint(x=x, z=z).restore(f"{tmp_path}/both.ckpt").assert_consumed()
    assert (x.numpy(), z.numpy()) == ([wanted], [5.0])


def test_a_prefix_keeps_both(tmp_path: Path) -> None:
    import tensorflow as tf

    first = tf.train.Checkpoint(net=network(1)[0]).save(f"{tmp_path}/one")
    other = network(2)[0]
    second = tf.train.Checkpoint(net=other).save(f"{tmp_path}/two")
    edit(first, [("merge", {"checkpoint": second, "prefix": "teacher/"})], output=tmp_path / "both.ckpt")
    student, holder = network(8)[0], tf.Module()
    holder.net = network(9)[0]
    tf.train.Checkpoint(net=student, teacher=holder).restore(f"{tmp_path}/both.ckpt").assert_consumed()
    np.testing.assert_equal(holder.net.get_weights(), other.get_weights())


def test_a_saver_restores_what_was_merged(tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1

    def saved(name: str, value: float) -> str:
        with tf.Graph().as_default(), v1.Session() as session:
            v1.get_variable(name, initializer=[value], partitioner=None)
            session.run(v1.global_variables_initializer())
            path: str = v1.train.Saver().save(session, f"{tmp_path}/{value}")
            return path

    first, second = saved("a/w", 1.0), saved("b/w", 2.0)
    edit(first, [("merge", {"checkpoint": second})], output=tmp_path / "both.ckpt")
    with tf.Graph().as_default(), v1.Session() as session:
        made = [v1.get_variable(name, [1]) for name in ("a/w", "b/w")]
        v1.train.Saver().restore(session, f"{tmp_path}/both.ckpt")
        np.testing.assert_equal(session.run(made), [[1.0], [2.0]])


@pytest.mark.parametrize(("is_first", "prefix"), [(False, ""), (False, "old/"), (True, "")])
def test_names_and_objects_in_one(is_first: bool, prefix: str, tmp_path: Path) -> None:
    """Programs of both kinds restore what was theirs, and one with objects for all of it."""
    import tensorflow as tf

    v1 = tf.compat.v1

    def made(number: int = 1) -> list[Any]:
        parts = v1.fixed_size_partitioner(number)
        return [
            v1.get_variable("conv.1/w", [2, 3], initializer=v1.constant_initializer([[1, 2, 3], [4, 5, 6]])),
            v1.get_variable("p", [4], partitioner=parts, initializer=v1.constant_initializer(7)),
            v1.get_variable("global_step", initializer=5, use_resource=True),
        ]

    with tf.Graph().as_default(), v1.Session() as session:
        made(2)
        session.run(v1.global_variables_initializer())
        names = v1.train.Saver().save(session, f"{tmp_path}/names.ckpt")
    net, optimizer = network(1)
    objects = tf.train.Checkpoint(net=net, optimizer=optimizer).save(f"{tmp_path}/objects")
    first, second = (names, objects) if is_first else (objects, names)
    [done] = edit(first, [("merge", {"checkpoint": second, "prefix": prefix})], output=tmp_path / "both.ckpt").steps
    told = "\n".join(done.report.notes)  # type: ignore[attr-defined]
    assert "became paths of objects" in told
    assert "of p, stored in parts" in told

    with tf.Graph().as_default(), v1.Session() as session:
        with v1.variable_scope(prefix.rstrip("/")):
            mine = [tf.convert_to_tensor(variable) for variable in made()]
        v1.train.Saver().restore(session, f"{tmp_path}/both.ckpt")
        values = session.run(mine)
    np.testing.assert_equal(values, [[[1, 2, 3], [4, 5, 6]], [7, 7, 7, 7], 5])

    conv, blank = tf.Module(), network(9)
    conv.w = tf.Variable(tf.zeros([2, 3]))
    parts: Any = {"conv.1": conv, "p": tf.Variable(tf.zeros(4)), "global_step": tf.Variable(0)}
    if prefix:
        holder = tf.Module()
        for name, part in parts.items():
            setattr(holder, name, part)
        parts = {"old": holder}
    program = tf.train.Checkpoint(net=blank[0], optimizer=blank[1], **parts)
    program.restore(f"{tmp_path}/both.ckpt").assert_consumed()
    np.testing.assert_equal(conv.w.numpy(), [[1, 2, 3], [4, 5, 6]])
    np.testing.assert_equal(blank[0].get_weights(), net.get_weights())
    assert int(blank[1].iterations) == int(optimizer.iterations)


def test_names_that_cannot_be_objects_with_others(tmp_path: Path) -> None:
    """A name that both have asks for a rule, and what lies below a variable is told."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        for name in ("w", "w/Adam"):
            v1.get_variable(name, initializer=[1.0, 2.0])
        session.run(v1.global_variables_initializer())
        names = v1.train.Saver().save(session, f"{tmp_path}/names.ckpt")
    objects = tf.train.Checkpoint(w=tf.Variable([3.0, 4.0])).write(f"{tmp_path}/objects")
    for first, second in ((names, objects), (objects, names)):
        model = read(first)
        assert model.checkpoint is not None
        before = list(model.checkpoint.variables)
        with pytest.raises(UsageError, match="both have w"):
            merge(model, checkpoint=read(second))
        assert list(model.checkpoint.variables) == before
        [done] = edit(
            first, [("merge", {"checkpoint": second, "keep": "first"})], output=tmp_path / "both.ckpt", force=True
        ).steps
        assert any(note.startswith("w/Adam: below") for note in done.report.notes)  # type: ignore[attr-defined]
        w = tf.Variable([0.0, 0.0])
        tf.train.Checkpoint(w=w).read(f"{tmp_path}/both.ckpt").assert_existing_objects_matched()
        assert w.numpy().tolist() == ([1.0, 2.0] if first is names else [3.0, 4.0])


def test_partitioned_variables(tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1

    def made(name: str, parts: int, value: float = 0.0) -> Any:
        slices = v1.fixed_size_partitioner(parts)
        return v1.get_variable(name, [6, 2], partitioner=slices, initializer=v1.constant_initializer(value))

    def saved(value: float) -> str:
        with tf.Graph().as_default(), v1.Session() as session:
            made("w", 3, value)
            session.run(v1.global_variables_initializer())
            path: str = v1.train.Saver().save(session, f"{tmp_path}/{value}")
            return path

    first, second = saved(1.0), saved(3.0)
    edit(first, [("average", {"checkpoints": [second]})], output=tmp_path / "mean.ckpt")
    edit(first, [("merge", {"checkpoint": second, "prefix": "z/"})], output=tmp_path / "both.ckpt")
    for file, wanted in (("mean", {"w": 2.0}), ("both", {"w": 1.0, "z/w": 3.0})):
        with tf.Graph().as_default(), v1.Session() as session:
            values = {name: tf.convert_to_tensor(made(name, 2)) for name in wanted}
            v1.train.Saver().restore(session, f"{tmp_path}/{file}.ckpt")
            assert {name: value.tolist() for name, value in session.run(values).items()} == {
                name: [[value] * 2] * 6 for name, value in wanted.items()
            }
