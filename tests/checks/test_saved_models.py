"""What lies around the graph of a SavedModel: savers, collections, functions of objects, values of variables.

What TensorFlow 2.21 refuses, in a session, by `tf.saved_model.load`, or when a signature is called, is an error.
"""

from __future__ import annotations

import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.edit import edit
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
    ("keras_export", "variable-not-matched", V2, lambda meta: stolen(meta, "7")),
    ("v1_table_main_op", "table-unfilled", V1, lambda meta: meta.collection_def.pop("saved_model_main_op")),
    ("v1_functions", "list-length", V1, lambda meta: put_empty(meta)),
    ("v1_shared_names", "signature-variable", V1, lambda meta: put(named(meta, "first").attr["shared_name"], "s", b"")),
    ("v1_methods", "resource-name", V1, lambda meta: set_text(meta, "VariableV2", "container", b"a b")),
    ("v1_table_main_op", "resource-name", V1, lambda meta: set_text(meta, "HashTable", "shared_name", b"_x")),
    ("v1_table_main_op", "table-types", V1, lambda meta: put(first(meta, "HashTable").attr["key_dtype"], "type", 9)),
    ("linear", "saver", V1, lambda meta: put(meta.saver_def, "filename_tensor_name", variable(meta))),
    ("captured_constants", "object-graph", V2, lambda meta: put(constant(meta), "operation", "NoOp")),
    ("linear", "object-graph", V2, lambda meta: put(bare(meta), "concrete_function_name", "")),
    ("v1_methods", "signature-tensor", V2, lambda meta: make_sparse(meta.signature_def["predict"].outputs["logits"])),
]


def first(meta: Any, op: str) -> Any:
    return next(node for node in meta.graph_def.node if node.op == op)


def named(meta: Any, name: str) -> Any:
    return next(node for node in meta.graph_def.node if node.name == name)


def set_text(meta: Any, op: str, name: str, text: bytes) -> None:
    first(meta, op).attr[name].s = text


def variable(meta: Any) -> str:
    return f"{first(meta, 'VarHandleOp').name}:0"


def constant(meta: Any) -> Any:
    return nodes(meta, "constant")[0].constant


def bare(meta: Any) -> Any:
    return nodes(meta, "bare_concrete_function")[0].bare_concrete_function


def make_sparse(info: Any) -> None:
    """Say that a matrix is values, indices and shape of a sparse tensor."""
    name = info.name
    info.coo_sparse.values_tensor_name = info.coo_sparse.indices_tensor_name = name
    info.coo_sparse.dense_shape_tensor_name = name


def list_of_signatures(meta: Any) -> None:
    """Make another object one that holds signatures, and is asked for none."""
    user = next(node for node in nodes(meta, "user_object")[1:] if node.children and node.user_object.identifier != MAP)
    user.user_object.identifier, user.user_object.version.producer = MAP, 1


MAP = "signature_map"
# fixture, change that `tf.saved_model.load` takes, and a session where it can feed the signature
HARMLESS: list[tuple[str, Callable[[Any], object], str]] = [
    ("v1_table_main_op", lambda meta: meta.ClearField("saver_def"), V1),  # Python makes a Saver of the collection
    ("linear", lambda meta: put_control(meta), V1),
    ("keras_export", list_of_signatures, V2),
]


def put_control(meta: Any) -> None:
    meta.graph_def.library.function[0].control_ret["more"] = "no_such"


def stolen(meta: Any, name: str) -> None:
    """Let a name lead to a signature's function, which then gets what the checkpoint has for a variable."""
    edge = next(edge for node in meta.object_graph_def.nodes for edge in node.children if edge.local_name == name)
    edge.node_id = len(meta.object_graph_def.nodes) - 1


def put_empty(meta: Any) -> None:
    meta.graph_def.node[0].attr["_output_shapes"].Clear()


def changed(folder: Path, index: int) -> Path:
    name, _, _, change = CHANGES[index]
    return made(folder, name, change)


def made(folder: Path, name: str, change: Callable[[Any], object]) -> Path:
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


@pytest.mark.parametrize("index", range(len(HARMLESS)))
def test_no_error(tmp_path: Path, index: int) -> None:
    path = made(tmp_path, *HARMLESS[index][:2])
    assert [found.what for found in check(read(path)) if found.severity == "error"] == []


@pytest.mark.tensorflow
@pytest.mark.parametrize("index", range(len(HARMLESS)))
def test_loaders_take_it(tmp_path: Path, index: int) -> None:
    import tensorflow as tf

    name, change, who = HARMLESS[index]
    path = made(tmp_path, name, change)
    if who == V1:
        run_in_a_session(path)
    tf.saved_model.load(str(path))


def run_in_a_session(path: Path) -> list[Any]:
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        signatures = tf.compat.v1.saved_model.load(session, ["serve"], str(path)).signature_def
        signature = signatures["predict" if "predict" in signatures else "serving_default"]
        feeds: dict[str, Any] = {}
        for one in signature.inputs.values():
            row = [b"" if one.dtype == tf.string.as_datatype_enum else 0.0]
            feeds[one.name] = [row * one.tensor_shape.dim[-1].size] if len(one.tensor_shape.dim) > 1 else row
        return list(session.run([one.name for one in signature.outputs.values()], feeds))


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", sorted({name for name, _, who, _ in CHANGES if who == V1}))
def test_a_session_runs_the_unchanged(name: str) -> None:
    assert run_in_a_session(SAVED / name)


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


def test_a_file_outside_is_needed(tmp_path: Path) -> None:
    path = with_a_path(tmp_path)
    needed = [(found.rule, found.what) for found in check(read(path)) if found.severity == "needs"]
    assert [rule for rule, _ in needed] == ["file-outside"]
    assert "'/home/me/train/vocab.txt'" in needed[0][1]


@pytest.mark.tensorflow
def test_a_session_wants_the_file(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="/home/me/train/vocab"):
        run_in_a_session(with_a_path(tmp_path))


def with_a_path(folder: Path) -> Path:
    """Make a model whose table is filled from a file of somebody's machine, no asset."""
    shutil.copytree(SAVED / "v1_table_legacy_init", folder / "m")
    message = schema.message("tensorflow.SavedModel")()
    message.ParseFromString((folder / "m" / "saved_model.pb").read_bytes())
    meta = message.meta_graphs[0]
    for key in ("saved_model_assets", "asset_filepaths"):
        del meta.collection_def[key]
    node = next(node for node in meta.graph_def.node if node.name == "asset_path")
    node.attr["value"].tensor.string_val[:] = [b"/home/me/train/vocab.txt"]
    (folder / "m" / "saved_model.pb").write_bytes(message.SerializeToString())
    return folder / "m"


def test_a_missing_and_a_surplus_key_are_a_rename(tmp_path: Path) -> None:
    shutil.copytree(SAVED / "v1_methods", tmp_path / "m")
    prefix = tmp_path / "m" / "variables" / "variables"
    edit(prefix, [("rename", {"names": {"w": "weights"}})], in_place=True)
    (found,) = [found for found in check(read(tmp_path / "m")) if found.rule.startswith("variable")]
    assert (found.severity, found.where) == ("error", "variable w")
    words = shlex.split(found.hint.partition(": gs ")[2])
    assert words == ["rename", str(prefix), "weights=w", "--in-place"]
    edit(prefix, [("rename", {"names": {"weights": "w"}})], in_place=True)
    assert check(read(tmp_path / "m")) == []
