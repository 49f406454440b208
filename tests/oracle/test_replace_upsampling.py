"""Upsampling becomes transposed convolutions that compute the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.patterns.rules import rule_set
from graphsurgeon.surgery import replace
from tests.oracle.rule_graphs import normal, replaced, values

pytestmark = pytest.mark.tensorflow


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
