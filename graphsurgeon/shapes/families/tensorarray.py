"""TensorArrays of all versions: the handle knows the element shape if `element_shape` says it."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import Fact, Held
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("TensorArray", "TensorArrayV2")
def old_array(context: InferenceContext) -> Sequence[Result]:
    """Give a handle: two strings."""
    return [(2,)]


@shape_fn("TensorArrayV3")
def array(context: InferenceContext) -> Sequence[Result]:
    """Give a handle of `dtype` and, if `identical_element_shapes`, `element_shape`; and the flow."""
    is_same = context.bool_attr("identical_element_shapes")
    shape = context.shape_attr("element_shape") if is_same else None
    return [Fact((2,), handle=(Held(context.dtype_attr("dtype"), shape),)), ()]


@shape_fn("TensorArrayGrad", "TensorArrayGradV2")
def old_grad(context: InferenceContext) -> Sequence[Result]:
    """Give a handle: two strings."""
    return [(2,)]


@shape_fn("TensorArrayGradV3", "TensorArrayGradWithShape")
def grad(context: InferenceContext) -> Sequence[Result]:
    """Give a handle of the same elements (behind the dimensions in the third input), and the flow."""
    held = context.held(0)
    if context.node.op == "TensorArrayGradWithShape":
        leading = context.shape_of(2) if len(context.dims(2) or ()) == 1 else None
        dims = None if leading is None or held.dims is None else (*leading, *held.dims)
        held = Held(held.dtype, dims)
    return [Fact((2,), handle=(held,)), ()]


@shape_fn(
    "TensorArrayWrite", "TensorArrayWriteV2", "TensorArrayWriteV3", "TensorArrayScatter", "TensorArrayScatterV2",
    "TensorArrayScatterV3", "TensorArraySplit", "TensorArraySplitV2", "TensorArraySplitV3", "TensorArrayUnpack",
    "TensorArraySize", "TensorArraySizeV2", "TensorArraySizeV3",
)  # fmt: skip
def flow(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar: the flow, or the number of elements."""
    return [()]


@shape_fn("TensorArrayRead", "TensorArrayReadV2", "TensorArrayReadV3")
def read(context: InferenceContext) -> Sequence[Result]:
    """Give an element."""
    return [context.held(0).dims]


@shape_fn("TensorArrayPack", "TensorArrayGather", "TensorArrayGatherV2", "TensorArrayGatherV3")
def gather(context: InferenceContext) -> Sequence[Result]:
    """Give elements put together, as many as indices; the element shape from handle or `element_shape`."""
    element = dim.merge(context.held(0).dims, context.shape_attr("element_shape"))
    if element is None:
        return [None]
    count = context.with_rank(1, 1)[0] if "Gather" in context.node.op else None
    return [(count, *element)]


@shape_fn("TensorArrayConcat", "TensorArrayConcatV2", "TensorArrayConcatV3")
def concat(context: InferenceContext) -> Sequence[Result]:
    """Give elements joined along their first dimension, and how long each is; from `element_shape_except0`."""
    rest: Dims | None = context.shape_attr("element_shape_except0")
    return [None if rest is None else (None, *rest), (None,)]
