"""Ask MXNet what small networks of its operators yield: `fixtures/mxnet/answers.npz`.

    PYTHON_WITH_MXNET tools/mxnet_answers.py FILE

with mxnet 1.9.1 and numpy 1.23 (`make oracles` builds that environment). Of each network there are the bytes of its
files, NAME/symbol and NAME/params, its inputs NAME/x_INPUT and its outputs NAME/y_0, NAME/y_1 ...
"""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

os.environ.update(MXNET_ONEDNN_ENABLED="0", MXNET_MKLDNN_ENABLED="0")  # oneDNN refuses some transposed convolutions
os.environ.update(MXNET_USE_ONEDNN_RNN="0", MXNET_USE_MKLDNN_RNN="0")  # and counts on it in recurrent layers

import mxnet as mx
import numpy as np

S = mx.sym


def networks() -> dict[str, tuple[Any, dict[str, tuple[int, ...]]]]:
    """Return symbols by name, with the shapes of their inputs."""
    x = S.var("data")
    image: dict[str, tuple[int, ...]] = {"data": (2, 4, 7, 6)}
    found: dict[str, tuple[Any, dict[str, tuple[int, ...]]]] = {}

    def add(name: str, symbol: Any, **shapes: tuple[int, ...]) -> None:
        found[name] = (symbol, shapes or image)

    add("convolution", S.Convolution(x, kernel=(3, 2), num_filter=6, stride=(2, 1), pad=(1, 1), num_group=2, name="c"))
    add("dilated", S.Convolution(x, kernel=(3, 3), num_filter=4, dilate=(2, 2), no_bias=True, num_group=4, name="c"))
    add(
        "deconvolution",
        S.Deconvolution(x, kernel=(3, 3), num_filter=2, stride=(2, 2), pad=(1, 1), adj=(1, 1), name="d"),
    )
    add("target", S.Deconvolution(x, kernel=(4, 4), num_filter=2, stride=(2, 2), target_shape=(13, 12), name="d"))
    add("dense", S.FullyConnected(x, num_hidden=5, name="f"))
    add("dense_last", S.FullyConnected(x, num_hidden=5, flatten=False, no_bias=True, name="f"))
    for kind in ("max", "avg"):
        for convention in ("valid", "full"):
            for number, (k, s, p) in enumerate(
                (((3, 3), (2, 2), (0, 0)), ((3, 2), (2, 2), (1, 1)), ((1, 1), (3, 3), (0, 0)))
            ):
                pool = S.Pooling(x, kernel=k, stride=s, pad=p, pool_type=kind, pooling_convention=convention)
                add(f"pool_{kind}_{convention}_{number}", pool)
    add("pool_exclude", S.Pooling(x, kernel=(3, 3), stride=(2, 2), pad=(1, 1), pool_type="avg",
                                  pooling_convention="full", count_include_pad=False))  # fmt: skip
    add("pool_global", S.Concat(S.Pooling(x, global_pool=True, pool_type="avg", kernel=(1, 1)),
                                S.Pooling(x, global_pool=True, pool_type="max", kernel=(1, 1))))  # fmt: skip
    add("batch_norm", S.BatchNorm(x, name="b"))
    add("batch_norm_gamma", S.BatchNorm(x, fix_gamma=False, eps=2e-5, name="b"))
    add("batch_norm_axis", S.BatchNorm(x, fix_gamma=False, axis=3, name="b"))
    for kind in ("relu", "sigmoid", "tanh", "softrelu", "softsign"):
        add(f"act_{kind}", S.Activation(x, act_type=kind))
    for kind in ("leaky", "elu", "selu", "gelu", "prelu"):
        add(f"leaky_{kind}", S.LeakyReLU(x, act_type=kind, name="l"))
    add("instance_norm", S.InstanceNorm(x, name="i"))
    add("layer_norm", S.LayerNorm(x, name="i"))
    add("lrn", S.LRN(x, nsize=3, alpha=0.5))
    for mode in ("instance", "channel", "spatial"):
        add(f"l2_{mode}", S.L2Normalization(x, mode=mode))
    add("softmax_instance", S.SoftmaxActivation(x))
    add("softmax_channel", S.SoftmaxActivation(x, mode="channel"))
    add("softmax_output", S.SoftmaxOutput(S.FullyConnected(x, num_hidden=5, name="f"), name="softmax"))
    add("softmax_multi", S.SoftmaxOutput(x, multi_output=True, name="softmax"))
    add("softmax", S.softmax(x, axis=1, temperature=2.0))
    add("log_softmax", S.log_softmax(x))
    add("logistic", S.LogisticRegressionOutput(x, name="out"))
    add("reshape_merge", S.Reshape(x, shape=(-3, -2)))
    add("reshape_split", S.Reshape(x, shape=(0, -4, 2, -1, -2)))
    add("reshape_reverse", S.Reshape(x, shape=(-1, 0), reverse=True))
    add("reshape_infer", S.Reshape(x, shape=(0, -1)))
    add("shuffle", S.Reshape(S.SwapAxis(S.Reshape(x, shape=(0, -4, 2, 2, -2)), dim1=1, dim2=2), shape=(0, -3, -2)))
    add("transpose", S.transpose(x, axes=(0, 2, 3, 1)))
    add("split", S.Group(list(S.SliceChannel(x, num_outputs=2, axis=1))))
    add("split_squeezed", S.SliceChannel(x, num_outputs=4, axis=1, squeeze_axis=True)[1])
    add("slice_axis", S.slice_axis(x, axis=2, begin=1, end=None))
    add("slice", S.slice(x, begin=(None, 1, None, 4), end=(None, 3, None, None), step=(None, 1, 2, -1)))
    add("slice_like", S.slice_like(x, S.Pooling(x, kernel=(2, 2), stride=(2, 2)), axes=(2, 3)))
    add("crop", S.Crop(x, h_w=(4, 3), offset=(1, 2), num_args=1))
    add("crop_like", S.Crop(x, S.Pooling(x, kernel=(2, 2), stride=(2, 2)), center_crop=True, num_args=2))
    add("pad_edge", S.Pad(x, mode="edge", pad_width=(0, 0, 0, 0, 1, 2, 2, 1)))
    add("pad_constant", S.Pad(x, mode="constant", constant_value=3, pad_width=(0, 0, 0, 0, 1, 2, 2, 1)))
    add("arithmetic", (1 - x) * 2 / (3 + S.abs(x)) + S.square(x) ** 2 - 2 / (x + 9))
    add(
        "broadcast",
        S.broadcast_mul(x, S.mean(x, axis=(2, 3), keepdims=True))
        + S.broadcast_maximum(x, S.max(x, axis=1, keepdims=True)),
    )
    add("reductions", S.Group([S.sum(x, axis=(1,), exclude=True), S.mean(x), S.min(x, axis=0), S.prod(x, axis=3)]))
    add("rounding", S.Group([S.round(x * 2), S.rint(x * 2), S.floor(x), S.ceil(x), S.clip(x, -1, 0.5)]))
    add("roots", S.Group([S.sqrt(S.abs(x)), S.rsqrt(S.abs(x) + 1), S.exp(x), S.log(S.abs(x) + 1), S.erf(x)]))
    add("add_n", S.add_n(x, x * 2, x * 3))
    add("compared", S.broadcast_add(S.broadcast_greater(x, x * 0.5 + 0.1), S.argmax(x, axis=1, keepdims=True)))
    add("nearest", S.UpSampling(x, scale=2, sample_type="nearest"))
    add("bilinear", S.UpSampling(x, S.var("up_weight"), scale=2, sample_type="bilinear", num_filter=4))
    add("resize", S.contrib.BilinearResize2D(x, height=9, width=11))
    add("adaptive", S.contrib.AdaptiveAvgPooling2D(x, output_size=(3, 4)))
    add("embedding", S.Embedding(S.abs(x) * 3, input_dim=5, output_dim=3, name="e"), data=(2, 6))
    add("dot", S.batch_dot(x, x, transpose_b=True), data=(2, 3, 4))
    add("stack", S.stack(x, x + 1, axis=1))
    add("tile", S.tile(x, reps=(1, 2, 1, 1)))
    add("blocks", S.space_to_depth(S.depth_to_space(x, block_size=2), block_size=2))
    add("expand", S.squeeze(S.expand_dims(x, axis=1), axis=1) + S.BlockGrad(x) + S.Dropout(x))
    add("prior", S.contrib.MultiBoxPrior(x, sizes=(0.5, 0.25), ratios=(1, 2, 0.5), clip=True), data=(1, 4, 2, 3))
    add(
        "prior_steps",
        S.contrib.MultiBoxPrior(x, sizes=(0.5,), ratios=(2, 1), steps=(0.3, 0.4), offsets=(0.1, 0.6)),
        data=(1, 4, 2, 3),
    )
    add("detection", _detection(), **_detected())
    add("detection_forced", _detection(force_suppress=True, nms_threshold=0.3, clip=False), **_detected())
    label, score, start, size = (S.slice_axis(x, axis=-1, begin=b, end=e) for b, e in ((0, 1), (1, 2), (2, 4), (4, 6)))
    head, size = S.concat(S.round(S.abs(label)), score, dim=-1), S.abs(size)
    corners, centres = S.concat(head, start, start + size, dim=-1), S.concat(score, start, size, head, dim=-1)
    for name, settings in _SUPPRESSIONS.items():
        rows = centres if settings.get("in_format") else corners
        add(f"box_nms_{name}", S.contrib.box_nms(rows, **settings), data=(2, 12, 6))
    add("box_nms_one", S.contrib.box_nms(corners, overlap_thresh=0.3), data=(12, 6))
    boxes = S.var("boxes")
    which, start, size = (S.slice_axis(boxes, axis=1, begin=b, end=e) for b, e in ((0, 1), (1, 3), (3, 5)))
    rois = S.concat(S.clip(S.round(which), 0, 2), start, start + S.abs(size) * 2 + 0.5, dim=1)
    for name, settings in {"plain": {}, "aligned": {"aligned": True, "spatial_scale": 0.5}}.items():
        aligned = S.contrib.ROIAlign(x, rois, pooled_size=(3, 2), sample_ratio=2, **{"spatial_scale": 1.0, **settings})
        add(f"roi_align_{name}", aligned, data=(3, 4, 7, 6), boxes=(5, 5))
    add("roi_align_own_points", S.contrib.ROIAlign(x, rois, pooled_size=(2, 2), spatial_scale=1.0), data=(3, 4, 7, 6),
        boxes=(5, 5))  # fmt: skip
    found.update(_recurrent())
    return found


