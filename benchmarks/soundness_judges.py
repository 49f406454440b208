"""What loaders say of a model: each in a process that may die. TensorFlow and LiteRT are the oracles.

A judge returns stage -> message, empty where the loader or run passes. A run that does not end in time is no refusal.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

_SECONDS = 10.0  # of one run: a changed constant can make a loop endless
_MOST_SINKS = 12
Verdict = dict[str, str]


def judge(path: str) -> Verdict:
    """Return what the loaders of a file or folder say, by stage."""
    if path.endswith(".tflite"):
        return _tflite(path)
    if path.endswith(".pb"):
        return _graph(path)
    if path.endswith(".meta"):
        return _meta(path)
    return _saved(path)


def _said(verdict: Verdict, stage: str, act: Callable[[], Any]) -> Any:
    """Do something and enter what it raises. Any exception is an answer here."""
    verdict[stage] = ""
    try:
        return act()
    except BaseException as error:
        text = f"{type(error).__name__}: {error}".replace("\n", " ")
        verdict[stage] = "" if "DeadlineExceeded" in text or "Timed out" in text else text[:160]
        return None


def _session() -> Any:
    import tensorflow as tf

    config = tf.compat.v1.ConfigProto(operation_timeout_in_ms=int(_SECONDS * 1000), allow_soft_placement=True)
    return tf.compat.v1.Session(config=config)


def _value(dtype: Any, dims: list[int | None]) -> Any:
    import numpy as np

    shape = [2 if dim is None or dim < 0 else dim for dim in dims]
    return np.full(shape, b"a" if dtype.as_numpy_dtype is object else 0, dtype.as_numpy_dtype)


def _feeds(graph: Any) -> dict[Any, Any]:
    found = [op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder"]
    return {one: _value(one.dtype, list(one.shape) if one.shape.rank is not None else []) for one in found}


def _graph(path: str) -> Verdict:
    import tensorflow as tf

    verdict: Verdict = {}
    definition = tf.compat.v1.GraphDef.FromString(Path(path).read_bytes())
    with tf.Graph().as_default() as graph:
        _said(verdict, "import", lambda: tf.import_graph_def(definition, name=""))
        if not verdict["import"]:
            sinks = [
                op
                for op in graph.get_operations()
                if op.outputs and not any(one.consumers() for one in op.outputs) and op.type != "Placeholder"
            ]
            feeds = _feeds(graph)
            for number, op in enumerate(sinks[:_MOST_SINKS]):
                _said(verdict, f"run {number}", lambda op=op: _session().run(op.outputs[0], feeds))
    return verdict


def _meta(path: str) -> Verdict:
    import tensorflow as tf

    verdict: Verdict = {}
    with tf.Graph().as_default():
        saver = _said(verdict, "import", lambda: tf.compat.v1.train.import_meta_graph(path))
        prefix = path.removesuffix(".meta")
        if not verdict["import"] and os.path.exists(f"{prefix}.index"):
            _said(verdict, "restore", lambda: saver.restore(_session(), prefix))
    return verdict


def _saved(path: str) -> Verdict:
    import tensorflow as tf

    verdict: Verdict = {}
    model = _saved_model(path)
    tags = list(model.meta_graphs[0].meta_info_def.tags)
    with tf.Graph().as_default() as graph, _session() as session:
        meta = _said(verdict, "v1 load", lambda: tf.compat.v1.saved_model.load(session, tags, path))
        if meta is not None:
            for key in sorted(meta.signature_def):
                if not key.startswith("__"):
                    _said(verdict, f"v1 {key}", lambda key=key: _run(session, graph, meta.signature_def[key]))
    loaded = _said(
        verdict, "v2 load", lambda: tf.saved_model.load(path, tags=None if len(model.meta_graphs) == 1 else tags)
    )
    if loaded is not None:
        known = _said(verdict, "v2 signatures", lambda: dict(loaded.signatures)) or {}
        for key in sorted(known):
            _said(verdict, f"v2 {key}", lambda key=key: _call(known[key]))
    return verdict


def _saved_model(path: str) -> Any:
    from tensorflow.core.protobuf import saved_model_pb2

    return saved_model_pb2.SavedModel.FromString((Path(path) / "saved_model.pb").read_bytes())


def _run(session: Any, graph: Any, signature: Any) -> None:
    feeds: dict[Any, Any] = {}
    for info in signature.inputs.values():
        if info.WhichOneof("encoding") != "name":
            return
        tensor = graph.get_tensor_by_name(info.name)
        own = list(tensor.shape) if tensor.shape.rank is not None else []  # where the signature says none
        dims = [dim.size for dim in info.tensor_shape.dim] if info.HasField("tensor_shape") else own
        feeds[tensor] = _value(tensor.dtype, dims)
    names = [info.name for info in signature.outputs.values() if info.WhichOneof("encoding") == "name"]
    session.run(names, feeds)


def _call(function: Any) -> None:
    import tensorflow as tf

    specs = function.structured_input_signature[1]
    if all(isinstance(spec, tf.TensorSpec) for spec in specs.values()):
        dims = {key: list(spec.shape) if spec.shape.rank is not None else [] for key, spec in specs.items()}
        function(**{key: tf.constant(_value(spec.dtype, dims[key]), spec.dtype) for key, spec in specs.items()})


def _tflite(path: str) -> Verdict:
    from ai_edge_litert import interpreter as litert

    verdict: Verdict = {}
    resolvers = litert.OpResolverType
    for name, kind in (("", resolvers.AUTO), ("plain ", resolvers.BUILTIN_WITHOUT_DEFAULT_DELEGATES)):
        made = _said(
            verdict,
            f"{name}open",
            lambda kind=kind: litert.Interpreter(model_path=path, experimental_op_resolver_type=kind),
        )
        if made is not None:
            _said(verdict, f"{name}allocate", made.allocate_tensors)
            if not verdict[f"{name}allocate"]:
                _said(verdict, f"{name}run", lambda made=made: _invoke(made))
                if name:
                    _said(verdict, "signatures", lambda made=made: _runners(made))
    return verdict


def _invoke(interpreter: Any) -> None:
    import numpy as np

    for detail in interpreter.get_input_details():
        if detail["dtype"] is not np.bytes_ and detail["dtype"] is not np.object_:
            interpreter.set_tensor(detail["index"], np.zeros(detail["shape"], detail["dtype"]))
    interpreter.invoke()
    for detail in interpreter.get_output_details():
        interpreter.get_tensor(detail["index"])


def _runners(interpreter: Any) -> None:
    for key in interpreter.get_signature_list():
        interpreter.get_signature_runner(key)
