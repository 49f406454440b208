"""Classic machine learning (`ai.onnx.ml`): rows of features in, rows of scores or labels out."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.dtype import FLOAT32, INT64, STRING
from graphsurgeon.shapes.dims import Dim
from graphsurgeon.shapes.fact import Fact
from graphsurgeon.shapes.onnx.context import OnnxContext
from graphsurgeon.shapes.onnx.registry import shape_fn


@shape_fn("ai.onnx.ml.Normalizer", "ai.onnx.ml.Scaler")
def scaled(context: OnnxContext) -> Sequence[Fact]:
    """Give the features as float32."""
    return [Fact(context.dims(0), dtype=FLOAT32)]


@shape_fn("ai.onnx.ml.Imputer")
def imputed(context: OnnxContext) -> Sequence[Fact]:
    """Give the features as they are."""
    return [Fact(context.dims(0), dtype=context.dtype(0))]


@shape_fn("ai.onnx.ml.LinearRegressor")
def linear_regressor(context: OnnxContext) -> Sequence[Fact]:
    """Give a row of targets for each row of features."""
    return [Fact((_rows(context), context.integer_attr("targets", 1)), dtype=FLOAT32)]


@shape_fn("ai.onnx.ml.TreeEnsembleRegressor")
def tree_regressor(context: OnnxContext) -> Sequence[Fact]:
    """Give a row of targets for each row of features."""
    targets = context.integer_attr("n_targets") or None
    return [Fact((_rows(context), targets), dtype=FLOAT32)]


@shape_fn("ai.onnx.ml.LinearClassifier", "ai.onnx.ml.TreeEnsembleClassifier", "ai.onnx.ml.SVMClassifier")
def classifier(context: OnnxContext) -> Sequence[Fact]:
    """Give a label for each row of features, and a row of scores."""
    names = ("classlabels_strings", "classlabels_strings")
    words = [word for name in names for word in _listed(context, name)]
    rows = _rows(context)
    return [Fact((rows,), dtype=STRING if words else INT64), Fact((rows, None), dtype=FLOAT32)]


def _listed(context: OnnxContext, name: str) -> list[object]:
    value = context.attr(name)
    return list(value) if isinstance(value, list) else []


def _rows(context: OnnxContext) -> Dim:
    """Return the number of rows: one of features that are a vector."""
    dims = context.dims(0)
    if dims is None:
        return None
    return dims[0] if len(dims) > 1 else 1 if dims else None
