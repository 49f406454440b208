"""Every shipped rule: what it makes of a graph computes in TensorFlow what the graph computed, as near as it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.patterns.rules import rule_names, rule_set
from graphsurgeon.surgery import replace

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


# -- erfc-to-erf ----------------------------------------------------------------------------------------------------


def test_erfc(tmp_path: Path) -> None:
    import tensorflow as tf

    x = np.linspace(-8, 8, 4001).astype("float32")
    before, after, ops, _ = replaced(tmp_path, tf.math.erfc, [x], "erfc-to-erf")
    assert "Erfc" not in ops
    np.testing.assert_allclose(before, after, rtol=0, atol=4e-7)
    scale = np.float32(0.70710678)
    before, after, ops, count = replaced(
        tmp_path, lambda x: 0.5 * x * tf.math.erfc(-x * scale), [x], "erfc-to-erf"
    )
    assert count == 1
    assert ops.count("Erf") == 1
    np.testing.assert_allclose(before, after, rtol=0, atol=1e-6)


def test_all_rules_have_a_test_here() -> None:
    text = Path(__file__).read_text("utf-8")
    assert [name for name in rule_names() if f'"{name}"' not in text] == []
    assert all(rule.exactness for name in rule_names() for rule in rule_set(name).rules)
