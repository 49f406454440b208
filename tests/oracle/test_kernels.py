"""Each kernel of constant folding against TensorFlow, to the bit, over inputs of every dtype that it takes."""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pytest

from graphsurgeon.kernels import compute, kernels
from graphsurgeon.model import DType, MetaGraph
from graphsurgeon.model.graph import AttrValue

pytestmark = pytest.mark.tensorflow

RANDOM = np.random.default_rng(3)
FLOATS, INTS = ("float32", "float64", "float16"), ("int32", "int64", "int8", "uint8")
SPECIAL = [0.0, -0.0, 1.0, -1.0, 0.5, 2.5, -2.5, 3.0, 1e-30, 1e30, np.inf, -np.inf, np.nan, 7.0, -7.0, 1e9]


def numbers(dtype: str, *dims: int) -> Any:
    if np.dtype(dtype).kind == "f":
        return (RANDOM.normal(size=dims) * 10).astype(dtype)
    limits = np.iinfo(dtype)
    return RANDOM.integers(max(limits.min, -50), min(limits.max, 50), dims).astype(dtype)


def pairs(dtypes: Sequence[str]) -> Iterator[list[Any]]:
    for dtype in dtypes:
        for dims in ((), (5,), (3, 4), (200,)):
            yield [numbers(dtype, *dims), numbers(dtype, *dims)]
        yield [numbers(dtype, 3, 1, 2), numbers(dtype, 4, 1)]
    with np.errstate(all="ignore"):
        special = np.array(SPECIAL, "float32")
    yield [special, np.roll(special, 5)]


def singles(dtypes: Sequence[str]) -> Iterator[list[Any]]:
    yield from ([one] for one, _ in pairs(dtypes))


def bools() -> Iterator[list[Any]]:
    yield [RANDOM.random(9) > 0.5, RANDOM.random(9) > 0.5]


def reductions(dtypes: Sequence[str]) -> Iterator[tuple[list[Any], dict[str, Any]]]:
    for dtype in dtypes:
        for axes in ([0], [1], [-1], [0, 1], []):
            for keep in (False, True):
                yield [numbers(dtype, 2, 3), np.array(axes, "int32")], {"keep_dims": keep}
    yield [RANDOM.random((2, 3)) > 0.5, np.array([1], "int32")], {}


def i32(*items: int) -> Any:
    return np.array(items, "int32")


X = numbers("float32", 4, 5, 2)
ONE = [[X]]
BINARY = [*pairs((*FLOATS, *INTS))]
BINARY_OPS = """
    Add AddV2 Sub Mul Div FloorDiv FloorMod Maximum Minimum Equal NotEqual Less LessEqual Greater GreaterEqual
    """
# op -> cases: inputs, or inputs with attributes
CASES: dict[str, list[Any]] = {
    **dict.fromkeys(BINARY_OPS.split(), BINARY),
    "SquaredDifference": [*pairs((*FLOATS, "int32", "int64"))],
    "RealDiv": [*pairs(FLOATS)],
    **{op: [*singles((*FLOATS, "int32", "int64"))] for op in ("Abs", "Neg", "Square", "Relu", "Round")},
    **{op: [*singles(FLOATS)] for op in ("Floor", "Ceil")},
    "Sqrt": [[np.abs(one)] for (one,) in singles(FLOATS)],
    "Rsqrt": [[np.abs(numbers("float32", n))] for n in (1, 3, 4, 7, 8)],
    **{op: [*bools()] for op in ("LogicalAnd", "LogicalOr")},
    "LogicalNot": [one[:1] for one in bools()],
    **{op: [*reductions(("float32", "int32"))][:-1] for op in ("Sum", "Prod", "Max", "Min")},
    **{
        op: [([RANDOM.random((2, 3)) > 0.5, i32(*axes)], {}) for axes in ([0], [1], [0, 1])] for op in ("All", "Any")
    },
    "Select": [[X > 0, X, -X]],
    "SelectV2": [[X > 0, X, -X], [X[:1] > 0, X, -X], [np.array(True), X, -X]],
    "Cast": [
        ([data], {"DstT": dtype})
        for data in (numbers("float32", 40), numbers("int32", 40), numbers("int64", 4), X > 0, np.array(SPECIAL, "f4"))
        for dtype in ("float32", "float64", "float16", "int32", "int64", "int8", "uint8", "bool")
    ],
    "Fill": [[i32(2, 3), np.float32(1.5)], [np.array([], "int32"), np.int32(7)]],
    "Range": [[np.int32(a), np.int32(b), np.int32(c)] for a, b, c in ((0, 5, 1), (5, 0, -2), (3, 3, 1), (1, 8, 3))],
    "Reshape": [[X, i32(2, -1)], [X, i32(40)], [numbers("int32", 1), np.array([], "int32")]],
    "Shape": [([X], {"out_type": "int32"}), ([X], {"out_type": "int64"})],
    "Size": [([X], {})],
    "Rank": ONE,
    "ZerosLike": ONE,
    "OnesLike": ONE,
    "ExpandDims": [[X, np.int32(axis)] for axis in (0, 1, -1, 3)],
    "Squeeze": [([X[:1, :, :1]], {}), ([X[:1, :, :1]], {"squeeze_dims": [0]})],
    "Transpose": [[X, i32(2, 0, 1)]],
    "InvertPermutation": [[i32(2, 0, 3, 1)]],
    "ReverseV2": [[X, i32(0, 2)], [X, i32(-1)]],
    "Tile": [[X, i32(1, 2, 3)]],
    "BroadcastTo": [[X[:, :1], i32(3, 4, 5, 2)]],
    "BroadcastArgs": [[i32(3, 1), i32(4, 1, 5)]],
    "Pack": [([X, X], {"axis": axis, "N": 2}) for axis in (0, 1, -1)],
    "Unpack": [([X], {"axis": axis, "num": X.shape[axis]}) for axis in (0, 1, -1)],
    "ConcatV2": [([X, X, np.int32(axis)], {"N": 2}) for axis in (0, 2, -1)],
    "ConcatOffset": [([np.int32(1), i32(2, 3), i32(2, 4), i32(2, 1)], {"N": 3})],
    "Split": [([np.int32(axis), X], {"num_split": 2}) for axis in (0, 2)],
    "Slice": [[X, i32(1, 0, 1), i32(2, -1, 1)]],
    "Gather": [[X, i32(3, 0)]],
    "GatherV2": [[X, i32(3, 0), np.int32(0)], [X, np.array([[1, 0]], "int64"), np.int32(1)]],
    "StridedSlice": [
        ([X, i32(1, 0), i32(3, 4), i32(1, 2)], {}),
        ([X, i32(1, 0), i32(3, 4), i32(1, 2)], {"begin_mask": 1, "end_mask": 2}),
        ([X, i32(2), i32(3), i32(1)], {"shrink_axis_mask": 1}),
        ([X, i32(-1, 0), i32(0, 1), i32(1, 1)], {"shrink_axis_mask": 1}),
        ([X, i32(3), i32(0), i32(-1)], {}),
        ([X, i32(0, 0, 1), i32(0, 0, 2), i32(1, 1, 1)], {"ellipsis_mask": 1, "new_axis_mask": 2}),
    ],
}  # fmt: skip


