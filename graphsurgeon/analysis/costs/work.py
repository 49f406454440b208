"""How many multiplications with an addition (MACs) an operation does: those of convolutions and products of matrices.

One MAC is a multiplication and an addition, so that floating-point operations are about twice as many. Taken as the
algorithm by definition, in which padding is multiplied too, as the papers on networks count. Additions, activations,
normalizations and pools are left out. Shapes of operands: the op definitions in `tensorflow/core/ops/nn_ops.cc` and
`math_ops.cc`, LiteRT's `kernels/*.cc`, and ONNX's operator schemas.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from math import prod
from typing import NamedTuple

from graphsurgeon.analysis.flow.calls import nodes_inside, run_by
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.traversal import reached

ShapeOf = Callable[[Value], Shape]
_RECURRENT_WEIGHTS = 17  # inputs of LiteRT's LSTM that can be matrices: 4 and 4 for the gates, peepholes, projection


class _UnknownError(Exception):
    """A shape that would be needed is not known, or is not one that the op takes."""


class _Operands:
    """Shapes of what a node reads and yields, fully known."""

    def __init__(self, node: Node, shape_of: ShapeOf) -> None:
        self.node = node
        self._shape_of = shape_of

    def of(self, place: int) -> Sequence[int]:
        """Return the shape of an input."""
        if place >= len(self.node.inputs):
            raise _UnknownError
        return _known(self._shape_of(self.node.inputs[place]))

    def result(self, place: int = 0) -> Sequence[int]:
        """Return the shape of an output."""
        return _known(self._shape_of(self.node.output(place)))

    def matrices(self) -> Iterator[int]:
        """Yield the sizes of the constant matrices among the inputs but the first."""
        for value in self.node.inputs[1:_RECURRENT_WEIGHTS]:
            if not value.is_absent and value.tensor is not None and len(value.tensor.shape.dims or ()) == 2:
                yield value.tensor.num_elements

    def flag(self, name: str) -> bool:
        """Return an attribute that is true or false; false if it is not there."""
        return bool(self.node.attrs.get(name))

    def text(self, name: str) -> str:
        """Return an attribute that is a text."""
        found = self.node.attrs.get(name)
        return found.decode("utf-8", "replace") if isinstance(found, bytes) else str(found or "")


def macs(node: Node, shape_of: ShapeOf) -> int | None:
    """Return the MACs of one run of a node; 0 for ops that do other work, None where a shape is not known.

    Args:
        node: of TensorFlow, TFLite or ONNX.
        shape_of: gives the shape of its inputs and outputs.
    """
    count = _COUNTS.get(node.qualified_op)
    if count is None:
        return 0
    try:
        return count(_Operands(node, shape_of))
    except (_UnknownError, IndexError, ZeroDivisionError):
        return None


class MacCounts(NamedTuple):
    """The MACs of a model.

    Attributes:
        macs: of one run of everything: what is called twice counts twice, the body of a loop and each branch once.
        by_op: the same by op, most first.
        by_node: of each of the nodes, calls with all that they run.
        unknown: nodes that multiply, and whose shapes are not known.
        once: whether there are loops or branches.
    """

    macs: int
    by_op: Mapping[str, int]
    by_node: Mapping[Node, int]
    unknown: Sequence[Node]
    once: bool


def work_of(nodes: Sequence[Node], shape_of: ShapeOf) -> MacCounts:
    """Return the MACs of some nodes of one graph and of what they run."""
    counted: list[tuple[Node, int | None]] = []
    by_node: dict[Node, int] = {}
    for node in nodes:
        inside = [(inner, macs(inner, shape_of)) for inner, _ in nodes_inside([node])]
        counted += inside
        by_node[node] = sum(number or 0 for _, number in inside)
    run = list(reached((function for node in nodes for function in node.functions), run_by))
    called = {node.graph for node, _ in counted}
    others = [function for function in run if function not in called]
    for function in others:
        counted += [(node, macs(node, shape_of)) for node in function.nodes]
    by_op: dict[str, int] = {}
    for node, number in counted:
        if number:
            by_op[node.op] = by_op.get(node.op, 0) + number
    return MacCounts(
        sum(by_op.values()),
        dict(sorted(by_op.items(), key=lambda item: -item[1])),
        by_node,
        list(dict.fromkeys(node for node, number in counted if number is None)),
        bool(others),
    )


def _known(shape: Shape) -> Sequence[int]:
    if shape.dims is None or None in shape.dims:
        raise _UnknownError
    return [dim for dim in shape.dims if dim is not None]


def _convolution(data: int, filter: int, channels: int) -> Callable[[_Operands], int]:
    """Count each element of the result (or, `data` given, of an input) times the filter of one channel.

    Args:
        data: the input whose elements are multiplied with the filter; -1 for the result.
        filter: the input that is the filter.
        channels: the dimension of the filter that is shared out: each element meets the rest of it.
    """

    def count(operands: _Operands) -> int:
        weights = operands.of(filter)
        elements = operands.result() if data < 0 else operands.of(data)
        return prod(elements) * (prod(weights) // weights[channels])

    return count


def _depthwise(data: int, filter: int, first: int) -> Callable[[_Operands], int]:
    """Count each element times the height and width of the filter, which lie from its dimension `first` on."""

    def count(operands: _Operands) -> int:
        weights = operands.of(filter)
        elements = operands.result() if data < 0 else operands.of(data)
        return prod(elements) * weights[first] * weights[first + 1]

    return count


def _filter_gradient(operands: _Operands) -> int:
    """Count each element of the gradient that comes in times the filter of one channel that goes out."""
    filter = operands.result()
    return prod(operands.of(2)) * (prod(filter) // filter[-1])


def _product(first: str, second: str, at: tuple[int, int] = (0, 1)) -> Callable[[_Operands], int]:
    """Count each element of the result times the dimension that is summed over.

    Args:
        first, second: the attributes that say that an operand is transposed.
        at: the inputs that are the operands.
    """

    def count(operands: _Operands) -> int:
        one = operands.of(at[0])
        place = -2 if operands.flag(first) and len(one) > 1 else -1
        return prod(operands.result()) * one[place]

    return count


def _fully_connected(operands: _Operands) -> int:
    """Count each element of the result times the inputs of a unit; a wide result may be kept in fewer dimensions."""
    units, size = operands.of(1)
    return prod(operands.of(0)) // size * size * units


def _einsum(operands: _Operands) -> int:
    """Count all combinations of indices, for each product of two operands; one operand is only summed or turned."""
    terms = operands.text("equation").replace(" ", "").partition("->")[0].split(",")
    sizes: dict[str, int] = {}
    for place, term in enumerate(terms):
        for label, size in zip(_labels(term, len(operands.of(place))), operands.of(place), strict=True):
            sizes[label] = max(sizes.get(label, 1), size)
    return prod(sizes.values()) * (len(terms) - 1)


def _labels(term: str, rank: int) -> list[str]:
    """Return the label of each dimension; those that `...` stands for are counted from the last one."""
    before, mark, after = term.partition("...")
    if not mark:
        return list(before) if len(before) == rank else _refuse()
    many = rank - len(before) - len(after)
    return [*before, *(f"...{many - place}" for place in range(many)), *after]


def _refuse() -> list[str]:
    raise _UnknownError


def _steps_of_matrices(operands: _Operands) -> int:
    """Count all matrices of a recurrent operator once for each step and example."""
    data = operands.of(0)
    return prod(data[:-1]) * sum(operands.matrices())


def _block_lstm(operands: _Operands) -> int:
    steps, batch, _ = operands.of(1)
    return steps * batch * prod(operands.of(4))


def _onnx_recurrent(operands: _Operands) -> int:
    steps, batch, _ = operands.of(0)
    return steps * batch * (prod(operands.of(1)) + prod(operands.of(2)))


def _svdf(operands: _Operands) -> int:
    batch, _ = operands.of(0)
    return batch * (prod(operands.of(1)) + prod(operands.of(2)))


def _cell(weights: Iterable[int]) -> Callable[[_Operands], int]:
    """Count the matrices of one step once for each example."""

    def count(operands: _Operands) -> int:
        return operands.of(0)[0] * sum(prod(operands.of(place)) for place in weights)

    return count


_RESULT = -1
_MATMUL = _product("transpose_a", "transpose_b")
_BATCHED = _product("adj_x", "adj_y")

_COUNTS: Mapping[str, Callable[[_Operands], int]] = {
    # TensorFlow: filters have the channels that come out last; data may have theirs in any place
    "Conv2D": _convolution(_RESULT, 1, -1),
    "_FusedConv2D": _convolution(_RESULT, 1, -1),
    "Conv": _convolution(_RESULT, 1, -1),
    "Conv3D": _convolution(_RESULT, 1, -1),
    "QuantizedConv2D": _convolution(_RESULT, 1, -1),
    "UniformQuantizedConvolution": _convolution(_RESULT, 1, 0),
    "Conv2DBackpropInput": _convolution(2, 1, -1),
    "Conv2DBackpropInputV2": _convolution(2, 1, -1),
    "Conv3DBackpropInputV2": _convolution(2, 1, -1),
    "Conv2DBackpropFilter": _filter_gradient,
    "Conv3DBackpropFilterV2": _filter_gradient,
    "DepthwiseConv2dNative": _depthwise(_RESULT, 1, 0),
    "_FusedDepthwiseConv2dNative": _depthwise(_RESULT, 1, 0),
    "DepthwiseConv2dNativeBackpropInput": _depthwise(2, 1, 0),
    "MatMul": _MATMUL,
    "_FusedMatMul": _MATMUL,
    "QuantizedMatMul": _MATMUL,
    "SparseMatMul": _product("transpose_a", "transpose_b"),
    "BatchMatMul": _BATCHED,
    "BatchMatMulV2": _BATCHED,
    "BatchMatMulV3": _BATCHED,
    "Einsum": _einsum,
    "XlaEinsum": _einsum,
    "BlockLSTM": _block_lstm,
    "BlockLSTMV2": _block_lstm,
    "LSTMBlockCell": _cell([3]),
    "GRUBlockCell": _cell([2, 3]),
    # TFLite: filters have the channels that come out first
    "CONV_2D": _convolution(_RESULT, 1, 0),
    "CONV_3D": _convolution(_RESULT, 1, -1),
    "DEPTHWISE_CONV_2D": _depthwise(_RESULT, 1, 1),
    "TRANSPOSE_CONV": _convolution(2, 1, -1),
    "CONV_3D_TRANSPOSE": _convolution(2, 1, -1),
    "Convolution2DTransposeBias": _convolution(0, 1, -1),
    "FULLY_CONNECTED": _fully_connected,
    "BATCH_MATMUL": _BATCHED,
    "LSTM": _steps_of_matrices,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _steps_of_matrices,
    "UNIDIRECTIONAL_SEQUENCE_RNN": _steps_of_matrices,
    "RNN": _steps_of_matrices,
    "SVDF": _svdf,
    # ONNX: filters have the channels that come out first, of transposed convolutions those that go in
    "onnx: Conv": _convolution(_RESULT, 1, 0),
    "onnx: ConvInteger": _convolution(_RESULT, 1, 0),
    "onnx: DeformConv": _convolution(_RESULT, 1, 0),
    "onnx: QLinearConv": _convolution(_RESULT, 3, 0),
    "onnx: ConvTranspose": _convolution(0, 1, 0),
    "onnx: Gemm": _product("transA", "transB"),
    "onnx: MatMul": _product("", ""),
    "onnx: MatMulInteger": _product("", ""),
    "onnx: QLinearMatMul": _product("", "", (0, 3)),
    "onnx: Einsum": _einsum,
    "onnx: LSTM": _onnx_recurrent,
    "onnx: GRU": _onnx_recurrent,
    "onnx: RNN": _onnx_recurrent,
}
