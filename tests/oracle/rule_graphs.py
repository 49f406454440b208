"""Graphs for rules of replacing, built and run by TensorFlow."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

import graphsurgeon
from graphsurgeon.patterns.rules import rule_set
from graphsurgeon.surgery import replace


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


def values(path: Path, feeds: dict[str, Any], fetch: str = "out:0") -> Any:
    graph_def = tf().compat.v1.GraphDef.FromString(path.read_bytes())
    with tf().Graph().as_default() as graph:
        tf().import_graph_def(graph_def, name="")
        with tf().compat.v1.Session(graph=graph) as session:
            return session.run(fetch, feeds)


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


def spelled_softmax(x: Any, axis: int) -> Any:
    shifted = tf().exp(x - tf().reduce_max(x, axis, keepdims=True))
    return shifted / tf().reduce_sum(shifted, axis, keepdims=True)