# Rows of class, score and corners; numbers are those of a normal distribution.
_SUPPRESSIONS: dict[str, dict[str, Any]] = {
    "all": {"overlap_thresh": 0.2, "valid_thresh": -0.5},
    "classes": {"overlap_thresh": 0.2, "valid_thresh": -1, "id_index": 0, "topk": 9},
    "forced": {"overlap_thresh": 0.2, "valid_thresh": -1, "id_index": 0, "force_suppress": True},
    "centres": {
        "overlap_thresh": 0.1,
        "valid_thresh": -1,
        "in_format": "center",
        "out_format": "center",
        "coord_start": 1,
        "score_index": 0,
    },
    "background": {"overlap_thresh": 0.1, "background_id": 1, "id_index": 0},
}


def _recurrent() -> dict[str, tuple[Any, dict[str, tuple[int, ...]]]]:
    from mxnet.gluon import rnn

    found: dict[str, tuple[Any, dict[str, tuple[int, ...]]]] = {}
    for name, kind, settings in (
        ("lstm", rnn.LSTM, {}),
        ("lstm_both", rnn.LSTM, {"bidirectional": True, "num_layers": 2, "layout": "NTC"}),
        ("gru", rnn.GRU, {"num_layers": 2}),
        ("gru_both", rnn.GRU, {"bidirectional": True}),
        ("rnn_tanh", rnn.RNN, {"activation": "tanh"}),
        ("rnn_relu_both", rnn.RNN, {"activation": "relu", "bidirectional": True}),
    ):
        layer = kind(4, input_size=3, prefix="layer_", **settings)
        found[name] = (layer(S.var("data")), {"data": (5, 2, 3)})
    layer = rnn.LSTM(4, input_size=3, num_layers=2, prefix="layer_")
    value, states = layer(S.var("data"), [S.var("h"), S.var("c")])
    found["lstm_states"] = (S.Group([value, *states]), {"data": (5, 2, 3), "h": (2, 2, 4), "c": (2, 2, 4)})
    start = S.zeros((1, 0, 4))
    flat = S.RNN(S.var("data"), S.var("weights"), start, start, mode="lstm", state_size=4, num_layers=1, name="r")
    found["lstm_flat"] = (flat, {"data": (5, 2, 3)})
    return found


