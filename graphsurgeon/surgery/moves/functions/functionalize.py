"""Make a function of the part of a main graph between given inputs and outputs.

Variables, tables and other resources become captured arguments, bound to the objects that the object graph
has for them; everything else on the way is copied. This is what lets `tf.saved_model.load` run a signature
that was made of main-graph tensors.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from graphsurgeon.analysis.flow.restore_map import restore_map
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.dtype import RESOURCE, STRING, DType
from graphsurgeon.model.graph import Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import ObjectGraph, ObjectNode
from graphsurgeon.model.traversal import producers, upstream
from graphsurgeon.ops.kinds import MUST_BE_FED
from graphsurgeon.surgery.moves.functions.call_nodes import result_name


@dataclass(frozen=True)
class PartBetween:
    """The nodes between inputs and outputs.

    Attributes:
        nodes: every node to be copied, in graph order.
        handles: resource handles that become captured arguments, in graph order.
        unfed: placeholders that the outputs need and no input replaces.
    """

    nodes: list[Node]
    handles: list[Node]
    unfed: list[Node]


def part_between(
    graph: Graph, inputs: list[Value], outputs: list[Value], captured: Collection[Node] = ()
) -> PartBetween:
    """Return what the outputs need of a main graph when the inputs are given.

    Args:
        graph: a main graph.
        inputs, outputs: of it.
        captured: nodes whose output 0 an object stands for, as `captured_assets` finds them: what they need is not.
    """
    fed = {*inputs, *(node.output() for node in captured)}
    needed = upstream(producers(outputs, fed), fed=fed)
    read = {node for node in captured if any(user in needed for user in node.output().consumers)}
    ordered = [node for node in graph.nodes if node in needed or node in read]
    handles = [node for node in ordered if node in read or is_handle(node)]
    unfed = [node for node in ordered if node.op in MUST_BE_FED]
    outside = {*handles, *unfed}
    return PartBetween([node for node in ordered if node not in outside], handles, unfed)


def captured_assets(metagraph: MetaGraph) -> set[Node]:
    """Return the nodes that yield the path of an asset where functions are called that capture the asset.

    A main graph holds such a path in a variable that is set on load; for `tf.saved_model.load` the object is the path.
    """
    objects = metagraph.objects
    found = _captured(metagraph, objects) if objects is not None else {}
    return {node for node, bound in found.items() if bound.kind == "asset"}


def is_handle(node: Node) -> bool:
    """Say whether a node only stands for a resource that lives outside the graph: a variable, a table."""
    return not node.inputs and node.output_dtypes() == [RESOURCE]


def bound_objects(metagraph: MetaGraph, handles: list[Node], checkpoint: Checkpoint | None) -> list[ObjectNode]:
    """Return the object that the object graph has for each handle.

    Calls of known functions pair their last inputs with the function's captures; a handle that no such call
    takes is followed through its checkpoint key and the object paths. The two may differ (Keras tracks variables
    twice); the first is what signatures use.

    Raises:
        UnsupportedError: a handle has no object.
    """
    objects = metagraph.objects
    assert objects is not None
    known = _captured(metagraph, objects)
    missing = [node for node in handles if node not in known]
    if missing and checkpoint is not None:
        known |= _restored(metagraph, objects, checkpoint)
    lost = [node for node in handles if node not in known]
    if lost:
        raise UnsupportedError(
            f"{lost[0].name!r} ({lost[0].op}) has no counterpart in the object graph for `tf.saved_model.load`",
            hint="choose a tensor that does not need it",
        )
    return [known[node] for node in handles]


def make_function(
    metagraph: MetaGraph,
    name: str,
    part: PartBetween,
    inputs: Mapping[str, tuple[Value, DType]],
    outputs: Mapping[str, tuple[Value, DType]],
) -> Graph:
    """Enter a function that computes the outputs; its arguments are the inputs, then the handles, as given.

    Raises:
        UsageError: an output is not computed from the part.
    """
    function = metagraph.new_function(metagraph.unique_function_name(name))
    values: dict[Value, Value] = {}
    arguments = [_argument(function, key, value, dtype, values) for key, (value, dtype) in inputs.items()]
    arguments += [_argument(function, node.name, node.output(), _held_type(node), values) for node in part.handles]
    function.inputs = arguments
    nodes = {node: function.adopt(node, function.unique_name(node.name)) for node in part.nodes}
    for node, copy in nodes.items():
        copy.inputs = [_inside(value, values, nodes) for value in node.inputs]
        copy.controls = [nodes[other] for other in node.controls if other in nodes]
        for key in ("_class", "_output_shapes"):
            copy.attrs.pop(key, None)
    for key, (value, dtype) in outputs.items():
        function.outputs.append(Output(result_name(function, key), _inside(value, values, nodes), dtype))
    return function


def _argument(function: Graph, name: str, value: Value, dtype: DType, values: dict[Value, Value]) -> Value:
    taken = {known.name for known in values.values()}
    base = "".join(c if c.isalnum() and c.isascii() else "_" for c in name.lower()).lstrip("_0123456789") or "input"
    number, free = 0, base
    while free in taken:
        number += 1
        free = f"{base}_{number}"
    argument = Value(function, None, len(values), free)
    argument.dtype = dtype
    values[value] = argument
    return argument


def _held_type(node: Node) -> DType:
    """Return the type of what an object stands for: a resource, or the path of an asset."""
    return RESOURCE if is_handle(node) else STRING


def _inside(value: Value, values: Mapping[Value, Value], nodes: Mapping[Node, Node]) -> Value:
    if value in values:
        return values[value]
    node = nodes.get(value.producer) if value.producer is not None else None
    if node is None:
        raise UsageError(f"{value} is not computed from the inputs")
    return node.output(value.port)


def _captured(metagraph: MetaGraph, objects: ObjectGraph) -> dict[Node, ObjectNode]:
    known: dict[Node, ObjectNode] = {}
    for node in metagraph.graph.nodes:
        for function in node.functions:
            concrete = objects.concrete(function)
            if concrete is None or not concrete.bound_inputs:
                continue
            captures = node.inputs[-len(concrete.bound_inputs) :]
            for value, bound in zip(captures, concrete.bound_inputs, strict=False):
                if value.producer is not None:
                    known.setdefault(value.producer, bound)
    return known


def _restored(metagraph: MetaGraph, objects: ObjectGraph, checkpoint: Checkpoint) -> dict[Node, ObjectNode]:
    paths = _paths(checkpoint.objects)
    found: dict[Node, ObjectNode] = {}
    for node, restored in restore_map(metagraph).variables.items():
        place: ObjectNode | None = objects.root
        for local in paths.get(restored.key, ()):
            place = place.child(local) if place is not None else None
        if restored.key in paths and place is not None and place.kind == "variable":
            found[node] = place
    return found


def _paths(objects: ObjectGraph | None) -> dict[str, tuple[str, ...]]:
    """Return the local names that lead from the root of a checkpoint's object graph to each key."""
    paths: dict[str, tuple[str, ...]] = {}
    seen: set[ObjectNode] = set()
    waiting: list[tuple[ObjectNode, tuple[str, ...]]] = [(objects.root, ())] if objects and objects.nodes else []
    for node, path in waiting:
        if node in seen:
            continue
        seen.add(node)
        for _, _, key in node.attributes:
            paths.setdefault(key, path)
        waiting += [(child, (*path, local)) for local, child in node.children]
    return paths
