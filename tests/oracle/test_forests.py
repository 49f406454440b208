"""A decision forest, as TF-DF exports it, is filled by a load step from files: every edit keeps that.

Nothing here has the ops of Yggdrasil. The model is one of TensorFlow's tables under their names, with definitions that
the file carries, as theirs does; under its own names again, TensorFlow loads the result and runs it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import UnsupportedError, edit, read

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("default")]
OPS = {
    "HashTableV2": "SimpleMLCreateModelResource",
    "InitializeTableFromTextFileV2": "SimpleMLLoadModelFromPathWithHandle",
    "LookupTableFindV2": "SimpleMLInferenceOpWithHandle",
}
FEED = np.array([b"oak", b"elm", b"ash"], dtype=object)


def renamed(path: Path, names: dict[str, str], *, with_definitions: bool) -> None:
    """Give ops of a SavedModel other names, with definitions in the file or without."""
    from tensorflow.core.protobuf import saved_model_pb2
    from tensorflow.python.framework import op_def_registry

    file = path / "saved_model.pb"
    saved = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    meta = saved.meta_graphs[0]
    listed = meta.meta_info_def.stripped_op_list
    kept = [op for op in listed.op if op.name not in names]
    del listed.op[:]
    listed.op.extend(kept)
    for old, new in names.items() if with_definitions else ():
        definition = listed.op.add()
        definition.CopyFrom(op_def_registry.get(old))
        definition.name = new
    for nodes in [meta.graph_def.node, *(function.node_def for function in meta.graph_def.library.function)]:
        for node in nodes:
            node.op = names.get(node.op, node.op)
    file.write_bytes(saved.SerializeToString())


@pytest.fixture(scope="module")
def forest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the model: a resource that is made, filled from an asset on loading, and asked."""
    import tensorflow as tf

    folder = tmp_path_factory.mktemp("forest")
    trees = folder / "trees.txt"
    trees.write_text("elm\noak\n")

    class Forest(tf.saved_model.experimental.TrackableResource):
        def __init__(self) -> None:
            super().__init__()
            self.file = tf.saved_model.Asset(str(trees))
            assert self.resource_handle is not None  # made here, functions capture it

        def _create_resource(self) -> Any:
            return tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64, shared_name="simple_ml_model_1")

        def _initialize(self) -> None:
            tf.raw_ops.InitializeTableFromTextFileV2(
                table_handle=self.resource_handle, filename=self.file.asset_path, key_index=-2, value_index=-1
            )

    class Model(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.forest = Forest()

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="name")])
        def serve(self, name: Any) -> Any:
            handle = self.forest.resource_handle
            found = tf.raw_ops.LookupTableFindV2(
                table_handle=handle, keys=name, default_value=tf.constant(-1, tf.int64), name="inference"
            )
            return {"answer": tf.identity(found, name="kept")}

    path = folder / "model"
    module = Model()
    signatures = {"serving_default": module.serve, "other": module.serve}
    tf.saved_model.save(module, str(path), signatures=signatures)
    renamed(path, OPS, with_definitions=True)
    return path


EDITS: dict[str, tuple[str, dict[str, Any]]] = {
    "strip": ("strip", {}),
    "strip unreachable": ("strip", {"only": ["unreachable", "functions"]}),
    "optimize": ("optimize", {}),
    "optimize all": ("optimize", {"only": ["all"]}),
    "rename nodes": ("rename", {"prefix": "m/"}),
    "rename functions": ("rename", {"what": "functions", "prefix": "f_"}),
    "rename keys": ("rename", {"what": "keys", "names": {"serving_default.answer": "label"}}),
    "rename tags": ("rename", {"what": "tags", "names": {"serve": "plain"}}),
    "add-output": ("add-output", {"outputs": {"inference": "raw"}, "signature": "serving_default"}),
    "add-signature": ("add-signature", {"outputs": {"answer": "StatefulPartitionedCall"}, "name": "third"}),
    "remove-signature": ("remove-signature", {"names": ["other"]}),
    "set-input": ("set-input", {"shapes": {"serving_default_name": [3]}}),
    "convert": ("convert", {}),
}


@pytest.mark.parametrize("name", EDITS)
def test_the_load_step_stays(name: str, forest: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    out = tmp_path / "out"
    edit.edit(forest, [EDITS[name]], output=out)
    renamed(out, {new: old for old, new in OPS.items()}, with_definitions=False)
    tags = ["plain"] if name == "rename tags" else ["serve"]
    module = tf.saved_model.load(str(out), tags=tags)
    found = module.signatures["serving_default"](name=tf.constant(FEED))
    assert found["label" if name == "rename keys" else "answer"].numpy().tolist() == [1, 0, -1]
    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        signature = v1.saved_model.load(session, tags, str(out)).signature_def["serving_default"]
        output = next(key for key in signature.outputs if key in ("label", "answer"))
        feed = {signature.inputs["name"].name: FEED}
        assert session.run(signature.outputs[output].name, feed).tolist() == [1, 0, -1]


@pytest.mark.parametrize("operation", ["freeze", "extract"])
def test_what_carries_no_load_step_refuses(operation: str, forest: Path, tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="SimpleML"):
        edit.edit(forest, [(operation, {"outputs": ["StatefulPartitionedCall"]})], output=tmp_path / "out.pb")
    assert read(forest).metagraphs
