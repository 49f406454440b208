"""Optimizers, gradient accumulators and candidate samplers."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn(
    "ApplyAdaMax", "ApplyAdadelta", "ApplyAdagrad", "ApplyAdagradDA", "ApplyAdagradV2", "ApplyAdam", "ApplyAddSign",
    "ApplyCenteredRMSProp", "ApplyFtrl", "ApplyFtrlV2", "ApplyGradientDescent", "ApplyMomentum", "ApplyPowerSign",
    "ApplyProximalAdagrad", "ApplyProximalGradientDescent", "ApplyRMSProp", "SparseApplyAdadelta", "SparseApplyAdagrad",
    "SparseApplyAdagradDA", "SparseApplyAdagradV2", "SparseApplyCenteredRMSProp", "SparseApplyFtrl",
    "SparseApplyFtrlV2", "SparseApplyMomentum", "SparseApplyProximalAdagrad", "SparseApplyProximalGradientDescent",
    "SparseApplyRMSProp",
)  # fmt: skip
def apply_gradient(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the variable shares with its slots (all reference inputs) and, but for rows, the gradient."""
    shared: Dims | None = None
    for position, argument in enumerate(context.op_def.inputs if context.op_def else ()):
        dims = context.dims(position)
        if argument.name == "grad" and context.node.op.startswith("Sparse"):
            dims = None if dims is None else (None, *dims[1:])  # as many rows as there are indices
        if argument.is_ref or argument.name in ("grad", "delta"):
            shared = dim.merge(shared, dims)
    return [shared]


@shape_fn(
    "ConditionalAccumulator", "SparseConditionalAccumulator", "ResourceConditionalAccumulator",
    "AccumulatorNumAccumulated", "ResourceAccumulatorNumAccumulated", "AccumulatorTakeGradient",
    "ResourceAccumulatorTakeGradient", "SparseAccumulatorTakeGradient",
)  # fmt: skip
def accumulator(context: InferenceContext) -> Sequence[Result]:
    """Give a handle of two strings, a count, or a gradient of which nothing is known."""
    if context.node.op.endswith("NumAccumulated"):
        return [()]
    return [(2,)] if context.node.op.endswith("ConditionalAccumulator") else [None] * context.num_outputs


@shape_fn(
    "AllCandidateSampler", "FixedUnigramCandidateSampler", "LearnedUnigramCandidateSampler",
    "LogUniformCandidateSampler", "ThreadUnsafeUnigramCandidateSampler", "UniformCandidateSampler",
)  # fmt: skip
def candidate_sampler(context: InferenceContext) -> Sequence[Result]:
    """Give `num_sampled` candidates with their expected counts, and the counts of the `num_true` true classes."""
    count = context.integer_attr("num_sampled")
    rows = context.with_rank(0, 2)[0]
    return [(count,), (rows, context.integer_attr("num_true")), (count,)]


@shape_fn("ComputeAccidentalHits")
def accidental_hits(context: InferenceContext) -> Sequence[Result]:
    """Give rows, ids and weights of the hits."""
    context.with_rank(0, 2)
    return [(None,)] * 3


@shape_fn("KmeansPlusPlusInitialization", "KMC2ChainInitialization", "NearestNeighbors")
def clustering(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar for the chain; nothing is known of centres and neighbours."""
    return [()] if context.node.op == "KMC2ChainInitialization" else [None] * context.num_outputs


@shape_fn("SdcaFprint")
def sdca_fprint(context: InferenceContext) -> Sequence[Result]:
    """Give two numbers per string."""
    return [(context.with_rank(0, 1)[0], 2)]


@shape_fn("NegTrain", "SdcaShrinkL1")
def nothing(context: InferenceContext) -> Sequence[Result]:
    """Nothing comes out."""
    return []


@shape_fn("SdcaOptimizer", "SdcaOptimizerV2")
def sdca_optimizer(context: InferenceContext) -> Sequence[Result]:
    """Give four numbers per example; the changes of sparse and dense weights are like the weights."""
    changes = [fact.dims for name in ("sparse_weights", "dense_weights") for fact in context.argument(name)]
    return [(None, 4), *changes]
