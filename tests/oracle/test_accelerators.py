"""Exports for a TPU and for TensorRT, put together from what TensorFlow writes: stripped, any TensorFlow runs them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import UnsupportedError, read
from graphsurgeon.checks.check import check
from graphsurgeon.edit import edit
from graphsurgeon.surgery.strip import StripReport
from tests.oracle import sessions

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("default")]
X = np.array([[1.0, -2.0], [0.5, 3.0]], np.float32)
W = np.array([[1.0, 2.0], [3.0, 4.0]], np.float32)


CACHE_OPS = {"HashTableV2": "CreateTRTResourceHandle", "InitializeTableFromTextFileV2": "InitializeTRTResource"}


def strip(source: Path, output: Path, kind: str) -> StripReport:
    report = edit(source, [("strip", {"only": [kind]})], output=output).steps[0].report
    assert isinstance(report, StripReport)
    return report


def run(path: Path, tags: list[str]) -> Any:
    with sessions.saved_model(path, tags, optimize=False) as model:
        inputs, outputs = model.signature("serving_default")
        return model.run({"y": outputs["y"].name}, {inputs["x"].name: X})["y"]


def for_tpu(path: Path, tag_sets: list[list[str]], *, replicas: int = 1, kind: str = "same") -> None:
    """Write what an Estimator for a TPU writes: a call on the TPU of a function with marks of replicas.

    Several replicas are fed the "same", are fed "distinct" values, or "sum" what they compute.
    """
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    v1, ops = tf.compat.v1, tf.raw_ops

    @tf.function(input_signature=[tf.TensorSpec([None, 2]), tf.TensorSpec([2, 2])])
    def computation(x: Any, w: Any) -> Any:
        ops.TPUReplicateMetadata(num_replicas=replicas)
        fed = [x * 2.0 if kind == "distinct" and number else tf.identity(x) for number in range(replicas)]
        inside = ops.TPUReplicatedInput(inputs=fed)
        with tf.device("/device:TPU_REPLICATED_CORE:0"):
            y = tf.matmul(inside, w)
        y.op._set_attr("_tpu_replicate", v1.AttrValue(s=b"cluster"))
        if kind == "sum":
            y = ops.CrossReplicaSum(input=y, group_assignment=[[*range(replicas)]])
        return tf.add_n(ops.TPUReplicatedOutput(input=y, num_replicas=replicas))

    builder = v1.saved_model.Builder(str(path))
    for number, tags in enumerate(tag_sets):
        with v1.Graph().as_default(), v1.Session() as session:
            x = v1.placeholder(tf.float32, [None, 2], name="x")
            w = v1.get_variable("w", initializer=W)
            args = [x, w.read_value()]
            if "tpu" in tags:
                tf.constant(0, name="selector")
                concrete = computation.get_concrete_function()
                concrete.add_to_graph()
                y = ops.StatefulPartitionedCall(args=args, Tout=[tf.float32], f=concrete, name="on_tpu")[0]
            else:
                y = tf.matmul(*args)
            session.run(w.initializer)
            signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
            keep = {"signature_def_map": {"serving_default": signature}}
            if number:
                builder.add_meta_graph(tags, **keep)
            else:
                builder.add_meta_graph_and_variables(session, tags, **keep)
    builder.save()
    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    for meta in saved.meta_graphs:
        for node in meta.graph_def.node:
            as_tpu(node)
    file.write_bytes(saved.SerializeToString())


def as_tpu(node: Any) -> None:
    """Make a constant the selector of a TPU, and the call one on it: a session would place them when it saves."""
    kept: tuple[str, ...] = ()
    if node.name == "selector":
        node.op = "TPUOrdinalSelector"
    elif node.name == "on_tpu":
        node.op, kept = "TPUPartitionedCall", ("f", "Tin", "Tout")
        node.input.append("selector")
    else:
        return
    for key in [key for key in node.attr if key not in kept]:
        del node.attr[key]


def test_a_model_for_a_tpu_runs_anywhere(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    for_tpu(source, [["serve", "tpu"]])
    report = strip(source, out, "tpu")
    assert np.array_equal(run(out, ["serve"]), X @ W)
    ops = {op for graph in read(out).graphs for op in graph.op_counts}
    assert not [op for op in ops if "TPU" in op]
    assert {"TPUPartitionedCall", "TPUOrdinalSelector", "TPUReplicateMetadata", "tag"} <= {
        one.op for one in report.removed
    }


def test_the_plain_one_of_two_stays(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    for_tpu(source, [["serve"], ["serve", "tpu"]])
    strip(source, out, "tpu")
    assert [one.tags for one in read(out).metagraphs] == [["serve"]]
    assert np.array_equal(run(out, ["serve"]), X @ W)


def test_one_replica_stands_for_several_that_are_fed_the_same(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    for_tpu(source, [["serve", "tpu"]], replicas=3)
    report = strip(source, out, "tpu")
    assert np.array_equal(run(out, ["serve"]), 3 * (X @ W))
    assert check(read(out)) == []
    whys = [one.why for one in report.removed if one.op.startswith("TPUReplicated")]
    assert whys == ["one replica stands for 3, which compute the same"] * 2


@pytest.mark.parametrize(
    ("kind", "match"),
    [
        ("distinct", r"feeds 2 replicas different values, \w+:0 and \w+:0"),
        ("sum", "'CrossReplicaSum'.*tells 2 replicas"),
    ],
)
def test_replicas_that_one_machine_cannot_stand_for(tmp_path: Path, kind: str, match: str) -> None:
    for_tpu(tmp_path / "source", [["serve", "tpu"]], replicas=2, kind=kind)
    with pytest.raises(UnsupportedError, match=match):
        strip(tmp_path / "source", tmp_path / "out", "tpu")


def as_engine(node: Any) -> None:
    """Make a call what TensorRT's converter makes of the segment."""
    import tensorflow as tf

    node.op = "TRTEngineOp"
    for old, new in (("Tin", "InT"), ("Tout", "OutT"), ("f", "segment_func")):
        node.attr[new].CopyFrom(node.attr[old])
    for key in [key for key in node.attr if key not in ("InT", "OutT", "segment_func")]:
        del node.attr[key]
    node.attr["serialized_segment"].s = b""
    node.attr["precision_mode"].s = b"FP16"
    node.attr["static_engine"].b = False
    node.attr["max_cached_engines_count"].i = 1
    node.attr["workspace_size_bytes"].i = 1 << 20
    node.device = "/job:localhost/replica:0/task:0/device:GPU:0"
    assert isinstance(node.attr["InT"], tf.compat.v1.AttrValue)


