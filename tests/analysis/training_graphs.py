"""Graphs as people train them with TensorFlow 1, as `.meta` without weights: networks, losses, optimizers, savers."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import tensorflow as tf

v1 = tf.compat.v1


@contextlib.contextmanager
def old_behavior() -> Iterator[None]:
    """Make cond, while and variables those of TensorFlow 1."""
    is_functional, is_resource = v1.control_flow_v2_enabled(), v1.resource_variables_enabled()
    v1.disable_control_flow_v2()
    v1.disable_resource_variables()
    try:
        yield
    finally:
        if is_functional:
            v1.enable_control_flow_v2()
        if is_resource:
            v1.enable_resource_variables()


def variable(name: str, *shape: int) -> Any:
    return v1.get_variable(name, shape, initializer=v1.glorot_uniform_initializer())


def dense(x: Any, size: int, name: str) -> Any:
    with v1.variable_scope(name):
        return tf.nn.bias_add(tf.matmul(x, variable("kernel", int(x.shape[-1]), size)), variable("bias", 1 * size))


def conv(x: Any, depth: int, name: str, kernel: int = 3, stride: int = 1) -> Any:
    with v1.variable_scope(name):
        weights = variable("weights", kernel, kernel, int(x.shape[-1]), depth)
        return tf.nn.conv2d(x, weights, [1, stride, stride, 1], "SAME")


def batch_norm(x: Any, phase: Any, name: str) -> Any:
    """As slim does it: fused, under a cond, of a vector by reshaping it to an image and back."""
    with v1.variable_scope(name):
        depth = int(x.shape[-1])
        image = tf.reshape(x, [-1, 1, 1, depth]) if x.shape.rank == 2 else x
        beta, gamma = variable("beta", depth), variable("gamma", depth)
        mean, variance = (v1.get_variable(f"moving_{name}", [depth], trainable=False) for name in ("mean", "variance"))
        result, new_mean, new_variance = v1.cond(
            phase,
            lambda: v1.nn.fused_batch_norm(image, gamma, beta)[:3],
            lambda: v1.nn.fused_batch_norm(image, gamma, beta, mean, variance, is_training=False)[:3],
        )
        for moving, new in ((mean, new_mean), (variance, new_variance)):
            updated = v1.cond(phase, lambda old=moving, new=new: old * 0.9 + new * 0.1, lambda old=moving: old + 0.0)
            v1.add_to_collection(v1.GraphKeys.UPDATE_OPS, v1.assign(moving, updated))
        return tf.reshape(result, tf.shape(x)) if x.shape.rank == 2 else result


def train(loss: Any, optimizer: Any, variables: Any = None) -> None:
    v1.summary.scalar("loss", loss)
    with tf.control_dependencies(v1.get_collection(v1.GraphKeys.UPDATE_OPS)):
        optimizer.minimize(loss, var_list=variables, global_step=v1.train.get_or_create_global_step())


def export(path: Path) -> None:
    """Write the default graph as `.meta`, as a saver does, without the shapes that newer ones record."""
    v1.summary.merge_all()
    v1.global_variables_initializer()
    meta_graph = v1.train.Saver().export_meta_graph()
    for node in meta_graph.graph_def.node:
        node.attr.pop("_output_shapes", None)
    path.write_bytes(meta_graph.SerializeToString())


def face_embedding() -> None:
    """ResNet-v2-50, 512 numbers per face behind the last batch norm, classified in training."""
    image = v1.placeholder(tf.float32, [None, 112, 112, 3], name="input_image")
    phase, phase_last = v1.placeholder(tf.bool, name="train_phase"), v1.placeholder(tf.bool, name="train_phase_last")
    labels = v1.placeholder(tf.int64, [None], name="input_label")
    with v1.variable_scope("resnet_v2_50"):
        net = conv(image, 8, "conv1", 7, 2)
        net = v1.nn.max_pool(net, [1, 3, 3, 1], [1, 2, 2, 1], "SAME", name="pool1")
        for block, units in enumerate((3, 4, 6, 3), start=1):
            for unit in range(1, units + 1):
                with v1.variable_scope(f"block{block}/unit_{unit}/bottleneck_v2"):
                    net = bottleneck(net, 8 << block, 2 if unit == units and block < 4 else 1, phase)
        net = tf.nn.relu(batch_norm(net, phase, "postnorm"))
    net = v1.nn.dropout(batch_norm(net, phase, "E_BN1"), 0.6)
    net = dense(tf.reshape(net, [-1, net.shape[1] * net.shape[2] * net.shape[3]]), 512, "E_DenseLayer")
    embedding = batch_norm(net, phase_last, "E_BN2")
    with v1.variable_scope("arcface_loss"):
        weights = tf.nn.l2_normalize(variable("weights", 512, 10), axis=0)
        logits = tf.matmul(tf.nn.l2_normalize(embedding, axis=1), weights)
        logits = 64.0 * (logits - 0.5 * tf.one_hot(labels, 10))
    loss = tf.reduce_mean(v1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits))
    correct = tf.equal(tf.argmax(tf.nn.softmax(logits), 1), labels)
    v1.summary.scalar("accuracy", tf.reduce_mean(tf.cast(correct, tf.float32)))
    train(loss, v1.train.MomentumOptimizer(0.1, 0.9))


def bottleneck(net: Any, depth: int, stride: int, phase: Any) -> Any:
    before = tf.nn.relu(batch_norm(net, phase, "preact"))
    if int(net.shape[-1]) == depth:
        shortcut = net if stride == 1 else v1.nn.max_pool(net, [1, 1, 1, 1], [1, stride, stride, 1], "SAME")
    else:
        shortcut = conv(before, depth, "shortcut", 1, stride)
    net = tf.nn.relu(batch_norm(conv(before, depth // 4, "conv1", 1), phase, "conv1/BatchNorm"))
    net = tf.nn.relu(batch_norm(conv(net, depth // 4, "conv2", 3, stride), phase, "conv2/BatchNorm"))
    return shortcut + conv(net, depth, "conv3", 1)


def bert_classifier() -> None:
    """BERT with a classifier whose logits and probabilities are computed in a scope called loss."""
    ids, mask, segments = (
        v1.placeholder(tf.int32, [None, 16], name=n) for n in ("input_ids", "input_mask", "segment_ids")
    )
    labels = v1.placeholder(tf.int32, [None], name="label_ids")
    with v1.variable_scope("bert"):
        with v1.variable_scope("embeddings"):
            x = tf.gather(variable("word_embeddings", 50, 16), ids) + tf.gather(variable("token_type", 2, 16), segments)
        bias = (1.0 - tf.cast(mask[:, None, :], tf.float32)) * -1e4
        for layer in range(2):
            with v1.variable_scope(f"encoder/layer_{layer}"):
                flat = tf.reshape(x, [-1, 16])
                query, key, value = (tf.reshape(dense(flat, 16, n), [-1, 16, 16]) for n in ("query", "key", "value"))
                weights = tf.nn.softmax(tf.matmul(query, key, transpose_b=True) * 0.25 + bias)
                x = x + v1.nn.dropout(tf.matmul(weights, value), 0.9)
        with v1.variable_scope("pooler"):
            pooled = tf.tanh(dense(tf.squeeze(x[:, 0:1, :], [1]), 16, "dense"))
    weights, bias = variable("output_weights", 3, 16), variable("output_bias", 3)
    with v1.variable_scope("loss"):
        logits = tf.nn.bias_add(tf.matmul(v1.nn.dropout(pooled, 0.9), weights, transpose_b=True), bias)
        tf.nn.softmax(logits, axis=-1)
        example_loss = -tf.reduce_sum(tf.one_hot(labels, 3) * tf.nn.log_softmax(logits, axis=-1), axis=-1)
        loss = tf.reduce_mean(example_loss)
    train(loss, v1.train.AdamOptimizer(1e-4))


def adversarial() -> None:
    """A generator, and a discriminator that judges what it makes and real images."""
    real, noise = (
        v1.placeholder(tf.float32, [None, 28, 28, 1], name="real"),
        v1.placeholder(tf.float32, [None, 16], name="z"),
    )
    with v1.variable_scope("generator"):
        x = tf.reshape(tf.nn.relu(dense(noise, 7 * 7 * 8, "project")), [-1, 7, 7, 8])
        for number, (depth, side) in enumerate(((4, 14), (1, 28))):
            weights = variable(f"deconv{number}", 4, 4, depth, int(x.shape[-1]))
            x = tf.nn.conv2d_transpose(x, weights, [tf.shape(x)[0], side, side, depth], 2)
        fake = tf.tanh(x)
    judged = []
    for image in (real, fake):
        with v1.variable_scope("discriminator", reuse=v1.AUTO_REUSE):
            hidden = tf.nn.leaky_relu(conv(image, 4, "conv", stride=2))
            judged.append(tf.sigmoid(dense(tf.reshape(hidden, [-1, 14 * 14 * 4]), 1, "judge")))
    variables = v1.trainable_variables()
    for loss, scope in (
        (-tf.reduce_mean(tf.math.log(judged[0]) + tf.math.log(1.0 - judged[1])), "discriminator"),
        (-tf.reduce_mean(tf.math.log(judged[1])), "generator"),
    ):
        train(loss, v1.train.AdamOptimizer(2e-4), [item for item in variables if item.name.startswith(scope)])


def segmentation() -> None:
    """A class per pixel, compared with an annotation; dropout has a placeholder of its own."""
    keep = v1.placeholder(tf.float32, name="keep_probability")
    image = v1.placeholder(tf.float32, [None, 64, 64, 3], name="input_image")
    annotation = v1.placeholder(tf.int32, [None, 64, 64, 1], name="annotation")
    x = tf.nn.relu(conv(image, 8, "conv1", stride=2))
    x = v1.nn.dropout(tf.nn.relu(conv(x, 8, "conv2")), keep)
    weights = variable("up", 4, 4, 5, 8)
    logits = tf.nn.conv2d_transpose(x, weights, [tf.shape(image)[0], 64, 64, 5], 2)
    tf.expand_dims(tf.argmax(logits, axis=3), axis=3, name="prediction")
    labels = tf.squeeze(annotation, [3])
    loss = tf.reduce_mean(v1.nn.sparse_softmax_cross_entropy_with_logits(labels=labels, logits=logits), name="entropy")
    train(loss, v1.train.AdamOptimizer(1e-4))


def recurrent_tagger() -> None:
    """A tag per word of sentences of given lengths, out of a loop."""
    words, lengths = v1.placeholder(tf.int32, [None, None], "words"), v1.placeholder(tf.int32, [None], "lengths")
    tags, keep = v1.placeholder(tf.int32, [None, None], "tags"), v1.placeholder(tf.float32, [], "dropout_keep_prob")
    x = tf.transpose(tf.nn.embedding_lookup(variable("embeddings", 50, 8), words), [1, 0, 2])
    kernel, steps = variable("kernel", 16, 8), tf.shape(x)[0]
    inputs = tf.TensorArray(tf.float32, steps).unstack(x)

    def step(time: Any, state: Any, written: Any) -> Any:
        fresh = tf.tanh(tf.matmul(tf.concat([inputs.read(time), state], 1), kernel))
        state = tf.where((time < lengths)[:, None], fresh, state)
        return time + 1, state, written.write(time, state)

    start = (0, tf.zeros([tf.shape(words)[0], 8]), tf.TensorArray(tf.float32, steps))
    states = v1.while_loop(lambda time, *_: time < steps, step, start)[-1].stack()
    states = v1.nn.dropout(tf.transpose(tf.ensure_shape(states, [None, None, 8]), [1, 0, 2]), keep)
    scores = dense(tf.reshape(states, [-1, 8]), 5, "proj")
    scores = tf.reshape(scores, [-1, tf.shape(words)[1], 5], name="logits")
    losses = v1.nn.sparse_softmax_cross_entropy_with_logits(labels=tags, logits=scores)
    loss = tf.reduce_mean(tf.boolean_mask(losses, tf.sequence_mask(lengths)))
    train(loss, v1.train.AdamOptimizer(1e-3))


def autoencoder() -> None:
    """What comes out is compared with what goes in."""
    x = v1.placeholder(tf.float32, [None, 784], name="X")
    decoded = tf.sigmoid(dense(tf.sigmoid(dense(x, 32, "encoder")), 784, "decoder"))
    loss = tf.reduce_mean(tf.pow(x - decoded, 2))
    train(loss, v1.train.RMSPropOptimizer(1e-2))


def regression() -> None:
    """The smallest that people write: no scope, no name, no shape."""
    x, y = v1.placeholder(tf.float32, name="X"), v1.placeholder(tf.float32, name="Y")
    guess = tf.add(tf.multiply(x, v1.get_variable("weight", [])), v1.get_variable("bias", []))
    loss = tf.reduce_sum(tf.pow(guess - y, 2)) / 20
    train(loss, v1.train.GradientDescentOptimizer(0.01))


def digits() -> None:
    """The convolutional network of the old tutorial: logits, and accuracy behind them."""
    x, y = v1.placeholder(tf.float32, [None, 784], name="x"), v1.placeholder(tf.float32, [None, 10], name="y_")
    keep = v1.placeholder(tf.float32, name="keep_prob")
    net = v1.nn.max_pool(
        tf.nn.relu(conv(tf.reshape(x, [-1, 28, 28, 1]), 8, "conv1")), [1, 2, 2, 1], [1, 2, 2, 1], "SAME"
    )
    net = v1.nn.dropout(tf.nn.relu(dense(tf.reshape(net, [-1, 14 * 14 * 8]), 32, "fc1")), keep)
    logits = dense(net, 10, "fc2")
    loss = tf.reduce_mean(v1.nn.softmax_cross_entropy_with_logits_v2(labels=y, logits=logits))
    correct = tf.equal(tf.argmax(logits, 1), tf.argmax(y, 1))
    tf.reduce_mean(tf.cast(correct, tf.float32))
    train(loss, v1.train.AdamOptimizer(1e-4))
