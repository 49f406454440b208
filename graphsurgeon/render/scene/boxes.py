"""What a box says about one operation: the attributes that matter for its op, and the size of its weights."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphsurgeon.errors import plural
from graphsurgeon.model.dtype import FLOAT32, DType
from graphsurgeon.model.format import OF_VOCABULARY
from graphsurgeon.model.graph import AttrValue, FunctionRef, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import CONSTANTS
from graphsurgeon.render.choose.flow import Drawn
from graphsurgeon.render.scene import families
from graphsurgeon.render.scene.layers import layer

LONGEST_TITLE = 36  # characters; a box of the usual width has room for them at its font size
_PLAIN_VALUES = (b"NHWC", b"NDHWC", b"NWC", b"NONE", b"EXPLICIT", b"channels_last", 0, 1, False, None, b"", FLOAT32)
# family -> attributes worth a place in the box, TensorFlow's and TFLite's names.
_SHOWN = {
    "convolution": ("padding", "data_format", "fused_activation_function", "fused_ops"),
    "pooling": ("padding", "data_format", "fused_activation_function"),
    "dense": ("transpose_a", "transpose_b", "adj_x", "adj_y", "equation", "fused_activation_function", "fused_ops"),
    "normalization": ("epsilon", "is_training", "data_format"),
    "activation": ("alpha", "beta"),
    "layout": ("axis", "num", "num_split", "new_shape", "mode", "align_corners", "half_pixel_centers"),
    "reduction": ("keep_dims", "axis", "k"),
    "math": ("DstT", "fused_activation_function"),
    "lookup": ("axis", "depth"),
    "input": (),
}
_PLAIN_KEYS = {"fused_activation_function", "padding", "equation", "data_format", "DstT", "fused_ops"}


def attributes(operation: Drawn, shapes: Sequence[Shape]) -> list[str]:
    """Return what matters of an operation, as short texts: of a weight dtype and shape, else attributes.

    Args:
        operation: what to describe.
        shapes: of the weights folded into it, largest first.
    """
    if operation.op in families.WEIGHTS:
        return [f"{weight_dtype(operation) or ''} {shape_text(weight_shape(operation))}".strip()]
    if operation.node is None:
        return []
    attrs = operation.node.attrs
    family = families.family(operation.op)
    vocabulary, _, name = operation.op.rpartition(OF_VOCABULARY)
    found = layer(vocabulary, name, family, attrs, shapes)
    if found is None:
        found = _layer(operation.op, family, attrs, shapes)
    for key in _SHOWN.get(family, ()):
        if key in attrs and _is_telling(attrs[key]):
            text = attribute_text(attrs[key])
            found.append(text if key in _PLAIN_KEYS else f"{key} {text}")
    return found


def attribute_text(value: AttrValue, *, most: int = 60) -> str:
    """Return an attribute as a short text; values of tensors are not read."""
    if isinstance(value, bytes):
        text = value.decode("utf-8", "backslashreplace")
    elif isinstance(value, float):
        text = f"{value:.6g}"
    elif isinstance(value, DType | Shape | bool | int) or value is None:
        text = str(value)
    elif isinstance(value, Tensor):
        text = f"{value.dtype} {value.shape}"
    elif isinstance(value, FunctionRef):
        text = value.name
    elif isinstance(value, list):
        text = "[" + ", ".join(attribute_text(item, most=most) for item in value[:16]) + (", …]" if value[16:] else "]")
    else:
        text = str(value)
    return shortened(text, most)


def shortened(text: str, most: int) -> str:
    """Return a text of at most so many characters, the middle left out, on one line."""
    text = " ".join("".join(c if c.isprintable() else " " for c in text).split()) if not text.isprintable() else text
    if len(text) <= most:
        return text
    head = most // 2
    return f"{text[:head]}…{text[len(text) - (most - head - 1) :]}"


def count_text(number: int, unit: str) -> str:
    """Return a count with a unit in the singular: `1 param`, `950 params`, `7.1 M params`."""
    for size, letter in ((10**9, " G"), (10**6, " M"), (10**3, " K")):
        if number >= size:
            return (
                f"{number / size:.3g}{letter} {unit}s"
                if number < 999.5 * size
                else f"{number / size:.0f}{letter} {unit}s"
            )
    return f"{number} {unit}{'s' if number != 1 else ''}"


def shape_text(shape: Shape | None) -> str:
    """Return a shape as edges show it: `?×56×56×256`, `scalar`, empty for unknown rank."""
    if shape is None or shape.dims is None:
        return ""
    return "×".join("?" if dim is None else str(dim) for dim in shape.dims) or "scalar"


def parameters(weights: Iterable[Drawn]) -> int:
    """Return the number of elements of variables and of constants that are weights rather than sizes and axes."""
    total = 0
    for weight in weights:
        shape, dtype = weight_shape(weight), weight_dtype(weight)
        is_weight = weight.op not in CONSTANTS or ((shape.rank or 0) > 0 and _may_be_weight(dtype, weight.value))
        total += (shape.num_elements or 0) if is_weight else 0
    return total


def weight_bytes(weights: Iterable[Drawn]) -> int:
    """Return the bytes of what counts as parameters, as their dtypes take them."""
    return sum(
        parameters([weight]) * dtype.bits // 8 for weight in weights if (dtype := weight_dtype(weight)) is not None
    )


def bytes_text(count: int) -> str:
    """Return bytes in the unit that suits them: `950 B`, `102.5 MB`."""
    for size, unit in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} B"


def _stored(weight: Drawn) -> Value | None:
    """Return the value that holds a constant by itself, be it that of an ONNX node; None for others."""
    if weight.value is not None or weight.node is None:
        return weight.value
    return next((value for value in weight.node.outputs if value.tensor is not None), None)


def weight_shape(weight: Drawn) -> Shape:
    """Return the shape of a constant or variable, without reading its values."""
    stored = _stored(weight)
    if stored is not None:
        return stored.shape or Shape(None)
    assert weight.node is not None
    attrs = weight.node.attrs
    value = attrs.get("value") if weight.op in CONSTANTS else None
    shape = value.shape if isinstance(value, Tensor) else attrs.get("shape")
    return shape if isinstance(shape, Shape) else Shape(None)


def weight_dtype(weight: Drawn) -> DType | None:
    """Return the dtype of a constant or variable."""
    stored = _stored(weight)
    if stored is not None:
        return stored.dtype
    assert weight.node is not None
    dtype = weight.node.attrs.get("dtype")
    return dtype if isinstance(dtype, DType) else None


def weight_tensor(weight: Drawn) -> Tensor | None:
    """Return the values of a constant, not yet read."""
    stored = _stored(weight)
    if stored is not None:
        return stored.tensor
    value = weight.node.attrs.get("value") if weight.node is not None else None
    return value if isinstance(value, Tensor) else None


def _may_be_weight(dtype: DType | None, value: Value | None) -> bool:
    if dtype is None:
        return False
    is_quantized = value is not None and dtype.is_integer and bool((value.extra or {}).get("quantization"))
    return dtype.is_floating or dtype.is_complex or dtype.is_quantized or is_quantized


def _layer(op: str, family: str, attrs: Mapping[str, AttrValue], shapes: Sequence[Shape]) -> list[str]:
    """Return window, filters and strides of a layer of TensorFlow or TFLite."""
    if family == "convolution":
        return [*_kernel(op, shapes), *_strides(attrs)]
    if family == "pooling":
        return [*_window(attrs.get("ksize"), attrs.get("filter_height"), attrs.get("filter_width")), *_strides(attrs)]
    return [_dims(shapes[0])] if family == "dense" and shapes and shapes[0].rank == 2 else []


def _kernel(op: str, shapes: Sequence[Shape]) -> list[str]:
    """Return `3×3` and the number of filters. TensorFlow keeps filters last, TFLite first."""
    shape = next((shape for shape in shapes if (shape.rank or 0) >= 3), None)
    if shape is None or shape.dims is None:
        return []
    is_tflite = op.isupper()
    window = shape.dims[1:-1] if is_tflite else shape.dims[:-2]
    is_depthwise = "depthwise" in op.lower()
    filters = shape.dims[-1] if is_depthwise == is_tflite else shape.dims[0] if is_tflite else shape.dims[-2]
    if "backprop" in op.lower():
        filters = shape.dims[-2]
    unit = "channel" if is_depthwise else "filter"
    return [_dims(Shape(window)), *([plural(filters, unit)] if filters is not None else [])]


def _window(ksize: AttrValue, height: AttrValue, width: AttrValue) -> list[str]:
    if isinstance(ksize, list):
        window = [size for size in ksize if isinstance(size, int)]
        inner = [size for size in window if size != 1]
        return [_dims(Shape(inner if len(inner) > 1 else window[1:-1]))] if window else []
    return [f"{height}×{width}"] if isinstance(height, int) and isinstance(width, int) else []


def _strides(attrs: Mapping[str, AttrValue]) -> list[str]:
    strides, found = attrs.get("strides"), []
    sizes = strides if isinstance(strides, list) else [attrs.get("stride_h"), attrs.get("stride_w")]
    for word, values in (("stride", sizes), ("dilation", attrs.get("dilations"))):
        numbers = [value for value in values if isinstance(value, int)] if isinstance(values, list) else []
        telling = sorted({number for number in numbers if number != 1})
        if telling:
            found.append(f"{word} {'×'.join(map(str, telling))}")
    return found


def _is_telling(value: AttrValue) -> bool:
    return (not isinstance(value, list) and value not in _PLAIN_VALUES) or (isinstance(value, list) and bool(value))


def _dims(shape: Shape) -> str:
    return shape_text(shape)
