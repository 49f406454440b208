"""Functions whose nodes leave attributes open (`placeholder: "T"`), to be told by whoever calls them."""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.graph import AttrValue, FunctionRef, Node

Bindings = Mapping[str, AttrValue]


def bindings_of(call: Node) -> dict[str, AttrValue]:
    """Return what a plain call tells its function: the node's own attributes for a native call, else those of `f`."""
    if call.callee is not None:
        return {key: call.attrs[key] for key in call.attrs if not key.startswith("_")}
    target = call.attrs.get("f")
    return dict(target.attrs) if isinstance(target, FunctionRef) else {}


def bind_attrs(node: Node, bindings: Bindings) -> None:
    """Give the attributes of a node that are left open the values that a caller binds them to.

    Raises:
        UnsupportedError: the caller does not say one of them.
    """
    for key in list(node.attrs):
        value = node.attrs[key]
        bound = _bound(value, bindings, node)
        if bound is not value:
            node.attrs[key] = bound


def _bound(value: AttrValue, bindings: Bindings, node: Node) -> AttrValue:
    if isinstance(value, str):
        if value not in bindings:
            raise UnsupportedError(f"{node.name!r} takes its attribute {value!r} from a caller that does not give it")
        return bindings[value]
    if isinstance(value, FunctionRef) and any(isinstance(item, str | FunctionRef) for item in value.attrs.values()):
        attrs = {key: _bound(item, bindings, node) for key, item in value.attrs.items()}
        return FunctionRef(value.graph, value.name, attrs)
    if isinstance(value, list) and any(isinstance(item, FunctionRef) for item in value):
        return [_bound(item, bindings, node) for item in value]
    return value
