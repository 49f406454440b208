"""Every shipped rule: what it makes of a graph computes in TensorFlow what the graph computed, as near as it says."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.patterns.rules import rule_names, rule_set
from graphsurgeon.surgery import replace
from tests.oracle.strip_models import dropouts

pytestmark = pytest.mark.tensorflow


def replaced(
    tmp_path: Path, build: Callable[..., Any], feeds: Sequence[Any], rule: str, *, dims: Sequence[Any] | None = None
) -> tuple[Any, Any, list[str], int]:
    """Build a graph of placeholders, replace by a shipped rule, run both; return results, ops, how many matched.

    Args:
        tmp_path: where the graph is written.
        build: makes a tensor of placeholders.
        feeds: an array for each placeholder.
        rule: the name of the rule set.
        dims: shape of each placeholder, that of the arrays by default.
    """
    import tensorflow as tf

    with tf.Graph().as_default() as graph:
        shapes = dims if dims is not None else [feed.shape for feed in feeds]
        inputs = [
            tf.compat.v1.placeholder(feed.dtype, shape, name=f"in{i}")
            for i, (feed, shape) in enumerate(zip(feeds, shapes, strict=True))
        ]
        tf.identity(build(*inputs), name="out")
        graph_def = graph.as_graph_def()
    source, target = tmp_path / "a.pb", tmp_path / "b.pb"
    source.write_bytes(graph_def.SerializeToString())
    before = run(source, feeds)
    model = graphsurgeon.read(source)
    report = replace(model, rule_set(rule).rules)
    graphsurgeon.write(model, target, force=True)
    ops = [node.op for node in graphsurgeon.read(target).graph.nodes]
    return before, run(target, feeds), ops, len(report.replaced)


def run(path: Path, feeds: Sequence[Any]) -> Any:
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        config = tf.compat.v1.ConfigProto()
        config.graph_options.rewrite_options.disable_meta_optimizer = True
        with tf.compat.v1.Session(graph=graph, config=config) as session:
            return session.run("out:0", {f"in{i}:0": feed for i, feed in enumerate(feeds)})


def normal(*dims: int, dtype: str = "float32") -> Any:
    return np.random.default_rng(sum(dims)).normal(size=dims).astype(dtype)


# -- upsampling-to-conv-transpose -----------------------------------------------------------------------------------

SIDES = [(1, 1), (1, 4), (3, 2), (5, 7), (6, 5)]
FACTORS = [(2, 2), (3, 3), (4, 4), (2, 3), (1, 2)]
UPSAMPLING = "upsampling-to-conv-transpose"


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("batch", [2, None])
def test_nearest(tmp_path: Path, sides: tuple[int, int], factors: tuple[int, int], batch: int | None) -> None:
    import tensorflow as tf

    x = normal(2, *sides, 3)
    size = [side * factor for side, factor in zip(sides, factors, strict=True)]
    for half_pixel in (False, True):
        before, after, ops, count = replaced(
            tmp_path,
            lambda x, half=half_pixel: tf.raw_ops.ResizeNearestNeighbor(images=x, size=size, half_pixel_centers=half),
            [x],
            UPSAMPLING,
            dims=[[batch, *sides, 3]],
        )
        assert count == 1
        assert "ResizeNearestNeighbor" not in ops
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("dtype", ["float16", "float64", "bfloat16"])
def test_nearest_of_other_dtypes(tmp_path: Path, dtype: str) -> None:
    import tensorflow as tf

    x = normal(2, 3, 4, 2).astype(tf.as_dtype(dtype).as_numpy_dtype)
    before, after, _, count = replaced(
        tmp_path, lambda x: tf.raw_ops.ResizeNearestNeighbor(images=x, size=[6, 8]), [x], UPSAMPLING
    )
    assert count == 1
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("sides", SIDES)
def test_nearest_with_aligned_corners(tmp_path: Path, sides: tuple[int, int]) -> None:
    import tensorflow as tf

    x = normal(2, *sides, 3)
    for factor, expected in ((2, 1), (3, 0)):
        size = [side * factor for side in sides]
        before, after, _, count = replaced(
            tmp_path,
            lambda x, size=size: tf.raw_ops.ResizeNearestNeighbor(images=x, size=size, align_corners=True),
            [x],
            UPSAMPLING,
        )
        assert count == expected
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("half_pixel", [True, False])
@pytest.mark.parametrize("batch", [2, None])
def test_bilinear(
    tmp_path: Path, sides: tuple[int, int], factors: tuple[int, int], half_pixel: bool, batch: int | None
) -> None:
    import tensorflow as tf

    x = normal(2, *sides, 3)
    size = [side * factor for side, factor in zip(sides, factors, strict=True)]
    before, after, ops, count = replaced(
        tmp_path,
        lambda x: tf.raw_ops.ResizeBilinear(images=x, size=size, half_pixel_centers=half_pixel),
        [x],
        UPSAMPLING,
        dims=[[batch, *sides, 3]],
    )
    assert count == 1
    assert "ResizeBilinear" not in ops
    np.testing.assert_allclose(before, after, rtol=0, atol=1.5e-6 * np.abs(x).max())


@pytest.mark.parametrize("sides", [(2, 2), (3, 5), (5, 4)])
@pytest.mark.parametrize("factors", [(2, 2), (3, 3), (4, 4), (2, 3)])
def test_bilinear_with_aligned_corners(tmp_path: Path, sides: tuple[int, int], factors: tuple[int, int]) -> None:
    import tensorflow as tf

    x = normal(2, *sides, 3)
    size = [(side - 1) * factor + 1 for side, factor in zip(sides, factors, strict=True)]
    before, after, _, count = replaced(
        tmp_path,
        lambda x: tf.raw_ops.ResizeBilinear(images=x, size=size, align_corners=True),
        [x],
        UPSAMPLING,
    )
    assert count == 1
    np.testing.assert_allclose(before, after, rtol=0, atol=1.5e-6 * np.abs(x).max())
    whole = [side * factor for side, factor in zip(sides, factors, strict=True)]
    before, after, _, count = replaced(
        tmp_path, lambda x: tf.raw_ops.ResizeBilinear(images=x, size=whole, align_corners=True), [x], UPSAMPLING
    )
    assert count == all((n - 1) % (side - 1) == 0 for n, side in zip(whole, sides, strict=True))
    np.testing.assert_allclose(before, after, rtol=0, atol=1.5e-6 * np.abs(x).max())


@pytest.mark.parametrize("sides", SIDES)
@pytest.mark.parametrize("factor", [2, 3, 4])
def test_sides_that_are_not_known(tmp_path: Path, sides: tuple[int, int], factor: int) -> None:
    import tensorflow as tf

    x = normal(2, *sides, 3)
    for op, options, bound in (
        (tf.raw_ops.ResizeNearestNeighbor, {}, 0),
        (tf.raw_ops.ResizeBilinear, {"half_pixel_centers": True}, 1.5e-6 * np.abs(x).max()),
    ):

        def build(x: Any, op: Any = op, options: Any = options) -> Any:
            return op(images=x, size=tf.shape(x)[1:3] * tf.constant([factor, factor]), **options)

        before, after, _, count = replaced(tmp_path, build, [x], UPSAMPLING, dims=[[None, None, None, 3]])
        assert count == 1
        np.testing.assert_allclose(before, after, rtol=0, atol=bound)


def test_what_is_no_whole_factor_stays(tmp_path: Path) -> None:
    import tensorflow as tf

    x = normal(1, 4, 4, 2)
    for op in (tf.raw_ops.ResizeNearestNeighbor, tf.raw_ops.ResizeBilinear):
        for size in ([6, 8], [4, 4], [2, 2]):
            _, _, _, count = replaced(tmp_path, lambda x, op=op, size=size: op(images=x, size=size), [x], UPSAMPLING)
            assert count == 0


@pytest.mark.parametrize("batch", [2, None])
@pytest.mark.parametrize("factors", [(2, 2), (3, 2), (4, 4)])
def test_repeat_as_keras_3_spells_it(tmp_path: Path, batch: int | None, factors: tuple[int, int]) -> None:
    import tensorflow as tf

    x = normal(2, 3, 5, 4)
    before, after, ops, count = replaced(
        tmp_path,
        lambda x: tf.repeat(tf.repeat(x, factors[0], axis=1), factors[1], axis=2),
        [x],
        UPSAMPLING,
        dims=[[batch, 3, 5, 4]],
    )
    assert count == 1
    assert "Tile" not in ops
    np.testing.assert_array_equal(before, after)


def test_repeat_as_keras_3_spells_it_of_sides_that_are_not_known(tmp_path: Path) -> None:
    """The shape behind each repeat is put together from the one before; optimized, the repeats are constants."""
    keras = pytest.importorskip("keras")
    from graphsurgeon.surgery import optimize

    inputs = keras.Input((None, None, 3))
    outputs = keras.layers.UpSampling2D((2, 3), interpolation="nearest")(inputs)
    keras.Model(inputs, outputs).export(tmp_path / "saved", verbose=False)
    from graphsurgeon.edit import edit

    edit(tmp_path / "saved", [("freeze", {})], output=tmp_path / "frozen.pb")
    x = normal(2, 3, 5, 3)
    expected = np.repeat(np.repeat(x, 2, 1), 3, 2)
    for is_optimized in (False, True):
        model = graphsurgeon.read(tmp_path / "frozen.pb")
        if is_optimized:
            optimize(model)
        assert len(replace(model, rule_set(UPSAMPLING).rules).replaced) == 1
        graphsurgeon.write(model, tmp_path / "after.pb", force=True)
        (feed,) = (node.name for node in model.graph.nodes if node.op == "Placeholder")
        (end,) = (node.name for node in model.graph.nodes if not node.consumers and node.inputs)
        assert "Tile" not in model.graph.op_counts
        np.testing.assert_array_equal(expected, values(tmp_path / "after.pb", {f"{feed}:0": x}, f"{end}:0"))


# -- erfc-to-erf ----------------------------------------------------------------------------------------------------


def test_erfc(tmp_path: Path) -> None:
    import tensorflow as tf

    x = np.linspace(-8, 8, 4001).astype("float32")
    before, after, ops, _ = replaced(tmp_path, tf.math.erfc, [x], "erfc-to-erf")
    assert "Erfc" not in ops
    np.testing.assert_allclose(before, after, rtol=0, atol=4e-7)
    scale = np.float32(0.70710678)
    before, after, ops, count = replaced(tmp_path, lambda x: 0.5 * x * tf.math.erfc(-x * scale), [x], "erfc-to-erf")
    assert count == 1
    assert ops.count("Erf") == 1
    np.testing.assert_allclose(before, after, rtol=0, atol=1e-6)


# -- rules of one op or a few ---------------------------------------------------------------------------------------


STEPS = np.random.default_rng(1).integers(0, 6, (3, 9)).astype("float32") / 2  # with equal ones


class Case(NamedTuple):
    """A graph for a rule.

    Attributes:
        build: makes it.
        feeds: its inputs.
        gone: op that is gone afterwards.
        bound: how far values may differ, of the largest; 0 for equal bits.
        dims: shapes of the placeholders where they are not those of the feeds.
    """

    build: Callable[..., Any]
    feeds: list[Any]
    gone: str
    bound: float = 0.0
    dims: list[Any] | None = None


def tf() -> Any:
    import tensorflow

    return tensorflow


def raw() -> Any:
    return tf().raw_ops


def norm(x: Any, channels: int, *, op: str = "FusedBatchNormV3") -> Any:
    """Add a batch norm in inference form."""
    random = np.random.default_rng(7)
    scale, offset, mean = (random.normal(size=channels).astype("float32") for _ in range(3))
    variance = random.uniform(0.5, 2, size=channels).astype("float32")
    attrs = {"is_training": False, "epsilon": 1e-3}
    return getattr(raw(), op)(x=x, scale=scale, offset=offset, mean=mean, variance=variance, **attrs).y


def plain_norm(x: Any, channels: int) -> Any:
    """Add a batch norm as Keras 3 spells it, before anything is folded."""
    random = np.random.default_rng(8)
    gamma, beta, mean = (tf().constant(random.normal(size=channels).astype("float32")) for _ in range(3))
    variance = tf().constant(random.uniform(0.5, 2, size=channels).astype("float32"))
    return tf().nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3)


def weight(*dims: int) -> Any:
    return tf().constant(normal(*dims))


def conv(x: Any, *dims: int, **attrs: Any) -> Any:
    return raw().Conv2D(input=x, filter=weight(*dims), **{"strides": [1, 1, 1, 1], "padding": "SAME", **attrs})


def depthwise(x: Any, *dims: int, **attrs: Any) -> Any:
    attrs = {"strides": [1, 1, 1, 1], "padding": "SAME", **attrs}
    return raw().DepthwiseConv2dNative(input=x, filter=weight(*dims), **attrs)


def transposed(x: Any, channels: int) -> Any:
    sizes = [2, 2 * x.shape[1], 2 * x.shape[2], channels]
    return raw().Conv2DBackpropInput(
        input_sizes=sizes,
        filter=weight(3, 3, channels, x.shape[3]),
        out_backprop=x,
        strides=[1, 2, 2, 1],
        padding="SAME",
    )


def dilated(x: Any, block: int, pads: Any, crops: Any, *dims: int) -> Any:
    spread = raw().SpaceToBatchND(input=x, block_shape=[block, block], paddings=pads)
    return raw().BatchToSpaceND(input=conv(spread, *dims, padding="VALID"), block_shape=[block, block], crops=crops)


def layer_norm_of_keras_2(x: Any) -> Any:
    """Add LayerNormalization as tf-keras spells it."""
    rows, last = int(np.prod(x.shape[:-1])), x.shape[-1]
    wide = tf().reshape(x, [1, rows, last, 1])
    one, zero = tf().fill([rows], 1.0), tf().fill([rows], 0.0)
    y = (
        raw()
        .FusedBatchNormV3(
            x=wide, scale=one, offset=zero, mean=[], variance=[], is_training=True, epsilon=1e-3, data_format="NCHW"
        )
        .y
    )
    return tf().reshape(y, x.shape) * weight(last) + weight(last)


def moments(x: Any, axis: int = -1) -> Any:
    mean = tf().reduce_mean(x, [axis], keepdims=True)
    return mean, tf().reduce_mean(tf().math.squared_difference(x, tf().stop_gradient(mean)), [axis], keepdims=True)


def layer_norm_of_keras_3(x: Any) -> Any:
    """Add LayerNormalization as Keras 3 spells it."""
    mean, variance = moments(x)
    inverse = tf().math.rsqrt(variance + 1e-3) * tf().reshape(weight(4), [1, 1, 4])
    return x * inverse + (-mean * inverse + tf().reshape(weight(4), [1, 1, 4]))


def layer_norm_of_tensorflow_1(x: Any, mean: Any, variance: Any) -> Any:
    return tf().nn.batch_normalization(x, mean, variance, weight(4), weight(4), 1e-3)


def layer_norm_divided(x: Any, mean: Any, variance: Any) -> Any:
    return (x - mean) / tf().sqrt(variance + 1e-3) * weight(4) + weight(4)


def fake_quantized(x: Any) -> Any:
    return raw().FakeQuantWithMinMaxVars(inputs=x, min=-6.0, max=6.0)


IMAGE = normal(2, 9, 8, 4)
FLAT = normal(3, 5, 4)
WIDE = np.linspace(-9, 9, 1201).astype("float32")
BIT_BATCH_NORM = 1e-6  # of values that are some tens of times the inputs

CASES: dict[str, list[Case]] = {
    "older-ops": [
        Case(lambda x: raw().AddV2(x=x, y=x), [FLAT], "AddV2"),
        Case(lambda x: raw().AddV2(x=x, y=[1.0, 2.0, 3.0, 4.0]), [FLAT], "AddV2"),
        Case(lambda x: raw().SelectV2(condition=x > 0, t=x, e=-x), [FLAT], "SelectV2"),
        Case(lambda x: raw().SelectV2(condition=tf().reduce_sum(x) > 0, t=x, e=-x), [FLAT], "SelectV2"),
        Case(lambda x: raw().BatchMatMulV2(x=x, y=x, adj_y=True), [FLAT], "BatchMatMulV2"),
        Case(lambda x: raw().BatchMatMulV3(x=x, y=x, adj_x=True, Tout="float32"), [FLAT], "BatchMatMulV3", 5e-7),
        Case(lambda x: raw().GatherV2(params=x, indices=[2, 0], axis=0), [FLAT], "GatherV2"),
        Case(lambda x: norm(x, 4), [IMAGE], "FusedBatchNormV3"),
    ],
    "newer-ops": [
        Case(lambda x: raw().Add(x=x, y=x), [FLAT], "Add"),
        Case(lambda x: raw().Div(x=x, y=x + 20), [FLAT], "Div"),
        Case(lambda x: raw().Select(condition=x > 0, x=x, y=-x), [FLAT], "Select"),
        Case(lambda x: raw().Select(condition=tf().reduce_sum(x) > 0, x=x, y=-x), [FLAT], "Select"),
        Case(lambda x: raw().BatchMatMul(x=x, y=x, adj_y=True), [FLAT], "BatchMatMul"),
        Case(lambda x: raw().Gather(params=x, indices=[2, 0]), [FLAT], "Gather"),
        Case(lambda x: norm(x, 4, op="FusedBatchNorm"), [IMAGE], "FusedBatchNorm"),
    ],
    "fuse-swish": [
        Case(lambda x: raw().IdentityN(input=[x * tf().sigmoid(x), x])[0], [WIDE], "IdentityN"),
        Case(lambda x: raw().IdentityN(input=[x * tf().sigmoid(1.0 * x), x, 1.0])[0], [WIDE], "IdentityN"),
        Case(lambda x: x * (1.0 / (1.0 + tf().exp(-x))), [WIDE], "Exp", 3e-7),
        Case(lambda x: x / (tf().exp(-x) + 1.0), [WIDE], "Exp", 3e-7),
    ],
    "fuse-hard-swish": [
        Case(lambda x: x * (tf().nn.relu6(x + 3) / 6), [WIDE], "RealDiv", 3e-7),
        Case(lambda x: x * tf().nn.relu6(x + 3) / 6, [WIDE], "RealDiv", 3e-7),
        Case(lambda x: x * tf().nn.relu6(x + 3) * 0.16666667, [WIDE], "", 3e-7),
        Case(lambda x: x * (tf().minimum(tf().maximum(x + 3.0, 0.0), 6.0) * 0.16666667), [WIDE], "Minimum", 3e-7),
        Case(lambda x: x * (tf().minimum(tf().nn.relu(x + 3.0), 6.0) / 6.0), [WIDE], "Minimum", 3e-7),
        Case(lambda x: x * tf().maximum(tf().minimum(x + 3.0, 6.0), 0.0) / 6.0, [WIDE], "Maximum", 3e-7),
        Case(lambda x: x * (tf().raw_ops.ClipByValue(t=x + 3.0, clip_value_min=0.0, clip_value_max=6.0) / 6.0), [WIDE],
             "ClipByValue", 3e-7),
    ],
    "fuse-gelu": [
        Case(lambda x: 0.5 * x * tf().math.erfc(-x * np.float32(0.70710678)), [WIDE], "Erfc", 1e-6),
        Case(lambda x: 0.5 * x * (1.0 + tf().math.erf(x / np.float32(1.4142135))), [WIDE], "RealDiv", 1e-6),
        Case(lambda x: x * (0.5 * (1.0 + tf().math.erf(x / np.float32(1.4142135)))), [WIDE], "RealDiv", 1e-6),
        Case(lambda x: x * (1.0 + tf().math.erf(x * np.float32(0.70710678))) * 0.5, [WIDE], "", 1e-6),
        Case(
            lambda x: 0.5 * x * (1.0 + tf().tanh(0.7978846 * (x + 0.044715 * tf().pow(x, 3)))), [WIDE], "Pow", 1e-6
        ),
        Case(
            lambda x: x * (0.5 * (1.0 + tf().tanh(0.7978846 * (x + 0.044715 * tf().pow(x, 3))))), [WIDE], "Pow", 1e-6
        ),
    ],
    "fuse-softmax": [
        Case(
            lambda x, axis=axis: spelled_softmax(x, axis), [FLAT], "Exp", 3e-7,
        )
        for axis in (-1, 2)
    ],
    "spell-out-gelu": [
        Case(lambda x: x * 0.5 * (1.0 + tf().math.erf(x * np.float32(0.70710678))), [WIDE], "Erf", 1e-6),
        Case(
            lambda x: 0.5 * x * (1.0 + tf().tanh(0.7978846 * (x + 0.044715 * (x * (x * x))))), [WIDE], "", 1e-6
        ),
    ],
    "spell-out-softmax": [Case(lambda x: tf().nn.softmax(x), [FLAT], "Softmax", 3e-7)],
    "spell-out-swish": [
        Case(lambda x: tf().nn.relu6(x), [WIDE], "Relu6"),
        Case(lambda x: x * tf().sigmoid(x), [WIDE], "Sigmoid", 3e-7),
    ],
    "spell-out-layer-norm": [Case(layer_norm_of_keras_2, [FLAT], "FusedBatchNormV3", 1e-5)],
    "fuse-layer-norm": [
        Case(lambda x: layer_norm_of_keras_3(x), [FLAT], "Neg", 1e-5),
        Case(lambda x: layer_norm_of_keras_3(x), [FLAT], "Neg", 1e-5, [[None, None, 4]]),
        Case(lambda x: layer_norm_of_tensorflow_1(x, *moments(x)), [FLAT], "", 1e-5),
        Case(lambda x: layer_norm_divided(x, *moments(x)), [FLAT], "Sqrt", 1e-5),
    ],
    "pad-into-conv": [
        Case(
            lambda x: conv(tf().pad(x, [[0, 0], [1, 2], [3, 0], [0, 0]]), 3, 3, 4, 5, padding="VALID"), [IMAGE], "Pad"
        ),
        Case(
            lambda x: conv(
                tf().pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 3, 4, 5, padding="VALID", strides=[1, 2, 2, 1]
            ),
            [IMAGE], "Pad",
        ),
        Case(
            lambda x: conv(
                raw().PadV2(input=x, paddings=[[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=0.0), 3, 3, 4, 5,
                padding="VALID",
            ),
            [IMAGE], "PadV2",
        ),
        Case(
            lambda x: depthwise(tf().pad(x, [[0, 0], [2, 1], [1, 1], [0, 0]]), 3, 3, 4, 2, padding="VALID"),
            [IMAGE], "Pad",
        ),
    ],
    "space-to-batch-to-dilation": [
        Case(lambda x: dilated(x[:, :8], 2, [[0, 0], [0, 0]], [[0, 0], [0, 0]], 3, 3, 4, 5), [IMAGE], "SpaceToBatchND"),
        Case(lambda x: dilated(x, 2, [[2, 3], [2, 2]], [[0, 1], [0, 0]], 3, 3, 4, 5), [IMAGE], "SpaceToBatchND"),
        Case(lambda x: dilated(x, 3, [[1, 5], [0, 4]], [[0, 2], [0, 1]], 3, 3, 4, 5), [IMAGE], "SpaceToBatchND", 1e-6),
    ],
    "tensordot-to-matmul": [
        Case(lambda x: tf().tensordot(x, weight(4, 6), [[2], [0]]), [FLAT], "MatMul", 1e-6),
        Case(lambda x: tf().tensordot(x, weight(4, 6), [[2], [0]]), [FLAT], "MatMul", 1e-6, [[None, 5, 4]]),
        Case(
            lambda x: tf().reshape(
                tf().matmul(tf().reshape(tf().transpose(x, [0, 1, 2]), [-1, 4]), weight(4, 6)), [3, 5, 6]
            ),
            [FLAT], "MatMul", 1e-6,
        ),
    ],
    "zeros-out": [
        Case(lambda x: x + 0.0, [FLAT], "AddV2"),
        Case(lambda x: tf().nn.bias_add(x, [0.0] * 4), [FLAT], "BiasAdd"),
    ],
    "plain-arithmetic": [
        Case(lambda x: (x * 1.0) / 1.0 - 0.0, [FLAT], "Mul"),
        Case(lambda x: raw().Neg(x=raw().Neg(x=x)), [FLAT], "Neg"),
        Case(lambda x: raw().Cast(x=x, DstT="float32"), [FLAT], "Cast"),
        Case(lambda x: tf().reshape(tf().reshape(x, [15, 4]), [5, 12]) + 1.0, [FLAT], ""),
        Case(lambda x: tf().transpose(tf().transpose(x, [2, 0, 1]), [1, 2, 0]) + 1.0, [FLAT], "Transpose"),
        Case(lambda x: tf().transpose(tf().transpose(x, [2, 0, 1]), [2, 0, 1]), [FLAT], ""),
        Case(lambda x: tf().squeeze(tf().expand_dims(x, 1), [1]) + 1.0, [FLAT], "Squeeze"),
    ],
    "for-converters": [
        Case(lambda x: raw().ClipByValue(t=x, clip_value_min=-1.0, clip_value_max=2.0), [WIDE], "ClipByValue"),
        Case(lambda x: tf().math.expm1(x), [WIDE / 9], "Expm1", 1.2e-7),
        Case(lambda x: raw().Xlogy(x=x, y=tf().abs(x) + 1), [WIDE], "Xlogy", 5e-7),
        Case(lambda x: raw().Xlogy(x=tf().nn.relu(x), y=tf().nn.relu(x)), [WIDE], "Xlogy", 5e-7),
        Case(lambda x: raw().Xdivy(x=tf().nn.relu(x), y=tf().nn.relu(x)), [WIDE], "Xdivy"),
    ],
    "for-openvino": [
        Case(lambda x: tf().linalg.diag(x), [FLAT], "MatrixDiagV3"),
        Case(lambda x: raw().Diag(diagonal=x), [FLAT[0, 0]], "Diag"),
        Case(lambda x: tf().linalg.diag_part(x), [normal(2, 4, 4)], "MatrixDiagPartV3"),
        Case(lambda x: raw().DiagPart(input=x), [normal(5, 5)], "DiagPart"),
        Case(lambda x, d: tf().linalg.set_diag(x, d), [normal(2, 4, 4), normal(2, 4)], "MatrixSetDiagV3"),
        Case(lambda x: raw().NthElement(input=x, n=1), [FLAT], "NthElement"),
        Case(lambda x: raw().NthElement(input=x, n=2, reverse=True), [FLAT], "NthElement"),
        Case(lambda x: raw().ResizeArea(images=x[:, :8], size=[4, 2]), [IMAGE], "ResizeArea", 1e-6),
        Case(lambda x: raw().DataFormatVecPermute(x=x), [np.arange(4, dtype="int32")], "DataFormatVecPermute"),
        Case(
            lambda x: raw().DataFormatVecPermute(x=x, src_format="NCHW", dst_format="NHWC"),
            [np.arange(4, dtype="int32")], "DataFormatVecPermute",
        ),
        Case(lambda x: raw().DataFormatDimMap(x=x), [np.arange(-4, 4, dtype="int32")], "DataFormatDimMap"),
        Case(
            lambda x: raw().DataFormatDimMap(x=x, src_format="NCHW", dst_format="NHWC"),
            [np.arange(-4, 4, dtype="int32")], "DataFormatDimMap",
        ),
        Case(lambda x, y: raw().Cross(a=x, b=y), [normal(4, 5, 3), normal(5, 4, 3).reshape(4, 5, 3)], "Cross"),
        Case(
            lambda x, y: raw().LowerBound(sorted_inputs=x, values=y), [np.sort(STEPS, -1), STEPS[:, 2:7]], "LowerBound"
        ),
        Case(
            lambda x, y: raw().UpperBound(sorted_inputs=x, values=y, out_type=tf().int64),
            [np.sort(STEPS, -1), STEPS[:, 2:7]], "UpperBound",
        ),
        Case(
            lambda x: raw().SpaceToBatch(input=x, paddings=[[1, 0], [2, 0]], block_size=2), [normal(1, 3, 4, 2)],
            "SpaceToBatch",
        ),
        Case(
            lambda x: raw().BatchToSpace(input=x, crops=[[1, 0], [0, 1]], block_size=2), [normal(8, 3, 4, 2)],
            "BatchToSpace",
        ),
        Case(lambda x: raw().BiasAddV1(value=x, bias=weight(4)), [normal(2, 3, 4)], "BiasAddV1"),
        Case(lambda x, y: raw().ParallelConcat(values=[x, y], shape=[2, 3]), [normal(1, 3), normal(1, 3)],
             "ParallelConcat"),
        Case(lambda x, y: raw().AccumulateNV2(inputs=[x, y], shape=[2, 3]), [normal(2, 3), normal(2, 3)],
             "AccumulateNV2"),
        Case(lambda x: tf().math.erfinv(x), [np.linspace(-0.99999, 0.99999, 2001, dtype="float32")], "Erfinv", 1e-5),
    ],
    "batch-norm-into-conv": [
        Case(lambda x: norm(conv(x, 3, 3, 4, 6), 6), [IMAGE], "FusedBatchNormV3", BIT_BATCH_NORM),
        Case(lambda x: norm(conv(x, 3, 3, 4, 6), 6, op="FusedBatchNorm"), [IMAGE], "FusedBatchNorm", BIT_BATCH_NORM),
        Case(
            lambda x: norm(tf().nn.bias_add(conv(x, 3, 3, 4, 6), weight(6)), 6), [IMAGE], "FusedBatchNormV3",
            BIT_BATCH_NORM,
        ),
        Case(lambda x: norm(conv(x, 3, 3, 4, 6) + weight(6), 6), [IMAGE], "FusedBatchNormV3", BIT_BATCH_NORM),
        Case(lambda x: norm(depthwise(x, 3, 3, 4, 2), 8), [IMAGE], "FusedBatchNormV3", BIT_BATCH_NORM),
        Case(
            lambda x: norm(tf().nn.bias_add(depthwise(x, 3, 3, 4, 2), weight(8)), 8), [IMAGE], "FusedBatchNormV3",
            BIT_BATCH_NORM,
        ),
        Case(lambda x: norm(transposed(x, 6), 6), [IMAGE], "FusedBatchNormV3", BIT_BATCH_NORM),
        Case(
            lambda x: norm(tf().nn.bias_add(transposed(x, 6), weight(6)), 6), [IMAGE], "FusedBatchNormV3",
            BIT_BATCH_NORM,
        ),
        Case(lambda x: plain_norm(conv(x, 3, 3, 4, 6), 6), [IMAGE], "Rsqrt", BIT_BATCH_NORM),
        Case(lambda x: plain_norm(depthwise(x, 3, 3, 4, 2), 8), [IMAGE], "Rsqrt", BIT_BATCH_NORM),
        Case(lambda x: plain_norm(transposed(x, 6) + weight(6), 6), [IMAGE], "Rsqrt", BIT_BATCH_NORM),
        Case(lambda x: plain_norm(tf().matmul(x, weight(4, 6)) + weight(6), 6), [FLAT[0]], "Rsqrt", BIT_BATCH_NORM),
        Case(lambda x: conv(x, 3, 3, 4, 6) * weight(6) + weight(6), [IMAGE], "Mul", BIT_BATCH_NORM),
        Case(lambda x: depthwise(x, 3, 3, 4, 2) * weight(8) + weight(8), [IMAGE], "Mul", BIT_BATCH_NORM),
        Case(lambda x: tf().matmul(x, weight(4, 6)) * weight(6) + weight(6), [FLAT[0]], "Mul", BIT_BATCH_NORM),
        Case(lambda x: transposed(x, 6) * weight(6) + weight(6), [IMAGE], "Mul", BIT_BATCH_NORM),
    ],
}  # fmt: skip


def spelled_softmax(x: Any, axis: int) -> Any:
    shifted = tf().exp(x - tf().reduce_max(x, axis, keepdims=True))
    return shifted / tf().reduce_sum(shifted, axis, keepdims=True)


@pytest.mark.parametrize(("rule", "number"), [(rule, n) for rule, cases in CASES.items() for n in range(len(cases))])
def test_a_rule_computes_what_was_computed(tmp_path: Path, rule: str, number: int) -> None:
    case = CASES[rule][number]
    before, after, ops, count = replaced(tmp_path, case.build, case.feeds, rule, dims=case.dims)
    assert count >= 1
    assert case.gone not in ops
    if case.bound:
        np.testing.assert_allclose(before, after, rtol=case.bound, atol=case.bound * np.nanmax(np.abs(before)))
    else:
        np.testing.assert_array_equal(before, after)


def test_openvino_takes_what_it_lacked(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino")
    core = openvino.Core()
    taken = []
    for case in CASES["for-openvino"]:
        expected, _, _, _ = replaced(tmp_path, case.build, case.feeds, "for-openvino")
        with contextlib.suppress(openvino.frontend.OpConversionFailure):
            openvino.convert_model(str(tmp_path / "a.pb"))
            taken.append(case.gone)
        model = core.compile_model(
            openvino.convert_model(str(tmp_path / "b.pb")), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
        )
        feeds = {
            next(i for i in model.inputs if f"in{n}:0" in i.get_names()): feed for n, feed in enumerate(case.feeds)
        }
        (found,) = model(feeds).values()
        np.testing.assert_allclose(found, expected, rtol=2e-5, atol=2e-6)
    assert taken == []


# rule -> graphs that look like it and are not
LOOK_ALIKES: dict[str, list[Case]] = {
    "older-ops": [
        Case(lambda x: raw().SelectV2(condition=x[:1] > 0, t=x, e=-x), [FLAT], ""),
        Case(lambda x: raw().BatchMatMulV2(x=x, y=x[:1], adj_y=True), [FLAT], ""),
        Case(lambda x: raw().GatherV2(params=x, indices=[2, 0], axis=1), [FLAT], ""),
        Case(lambda x: raw().GatherV2(params=x, indices=[[0], [1], [2]], axis=1, batch_dims=1), [FLAT], ""),
    ],
    "newer-ops": [
        Case(lambda x: raw().Select(condition=x[:, 0, 0] > 0, x=x, y=-x), [FLAT], ""),
        Case(lambda x: raw().Add(x=tf().as_string(x), y="a"), [FLAT], ""),
    ],
    "fuse-softmax": [
        Case(lambda x: spelled_softmax(x, 1), [FLAT], ""),
        Case(lambda x: tf().exp(x) / tf().reduce_sum(tf().exp(x), -1, keepdims=True), [FLAT], ""),
    ],
    "fuse-layer-norm": [
        Case(lambda x: layer_norm_of_tensorflow_1(x, moments(x)[0], moments(-x * x)[1]), [FLAT], ""),
        Case(lambda x: layer_norm_of_tensorflow_1(x, moments(x)[0], moments(x, 1)[1]), [FLAT], ""),
    ],
    "pad-into-conv": [
        Case(lambda x: conv(tf().pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]]), 3, 3, 4, 5), [IMAGE], ""),
        Case(
            lambda x: conv(
                raw().PadV2(input=x, paddings=[[0, 0], [1, 1], [1, 1], [0, 0]], constant_values=1.0), 3, 3, 4, 5,
                padding="VALID",
            ),
            [IMAGE], "",
        ),
    ],
    "space-to-batch-to-dilation": [
        Case(lambda x: dilated(x, 2, [[2, 3], [2, 2]], [[1, 0], [0, 0]], 3, 3, 4, 5), [IMAGE], ""),
    ],
    "tensordot-to-matmul": [
        Case(
            lambda x: tf().reshape(tf().matmul(tf().reshape(x, [-1, 20]), weight(20, 6)), [3, 1, 6]), [FLAT], ""
        ),
    ],
    "for-converters": [
        Case(lambda x: raw().Xlogy(x=x, y=tf().constant([[2.0]])), [FLAT], ""),
    ],
    "for-openvino": [
        Case(lambda x: tf().linalg.diag(x, k=1), [FLAT], ""),
        Case(lambda x: tf().linalg.diag(x, padding_value=1.0), [FLAT], ""),
        Case(lambda x: tf().linalg.diag_part(x), [FLAT], ""),  # not square
        Case(lambda x: raw().ResizeArea(images=x, size=[4, 2]), [IMAGE], ""),  # 9 to 4
        Case(lambda x: raw().ResizeArea(images=x, size=[3, 2], align_corners=True), [IMAGE], ""),
        Case(lambda x: raw().DataFormatVecPermute(x=x), [np.arange(8, dtype="int32").reshape(4, 2)], ""),
        Case(lambda x: tf().math.erfinv(x), [np.linspace(-0.9, 0.9, 19)], ""),  # in doubles more is expected
    ],
    "batch-norm-into-conv": [
        Case(lambda x: norm(tf().nn.relu(conv(x, 3, 3, 4, 6)), 6), [IMAGE], ""),
        Case(lambda x: conv(norm(x, 4), 3, 3, 4, 6), [IMAGE], ""),
        Case(lambda x: read_twice(conv(x, 3, 3, 4, 6)), [IMAGE], ""),
        Case(lambda x: conv(x, 3, 3, 4, 6) * weight(6) + weight(9, 8, 6), [IMAGE], ""),
    ],
}  # fmt: skip


def read_twice(x: Any) -> Any:
    return norm(x, 6) + x


@pytest.mark.parametrize(
    ("rule", "number"), [(rule, n) for rule, cases in LOOK_ALIKES.items() for n in range(len(cases))]
)
def test_what_only_looks_like_a_rule_stays(tmp_path: Path, rule: str, number: int) -> None:
    case = LOOK_ALIKES[rule][number]
    before, after, _, count = replaced(tmp_path, case.build, case.feeds, rule)
    assert count == 0
    np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize("name", ["old", "middle", "v1", "v2", "v2 noise shape", "stateless"])
def test_dropout_out(tmp_path: Path, name: str) -> None:
    x = normal(4, 6)
    _, after, ops, count = replaced(tmp_path, dropouts()[name], [x], "dropout-out")
    assert count == 1
    assert not any("Random" in op for op in ops)
    np.testing.assert_array_equal(after, x)


def test_rounding_out(tmp_path: Path) -> None:
    def round_trip(x: Any) -> Any:
        q = raw().QuantizeV2(input=x, min_range=-9.0, max_range=9.0, T="quint8")
        return raw().Dequantize(input=q.output, min_range=q.output_min, max_range=q.output_max)

    builds = [fake_quantized, round_trip]
    builds.append(lambda x: raw().QuantizeAndDequantizeV3(input=x, input_min=-9.0, input_max=9.0, num_bits=8))
    for build in builds:
        _, after, ops, count = replaced(tmp_path, build, [WIDE], "quantize-pairs-out")
        assert count == 1
        assert not any("Quant" in op for op in ops)
        np.testing.assert_array_equal(after, WIDE)


# -- a rule and its reverse -------------------------------------------------------------------------------------------


def mixed(x: Any, random: Any) -> Any:
    """Apply a few ops of two versions, and what networks are built of, in some order."""
    shape = [int(dim) for dim in x.shape]
    other = tf().constant(random.normal(size=shape).astype("float32"))
    steps = [
        lambda y: raw().AddV2(x=y, y=other),
        lambda y: raw().Add(x=y, y=other),
        lambda y: raw().SelectV2(condition=y > 0.25, t=y, e=other),
        lambda y: raw().Select(condition=y > 0.25, x=other, y=y),
        lambda y: raw().GatherV2(params=y, indices=random.permutation(shape[0]).astype("int32"), axis=0),
        lambda y: raw().Div(x=y, y=tf().abs(other) + 1.0),
        lambda y: raw().BatchMatMulV2(x=y, y=raw().BatchMatMul(x=y, y=other, adj_x=True)) / 16.0,
        lambda y: y * tf().sigmoid(y),
        lambda y: y * tf().nn.relu6(y + 3.0) * (1 / 6),
        lambda y: tf().nn.softmax(y),
        lambda y: spelled_softmax(y, -1),
    ]
    for place in random.permutation(len(steps)):
        x = steps[place](x)
    return x


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(
    ("rule", "reverse"),
    [
        ("older-ops", "newer-ops"), ("newer-ops", "older-ops"), ("spell-out-softmax", "fuse-softmax"),
        ("fuse-softmax", "spell-out-softmax"), ("fuse-hard-swish", "spell-out-swish"),
        ("spell-out-swish", "fuse-swish"),
    ],
)  # fmt: skip
def test_a_rule_and_its_reverse_give_back_the_numbers(tmp_path: Path, rule: str, reverse: str, seed: int) -> None:
    dims = np.random.default_rng(seed).integers(2, 6, 3)
    x = normal(*map(int, dims))
    before, after, _, count = replaced(tmp_path, lambda x: mixed(x, np.random.default_rng(100 + seed)), [x], rule)
    assert count >= 1
    np.testing.assert_allclose(before, after, rtol=1e-5, atol=2e-6)
    model = graphsurgeon.read(tmp_path / "b.pb")
    assert len(replace(model, rule_set(reverse).rules).replaced) >= (1 if "swish" not in reverse else 0)
    graphsurgeon.write(model, tmp_path / "c.pb")
    np.testing.assert_allclose(before, run(tmp_path / "c.pb", [x]), rtol=1e-5, atol=2e-6)


def layer_norm_chain(x: Any) -> Any:
    return layer_norm_of_keras_3(layer_norm_of_keras_2(x))


# a rule, its reverse, what both are tried on, and how many of it each finds
PAIRS: list[tuple[str, str, Callable[[Any], Any], int, int]] = [
    ("spell-out-swish", "fuse-swish", lambda x: x * tf().sigmoid(x), 1, 1),
    ("fuse-swish", "spell-out-swish", lambda x: raw().IdentityN(input=[x * tf().sigmoid(x), x])[0], 1, 1),
    ("spell-out-swish", "fuse-hard-swish", lambda x: x * (tf().nn.relu6(x + 3) * 0.16666667), 1, 1),
    ("fuse-hard-swish", "spell-out-swish", lambda x: x * (tf().nn.relu6(x + 3) / 6), 1, 1),
    ("spell-out-gelu", "fuse-gelu", lambda x: 0.5 * x * (tf().math.erf(x * 0.70710677) + 1.0), 1, 1),
    ("fuse-gelu", "spell-out-gelu", lambda x: 0.5 * x * tf().math.erfc(-x * 0.70710677), 1, 1),
    ("fuse-gelu", "spell-out-gelu",
     lambda x: 0.5 * x * (1.0 + tf().tanh(0.7978846 * (x + 0.044715 * tf().pow(x, 3.0)))), 1, 1),
    ("spell-out-gelu", "fuse-gelu",
     lambda x: 0.5 * x * (1.0 + tf().tanh(0.7978846 * (x + 0.044715 * (x * (x * x))))), 1, 1),
    ("spell-out-softmax", "fuse-softmax", lambda x: tf().nn.softmax(x), 1, 1),
    ("fuse-softmax", "spell-out-softmax", lambda x: spelled_softmax(x, -1), 1, 1),
    ("spell-out-layer-norm", "fuse-layer-norm", layer_norm_chain, 1, 1),
    ("fuse-layer-norm", "spell-out-layer-norm", layer_norm_chain, 1, 1),
]  # fmt: skip


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("number", range(len(PAIRS)))
def test_a_construct_and_its_reverse_give_back_the_numbers(tmp_path: Path, number: int, seed: int) -> None:
    rule, reverse, build, there, back = PAIRS[number]
    x = np.random.default_rng(seed).normal(size=FLAT.shape).astype("float32") * (1 + seed)
    before, after, _, count = replaced(tmp_path, build, [x], rule)
    assert count == there
    np.testing.assert_allclose(before, after, rtol=1e-5, atol=2e-6)
    model = graphsurgeon.read(tmp_path / "b.pb")
    assert len(replace(model, rule_set(reverse).rules).replaced) == back
    graphsurgeon.write(model, tmp_path / "c.pb")
    np.testing.assert_allclose(before, run(tmp_path / "c.pb", [x]), rtol=1e-5, atol=2e-6)


def test_every_fusing_rule_has_its_reverse() -> None:
    tried = {name for rule, reverse, *_ in PAIRS for name in (rule, reverse)} | {"fuse-tflite", "spell-out-tflite"}
    assert {name for name in rule_names() if name.startswith(("fuse-", "spell-out-"))} == tried


# -- branches and loops of TensorFlow 1, whole models ----------------------------------------------------------------


def written(tmp_path: Path, build: Callable[[], Any]) -> Path:
    """Write a graph with an output `out`."""
    with tf().Graph().as_default() as graph:
        tf().identity(build(), name="out")
        path = tmp_path / "graph.pb"
        path.write_bytes(graph.as_graph_def().SerializeToString())
    return path


def values(path: Path, feeds: dict[str, Any], fetch: str = "out:0") -> Any:
    graph_def = tf().compat.v1.GraphDef.FromString(path.read_bytes())
    with tf().Graph().as_default() as graph:
        tf().import_graph_def(graph_def, name="")
        with tf().compat.v1.Session(graph=graph) as session:
            return session.run(fetch, feeds)


@pytest.mark.parametrize("rule", ["Mul(x, Neg(x)) => 0", "Mul(x, Neg(x)) => Sub(Mul(x, 3), 3)", "Neg(x) => Mul(x, -1)"])
def test_a_branch_of_tensorflow_1(tmp_path: Path, rule: str) -> None:
    """A constant in the branch not taken must not be alive: the Merge would take it."""

    def build() -> Any:
        x = tf().compat.v1.placeholder("float32", [], name="x")
        pred = tf().compat.v1.placeholder("bool", [], name="pred")
        switch = raw().Switch(data=x, pred=pred)
        taken = raw().Mul(x=switch.output_true, y=raw().Neg(x=switch.output_true))
        return raw().Merge(inputs=[taken, raw().Identity(input=switch.output_false)]).output

    path = written(tmp_path, build)
    model = graphsurgeon.read(path)
    assert len(replace(model, [rule]).replaced) == 1
    graphsurgeon.write(model, tmp_path / "after.pb")
    after = tmp_path / "after.pb"
    assert values(after, {"x:0": 4.0, "pred:0": False}) == 4.0
    expected = {"0": 0.0, "Sub": 9.0, "Mul": -16.0}[rule.split("=> ")[1].partition("(")[0]]
    assert values(after, {"x:0": 4.0, "pred:0": True}) == expected


def test_a_loop_of_tensorflow_1(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A constant read in a frame must be of that frame."""
    from tensorflow.python.ops import control_flow_util

    monkeypatch.setattr(control_flow_util, "ENABLE_CONTROL_FLOW_V2", False)

    def build() -> Any:
        x = tf().compat.v1.placeholder("float32", [3], name="x")
        step = lambda i, y: (i + 1, tf().math.erfc(y))  # noqa: E731
        return tf().compat.v1.while_loop(lambda i, y: i < 3, step, [tf().constant(0), x])[1]

    path = written(tmp_path, build)
    x = np.array([-0.5, 0.25, 1.0], "float32")
    before = values(path, {"x:0": x})
    model = graphsurgeon.read(path)
    assert model.graph.op_counts["Enter"] >= 2
    assert len(replace(model, ["Erfc(x) => Sub(1, Erf(x))"]).replaced) == 1
    graphsurgeon.write(model, tmp_path / "after.pb")
    np.testing.assert_allclose(before, values(tmp_path / "after.pb", {"x:0": x}), atol=1e-6)


