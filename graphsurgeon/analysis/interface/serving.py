"""What TensorFlow Serving demands of a signature, by method, and which values its REST interface takes.

Sources: `tensorflow_serving/servables/tensorflow/{classifier,regressor,predict_util}.cc`,
`tensorflow_serving/util/json_tensor.cc` and `signature_constants.py`. The Python loaders check none of it.
"""

from __future__ import annotations

from graphsurgeon.model.dtype import FLOAT32, STRING
from graphsurgeon.model.metagraph import Signature, SignatureEntry

METHODS = {
    "predict": "tensorflow/serving/predict",
    "classify": "tensorflow/serving/classify",
    "regress": "tensorflow/serving/regress",
}
# What `json_tensor.cc` converts; half, bfloat16, uint16, complex and quantized numbers it does not.
JSON_DTYPES = frozenset(
    {
        "float32", "float64", "int8", "int16", "int32", "int64", "uint8", "uint32", "uint64", "bool", "string",
    }
)  # fmt: skip


def serving_problems(signature: Signature) -> list[str]:
    """Return the rules of the signature's method that it breaks, one line each."""
    if signature.method == METHODS["classify"]:
        return _example_input(signature) + _classify_outputs(signature)
    if signature.method == METHODS["regress"]:
        return _example_input(signature) + _regress_outputs(signature)
    return []


def _example_input(signature: Signature) -> list[str]:
    if list(signature.inputs) != ["inputs"]:
        return ["its one input must have the key 'inputs'"]
    entry = signature.inputs["inputs"]
    if entry.dtype is not STRING:
        return [f"'inputs' must hold serialized examples (string), not {entry.dtype}"]
    # The server feeds a vector with one serialized example for each of the request.
    return [] if _rank(entry) in (None, 1) else [f"'inputs' must have the shape [?], not {entry.shape}"]


def _classify_outputs(signature: Signature) -> list[str]:
    wanted = {"classes": STRING, "scores": FLOAT32}
    unknown = [key for key in signature.outputs if key not in wanted]
    if unknown or not signature.outputs:
        return ["its outputs must be 'classes', 'scores' or both"]
    problems = []
    for key, entry in signature.outputs.items():
        if entry.dtype is not wanted[key]:
            problems.append(f"{key!r} must be {wanted[key]}, not {entry.dtype}")
        if _rank(entry) not in (None, 2):
            problems.append(f"{key!r} must have the shape [batch, classes], not {entry.shape}")
    return problems


def _regress_outputs(signature: Signature) -> list[str]:
    if list(signature.outputs) != ["outputs"]:
        return ["its one output must have the key 'outputs'"]
    entry = signature.outputs["outputs"]
    problems = [] if entry.dtype is FLOAT32 else [f"'outputs' must be float32, not {entry.dtype}"]
    dims = entry.shape.dims if entry.shape is not None else None
    if dims is not None and not (len(dims) == 1 or (len(dims) == 2 and dims[1] in (None, 1))):
        problems.append(f"'outputs' must have the shape [batch] or [batch, 1], not {entry.shape}")
    return problems


def _rank(entry: SignatureEntry) -> int | None:
    return entry.shape.rank if entry.shape is not None else None
