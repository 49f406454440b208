"""What TensorFlow Serving demands of a signature, by method.

Sources: `tensorflow_serving/servables/tensorflow/{classifier,regressor,predict_util}.cc` and
`signature_constants.py`. The Python loaders check none of it.
"""

from __future__ import annotations

from graphsurgeon.errors import UsageError
from graphsurgeon.model.dtype import FLOAT32, STRING
from graphsurgeon.model.metagraph import Signature

METHODS = {
    "predict": "tensorflow/serving/predict",
    "classify": "tensorflow/serving/classify",
    "regress": "tensorflow/serving/regress",
}


def check_method(signature: Signature) -> None:
    """Refuse a signature that the server would not serve by its method.

    Raises:
        UsageError: with the first rule that is broken.
    """
    problems = serving_problems(signature)
    if problems:
        raise UsageError(
            f"signature {signature.key!r}: {problems[0]}", hint="choose other entries, or --method predict"
        )


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
    dtype = signature.inputs["inputs"].dtype
    return [] if dtype is STRING else [f"'inputs' must hold serialized examples (string), not {dtype}"]


def _classify_outputs(signature: Signature) -> list[str]:
    wanted = {"classes": STRING, "scores": FLOAT32}
    unknown = [key for key in signature.outputs if key not in wanted]
    if unknown or not signature.outputs:
        return ["its outputs must be 'classes', 'scores' or both"]
    return [
        f"{key!r} must be {wanted[key]}, not {entry.dtype}"
        for key, entry in signature.outputs.items()
        if entry.dtype is not wanted[key]
    ]


def _regress_outputs(signature: Signature) -> list[str]:
    if list(signature.outputs) != ["outputs"]:
        return ["its one output must have the key 'outputs'"]
    dtype = signature.outputs["outputs"].dtype
    return [] if dtype is FLOAT32 else [f"'outputs' must be float32, not {dtype}"]
