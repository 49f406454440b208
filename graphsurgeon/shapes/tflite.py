"""Shapes in a TFLite subgraph once its inputs have other shapes than the file stores.

Operators are restated as the TensorFlow ops that have the same shapes, in a graph made for the purpose, and that is
inferred as any other. An operator that cannot be restated keeps the shapes that the file stores; whether it is
given other shapes than it was made for is told, since then nobody knows what it yields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from graphsurgeon.model.dtype import INT32, DType
from graphsurgeon.model.graph import AttrValue, Graph, Node, Value
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.tensor import BytesSource, Tensor
from graphsurgeon.model.traversal import in_postorder

_MOST_ELEMENTS = 1000  # of a constant that may say a shape, axes, paddings


def as_read(tensor: Tensor) -> Tensor:
    """Return a constant as an interpreter reads it: of a buffer that is too long the first bytes."""
    size = tensor.nbytes
    if tensor.dtype.bits < 8 or tensor.source.nbytes <= size:
        return tensor
    data = b""
    for chunk in tensor.chunks():
        data += chunk[: size - len(data)]
        if len(data) == size:
            break
    return Tensor(tensor.dtype, tensor.shape, BytesSource(data))


def _signed_shape(value: Value) -> Shape:
    return value.shape or UNKNOWN_RANK


class Restated:
    """A subgraph in the ops of TensorFlow.

    Attributes:
        graph: the graph.
        values: tensor of the subgraph -> value of the graph.
        unknown: name -> operator that cannot be restated.
        calls: name -> operator that runs other subgraphs.
    """

    def __init__(self, source: Graph, shape_of: Callable[[Value], Shape] = _signed_shape) -> None:
        self.graph = Graph(source.metagraph, "main")
        self.shape_of = shape_of
        self.values: dict[Value, Value] = {}
        self.unknown: dict[str, Node] = {}
        self.calls: dict[str, Node] = {}
        numbers = {node: number for number, node in enumerate(source.nodes)}
        for node in _in_order(source.nodes):
            name = f"operator #{numbers[node]} ({node.op})"
            if node.op in ("WHILE", "IF") and node.functions:
                self._call(name, node)
                continue
            restate = _RULES.get(node.op) if node.outputs else None
            try:
                results = (
                    restate(RestatedOperator(self, node, name)) if restate and node.inputs and node.outputs else None
                )
            except _UnlikeItsKindError:
                results = None
            if results is None:
                self.unknown[name] = node
            for value, result in zip(node.outputs, results or (), strict=False):
                self.values[value] = result

    def _call(self, name: str, node: Node) -> None:
        """Restate a loop, whose states keep their shapes, or a branch, which yields what is stored so far."""
        self.calls[name] = node
        for place, value in enumerate(node.outputs):
            if node.op == "IF":
                self.value(value)
            elif place < len(node.inputs):
                given = self.value(node.inputs[place])
                unique = self.graph.unique_name(f"{name} keeps")
                attrs: dict[str, AttrValue] = {"T": value.dtype or INT32}
                self.values[value] = self.graph.add_node("Identity", unique, [given], attrs, checked=False).output(0)

    def value(self, value: Value) -> Value:
        """Return what stands for a tensor: what computes it, a constant, or a placeholder of its stored shape."""
        if value not in self.values:
            self.values[value] = self._source(value)
        return self.values[value]

    def reshape(self, value: Value, shape: Shape) -> None:
        """Give an input of the subgraph another shape."""
        node = self.value(value).producer
        assert node is not None
        node.attrs["shape"] = shape

    def _source(self, value: Value) -> Value:
        name = self.graph.unique_name(f"tensor {value.name} (#{value.port})")
        tensor, dtype = value.tensor, value.dtype or INT32
        if tensor is not None and dtype.is_integer and (tensor.num_elements or 0) <= _MOST_ELEMENTS:
            return self.constant(name, dtype, as_read(tensor))
        return self.placeholder(name, dtype, self.shape_of(value))

    def constant(self, name: str, dtype: DType, tensor: Tensor) -> Value:
        """Add a constant."""
        return self.graph.add_node("Const", name, [], {"dtype": dtype, "value": tensor}).output(0)

    def placeholder(self, name: str, dtype: DType, shape: Shape) -> Value:
        """Add something of a known shape."""
        return self.graph.add_node("Placeholder", name, [], {"dtype": dtype, "shape": shape}).output(0)


def _in_order(nodes: Sequence[Node]) -> Iterable[Node]:
    """Return operators so that each comes after those that it reads from: one that was added stands at the end."""
    return in_postorder(nodes, lambda node: [value.producer for value in node.inputs if value.producer is not None])


class _UnlikeItsKindError(Exception):
    """An operator does not have the inputs, or weights of the rank, that its kind takes."""


class RestatedOperator:
    """An operator that is being restated."""

    def __init__(self, restated: Restated, node: Node, name: str) -> None:
        self._restated = restated
        self._node = node
        self._name = name

    def input(self, index: int) -> Value:
        """Return what stands for an input."""
        if index >= len(self._node.inputs):
            raise _UnlikeItsKindError
        return self._restated.value(self._node.inputs[index])

    @property
    def inputs(self) -> list[Value]:
        """What stands for the inputs."""
        return [self._restated.value(value) for value in self._node.inputs]

    def dims(self, index: int, rank: int) -> tuple[int | None, ...]:
        """Return the stored shape of an input of a rank: what weights are, whatever comes in."""
        if index >= len(self._node.inputs):
            raise _UnlikeItsKindError
        shape = self._restated.shape_of(_unpacked(self._node.inputs[index]))
        if shape.dims is None or len(shape.dims) != rank:
            raise _UnlikeItsKindError
        return tuple(shape.dims)

    def last_dim(self, index: int) -> int | None:
        """Return the stored size of the last dimension of an input."""
        shape = self._restated.shape_of(self._node.inputs[index]) if index < len(self._node.inputs) else None
        return shape.dims[-1] if shape is not None and shape.dims else None

    @property
    def op(self) -> str:
        """What the operator is called in TFLite."""
        return self._node.op

    def is_int32_vector(self, index: int) -> bool:
        """Say whether an input is a vector of int32, as far as is known."""
        value = self._node.inputs[index]
        rank = self._restated.shape_of(value).rank
        return value.dtype in (INT32, None) and rank in (1, None)

    def number(self, key: str, default: int = 0) -> int:
        """Return an integer (or bool) of the options."""
        value = self._node.attrs.get(key)
        return int(value) if isinstance(value, int) else default

    def text(self, key: str) -> bytes:
        """Return a name of the options."""
        value = self._node.attrs.get(key)
        return value if isinstance(value, bytes) else b""

    def numbers(self, key: str) -> list[int] | None:
        """Return the integers of the options; None if there are none."""
        value = self._node.attrs.get(key)
        return [one for one in value if isinstance(one, int)] if isinstance(value, list | tuple) else None

    @property
    def _dtype(self) -> DType:
        return (self._node.outputs[0].dtype if self._node.outputs else None) or INT32

    @property
    def count(self) -> int:
        """How many outputs it has."""
        return len(self._node.outputs)

    def list_of(self, numbers: Sequence[int]) -> Value:
        """Add a list of integers that the options hold, and TensorFlow takes as an input."""
        name = self._restated.graph.unique_name(f"{self._name} says")
        return self._restated.constant(name, INT32, Tensor.of(INT32, [len(numbers)], list(numbers)))

    def scalar(self, number: int) -> Value:
        """Add an integer."""
        name = self._restated.graph.unique_name(f"{self._name} says")
        return self._restated.constant(name, INT32, Tensor.of(INT32, [], [number]))

    def weights(self, *dims: int | None) -> Value:
        """Add weights of a shape, in the order of dimensions that TensorFlow has."""
        name = self._restated.graph.unique_name(f"{self._name} has")
        return self._restated.placeholder(name, self._dtype, Shape(dims))

    def become(self, op: str, *inputs: Value, **attrs: AttrValue) -> list[Value]:
        """Add the op; return its outputs."""
        graph = self._restated.graph
        node = graph.add_node(op, graph.unique_name(self._name), inputs, {"T": self._dtype, **attrs})
        return [node.output(port) for port in range(self.count)]


_UNPACKING = ("DEQUANTIZE", "DENSIFY", "QUANTIZE")


def _unpacked(value: Value) -> Value:
    """Return the constant that a tensor is made of by operators that keep shapes, else the tensor."""
    source = value
    while source.producer is not None and source.producer.op in _UNPACKING and source.producer.inputs:
        source = source.producer.inputs[0]
    return source if source.tensor is not None else value


Rule: TypeAlias = Callable[[RestatedOperator], "list[Value] | None"]
_RULES: dict[str, Rule] = {}


def _rule(*ops: str) -> Callable[[Rule], Rule]:
    def enter(function: Rule) -> Rule:
        _RULES.update(dict.fromkeys(ops, function))
        return function

    return enter


def _same(op: str, count: int) -> Rule:
    """Return a rule for operators whose inputs are those of an op."""
    return lambda operator: operator.become(op, *operator.inputs[:count])


for _name in (
    "ABS", "CAST", "CEIL", "COS", "CUMSUM", "DEQUANTIZE", "DENSIFY", "ELU", "EXP", "FAKE_QUANT", "FLOOR", "GELU",
    "HARD_SWISH", "L2_NORMALIZATION", "LEAKY_RELU", "LOCAL_RESPONSE_NORMALIZATION", "LOG", "LOGICAL_NOT", "LOGISTIC",
    "LOG_SOFTMAX", "NEG", "PRELU", "QUANTIZE", "RELU", "RELU6", "RELU_0_TO_1", "RELU_N1_TO_1", "REVERSE_SEQUENCE",
    "REVERSE_V2", "ROUND", "RSQRT", "SIGN", "SIN", "SOFTMAX", "SQRT", "SQUARE", "TANH", "ZEROS_LIKE",
):  # fmt: skip
    _RULES[_name] = _same("Identity", 1)
for _name, _op in {
    "ADD": "AddV2", "ATAN2": "Atan2", "DIV": "RealDiv", "EQUAL": "Equal", "FLOOR_DIV": "FloorDiv",
    "FLOOR_MOD": "FloorMod", "GREATER": "Greater", "GREATER_EQUAL": "GreaterEqual", "LESS": "Less",
    "LESS_EQUAL": "LessEqual", "LOGICAL_AND": "LogicalAnd", "LOGICAL_OR": "LogicalOr", "MAXIMUM": "Maximum",
    "MINIMUM": "Minimum", "MUL": "Mul", "NOT_EQUAL": "NotEqual", "POW": "Pow",
    "SQUARED_DIFFERENCE": "SquaredDifference", "SUB": "Sub", "BROADCAST_TO": "BroadcastTo", "FILL": "Fill",
    "GATHER_ND": "GatherNd", "MIRROR_PAD": "MirrorPad", "PAD": "Pad", "TILE": "Tile", "TRANSPOSE": "Transpose",
    "EXPAND_DIMS": "ExpandDims", "TOPK_V2": "TopKV2",
}.items():  # fmt: skip
    _RULES[_name] = _same(_op, 2)
for _name, _op in {
    "PADV2": "PadV2", "SELECT": "Select", "SELECT_V2": "SelectV2", "SLICE": "Slice", "RANGE": "Range",
    "SPACE_TO_BATCH_ND": "SpaceToBatchND", "BATCH_TO_SPACE_ND": "BatchToSpaceND",
}.items():  # fmt: skip
    _RULES[_name] = _same(_op, 3)
for _name in ("SUM", "MEAN", "REDUCE_MAX", "REDUCE_MIN", "REDUCE_PROD", "REDUCE_ANY", "REDUCE_ALL"):
    _RULES[_name] = lambda operator: operator.become(
        "Prod", operator.input(0), operator.input(1), keep_dims=bool(operator.number("keep_dims"))
    )
for _name in ("ARG_MAX", "ARG_MIN"):
    _RULES[_name] = lambda operator: operator.become("ArgMax", operator.input(0), operator.input(1))


def _window(operator: RestatedOperator) -> dict[str, AttrValue]:
    height, width = operator.number("dilation_h_factor", 1), operator.number("dilation_w_factor", 1)
    return {
        "strides": [1, operator.number("stride_h", 1), operator.number("stride_w", 1), 1],
        "dilations": [1, height or 1, width or 1, 1],
        "padding": operator.text("padding"),
        "data_format": b"NHWC",
    }


@_rule("CONV_2D")
def _conv_2d(operator: RestatedOperator) -> list[Value] | None:
    made, *sizes, depth = operator.dims(1, 4)
    return operator.become("Conv2D", operator.input(0), operator.weights(*sizes, depth, made), **_window(operator))


@_rule("DEPTHWISE_CONV_2D")
def _depthwise_conv_2d(operator: RestatedOperator) -> list[Value] | None:
    _, height, width, made = operator.dims(1, 4)
    depth = operator.last_dim(0)  # as stored: the multiplier of old files is missing, or wrong
    said = operator.number("depth_multiplier")
    if made and depth and made % depth and said and not made % said:
        depth = made // said  # what is stored of a tensor that is computed may be wrong
    if depth is None:  # nobody knows the multiplier; what comes out is what the weights make
        return operator.become(
            "Conv2D", operator.input(0), operator.weights(height, width, None, made), **_window(operator)
        )
    multiplier = made // depth if made and depth else None
    weights = operator.weights(height, width, depth, multiplier)
    return operator.become("DepthwiseConv2dNative", operator.input(0), weights, **_window(operator))


@_rule("TRANSPOSE_CONV")
def _transpose_conv(operator: RestatedOperator) -> list[Value] | None:
    made, *sizes, depth = operator.dims(1, 4)
    weights = operator.weights(*sizes, made, depth)
    return operator.become("Conv2DBackpropInput", operator.input(0), weights, operator.input(2), **_window(operator))


@_rule("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D")
def _pool(operator: RestatedOperator) -> list[Value] | None:
    size: AttrValue = [1, operator.number("filter_height", 1), operator.number("filter_width", 1), 1]
    attrs = {key: value for key, value in _window(operator).items() if key != "dilations"}
    return operator.become("MaxPool", operator.input(0), ksize=size, **attrs)


@_rule("FULLY_CONNECTED")
def _fully_connected(operator: RestatedOperator) -> list[Value] | None:
    units, depth = operator.dims(1, 2)
    given = operator.input(0)
    if operator.number("keep_num_dims"):
        return operator.become("BatchMatMulV2", given, operator.weights(depth, units))
    if depth is None:
        return None
    rows = operator.become("Reshape", given, operator.list_of([-1, depth]))[0]
    return operator.become("MatMul", rows, operator.weights(depth, units))


# Operators with a state -> the weights that say how many units there are, and their dimension.
_UNITS = {"UNIDIRECTIONAL_SEQUENCE_LSTM": (8, 1), "UNIDIRECTIONAL_SEQUENCE_RNN": (1, 0), "RNN": (1, 0), "SVDF": (1, 0)}


@_rule(*_UNITS)
def _recurrent(operator: RestatedOperator) -> list[Value] | None:
    """Restate one output: that of the input for each step, with as many elements as there are units."""
    place, axis = _UNITS[operator.op]
    units = operator.dims(place, 2)[axis]
    if operator.op == "SVDF":
        units = units // (operator.number("rank") or 1) if units is not None else None
    depth = operator.last_dim(0)
    return operator.become("BatchMatMulV2", operator.input(0), operator.weights(depth, units))


@_rule("LSTM")
def _lstm(operator: RestatedOperator) -> list[Value] | None:
    """Restate one step of the kernel that keeps its states itself; the basic one hands them on as outputs."""
    if operator.count != 1:
        return None
    depth = operator.last_dim(0)
    units = operator.last_dim(_PROJECTION) or operator.dims(_RECURRENT, 2)[1]
    return operator.become("BatchMatMulV2", operator.input(0), operator.weights(depth, units))


_RECURRENT, _PROJECTION = 8, 18  # recurrent weights of the output gate; the state that is as wide as the output


@_rule("BATCH_MATMUL")
def _batch_matmul(operator: RestatedOperator) -> list[Value] | None:
    first, second = bool(operator.number("adj_x")), bool(operator.number("adj_y"))
    return operator.become("BatchMatMulV2", *operator.inputs[:2], adj_x=first, adj_y=second)


@_rule("RESHAPE")
def _reshape(operator: RestatedOperator) -> list[Value] | None:
    if len(operator.inputs) > 1 and operator.is_int32_vector(1):  # the kernel passes over any other
        return operator.become("Reshape", *operator.inputs[:2])
    said = operator.numbers("new_shape")
    return None if said is None else operator.become("Reshape", operator.input(0), operator.list_of(said))


@_rule("SQUEEZE")
def _squeeze(operator: RestatedOperator) -> list[Value] | None:
    axes: AttrValue = [*(operator.numbers("squeeze_dims") or ())]
    return operator.become("Squeeze", operator.input(0), squeeze_dims=axes)


@_rule("SHAPE")
def _shape(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("Shape", operator.input(0), T=INT32, out_type=INT32)


@_rule("RANK")
def _rank(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("Rank", operator.input(0), T=INT32)


@_rule("CONCATENATION")
def _concatenation(operator: RestatedOperator) -> list[Value] | None:
    axis = operator.scalar(operator.number("axis"))
    return operator.become("ConcatV2", *operator.inputs, axis, N=len(operator.inputs), Tidx=INT32)


@_rule("PACK")
def _pack(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("Pack", *operator.inputs, N=len(operator.inputs), axis=operator.number("axis"))


@_rule("UNPACK")
def _unpack(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("Unpack", operator.input(0), num=operator.count, axis=operator.number("axis"))


@_rule("SPLIT")
def _split(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("Split", *operator.inputs[:2], num_split=operator.count)


@_rule("SPLIT_V")
def _split_v(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("SplitV", *operator.inputs[:3], num_split=operator.count, Tlen=INT32)


@_rule("STRIDED_SLICE")
def _strided_slice(operator: RestatedOperator) -> list[Value] | None:
    masks: dict[str, AttrValue] = {key: operator.number(key) for key in _MASKS}
    return operator.become("StridedSlice", *operator.inputs[:4], Index=INT32, **masks)


_MASKS = ("begin_mask", "end_mask", "ellipsis_mask", "new_axis_mask", "shrink_axis_mask")


@_rule("GATHER")
def _gather(operator: RestatedOperator) -> list[Value] | None:
    axis, batch_dims = operator.scalar(operator.number("axis")), operator.number("batch_dims")
    return operator.become("GatherV2", *operator.inputs[:2], axis, batch_dims=batch_dims)


@_rule("SCATTER_ND")
def _scatter_nd(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("ScatterNd", *(operator.input(index) for index in range(3)), Tindices=INT32)


@_rule("EMBEDDING_LOOKUP")
def _embedding_lookup(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("GatherV2", operator.input(1), operator.input(0), operator.scalar(0), batch_dims=0)


@_rule("ONE_HOT")
def _one_hot(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("OneHot", *operator.inputs[:4], axis=operator.number("axis", -1))


@_rule("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR")
def _resize(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("ResizeBilinear", *operator.inputs[:2])


@_rule("SPACE_TO_DEPTH")
def _space_to_depth(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("SpaceToDepth", operator.input(0), block_size=operator.number("block_size"))


@_rule("DEPTH_TO_SPACE")
def _depth_to_space(operator: RestatedOperator) -> list[Value] | None:
    return operator.become("DepthToSpace", operator.input(0), block_size=operator.number("block_size"))
