"""Ways from one framework's files to another's: the table of `docs/routes.md`, from which `gs show` takes its hint.

A way of ours is a command of gs. One of others is given as they say it, with the day on which it was tried here, or as
not tried. A tool that no longer works with what is installed today is named as dead, with what takes its place.
"""

from __future__ import annotations

import re
import shlex
from typing import NamedTuple

OURS, NOT_TRIED = "ours", "not tried"
ANY = "any"  # of what one needs: there is one answer
TRIED = "tried 2026-11-29"

_CONVERTS = re.compile(r"(\bgs convert )\S+")


class Lead(NamedTuple):
    """A way.

    Attributes:
        have: what one has.
        need: what one needs.
        how: a command, or what to call in Python, or what to do instead.
        standing: OURS, NOT_TRIED, "tried DAY", or "dead since YEAR".
        kinds: of files of `have`, as the recognisers and the registry of formats call them; only of the first way that
            leads on from there, which `gs show` tells.
    """

    have: str
    need: str
    how: str
    standing: str
    kinds: tuple[str, ...] = ()

    @property
    def told(self) -> str:
        """The way in a line: what it leads to, and how."""
        return self.how if self.need == ANY else f"to {self.need}: {self.how}"

    def told_of(self, path: str) -> str:
        """The way in a line, with the file that one has in the place of the example."""
        return _CONVERTS.sub(lambda found: found.group(1) + shlex.quote(path), self.told, count=1)


