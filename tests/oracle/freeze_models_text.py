"""Models on words and on what has no rectangular shape: lookup tables, vocabularies, feature columns, ragged inputs.

Each builder saves a SavedModel and returns arrays to feed.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from tests.oracle.freeze_builders import Builder, Feeds, make_module, save_module, save_v1, v1_control_flow

TEXT: dict[str, Builder] = {}
WORDS = ["apple", "banana", "cherry"]
SENTENCES = ["the quick brown fox", "jumps over the lazy dog", "the end"]


def text_model(builder: Builder) -> Builder:
    """Enter a builder under its name."""
    TEXT[builder.__name__] = builder
    return builder


def _words(*words: str) -> Any:
    return np.array([word.encode() for word in words], object)


def _layer(path: Path, make: Callable[[Any], Any], x: Any) -> Feeds:
    """Save a Keras layer on an input `x`."""
    import keras
    import tensorflow as tf

    dtype = "string" if x.dtype == object else x.dtype.name
    network = keras.Sequential([keras.Input(x.shape[1:], dtype=dtype, name="x"), make(keras.layers)])
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint("serve", network.call, input_signature=[tf.TensorSpec([None, *x.shape[1:]], dtype, name="x")])
    archive.write_out(str(path), verbose=False)
    return {"x": x}


def _vectorization(path: Path, **options: Any) -> Feeds:
    def make(layers: Any) -> Any:
        layer = layers.TextVectorization(**options)
        layer.adapt(SENTENCES)
        return layer

    return _layer(path, make, _words("the fox jumps!", "a dog"))


@text_model
def string_lookup(path: Path) -> Feeds:
    return _layer(
        path,
        lambda layers: layers.StringLookup(vocabulary=WORDS, num_oov_indices=2, mask_token=""),
        _words("apple", "cherry", "zebra", ""),
    )


@text_model
def string_lookup_inverse(path: Path) -> Feeds:
    return _layer(path, lambda layers: layers.StringLookup(vocabulary=WORDS, invert=True), np.array([0, 1, 2, 3]))


@text_model
def string_lookup_weighted(path: Path) -> Feeds:
    return _layer(
        path,
        lambda layers: layers.StringLookup(vocabulary=WORDS, output_mode="tf_idf", idf_weights=[0.1, 0.2, 0.3]),
        _words("apple", "cherry", "zebra", "").reshape(2, 2),
    )


@text_model
def integer_lookup(path: Path) -> Feeds:
    return _layer(
        path,
        lambda layers: layers.IntegerLookup(vocabulary=[3, 5, 9], num_oov_indices=3, output_mode="multi_hot"),
        np.array([[3, 5], [9, 77]]),
    )


@text_model
def hashing(path: Path) -> Feeds:
    return _layer(path, lambda layers: layers.Hashing(7, salt=3), _words("apple", "cherry", "zebra", ""))


@text_model
def vectorization_integers(path: Path) -> Feeds:
    return _vectorization(path, output_sequence_length=6)


@text_model
def vectorization_of_pairs(path: Path) -> Feeds:
    return _vectorization(path, ngrams=2, output_mode="count")


@text_model
def vectorization_weighted(path: Path) -> Feeds:
    return _vectorization(path, output_mode="tf_idf")


@text_model
def vectorization_of_characters(path: Path) -> Feeds:
    return _vectorization(path, split="character", standardize="lower")


@text_model
def vocabulary_files(path: Path) -> Feeds:
    """Tables with buckets, read from columns and line numbers of a file, in front of an embedding."""
    import tensorflow as tf

    file = path.parent / f"{path.name}.txt"
    file.write_text("a\tx\nb\ty\nc\tz\n")
    lookup, line = tf.lookup, tf.lookup.TextFileIndex.LINE_NUMBER
    module = make_module([6, 3])
    words = lookup.TextFileInitializer(str(file), tf.string, 0, tf.int64, line)
    labels = lookup.TextFileInitializer(str(file), tf.int64, line, tf.string, 1)
    module.words, module.labels = lookup.StaticVocabularyTable(words, 3), lookup.StaticHashTable(labels, "?")

    def serve(x: Any) -> Any:
        ids = module.words.lookup(x)
        vectors = tf.nn.embedding_lookup(module.v0, ids)
        return {"ids": ids, "labels": module.labels.lookup(ids), "vectors": vectors, "size": module.words.size()}

    return save_module(path, module, serve, x=_words("a", "c", "q"))


@text_model
def string_lookup_of_a_file(path: Path) -> Feeds:
    """Keras gives known words the numbers behind those of the mask and of unknown words."""
    file = path.parent / f"{path.name}.txt"
    file.write_text("cat\ndog\nbird\n")
    return _layer(
        path,
        lambda layers: layers.StringLookup(vocabulary=str(file), num_oov_indices=2, mask_token=""),
        _words("dog", "", "bird", "elk"),
    )


@text_model
def ragged_input(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([5, 3])

    @tf.function(input_signature=[tf.RaggedTensorSpec([None, None], tf.int64)])
    def serve(words: Any) -> Any:
        return {"mean": tf.reduce_mean(tf.gather(module.v0, words), 1), "twice": words * 2}

    tf.saved_model.save(module, str(path), signatures=serve)
    return {"words": np.array([1, 4, 2]), "words_1": np.array([0, 2, 3])}


@text_model
def sparse_input(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([5, 3])

    @tf.function(input_signature=[tf.SparseTensorSpec([None, 5], tf.float32)])
    def serve(words: Any) -> Any:
        return {"y": tf.sparse.sparse_dense_matmul(words, module.v0)}

    tf.saved_model.save(module, str(path), signatures=serve)
    return {
        "words": np.array([[0, 1], [1, 4]]), "words_1": np.array([2.0, 3.0], "float32"), "words_2": np.array([2, 5]),
    }  # fmt: skip


@text_model
def sparse_embeddings(path: Path) -> Feeds:
    import tensorflow as tf

    module = make_module([5, 3])

    def serve(x: Any) -> Any:
        ids = tf.sparse.from_dense(tf.cast(x * 4, tf.int64))
        return {
            "safe": tf.nn.safe_embedding_lookup_sparse(module.v0, ids, combiner="sqrtn"),
            "parts": tf.nn.embedding_lookup_sparse([module.v0, module.v0], ids, None),
        }

    return save_module(path, module, serve)


def _feature_columns(path: Path, *, parts: int, resource: bool) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        column = tf.feature_column
        features = {
            "words": v1.placeholder(tf.string, [None, 2], name="words"),
            "number": v1.placeholder(tf.float32, [None, 1], name="number"),
            "ids": v1.placeholder(tf.int64, [None, 1], name="ids"),
        }
        words = column.categorical_column_with_vocabulary_list("words", WORDS, num_oov_buckets=2)
        ids = column.categorical_column_with_identity("ids", 9)
        ranges = column.bucketized_column(column.numeric_column("number"), [0.2, 0.6])
        crossed = column.crossed_column(["words", ranges], 7)
        columns = [column.embedding_column(words, 3), column.embedding_column(ids, 4, combiner="sum"), ranges]
        columns += [
            column.indicator_column(words),
            column.embedding_column(crossed, 2),
            column.numeric_column("number"),
        ]
        partitioner = v1.fixed_size_partitioner(parts) if parts else None
        with v1.variable_scope("net", partitioner=partitioner, use_resource=resource):
            deep = v1.feature_column.input_layer(features, columns)
            wide = v1.feature_column.linear_model(features, [words, ids, ranges, crossed])
        return features, {"deep": deep, "wide": wide}

    words = _words("apple", "q", "cherry", "").reshape(2, 2)
    number, ids = np.array([[0.1], [0.9]], "float32"), np.array([[3], [8]])
    return save_v1(path, build, words=words, number=number, ids=ids)


@text_model
def v1_feature_columns(path: Path) -> Feeds:
    return _feature_columns(path, parts=0, resource=True)


@text_model
def v1_feature_columns_in_parts(path: Path) -> Feeds:
    return _feature_columns(path, parts=3, resource=False)


@text_model
def v1_lookup_in_parts(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        ids = v1.placeholder(tf.int64, [None], name="ids")
        start, cut = v1.random_normal_initializer(seed=1), v1.fixed_size_partitioner(3)
        first = v1.get_variable("first", [7, 3], partitioner=cut, use_resource=False, initializer=start)
        second = v1.get_variable("second", [7, 3], partitioner=cut, use_resource=True, initializer=start)
        rows = v1.nn.embedding_lookup([*first], ids, "div") + v1.nn.embedding_lookup([*second], ids, "mod")
        return {"ids": ids}, {"rows": rows, "all": tf.convert_to_tensor(first)}

    return save_v1(path, build, ids=np.array([0, 6, 3]))


@text_model
def v1_tables_in_branches(path: Path) -> Feeds:
    def build(v1: Any, tf: Any) -> Any:
        x, fill = v1.placeholder(tf.string, [None], name="x"), tf.lookup.KeyValueTensorInitializer
        numbers, words = tf.constant([0, 1, 2], tf.int64), tf.constant(WORDS)
        table = tf.lookup.StaticVocabularyTable(fill(words, numbers), 2)
        with v1_control_flow(v1, v2=False):
            ids = v1.cond(tf.size(x) > 1, lambda: table.lookup(x), lambda: tf.zeros([tf.size(x)], tf.int64))
        return {"x": x}, {"ids": ids, "words": tf.lookup.StaticHashTable(fill(numbers, words), "?").lookup(ids)}

    return save_v1(path, build, x=_words("apple", "q", "cherry"))
