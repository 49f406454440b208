"""`gs check --checkpoint` says what TensorFlow restores; after the rename that it prints that is all."""

from __future__ import annotations

import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.cli import app

pytestmark = pytest.mark.tensorflow

SIZES = [(4, 3), (3, 3), (3, 2)]
Say = Callable[..., tuple[int, str]]


@pytest.fixture
def gs(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Say:
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        status = app.run(list(words))
        return status, "".join(capsys.readouterr())

    return call


def run_what_is_printed(gs: Say, *words: str) -> None:
    """Run the commands that `gs check` prints, as a shell would."""
    status, text = gs(*words)
    commands = [line.strip() for line in text.splitlines() if line.startswith("  gs ")]
    assert status == 1
    assert commands
    for command in commands:
        _, *arguments = shlex.split(command)
        status, said = gs(*arguments)
        assert status == (1 if arguments[0] == "check" else 0), said
    assert Path("renamed.ckpt.index").exists()
    assert gs(*[word if word != words[-1] else "renamed.ckpt" for word in words])[0] == 0


class Graph:
    """A graph of version 1 with its saver and a session."""

    def __init__(self, scope: str, kernel: str, bias: str, depth: int = 1) -> None:
        import tensorflow as tf

        v1 = tf.compat.v1
        self.graph = tf.Graph()
        with self.graph.as_default():
            x = v1.placeholder(tf.float32, [None, 4], name="x")
            for number, (rows, columns) in enumerate(SIZES * depth):
                if rows != x.shape[-1]:
                    x = x[:, :1] * np.ones([1, rows], "f4")
                w = v1.get_variable(f"{scope}fc{number}/{kernel}", [rows, columns])
                b = v1.get_variable(f"{scope}fc{number}/{bias}", [columns], initializer=v1.random_normal_initializer())
                x = tf.nn.relu(x @ w + b)
            tf.identity(x, name="y")
            self.session = v1.Session()
            self.session.run(v1.global_variables_initializer())
            self.saver = v1.train.Saver()
            self.variables = v1.global_variables()

    def save(self, path: str) -> None:
        with self.graph.as_default():
            self.saver.save(self.session, path)

    def restore(self, path: str) -> None:
        with self.graph.as_default():
            self.saver.restore(self.session, path)

    def values(self) -> list[Any]:
        return list(self.session.run(self.variables))


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (("tower_0/", "weights", "biases"), ("", "weights", "biases")),
        (("", "weights", "biases"), ("net/", "weights", "biases")),
        (("a/", "weights", "biases"), ("b/c/", "weights", "biases")),
        (("", "weights", "biases"), ("", "kernel", "bias")),
        (("a/", "w", "b"), ("net/", "kernel", "bias", 4)),
    ],
)
def test_a_saver_restores_after_the_printed_rename(first: tuple[Any, ...], second: tuple[Any, ...], gs: Say) -> None:
    depth = second[3:]
    one, other = Graph(*first, *depth), Graph(*second)
    one.save("./one")
    other.save("./other")
    run_what_is_printed(gs, "check", "other.meta", "--checkpoint", "one")
    other.restore("./renamed.ckpt")
    for mine, theirs in zip(one.values(), other.values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def network(seed: int, norm: bool) -> tuple[Any, Any]:
    import keras

    keras.utils.set_random_seed(seed)
    layers = keras.layers
    hidden = [layers.BatchNormalization()] if norm else []
    net = keras.Sequential([keras.Input((4,)), layers.Dense(3), *hidden, layers.Dense(3), layers.Dense(2)])
    optimizer = keras.optimizers.Adam()
    optimizer.build(net.trainable_variables)
    return net, optimizer


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("with_optimizer", [True, False])
def test_objects_are_restored_after_the_printed_rename(with_optimizer: bool, norm: bool, gs: Say) -> None:
    import tensorflow as tf

    def holding(net: Any, optimizer: Any, *names: str) -> Any:
        return tf.train.Checkpoint(**dict(zip(names, (net, optimizer) if with_optimizer else (net,), strict=False)))

    one, other = network(1, norm), network(2, norm)
    one[1].iterations.assign(7)
    holding(*one, "model", "optimizer").write("one.ckpt")
    program = holding(*other, "encoder", "adam")
    program.write("other.ckpt")
    run_what_is_printed(gs, "check", "other.ckpt", "--checkpoint", "one.ckpt")
    program.read("renamed.ckpt").assert_consumed()
    for mine, theirs in zip(one[0].weights, other[0].weights, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    assert not with_optimizer or int(other[1].iterations) == 7


def test_objects_of_another_structure_are_restored_by_the_names_of_their_variables(gs: Say) -> None:
    """As from the Keras of one release to that of the next: other edges, other depths, the same variables."""
    import tensorflow as tf

    def layer(number: int, kernel: str) -> Any:
        holder = tf.Module()
        setattr(holder, kernel, tf.Variable(np.random.rand(3, 3), name=f"dense_{number}/kernel"))
        holder.bias = tf.Variable(np.random.rand(3), name=f"dense_{number}/bias")
        return holder

    def weights(layers: list[Any], kernel: str) -> list[Any]:
        return [value for one in layers for value in (getattr(one, kernel).numpy(), one.bias.numpy())]

    first, second = [layer(n, "kernel") for n in range(6)], [layer(n, "_kernel") for n in range(6)]
    old, functional, new = tf.Module(), tf.Module(), tf.Module()
    for number, one in enumerate(first):
        setattr(old, f"layer_with_weights-{number}", one)
        setattr(old, f"layer-{number + 1}", one)
    new._functional = functional
    functional._operations = [tf.Module(), *second]
    tf.train.Checkpoint(old).write("one.ckpt")
    program = tf.train.Checkpoint(new)
    program.write("other.ckpt")
    run_what_is_printed(gs, "check", "other.ckpt", "--checkpoint", "one.ckpt")
    program.read("renamed.ckpt").assert_consumed()
    np.testing.assert_equal(weights(second, "_kernel"), weights(first, "kernel"))


def test_what_is_said_to_be_restored_is(gs: Say) -> None:
    """By name: from objects into a graph of version 1, and the other way."""
    import json

    import tensorflow as tf

    variables = [tf.Variable([1.0, 2.0], name="a"), tf.Variable([[3.0]], name="s/b")]
    tf.train.Checkpoint(x=variables[0], y=variables[1]).write("objects.ckpt")
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        made = [tf.compat.v1.get_variable("a", [2]), tf.compat.v1.get_variable("s/b", [1, 1])]
        session.run(tf.compat.v1.global_variables_initializer())
        saver = tf.compat.v1.train.Saver()
        saver.save(session, "./names")
        _, text = gs("check", "names.meta", "--checkpoint", "objects.ckpt", "--json")
        assert json.loads(text)["restored"].keys() == {"a", "s/b"}
        saver.restore(session, "./objects.ckpt")
        np.testing.assert_equal(session.run(made), [[1.0, 2.0], [[3.0]]])
    _, text = gs("check", "objects.ckpt", "--checkpoint", "names", "--json")
    assert json.loads(text)["restored"] == {"x": "a", "y": "s/b"}


@pytest.mark.parametrize("kernel", ["weights", "kernel"])
def test_keras_restores_what_a_saver_has_written(kernel: str, gs: Say) -> None:
    """Keras 3 finds nothing by names, not even by its own."""
    import tensorflow as tf

    net, _ = network(1, norm=False)
    program = tf.train.Checkpoint(net)
    program.write("program.ckpt")
    names = [variable.path.replace("kernel", kernel) for variable in net.weights]
    before, graph = net.get_weights(), tf.Graph()
    with graph.as_default():
        made = [tf.compat.v1.get_variable(name, value.shape) for name, value in zip(names, before, strict=True)]
        saver, session = tf.compat.v1.train.Saver(), tf.compat.v1.Session()
        session.run(tf.compat.v1.global_variables_initializer())
        values = session.run(made)
        saver.save(session, "./names")
    program.read("names")
    np.testing.assert_equal(net.get_weights(), before)
    run_what_is_printed(gs, "check", "program.ckpt", "--checkpoint", "names")
    program.read("renamed.ckpt").assert_consumed()
    np.testing.assert_equal(net.get_weights(), values)
    with graph.as_default():
        session.run(tf.compat.v1.global_variables_initializer())
        saver.restore(session, "./renamed.ckpt")  # by the names that the variables had
        np.testing.assert_equal(session.run(made), values)


def test_variables_of_an_exported_model_lead_back_into_the_program(gs: Say) -> None:
    """Keras 3's export has each of them twice."""
    import tensorflow as tf

    net, _ = network(1, norm=True)
    net.export("exported", verbose=False)
    values = net.get_weights()
    program = tf.train.Checkpoint(net)
    program.write("program.ckpt")
    net.set_weights([value + 1 for value in values])
    run_what_is_printed(gs, "check", "program.ckpt", "--checkpoint", "exported/variables/variables")
    program.read("renamed.ckpt").expect_partial()
    np.testing.assert_equal(net.get_weights(), values)


def test_a_map_of_a_comparison_is_taken_by_rename(gs: Say) -> None:
    one, other = Graph("a/", "weights", "biases"), Graph("net/", "weights", "biases")
    one.save("./one")
    other.save("./other")
    assert gs("diff", "one", "other", "--rename-map", "map.json")[0] == 1
    status, said = gs("rename", "one", "--map", "map.json", "-o", "renamed.ckpt")
    assert status == 0, said
    other.restore("./renamed.ckpt")
    for mine, theirs in zip(one.values(), other.values(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_map_of_objects_is_taken_by_rename(gs: Say) -> None:
    """The values differ, so names alone lead from one to the other."""
    import tensorflow as tf

    one, other = network(1, norm=True), network(2, norm=True)
    tf.train.Checkpoint(model=one[0], optimizer=one[1]).write("one.ckpt")
    program = tf.train.Checkpoint(encoder=other[0], adam=other[1])
    program.write("other.ckpt")
    assert gs("diff", "one.ckpt", "other.ckpt", "--rename-map", "map.json")[0] == 1
    status, said = gs("rename", "one.ckpt", "--map", "map.json", "-o", "renamed.ckpt")
    assert status == 0, said
    program.read("renamed.ckpt").assert_consumed()
    np.testing.assert_equal(other[0].get_weights(), one[0].get_weights())