ROUTES: tuple[Lead, ...] = (
    Lead("SavedModel, .meta, checkpoint with graph", "frozen GraphDef", "gs freeze MODEL -o frozen.pb", OURS),
    Lead("frozen GraphDef", "SavedModel", "gs convert frozen.pb saved_model/", OURS),
    Lead("SavedModel, GraphDef, .meta", "TFLite", "gs convert MODEL out.tflite", OURS),
    Lead("SavedModel, GraphDef", "ONNX", "gs convert MODEL out.onnx", OURS),
    Lead("SavedModel, GraphDef", "OpenVINO", "ovc MODEL --output_model out.xml", TRIED),
    Lead("SavedModel of one signature", "Core ML",
         'coremltools.convert(MODEL, source="tensorflow").save("o.mlpackage")', TRIED),
    Lead("SavedModel", "Keras", "keras.layers.TFSMLayer(MODEL, call_endpoint='serving_default') runs it; no way back",
         NOT_TRIED),
    Lead("SavedModel", "TensorFlow.js", "tensorflowjs_converter --input_format tf_saved_model MODEL web/", NOT_TRIED),
    Lead("SavedModel", "TensorRT", "to ONNX first, then trtexec --onnx=model.onnx --saveEngine=model.plan", NOT_TRIED),
    Lead("SavedModel", "PyTorch", "to ONNX first, then onnx2torch.convert('model.onnx')", NOT_TRIED),
    Lead("TensorFlow 1 graph", "TensorRT by UFF", "UFF is gone from TensorRT 10: to ONNX first",
          "dead since 2024", ("uff",)),
    Lead("Keras .h5 or .keras", "SavedModel", "gs convert model.keras saved_model/", OURS, ("keras",)),
    Lead("Keras .h5", "Keras 3, Keras 2, tf-2.2, tf-1.15", "gs convert old.h5 new.h5 --for keras-3", OURS),
    Lead("Keras .h5 or .keras", "TFLite", "gs convert model.keras sm/, then gs convert sm/ out.tflite", OURS),
    Lead("ONNX", "SavedModel", "gs convert model.onnx saved_model/", OURS, ("onnx",)),
    Lead("Keras .h5 or .keras", "ONNX", "gs convert model.keras sm/, then gs convert sm/ out.onnx", OURS),
    Lead("ONNX", "TFLite", "gs convert model.onnx sm/, then gs convert sm/ out.tflite", OURS),
    Lead("ONNX", "PyTorch", "onnx2torch.convert('model.onnx')", NOT_TRIED),
    Lead("ONNX", "SavedModel by onnx-tf", "gs convert, or onnx2tf in an environment of its own",
          "dead since 2023"),
    Lead("ONNX", "OpenVINO", "ovc model.onnx --output_model out.xml", TRIED),
    Lead("ONNX", "TensorRT", "trtexec --onnx=model.onnx --saveEngine=model.plan", NOT_TRIED),
    Lead("ONNX Runtime .ort", "ONNX", "give the .onnx that it was made from: there is no way back",
          NOT_TRIED, ("ort",)),
    Lead("PyTorch", "ONNX", "torch.onnx.export(model, (example,), 'model.onnx', dynamo=True)", TRIED,
          ("torch", "torch_legacy")),
    Lead("TorchScript", "ONNX", "load it with torch.jit.load, then torch.onnx.export(..., dynamo=False)", NOT_TRIED,
          ("torchscript",)),
    Lead("PyTorch", "TFLite", "litert_torch.convert(model.eval(), (example,)).export('out.tflite')", NOT_TRIED),
    Lead("ExecuTorch", "TFLite", "give the PyTorch model: litert_torch.convert makes a .tflite of it", NOT_TRIED,
          ("executorch",)),
    Lead("JAX", "SavedModel", "jax2tf.convert(f), then tf.saved_model.save of a module with it", TRIED,
          ("orbax",)),
    Lead("JAX", "StableHLO", "jax.export.export(jax.jit(f))(example).mlir_module_serialized", TRIED),
    Lead("StableHLO", "SavedModel", "export the program from JAX with jax2tf.convert", NOT_TRIED,
          ("stablehlo", "mlir_bytecode")),
    Lead("MXNet", "SavedModel", "gs convert net-symbol.json saved_model/", OURS, ("mxnet",)),
    Lead("MXNet", "any by mxnet itself", "MXNet is retired: gs convert net-symbol.json out.onnx",
          "dead since 2023"),
    Lead("Caffe", "SavedModel", "gs convert deploy.prototxt saved_model/", OURS, ("caffe",)),
    Lead("Caffe2", "ONNX", "Caffe2 went from PyTorch: its onnx exporter is in PyTorch 1.13",
          "dead since 2022", ("caffe2",)),
    Lead("MMdnn IR", ANY, "give the model that the IR was made of: MMdnn takes no TensorFlow of today",
          "dead since 2020", ("mmdnn",)),
    Lead("MXNet", "ONNX", "gs convert net-symbol.json out.onnx", OURS),
    Lead("Caffe", "ONNX", "gs convert deploy.prototxt out.onnx", OURS),
    Lead("TFLite", "ONNX", "gs convert model.tflite out.onnx", OURS),
    Lead("TFLite", "OpenVINO", "ovc model.tflite --output_model out.xml", TRIED),
    Lead("TFLite", "SavedModel", "give the model that it was made of; weights go out with gs weights", NOT_TRIED),
    Lead("TF.js graph model", "SavedModel", "gs convert model.json saved_model/", OURS, ("tfjs_graph",)),
    Lead("TF.js graph model", "TFLite", "gs convert model.json sm/, then gs convert sm/ out.tflite", OURS),
    Lead("TF.js layers model", "Keras",
          "tensorflowjs_converter --input_format tfjs_layers_model --output_format keras model.json out.h5", NOT_TRIED,
          ("tfjs_layers",)),
    Lead("PaddlePaddle", "ONNX", "paddle2onnx --model_dir DIR --save_file model.onnx", NOT_TRIED,
          ("paddle", "paddle_params")),
    Lead("Core ML", ANY, "give the model that it was converted from: there is no way back", NOT_TRIED,
          ("coreml", "coreml_package", "coreml_compiled")),
    Lead("OpenVINO", ANY, "give the model that it was converted from: there is no way back", NOT_TRIED, ("openvino",)),
    Lead("TensorRT", ANY, "give the model that it was built from: an engine is of one machine",
          NOT_TRIED, ("tensorrt",)),
    Lead("SavedModel, checkpoint", "safetensors, .npz", "gs convert MODEL weights.safetensors", OURS),
    Lead("safetensors, .npz", "checkpoint", "gs convert w.npz weights.ckpt", OURS,
          ("safetensors", "npz")),
)  # fmt: skip


def route_of(kind: str) -> Lead | None:
    """Return the way that leads on from files of a kind, None if there is none."""
    return next((route for route in ROUTES if kind in route.kinds), None)