def with_engines(message: Any, is_segment: Callable[[str], bool]) -> None:
    """Make an engine of every call of a segment."""
    for nodes in [message.node, *(function.node_def for function in message.library.function)]:
        for node in nodes:
            if node.op in ("PartitionedCall", "StatefulPartitionedCall") and is_segment(node.attr["f"].func.name):
                as_engine(node)
                for other in nodes:
                    for place, text in enumerate(other.input):
                        other.input[place] = text.replace(f"{node.name}:output:", f"{node.name}:out_tensor:")
    for function in message.library.function:
        for key, text in function.ret.items():
            name = text.partition(":")[0]
            if any(node.name == name and node.op == "TRTEngineOp" for node in function.node_def):
                function.ret[key] = text.replace(":output:", ":out_tensor:")


def as_caches(message: Any) -> None:
    """Make tables the caches of engines."""
    for function in message.library.function:
        for node in function.node_def:
            if node.op in CACHE_OPS:
                node.op = CACHE_OPS[node.op]
                for key in list(node.attr):
                    del node.attr[key]


def test_engines_of_a_frozen_graph_become_their_segments(tmp_path: Path) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1

    @tf.function(input_signature=[tf.TensorSpec([None, 2])])
    def segment(x: Any) -> Any:
        return tf.nn.relu(tf.matmul(x, W)), tf.tanh(x)

    concrete = segment.get_concrete_function()
    name = concrete.function_def.signature.name
    with v1.Graph().as_default() as graph:
        x = v1.placeholder(tf.float32, [None, 2], name="x")
        concrete.add_to_graph(graph)
        first, second = tf.raw_ops.PartitionedCall(args=[x], Tout=[tf.float32] * 2, f=concrete, name="TRTEngineOp_0")
        tf.add(first, second, name="y")
    message = graph.as_graph_def()
    with_engines(message, name.__eq__)
    source, out = tmp_path / "trt.pb", tmp_path / "out.pb"
    source.write_bytes(message.SerializeToString())
    (needed,) = check(read(source))
    assert (needed.severity, needed.where) == ("needs", "node TRTEngineOp_0")
    assert needed.hint.endswith("gs strip --only trt does without")
    strip(source, out, "trt")
    assert check(read(out)) == []
    found = sessions.run_graph_def(out, {"y": "y:0"}, {"x:0": X}, optimize=False)["y"]
    assert np.allclose(found, np.maximum(X @ W, 0) + np.tanh(X), rtol=1e-6)
    del message.library.function[:]
    source.write_bytes(message.SerializeToString())
    with pytest.raises(UnsupportedError, match="not in the library"):
        strip(source, tmp_path / "none.pb", "trt")


def test_a_saved_model_with_engines_and_their_cache_loads(tmp_path: Path) -> None:
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    class Cache(tf.saved_model.experimental.TrackableResource):
        def __init__(self, file: str) -> None:
            super().__init__()
            self.file = tf.saved_model.Asset(file)

        def _create_resource(self) -> Any:
            return tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="engines")

        def _initialize(self) -> None:
            tf.raw_ops.InitializeTableFromTextFileV2(
                table_handle=self.resource_handle, filename=self.file.asset_path, key_index=-2, value_index=-1
            )

    class Model(tf.Module):
        def __init__(self, file: str) -> None:
            super().__init__()
            self.w = tf.Variable(W)
            self.trt_engine_resources = {"TRTEngineOp_0": Cache(file)}

        @tf.function(input_signature=[tf.TensorSpec([None, 2])])
        def segment(self, x: Any) -> Any:
            return tf.nn.relu(x)

        @tf.function(input_signature=[tf.TensorSpec([None, 2])])
        def serve(self, x: Any) -> Any:
            return {"y": self.segment(tf.matmul(x, self.w)) + 1.0}

    engine = tmp_path / "trt-serialized-engine.TRTEngineOp_0"
    engine.write_text("plan\n")
    source, out = tmp_path / "source", tmp_path / "out"
    module = Model(str(engine))
    tf.saved_model.save(module, str(source), signatures={"serving_default": module.serve})
    file = source / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    message = saved.meta_graphs[0].graph_def
    with_engines(message, lambda name: "segment" in name)
    as_caches(message)
    assert any(node.op == "TRTEngineOp" for function in message.library.function for node in function.node_def)
    file.write_bytes(saved.SerializeToString())
    with pytest.raises(Exception, match="TRT"):
        tf.saved_model.load(str(source))
    strip(source, out, "trt")
    expected = np.maximum(X @ W, 0) + 1.0
    assert np.allclose(run(out, ["serve"]), expected)
    assert np.allclose(tf.saved_model.load(str(out)).signatures["serving_default"](tf.constant(X))["y"], expected)