@pytest.mark.parametrize("op", sorted(kernels()))
def test_a_kernel_gives_the_bits_of_tensorflow(op: str) -> None:
    """What the kernel declines is left alone; most cases have to be answered."""
    answered = 0
    for case in CASES[op]:
        inputs, attrs = case if isinstance(case, tuple) else (case, {})
        ours = compute(node_of(op, inputs, attrs), inputs)
        if ours is None:
            continue
        answered += 1
        for one, other in zip(ours, oracle(op, inputs, attrs), strict=True):
            assert one.shape == other.shape, (op, inputs, attrs)
            assert one.astype(other.dtype).tobytes() == other.tobytes() or same(one, other), (op, inputs, attrs)
    assert answered >= min(2, len(CASES[op]))


def same(one: Any, other: Any) -> bool:
    """Say whether arrays differ only in the payload of NaNs."""
    return bool(
        one.dtype == other.dtype
        and np.array_equal(one, other, equal_nan=one.dtype.kind == "f")
        and (
            one.dtype.kind != "f" or np.array_equal(np.signbit(one[~np.isnan(one)]), np.signbit(other[~np.isnan(one)]))
        )
    )


def node_of(op: str, inputs: Sequence[Any], attrs: dict[str, Any]) -> Any:
    values: dict[str, AttrValue] = {}
    for name, value in attrs.items():
        values[name] = DType.named(value) if isinstance(value, str) else value
    return MetaGraph().graph.add_node(op, "n", [], values, checked=False)


def oracle(op: str, inputs: Sequence[Any], attrs: dict[str, Any]) -> list[Any]:
    import tensorflow as tf

    function = getattr(tf.raw_ops, op)
    names = [name for name in inspect.signature(function).parameters if name not in ("name", *attrs)]
    given = {key: tf.as_dtype(value) if isinstance(value, str) else value for key, value in attrs.items()}
    given.pop("N", None)
    given = {{"squeeze_dims": "axis"}.get(key, key): value for key, value in given.items()}
    tensors = [tf.constant(one) for one in inputs]
    if op == "Pack":
        results = function(values=tensors, **given)
    elif op == "ConcatV2":
        results = function(values=tensors[:-1], axis=tensors[-1])
    elif op == "ConcatOffset":
        results = function(concat_dim=tensors[0], shape=tensors[1:])
    else:
        results = function(**dict(zip(names, tensors, strict=False)), **given)
    return [one.numpy() for one in (results if isinstance(results, list | tuple) else [results])]


def test_what_is_not_the_same_everywhere_has_no_kernel() -> None:
    unsure = {"Exp", "Log", "Tanh", "Sigmoid", "Pow", "Erf", "Softmax", "MatMul", "Mean", "RandomUniform", "ReadFile"}
    assert not unsure & set(kernels())
    denormal = np.array([1e-40], "float32")
    assert compute(node_of("Mul", [denormal, denormal], {}), [denormal, denormal]) is None
    zero = np.array([0], "int32")
    assert compute(node_of("FloorDiv", [zero, zero], {}), [zero, zero]) is None
