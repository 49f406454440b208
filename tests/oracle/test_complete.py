"""What a bare graph needs as a SavedModel, whichever command makes it one: TensorFlow loads the result and runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.cli import app
from graphsurgeon.formats import read

pytestmark = pytest.mark.tensorflow
WORDS, NUMBERS = ["a", "b", "z"], [0, 1, -1]


def lookup(folder: Path, kind: str) -> None:
    """Build, in the default graph, a table of two words over the input `x`, read as `y`."""
    import tensorflow as tf

    v1 = tf.compat.v1
    if kind == "pairs":
        init = tf.lookup.KeyValueTensorInitializer(["a", "b"], np.array([0, 1], np.int64))
    else:
        (folder / "vocab.txt").write_text("a\nb\n")
        index = tf.lookup.TextFileIndex
        columns = (tf.string, index.WHOLE_LINE, tf.int64, index.LINE_NUMBER)
        init = tf.lookup.TextFileInitializer(str(folder / "vocab.txt"), *columns)
    with tf.init_scope() if tf.executing_eagerly() else tf.name_scope(""):
        table = tf.lookup.StaticHashTable(init, -1)
    tf.identity(table.lookup(v1.placeholder(tf.string, [None], name="x")), name="y")


def answer(folder: Path, feeds: dict[str, Any]) -> Any:
    """Load a SavedModel as Serving does, by its tag, and fetch `y:0`."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        v1.saved_model.load(session, ["serve"], str(folder))
        return session.run("y:0", feeds)


@pytest.mark.parametrize("kind", ["pairs", "file"])
@pytest.mark.parametrize("command", [["convert"], ["add-signature", "--output", "y=y"]])
def test_a_frozen_graph_fills_its_tables_on_load(kind: str, command: list[str], tmp_path: Path) -> None:
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        lookup(tmp_path, kind)
        tf.compat.v1.tables_initializer(name="init_all_tables")
    (tmp_path / "frozen.pb").write_bytes(graph.as_graph_def().SerializeToString())
    name, *options = command
    assert app.run([name, str(tmp_path / "frozen.pb"), *options, "-o", str(tmp_path / "out"), "-q"]) == 0
    assert answer(tmp_path / "out", {"x:0": WORDS}).tolist() == NUMBERS


@pytest.fixture
def trained(tmp_path: Path) -> Path:
    """A `.meta` saved after a SavedModel was made in the same session: it lists an asset, whose file it has not."""
    import tensorflow as tf

    v1 = tf.compat.v1
    (tmp_path / "train").mkdir()
    with tf.Graph().as_default(), v1.Session() as session:
        lookup(tmp_path / "train", "file")
        v1.get_variable("w", [2], initializer=v1.ones_initializer())
        init = v1.tables_initializer()
        session.run([v1.global_variables_initializer(), init])
        builder = v1.saved_model.builder.SavedModelBuilder(str(tmp_path / "exported"))
        paths = v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS)
        builder.add_meta_graph_and_variables(session, ["train"], assets_collection=paths, main_op=init)
        builder.save()
        v1.train.Saver().save(session, str(tmp_path / "train" / "model"))
    (tmp_path / "train" / "vocab.txt").rename(tmp_path / "vocab.txt")
    return tmp_path / "train" / "model.meta"


COMMANDS = [["convert"], ["add-signature", "--output", "y=y"], ["strip"], ["rename", "--prefix", "zz/"]]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_listed_asset_must_be_given(
    command: list[str], trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, *options = command
    arguments = [name, str(trained), *options, "-o", str(tmp_path / "out")]
    assert app.run(arguments) == 2
    assert "the graph lists the asset 'vocab.txt'" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    if name in ("convert", "add-signature"):
        assert app.run([*arguments, "--asset", f"vocab.txt={tmp_path / 'vocab.txt'}"]) == 0
        assert answer(tmp_path / "out", {"x:0": WORDS}).tolist() == NUMBERS
        assert [finding for finding in check(read(tmp_path / "out")) if finding.severity == "error"] == []


@pytest.mark.parametrize(
    "command", [["freeze", "--outputs", "y"], ["strip"], ["extract", "--outputs", "y"], ["convert"]]
)
def test_every_way_into_a_folder_is_served(command: list[str], tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    with tf.Graph().as_default(), v1.Session() as session:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        tf.multiply(x, v1.get_variable("w", initializer=tf.constant([2.0, 3.0])), name="y")
        session.run(v1.global_variables_initializer())
        v1.train.Saver().save(session, str(tmp_path / "model"))
    name, *options = command
    assert app.run([name, str(tmp_path / "model.meta"), *options, "-o", str(tmp_path / "out"), "-q"]) == 0
    assert read(tmp_path / "out").metagraphs[0].tags == ["serve"]
    result = v1_answer(tmp_path / "out", np.array([[1.0, 1.0]], np.float32))
    np.testing.assert_array_equal(result, [[2.0, 3.0]])


def v1_answer(folder: Path, data: Any) -> Any:
    """Feed the first placeholder of a SavedModel, and fetch what its signature, or else the node `y`, yields."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        loaded = v1.saved_model.load(session, ["serve"], str(folder))
        outputs = [info.name for each in loaded.signature_def.values() for info in each.outputs.values()]
        feed = next(op for op in session.graph.get_operations() if op.type == "Placeholder")
        return session.run(outputs[0] if outputs else "y:0", {feed.outputs[0]: data})


def test_a_constant_where_a_reference_was_is_said_and_repaired(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    v1.disable_control_flow_v2()
    with tf.Graph().as_default() as graph:
        phase, x = v1.placeholder(tf.bool, [], name="phase_train"), v1.placeholder(tf.float32, [None, 2], name="x")
        variable = v1.get_variable("m", [2], use_resource=False, initializer=v1.ones_initializer())
        moved = v1.cond(phase, lambda: v1.assign(variable, variable * 0.5), lambda: tf.identity(variable))
        tf.add(x, moved, name="y")
    v1.enable_control_flow_v2()
    message = graph.as_graph_def()
    [node] = [node for node in message.node if node.name == "m"]
    node.CopyFrom(v1.NodeDef(name="m", op="Const"))
    node.attr["dtype"].type = tf.float32.as_datatype_enum
    node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto([1.0, 1.0]))
    source = tmp_path / "frozen.pb"
    source.write_bytes(message.SerializeToString())
    with pytest.raises(ValueError, match="float_ref"), tf.Graph().as_default():
        tf.import_graph_def(message)
    for command in (["strip", "--outputs", "y"], ["convert"], ["add-signature", "--output", "y=y"]):
        name, *options = command
        assert app.run([name, str(source), *options, "-o", str(tmp_path / name)]) == 0
        told = capsys.readouterr().out
        assert "note: not sound, as in the source: node " in told
    assert "gs set-input --set phase_train=false" in run_check(source, capsys)
    assert app.run(["set-input", str(source), "--set", "phase_train=false", "-o", str(tmp_path / "set.pb")]) == 0
    assert app.run(["strip", str(tmp_path / "set.pb"), "--outputs", "y", "-o", str(tmp_path / "good.pb")]) == 0
    good = v1.GraphDef.FromString((tmp_path / "good.pb").read_bytes())
    with tf.Graph().as_default(), v1.Session() as session:
        tf.import_graph_def(good, name="")
        assert session.run("y:0", {"x:0": [[1.0, 2.0]]}).tolist() == [[2.0, 3.0]]


def run_check(path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    app.run(["check", str(path)])
    return capsys.readouterr().out
