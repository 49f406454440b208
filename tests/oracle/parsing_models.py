"""Models that parse serialized examples, each with records and with what TensorFlow parses out of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np


@dataclass
class Parsing:
    """A model and what goes in.

    Attributes:
        records: what the old signature is fed.
        features: what the new one is to be fed, by the key it is to have.
        required: features of which is said that their default is not kept.
    """

    records: Any
    features: dict[str, Any]
    required: tuple[str, ...] = ()


def _example(**features: Any) -> bytes:
    import tensorflow as tf

    return tf.train.Example(features=_features(features)).SerializeToString()


def _features(features: dict[str, Any]) -> Any:
    import tensorflow as tf

    return tf.train.Features(feature={name: _feature(values) for name, values in features.items()})


def _feature(values: Any) -> Any:
    import tensorflow as tf

    first = next(iter(values))
    if isinstance(first, bytes):
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=values))
    if isinstance(first, float):
        return tf.train.Feature(float_list=tf.train.FloatList(value=values))
    return tf.train.Feature(int64_list=tf.train.Int64List(value=values))


RECORDS = (
    {"age": [3.0], "words": [b"a", b"c"], "ids": [1, 2, 0]},
    {"age": [5.5], "size": [2.0, 7.0], "words": [b"b"], "ids": [2]},
    {"age": [-1.0], "size": [1.0, 1.5], "ids": [0, 0, 1, 1]},
)


def _records() -> np.ndarray:
    return np.array([_example(**record) for record in RECORDS], dtype=object)


def _spec() -> dict[str, Any]:
    import tensorflow as tf

    return {
        "age": tf.io.FixedLenFeature([1], tf.float32),
        "size": tf.io.FixedLenFeature([2], tf.float32, default_value=[0.5, 0.25]),
        "words": tf.io.VarLenFeature(tf.string),
        "ids": tf.io.RaggedFeature(tf.int64, row_splits_dtype=tf.int64),
    }


def tensors(features: dict[str, Any], *, prefix: str = "") -> dict[str, Any]:
    """Return the tensors of parsed features by the keys that a signature is to have for them."""
    import tensorflow as tf

    found = {}
    for name, value in features.items():
        if isinstance(value, tf.SparseTensor):
            parts = {"_indices": value.indices, "_values": value.values, "_dense_shape": value.dense_shape}
        elif isinstance(value, tf.RaggedTensor):
            parts = {"_values": value.flat_values, "_row_splits": value.row_splits}
        else:
            parts = {"": value}
        found |= {f"{prefix}{name}{end}": part.numpy() for end, part in parts.items()}
    return found


def _score(features: dict[str, Any], weight: Any, table: Any) -> Any:
    """Use every tensor of every feature."""
    import tensorflow as tf

    words = features["words"]
    codes = tf.SparseTensor(words.indices, table(words.values), words.dense_shape)
    score = tf.matmul(tf.concat([features["age"], features["size"]], 1), weight)
    score += tf.sparse.to_dense(codes, default_value=-1.0)[:, :1]
    if "ids" in features:
        score += tf.cast(tf.reduce_sum(features["ids"].to_tensor(), 1, keepdims=True), tf.float32)
    return score


def _code(values: Any) -> Any:
    import tensorflow as tf

    return tf.cast(tf.strings.to_hash_bucket_fast(values, 10), tf.float32)


def keras_like(path: Path) -> Parsing:
    """Write what TFX writes: a function that parses, inside the wrapper of a signature."""
    import tensorflow as tf

    class Served(tf.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = tf.Variable([[1.0], [-2.0], [0.5]])
            keys = tf.lookup.KeyValueTensorInitializer([b"a", b"b"], [1.0, 2.0])
            self.table = tf.lookup.StaticHashTable(keys, 9.0)

        @tf.function
        def model(self, features: dict[str, Any]) -> Any:
            return _score(features, self.weight, self.table.lookup)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serve(self, examples: Any) -> Any:
            features = tf.io.parse_example(examples, _spec())
            return {"score": self.model(features), "age": features["age"]}

    module = Served()
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})
    records = _records()
    return Parsing(records, tensors(tf.io.parse_example(records, _spec())), ("size",))


def parsed_far_inside(path: Path) -> Parsing:
    """Write a parser two functions deep that yields more than anybody reads; one feature is a word of Python's own."""
    import tensorflow as tf

    spec = {
        "age": tf.io.FixedLenFeature([1], tf.float32),
        "class": tf.io.FixedLenFeature([2], tf.float32, default_value=[0.5, 0.25]),
        "unread": tf.io.FixedLenFeature([], tf.string, default_value="none"),
        "words": tf.io.VarLenFeature(tf.string),
        "ids": tf.io.RaggedFeature(tf.int64),
    }

    class Served(tf.Module):
        @tf.function
        def inner(self, examples: Any) -> Any:
            return tf.io.parse_example(examples, spec)

        @tf.function
        def between(self, examples: Any) -> Any:
            return self.inner(examples), tf.strings.length(examples)

        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, name="examples")])
        def serve(self, examples: Any) -> Any:
            features, _ = self.between(examples)
            total = tf.reduce_sum(features["class"], 1, keepdims=True) + features["age"]
            return {"score": total, "longest": tf.reduce_max(features["ids"].row_lengths())}

    module = Served()
    tf.saved_model.save(module, str(path), signatures={"serving_default": module.serve})
    rows = [{"class" if name == "size" else name: values for name, values in row.items()} for row in RECORDS]
    records = np.array([_example(**row) for row in rows], dtype=object)
    features = tf.io.parse_example(records, spec)
    splits = features["ids"].row_splits.numpy()
    read = {"age": features["age"].numpy(), "class_": features["class"].numpy(), "ids_row_splits": splits}
    return Parsing(records, read, ("class_",))


