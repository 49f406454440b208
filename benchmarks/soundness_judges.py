"""What loaders say of a model: each in a process that may die. TensorFlow and LiteRT are the oracles.

A judge returns stage -> message, empty where the loader or run passes. A run that does not end in time is no refusal.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks import soundness_values as values

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

_SECONDS = 10.0  # of one run: a changed constant can make a loop endless
_MOST_SINKS = 40
_MOST_SIZE = 1000
_SIZES = (2, 1, 3)  # what unknown dimensions are fed with: a run is refused if it is with each of them
# A run that does not end, and the result of a branch that is not taken.
_NO_REFUSAL = ("DeadlineExceeded", "Timed out", "does not have value")
_OF_CHECKPOINTS = ("SaveV2", "SaveSlices", "Save", "MergeV2Checkpoints", "RestoreV2", "Restore", "RestoreSlice")
_OBJECTS = "_CHECKPOINTABLE_OBJECT_GRAPH"
Verdict = dict[str, str]


def judge(path: str) -> Verdict:
    """Return what the loaders of a file or folder say, by stage."""
    if path.endswith(".tflite"):
        return _tflite(path)
    if path.endswith(".pb"):
        return _graph(path)
    if path.endswith(".meta"):
        return _meta(path)
    return _saved(path) if os.path.exists(os.path.join(path, "saved_model.pb")) else _checkpoint(path)


def _said(verdict: Verdict, stage: str, act: Callable[[], Any]) -> Any:
    """Do something and enter what it raises. Any exception is an answer here."""
    verdict[stage] = ""
    try:
        return act()
    except BaseException as error:
        text = f"{type(error).__name__}: {error}".replace("\n", " ")
        verdict[stage] = "" if any(words in text for words in _NO_REFUSAL) else text[:160]
        return None


def _said_of_sizes(verdict: Verdict, stage: str, act: Callable[[int], Any], more: Sequence[int] = ()) -> None:
    """Do something with each size of unknown dimensions until it passes: who feeds another size may be right.

    `more` are sizes that other inputs are known to have.
    """
    for size in dict.fromkeys((*_SIZES, *more)):
        _said(verdict, stage, lambda size=size: act(size))
        if not verdict[stage]:
            return


def _session() -> Any:
    import tensorflow as tf

    config = tf.compat.v1.ConfigProto(operation_timeout_in_ms=int(_SECONDS * 1000), allow_soft_placement=True)
    return tf.compat.v1.Session(config=config)


def _value(dtype: Any, dims: list[int | None], size: int = _SIZES[0]) -> Any:
    import numpy as np

    shape = [size if dim is None or dim < 0 else dim for dim in dims]
    return np.full(shape, b"a" if dtype.as_numpy_dtype is object else 0, dtype.as_numpy_dtype)


def _feeds(graph: Any, size: int) -> dict[Any, Any]:
    found = [op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder"]
    return {one: _value(one.dtype, list(one.shape), size) for one in found if one.shape.rank is not None}


def _graph(path: str) -> Verdict:
    import tensorflow as tf

    verdict: Verdict = {}
    definition = tf.compat.v1.GraphDef.FromString(Path(path).read_bytes())
    with tf.Graph().as_default() as graph:
        _said(verdict, "import", lambda: tf.import_graph_def(definition, name=""))
        if not verdict["import"]:
            _run_sinks(verdict, graph, _session)
    return verdict


def _run_sinks(verdict: Verdict, graph: Any, session: Callable[[], Any]) -> None:
    """Fetch what nothing reads, and what comes of iterators: of as many nodes as it has, those of saving aside.

    Of a placeholder of unknown rank nobody knows what to feed: kernels may die of a scalar in place of an image.
    """
    operations = graph.get_operations()
    unknown = {op for op in operations if op.type == "Placeholder" and op.outputs[0].shape.rank is None}
    sinks = [op for op in operations if op.outputs and not any(one.consumers() for one in op.outputs)]
    sinks += [op for op in operations if op.type == "IteratorGetNext" and op not in sinks]
    feeds = {size: _feeds(graph, size) for size in _SIZES}
    wanted = [op for op in sinks if op.type != "Placeholder" and not _saves(op) and unknown.isdisjoint(_before(op))]
    makers = [op for op in operations if op.type == "MakeIterator"]
    for op in wanted[:_MOST_SINKS]:
        _said_of_sizes(verdict, f"run {op.name}", lambda size, op=op: _fetch(session(), op, feeds[size], makers))


def _fetch(session: Any, op: Any, feeds: dict[Any, Any], makers: Sequence[Any]) -> None:
    """Run an operation, its iterators made anew: without that a data set and its functions are never looked at."""
    if makers:
        session.run(makers, feeds)
    session.run(op.outputs[0], feeds)


def _saves(op: Any) -> bool:
    """Say whether running an operation writes or reads a checkpoint."""
    return any(one.type in _OF_CHECKPOINTS for one in _before(op))


def _before(op: Any) -> set[Any]:
    """Return an operation and all that runs before it."""
    seen, waiting = {op}, [op]
    while waiting:
        one = waiting.pop()
        before = {*(value.op for value in one.inputs), *one.control_inputs} - seen
        seen |= before
        waiting += before
    return seen


def _meta(path: str) -> Verdict:
    """Import; restore, or run the initializers where there is nothing to restore; run what the graph computes."""
    import tensorflow as tf

    verdict: Verdict = {}
    with tf.Graph().as_default() as graph:
        saver = _said(verdict, "import", lambda: tf.compat.v1.train.import_meta_graph(path))
        prefix = path.removesuffix(".meta")
        if not verdict["import"]:
            session = _session()
            if os.path.exists(f"{prefix}.index"):
                _said(verdict, "restore", lambda: saver.restore(session, prefix))
            else:
                _said(verdict, "initialize", lambda: session.run(tf.compat.v1.global_variables_initializer()))
            _run_sinks(verdict, graph, lambda: session)
    return verdict


def _checkpoint(path: str) -> Verdict:
    """Open, read, restore by names, restore objects; of a folder: find the checkpoint that its state names."""
    import tensorflow as tf

    verdict: Verdict = {}
    if os.path.isdir(path):
        _said(verdict, "state", lambda: _latest(path))
        return verdict
    reader = _said(verdict, "open", lambda: tf.train.load_checkpoint(path))
    if reader is not None:
        _said(verdict, "read", lambda: [reader.get_tensor(name) for name in sorted(reader.get_variable_to_shape_map())])
        _said(verdict, "restore", lambda: _restored(path, reader))
        if _OBJECTS in reader.get_variable_to_dtype_map():
            _said(verdict, "objects", lambda: _bound(path, reader))
    return verdict


def _latest(folder: str) -> None:
    import tensorflow as tf

    if tf.train.latest_checkpoint(folder) is None:
        raise ValueError("latest_checkpoint finds none")


def _restored(path: str, reader: Any) -> None:
    """Restore all that it has as a graph does: by names and dtypes; the shapes are compared."""
    import tensorflow as tf

    shapes = reader.get_variable_to_shape_map()
    for name, dtype in sorted(reader.get_variable_to_dtype_map().items()):
        if name != _OBJECTS:
            (value,) = tf.raw_ops.RestoreV2(prefix=path, tensor_names=[name], shape_and_slices=[""], dtypes=[dtype])
            value.shape.assert_is_compatible_with(shapes[name])


def _bound(path: str, known: Any) -> None:
    """Restore objects as it says that they were, all of which must get a value."""
    import tensorflow as tf
    from tensorflow.core.protobuf import trackable_object_graph_pb2

    graph = trackable_object_graph_pb2.TrackableObjectGraph.FromString(known.get_tensor(_OBJECTS))
    made: list[Any] = [_object(known, node) for node in graph.nodes]
    for owner, node in zip(made[1:], graph.nodes[1:], strict=True):
        for edge in node.children if not isinstance(owner, tf.Variable) else ():
            owner._track_trackable(made[edge.node_id], edge.local_name)
    root = tf.train.Checkpoint()
    for edge in graph.nodes[0].children:
        if edge.local_name != "save_counter":
            root._track_trackable(made[edge.node_id], edge.local_name)
    root.restore(path).assert_existing_objects_matched()


def _object(known: Any, node: Any) -> Any:
    import tensorflow as tf
    from tensorflow.python.trackable.autotrackable import AutoTrackable

    values = [one for one in node.attributes if one.name == "VARIABLE_VALUE"]
    if not values:
        return AutoTrackable()
    key = values[0].checkpoint_key
    dtype, shape = known.get_variable_to_dtype_map()[key], known.get_variable_to_shape_map()[key]
    return tf.Variable(tf.zeros(shape, dtype))


def _saved(path: str) -> Verdict:
    import tensorflow as tf

    verdict: Verdict = {}
    model = _saved_model(path)
    tags = list(model.meta_graphs[0].meta_info_def.tags)
    with tf.Graph().as_default() as graph, _session() as session:
        meta = _said(verdict, "v1 load", lambda: tf.compat.v1.saved_model.load(session, tags, path))
        if meta is not None:
            _said(verdict, "v1 values", lambda: _all_filled(session, graph))
            for key in sorted(meta.signature_def):
                if not key.startswith("__"):
                    signature = meta.signature_def[key]
                    dims = [dim.size for info in signature.inputs.values() for dim in info.tensor_shape.dim]
                    more = sorted({size for size in dims if 0 < size < _MOST_SIZE})
                    _said_of_sizes(
                        verdict, f"v1 {key}", lambda size, one=signature: _run(session, graph, one, size), more
                    )
    loaded = _said(
        verdict, "v2 load", lambda: tf.saved_model.load(path, tags=None if len(model.meta_graphs) == 1 else tags)
    )
    if loaded is not None:
        known = _said(verdict, "v2 signatures", lambda: dict(loaded.signatures)) or {}
        for key in sorted(known):
            _said_of_sizes(verdict, f"v2 {key}", lambda size, key=key: _call(known[key], size))
        functions = _functions(loaded)
        _said(verdict, "v2 values", lambda: [_filled(one) for one in (*known.values(), *dict(functions).values())])
        for name, concrete in functions:
            _said_of_sizes(verdict, f"v2 function {name}", lambda size, one=concrete: _call_plainly(one, size))
    return verdict


def _saved_model(path: str) -> Any:
    from tensorflow.core.protobuf import saved_model_pb2

    return saved_model_pb2.SavedModel.FromString((Path(path) / "saved_model.pb").read_bytes())


def _run(session: Any, graph: Any, signature: Any, size: int) -> None:
    """Fetch the outputs of a signature as a client does, its inputs fed; not where one is no plain tensor."""
    import tensorflow as tf

    feeds: dict[Any, Any] = {}
    for info in signature.inputs.values():
        tensor = tf.compat.v1.saved_model.get_tensor_from_tensor_info(info, graph)
        if info.WhichOneof("encoding") != "name":
            return
        own = list(tensor.shape) if tensor.shape.rank is not None else []
        dims = [dim.size for dim in info.tensor_shape.dim] if info.HasField("tensor_shape") else own
        if len(own) == len(dims):  # what the signature leaves open, the graph may know
            dims = [known if size is None or size < 0 else size for size, known in zip(dims, own, strict=True)]
        feeds[tensor] = _value(tensor.dtype, dims, size)
    outputs = [signature.outputs[key] for key in sorted(signature.outputs)]
    found = [tf.compat.v1.saved_model.get_tensor_from_tensor_info(info, graph) for info in outputs]
    session.run(tf.nest.flatten(found, expand_composites=True), feeds)


def _call(function: Any, size: int) -> None:
    import tensorflow as tf

    specs = function.structured_input_signature[1]
    if all(isinstance(spec, tf.TensorSpec) for spec in specs.values()):
        dims = {key: list(spec.shape) if spec.shape.rank is not None else [] for key, spec in specs.items()}
        function(**{key: tf.constant(_value(spec.dtype, dims[key], size), spec.dtype) for key, spec in specs.items()})


def _functions(loaded: Any) -> list[tuple[str, Any]]:
    """Return the functions of the object that loading returns, a concrete one each."""
    found = []
    for name in sorted(vars(loaded)):
        concrete = getattr(getattr(loaded, name), "concrete_functions", None)
        found += [(f"{name} {number}", one) for number, one in enumerate(concrete or ())]
    return found


def _filled(function: Any) -> None:
    """Ask whether each variable that a function reads has a value: one without reads as no elements, not as a fault."""
    import tensorflow as tf

    for captured in function.captured_inputs:
        is_variable = captured.dtype == tf.resource and "tensorflow::Var" in str(captured)  # and no table
        if is_variable and not tf.raw_ops.VarIsInitializedOp(resource=captured):
            raise ValueError("it reads a variable that nothing has filled")


def _all_filled(session: Any, graph: Any) -> None:
    """Ask whether loading has filled every variable of the main graph, read by a signature that is run or not."""
    import tensorflow as tf

    handles = [op for op in graph.get_operations() if op.type == "VarHandleOp"]
    asked = [tf.raw_ops.VarIsInitializedOp(resource=op.outputs[0]) for op in handles]
    empty = [op.name for op, is_filled in zip(handles, session.run(asked), strict=True) if not is_filled]
    if empty:
        raise ValueError(f"loading fills no {empty[0]}")


def _call_plainly(function: Any, size: int) -> None:
    import tensorflow as tf

    arguments, keywords = function.structured_input_signature
    values = []
    for spec in tf.nest.flatten((arguments, keywords)):
        if isinstance(spec, tf.TensorSpec):
            dims = list(spec.shape) if spec.shape.rank is not None else []
            values.append(tf.constant(_value(spec.dtype, dims, size), spec.dtype))
        elif spec is None or isinstance(spec, (bool, int, float, str)):
            values.append(spec)  # traced with this value, which a call may give again
        else:
            return
    given, named = tf.nest.pack_sequence_as((arguments, keywords), values)
    function(*given, **named)


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
                _said(verdict, f"{name}signatures", lambda made=made: _runners(made))
    values.judge(verdict, path)
    return verdict


def _invoke(interpreter: Any) -> list[Any]:
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], values.fed(detail))
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def _runners(interpreter: Any) -> None:
    """Call every signature once, on zeros."""
    for key in interpreter.get_signature_list():
        runner = interpreter.get_signature_runner(key)
        details = runner.get_input_details().items()
        runner(**{name: values.fed(one) for name, one in details})
