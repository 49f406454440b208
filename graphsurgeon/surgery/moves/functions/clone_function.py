"""Copies of functions under new names, with the custom gradients that belong to them.

A custom gradient that captures tensors captures them from one function; a plain copy of that function would
lose its gradient (`docs/formats.md`). So the gradient function, its entry in the object graph and the captured
tensors are copied too, and the copy's nodes name the new gradient.
"""

from __future__ import annotations

from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import ConcreteFunction, ObjectGraph, ObjectNode

GRADIENT_TYPE = "_gradient_op_type"
CAPTURED = "captured_tensor"


def clone_function(metagraph: MetaGraph, function: Graph) -> Graph:
    """Enter a copy of a function into the library; the original and whoever uses it stay as they are."""
    copy = function.clone(metagraph.unique_function_name(f"{function.name}_clone"))
    metagraph.add_function(copy)
    if metagraph.objects is not None:
        for op_type in _gradient_types(function):
            _clone_gradient(metagraph, metagraph.objects, op_type, function, copy)
    return copy


def twin(value: Value, original: Graph, copy: Graph) -> Value:
    """Return the value of a copy that corresponds to one of the original."""
    if value.producer is None:
        return copy.inputs[original.inputs.index(value)]
    node = copy.node(value.producer.name)
    assert node is not None
    return node.output(value.port)


def _gradient_types(function: Graph) -> list[str]:
    found = [node.attrs.get(GRADIENT_TYPE) for node in function.nodes]
    return list(dict.fromkeys(value.decode("utf-8", "surrogateescape") for value in found if isinstance(value, bytes)))


def _clone_gradient(metagraph: MetaGraph, objects: ObjectGraph, op_type: str, function: Graph, copy: Graph) -> None:
    gradient = metagraph.registered_gradients.get(op_type)
    concrete = objects.concrete(gradient) if isinstance(gradient, Graph) else None
    if not isinstance(gradient, Graph) or concrete is None:
        return
    if not any(_is_captured_from(node, function) for node in concrete.bound_inputs):
        return
    new = gradient.clone(metagraph.unique_function_name(f"{gradient.name}_clone"))
    metagraph.add_function(new)
    bound = [_clone_captured(objects, node, function, copy) for node in concrete.bound_inputs]
    objects.concrete_functions.append(ConcreteFunction(new, bound, concrete.raw))
    new_type = _free_type(metagraph, op_type)
    metagraph.registered_gradients[new_type] = new
    for node in copy.nodes:
        if node.attrs.get(GRADIENT_TYPE) == op_type.encode("utf-8", "surrogateescape"):
            node.attrs[GRADIENT_TYPE] = new_type.encode("utf-8", "surrogateescape")


def _is_captured_from(node: ObjectNode, function: Graph) -> bool:
    return node.kind == CAPTURED and function in node.functions


def _clone_captured(objects: ObjectGraph, node: ObjectNode, function: Graph, copy: Graph) -> ObjectNode:
    target = node.mention.target if node.mention is not None and _is_captured_from(node, function) else None
    if not isinstance(target, Value):
        return node
    captured = ObjectNode(CAPTURED, node.raw)
    captured.functions = [copy]
    captured.mention = Mention.of(twin(target, function, copy), f"tensor captured from {copy.name}")
    objects.nodes.append(captured)
    return captured


def _free_type(metagraph: MetaGraph, op_type: str) -> str:
    number = 1
    while f"{op_type}_{number}" in metagraph.registered_gradients:
        number += 1
    return f"{op_type}_{number}"