def _detection(**settings: Any) -> Any:
    anchors = S.contrib.MultiBoxPrior(S.var("data"), sizes=(0.6, 0.4, 0.5), ratios=(1, 2))
    scores = S.softmax(S.var("scores") * 2, axis=1)
    return S.contrib.MultiBoxDetection(scores, S.var("boxes"), anchors, name="detection", **settings)


def _detected() -> dict[str, tuple[int, ...]]:
    return {"data": (1, 1, 2, 2), "scores": (2, 4, 16), "boxes": (2, 64)}


def _bytes(path: Path) -> Any:
    return np.frombuffer(path.read_bytes(), "u1")


def main(file: Path) -> None:
    """Write the networks, and what MXNet makes of seeded numbers."""
    file.parent.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, (symbol, shapes) in networks().items():
            arrays |= {f"{name}/{key}": array for key, array in _answered(symbol, shapes, Path(folder)).items()}
    np.savez_compressed(file, **arrays)


def _answered(symbol: Any, shapes: dict[str, tuple[int, ...]], folder: Path) -> dict[str, Any]:
    random = np.random.RandomState(7)
    inputs = {key: mx.nd.array(random.randn(*shape)) for key, shape in shapes.items()}
    kinds, _, states = symbol.infer_shape_partial(**shapes)
    wanted = dict(zip(symbol.list_arguments(), kinds, strict=True))
    labels = {key: mx.nd.zeros(shape) for key, shape in wanted.items() if key.endswith("_label")}
    fed = {**inputs, **labels}
    args = {key: mx.nd.array(random.randn(*shape) * 0.5) for key, shape in wanted.items() if shape and key not in fed}
    states = zip(symbol.list_auxiliary_states(), states, strict=True)
    auxs = {key: mx.nd.array(np.abs(random.randn(*shape)) + 0.5) for key, shape in states}
    run = symbol.bind(mx.cpu(), {**args, **fed}, aux_states=auxs, grad_req="null")
    found = [value.asnumpy() for value in run.forward(is_train=False)]
    mx.model.save_checkpoint(str(folder / "net"), 0, symbol, args, auxs)
    arrays = {"symbol": _bytes(folder / "net-symbol.json"), "params": _bytes(folder / "net-0000.params")}
    arrays |= {f"x_{key}": value.asnumpy() for key, value in inputs.items()}
    return {**arrays, **{f"y_{number}": value for number, value in enumerate(found)}}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
