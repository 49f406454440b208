"""Shapes of what nodes of ONNX yield, for the ops that layers of other frameworks become; None where nobody knows.

Source: the operator pages of ONNX, opset 17.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from math import prod
from typing import Any

from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape

Dims = list[int | None]
_SAME = frozenset(
    (
        "Abs", "BatchNormalization", "Cast", "Ceil", "Clip", "Cos", "CumSum", "Dropout", "Elu", "Erf", "Exp", "Floor",
        "HardSigmoid", "Identity", "InstanceNormalization", "LRN", "LayerNormalization", "LeakyRelu", "Log",
        "LogSoftmax", "Neg", "Not", "PRelu", "Reciprocal", "Relu", "Round", "ScatterND", "Selu", "Sigmoid", "Sign",
        "Sin", "Softmax", "Softplus", "Softsign", "Sqrt", "Tan", "Tanh",
    )
)  # fmt: skip
_BROADCAST = frozenset(
    (
        "Add", "And", "Div", "Equal", "Greater", "GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul",
        "Or", "Pow", "Sub", "Sum", "Where",
    )
)  # fmt: skip
_FAR = 1 << 31  # behind the end of every axis


def infer(node: Node, count: int) -> list[Shape]:
    """Return the shapes of so many outputs."""
    if node.op in _SAME:
        found: Dims | None = _dims(node.inputs[0])
    elif node.op in _BROADCAST:
        shapes = [_dims(value) for value in node.inputs]
        found = (
            None if any(shape is None for shape in shapes) else reduce(_joined, [s for s in shapes if s is not None])
        )
    elif node.op in _FUNCTIONS:
        given = [_dims(value) for value in node.inputs]
        found = None if given[0] is None else _FUNCTIONS[node.op](node, given[0])
    else:
        found = None
    if node.op == "Split" and found is not None:
        return _split(node, found, count)
    return [Shape(found) if found is not None else UNKNOWN_RANK] * count


def window(side: int | None, kernel: int, stride: int, pads: int, dilation: int = 1, ceil: bool = False) -> int | None:
    """Return how many places a window has along a side; None of an unknown one."""
    if side is None:
        return None
    room = side + pads - (kernel - 1) * dilation - 1
    return (-(-room // stride) if ceil else room // stride) + 1


def _dims(value: Value) -> Dims | None:
    return None if value.shape is None or value.shape.dims is None else list(value.shape.dims)


def _joined(first: Dims, second: Dims) -> Dims:
    """Return what two shapes are broadcast to."""
    size = max(len(first), len(second))
    pairs = zip([1] * (size - len(first)) + first, [1] * (size - len(second)) + second, strict=True)
    return [b if a == 1 else a if b == 1 or a is not None else b for a, b in pairs]


def _numbers(node: Node, index: int) -> list[int] | None:
    """Return the elements of a constant input."""
    if index >= len(node.inputs) or node.inputs[index].tensor is None:
        return None
    return [int(item) for item in node.inputs[index].tensor.items()]  # type: ignore[union-attr]


def _ints(node: Node, name: str, default: Sequence[int]) -> list[int]:
    found: Any = node.attrs.get(name)
    return list(found) if found is not None else list(default)


def _axis(node: Node, rank: int, default: int = 0) -> int:
    axis: Any = node.attrs.get("axis", default)
    return int(axis) % max(rank, 1)


def _conv(node: Node, x: Dims) -> Dims | None:
    kernel = _dims(node.inputs[1])
    if kernel is None:
        return None
    sides = len(x) - 2
    pads, strides = _ints(node, "pads", [0] * 2 * sides), _ints(node, "strides", [1] * sides)
    spread = _ints(node, "dilations", [1] * sides)
    places = [
        window(x[2 + i], kernel[2 + i] or 1, strides[i], pads[i] + pads[sides + i], spread[i]) for i in range(sides)
    ]
    return [x[0], kernel[0], *places]


def _transposed_conv(node: Node, x: Dims) -> Dims | None:
    kernel = _dims(node.inputs[1])
    if kernel is None:
        return None
    sides = len(x) - 2
    pads, strides = _ints(node, "pads", [0] * 2 * sides), _ints(node, "strides", [1] * sides)
    spread, more = _ints(node, "dilations", [1] * sides), _ints(node, "output_padding", [0] * sides)
    out: Dims = []
    for i in range(sides):
        side, size = x[2 + i], ((kernel[2 + i] or 1) - 1) * spread[i] + 1
        out.append(None if side is None else (side - 1) * strides[i] + size + more[i] - pads[i] - pads[sides + i])
    group: Any = node.attrs.get("group", 1)
    return [x[0], (kernel[1] or 0) * int(group) or None, *out]


def _pool(node: Node, x: Dims) -> Dims:
    sides = len(x) - 2
    kernel = _ints(node, "kernel_shape", [1] * sides)
    pads, strides = _ints(node, "pads", [0] * 2 * sides), _ints(node, "strides", [1] * sides)
    ceil = bool(node.attrs.get("ceil_mode", 0))
    return [
        *x[:2],
        *(window(x[2 + i], kernel[i], strides[i], pads[i] + pads[sides + i], ceil=ceil) for i in range(sides)),
    ]


def _gemm(node: Node, x: Dims) -> Dims | None:
    weight = _dims(node.inputs[1])
    return None if weight is None else [x[0], weight[0] if node.attrs.get("transB") else weight[1]]


def _matmul(node: Node, x: Dims) -> Dims | None:
    y = _dims(node.inputs[1])
    return None if y is None or len(x) < 2 or len(y) < 2 else [*_joined(x[:-2], y[:-2]), x[-2], y[-1]]


def _flatten(node: Node, x: Dims) -> Dims:
    axis: Any = node.attrs.get("axis", 1)
    return [_product(x[:axis]), _product(x[axis:])]


def _product(dims: Dims) -> int | None:
    known = [dim for dim in dims if dim is not None]
    return prod(known) if len(known) == len(dims) else None


def _transpose(node: Node, x: Dims) -> Dims:
    return [x[axis] for axis in _ints(node, "perm", range(len(x) - 1, -1, -1))]


def _reshape(node: Node, x: Dims) -> Dims | None:
    target = _numbers(node, 1)
    if target is None:
        return None
    out: Dims = [x[place] if dim == 0 else dim for place, dim in enumerate(target)]
    rest = _product([dim for dim in out if dim != -1])
    total = _product(x)
    whole = None if total is None or not rest else total // rest
    return [whole if dim == -1 else dim for dim in out]


def _concat(node: Node, x: Dims) -> Dims | None:
    parts = [_dims(value) for value in node.inputs]
    axis = _axis(node, len(x))
    if any(part is None or len(part) != len(x) for part in parts):
        return None
    sizes = [part[axis] for part in parts if part is not None]
    out: Dims = []
    for place in range(len(x)):
        own = [part[place] for part in parts if part is not None]
        out.append(next((dim for dim in own if dim is not None), None))
    out[axis] = None if None in sizes else sum(size for size in sizes if size is not None)
    return out


def _slice(node: Node, x: Dims) -> Dims | None:
    bounds = [_numbers(node, index) for index in (1, 2, 3)]
    starts, ends, axes = bounds
    if starts is None or ends is None or axes is None:
        return [None] * len(x)
    steps = _numbers(node, 4) or [1] * len(axes)
    out = list(x)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        size = x[axis]
        if size is not None:
            end = None if step < 0 and end <= -_FAR else end  # type: ignore[assignment]
            out[axis] = len(range(*slice(start, end, step).indices(size)))
    return out


def _split(node: Node, x: Dims, count: int) -> list[Shape]:
    axis = _axis(node, len(x))
    size = x[axis]
    sizes: Sequence[int | None] = _numbers(node, 1) or [None if size is None else size // count] * count
    return [Shape([*x[:axis], part, *x[axis + 1 :]]) for part in sizes]


def _pad(node: Node, x: Dims) -> Dims | None:
    pads = _numbers(node, 1)
    if pads is None:
        return [None] * len(x)
    return [None if dim is None else dim + pads[i] + pads[len(x) + i] for i, dim in enumerate(x)]


def _squeeze(node: Node, x: Dims) -> Dims | None:
    axes = _numbers(node, 1)
    return None if axes is None else [dim for i, dim in enumerate(x) if i not in axes and i - len(x) not in axes]


def _unsqueeze(node: Node, x: Dims) -> Dims | None:
    axes = _numbers(node, 1)
    if axes is None:
        return None
    size = len(x) + len(axes)
    places, rest = {axis % size for axis in axes}, iter(x)
    return [1 if place in places else next(rest) for place in range(size)]


def _reduce(node: Node, x: Dims) -> Dims:
    given = _numbers(node, 1) if node.op == "ReduceSum" else _ints(node, "axes", range(len(x)))
    axes = {axis % len(x) for axis in given or range(len(x))}
    if node.attrs.get("keepdims", 1):
        return [1 if place in axes else dim for place, dim in enumerate(x)]
    return [dim for place, dim in enumerate(x) if place not in axes]


def _arg(node: Node, x: Dims) -> Dims:
    axis = _axis(node, len(x))
    return [*x[:axis], *([1] if node.attrs.get("keepdims", 1) else []), *x[axis + 1 :]]


def _gather(node: Node, x: Dims) -> Dims | None:
    places, axis = _dims(node.inputs[1]), _axis(node, len(x))
    return None if places is None else [*x[:axis], *places, *x[axis + 1 :]]


def _expand(node: Node, x: Dims) -> Dims | None:
    target = _numbers(node, 1)
    return None if target is None else _joined(x, list(target))


def _tile(node: Node, x: Dims) -> Dims | None:
    times = _numbers(node, 1)
    return None if times is None else [None if d is None else d * t for d, t in zip(x, times, strict=True)]


def _resize(node: Node, x: Dims) -> Dims | None:
    if len(node.inputs) > 3:
        sizes = _numbers(node, 3)
        return None if sizes is None else list(sizes)
    scales = node.inputs[2].tensor
    if scales is None:
        return [None] * len(x)
    return [None if dim is None else int(dim * scale) for dim, scale in zip(x, scales.items(), strict=True)]


def _top_k(node: Node, x: Dims) -> Dims:
    axis, count = _axis(node, len(x), -1), _numbers(node, 1)
    return [*x[:axis], count[0] if count else None, *x[axis + 1 :]]


def _elements(node: Node, x: Dims) -> Dims | None:
    return _dims(node.inputs[1])


def _blocks(node: Node, x: Dims) -> Dims:
    size: Any = node.attrs.get("blocksize", 1)
    channels, height, width = x[1:4]
    if node.op == "DepthToSpace":
        return [x[0], channels and channels // size**2, height and height * size, width and width * size]
    return [x[0], channels and channels * size**2, height and height // size, width and width // size]


_FUNCTIONS: dict[str, Callable[[Node, Dims], Dims | None]] = {
    "Conv": _conv, "ConvTranspose": _transposed_conv, "MaxPool": _pool, "AveragePool": _pool, "LpPool": _pool,
    "GlobalMaxPool": lambda _, x: [*x[:2], *[1] * (len(x) - 2)],
    "GlobalAveragePool": lambda _, x: [*x[:2], *[1] * (len(x) - 2)],
    "GlobalLpPool": lambda _, x: [*x[:2], *[1] * (len(x) - 2)],
    "Gemm": _gemm, "MatMul": _matmul, "Flatten": _flatten, "Transpose": _transpose, "Reshape": _reshape,
    "Concat": _concat, "Slice": _slice, "Split": lambda _, x: x, "Pad": _pad, "Squeeze": _squeeze,
    "Unsqueeze": _unsqueeze, "ReduceMean": _reduce, "ReduceSum": _reduce, "ReduceMax": _reduce, "ReduceMin": _reduce,
    "ReduceProd": _reduce, "ReduceL1": _reduce, "ReduceL2": _reduce, "ReduceSumSquare": _reduce, "ArgMax": _arg,
    "ArgMin": _arg, "Gather": _gather, "Expand": _expand, "Tile": _tile, "Resize": _resize, "TopK": _top_k,
    "GatherElements": _elements, "DepthToSpace": _blocks, "SpaceToDepth": _blocks, "Shape": lambda _, x: [len(x)],
    "NonMaxSuppression": lambda *_: [None, 3], "OneHot": lambda *_: None,
}  # fmt: skip
