"""Every construct that `gs scan` must see, in every container that can hold it: built with TensorFlow and Keras."""

from __future__ import annotations

import io
import json
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

from graphsurgeon.encoding.protowire import encode_varint
from tests.oracle.scan_models import CONSTRUCTS, X, build, special

GRAPHS = ("saved_model", "text", "pb", "pbtxt", "meta", "flex", "zip")
ELF = b"\x7fELF\x02\x01\x01" + bytes(57)


class Built(NamedTuple):
    """A model that does something.

    Attributes:
        construct, container: what and in what.
        path: where it lies.
        severity, ops, when, target: of the finding that must be there; a target is a part of it, `when` begins so.
    """

    construct: str
    container: str
    path: Path
    severity: str
    ops: frozenset[str | None]
    when: str
    target: str


def every(folder: Path, at: Path) -> Iterator[Built]:
    """Build everything.

    Args:
        folder: to build in.
        at: the folder that paths in the models lead to; nothing is ever written there.
    """
    for name in CONSTRUCTS:
        for container in GRAPHS:
            yield from _graph(name, container, folder / container / name, at)
    for name, path, (severity, op, when, target) in special(_made(folder / "special"), at):
        yield Built(name, "saved_model", path, severity, frozenset({op}), when, target or "")
    yield Built(
        "asset", "saved_model", _asset(folder / "special/asset"), "critical",
        frozenset({"InitializeTableFromTextFileV2", "LookupTableImportV2"}), "load", "../../secret",
    )  # fmt: skip
    yield from _tflite(_made(folder / "tflite"))
    yield from _keras(_made(folder / "keras"))


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _graph(name: str, container: str, target: Path, at: Path) -> Iterator[Built]:
    what = CONSTRUCTS[name]
    _made(target.parent)
    when = "unknown"
    if container == "flex":
        path = _flex(name, target.with_suffix(".tflite"), at)
        if path is None:
            return
        when = "signature:serving_default"
    elif container == "zip":
        path = _zipped(build(name, "pb", target, at))
    else:
        path = build(name, container, target, at)
        when = "signature:steal" if container in ("saved_model", "text") else "unknown"
    yield Built(name, container, path, "high", frozenset({what.op, what.op.removesuffix("V2")}), when, what.target)


def _flex(name: str, target: Path, at: Path) -> Path | None:
    """Convert a construct to a TFLite model with ops of TensorFlow; None where the converter cannot."""
    body = CONSTRUCTS[name].body
    function = tf.function(lambda x: {"y": body(x, str(at))}, input_signature=[X], autograph=False)
    graph = function.get_concrete_function()
    definition = graph.graph.as_graph_def()
    ops = {node.op for node in [*definition.node, *(n for f in definition.library.function for n in f.node_def)]}
    converter = tf.lite.TFLiteConverter.from_concrete_functions([graph], tf.Module())
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
    converter.target_spec.experimental_select_user_tf_ops = sorted(ops)
    converter.allow_custom_ops = True
    try:
        data = converter.convert()
    except Exception:  # whatever the converter raises: it cannot
        return None
    if b"Flex" + CONSTRUCTS[name].op.encode() not in data:
        return None  # it took the op away
    target.write_bytes(data)
    return target


def _zipped(path: Path) -> Path:
    target = path.with_suffix(".zip")
    with zipfile.ZipFile(target, "w") as archive:
        archive.write(path, f"models/{path.name}")
    path.unlink()
    return target


def _asset(target: Path) -> Path:
    """Save a model with a vocabulary, and let the asset's name lead out of the folder."""
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    vocabulary = target.parent / "vocabulary.txt"
    vocabulary.write_text("a\nb\n")
    module = tf.Module()
    places = tf.lookup.TextFileInitializer(str(vocabulary), tf.string, 0, tf.int64, -1)
    module.table = tf.lookup.StaticHashTable(places, -1)
    module.f = tf.function(
        lambda words: {"y": module.table.lookup(words)}, input_signature=[tf.TensorSpec([None], tf.string)]
    )
    tf.saved_model.save(module, str(target), signatures={"steal": module.f})
    path = target / "saved_model.pb"
    message = SavedModel.FromString(path.read_bytes())
    message.meta_graphs[0].asset_file_def[0].filename = "../../secret"
    path.write_bytes(message.SerializeToString())
    return target


def _tflite(folder: Path) -> Iterator[Built]:
    function = tf.function(lambda x: {"y": x + 1}, input_signature=[X])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], tf.Module())
    plain = converter.convert()
    converter = tf.lite.TFLiteConverter.from_concrete_functions(
        [tf.function(lambda x: {"y": tf.raw_ops.Digamma(x=x)}, input_signature=[X]).get_concrete_function()],
        tf.Module(),
    )
    converter.allow_custom_ops = True
    for name, data, severity, op, when, target in (
        ("custom_op", converter.convert(), "medium", "Digamma", "signature:", ""),
        ("appended_zip", plain + _archive({"../../evil.sh": b"rm"}), "high", None, "unknown", "../../evil.sh"),
        ("appended_elf", plain + ELF, "high", None, "unknown", ""),
    ):
        path = folder / f"{name}.tflite"
        path.write_bytes(data)
        yield Built(name, "tflite", path, severity, frozenset({op}), when, target)


def _archive(members: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


def _keras(folder: Path) -> Iterator[Built]:
    import keras

    model = keras.Sequential([keras.Input([2]), keras.layers.Lambda(lambda x: x * 2, name="code")])
    ops = frozenset({"Lambda"})
    for suffix in ("keras", "h5"):
        path = folder / f"lambda.{suffix}"
        model.save(path)
        yield Built("lambda", suffix, path, "high", ops, "load", "")
    text = json.dumps({"class_name": "Lambda", "config": {"function": ["4wE", None, None], "function_type": "lambda"}})
    target = folder / "metadata"
    tf.saved_model.save(_empty(), str(target))
    node = b'\x1a\x04root"\x0f_tf_keras_layer\x2a' + encode_varint(len(text)) + text.encode()  # SavedObject
    (target / "keras_metadata.pb").write_bytes(b"\x0a" + encode_varint(len(node)) + node)
    yield Built("lambda_metadata", "saved_model", target, "high", ops, "load", "")
    yield Built(
        "lambda_metadata", "file", Path(shutil.copy(target / "keras_metadata.pb", folder)), "high", ops, "load", ""
    )


def _empty() -> Any:
    module = tf.Module()
    module.f = tf.function(lambda x: {"y": x}, input_signature=[X])
    return module
