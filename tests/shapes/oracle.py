"""TensorFlow's shape inference beside ours, for instances of ops."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import TypeAlias

from graphsurgeon.model import DType, MetaGraph, Shape, Tensor
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.ops import catalog
from graphsurgeon.shapes import infer_shapes
from tests.shapes.op_cases import FUNCTION, Given, OpCase

REFUSED = "refused"
NOW = 2000  # the version of a graph that is made today

Theirs: TypeAlias = "list[tuple[DType, Shape]] | None"


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
        if any(t[0] is not o[0] for t, o in zip(self.theirs, self.ours, strict=True)):
            return "dtype"
        if self.is_uninferred:
            return "none"
        verdicts = {compare(t[1], o[1]) for t, o in zip(self.theirs, self.ours, strict=True)}
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


class OpOracle:
    """Asks TensorFlow about op instances, one after the other in one graph, and then us about all of them at once."""

    def __init__(self) -> None:
        import tensorflow as tf

        self._graph = tf.Graph()
        self._inputs: dict[str, object] = {}  # shared by instances: making them is most of the work
        self._asked: list[tuple[OpCase, Theirs, str]] = []
        self._count = 0

    def ask(self, case: OpCase) -> tuple[Theirs, str]:
        """Return what TensorFlow says of each output, or None and its reason for refusing the instance."""
        import tensorflow as tf

        self._count += 1
        scope = f"case{self._count}"
        try:
            version = version_for(case.op)
            if version < NOW:
                return asked_of_old(case, version), ""
            with self._graph.as_default():
                return _known(_their_node(self._graph, scope, case, self._inputs)), ""
        # IndexError is what some shape functions of TensorFlow end with.
        except (ValueError, TypeError, OverflowError, IndexError, tf.errors.OpError) as error:
            return None, str(error)

    def keep(self, case: OpCase, theirs: Theirs, message: str = "") -> None:
        """Remember an instance as it is now, to be compared."""
        self._asked.append((copy.deepcopy(case), theirs, message))

    def comparisons(self) -> list[tuple[OpCase, Comparison]]:
        """Infer everything that was kept, and compare."""
        graphs: dict[int, Graph] = {}
        nodes = []
        for number, (case, _, _) in enumerate(self._asked):
            version = version_for(case.op)
            graph = graphs.setdefault(version, MetaGraph().graph)
            graph.metagraph.producer["graph_version"] = version
            nodes.append(_our_node(graph, f"case{number}", case))
        reports = {graph: infer_shapes(graph) for graph in graphs.values()}
        uninferred = {node for report in reports.values() for node in report.uninferred}
        found = []
        for (case, theirs, message), node in zip(self._asked, nodes, strict=True):
            values = [node.output(port) for port in range(len(theirs) if theirs is not None else 1)]
            ours = [(reports[node.graph].dtype(value), reports[node.graph].shape(value)) for value in values]
            found.append((case, Comparison(theirs, ours, node in uninferred, message)))
        return found


def version_for(op: str) -> int:
    """Return the version that a graph must have to hold an op."""
    definition = catalog.get(op)
    return definition.deprecated_since - 1 if definition is not None and definition.deprecated_since else NOW


def asked_of_old(case: OpCase, version: int) -> Theirs:
    """Import a graph of an old version, since TensorFlow adds an op that it has removed to no graph of its own."""
    import tensorflow as tf

    graph = tf.Graph()
    with graph.as_default():
        inputs = [_their_input(graph, f"in{index}", given, {}) for index, given in enumerate(case.inputs)]
    graph_def = graph.as_graph_def()
    node = graph_def.node.add(op=case.op, name="op", input=[tensor.name for tensor in inputs])
    for name, value in case.known_attrs.items():
        node.attr[name].CopyFrom(_proto(value))
    graph_def.versions.producer = version
    with tf.Graph().as_default() as imported:
        tf.graph_util.import_graph_def(graph_def, name="")
    return _known(imported.get_operation_by_name("op"))


def _known(operation: object) -> list[tuple[DType, Shape]]:
    return [(DType.of(o.dtype.as_datatype_enum), shape_of(o.shape)) for o in operation.outputs]


def shape_of(shape: object) -> Shape:
    """Return a `tf.TensorShape` as ours."""
    return Shape(None) if shape.rank is None else Shape(shape.as_list())


def _our_node(graph: Graph, name: str, case: OpCase) -> Node:
    values = [_our_input(graph, f"{name}/in{index}", given) for index, given in enumerate(case.inputs)]
    attrs = {key: value for key, value in case.known_attrs.items() if not _names_function(value)}
    return graph.add_node(case.op, name, values, attrs, checked=False)


def _our_input(graph: Graph, name: str, given: Given) -> Value:
    if given.made_by is not None:
        return _our_node(graph, name, given.made_by).output()
    if given.is_ref:
        return graph.add_node(
            "VariableV2", name, (), {"dtype": given.dtype.base, "shape": given.shape}, checked=False
        ).output()
    if given.elements is not None:
        tensor = Tensor.of(given.dtype, [d or 0 for d in given.shape], given.elements)
        return graph.add_node("Const", name, (), {"dtype": given.dtype, "value": tensor}, checked=False).output()
    return graph.add_node("Placeholder", name, (), {"dtype": given.dtype, "shape": given.shape}, checked=False).output()


def _their_node(graph: object, name: str, case: OpCase, made: dict[str, object]) -> object:
    inputs = [_their_input(graph, f"{name}/in{index}", given, made) for index, given in enumerate(case.inputs)]
    attrs = {key: _proto(value) for key, value in case.known_attrs.items()}
    return graph.create_op(case.op, inputs, None, name=name, attrs=attrs)


def _their_input(graph: object, name: str, given: Given, made: dict[str, object]) -> object:
    if given.made_by is not None:
        return _their_node(graph, name, given.made_by, made).outputs[0]
    key = repr((given.dtype, given.shape, given.elements, given.is_ref))
    if key not in made:
        made[key] = _their_source(graph, name, given)
    return made[key]


def _their_source(graph: object, name: str, given: Given) -> object:
    import tensorflow as tf

    dtype = tf.dtypes.as_dtype(given.dtype.base.number)
    shape = tf.TensorShape(given.shape.to_json())
    if given.is_ref:
        attrs = {"dtype": _proto(given.dtype.base), "shape": _proto(given.shape)}
        return graph.create_op("VariableV2", [], [dtype], name=name, attrs=attrs).outputs[0]
    if given.elements is not None:
        return tf.constant(given.elements, dtype=dtype, shape=given.shape.to_json(), name=name)
    return tf.compat.v1.placeholder(dtype, shape, name=name)


def _names_function(value: object) -> bool:
    return value is FUNCTION or (isinstance(value, list) and FUNCTION in value)


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
    elif isinstance(value, Tensor):
        _fill_tensor(message.tensor, value)
    else:
        message.func.name = "missing"
    return message


def _fill_tensor(message: object, value: Tensor) -> None:
    import tensorflow as tf

    dtype = tf.dtypes.as_dtype(value.dtype.number)
    message.CopyFrom(tf.make_tensor_proto(value.items(), dtype, value.shape.to_json()))


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
    elif item is FUNCTION:
        message.func.add(name="missing")


def _fill_shape(message: object, shape: Shape) -> None:
    if shape.dims is None:
        message.unknown_rank = True
    message.SetInParent()
    for size in shape:
        message.dim.add(size=-1 if size is None else size)
