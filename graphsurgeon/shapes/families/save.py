"""Saving and restoring, summaries, and other ops that end in strings."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims, ShapeError
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("RestoreV2")
def restore(context: InferenceContext) -> Sequence[Result]:
    """Give the shapes of the parts that the third input spells (`4 6 0,2:-`); nothing is known of whole ones."""
    texts = context.strings(2)
    if texts is not None and len(texts) != context.num_outputs:
        raise ShapeError(f"input 2 spells {len(texts)} parts, for {context.num_outputs} outputs")
    return [_part(text) for text in texts] if texts is not None else [None] * context.num_outputs


def _part(text: bytes) -> Dims | None:
    """Return the shape of a part: sizes of the whole, then begin and length per dimension, `-` for all of it."""
    *sizes, part = text.split(b" ")
    bounds = part.split(b":")
    if not sizes or len(bounds) != len(sizes) or not all(size.isdigit() for size in sizes):
        return None
    lengths = [size if bound == b"-" else bound.partition(b",")[2] for size, bound in zip(sizes, bounds, strict=True)]
    return tuple(int(length) if length.isdigit() else None for length in lengths)


@shape_fn("Restore", "RestoreSlice")
def old_restore(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known of what a file holds."""
    return [None]


@shape_fn(
    "AudioSummary", "AudioSummaryV2", "HistogramSummary", "ImageSummary", "MergeSummary", "ScalarSummary",
    "TensorSummary", "TensorSummaryV2", "SummaryWriter", "GraphDefVersion", "Timestamp",
    "GetDeadline", "IsTensorFloat32Enabled",
)  # fmt: skip
def scalars(context: InferenceContext) -> Sequence[Result]:
    """Give scalars: serialized summaries, a writer, a time."""
    return [()] * context.num_outputs


@shape_fn("Print", "PrintV2")
def print_(context: InferenceContext) -> Sequence[Result]:
    """Give the input."""
    return [context.input(0)][: context.num_outputs]


@shape_fn("DebugNanCount")
def nan_count(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar."""
    return [()]


@shape_fn("DebugNumericSummary")
def numeric_summary(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known."""
    return [None]


@shape_fn("DebugNumericSummaryV2")
def numeric_summary_v2(context: InferenceContext) -> Sequence[Result]:
    """Give as many numbers as `tensor_debug_mode` asks for."""
    return [None]


@shape_fn("DTensorRestoreV2")
def distributed_restore(context: InferenceContext) -> Sequence[Result]:
    """Give the shapes in `input_shapes`."""
    shapes: Sequence[Dims | None] = context.shapes_attr("input_shapes")
    return list(shapes) if len(shapes) == context.num_outputs else [None] * context.num_outputs
