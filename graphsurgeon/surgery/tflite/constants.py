"""What TFLite operators yield whose inputs are constants: those that only move elements, or change their type.

Computed to the bit: LiteRT's reference kernels are `scale * (stored - zero point)` in float32 for DEQUANTIZE, and a
C cast for CAST. Arithmetic is left to the runtime, whose delegates round otherwise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from graphsurgeon.analysis.stored_weights.dequantize import dequantize
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.tensor import Tensor

_MOST_READ = 1 << 26  # bytes of a constant that is computed with
_PLAIN = "biuf"  # kinds of numpy's dtypes


def computed(node: Node, most_bytes: int) -> Tensor | None:
    """Return what an operator yields; None if that is not known, or is larger than its inputs and `most_bytes`.

    Args:
        node: of a TFLite model, with one output.
        most_bytes: of a result that is larger than what it is made of.
    """
    kernel = _KERNELS.get(node.op)
    inputs = [value for value in node.inputs if not value.is_absent]
    if kernel is None or not inputs or len(node.outputs) != 1:
        return None
    tensors = [
        value.tensor for value in inputs if value.producer is None and not (value.extra or {}).get("is_variable")
    ]
    shape, dtype = node.outputs[0].shape, node.outputs[0].dtype
    if len(tensors) != len(inputs) or shape is None or shape.num_elements is None or dtype is None or dtype.bits < 8:
        return None
    read = sum(tensor.nbytes for tensor in tensors if tensor is not None)
    if None in tensors or shape.num_elements * dtype.itemsize > max(read, most_bytes) or read > _MOST_READ:
        return None
    try:
        array = kernel(node, inputs)
    except (GraphSurgeonError, TypeError, ValueError, IndexError):  # the constants do not fit the operator
        return None
    if array is None or array.size != shape.num_elements or not _is(array, dtype):
        return None
    return Tensor.of(dtype, [dim or 0 for dim in shape.dims or ()], array.reshape(-1).tolist())


def _is(array: Any, dtype: DType) -> bool:
    return bool(array.dtype.kind in _PLAIN and array.dtype.name == dtype.name)


def _array(value: Value) -> Any:
    assert value.tensor is not None
    array = value.tensor.numpy()
    if array.dtype.kind not in _PLAIN:
        raise TypeError("no plain numbers")
    return array


def _quantization(value: Value) -> Any:
    found = (value.extra or {}).get("quantization")
    return found if found is not None and found.is_quantized else None


def _same_numbers(node: Node, inputs: Sequence[Value]) -> None:
    """Refuse what moves elements between tensors whose integers stand for different numbers."""
    wanted = repr(_quantization(node.outputs[0]))
    if wanted != "None" or any(_quantization(value) is not None for value in inputs):
        raise TypeError("integers that stand for real numbers")


def _dequantize(node: Node, inputs: Sequence[Value]) -> Any:
    (value,) = inputs
    quantization = _quantization(value)
    if quantization is not None:
        return dequantize(value.tensor, quantization) if value.tensor is not None else None
    return _array(value).astype("float32") if value.dtype is not None and value.dtype.name == "float16" else None


def _cast(node: Node, inputs: Sequence[Value]) -> Any:
    _same_numbers(node, inputs)
    array, dtype = _array(inputs[0]), node.outputs[0].dtype
    if dtype is None or (array.dtype.kind == "f" and dtype.name[0] in "iu"):
        return None  # what becomes of numbers out of range depends on the processor
    import numpy as np

    return array.astype(np.dtype(dtype.name))


def _reshape(node: Node, inputs: Sequence[Value]) -> Any:
    _same_numbers(node, inputs[:1])
    return _array(inputs[0])


def _transpose(node: Node, inputs: Sequence[Value]) -> Any:
    _same_numbers(node, inputs[:1])
    return _array(inputs[0]).transpose([int(axis) for axis in _array(inputs[1])])


def _join(node: Node, inputs: Sequence[Value], name: str) -> Any:
    import numpy as np

    _same_numbers(node, inputs)
    if node.attrs.get("fused_activation_function") not in (None, "NONE", 0):
        return None
    axis = node.attrs.get("axis") or 0
    return getattr(np, name)([_array(value) for value in inputs], axis=axis)


_KERNELS: Mapping[str, Callable[[Node, Sequence[Value]], Any]] = {
    "DEQUANTIZE": _dequantize,
    "CAST": _cast,
    "RESHAPE": _reshape,
    "EXPAND_DIMS": _reshape,
    "SQUEEZE": _reshape,
    "TRANSPOSE": _transpose,
    "PACK": lambda node, inputs: _join(node, inputs, "stack"),
    "CONCATENATION": lambda node, inputs: _join(node, inputs, "concatenate"),
}
