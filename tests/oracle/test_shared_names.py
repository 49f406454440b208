"""What nodes with empty shared names share, as TensorFlow has it: variables, references, tables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphsurgeon import check, read, write
from graphsurgeon.surgery.freeze import freeze
from graphsurgeon.surgery.rename import rename
from graphsurgeon.surgery.strip import strip
from tests.oracle import sessions

pytestmark = pytest.mark.tensorflow

# What each node is called and shares (a star: `use_node_name_sharing`), and by which of them it is filled.
CASES: dict[str, tuple[str, dict[str, str], dict[str, str]]] = {
    "an empty name is one name": ("VarHandleOp", {"a": "", "b": ""}, {"a": "a", "b": "a"}),
    "an empty name is no node's": ("VarHandleOp", {"a": "", "b": "a"}, {"a": "a", "b": "b"}),
    "both": ("VarHandleOp", {"a": "", "b": "", "c": "b"}, {"a": "a", "b": "a", "c": "c"}),
    "a reference is called as its node": ("VariableV2", {"a": "", "b": "a", "c": ""}, {"a": "a", "b": "a", "c": "c"}),
    "a table without a name is private": ("HashTableV2", {"a": "", "b": "a"}, {"a": "a", "b": "b"}),
    "unless it is told to share": ("HashTableV2", {"a": "*", "b": "a"}, {"a": "a", "b": "a"}),
}


def _filled(op: str, name: str, shared: str, value: float | None) -> tuple[Any, Any]:
    """Add what holds a value, and what reads it; with a value, what fills it is run on load."""
    import tensorflow as tf

    ops = tf.raw_ops
    if op == "HashTableV2":
        key = tf.constant([1], tf.int64)
        table = ops.HashTableV2(
            shared_name=shared.strip("*"), use_node_name_sharing="*" in shared,
            key_dtype=tf.int64, value_dtype=tf.float32, name=name,
        )  # fmt: skip
        fill = ops.LookupTableImportV2(table_handle=table, keys=key, values=[value]) if value else None
        return fill, ops.LookupTableFindV2(table_handle=table, keys=key, default_value=-1.0)
    if op == "VariableV2":
        reference = ops.VariableV2(shape=[1], dtype=tf.float32, shared_name=shared, name=name)
        return ops.Assign(ref=reference, value=[value]).op if value else None, tf.identity(reference)
    handle = ops.VarHandleOp(shape=[1], dtype=tf.float32, shared_name=shared, name=name)
    fill = ops.AssignVariableOp(resource=handle, value=[value]) if value else None
    return fill, ops.ReadVariableOp(resource=handle, dtype=tf.float32)


def _save(folder: Path, case: str) -> None:
    import tensorflow as tf

    v1 = tf.compat.v1
    op, shared, filled_by = CASES[case]
    with tf.Graph().as_default(), v1.Session(config=sessions.session_config(optimize=False)) as session:
        fills, reads = [], []
        for place, (name, text) in enumerate(shared.items()):
            fill, value = _filled(op, name, text, place + 1.0 if filled_by[name] == name else None)
            fills += [fill] if fill is not None else []
            reads.append(value)
        x = v1.placeholder(tf.float32, [1], name="x")
        y = tf.stack([x + value for value in reads], name="y")
        builder = v1.saved_model.Builder(str(folder))
        info = v1.saved_model.build_tensor_info
        signature = v1.saved_model.build_signature_def({"x": info(x)}, {"y": info(y)}, "predict")
        builder.add_meta_graph_and_variables(
            session, ["serve"], {"serving_default": signature}, main_op=tf.group(*fills)
        )  # fmt: skip
        builder.save()


def _run(folder: Path) -> list[float]:
    with sessions.saved_model(folder, ["serve"], optimize=False) as source:
        return [float(value) for value in source.run({"y": "y:0"}, {"x:0": [0.0]})["y"].ravel()]


@pytest.mark.parametrize("case", CASES)
def test_nodes_share_what_tensorflow_lets_them_share(case: str, tmp_path: Path) -> None:
    _save(tmp_path / "model", case)
    _, shared, filled_by = CASES[case]
    expected = [list(shared).index(filled_by[name]) + 1.0 for name in shared]
    assert _run(tmp_path / "model") == expected
    assert not [finding for finding in check(read(tmp_path / "model")) if finding.severity == "error"]

    changes = {"stripped": strip, "renamed": lambda model: rename(model, {"a": "other"}, what="nodes")}
    for what, change in changes.items():
        model = read(tmp_path / "model")
        change(model)
        write(model, tmp_path / what)
        assert _run(tmp_path / what) == expected

    model = read(tmp_path / "model")
    report = freeze(model)
    write(model, tmp_path / "frozen.pb")
    found = sessions.run_graph_def(tmp_path / "frozen.pb", report.fetches, {"x:0": [0.0]}, optimize=False)
    assert found["y"].ravel().tolist() == expected
