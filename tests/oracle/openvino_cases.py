"""Graphs of ops that OpenVINO lacks, for the rule set `for-openvino`."""

from __future__ import annotations

import numpy as np

from tests.oracle.rule_graphs import FLAT, IMAGE, STEPS, Case, normal, raw, tf, weight

OPENVINO: list[Case] = [
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
    Case(lambda x: tf().linalg.diag(x, k=2), [FLAT[0, 0]], "MatrixDiagV3"),
    Case(lambda x: tf().linalg.diag(x, k=-1), [FLAT[0, 0]], "MatrixDiagV3"),
    Case(lambda x, y: raw().SoftmaxCrossEntropyWithLogits(features=x, labels=y).loss, [normal(4, 5), abs(normal(4, 5))],
         "SoftmaxCrossEntropyWithLogits", 1e-6),
    Case(lambda x: raw().SparseSoftmaxCrossEntropyWithLogits(features=x, labels=[4, 0, 2, 1]).loss, [normal(4, 5)],
         "SparseSoftmaxCrossEntropyWithLogits", 1e-6),
    Case(lambda x: tf().cast(raw().InTopKV2(predictions=x, targets=[4, 0, 2], k=3), "int32"), [STEPS], "InTopKV2"),
    Case(lambda x: tf().math.cumprod(x, -1), [FLAT], "Cumprod", 1e-6),
    Case(lambda x: tf().math.cumprod(x, 2), [FLAT], "Cumprod", 1e-6),
]  # fmt: skip
