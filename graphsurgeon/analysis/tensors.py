"""A tensor as reports name it: name, dtype, shape, and for TFLite index and quantization."""

from __future__ import annotations

from dataclasses import dataclass

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Value
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape


@dataclass(frozen=True)
class TensorFact:
    """What a report says of a tensor.

    Attributes:
        name: as our output writes it: `node:0`; of a TFLite tensor the stored name; a signature's as stored.
        dtype: None if unknown.
        shape: unknown dimensions are None.
        index: TFLite: place in the subgraph's list of tensors; None elsewhere.
        quantization: TFLite: None for a tensor that is not quantized.
    """

    name: str | None
    dtype: DType | None
    shape: Shape
    index: int | None = None
    quantization: Quantization | None = None


def stored_tensor(value: Value) -> TensorFact:
    """Describe a value whose dtype and shape the file stores: a TFLite tensor, an argument of a function."""
    if value.graph.kind != "subgraph" or not isinstance(value.port, int):
        return TensorFact(str(value), value.dtype, value.shape or UNKNOWN_RANK)
    return TensorFact(value.name or "", value.dtype, value.shape or UNKNOWN_RANK, value.port, quantization(value))


def quantization(value: Value) -> Quantization | None:
    """Return how a TFLite tensor is quantized, None if it is not."""
    found = (value.extra or {}).get("quantization")
    return found if isinstance(found, Quantization) and found.is_quantized else None