def test_a_unet_of_keras_becomes_one_of_transposed_convolutions(tmp_path: Path) -> None:
    keras = pytest.importorskip("keras")
    layers = keras.layers
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12, 10, 3))
    down = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    deep = layers.MaxPool2D(2)(down)
    deep = layers.Conv2D(6, 3, padding="same", activation="relu")(deep)
    up = layers.UpSampling2D(2, interpolation="bilinear")(deep)
    up = layers.Concatenate()([up, down])
    up = layers.UpSampling2D(3, interpolation="nearest")(up)
    outputs = layers.Conv2D(1, 1)(up)
    keras.Model(inputs, outputs).export(tmp_path / "unet", verbose=False)

    from graphsurgeon.edit import edit

    edit(tmp_path / "unet", [("freeze", {})], output=tmp_path / "frozen.pb")
    steps = [("replace", {"rules": list(rule_set("upsampling-to-conv-transpose").rules)})]
    report = edit(tmp_path / "frozen.pb", steps, output=tmp_path / "out.pb")
    assert sum(report.steps[0].report.rules.values()) == 2
    ops = graphsurgeon.read(tmp_path / "out.pb").graph.op_counts
    assert ops["Conv2DBackpropInput"] == 2
    assert not {"ResizeBilinear", "Tile"} & set(ops)
    x = normal(2, 12, 10, 3)
    results = []
    for name in ("frozen.pb", "out.pb"):
        model = graphsurgeon.read(tmp_path / name)
        feed = next(node.name for node in model.graph.nodes if node.op == "Placeholder")
        fetch = next(node.name for node in model.graph.nodes[::-1] if not node.consumers and node.inputs)
        graph_def = tf().compat.v1.GraphDef.FromString((tmp_path / name).read_bytes())
        with tf().Graph().as_default() as graph:
            tf().import_graph_def(graph_def, name="")
            with tf().compat.v1.Session(graph=graph) as session:
                results.append(session.run(f"{fetch}:0", {f"{feed}:0": x}))
    np.testing.assert_allclose(*results, rtol=0, atol=1.5e-6 * np.abs(results[0]).max())


def test_all_rules_have_a_test_here() -> None:
    here = Path(__file__)
    lite = (here.parents[1] / "surgery" / "tflite" / name for name in ("test_rules.py", "test_optimize.py"))
    text = "".join(path.read_text("utf-8") for path in (here, *lite))
    assert [name for name in rule_names() if f'"{name}"' not in text] == []
    assert all(rule.exactness for name in rule_names() for rule in rule_set(name).rules)