def estimator_like(path: Path, *, version: int = 1, has_ragged: bool = False) -> Parsing:
    """Write what an Estimator writes: the parser in the main graph, several signatures, no object graph."""
    import tensorflow as tf

    v1 = tf.compat.v1
    spec = {name: one for name, one in _spec().items() if name != "ids" or has_ragged}
    with v1.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [None], name="input_example_tensor")
        if version == 1:
            parsed = tf.raw_ops.ParseExample(
                serialized=serialized, names=[], sparse_keys=[b"words"], dense_keys=[b"age", b"size"],
                dense_defaults=[tf.constant([], tf.float32), tf.constant([0.5, 0.25])], sparse_types=[tf.string],
                dense_shapes=[[1], [2]], name="ParseExample",
            )  # fmt: skip
            words = tf.SparseTensor(parsed.sparse_indices[0], parsed.sparse_values[0], parsed.sparse_shapes[0])
            features = {"words": words, "age": parsed.dense_values[0], "size": parsed.dense_values[1]}
        else:
            features = tf.io.parse_example(serialized, spec)
        weight = v1.get_variable("w", initializer=[[1.0], [-2.0], [0.5]])
        score = tf.identity(_score(features, weight, _code), "score")
        session.run(v1.global_variables_initializer())
        build = v1.saved_model.signature_def_utils.build_signature_def
        info = v1.saved_model.utils.build_tensor_info
        signatures = {
            key: build({name: info(serialized)}, {"score": info(score)}, "tensorflow/serving/predict")
            for key, name in (("serving_default", "inputs"), ("predict", "examples"))
        }
        builder = v1.saved_model.Builder(str(path))
        builder.add_meta_graph_and_variables(session, ["serve"], signature_def_map=signatures)
        builder.save()
    records = _records()
    return Parsing(records, tensors(tf.io.parse_example(records, spec)), ("size",))


def one_example(path: Path) -> Parsing:
    """Write a model that takes one record as a scalar, as `tf.io.parse_single_example` does."""
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Graph().as_default(), v1.Session() as session:
        serialized = v1.placeholder(tf.string, [], name="record")
        parsed = tf.raw_ops.ParseSingleExample(
            serialized=serialized, dense_defaults=[tf.constant([], tf.float32), tf.constant([0.5, 0.25])],
            num_sparse=1, sparse_keys=[b"words"], dense_keys=[b"age", b"size"], sparse_types=[tf.string],
            dense_shapes=[[1], [2]],
        )  # fmt: skip
        size = tf.cast(parsed.sparse_shapes[0][0], tf.float32) + _code(parsed.sparse_values[0])[0]
        score = tf.reduce_sum(parsed.dense_values[1]) * parsed.dense_values[0] + size
        score += tf.cast(tf.reduce_sum(parsed.sparse_indices[0]), tf.float32)
        v1.saved_model.simple_save(session, str(path), {"record": serialized}, {"score": score})
    record = _example(**RECORDS[1])
    spec = {name: one for name, one in _spec().items() if name != "ids"}
    return Parsing(np.array(record, dtype=object), tensors(tf.io.parse_single_example(record, spec)))


_SEQUENCES = (
    ({"user": [7]}, {"clicks": [[1.0, 2.0], [3.0, 4.0]], "tags": [[b"x"], [b"y", b"z"]]}),
    ({"user": [8]}, {"clicks": [[5.0, 6.0]], "tags": [[b"w"]]}),
)


def _sequence(context: dict[str, Any], lists: dict[str, Any]) -> bytes:
    import tensorflow as tf

    steps = {name: tf.train.FeatureList(feature=[_feature(one) for one in many]) for name, many in lists.items()}
    lists_message = tf.train.FeatureLists(feature_list=steps)
    return tf.train.SequenceExample(context=_features(context), feature_lists=lists_message).SerializeToString()


def _sequence_specs() -> tuple[dict[str, Any], dict[str, Any]]:
    import tensorflow as tf

    context = {"user": tf.io.FixedLenFeature([1], tf.int64)}
    return context, {
        "clicks": tf.io.FixedLenSequenceFeature([2], tf.float32),
        "tags": tf.io.VarLenFeature(tf.string),
    }


