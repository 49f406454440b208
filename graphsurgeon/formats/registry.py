"""Every format: one record. Code asks a record for what the format holds and can do, and never compares names.

A format is added here, with its module; one from outside by `register`. `docs/extending.md` has the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from graphsurgeon.errors import UsageError
from graphsurgeon.formats.savedmodel import parts
from graphsurgeon.model.format import ONNX, STABLEHLO, TENSORFLOW, TFLITE, Format

SAVED_MODEL = Format(
    name="saved_model",
    title="SavedModel",
    module="savedmodel.folder",
    read_options=("force_text",),
    vocabulary=TENSORFLOW,
    holds_several_graphs=True,
    holds_functions=True,
    holds_signatures=True,
    holds_assets=True,
    variables="inside",
    is_servable=True,
    runtimes=("tensorflow", "openvino"),
    layout="folder",
    entries={parts.BINARY: False, parts.TEXT: True},
    folder_parts=parts.PARTS,
    planner="savedmodel.plan:plan",
    writes=frozenset((TENSORFLOW,)),
    has_text_form=True,
    options={"saved_model": None, "saved_model_pb": False, "saved_model_pbtxt": True},
)
GRAPH_DEF = Format(
    name="graph_def",
    title="GraphDef",
    module="graph.file",
    read_options=("is_text", "force_text"),
    vocabulary=TENSORFLOW,
    holds_functions=True,
    runtimes=("tensorflow", "openvino"),
    writes=frozenset((TENSORFLOW,)),
    has_text_form=True,
    suffixes={".pb": False, ".pbtxt": True},
    options={"pb": False, "pbtxt": True, "graph_def": None},
)
META_GRAPH = Format(
    name="meta_graph",
    title="MetaGraph",
    module="metafile",
    read_options=("is_text", "force_text"),
    vocabulary=TENSORFLOW,
    holds_functions=True,
    holds_signatures=True,
    variables="beside",
    planner="checkpoint.plan:plan_beside",
    runtimes=("tensorflow",),
    writes=frozenset((TENSORFLOW,)),
    has_text_form=True,
    suffixes={".meta": False},
    options={"meta": False, "meta_graph": None, "meta_text": True},
)
CHECKPOINT = Format(
    name="checkpoint",
    title="checkpoint",
    module="checkpoint.find",
    kinds=("checkpoint", "checkpoint_state"),
    variables="inside",
    layout="group",
    planner="checkpoint.plan:plan",
    writes=frozenset(("",)),
    suffixes={".index": None},
)
TFLITE_MODEL = Format(
    name="tflite",
    title="TFLite model",
    module="tflite.file",
    magic=((4, b"TFL3"),),  # the identifier of the FlatBuffer; version 2 of the schema has the same
    sniffed_among=("",),  # where the identifier is missing or damaged
    vocabulary=TFLITE,
    holds_functions=True,
    holds_signatures=True,
    runtimes=("litert", "openvino"),
    writes=frozenset((TFLITE,)),
    suffixes={".tflite": None},
    has_free_names=True,
)
ONNX_MODEL = Format(
    name="onnx",
    title="ONNX model",
    article="an",
    module="onnx.file",
    read_options=("is_text", "force_text"),
    kinds=("onnx", "onnx_text"),
    vocabulary=ONNX,
    holds_functions=True,
    runtimes=("onnxruntime", "openvino"),
    becomes=frozenset((TENSORFLOW,)),
    planner="onnx.write:plan",
    writes=frozenset((ONNX,)),
    writes_anew=True,
    suffixes={".onnx": None},
    edit_with="change it with onnx-graphsurgeon, or make it one of TensorFlow first: gs convert MODEL.onnx OUT/",
)
TFJS_GRAPH = Format(
    name="tfjs_graph",
    title="TensorFlow.js graph model",
    module="tfjs.graph",
    vocabulary=TENSORFLOW,
    holds_functions=True,
    holds_signatures=True,
    edit_with="give a .pb or a folder as output; tensorflowjs_converter makes a model for the browser of it again",
)
TFJS_LAYERS = Format(
    name="tfjs_layers",
    title="TensorFlow.js layers model",
    module="tfjs.layers",
    vocabulary="keras",
    holds_functions=True,
    variables="inside",
    edit_with="convert it to Keras with tensorflowjs_converter, and change that",
)
TFJS_WEIGHTS = Format(
    name="tfjs_weights",
    title="weights manifest of TensorFlow.js",
    module="tfjs.manifest",
    variables="inside",
    edit_with="gs convert makes an .npz or .safetensors of it",
)
SAFETENSORS = Format(
    name="safetensors",
    title="safetensors file",
    module="arrays.safetensors",
    kinds=("torch_index",),  # that of a file in shards; one of shards in another format is refused
    parts=("safetensors",),
    variables="inside",
    edit_with="change it in Python with the safetensors package",
)
NPZ = Format(
    name="npz",
    title="archive of NumPy arrays",
    article="an",
    module="arrays.npz",
    variables="inside",
    edit_with="change it in Python with numpy.load and numpy.savez",
)
STABLEHLO_MODULE = Format(
    name="stablehlo",
    title="StableHLO module",
    module="stablehlo.file",
    kinds=("mlir_bytecode",),
    vocabulary=STABLEHLO,
    holds_functions=True,
    edit_with="change the program in JAX and export it again",
)
KERAS = Format(
    name="keras",
    title="Keras model",
    module="keras.file",
    kinds=("keras", "hdf5_keras", "hdf5_weights", "keras_json"),
    sniffed_among=("hdf5",),  # where nothing of Keras shows in the first and last bytes
    vocabulary="keras",
    holds_functions=True,
    runtimes=("keras",),
    variables="inside",
    edit_with="gs convert MODEL OUT/ makes it a SavedModel, which can be edited; Keras changes the file",
    releases={
        "keras-3": "Keras 3 (TensorFlow 2.16 and newer)",
        "keras-2": "Keras 2 (TensorFlow 2.4 to 2.15, tf_keras)",
        "tf-2.2": "TensorFlow 2.0 to 2.2",
        "tf-1.15": "TensorFlow 1.13 to 1.15",
    },
)
MXNET = Format(
    name="mxnet",
    title="MXNet model",
    article="an",
    module="mxnet.file",
    kinds=("mxnet", "mxnet_symbol", "mxnet_params"),
    parts=("mxnet_params",),
    sniffed_among=("json",),
    vocabulary="mxnet",
    holds_functions=True,
    becomes=frozenset((ONNX, TENSORFLOW)),
    weights_beside="-0000.params",
    named_by=("-symbol.json",),
    edit_with="mxnet 1.9 changes it, in an environment of its own; gs convert makes it one of TensorFlow or ONNX",
)
CAFFE = Format(
    name="caffe",
    title="Caffe net",
    module="caffe.file",
    read_options=("is_text", "force_text"),
    kinds=("caffemodel", "caffe_text"),
    parts=("caffe_text",),  # a .caffemodel has the layers too
    vocabulary="caffe",
    becomes=frozenset((ONNX, TENSORFLOW)),
    weights_beside=".caffemodel",
    named_by=(".prototxt",),
    edit_with="a text editor changes the .prototxt; gs convert makes it one of TensorFlow or ONNX",
)
CAFFE2 = Format(
    name="caffe2",
    title="Caffe2 net",
    module="caffe.caffe2",
    read_options=("is_text", "force_text"),
    vocabulary="caffe2",
    holds_functions=True,
    edit_with="convert it to ONNX first",
)
MMDNN = Format(
    name="mmdnn",
    title="MMdnn graph",
    article="an",
    module="mmdnn.file",
    sniffed_among=("npy", "graph_json"),  # weights: an object where others have an array; a long graph
    vocabulary="mmdnn",
    edit_with="give the model that it was converted from",
)
BUNDLE = Format(
    name="bundle",
    title="bundle",
    module="bundle",
    kinds=("zip", "zip_tflite", "zip_saved_model", "tar", "tar.gz", "litertlm"),
    holds_models=True,
    edit_with="give one of its members: BUNDLE/MEMBER",
)
_formats: dict[str, Format] = {
    record.name: record
    for record in (
        GRAPH_DEF, META_GRAPH, SAVED_MODEL, CHECKPOINT, TFLITE_MODEL, ONNX_MODEL, TFJS_GRAPH,
        TFJS_LAYERS, TFJS_WEIGHTS, SAFETENSORS, NPZ, STABLEHLO_MODULE, KERAS, MXNET, CAFFE, CAFFE2, MMDNN, BUNDLE,
    )
}  # fmt: skip


def get(name: str) -> Format:
    """Return the record of a format.

    Raises:
        UsageError: there is no such format.
    """
    try:
        return _formats[name]
    except KeyError:
        raise UsageError(f"{name!r} is no format", hint=f"one of {', '.join(_formats)}") from None


def formats() -> tuple[Format, ...]:
    """Return every record, in the order in which they are asked for what a file is."""
    return tuple(_formats.values())


def register(record: Format) -> None:
    """Enter a format: from then on it is read, and all that its record says can be done.

    Raises:
        UsageError: its name, a kind, a suffix, or an option of `--format` is that of another format.
    """
    for other in _formats.values():
        taken = {other.name} & {record.name} or _kinds(other) & _kinds(record) or _written(other) & _written(record)
        if taken:
            raise UsageError(f"{min(taken)!r} is taken by the format {other.name!r}", hint="register it under another")
    _formats[record.name] = record


def unregister(record: Format) -> None:
    """Take a format out again."""
    del _formats[record.name]


@contextmanager
def registered(record: Format) -> Iterator[Format]:
    """Have a format for the time of a `with` block."""
    register(record)
    try:
        yield record
    finally:
        unregister(record)


def module_of(record: Format) -> Any:
    """Return the module that reads a format, and lowers it."""
    if not isinstance(record.module, str):
        return record.module
    return import_module(f"graphsurgeon.formats.{record.module}")


def planner_of(record: Format) -> Callable[..., Any] | None:
    """Return what gathers the files of a format, None where they are just what is lowered."""
    module, _, function = record.planner.partition(":")
    return getattr(import_module(f"graphsurgeon.formats.{module}"), function) if module else None


def of_entry(name: str) -> Format | None:
    """Return the format of which a file of this name makes its folder a model, None if there is none."""
    return next((record for record in _formats.values() if name in record.entries), None)


def of_kind(kind: str | None) -> Format | None:
    """Return the format whose files the recognisers call so, None if it is none that is read."""
    return next((record for record in _formats.values() if kind in _kinds(record)), None)


def of_suffix(suffix: str) -> tuple[Format, bool | None] | None:
    """Return the format that a target of this suffix is written in, and whether as text; None if it says none."""
    return next(((record, record.suffixes[suffix]) for record in _formats.values() if suffix in record.suffixes), None)


def options() -> dict[str, tuple[Format, bool | None]]:
    """Return what `--format` takes: the format, and whether in text form."""
    return {
        name: (record, is_text)
        for record in _formats.values()
        if record.can_write
        for name, is_text in (record.options or {record.name: None}).items()
    }


def _kinds(record: Format) -> set[str]:
    return {*(record.kinds or (record.name,)), *record.parts}


def _written(record: Format) -> set[str]:
    return {*(record.options or (record.name,)), *record.suffixes} if record.can_write else set()
