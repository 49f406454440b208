"""What a layer of another framework says of itself: window, filters, strides, in the words of that framework.

Weights lie otherwise than TensorFlow's: filters first, then channels, then the window, in ONNX
(https://onnx.ai/onnx/operators/onnx__Conv.html), MXNet, Caffe and Caffe2; of a transposed convolution channels come
first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from graphsurgeon.errors import plural
from graphsurgeon.model.graph import AttrValue
from graphsurgeon.model.shape import Shape

_FILTERS_FIRST = frozenset({"onnx", "mxnet", "caffe", "caffe2"})
_TRANSPOSED = ("transpose", "deconv")


class _Words(NamedTuple):
    """What attributes are called; several names of one thing are tried in order."""

    window: tuple[str, ...] = ()
    filters: tuple[str, ...] = ()
    stride: tuple[str, ...] = ()
    dilation: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    kind: tuple[str, ...] = ()
    whole: tuple[str, ...] = ()


_WORDS = {
    "onnx": _Words(("kernel_shape",), (), ("strides",), ("dilations",), ("group",)),
    "keras": _Words(
        ("kernel_size", "pool_size"), ("filters", "units"), ("strides",), ("dilation_rate",), ("groups",),
        ("activation",),
    ),
    "mxnet": _Words(
        ("kernel",), ("num_filter", "num_hidden"), ("stride",), ("dilate",), ("num_group",), ("pool_type", "act_type"),
        ("global_pool",),
    ),
    "caffe": _Words(
        ("kernel_size",), ("num_output",), ("stride",), ("dilation",), ("group",), ("pool",), ("global_pooling",)
    ),
    "caffe2": _Words(("kernels", "kernel"), (), ("strides", "stride"), ("dilations", "dilation"), ("group",)),
}  # fmt: skip
_PLAIN_KINDS = ("", "linear")


def layer(
    vocabulary: str, op: str, family: str, given: Mapping[str, AttrValue], shapes: Sequence[Shape]
) -> list[str] | None:
    """Return what matters of a layer, as short texts; None if nothing is known of layers of its framework.

    Args:
        vocabulary, op, family: which layer it is.
        given: its attributes.
        shapes: of the weights folded into it, largest first.
    """
    words = _WORDS.get(vocabulary)
    if words is None or family not in ("convolution", "pooling", "dense", "activation"):
        return None
    # Caffe keeps the settings of each kind of layer in a message of its own: `convolution_param.stride`.
    attrs = {key.partition("_param.")[2] or key: value for key, value in given.items()}
    weight = _weight(shapes) if vocabulary in _FILTERS_FIRST and family == "convolution" else None
    found = [] if family in ("dense", "activation") or _value(attrs, words.whole) else _window(attrs, words, weight)
    found += ["global"] if _value(attrs, words.whole) else []
    found += _filters(op, family, attrs, words, weight)
    for word, names in (("stride", words.stride), ("dilation", words.dilation)):
        telling = sorted({number for number in _numbers(_value(attrs, names)) if number != 1})
        found += [f"{word} {'×'.join(map(str, telling))}"] if telling else []
    kind = _value(attrs, words.kind)
    text = kind.decode("utf-8", "backslashreplace").lower() if isinstance(kind, bytes) else ""
    return found + ([text] if text not in _PLAIN_KINDS else [])


def _window(attrs: Mapping[str, AttrValue], words: _Words, weight: Sequence[int | None] | None) -> list[str]:
    value = _value(attrs, words.window)
    sides = _numbers(value) or _numbers([attrs.get("kernel_h"), attrs.get("kernel_w")])
    if len(sides) == 1 and not (isinstance(value, list) and words is not _WORDS["caffe"]):
        sides *= 2  # one number stands for both sides
    if not sides and weight is not None:
        return ["×".join("?" if side is None else str(side) for side in weight[2:])]
    return ["×".join(map(str, sides))] if sides else []


def _filters(
    op: str, family: str, attrs: Mapping[str, AttrValue], words: _Words, weight: Sequence[int | None] | None
) -> list[str]:
    groups = next(iter(_numbers(_value(attrs, words.groups))), 1)
    count = next(iter(_numbers(_value(attrs, words.filters))), None)
    is_transposed = any(word in op.lower() for word in _TRANSPOSED)
    if count is None and weight is not None:
        each = weight[1] if is_transposed else weight[0]
        count = each * groups if each is not None and is_transposed else each
    if count is None:
        return []
    if family == "dense":
        return [plural(count, "unit")]
    if groups > 1 and groups == count:
        return [plural(count, "channel")]  # each by itself
    return [plural(count, "filter"), *([f"{groups} groups"] if groups > 1 else [])]


def _weight(shapes: Sequence[Shape]) -> Sequence[int | None] | None:
    return next((shape.dims for shape in shapes if shape.dims is not None and len(shape.dims) >= 3), None)


def _value(attrs: Mapping[str, AttrValue], names: Sequence[str]) -> AttrValue:
    return next((attrs[name] for name in names if name in attrs), None)


def _numbers(value: AttrValue | list[AttrValue]) -> list[int]:
    many = value if isinstance(value, list) else [value]
    return [one for one in many if isinstance(one, int) and not isinstance(one, bool)]
