"""What only looks like what a shipped rule replaces stays."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracle.rule_graphs import (
    FLAT,
    IMAGE,
    Case,
    conv,
    dilated,
    layer_norm_of_tensorflow_1,
    moments,
    norm,
    raw,
    replaced,
    spelled_softmax,
    tf,
    weight,
)

pytestmark = pytest.mark.tensorflow

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
