"""Attributes as the op's definition completes them: what a node leaves out has the default."""

from __future__ import annotations

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, Node, Value
from graphsurgeon.ops import catalog


def attribute(node: Node, name: str) -> AttrValue:
    """Return an attribute of a node, or the default of its op; None where there is neither."""
    value = node.attrs.get(name)
    if value is not None:
        return value
    opdef = catalog.of(node)
    return None if opdef is None else opdef.attr({}, name)


def dtype_of(value: Value) -> DType | None:
    """Return the dtype of a value as its op's definition, or the argument, gives it; None if unknown."""
    if value.producer is None:
        return value.dtype
    dtypes = value.producer.output_dtypes()
    if dtypes is None or not isinstance(value.port, int) or value.port >= len(dtypes):
        return None
    return dtypes[value.port]