def sequences(path: Path, *, single: bool = False) -> Parsing:
    """Write a model of sequence examples: a batch with the lengths of its lists, or one."""
    import tensorflow as tf

    parse = tf.io.parse_single_sequence_example if single else tf.io.parse_sequence_example

    def parsed(records: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        context, steps, *lengths = parse(records, *_sequence_specs())
        sizes = {} if single else {f"{name}_lengths": value for name, value in lengths[0].items()}
        return context, steps | sizes

    @tf.function(input_signature=[tf.TensorSpec([] if single else [None], tf.string)])
    def serve(records: Any) -> Any:
        context, steps = parsed(records)
        total = tf.reduce_sum(steps["clicks"], [-1, -2]) + tf.cast(tf.reduce_sum(context["user"], -1), tf.float32)
        tags = tf.strings.to_hash_bucket_fast(tf.sparse.to_dense(steps["tags"]), 100)
        total += tf.cast(tf.reduce_sum(tags), tf.float32)
        if not single:
            total += tf.cast(steps["clicks_lengths"], tf.float32)
        return {"total": total}

    tf.saved_model.save(tf.Module(), str(path), signatures={"serving_default": serve})
    texts = [_sequence(*one) for one in _SEQUENCES]
    records = np.array(texts[0] if single else texts, dtype=object)
    context, steps = parsed(records)
    return Parsing(records, tensors(context | steps))


def example_lists(path: Path) -> Parsing:
    """Write what TF-Ranking writes: lists of examples with a context, given their shape by the serialized lists."""
    import tensorflow as tf
    from google.protobuf import descriptor_pb2

    file = descriptor_pb2.FileDescriptorProto(name="elwc.proto", package="t", syntax="proto3")
    message = file.message_type.add(name="ELWC")
    message.field.add(name="examples", number=1, type=12, label=3)
    message.field.add(name="context", number=2, type=12, label=1)
    source = b"bytes://" + descriptor_pb2.FileDescriptorSet(file=[file]).SerializeToString()
    own = {"query": tf.io.FixedLenFeature([1], tf.float32, default_value=[0.0])}
    each = {
        "rank": tf.io.FixedLenFeature([2], tf.float32, default_value=[0.0, 0.0]),
        "words": tf.io.VarLenFeature(tf.string),
    }

    def parsed(lists: Any) -> tuple[dict[str, Any], Any]:
        sizes, (examples, context) = tf.io.decode_proto(
            lists, "t.ELWC", ["examples", "context"], [tf.string, tf.string], descriptor_source=source
        )
        batch, length = tf.shape(examples)[0], tf.shape(examples)[1]
        features = tf.io.parse_example(tf.reshape(context, [-1]), own)
        flat = tf.io.parse_example(tf.reshape(examples, [-1]), each)
        rank = tf.reshape(flat["rank"], tf.stack([batch, length, 2]))
        shape = tf.concat([tf.cast(tf.stack([batch, length]), tf.int64), [-1]], 0)
        words = tf.sparse.reshape(flat["words"], shape)
        return features | {"rank": rank, "words": words}, tf.sequence_mask(sizes[:, 0], length, name="mask")

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def serve(lists: Any) -> Any:
        features, mask = parsed(lists)
        score = tf.reduce_sum(features["rank"], -1) + features["query"]
        score += tf.reduce_sum(tf.sparse.to_dense(tf.sparse.map_values(_code, features["words"])), -1)
        return {"score": tf.where(mask, score, -1e9)}

    tf.saved_model.save(tf.Module(), str(path), signatures={"serving_default": serve})
    examples = [
        [{"rank": [1.0, 2.0], "words": [b"a"]}, {"rank": [3.0, 4.0]}],
        [{"rank": [5.0, 6.0], "words": [b"b", b"c"]}],
    ]
    records = []
    for query, many in zip((0.5, 0.75), examples, strict=True):
        fields = [(1, _example(**one)) for one in many] + [(2, _example(query=[query]))]
        records.append(b"".join(bytes([number << 3 | 2, len(data)]) + data for number, data in fields))
    features, mask = parsed(tf.constant(records))
    fed = tensors(features) | {"mask_Less": mask.numpy()}
    return Parsing(np.array(records, dtype=object), fed)


MODELS: dict[str, Callable[[Path], Parsing]] = {
    "ParseExample": estimator_like,
    "ParseExampleV2": lambda path: estimator_like(path, version=2),
    "ragged": lambda path: estimator_like(path, version=2, has_ragged=True),
    "function": keras_like,
    "far inside": parsed_far_inside,
    "ParseSingleExample": one_example,
    "ParseSequenceExample": sequences,
    "ParseSingleSequenceExample": lambda path: sequences(path, single=True),
    "lists": example_lists,
}
