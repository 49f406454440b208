"""Call nodes and the functions they call, changed together.

A caller's `Tin`, `Tout`, `_output_shapes` and `_read_only_resource_inputs` follow the arguments and results
of the function; a list of the wrong length does not load.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import FunctionRef, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape

READ_ONLY = "_read_only_resource_inputs"


def users_of(metagraph: MetaGraph, function: Graph) -> list[Node]:
    """Return every node that names the function: calls, branches, loop bodies, in any graph of the MetaGraph."""
    return [node for graph in metagraph.graphs for node in graph.nodes if function in node.functions]


def retarget(node: Node, old: Graph, new: Graph) -> None:
    """Make a node name another function in place of one."""
    if node.callee is old:
        node.op = new
    for key in list(node.attrs):
        value = node.attrs[key]
        if isinstance(value, FunctionRef) and value.graph is old:
            node.attrs[key] = FunctionRef(new, attrs=value.attrs)
        elif isinstance(value, list) and any(isinstance(item, FunctionRef) and item.graph is old for item in value):
            node.attrs[key] = [
                FunctionRef(new, attrs=item.attrs) if isinstance(item, FunctionRef) and item.graph is old else item
                for item in value
            ]


def result_name(function: Graph, name: str) -> str:
    """Return a free, legal name of a result; argument definitions allow lower-case letters, digits and _."""
    base = "".join(c if c.isalnum() and c.isascii() else "_" for c in name.lower())
    base = base if base[:1].isalpha() else f"output_{base}"
    taken = {output.name for output in function.outputs} | {value.name for value in function.inputs}
    number, free = 0, base
    while free in taken:
        number += 1
        free = f"{base}_{number}"
    return free


def reorder_inputs(call: Node, order: Sequence[int]) -> None:
    """Put the first inputs of a call into another order: `order[i]` is the old position of the new i-th."""
    places = [*order, *range(len(order), len(call.inputs))]
    call.inputs = [call.inputs[place] for place in places]
    _reorder_attr(call, "Tin", places, len(places))
    read_only = call.attrs.get(READ_ONLY)
    if isinstance(read_only, list):
        call.attrs[READ_ONLY] = [place for place, index in enumerate(places) if index in read_only]


def reorder_outputs(call: Node, order: Sequence[int]) -> None:
    """Put the outputs of a call into another order; whoever reads one goes on reading the same value."""
    call.move_outputs({old: new for new, old in enumerate(order)})
    _reorder_attr(call, "Tout", order, len(order))
    _reorder_attr(call, "_output_shapes", order, len(order))


def keep_outputs(call: Node, kept: Sequence[int], count: int) -> None:
    """Leave a call some of its outputs, in their order; whoever reads one goes on reading the same value.

    Args:
        call: of a copy of the function that yields those alone.
        kept: their old positions; nobody reads the others.
        count: how many it had.
    """
    gone = [place for place in range(count) if place not in kept]
    call.move_outputs({old: new for new, old in enumerate([*kept, *gone])})
    _reorder_attr(call, "Tout", kept, count)
    _reorder_attr(call, "_output_shapes", kept, count)


def insert_output(call: Node, position: int, dtype: DType, shape: Shape | None) -> Value:
    """Give a call one more output at a position, later ones moved; return it."""
    count = len(call.output_dtypes() or ())
    call.move_outputs({port: port + 1 for port in range(position, count)})
    for key, item in (("Tout", dtype), ("_output_shapes", shape or UNKNOWN_RANK)):
        items = call.attrs.get(key)
        if isinstance(items, list) and len(items) == count:
            call.attrs[key] = [*items[:position], item, *items[position:]]
        elif key == "_output_shapes" and items is not None:
            del call.attrs[key]
    return call.output(position)


def _reorder_attr(node: Node, key: str, order: Sequence[int], count: int) -> None:
    items = node.attrs.get(key)
    if isinstance(items, list):
        if len(items) == count:
            node.attrs[key] = [items[old] for old in order]
        elif key == "_output_shapes":
            del node.attrs[key]
