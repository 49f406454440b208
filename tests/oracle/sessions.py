"""Run models in TensorFlow sessions, the oracle: signatures of SavedModels, `.meta` files and frozen graphs.

A session's own optimizer hides invalid graphs and changes the last bits (it folds constants that it cannot fold
while they are variables), so everything can be run with it off.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


class Endpoint:
    """A tensor of a signature: its name in the graph, dtype and shape (None for unknown)."""

    def __init__(self, name: str, dtype: Any, shape: Sequence[int | None] | None) -> None:
        self.name = name
        self.dtype = dtype
        self.shape = shape


class SourceModel:
    """A model with its variables loaded, ready to run."""

    def __init__(self, session: Any, meta_graph: Any) -> None:
        self.session = session
        self.meta_graph = meta_graph

    def signature(self, key: str) -> tuple[dict[str, Endpoint], dict[str, Endpoint]]:
        """Inputs and outputs of a signature."""
        signature = self.meta_graph.signature_def[key]
        return _endpoints(signature.inputs), _endpoints(signature.outputs)

    def run(self, fetches: Mapping[str, str], feeds: Mapping[str, Any]) -> dict[str, Any]:
        """Fetch tensors by key, feeding arrays by tensor name."""
        return dict(zip(fetches, self.session.run(list(fetches.values()), dict(feeds)), strict=True))


def _endpoints(infos: Any) -> dict[str, Endpoint]:
    import tensorflow as tf

    found = {}
    for key in sorted(infos):
        info = infos[key]
        if info.WhichOneof("encoding") == "coo_sparse":
            sparse = info.coo_sparse
            found[f"{key}.0"] = Endpoint(sparse.values_tensor_name, tf.as_dtype(info.dtype), [2])
            found[f"{key}.1"] = Endpoint(sparse.indices_tensor_name, tf.int64, [2, tf.TensorShape(info.tensor_shape).rank])
            found[f"{key}.2"] = Endpoint(sparse.dense_shape_tensor_name, tf.int64, [tf.TensorShape(info.tensor_shape).rank])
            continue
        if info.WhichOneof("encoding") == "composite_tensor":
            found |= _endpoints({f"{key}.{i}": part for i, part in enumerate(info.composite_tensor.components)})
            continue
        shape = tf.TensorShape(info.tensor_shape)
        found[key] = Endpoint(info.name, tf.as_dtype(info.dtype), None if shape.rank is None else shape.as_list())
    return found


def session_config(*, optimize: bool) -> Any:
    """Options of a session: with TensorFlow's own graph optimizer, or without any."""
    import tensorflow as tf

    config = tf.compat.v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
    if not optimize:
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        config.graph_options.optimizer_options.opt_level = -1
    config.allow_soft_placement = True
    return config


@contextmanager
def saved_model(path: Path, tags: Sequence[str], *, optimize: bool) -> Iterator[SourceModel]:
    """Load a SavedModel as servers do."""
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session(config=session_config(optimize=optimize)) as session:
        yield SourceModel(session, tf.compat.v1.saved_model.load(session, list(tags), str(path)))


@contextmanager
def meta_graph(path: Path, *, optimize: bool) -> Iterator[SourceModel]:
    """Load a `.meta` and the checkpoint beside it."""
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session(config=session_config(optimize=optimize)) as session:
        saver = tf.compat.v1.train.import_meta_graph(str(path), clear_devices=True)
        if saver is not None and Path(f"{path.with_suffix('')}.index").exists():
            saver.restore(session, str(path.with_suffix("")))
        yield SourceModel(session, None)


def run_graph_def(path: Path, fetches: Mapping[str, str], feeds: Mapping[str, Any], *, optimize: bool) -> dict[str, Any]:
    """Import a frozen graph and run it once: fetches by key, arrays by tensor name."""
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session(config=session_config(optimize=optimize)) as session:
        tf.import_graph_def(graph_def, name="")
        return dict(zip(fetches, session.run(list(fetches.values()), dict(feeds)), strict=True))


def generate(inputs: Mapping[str, Endpoint], *, seed: int = 0, size: int = 2, text: bytes | None = None) -> dict[str, Any]:
    """Make an array for each input.

    Args:
        inputs: what to feed.
        seed: of the numbers.
        size: of dimensions that are unknown.
        text: element of string inputs; words by default.
    """
    rng = np.random.default_rng(seed)
    return {key: _array(endpoint, rng, size, text) for key, endpoint in inputs.items()}


def _array(endpoint: Endpoint, rng: np.random.Generator, size: int, text: bytes | None) -> Any:
    dims = [size] if endpoint.shape is None else [size if dim is None else dim for dim in endpoint.shape]
    dtype = endpoint.dtype
    if dtype.name == "string":
        words = np.array([text] if text is not None else [b"apple", b"banana", b"the quick fox", b""], dtype=object)
        return words[np.arange(int(np.prod(dims))) % len(words)].reshape(dims)
    if dtype.is_bool:
        return rng.integers(0, 2, dims).astype(bool)
    if dtype.is_integer:
        return rng.integers(0, 3, dims).astype(dtype.as_numpy_dtype)
    if dtype.is_complex:
        return (rng.normal(size=dims) + 1j * rng.normal(size=dims)).astype(dtype.as_numpy_dtype)
    return rng.normal(size=dims).astype(dtype.as_numpy_dtype)


def candidates(inputs: Mapping[str, Endpoint]) -> Iterator[dict[str, Any]]:
    """Yield several sets of arrays, since not every signature takes every size or string."""
    import tensorflow as tf

    texts: list[bytes | None] = [None]
    if any(endpoint.dtype.name == "string" for endpoint in inputs.values()):
        feature = tf.train.Feature(float_list=tf.train.FloatList(value=[1.5]))
        example = tf.train.Example(features=tf.train.Features(feature={"x": feature}))
        pixels = tf.io.encode_png(np.zeros((8, 8, 3), np.uint8)).numpy() if tf.executing_eagerly() else b""
        texts += [example.SerializeToString(), b"1.5", pixels, b""]
    for text in texts:
        for size in (2, 1, 4, 3, 28, 32):
            yield generate(inputs, size=size, text=text)


def same_bits(first: Any, second: Any) -> bool:
    """Say whether two results have the same dtype, shape and bits (strings: the same elements)."""
    one, other = np.asarray(first), np.asarray(second)
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return bool((one == other).all()) if one.dtype == object else one.tobytes() == other.tobytes()


def close(first: Any, second: Any) -> bool:
    """Say whether two results are equal up to rounding."""
    one, other = np.asarray(first), np.asarray(second)
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.kind in "OSUbiu":
        return bool((one == other).all())
    return bool(np.allclose(one.astype(complex), other.astype(complex), rtol=1e-4, atol=1e-5, equal_nan=True))
