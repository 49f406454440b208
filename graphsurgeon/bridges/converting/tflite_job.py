"""Inside the child process: TensorFlow's converter makes a TFLite model of a frozen SavedModel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def convert(arguments: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Convert, and write the result.

    Args:
        arguments: "path" (a SavedModel), "signature", "tags", "target", "quantize" ("" for none), "int8_io", "select".
        arrays: samples for calibration as `NUMBER.KEY`.
    """
    import tensorflow as tf

    converter = tf.lite.TFLiteConverter.from_saved_model(
        arguments["path"], signature_keys=[arguments["signature"]], tags=set(arguments["tags"])
    )
    operators = tf.lite.OpsSet
    takes = [operators.TFLITE_BUILTINS]
    quantize = arguments["quantize"]
    if quantize:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
    if quantize == "float16":
        converter.target_spec.supported_types = [tf.float16]
    if quantize in ("int8", "int16x8"):
        converter.representative_dataset = lambda: _samples(arrays)
        is_wide = quantize == "int16x8"
        wide = operators.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8
        takes = [wide if is_wide else operators.TFLITE_BUILTINS_INT8, *takes]
        if arguments["int8_io"]:
            converter.inference_input_type = converter.inference_output_type = tf.int16 if is_wide else tf.int8
    converter.target_spec.supported_ops = [*takes, *([operators.SELECT_TF_OPS] if arguments["select"] else [])]
    data = converter.convert()
    with open(arguments["target"], "wb") as file:
        file.write(data)
    return {}


def _samples(arrays: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield samples by input key; they come as `NUMBER.KEY`."""
    samples: dict[int, dict[str, Any]] = {}
    for name, array in arrays.items():
        number, _, key = name.partition(".")
        samples.setdefault(int(number), {})[key] = array
    yield from (samples[number] for number in sorted(samples))
