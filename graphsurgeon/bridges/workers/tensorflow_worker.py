"""Inside the child process: load a model with TensorFlow and run calls on it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphsurgeon.ops.kinds import VARIABLES

Found = tuple[dict[str, tuple[str, Any]], str]


def run(source: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> Iterator[Found]:
    """Yield results by name, and why there are none, for each call. The model is loaded once for each loader.

    Args:
        source: "path", "holds" ("saved model", or "graph" or "metagraph" in binary form), "tags", "checkpoint".
        calls: "loader", "signature", "feeds" (name -> array and type), "fetches" (name -> key or tensor).
    """
    loaders = {"object": _load_object, "session": _load_session}
    loaded: dict[str, Any] = {}
    for call in calls:
        name = call["loader"]
        if name not in loaded:
            try:
                loaded[name] = loaders[name](source)
            except Exception as error:  # whatever TensorFlow raises is an answer
                loaded[name] = _said(error)
        if isinstance(loaded[name], str):
            yield {}, f"it does not load: {loaded[name]}"
        else:
            yield _call_signature(loaded[name], call) if name == "object" else _run_session(loaded[name], call)


def _load_object(source: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    return tf.saved_model.load(source["path"])


def _load_session(source: Mapping[str, Any]) -> Any:
    import tensorflow as tf

    v1 = tf.compat.v1
    session = v1.Session(graph=tf.Graph())
    with session.graph.as_default():
        if source["holds"] == "saved model":
            v1.saved_model.load(session, source["tags"] or [], source["path"])
        elif source["holds"] == "metagraph":
            saver = v1.train.import_meta_graph(_message(source, v1.MetaGraphDef()), clear_devices=True)
            if source["checkpoint"] and saver is not None:
                saver.restore(session, source["checkpoint"])
            session.run(v1.tables_initializer())
        else:
            tf.import_graph_def(_message(source, v1.GraphDef()), name="")
            if source["checkpoint"]:
                _assign_by_name(session, source["checkpoint"])
    return session


def _assign_by_name(session: Any, prefix: str) -> None:
    """Give the variables of a graph without saver what a checkpoint holds under their names."""
    import tensorflow as tf

    stored = tf.train.load_checkpoint(prefix)
    for operation in session.graph.get_operations():
        if operation.type not in VARIABLES:
            continue
        name = operation.get_attr("shared_name").decode() or operation.name
        if not stored.has_tensor(name):
            continue
        value = stored.get_tensor(name)
        if operation.type == "VarHandleOp":
            session.run(tf.raw_ops.AssignVariableOp(resource=operation.outputs[0], value=value))
        else:
            session.run(tf.raw_ops.Assign(ref=operation.outputs[0], value=value).op)


def _message(source: Mapping[str, Any], message: Any) -> Any:
    with open(source["path"], "rb") as file:
        data = file.read()
    message.ParseFromString(data)
    return message


def _run_session(session: Any, call: Mapping[str, Any]) -> Found:
    graph = session.graph
    try:
        feeds = {}
        for name, (array, _) in call["feeds"].items():
            tensor = graph.get_tensor_by_name(name)
            feeds[tensor] = array.astype(tensor.dtype.as_numpy_dtype) if array.dtype.kind != "O" else array
        fetches = {name: graph.get_tensor_by_name(tensor) for name, tensor in call["fetches"].items()}
        results = session.run(fetches, feeds)
    except Exception as error:  # whatever TensorFlow raises is an answer
        return {}, _said(error)
    return {name: (fetches[name].dtype.base_dtype.name, _plain(value)) for name, value in results.items()}, ""


def _call_signature(loaded: Any, call: Mapping[str, Any]) -> Found:
    import tensorflow as tf

    try:
        function = loaded.signatures[call["signature"]]
        feeds = {}
        for name, (array, dtype) in call["feeds"].items():
            feeds[name] = tf.constant(array, dtype if array.dtype.kind == "O" or dtype is None else None)
            if dtype is not None and feeds[name].dtype.name != dtype:
                feeds[name] = tf.cast(feeds[name], dtype)
        results = function(**feeds)
        found = {name: results[key] for name, key in call["fetches"].items()}
        return {name: (tensor.dtype.name, _plain(tensor.numpy())) for name, tensor in found.items()}, ""
    except Exception as error:  # whatever TensorFlow raises is an answer
        return {}, _said(error)


def _plain(value: Any) -> Any:
    """Return an array of a type that numpy has; a string alone becomes an array too."""
    import numpy as np

    array = np.asarray(value, object) if isinstance(value, bytes) else np.asarray(value)
    return array if array.dtype.kind in "biufcO" else array.astype("float32" if array.dtype.itemsize > 0 else object)


def _said(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}"
