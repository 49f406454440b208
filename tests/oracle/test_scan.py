"""`gs scan` on models that TensorFlow made: every construct is found where it is; honest models are not cried over."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.scanning.finding import Threat
from graphsurgeon.scanning.scan import scan

pytestmark = pytest.mark.tensorflow

NAMES = [
    "read", "split", "read_in_map", "write_in_branch", "print_in_loop", "save", "restore", "merge", "cache",
    "statistics", "debug_file", "debug_grpc", "sql", "immutable", "match", "lines", "records", "graph", "python",
    "module", "rpc", "service",
]  # fmt: skip
# One container each for most, all for one.
PAIRS = [(name, ("saved_model", "pb", "v1", "meta", "pbtxt", "text")[place % 6]) for place, name in enumerate(NAMES)]
PAIRS += [("read", container) for container in ("pb", "pbtxt", "meta", "v1", "text")]


def acting(path: Path) -> list[Threat]:
    return [threat for threat in scan(path).findings if threat.severity in ("critical", "high")]


@pytest.mark.parametrize(("name", "container"), PAIRS)
def test_each_construct_is_found(name: str, container: str, tmp_path: Path) -> None:
    from tests.oracle.scan_models import CONSTRUCTS, build

    assert list(CONSTRUCTS) == NAMES
    path = build(name, container, tmp_path / name, tmp_path / "outside")
    construct = CONSTRUCTS[name]
    when = "signature:steal" if container in ("saved_model", "v1", "text") else "unknown"
    ops = {construct.op, construct.op.removesuffix("V2")}  # graphs of TensorFlow 1 have the older one
    found = [(t.severity, t.when, t.target or "") for t in acting(path) if t.op in ops]
    assert found
    for severity, moment, target in found:
        assert (severity, moment) == ("high", when)
        assert (f"{tmp_path}/outside" if construct.target.startswith("/") else "") + construct.target in target


@pytest.mark.parametrize("place", ["nested", "branch", "case", "loop", "map"])
def test_a_construct_is_found_in_the_functions_that_are_called(place: str, tmp_path: Path) -> None:
    from tests.oracle.scan_models import PLACES, build

    assert place in PLACES
    path = build("split", "saved_model", tmp_path / place, tmp_path / "outside", place)
    found = [(t.severity, t.when, t.target) for t in acting(path) if t.op == "ReadFile"]
    assert found == [("high", "signature:steal", f"{tmp_path}/outside/r")]


def test_what_is_no_body_of_a_signature_is_found(tmp_path: Path) -> None:
    from tests.oracle.scan_models import special

    for name, path, (severity, op, when, target) in special(tmp_path, tmp_path / "outside"):
        found = [(t.severity, t.when, t.target) for t in scan(path).findings if t.op == op and t.severity != "info"]
        assert [row for row in found if row[0] == severity and row[1].startswith(when) and row[2] == target], name
        assert not (tmp_path / "outside").exists()


def test_ops_of_tensorflow_in_a_tflite_model(tmp_path: Path) -> None:
    from tests.oracle.scan_models import flex

    found = {name: [(t.severity, t.op, t.when, t.target) for t in acting(path)] for name, path in flex(tmp_path)}
    when = "signature:serving_default"
    assert found == {
        "mapped": [("high", "ReadFile", when, f"{tmp_path}/r")],
        "write": [("high", "WriteFile", when, f"{tmp_path}/w")],
        "caller": [("high", "ReadFile", when, "whatever the caller passes (path)")],
        "debug": [("high", "DebugIdentityV2", when, f"file://{tmp_path}/d")],
    }


def test_paths_in_pieces_are_what_tensorflow_makes_of_them(tmp_path: Path) -> None:
    import tensorflow as tf

    raw = tf.raw_ops
    pieces = {
        "regex": lambda: raw.RegexReplace(input="passwd /etc a", pattern="(.*) (.*) .", rewrite=r"\2/\1"),
        "first": lambda: raw.StaticRegexReplace(input="aXbXc", pattern="[A-Z]", rewrite="/", replace_global=False),
        "format": lambda: raw.StringFormat(inputs=[tf.constant("ab")], template="/x{}y", placeholder="{}"),
        "join": lambda: raw.ReduceJoin(inputs=[["a", "b"], ["c", "d"]], reduction_indices=[0, 1], separator="-"),
        "segments": lambda: raw.UnsortedSegmentJoin(
            inputs=["a", "b", "c"], segment_ids=[1, 0, 1], num_segments=2, separator=":"
        ),
        "number": lambda: raw.AsString(input=[1, -7]),
        "split": lambda: raw.StringSplitV2(input=["a  b c"], sep="", maxsplit=1).values,
        "end": lambda: raw.Substr(input="abcdef", pos=-3, len=2),
        "letters": lambda: raw.UnicodeEncode(
            input_values=[228, 97, 98], input_splits=[0, 2, 3], output_encoding="UTF-8"
        ),
    }
    for name, make in pieces.items():
        graph = tf.Graph()
        with graph.as_default():
            value = make()
            flat = tf.reshape(value, [-1])
            for place in range(int(flat.shape[0] or 2)):
                tf.io.read_file(tf.identity(flat[place]), name="steal")
        tf.io.write_graph(graph.as_graph_def(), str(tmp_path), f"{name}.pb", as_text=False)
        with tf.compat.v1.Session(graph=graph) as session:
            expected = {item.decode() for item in session.run(flat)}
        found = {t.target for t in acting(tmp_path / f"{name}.pb") if t.op == "ReadFile"}
        assert found == expected, name


def test_layers_with_code_in_files_of_keras(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    layers = [keras.Input([2]), keras.layers.Lambda(lambda x: x * 2, name="code"), keras.layers.Dense(1)]
    model = keras.Sequential(layers)
    for name in ("m.keras", "m.h5"):
        model.save(tmp_path / name)
        assert {(t.severity, t.op, t.when) for t in acting(tmp_path / name)} == {("high", "Lambda", "load")}
        assert all("code" in t.where for t in acting(tmp_path / name))
    honest = keras.Sequential([keras.Input([2]), keras.layers.Dense(1, activation="relu")])
    honest.compile("adam", "mse")
    for name in ("ok.keras", "ok.h5"):
        honest.save(tmp_path / name)
        assert scan(tmp_path / name).findings == ()


def test_nothing_that_ships_here_is_cried_over(fixtures_dir: Path) -> None:
    found = {}
    for kind in ("savedmodel", "graphdef", "metagraph", "tflite", "checkpoint"):
        paths = [path for path in sorted((fixtures_dir / kind).iterdir()) if path.name != "unfrozen"]
        paths += [fixtures_dir / kind / "unfrozen" / name for name in ("graph.pbtxt", "weights") if kind == "graphdef"]
        for path in paths:
            findings = [threat for threat in scan(path).findings if threat.severity != "info"]
            if findings:
                found[path.name] = {(threat.severity, threat.op) for threat in findings}
    assert found == {
        "custom_op.pbtxt": {("medium", "MyCompany>Postprocess")},
        "custom_op.tflite": {("medium", "Digamma")},
        "large_buffers.tflite": {("medium", "Later")},
        "v1_devices": {("medium", "PyFunc")},
        "v1_shared_names": {("medium", "VarHandleOp")},
    }
