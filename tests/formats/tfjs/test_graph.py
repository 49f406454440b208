"""TensorFlow.js graph models as graphs. Expected values by hand from the rules of `io_utils.ts`."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.errors import FileError, FormatError
from graphsurgeon.formats.graph import file as graphfile
from graphsurgeon.formats.tfjs import graph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape


def constant(name: str, dtype: str = "DT_FLOAT", **tensor: Any) -> dict[str, Any]:
    return {
        "name": name,
        "op": "Const",
        "attr": {"dtype": {"type": dtype}, "value": {"tensor": {"dtype": dtype, **tensor}}},
    }


def weight(name: str, shape: list[int], dtype: str = "float32", **fields: Any) -> dict[str, Any]:
    return {"name": name, "shape": shape, "dtype": dtype, **fields}


def save(folder: Path, nodes: list[Any], groups: list[Any], shards: dict[str, bytes], **fields: Any) -> Model:
    for name, data in shards.items():
        (folder / name).write_bytes(data)
    content = {"modelTopology": {"node": nodes, "versions": {"producer": 175}}, "weightsManifest": groups, **fields}
    (folder / "model.json").write_text(json.dumps(content))
    return graph.read(folder / "model.json")


def value(model: Model, name: str) -> Any:
    node = model.graph.node(name)
    assert node is not None
    return node.attrs["value"]


def test_weights_stand_one_behind_the_other_across_shards(tmp_path: Path) -> None:
    data = struct.pack("<6f", *range(6))
    group = {"paths": ["a.bin", "b.bin"], "weights": [weight("w", [2, 2]), weight("b", [2])]}
    model = save(tmp_path, [constant("w"), constant("b")], [group], {"a.bin": data[:10], "b.bin": data[10:]})
    assert (value(model, "w").shape, value(model, "w").items()) == (Shape([2, 2]), [0, 1, 2, 3])
    assert value(model, "b").items() == [4, 5]
    assert len(model.files) == 3
    assert model.notes == []


@pytest.mark.parametrize(
    ("quantization", "data", "expected"),
    [
        ({"dtype": "uint8", "scale": 0.5, "min": -1}, bytes([0, 4]), [-1.0, 1.0]),
        ({"dtype": "uint16", "scale": 0.5, "min": -1}, struct.pack("<2H", 0, 1000), [-1.0, 499.0]),
        ({"dtype": "float16", "original_dtype": "float32"}, struct.pack("<2e", 0.5, -2), [0.5, -2.0]),
    ],
)
def test_weights_stored_smaller_than_they_are(tmp_path: Path, quantization: Any, data: bytes, expected: Any) -> None:
    group = {"paths": ["a.bin"], "weights": [weight("w", [2], quantization=quantization)]}
    assert value(save(tmp_path, [constant("w")], [group], {"a.bin": data}), "w").items() == expected


def test_integers_are_widened_to_what_the_node_says(tmp_path: Path) -> None:
    group = {"paths": ["a.bin"], "weights": [weight("i", [2], "int32"), weight("f", [2], "bool")]}
    nodes = [constant("i", "DT_INT64"), constant("f", "DT_BOOL")]
    model = save(tmp_path, nodes, [group], {"a.bin": struct.pack("<2i", -3, 5) + b"\1\0"})
    assert value(model, "i").items() == [-3, 5]
    assert value(model, "f").items() == [True, False]


def test_strings_have_their_length_in_front(tmp_path: Path) -> None:
    data = b"\2\0\0\0ab\0\0\0\0" + struct.pack("<f", 1.5)
    group = {"paths": ["a.bin"], "weights": [weight("s", [2], "string"), weight("w", [1])]}
    model = save(tmp_path, [constant("s", "DT_STRING"), constant("w")], [group], {"a.bin": data})
    assert value(model, "s").items() == [b"ab", b""]
    assert value(model, "w").items() == [1.5]


def test_a_missing_shard_is_told_and_its_values_fail(tmp_path: Path) -> None:
    group = {"paths": ["gone.bin"], "weights": [weight("w", [2])]}
    model = save(tmp_path, [constant("w")], [group], {})
    assert model.notes == ["1 shard of weights is missing: gone.bin"]
    with pytest.raises(FileError, match="no such file"):
        value(model, "w").items()


def test_a_short_shard_is_told_when_its_values_are_asked_for(tmp_path: Path) -> None:
    group = {"paths": ["a.bin"], "weights": [weight("w", [2])]}
    model = save(tmp_path, [constant("w")], [group], {"a.bin": b"1234567"})
    with pytest.raises(FormatError, match="7 bytes, 8 are needed"):
        value(model, "w").items()


def test_shards_stay_in_the_folder(tmp_path: Path) -> None:
    (tmp_path / "inside").mkdir()
    (tmp_path / "secret").write_bytes(bytes(8))
    group = {"paths": ["../secret"], "weights": [weight("w", [2])]}
    model = save(tmp_path / "inside", [constant("w")], [group], {})
    with pytest.raises(FormatError, match="outside"):
        value(model, "w").items()


def test_attributes_and_signature(tmp_path: Path) -> None:
    conv = {
        "name": "c", "op": "Conv2D", "input": ["x", "w"],
        "attr": {"T": {"type": 1}, "padding": {"s": "U0FNRQ=="}, "data_format": {"s": [78, 72, 87, 67]},
                 "strides": {"list": {"i": ["1", "2", "2", "1"]}}},
    }  # fmt: skip
    shape = {"dim": [{"size": "-1"}, {"size": "8"}]}
    signature = {"inputs": {"in": {"name": "x:0", "dtype": "DT_FLOAT", "tensorShape": shape}}}
    nodes = [{"name": "x", "op": "Placeholder", "attr": {"dtype": {"type": "DT_FLOAT"}}}, conv]
    model = save(tmp_path, nodes, [], {}, userDefinedMetadata={"signature": signature}, generatedBy="2.1.0")
    node = model.graph.node("c")
    assert node is not None
    assert node.attrs["padding"] == b"SAME"
    assert node.attrs["data_format"] == b"NHWC"
    assert node.attrs["strides"] == [1, 2, 2, 1]
    entry = model.metagraphs[0].signatures["serving_default"].inputs["in"]
    assert entry.shape == Shape([None, 8])
    assert model.metagraphs[0].producer["tensorflow"] == "2.1.0"


def test_a_constant_without_values_is_told(tmp_path: Path) -> None:
    model = save(tmp_path, [constant("w", tensorShape={"dim": [{"size": "2"}]}), constant("e", floatVal=[1])], [], {})
    assert model.notes == ["1 constant without values in the manifest, read as zeros: 'w'"]


def test_it_is_written_as_the_frozen_graph_that_it_is(tmp_path: Path) -> None:
    group = {"paths": ["a.bin"], "weights": [weight("w", [300]), weight("q", [2], quantization={
        "dtype": "uint8", "scale": 0.5, "min": 0})]}  # fmt: skip
    data = struct.pack("<300f", *range(300)) + bytes([2, 4])
    model = save(tmp_path, [constant("w"), constant("q")], [group], {"a.bin": data})
    written = tmp_path / "frozen.pb"
    rope = graphfile.lower(model)[""]
    written.write_bytes(b"".join(piece if isinstance(piece, bytes) else piece.read() for piece in rope))
    again = graphfile.read(written)
    assert value(again, "w").items() == list(range(300))
    assert value(again, "q").items() == [1.0, 2.0]


@pytest.mark.parametrize(
    "content",
    [
        b"{",
        b"[]",
        b'{"modelTopology": {}}',
        b'{"modelTopology": {"node": [3]}}',
        b'{"modelTopology": {"node": [{"name": {}}]}}',
        b'{"modelTopology": {"node": []}, "weightsManifest": 3}',
        b'{"modelTopology": {"node": []}, "weightsManifest": [{"paths": [], "weights": [{}]}]}',
        b'{"modelTopology": {"node": []}, "weightsManifest": [{"weights": []}]}',
        b'{"a":' * 100_000,
    ],
)
def test_damaged_json(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(FormatError):
        graph.read(tmp_path / "model.json")


@pytest.mark.parametrize("entry", [
    weight("w", [1 << 40, 1 << 40]), weight("w", [-1]),
        weight("w", [2], "float128"), weight("w", [2], quantization={"dtype": "uint8"}),
])  # fmt: skip
def test_weights_that_are_none(tmp_path: Path, entry: Any) -> None:
    with pytest.raises(FormatError):
        save(tmp_path, [constant("w")], [{"paths": [], "weights": [entry]}], {})


@pytest.mark.corpus
def test_the_collection(corpus: Path) -> None:
    """Every weight of the manifests is a constant of its shape; the shards that are there hold all of them."""
    count = 0
    for path in sorted(corpus.rglob("model.json")):
        content = json.loads(path.read_text("utf-8"))
        if "node" not in content["modelTopology"]:
            continue
        model = graph.read(path)
        for entry in (entry for group in content["weightsManifest"] for entry in group["weights"]):
            tensor = value(model, entry["name"])
            assert tensor.shape == Shape(entry["shape"])
            if not model.notes:
                assert len(tensor.tobytes()) == tensor.nbytes
        assert len(model.graph) == len(content["modelTopology"]["node"])
        count += 1
    assert count > 6


@pytest.mark.tensorflow
@pytest.mark.corpus
def test_converted_it_computes_what_the_weights_say(corpus: Path, tmp_path: Path) -> None:
    """A dense classifier with an embedding: TensorFlow runs the frozen graph and the SavedModel, numpy the formula."""
    import numpy as np
    import tensorflow as tf

    from graphsurgeon.edit import edit

    path = corpus / "tensorflow+tfjs-examples/angular-predictive-prefetching/client/src/assets/model.json"
    edit(path, [], output=tmp_path / "frozen.pb")
    edit(path, [("convert", {})], output=tmp_path / "folder")
    message = tf.compat.v1.GraphDef.FromString((tmp_path / "frozen.pb").read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(message, name="")
        found = session.run("Identity:0", {"cur_page:0": [5, 7], "session_index:0": [1, 2]})
    signature = tf.saved_model.load(str(tmp_path / "folder")).signatures["serving_default"]
    feeds = {"cur_page:0": tf.constant([5, 7], tf.int64), "session_index:0": tf.constant([1, 2], tf.int64)}
    np.testing.assert_array_equal(signature(**feeds)["Identity:0"].numpy(), found)
    np.testing.assert_allclose(found, by_hand(path, np.array([5, 7]), np.array([1.0, 2.0])), atol=1e-6)


def by_hand(path: Path, pages: Any, sessions: Any) -> Any:
    import numpy as np

    group = json.loads(path.read_text("utf-8"))["weightsManifest"][0]
    data, offset = (path.parent / group["paths"][0]).read_bytes(), 0
    found: dict[str, Any] = {}
    for entry in group["weights"]:
        count = int(np.prod(entry["shape"]))
        stored = np.frombuffer(data, {"float32": "<f4", "int32": "<i4"}[entry["dtype"]], count, offset)
        found[entry["name"].removeprefix("StatefulPartitionedCall/model/")] = stored.reshape(entry["shape"])
        offset += 4 * count
    embedded = found["embedding/embedding_lookup/ReadVariableOp"][pages]
    rows = np.concatenate([embedded, sessions[:, None]], 1)
    hidden = rows @ found["dense/MatMul/ReadVariableOp"] + found["dense/BiasAdd/ReadVariableOp"]
    scores = np.maximum(hidden, 0) @ found["dense_1/MatMul/ReadVariableOp"] + found["dense_1/BiasAdd/ReadVariableOp"]
    grown = np.exp(scores - scores.max(1, keepdims=True))
    return grown / grown.sum(1, keepdims=True)
