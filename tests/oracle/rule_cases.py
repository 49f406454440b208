"""Graphs that each shipped rule replaces something of."""

from __future__ import annotations

import numpy as np

from tests.oracle.openvino_cases import OPENVINO
from tests.oracle.rule_graphs import (
    BIT_BATCH_NORM,
    FLAT,
    IMAGE,
    WIDE,
    Case,
    conv,
    depthwise,
    dilated,
    layer_norm_divided,
    layer_norm_of_keras_2,
    layer_norm_of_keras_3,
    layer_norm_of_tensorflow_1,
    moments,
    norm,
    plain_norm,
    raw,
    spelled_softmax,
    tf,
    transposed,
    weight,
)

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
    "for-openvino": OPENVINO,
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
