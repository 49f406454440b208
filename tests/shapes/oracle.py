"""TensorFlow's shape inference beside ours, for one op instance or a whole graph."""

from __future__ import annotations

from dataclasses import dataclass

from graphsurgeon.model import DType, MetaGraph, Shape, Tensor
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.shapes import infer_shapes
from tests.shapes.op_cases import Given, OpCase

REFUSED = "refused"


@dataclass(frozen=True)
class Comparison:
    """What TensorFlow and we say of each output of an op; `theirs` is None if TensorFlow refuses the case."""

    theirs: list[tuple[DType, Shape]] | None
    ours: list[tuple[DType | None, Shape]]
    is_uninferred: bool
    message: str = ""

    @property
    def verdict(self) -> str:
        """`equal`, `less` (they know more), `more` (we do), `wrong` (a contradiction), `refused`, `none`."""
        if self.theirs is None:
            return REFUSED
        if self.is_uninferred:
            return "none"
        verdicts = {compare(t[1], o[1]) for t, o in zip(self.theirs, self.ours, strict=True)}
        if any(t[0] is not o[0] for t, o in zip(self.theirs, self.ours, strict=True)):
            return "dtype"
        return next((v for v in ("wrong", "less", "more") if v in verdicts), "equal")


def compare(theirs: Shape, ours: Shape) -> str:
    """Say how our shape stands to theirs: `equal`, `less`, `more`, `wrong`."""
    if theirs == ours:
        return "equal"
    if not theirs.is_compatible_with(ours):
        return "wrong"
    if ours.dims is None:
        return "less"
    if theirs.dims is None:
        return "more"
    return "less" if any(t is not None and o is None for t, o in zip(theirs.dims, ours.dims, strict=True)) else "more"


def compare_op(case: OpCase) -> Comparison:
    """Build an op instance in TensorFlow and in our model, and infer both."""
    import tensorflow as tf

    metagraph = MetaGraph()
    metagraph.producer["graph_version"] = 2000
    graph = metagraph.graph
    values = [_our_input(graph, index, given) for index, given in enumerate(case.inputs)]
    attrs = {name: value for name, value in case.attrs.items() if value is not None}
    node = graph.add_node(case.op, "op", values, attrs)
    report = infer_shapes(graph)
    theirs = None
    message = ""
    with tf.Graph().as_default() as tf_graph:
        try:
            inputs = [_their_input(tf_graph, index, given) for index, given in enumerate(case.inputs)]
            outputs = _create(tf_graph, case, inputs)
            theirs = [(DType.of(o.dtype.as_datatype_enum), shape_of(o.shape)) for o in outputs]
        except (ValueError, TypeError, OverflowError, tf.errors.OpError) as error:
            message = str(error)
    count = len(theirs) if theirs is not None else 1
    ours = [(report.dtype(node.output(port)), report.shape(node.output(port))) for port in range(count)]
    return Comparison(theirs, ours, bool(report.uninferred), message)


def shape_of(shape: object) -> Shape:
    """Return a `tf.TensorShape` as ours."""
    return Shape(None) if shape.rank is None else Shape(shape.as_list())


def _our_input(graph: Graph, index: int, given: Given) -> Value:
    name = f"in{index}"
    if given.is_ref:
        return graph.add_node("VariableV2", name, (), {"dtype": given.dtype.base, "shape": given.shape}).output()
    if given.elements is not None:
        tensor = Tensor.of(given.dtype, [d or 0 for d in given.shape], given.elements)
        return graph.add_node("Const", name, (), {"dtype": given.dtype, "value": tensor}).output()
    return graph.add_node("Placeholder", name, (), {"dtype": given.dtype, "shape": given.shape}).output()


def _their_input(graph: object, index: int, given: Given) -> object:
    import tensorflow as tf

    dtype = tf.dtypes.as_dtype(given.dtype.base.number)
    name = f"in{index}"
    shape = tf.TensorShape(given.shape.to_json())
    if given.is_ref:
        attrs = {"dtype": _proto(given.dtype.base), "shape": _proto(given.shape)}
        return graph.create_op("VariableV2", [], [dtype], name=name, attrs=attrs).outputs[0]
    if given.elements is not None:
        return tf.constant(given.elements, dtype=dtype, shape=given.shape.to_json(), name=name)
    return tf.compat.v1.placeholder(dtype, shape, name=name)


def _create(graph: object, case: OpCase, inputs: list[object]) -> list[object]:
    attrs = {name: _proto(value) for name, value in case.attrs.items() if value is not None}
    return graph.create_op(case.op, inputs, None, name="op", attrs=attrs).outputs


def _proto(value: object) -> object:
    from tensorflow.core.framework import attr_value_pb2

    message = attr_value_pb2.AttrValue()
    if isinstance(value, list):
        message.list.SetInParent()
        for item in value:
            _append(message.list, item)
    elif isinstance(value, bool):
        message.b = value
    elif isinstance(value, int):
        message.i = value
    elif isinstance(value, float):
        message.f = value
    elif isinstance(value, bytes):
        message.s = value
    elif isinstance(value, DType):
        message.type = value.number
    elif isinstance(value, Shape):
        _fill_shape(message.shape, value)
    return message


def _append(message: object, item: object) -> None:
    if isinstance(item, bool):
        message.b.append(item)
    elif isinstance(item, int):
        message.i.append(item)
    elif isinstance(item, float):
        message.f.append(item)
    elif isinstance(item, bytes):
        message.s.append(item)
    elif isinstance(item, DType):
        message.type.append(item.number)
    elif isinstance(item, Shape):
        _fill_shape(message.shape.add(), item)


def _fill_shape(message: object, shape: Shape) -> None:
    if shape.dims is None:
        message.unknown_rank = True
    message.SetInParent()
    for size in shape:
        message.dim.add(size=-1 if size is None else size)
