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
    """A tensor of a signature: its name in the graph, dtype and shape (None for unknown).

    `is_splits` says that it divides the values of a ragged tensor into rows.
    """

    def __init__(self, name: str, dtype: Any, shape: Sequence[int | None] | None, *, is_splits: bool = False) -> None:
        self.name = name
        self.dtype = dtype
        self.shape = shape
        self.is_splits = is_splits


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
            found[f"{key}.1"] = Endpoint(
                sparse.indices_tensor_name, tf.int64, [2, tf.TensorShape(info.tensor_shape).rank]
            )
            found[f"{key}.2"] = Endpoint(
                sparse.dense_shape_tensor_name, tf.int64, [tf.TensorShape(info.tensor_shape).rank]
            )
            continue
        if info.WhichOneof("encoding") == "composite_tensor":
            found |= _endpoints({f"{key}.{i}": part for i, part in enumerate(info.composite_tensor.components)})
            is_ragged = info.composite_tensor.type_spec.type_spec_class == 3  # RAGGED_TENSOR_SPEC
            for part in range(1, len(info.composite_tensor.components) if is_ragged else 0):
                found[f"{key}.{part}"].is_splits = True
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
    config.operation_timeout_in_ms = 15_000  # of a queue that nobody fills
    return config


@contextmanager
def saved_model(path: Path, tags: Sequence[str], *, optimize: bool) -> Iterator[SourceModel]:
    """Load a SavedModel as servers do."""
    import tensorflow as tf
    from tensorflow.python.saved_model import loader_impl

    config = session_config(optimize=optimize)
    with tf.Graph().as_default(), tf.compat.v1.Session(config=config) as session:
        loader = loader_impl.SavedModelLoader(str(path))
        if not optimize:
            _configure_calls(loader._saved_model, config.SerializeToString())
        yield SourceModel(session, loader.load(session, list(tags)))


def _configure_calls(message: Any, config: bytes) -> None:
    """Give calls of functions the session's options: otherwise each optimizes its function by options of its own."""
    for graph in (meta.graph_def for meta in message.meta_graphs):
        for nodes in (graph.node, *(function.node_def for function in graph.library.function)):
            for node in nodes:
                if "config_proto" in node.attr:
                    node.attr["config_proto"].s = config


@contextmanager
def meta_graph(path: Path, *, optimize: bool) -> Iterator[SourceModel]:
    """Load a `.meta` and the checkpoint beside it."""
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session(config=session_config(optimize=optimize)) as session:
        saver = tf.compat.v1.train.import_meta_graph(str(path), clear_devices=True)
        if saver is not None and Path(f"{path.with_suffix('')}.index").exists():
            saver.restore(session, str(path.with_suffix("")))
        yield SourceModel(session, None)


@contextmanager
def graph_def_with(path: Path, checkpoint: Path, *, optimize: bool) -> Iterator[SourceModel]:
    """Load a GraphDef and give its variables what a checkpoint has under their names."""
    import tensorflow as tf
    from google.protobuf import text_format

    message = tf.compat.v1.GraphDef()
    if path.suffix == ".pbtxt":
        text_format.Parse(path.read_text(), message)
    else:
        message.ParseFromString(path.read_bytes())
    stored = tf.train.load_checkpoint(str(checkpoint))
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(config=session_config(optimize=optimize)) as session:
        tf.import_graph_def(message, name="")
        for one in graph.get_operations():
            if one.type == "VarHandleOp":
                value = stored.get_tensor(one.get_attr("shared_name").decode() or one.name)
                session.run(tf.raw_ops.AssignVariableOp(resource=one.outputs[0], value=value))
            elif one.type in ("Variable", "VariableV2"):
                session.run(tf.raw_ops.Assign(ref=one.outputs[0], value=stored.get_tensor(one.name)).op)
        yield SourceModel(session, None)


def run_graph_def(
    path: Path, fetches: Mapping[str, str], feeds: Mapping[str, Any], *, optimize: bool
) -> dict[str, Any]:
    """Import a frozen graph and run it once: fetches by key, arrays by tensor name."""
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default(), tf.compat.v1.Session(config=session_config(optimize=optimize)) as session:
        tf.import_graph_def(graph_def, name="")
        return dict(zip(fetches, session.run(list(fetches.values()), dict(feeds)), strict=True))


def generate(
    inputs: Mapping[str, Endpoint], *, seed: int = 0, size: int = 2, text: bytes | None = None
) -> dict[str, Any]:
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
    if endpoint.is_splits:
        return np.array([0, size], dtype.as_numpy_dtype)
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


def candidates(inputs: Mapping[str, Endpoint], graph: Any = None) -> Iterator[dict[str, Any]]:
    """Yield several sets of arrays, since not every signature takes every size or string.

    Args:
        inputs: what to feed.
        graph: the `tf.Graph`; strings that its parsers of `tf.Example` take are among the candidates.
    """
    texts: list[bytes | None] = [None]
    if any(endpoint.dtype.name == "string" for endpoint in inputs.values()):
        texts += [*_examples(graph), b"1.5", _PNG, b""]
    for text in texts:
        for size in (2, 1, 4, 3, 28, 32):
            yield generate(inputs, size=size, text=text)


# A picture of 2 x 2 grey pixels.
_PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d494844520000000200000002080000000057dd52f80000000e494441"
    "54789c6310506030700000017600a1ec308af40000000049454e44ae426082"
)


def _examples(graph: Any) -> Iterator[bytes]:
    """Yield serialized `tf.Example`s that have the dense features that a graph parses."""
    import tensorflow as tf

    features: dict[str, Any] = {}
    for operation in graph.get_operations() if graph is not None else ():
        if operation.type not in ("ParseExample", "ParseExampleV2", "ParseSingleExample"):
            continue
        types = operation.get_attr("Tdense")
        shapes = operation.get_attr("dense_shapes")
        for name, dtype, shape in zip(_dense_keys(operation), types, shapes, strict=False):
            count = int(np.prod([dim if dim and dim > 0 else 1 for dim in tf.TensorShape(shape).as_list()] or [1]))
            features[name] = _feature(dtype, count)
    yield tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _dense_keys(operation: Any) -> list[str]:
    import tensorflow as tf

    if operation.type == "ParseSingleExample":
        return [key.decode() for key in operation.get_attr("dense_keys")]
    if operation.type == "ParseExampleV2":
        keys = [operation.inputs[3]]
    else:
        first = 2 + operation.get_attr("Nsparse")
        keys = list(operation.inputs[first : first + operation.get_attr("Ndense")])
    return [text.decode() for key in keys for text in np.ravel(tf.get_static_value(key))]


def _feature(dtype: Any, count: int) -> Any:
    import tensorflow as tf

    if dtype == tf.string:
        return tf.train.Feature(bytes_list=tf.train.BytesList(value=[b"word"] * count))
    if dtype.is_integer:
        return tf.train.Feature(int64_list=tf.train.Int64List(value=[1] * count))
    return tf.train.Feature(float_list=tf.train.FloatList(value=[1.5] * count))


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
