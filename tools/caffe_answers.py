"""Ask OpenCV's DNN module what small nets of Caffe's layers yield: `fixtures/caffe/answers.npz`.

    PYTHON_WITH_OPENCV tools/caffe_answers.py FILE

with opencv-python-headless 4.8 (`make oracles` builds that environment). Each net has four entries: NAME/prototxt and
NAME/caffemodel (the bytes of the files), NAME/x_0 and NAME/y_0.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np

_SHAPE = (2, 4, 7, 6)
_SHAPES = {"detection": (1, 4, 7, 6)}  # of nets that take one image
_LAST = "permute_param { order: 0 order: 2 order: 3 order: 1 }"  # channels
# name: (type, settings, shapes of the weights); what stands for a net of one layer.
LAYERS: dict[str, tuple[str, str, Sequence[tuple[int, ...]]]] = {
    "convolution": (
        "Convolution",
        "convolution_param { num_output: 6 kernel_h: 3 kernel_w: 2 stride: 2 pad: 1 group: 2 }",
        [(6, 2, 3, 2), (6,)],
    ),
    "dilated": (
        "Convolution",
        "convolution_param { num_output: 4 kernel_size: 3 dilation: 2 bias_term: false group: 4 }",
        [(4, 1, 3, 3)],
    ),
    "deconvolution": (
        "Deconvolution",
        "convolution_param { num_output: 3 kernel_size: 4 stride: 2 pad: 1 }",
        [(4, 3, 4, 4), (3,)],
    ),
    "inner_product": ("InnerProduct", "inner_product_param { num_output: 5 }", [(5, 168), (5,)]),
    "pool_max": ("Pooling", "pooling_param { pool: MAX kernel_size: 3 stride: 2 }", []),
    "pool_max_pad": ("Pooling", "pooling_param { pool: MAX kernel_size: 2 stride: 3 pad: 1 }", []),
    "pool_ave": ("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 }", []),
    "pool_ave_pad": ("Pooling", "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }", []),
    "pool_global": ("Pooling", "pooling_param { pool: AVE global_pooling: true }", []),
    "batch_norm": ("BatchNorm", "batch_norm_param { eps: 0.001 }", [(4,), (4,), (1,)]),
    "scale": ("Scale", "scale_param { bias_term: true }", [(4,), (4,)]),
    "scale_alone": ("Scale", "", [(4,)]),
    "relu": ("ReLU", "relu_param { negative_slope: 0.1 }", []),
    "prelu": ("PReLU", "", [(4,)]),
    "prelu_shared": ("PReLU", "prelu_param { channel_shared: true }", [(1,)]),
    "elu": ("ELU", "elu_param { alpha: 1.0 }", []),
    "sigmoid": ("Sigmoid", "", []),
    "tanh": ("TanH", "", []),
    "absval": ("AbsVal", "", []),
    "bnll": ("BNLL", "", []),
    "power": ("Power", "power_param { power: 2 scale: 0.5 shift: 1 }", []),
    "exp": ("Exp", "exp_param { base: 2 scale: 0.5 shift: 1 }", []),
    "softmax": ("Softmax", "", []),
    "lrn": ("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 }", []),
    "lrn_within": ("LRN", "lrn_param { local_size: 3 alpha: 0.5 beta: 0.75 norm_region: WITHIN_CHANNEL }", []),
    "mvn": ("MVN", "", []),
    "flatten": ("Flatten", "", []),
    "flatten_part": ("Flatten", "flatten_param { axis: 2 }", []),
    "reshape": ("Reshape", "reshape_param { shape { dim: 0 dim: -1 dim: 6 } }", []),
    "permute": ("Permute", "permute_param { order: 0 order: 2 order: 3 order: 1 }", []),
    "normalize": ("Normalize", "norm_param { across_spatial: false }", [(4,)]),
    "shuffle": ("ShuffleChannel", "shuffle_channel_param { group: 2 }", []),
    "dropout": ("Dropout", "dropout_param { dropout_ratio: 0.5 }", []),
}
# Nets of several layers; `L` stands before each.
NETS: dict[str, tuple[list[tuple[str, str, list[str], list[str], str]], dict[str, list[tuple[int, ...]]]]] = {
    "in_place": (
        [
            ("c", "Convolution", ["data"], ["c"], "convolution_param { num_output: 4 kernel_size: 3 pad: 1 }"),
            ("b", "BatchNorm", ["c"], ["c"], ""),
            ("s", "Scale", ["c"], ["c"], "scale_param { bias_term: true }"),
            ("r", "ReLU", ["c"], ["c"], ""),
        ],
        {"c": [(4, 4, 3, 3), (4,)], "b": [(4,), (4,), (1,)], "s": [(4,), (4,)]},
    ),
    "eltwise": (
        [
            ("a", "Power", ["data"], ["a"], "power_param { scale: 2 }"),
            ("sum", "Eltwise", ["data", "a"], ["sum"], "eltwise_param { operation: SUM coeff: 1 coeff: -0.5 }"),
            ("max", "Eltwise", ["sum", "a"], ["max"], "eltwise_param { operation: MAX }"),
            ("prod", "Eltwise", ["max", "data"], ["prod"], "eltwise_param { operation: PROD }"),
        ],
        {},
    ),
    "parts": (
        [
            ("cut", "Slice", ["data"], ["p", "q"], "slice_param { axis: 1 slice_point: 1 }"),
            ("r", "ReLU", ["p"], ["r"], ""),
            ("cat", "Concat", ["q", "r"], ["cat"], "concat_param { axis: 1 }"),
        ],
        {},
    ),
    "crop": (
        [
            ("half", "Pooling", ["data"], ["half"], "pooling_param { kernel_size: 2 stride: 2 }"),
            ("cut", "Crop", ["data", "half"], ["cut"], "crop_param { axis: 2 offset: 1 offset: 2 }"),
        ],
        {},
    ),
    "residual": (
        [
            (
                "c",
                "Convolution",
                ["data"],
                ["c"],
                "convolution_param { num_output: 4 kernel_size: 1 bias_term: false }",
            ),
            ("add", "Eltwise", ["data", "c"], ["add"], ""),
            ("pool", "Pooling", ["add"], ["pool"], "pooling_param { pool: AVE global_pooling: true }"),
            ("fc", "InnerProduct", ["pool"], ["fc"], "inner_product_param { num_output: 3 }"),
            ("prob", "Softmax", ["fc"], ["prob"], ""),
        ],
        {"c": [(4, 4, 1, 1)], "fc": [(3, 4), (3,)]},
    ),
    "detection": (
        [
            ("map", "Convolution", ["data"], ["map"], "convolution_param { num_output: 4 kernel_size: 3 stride: 2 }"),
            (
                "priors",
                "PriorBox",
                ["map", "data"],
                ["priors"],
                "prior_box_param { min_size: 2 max_size: 4 aspect_ratio: 2 flip: true clip: false "
                "variance: 0.1 variance: 0.1 variance: 0.2 variance: 0.2 offset: 0.5 }",
            ),
            ("where", "Convolution", ["map"], ["where"], "convolution_param { num_output: 16 kernel_size: 1 }"),
            ("where_last", "Permute", ["where"], ["where_last"], _LAST),
            ("where_flat", "Flatten", ["where_last"], ["where_flat"], "flatten_param { axis: 1 }"),
            ("what", "Convolution", ["map"], ["what"], "convolution_param { num_output: 12 kernel_size: 1 }"),
            ("what_last", "Permute", ["what"], ["what_last"], _LAST),
            ("what_rows", "Reshape", ["what_last"], ["what_rows"], "reshape_param { shape { dim: 0 dim: -1 dim: 3 } }"),
            ("sure", "Softmax", ["what_rows"], ["sure"], "softmax_param { axis: 2 }"),
            ("sure_flat", "Flatten", ["sure"], ["sure_flat"], "flatten_param { axis: 1 }"),
            (
                "found",
                "DetectionOutput",
                ["where_flat", "sure_flat", "priors"],
                ["found"],
                "detection_output_param { num_classes: 3 share_location: true background_label_id: 0 keep_top_k: 7 "
                "nms_param { nms_threshold: 0.4 top_k: 15 } code_type: CENTER_SIZE confidence_threshold: 0.1 }",
            ),
        ],
        {
            "map": [(4, 4, 3, 3), (4,)],
            "where": [(16, 4, 1, 1), (16,)],
            "what": [(12, 4, 1, 1), (12,)],
        },
    ),
    "priors": (
        [
            ("map", "Pooling", ["data"], ["map"], "pooling_param { kernel_size: 2 stride: 2 }"),
            (
                "priors",
                "PriorBox",
                ["map", "data"],
                ["priors"],
                "prior_box_param { min_size: 2 min_size: 3 max_size: 4 max_size: 5 aspect_ratio: 2 aspect_ratio: 3 "
                "flip: false clip: true step: 3 offset: 0.25 variance: 0.2 }",
            ),
        ],
        {},
    ),
}


def _text(layers: Sequence[tuple[str, str, list[str], list[str], str]], shape: Sequence[int]) -> str:
    dims = " ".join(f"dim: {dim}" for dim in shape)
    lines = ['name: "net"', f'layer {{ name: "data" type: "Input" top: "data" input_param {{ shape {{ {dims} }} }} }}']
    for name, kind, bottoms, tops, settings in layers:
        ends = " ".join([*(f'bottom: "{bottom}"' for bottom in bottoms), *(f'top: "{top}"' for top in tops)])
        lines.append(f'layer {{ name: "{name}" type: "{kind}" {ends} {settings} }}')
    return "\n".join(lines) + "\n"


def _varint(value: int) -> bytes:
    out = b""
    while value > 0x7F:
        out, value = out + bytes([value & 0x7F | 0x80]), value >> 7
    return out + bytes([value])


def _field(number: int, data: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(data)) + data


def _binary(layers: Sequence[tuple[str, str, list[str], list[str], str]], blobs: dict[str, list[Any]]) -> bytes:
    """Return a `NetParameter` with the weights of its layers, fields as in caffe.proto."""
    out = _field(1, b"net")
    for name, kind, bottoms, tops, _ in layers:
        layer = _field(1, name.encode()) + _field(2, kind.encode())
        layer += b"".join(_field(3, bottom.encode()) for bottom in bottoms)
        layer += b"".join(_field(4, top.encode()) for top in tops)
        for blob in blobs.get(name, []):
            shape = _field(1, b"".join(_varint(dim) for dim in blob.shape))
            data = _field(5, struct.pack(f"<{blob.size}f", *blob.ravel()))
            layer += _field(7, data + _field(7, shape))
        out += _field(100, layer)
    return out


def _in_order_of_caffe(name: str, found: Any) -> Any:
    """Return detections by class, and by score within, as `detection_output_layer.cpp` does; OpenCV goes by score."""
    if name != "detection":
        return found
    rows = found[0, 0]
    return rows[np.lexsort((-rows[:, 2], rows[:, 1], rows[:, 0]))][None, None]


def main(file: Path) -> None:
    """Write the nets, and what OpenCV makes of seeded numbers."""
    nets = {
        name: ([("layer", kind, ["data"], ["out"], settings)], {"layer": list(shapes)})
        for name, (kind, settings, shapes) in LAYERS.items()
    }
    arrays: dict[str, Any] = {}
    for name, (layers, shapes) in {**nets, **NETS}.items():
        random = np.random.RandomState(7)
        blobs = {layer: [random.rand(*shape).astype("f4") + 0.1 for shape in own] for layer, own in shapes.items()}
        shape = _SHAPES.get(name, _SHAPE)
        text, binary = _text(layers, shape).encode(), _binary(layers, blobs)
        x = random.randn(*shape).astype("f4")
        net = cv2.dnn.readNetFromCaffe(np.frombuffer(text, "u1"), np.frombuffer(binary, "u1"))
        net.enableFusion(False)
        net.setInput(x)
        found = _in_order_of_caffe(name, net.forward())
        arrays[f"{name}/prototxt"], arrays[f"{name}/caffemodel"] = (
            np.frombuffer(part, "u1") for part in (text, binary)
        )
        arrays[f"{name}/x_data"], arrays[f"{name}/y_0"] = x, np.asarray(found)
    file.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(file, **arrays)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
