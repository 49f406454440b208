"""What lies around the graph of a SavedModel: savers, collections, functions of objects, values of variables.

What TensorFlow 2.21 refuses, in a session, by `tf.saved_model.load`, or when a signature is called, is an error.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.formats import read, schema

SAVED = Path(__file__).resolve().parents[2] / "fixtures" / "savedmodel"
V1, V2, CALL = "v1", "v2", "call"


def put(message: Any, field: str, value: object) -> None:
    setattr(message, field, value)


def nodes(meta: Any, kind: str) -> list[Any]:
    return [node for node in meta.object_graph_def.nodes if node.HasField(kind)]


def entry(meta: Any, name: str) -> Any:
    entries = meta.object_graph_def.concrete_functions
    return next(entries[key] for key in sorted(entries) if name in key and "wrapper" not in key)


def argument(meta: Any, name: str) -> Any:
    return entry(meta, name).canonicalized_input_signature.tuple_value.values[0].tuple_value.values[0].tensor_spec_value


def spec_args(meta: Any) -> Any:
    pairs = nodes(meta, "function")[0].function.function_spec.fullargspec.named_tuple_value.values
    return next(pair.value.list_value.values for pair in pairs if pair.key == "args")


def circle(meta: Any) -> None:
    first, second = meta.object_graph_def.nodes[1:3]
    first.dependencies.add(node_id=2, local_name="a")
    second.dependencies.add(node_id=1, local_name="b")


def twins(meta: Any) -> None:
    children = meta.object_graph_def.nodes[0].children
    children.add(local_name=children[0].local_name, node_id=children[1].node_id)


def unfed(meta: Any) -> None:
    meta.signature_def["serving_default"].inputs.clear()


def twice(meta: Any) -> None:
    name = meta.graph_def.node[0].name
    meta.collection_def["saved_model_main_op"].node_list.value.extend([name, name])


def garbage(key: str) -> Callable[[Any], None]:
    return lambda meta: meta.collection_def[key].bytes_list.value.append(b"\xff\xff\xff")


def without(field: str) -> Callable[[Any], None]:
    return lambda meta: put(meta.saver_def, field, "")


def output_shape(meta: Any) -> None:
    meta.signature_def["predict"].outputs["logits"].ClearField("tensor_shape")


def input_shape(meta: Any) -> None:
    put(meta.signature_def["serving_default"].inputs["x"].tensor_shape.dim[-1], "size", 97)


# fixture, rule, who refuses, change
CHANGES: list[tuple[str, str, str, Callable[[Any], object]]] = [
    ("v1_methods", "saver", V1, without("save_tensor_name")),
    ("v1_methods", "saver", V1, without("restore_op_name")),
    ("v1_methods", "saver", V1, without("filename_tensor_name")),
    ("v1_methods", "saver", V1, lambda meta: put(meta.saver_def, "filename_tensor_name", "save/Const")),
    ("v1_methods", "dangling-mention", V1, lambda meta: put(meta.saver_def, "restore_op_name", "no_such")),
    ("linear", "signature-variable", V1, lambda meta: meta.ClearField("saver_def")),
    ("linear", "signature-unfed", V1, unfed),
    ("linear", "signature-shape", V1, input_shape),
    ("v1_methods", "signature-shape", V2, output_shape),
    ("linear", "collection", V1, garbage("variables")),
    ("linear", "collection", V1, garbage("savers")),
    ("linear", "collection", V1, garbage("while_context")),
    ("v1_methods", "init-op", V1, twice),
    ("linear", "object-function", V2, lambda meta: spec_args(meta).add(string_value="in")),
    ("embedding", "object-function", CALL, lambda meta: put(argument(meta, "serve"), "dtype", 1)),
    ("embedding", "object-function", V2, lambda meta: put(argument(meta, "serve"), "dtype", 0)),
    ("embedding", "object-function", CALL, lambda meta: entry(meta, "serve").bound_inputs.append(0)),
    ("polymorphic", "object-graph", V2, circle),
    ("linear", "object-graph", CALL, twins),
    ("linear", "variable-value", V2, lambda meta: nodes(meta, "variable")[0].variable.shape.dim.add(size=3)),
    ("linear", "variable-value", V2, lambda meta: put(nodes(meta, "variable")[0].variable, "dtype", 3)),
]


def changed(folder: Path, index: int) -> Path:
    name, _, _, change = CHANGES[index]
    shutil.copytree(SAVED / name, folder / "m")
    message = schema.message("tensorflow.SavedModel")()
    message.ParseFromString((SAVED / name / "saved_model.pb").read_bytes())
    change(message.meta_graphs[0])
    (folder / "m" / "saved_model.pb").write_bytes(message.SerializeToString())
    return folder / "m"


@pytest.mark.parametrize("index", range(len(CHANGES)))
def test_an_error(tmp_path: Path, index: int) -> None:
    errors = {found.rule for found in check(read(changed(tmp_path, index))) if found.severity == "error"}
    assert CHANGES[index][1] in errors


def run_in_a_session(path: Path) -> None:
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], str(path)).signature_def
        signature = signatures["predict" if "predict" in signatures else "serving_default"]
        feeds: dict[str, Any] = {}
        for one in signature.inputs.values():
            row = [b"" if one.dtype == tf.string.as_datatype_enum else 0.0]
            feeds[one.name] = [row * one.tensor_shape.dim[-1].size] if len(one.tensor_shape.dim) > 1 else row
        session.run([one.name for one in signature.outputs.values()], feeds)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", sorted({name for name, _, who, _ in CHANGES if who == V1}))
def test_a_session_runs_the_unchanged(name: str) -> None:
    run_in_a_session(SAVED / name)


@pytest.mark.tensorflow
@pytest.mark.parametrize("index", [n for n, one in enumerate(CHANGES) if one[2] == V1])
def test_a_session_refuses(tmp_path: Path, index: int) -> None:
    path = changed(tmp_path, index)
    with pytest.raises(Exception, match=r"."):
        run_in_a_session(path)


@pytest.mark.tensorflow
@pytest.mark.parametrize("index", [n for n, one in enumerate(CHANGES) if one[2] == V2])
def test_loading_refuses(tmp_path: Path, index: int) -> None:
    import tensorflow as tf

    path = str(changed(tmp_path, index))
    with pytest.raises(Exception, match=r"."):
        tf.saved_model.load(path)
