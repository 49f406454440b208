"""Attributes of ONNX nodes as values of the model.

Strings are bytes, graphs are references to the subgraphs of the model, element types that stand as numbers
(`Cast.to`) are DTypes. A reference to an attribute of the function around (`ref_attr_name`) is a `str`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from graphsurgeon.formats.onnx.types import dtype_of, type_text
from graphsurgeon.model.dtype import FLOAT32, INT64, STRING
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from graphsurgeon.formats.onnx.tensors import Store

GRAPH, GRAPHS = 5, 10  # AttributeProto.AttributeType
_FIELDS = {
    1: "f", 2: "i", 3: "s", 4: "t", 5: "g", 6: "floats", 7: "ints", 8: "strings", 9: "tensors", 10: "graphs",
    11: "sparse_tensor", 12: "sparse_tensors", 13: "tp", 14: "type_protos",
}  # fmt: skip
# Attributes that hold a number of TensorProto.DataType, by the comments at the operators.
_TYPES = frozenset({"to", "dtype", "output_dtype", "output_datatype", "stash_type", "softmax_precision"})
_CONSTANTS: dict[str, tuple[Any, bool]] = {  # of the op Constant: element type, and whether it is a list
    "value_float": (FLOAT32, False), "value_int": (INT64, False), "value_string": (STRING, False),
    "value_floats": (FLOAT32, True), "value_ints": (INT64, True), "value_strings": (STRING, True),
}  # fmt: skip
GraphOf = Callable[[Any], Graph | None]


def decode(attributes: Any, store: Store, graph_of: GraphOf) -> dict[str, AttrValue]:
    """Return attributes by name; of two with one name the first.

    Args:
        attributes: of a node or function.
        store: where values of tensors lie.
        graph_of: gives the Graph that stands for a `GraphProto`.
    """
    found: dict[str, AttrValue] = {}
    for attribute in attributes:
        found.setdefault(attribute.name, _value(attribute, store, graph_of))
    return found


def subgraphs(node: Any) -> Iterator[tuple[str, Any]]:
    """Yield name and `GraphProto` of each graph among the attributes of a node; of several in one, `name[i]`."""
    for attribute in node.attribute:
        kind = attribute.type
        if kind == GRAPH or (kind == 0 and attribute.HasField("g")):
            yield attribute.name, attribute.g
        elif kind == GRAPHS:
            yield from ((f"{attribute.name}[{number}]", graph) for number, graph in enumerate(attribute.graphs))


def references(node: Any, graph_of: GraphOf) -> list[FunctionRef]:
    """Return the graphs that attributes of a node hold."""
    return [FunctionRef(graph_of(message), name) for name, message in subgraphs(node)]


def constant(attributes: Mapping[str, AttrValue]) -> Tensor | None:
    """Return what a node of the op Constant yields, None if its attributes do not tell."""
    for name, value in attributes.items():
        if isinstance(value, Tensor):
            return value
        dtype, is_list = _CONSTANTS.get(name, (None, False))
        if dtype is not None and isinstance(value, (list, int, float, bytes)):
            items: Any = value if isinstance(value, list) else [value]
            return Tensor.of(dtype, [len(items)] if is_list else [], items)
    return None


def _value(attribute: Any, store: Store, graph_of: GraphOf) -> AttrValue:
    if attribute.ref_attr_name:
        return str(attribute.ref_attr_name)
    field = _FIELDS.get(attribute.type) or _field_in_use(attribute)
    value = getattr(attribute, field)
    if field in ("floats", "ints", "strings"):
        return list(value)
    if field == "i" and attribute.name in _TYPES:
        return dtype_of(value) or int(value)
    if field in ("f", "i", "s"):
        return value  # type: ignore[no-any-return]
    one = _ONE[field]
    if field in ("tensors", "graphs", "sparse_tensors", "type_protos"):
        return [one(item, store, graph_of) for item in value]
    return one(value, store, graph_of)


def _field_in_use(attribute: Any) -> str:
    """Return the field that holds something: the first versions of ONNX did not tell which."""
    used = {descriptor.name for descriptor, _ in attribute.ListFields()}
    return next((field for number, field in sorted(_FIELDS.items()) if field in used), "i")


_ONE: dict[str, Callable[[Any, Any, GraphOf], AttrValue]] = {}
for _field in ("t", "tensors"):
    _ONE[_field] = lambda item, store, _: store.tensor(item)
for _field in ("sparse_tensor", "sparse_tensors"):
    _ONE[_field] = lambda item, store, _: store.sparse_tensor(item)
for _field in ("g", "graphs"):
    _ONE[_field] = lambda item, _, graph_of: FunctionRef(graph_of(item), item.name)
for _field in ("tp", "type_protos"):
    _ONE[_field] = lambda item, *_: type_text(item).encode()
