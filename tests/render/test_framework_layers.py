"""What boxes say of layers of other frameworks, whose attributes and weights are not as TensorFlow has them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon.model.graph import AttrValue
from graphsurgeon.model.shape import Shape
from graphsurgeon.render import View, draw
from graphsurgeon.render.scene.layers import layer

PAIR: list[Any] = [3, 5]
CASES: list[tuple[str, str, dict[str, AttrValue], list[str]]] = [
    ("keras", "Conv2D", {"kernel_size": PAIR, "filters": 8, "strides": [2, 2], "activation": b"relu"},
     ["3×5", "8 filters", "stride 2", "relu"]),
    ("keras", "Conv1D", {"kernel_size": [7], "filters": 8, "dilation_rate": [4], "activation": b"linear"},
     ["7", "8 filters", "dilation 4"]),
    ("keras", "Dense", {"units": 10, "activation": b"softmax"}, ["10 units", "softmax"]),
    ("keras", "MaxPooling2D", {"pool_size": [2, 2], "strides": [2, 2]}, ["2×2", "stride 2"]),
    ("mxnet", "Convolution", {"kernel": PAIR, "num_filter": 6, "num_group": 2, "stride": [1, 1]},
     ["3×5", "6 filters", "2 groups"]),
    ("mxnet", "Convolution", {"kernel": PAIR, "num_filter": 6, "num_group": 6}, ["3×5", "6 channels"]),
    ("mxnet", "Pooling", {"kernel": [1, 1], "global_pool": True, "pool_type": b"avg"}, ["global", "avg"]),
    ("mxnet", "FullyConnected", {"num_hidden": 1}, ["1 unit"]),
    ("mxnet", "Activation", {"act_type": b"relu"}, ["relu"]),
    ("caffe", "Convolution", {"convolution_param.kernel_size": 7, "convolution_param.num_output": 64,
     "convolution_param.stride": 2}, ["7×7", "64 filters", "stride 2"]),
    ("caffe", "Convolution", {"convolution_param.kernel_h": 1, "convolution_param.kernel_w": 9,
     "convolution_param.num_output": 4}, ["1×9", "4 filters"]),
    ("caffe", "Pooling", {"pooling_param.pool": b"MAX", "pooling_param.kernel_size": 3}, ["3×3", "max"]),
    ("caffe2", "Conv", {"kernel": 5, "stride": 1}, ["5×5"]),
]  # fmt: skip
FAMILIES = {"Dense": "dense", "FullyConnected": "dense", "Activation": "activation"}


@pytest.mark.parametrize(("vocabulary", "op", "attrs", "said"), CASES)
def test_a_layer_says_what_it_is_in_the_words_of_all(
    vocabulary: str, op: str, attrs: dict[str, AttrValue], said: list[str]
) -> None:
    family = FAMILIES.get(op, "pooling" if "Pool" in op else "convolution")
    assert layer(vocabulary, op, family, attrs, []) == said


def test_weights_of_onnx_have_their_filters_first() -> None:
    shapes = [Shape((64, 3, 5, 7)), Shape((64,))]
    assert layer("onnx", "Conv", "convolution", {"strides": [2, 2]}, shapes) == ["5×7", "64 filters", "stride 2"]
    deep = [Shape((32, 1, 3, 3))]
    assert layer("onnx", "Conv", "convolution", {"group": 32}, deep) == ["3×3", "32 channels"]
    transposed = [Shape((8, 4, 2, 2))]
    assert layer("onnx", "ConvTranspose", "convolution", {"group": 2}, transposed) == ["2×2", "8 filters", "2 groups"]
    assert layer("onnx", "Conv", "convolution", {"kernel_shape": [256]}, [Shape((258, 1, 256))]) == [
        "256", "258 filters",
    ]  # fmt: skip
    assert layer("stablehlo", "convolution", "convolution", {}, shapes) is None


@pytest.mark.onnx
def test_a_picture_of_onnx_says_filters_and_window(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    weights = onnx.numpy_helper.from_array(np.zeros((64, 3, 5, 7), np.float32), "w")
    nodes = [helper.make_node("Conv", ["x", "w"], ["r0"], "conv", strides=[2, 2])]
    nodes += [helper.make_node("Tanh", [f"r{n}"], [f"r{n + 1}"]) for n in range(5)]
    ends = [
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)
        for name, shape in (("x", [1, 3, 32, 32]), ("r5", [1, 64, 14, 13]))
    ]
    model = helper.make_model(helper.make_graph(nodes, "made", ends[:1], ends[1:], [weights]))
    onnx.save(model, str(tmp_path / "m.onnx"))
    scene = draw(graphsurgeon.read(tmp_path / "m.onnx"), format="dot", view=View(depth=9)).scene
    (box,) = [box for box in scene.boxes if box.title == "Conv"]
    assert box.lines[0] == "5×7 · 64 filters · stride 2"
