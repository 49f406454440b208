"""Inside the child process: convert a frozen graph or a TFLite model with tf2onnx."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any


def run(source: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> Iterator[Any]:
    """Write what a model is in ONNX; there are no calls, and no results.

    Args:
        source: "path"; "is_frozen": a GraphDef, else a TFLite model; "inputs" and "outputs" (name in ONNX -> tensor);
            "opset" or None; "output": where to; "largest": from how many bytes on weights go into a file beside it.
        calls: none.
    """
    model = _of_graph(source) if source["is_frozen"] else _of_tflite(source)
    _save(model, source["output"], source["largest"])
    return iter(())


def _of_graph(source: Mapping[str, Any]) -> Any:
    import tensorflow as tf
    from tf2onnx import convert

    graph = tf.compat.v1.GraphDef()
    with open(source["path"], "rb") as file:
        graph.ParseFromString(file.read())
    inputs, outputs = source["inputs"], source["outputs"]
    first = {tensor: name for name, tensor in reversed([*outputs.items(), *inputs.items()])}
    model, _ = convert.from_graph_def(
        graph,
        input_names=list(dict.fromkeys(inputs.values())),
        output_names=list(dict.fromkeys(outputs.values())),
        opset=source["opset"],
        tensors_to_rename=first,
    )
    _add_aliases(model, first, outputs)
    return model


def _add_aliases(model: Any, first: Mapping[str, str], outputs: Mapping[str, str]) -> None:
    """Give an output its second name, where two keys of a signature are one tensor."""
    from onnx import helper

    known = {item.name: item for item in model.graph.output}
    for name, tensor in outputs.items():
        if name not in known and first[tensor] in known:
            model.graph.node.append(helper.make_node("Identity", [first[tensor]], [name]))
            added = model.graph.output.add()
            added.CopyFrom(known[first[tensor]])
            added.name = name


def _of_tflite(source: Mapping[str, Any]) -> Any:
    from tf2onnx import convert

    model, _ = convert.from_tflite(source["path"], opset=source["opset"])
    return model


def _save(model: Any, path: str, largest: int) -> None:
    import onnx

    name = f"{os.path.basename(path)}.data"
    is_large = model.ByteSize() > largest
    onnx.save_model(model, path, save_as_external_data=is_large, location=name if is_large else None)
