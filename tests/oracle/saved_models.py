"""What TensorFlow's two loaders compute from a SavedModel, on inputs made from its signatures."""

from __future__ import annotations

import contextlib
import hashlib
import io
import logging
import os
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

Arrays = dict[str, Any]


@dataclass
class Answer:
    """What one loader says of a model.

    Attributes:
        error: why it does not load; empty if it does.
        results: signature -> key -> array; of signatures that ran.
        failures: signature -> why it did not run.
        keys: signature -> (input keys, output keys) as the loader shows them.
        variables: number of variables of the loaded object (TF2).
        callables: names of the functions on the loaded object (TF2).
    """

    error: str = ""
    results: dict[str, Arrays] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    keys: dict[str, tuple[list[str], list[str]]] = field(default_factory=dict)
    variables: int = 0
    callables: list[str] = field(default_factory=list)


def ask_v1(
    path: Path,
    tags: list[str] | None = None,
    *,
    names: Mapping[str, Mapping[str, str]] | None = None,
    only: str | None = None,
) -> Answer:
    """Load with the loader of TensorFlow 1 and run every signature by its tensor names.

    Args:
        path: the folder.
        tags: of the MetaGraph; None takes the first.
        names: signature -> key in this model -> key whose input the source got, for keys that were renamed.
        only: run this signature alone; another might change variables.
    """
    import tensorflow as tf

    answer = Answer()
    with _quiet():
        session = tf.compat.v1.Session(graph=tf.Graph())
        try:
            with session:
                metagraph = tf.compat.v1.saved_model.load(session, tags or _first_tags(path), str(path))
                for key, signature in sorted(metagraph.signature_def.items()):
                    if key == only or (only is None and not key.startswith("__saved_model")):
                        _run_v1(session, key, signature, answer, (names or {}).get(key, {}))
        except Exception as error:
            answer.error = _reason(error)
    return answer


def ask_v2(path: Path, *, names: Mapping[str, Mapping[str, str]] | None = None, only: str | None = None) -> Answer:
    """Load with `tf.saved_model.load` and call every signature."""
    import tensorflow as tf

    answer = Answer()
    with _quiet():
        try:
            loaded = tf.saved_model.load(str(path))
        except Exception as error:
            answer.error = _reason(error)
            return answer
        answer.variables = len(getattr(loaded, "variables", []) or [])
        answer.callables = sorted(
            name for name in dir(loaded) if not name.startswith("_") and callable(getattr(loaded, name, None))
        )
        for key in sorted(loaded.signatures):
            if key == only or (only is None and not key.startswith("__saved_model")):
                _run_v2(loaded.signatures[key], key, answer, (names or {}).get(key, {}))
    return answer


def same(one: Mapping[str, Arrays], other: Mapping[str, Arrays]) -> bool:
    """Say whether two sets of results are the same to the bit."""
    return one.keys() == other.keys() and all(
        one[key].keys() == other[key].keys() and all(same_array(one[key][name], other[key][name]) for name in one[key])
        for key in one
    )


def same_array(one: Any, other: Any) -> bool:
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    if one.dtype.kind == "O":
        return bool((one == other).all())
    return one.tobytes() == other.tobytes() or bool(np.array_equal(one, other, equal_nan=one.dtype.kind in "fc"))


def feed(key: str, dtype: Any, shape: Any, unknown: int = 2) -> Any:
    """Make the input for a key: the same for the same key, type and shape, whatever the model.

    Args:
        key: of the signature.
        dtype: TensorFlow's type.
        shape: dimensions, None or -1 for unknown ones; None for unknown rank.
        unknown: size of unknown dimensions; of unknown rank one dimension of it, or a scalar for 1.
    """
    seed = int.from_bytes(hashlib.sha256(key.encode()).digest()[:4], "little")
    random = np.random.default_rng(seed)
    dims = [unknown if d is None or d < 0 else d for d in shape] if shape is not None else [unknown] * (unknown > 1)
    name = dtype.name
    if name == "string":
        texts = [b"hello", b"", b"world", b"a b"]
        array = np.empty(dims, object)
        array[...] = np.array(random.choice(len(texts), dims))
        return np.vectorize(lambda index: texts[int(index)], otypes=[object])(array) if array.size else array
    if name == "bool":
        return random.integers(0, 2, dims).astype(bool)
    if dtype.is_integer:
        return random.integers(0, 3, dims).astype(dtype.as_numpy_dtype)
    if dtype.is_complex:
        return (random.random(dims) + 1j * random.random(dims)).astype(dtype.as_numpy_dtype)
    return random.random(dims).astype(dtype.as_numpy_dtype)


