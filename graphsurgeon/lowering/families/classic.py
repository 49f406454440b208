"""Classic machine learning (`ai.onnx.ml`): rows of features in, rows of scores or labels out.

Source: the pages of the operators, and where they are silent ONNX Runtime (`core/providers/cpu/ml`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers, require_few
from graphsurgeon.model.dtype import FLOAT32, INT32, INT64, STRING, DType
from graphsurgeon.model.tensor import Tensor

_ML = "ai.onnx.ml."
_MOST = 1 << 22  # numbers of a table that is written out
_SHOWN = 8  # labels that a note names


@lowers(_ML + "Scaler", 1)
def scaler(b: Builder, node: Source) -> Operand:
    """The difference to an offset, times a scale."""
    x = b.cast(node[0], FLOAT32)
    moved = b.op("Sub", x, b.constant(node.floats("offset") or [0.0], FLOAT32))
    return b.op("Mul", moved, b.constant(node.floats("scale") or [1.0], FLOAT32))


@lowers(_ML + "Normalizer", 1)
def normalizer(b: Builder, node: Source) -> Operand:
    """Rows by their largest element or a norm; rows of zeros stay."""
    x, kind = b.cast(node[0], FLOAT32), node.text("norm", "MAX")
    if kind == "MAX":
        size = b.op("Max", x, [-1], keep_dims=True)
    elif kind == "L1":
        size = b.op("Sum", b.op("Abs", x), [-1], keep_dims=True)
    elif kind == "L2":
        size = b.op("Sqrt", b.op("Sum", b.op("Square", x), [-1], keep_dims=True))
    else:
        raise LoweringError(f"norm {kind!r}")
    return b.op("RealDiv", x, b.op("SelectV2", b.op("Equal", size, 0.0), b.op("OnesLike", size), size))


@lowers(_ML + "Binarizer", 1)
def binarizer(b: Builder, node: Source) -> Operand:
    """1 above a threshold, else 0."""
    x = node[0]
    return b.cast(b.op("Greater", x, b.constant(node.number("threshold"), x.dtype)), x.dtype)


@lowers(_ML + "ArrayFeatureExtractor", 1)
def array_feature_extractor(b: Builder, node: Source) -> Operand:
    """Some columns of the last axis."""
    x, places = node[0], b.reshape(node[1], [-1])
    taken = b.op("GatherV2", x, places, -1 if x.rank > 1 else 0)
    return taken if x.rank > 1 else b.expand(taken, [0])


@lowers(_ML + "LinearRegressor", 1)
def linear_regressor(b: Builder, node: Source) -> Operand:
    """A product with coefficients of each target, and an intercept."""
    return _transformed(b, node, _linear(b, node, node.integer("targets", 1)))


@lowers(_ML + "LinearClassifier", 1)
def linear_classifier(b: Builder, node: Source) -> list[Operand]:
    """The label of the largest score, and all scores."""
    scores = _linear(b, node, len(_labels(node, "classlabels_ints")[0]))
    return [_label(b, node, scores, "classlabels_ints"), _transformed(b, node, scores)]


@lowers(_ML + "TreeEnsembleRegressor", 1, 3)
def tree_ensemble_regressor(b: Builder, node: Source) -> Operand:
    """What the trees say of each target, summed up or otherwise."""
    return _transformed(b, node, _trees(b, node, "target", node.integer("n_targets", 1)))


@lowers(_ML + "TreeEnsembleClassifier", 1, 3)
def tree_ensemble_classifier(b: Builder, node: Source) -> list[Operand]:
    """The label of the largest score, and all scores."""
    labels = _labels(node, "classlabels_int64s")[0]
    if len(labels) == 2 and len(set(node.ints("class_ids") or [])) == 1:
        raise LoweringError("trees that score one class of two")
    scores = _trees(b, node, "class", len(labels))
    return [_label(b, node, scores, "classlabels_int64s"), _transformed(b, node, scores)]


@lowers(_ML + "ZipMap", 1)
def zip_map(b: Builder, node: Source) -> Operand:
    """The scores as they are, where a map of each row is only handed out: a column for each label, which is said."""
    end = node.node.outputs[0]
    if end.consumers:
        raise LoweringError("maps that are read on: TensorFlow has none")
    names = _labels(node, "classlabels_int64s")[0]
    shown = ", ".join(str(name) for name in names[:_SHOWN]) + (" ..." if len(names) > _SHOWN else "")
    assert b.within is not None
    b.within.work.notes[f"{end.name} is a tensor, no map: its columns are {shown}"] = None
    return node[0]


@lowers(_ML + "LabelEncoder", 2, 4)
def label_encoder(b: Builder, node: Source) -> Operand:
    """What stands beside each element in a table, and a default for what is not in it."""
    x = node[0]
    keys, values = _column(node, "keys"), _column(node, "values")
    if keys is None or values is None or len(keys[0]) != len(values[0]) or not keys[0]:
        raise LoweringError("keys and values that do not fit")
    if any(key != key for key in keys[0]):
        raise LoweringError("a key that is NaN")
    require_few(len(keys[0]), 1 << 14, "keys")
    same = b.op("Equal", b.expand(x, [x.rank]), b.constant(keys[0], x.dtype))
    place = b.op("ArgMax", b.cast(same, INT32), -1)
    found = b.op("GatherV2", b.constant(values[0], values[1]), place, 0)
    default = _default(b, node, values[1])
    return b.op("SelectV2", b.op("Any", same, [-1]), found, default)


# -- tables --------------------------------------------------------------------------------------------------


def _column(node: Source, name: str) -> tuple[list[Any], DType] | None:
    """Return a list attribute that has a name for each type."""
    table = node.tensor(f"{name}_tensor")
    if table is not None:
        return list(table.numpy().reshape(-1).tolist()), table.dtype
    found = [
        (node.texts(f"{name}_strings"), STRING),
        (node.ints(f"{name}_int64s"), INT64),
        (node.floats(f"{name}_floats"), FLOAT32),
    ]
    return next(((items, dtype) for items, dtype in found if items is not None), None)


def _default(b: Builder, node: Source, dtype: DType) -> Operand:
    table = node.tensor("default_tensor")
    if isinstance(table, Tensor):
        return b.reshape(b.constant(table), [])
    if dtype is STRING:
        return b.constant(node.text("default_string", "_Unused"), STRING)
    if dtype is INT64:
        return b.constant(node.integer("default_int64", -1), INT64)
    return b.constant(node.number("default_float", -0.0), dtype)


def _labels(node: Source, ints: str) -> tuple[list[Any], DType]:
    texts = node.texts("classlabels_strings")
    numbers = node.ints(ints)
    if not (texts or numbers):
        raise LoweringError("no labels")
    return (texts, STRING) if texts else (numbers or [], INT64)


def _label(b: Builder, node: Source, scores: Operand, ints: str) -> Operand:
    names, dtype = _labels(node, ints)
    return b.op("GatherV2", b.constant(names, dtype), b.op("ArgMax", scores, -1), 0)


# -- scores --------------------------------------------------------------------------------------------------


def _linear(b: Builder, node: Source, count: int) -> Operand:
    import numpy as np

    x = b.cast(node[0], FLOAT32)
    flat = np.array(node.floats("coefficients") or [], np.float32)
    intercepts = node.floats("intercepts") or [0.0]
    if not flat.size or flat.size % count or len(intercepts) not in (1, count):
        raise LoweringError(f"{flat.size:,} coefficients and {len(intercepts):,} intercepts of {count:,} scores")
    if len(intercepts) < count and node.floats("intercepts"):
        raise LoweringError("one score of two classes")
    weights = b.constant(np.ascontiguousarray(flat.reshape(count, -1).T))
    if x.rank == 1:
        x = b.expand(x, [0])
    return b.op("AddV2", b.op("MatMul", x, weights), b.constant(intercepts, FLOAT32))


def _transformed(b: Builder, node: Source, scores: Operand) -> Operand:
    """Return scores as the attribute `post_transform` has them."""
    kind = node.text("post_transform", "NONE")
    if kind == "NONE":
        return scores
    if kind not in ("SOFTMAX", "LOGISTIC"):
        raise LoweringError(f"post_transform {kind!r}")
    return b.op("Softmax" if kind == "SOFTMAX" else "Sigmoid", scores)


# -- trees ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Forest:
    """Trees as tables, a row a node; of a leaf both ways lead to itself.

    Attributes:
        features, values: what a node looks at, and what it compares with.
        yes, no: where it leads to.
        weights: of the leaves, `[nodes, targets]`.
        roots: the first node of each tree.
        depth: of the deepest.
        mode: how all nodes compare.
        missing: whether NaN counts as a yes, 0 or 1 for each node.
    """

    features: Sequence[int]
    values: Sequence[float]
    yes: Sequence[int]
    no: Sequence[int]
    weights: Any
    roots: Sequence[int]
    depth: int
    mode: str
    missing: Sequence[int]


_COMPARE = {
    "BRANCH_LEQ": "LessEqual", "BRANCH_LT": "Less", "BRANCH_GTE": "GreaterEqual", "BRANCH_GT": "Greater",
    "BRANCH_EQ": "Equal", "BRANCH_NEQ": "NotEqual",
}  # fmt: skip


def _trees(b: Builder, node: Source, what: str, targets: int) -> Operand:
    """Return what leaves say, `[rows, targets]`: all trees are walked down at once, a level a step."""
    forest = _forest(node, what, targets)
    x = b.cast(node[0], FLOAT32)
    rows = b.op("StridedSlice", b.op("Shape", x), [0], [1], [1])
    counts = b.op("ConcatV2", rows, [len(forest.roots)], 0)
    now = b.op("BroadcastTo", b.constant(list(forest.roots), INT32), counts)
    tables = [b.constant(list(items), INT32) for items in (forest.features, forest.yes, forest.no)]
    values = b.constant(list(forest.values), FLOAT32)
    for _ in range(forest.depth):
        feature, yes, no = (b.op("GatherV2", table, now, 0) for table in tables)
        seen = b.op("GatherV2", x, feature, 1, batch_dims=1)
        is_yes = b.op(_COMPARE[forest.mode], seen, b.op("GatherV2", values, now, 0))
        if any(forest.missing):
            leads_on = b.op("GatherV2", b.constant([bool(one) for one in forest.missing]), now, 0)
            is_yes = b.op("LogicalOr", is_yes, b.op("LogicalAnd", b.op("IsNan", seen), leads_on))
        now = b.op("SelectV2", is_yes, yes, no)
    said = b.op("GatherV2", b.constant(forest.weights), now, 0)
    kind = node.text("aggregate_function", "SUM")
    reduce = {"SUM": "Sum", "AVERAGE": "Mean", "MIN": "Min", "MAX": "Max"}.get(kind)
    if reduce is None:
        raise LoweringError(f"aggregate_function {kind!r}")
    total = b.op(reduce, said, [1])
    base = node.floats("base_values")
    return b.op("AddV2", total, b.constant(base, FLOAT32)) if base else total


def _forest(node: Source, what: str, targets: int) -> _Forest:
    """Return the trees of a node.

    Raises:
        LoweringError: they are not trees, or compare in several ways.
    """
    import numpy as np

    ids = list(zip(node.ints("nodes_treeids") or [], node.ints("nodes_nodeids") or [], strict=True))
    place = {key: number for number, key in enumerate(ids)}
    modes = node.texts("nodes_modes") or []
    kinds = sorted({mode for mode in modes if mode != "LEAF"})
    if len(kinds) > 1 or any(kind not in _COMPARE for kind in kinds) or len(modes) != len(ids) or not ids:
        raise LoweringError(f"nodes that compare by {', '.join(kinds) or 'nothing'}")
    require_few(len(ids) * targets, _MOST, "weights of leaves")
    ways = [node.ints(f"nodes_{name}nodeids") or [] for name in ("true", "false")]
    yes, no = (
        [number if modes[number] == "LEAF" else place.get((tree, to), -1)
         for number, ((tree, _), to) in enumerate(zip(ids, way, strict=True))] for way in ways
    )  # fmt: skip
    weights = np.zeros([len(ids), targets], np.float32)
    rows = (node.ints(f"{what}_{name}") or [] for name in ("treeids", "nodeids", "ids"))
    for tree, leaf, target, weight in zip(*rows, node.floats(f"{what}_weights") or [], strict=True):
        if (tree, leaf) not in place or not 0 <= target < targets:
            raise LoweringError("a weight of no leaf or no target")
        weights[place[tree, leaf], target] += weight
    reached = {*yes, *no} - {number for number, mode in enumerate(modes) if mode == "LEAF"}
    leaves = {to for number, mode in enumerate(modes) if mode != "LEAF" for to in (yes[number], no[number])}
    roots = [number for number in range(len(ids)) if number not in (reached | leaves)]
    depth = _depth(roots, yes, no)
    features, values = node.ints("nodes_featureids") or [], node.floats("nodes_values") or []
    missing = node.ints("nodes_missing_value_tracks_true") or []
    return _Forest(features, values, yes, no, weights, roots, depth, kinds[0] if kinds else "BRANCH_LEQ", missing)


def _depth(roots: Sequence[int], yes: Sequence[int], no: Sequence[int]) -> int:
    """Return how many steps lead to the lowest leaf."""
    level, depth = set(roots), 0
    while True:
        if -1 in level:
            raise LoweringError("a tree that leads to no node")
        below = {to for number in level for to in (yes[number], no[number]) if to != number}
        if not below:
            return depth
        level, depth = below, depth + 1
        require_few(depth, 1 << 10, "levels of a tree")
