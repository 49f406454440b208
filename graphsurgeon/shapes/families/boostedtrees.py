"""Boosted trees, as the estimators of TensorFlow train and ask them."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.registry import Result, shape_fn

SUMMARY = 4  # numbers in a row of a quantile summary


@shape_fn("BoostedTreesPredict")
def boosted_trees_predict(context: InferenceContext) -> Sequence[Result]:
    """Give `logits_dimension` scores per example."""
    features = context.dims(1)
    return [(features[0] if features else None, _logits(context))]


@shape_fn("BoostedTreesTrainingPredict")
def boosted_trees_training_predict(context: InferenceContext) -> Sequence[Result]:
    """Give `logits_dimension` changes of the scores per example, and the tree and the node each has come to."""
    rows = context.with_rank(1, 1)
    return [(rows[0], _logits(context)), rows, rows]


@shape_fn("BoostedTreesExampleDebugOutputs")
def boosted_trees_debug_outputs(context: InferenceContext) -> Sequence[Result]:
    """Give a serialized message per example."""
    return [(None,)]


@shape_fn("BoostedTreesGetEnsembleStates")
def boosted_trees_states(context: InferenceContext) -> Sequence[Result]:
    """Give four counts and a range."""
    return [(), (), (), (), (2,)]


def _logits(context: InferenceContext) -> int | None:
    count = context.integer_attr("logits_dimension")
    return count if count >= 0 else None


@shape_fn("BoostedTreesBucketize")
def boosted_trees_bucketize(context: InferenceContext) -> Sequence[Result]:
    """Give a bucket per value of each feature."""
    return [context.with_rank(index, 1) for index in range(context.num_outputs)]


@shape_fn("BoostedTreesCenterBias")
def center_bias(context: InferenceContext) -> Sequence[Result]:
    """Give whether to go on."""
    return [()]


@shape_fn("BoostedTreesMakeStatsSummary")
def stats_summary(context: InferenceContext) -> Sequence[Result]:
    """Give gradient and hessian per feature, node and bucket; from `num_features`, `max_splits`, `num_buckets`."""
    return [(*(context.integer_attr(name) for name in ("num_features", "max_splits", "num_buckets")), 2)]


@shape_fn("BoostedTreesAggregateStats")
def aggregated_stats(context: InferenceContext) -> Sequence[Result]:
    """Give gradients and hessians per node, feature and bucket, the default bucket behind the others."""
    widths = [context.with_rank(index, 2)[1] for index in (1, 2, 3)]
    buckets = context.integer_attr("num_buckets") + 1
    return [(context.integer_attr("max_splits"), widths[2], buckets, dim.add(widths[0], widths[1]))]


@shape_fn("BoostedTreesSparseAggregateStats")
def aggregated_sparse_stats(context: InferenceContext) -> Sequence[Result]:
    """Give the same as a sparse tensor of four dimensions."""
    return [(None, 4), (None,), (4,)]


@shape_fn(
    "BoostedTreesCalculateBestFeatureSplit", "BoostedTreesCalculateBestFeatureSplitV2",
    "BoostedTreesSparseCalculateBestFeatureSplit",
)  # fmt: skip
def best_split(context: InferenceContext) -> Sequence[Result]:
    """Give vectors over the nodes, and what goes to the left and to the right: `logits_dimension` numbers each."""
    contributions: Dims = (None, context.integer_attr("logits_dimension", 1))
    is_pair = [name.endswith("node_contribs") for name in _output_names(context)]
    return [contributions if pair else (None,) for pair in is_pair]


def _output_names(context: InferenceContext) -> list[str]:
    return [argument.name for argument in context.op_def.outputs] if context.op_def is not None else []


@shape_fn("BoostedTreesCalculateBestGainsPerFeature")
def best_gains(context: InferenceContext) -> Sequence[Result]:
    """Give nodes, gains, thresholds, and one number for the left and for the right, per feature."""
    features = context.num_outputs // 5
    return [*[(None,)] * (3 * features), *[(None, 1)] * (2 * features)]


@shape_fn("BoostedTreesMakeQuantileSummaries", "BoostedTreesFlushQuantileSummaries")
def quantile_summaries(context: InferenceContext) -> Sequence[Result]:
    """Give rows of a value, its weight, and the least and greatest rank, per feature."""
    return [(None, SUMMARY)] * context.num_outputs


@shape_fn("BoostedTreesQuantileStreamResourceGetBucketBoundaries")
def bucket_boundaries(context: InferenceContext) -> Sequence[Result]:
    """Give where buckets end, per feature."""
    return [(None,)] * context.num_outputs
