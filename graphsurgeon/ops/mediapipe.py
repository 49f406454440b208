"""What MediaPipe Tasks asks of a TFLite model beside its metadata: element types, one example, outputs of a detector.

Source: `mediapipe/tasks/cc/components/processors/*.cc`, `.../utils/image_tensor_specs.cc`, and what its Python package
answers (`fixtures/mediapipe/answers.json`).
"""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.graph import Graph, Node, Value

METADATA = "TFLITE_METADATA"
_DETECTION = "TFLite_Detection_PostProcess"
_OF_DETECTOR = (2, 4)  # boxes and scores, or these with classes and their number


def refusals(graph: Graph) -> list[str]:
    """Say why MediaPipe Tasks will not take a model, whatever its metadata says, one line each.

    Args:
        graph: the first subgraph.
    """
    outputs = [output.value for output in graph.outputs]
    told = [*_int8(graph.inputs, "input"), *_int8(outputs, "output")]
    stored = [_type(value) for value in outputs]
    if "uint8" in stored and "float32" in stored:
        told.append("it wants all outputs quantized, or none")
    for value in graph.inputs:
        dims = value.shape.dims if value.shape is not None else None
        if dims and len(dims) == 4 and dims[0] not in (1, None):
            told.append(f"it takes one picture at a time, and input {value} is {value.shape}")
    if any(map(_detects, graph.nodes)) and len(outputs) not in _OF_DETECTOR:
        told.append(f"its object detector takes 2 or 4 outputs, and there are {len(outputs)}")
    return told


def _int8(values: Sequence[Value], side: str) -> list[str]:
    return [f"it takes no int8, as {side} {value} is" for value in values if _type(value) == "int8"]


def _type(value: Value) -> str:
    return value.dtype.name if value.dtype is not None else ""


def _detects(node: Node) -> bool:
    return node.op == _DETECTION