def is_text(array: Any) -> bool:
    return np.asarray(array).dtype.kind == "O"


def _texts(array: Any, data: bytes) -> Any:
    filled = np.empty(array.shape, object)
    filled[...] = data
    return filled


def _run_v1(session: Any, key: str, signature: Any, answer: Answer, names: Mapping[str, str]) -> None:
    import tensorflow as tf

    answer.keys[key] = (sorted(signature.inputs), sorted(signature.outputs))
    infos = [*signature.inputs.values(), *signature.outputs.values()]
    if any(info.WhichOneof("encoding") != "name" for info in infos):
        answer.failures[key] = "composite tensors"
        return
    if not all(info.dtype for info in signature.inputs.values()):
        answer.failures[key] = "inputs without a type"
        return
    specs = {}
    for name, info in signature.inputs.items():
        shape = None if info.tensor_shape.unknown_rank else [dim.size for dim in info.tensor_shape.dim]
        specs[info.name] = (names.get(name, name), tf.dtypes.as_dtype(info.dtype), shape)
    fetches = {name: info.name for name, info in signature.outputs.items()}
    for variant in _variants(specs):
        try:
            answer.results[key] = session.run(fetches, variant)
            answer.failures.pop(key, None)
            return
        except Exception as error:  # noqa: PERF203
            answer.failures[key] = _reason(error)


def _run_v2(function: Any, key: str, answer: Answer, names: Mapping[str, str]) -> None:
    import tensorflow as tf

    specs = function.structured_input_signature[1]
    outputs = function.structured_outputs
    answer.keys[key] = (sorted(specs), sorted(outputs) if isinstance(outputs, dict) else [])
    if not all(isinstance(spec, tf.TensorSpec) for spec in specs.values()):
        answer.failures[key] = "composite tensors"
        return
    wanted = {}
    for name, spec in specs.items():
        shape = None if spec.shape.rank is None else spec.shape.as_list()
        wanted[name] = (names.get(name, name), spec.dtype, shape)
    for variant in _variants(wanted):
        try:
            results = function(**{name: tf.constant(value, specs[name].dtype) for name, value in variant.items()})
            answer.results[key] = {name: tf.convert_to_tensor(value).numpy() for name, value in results.items()}
            answer.failures.pop(key, None)
            return
        except Exception as error:  # noqa: PERF203
            answer.failures[key] = _reason(error)


def _variants(specs: Mapping[str, tuple[str, Any, Any]]) -> Iterator[Arrays]:
    """Yield inputs of one shape and another; strings also as pictures, examples and numbers, which may be parsed."""
    for unknown in (2, 1, 8):
        feeds = {name: feed(*spec, unknown) for name, spec in specs.items()}
        yield feeds
    if any(is_text(value) for value in feeds.values()):
        for data in (_picture(), _example(), b"1"):
            yield {name: _texts(value, data) if is_text(value) else value for name, value in feeds.items()}


def _picture() -> bytes:
    import tensorflow as tf

    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:  # another graph may be about to run
        data: bytes = session.run(tf.io.encode_png(pixels))
    return data


def _example() -> bytes:
    import tensorflow as tf

    number = tf.train.Feature(float_list=tf.train.FloatList(value=[1.5]))
    features = dict.fromkeys(("x", "x2", "a", "b"), number)
    return tf.train.Example(features=tf.train.Features(feature=features)).SerializeToString()


def _first_tags(path: Path) -> list[str]:
    from tensorflow.python.saved_model import loader_impl

    return list(loader_impl.parse_saved_model(str(path)).meta_graphs[0].meta_info_def.tags)


def _reason(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep TensorFlow's warnings about itself out of the output."""
    import tensorflow as tf

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    tf.get_logger().setLevel(logging.ERROR)
    with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()):
        warnings.simplefilter("ignore")
        yield
