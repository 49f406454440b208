"""Where nodes are that have no box of their own: which box reads what they hand on, and which weights none reads."""

from __future__ import annotations

from collections.abc import Iterable

from graphsurgeon.analysis.flow.restore_map import resource_name, restore_map
from graphsurgeon.analysis.stored_weights.variables import NamedVariable, named_variables
from graphsurgeon.analysis.stored_weights.weight_totals import first_entries, is_parameter
from graphsurgeon.errors import plural
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.traversal import reached
from graphsurgeon.ops.kinds import VARIABLES
from graphsurgeon.render.choose.select import Selection

_TOLD = 3  # weights that are named
MOST_FOLDED = 50_000  # operations that are told of; more names make a page that is slow to load


def folded_into(selection: Selection, ends: Iterable[int] = ()) -> dict[int, int]:
    """Return for the operations that are folded into edges and boxes the drawn operation that they are folded into.

    That is the first one that reads what they yield, be it by way of others; for what only outputs read, the operation
    that these come from. What no output depends on is folded into nothing.

    Args:
        selection: what is drawn.
        ends: operations that outputs name.
    """
    operations = selection.flow.operations
    drawn = set(selection.order)
    found: dict[int, int] = {}

    def hidden(indices: Iterable[int]) -> list[int]:
        return [index for index in indices if index not in drawn and index not in found]

    def sources(index: int) -> list[int]:
        return hidden(operand.source for operand in operations[index].operands)

    def fold(starts: Iterable[int], home: int) -> None:
        if len(found) < MOST_FOLDED:
            found.update(dict.fromkeys(reached(hidden(starts), sources), home))

    for index in selection.order:
        fold(sources(index), index)
    for end in ends:
        for home in selection.results.get(end, ()):
            fold([end], home)
    return found


def unread_note(selection: Selection, metagraph: MetaGraph, checkpoint: Checkpoint) -> str:
    """Return which parameters of a checkpoint nothing that is drawn reads; empty for none.

    Keras' Normalization keeps mean and variance in variables, and computes with constants made of them: what is drawn
    has fewer parameters than Keras counts.
    """
    unread = _unread(selection, metagraph, checkpoint)
    count = sum(named.variable.tensor.num_elements for named in unread)
    if not count:
        return ""
    names = [named.label for named in unread[:_TOLD]] + (["..."] if len(unread) > _TOLD else [])
    return f"the checkpoint holds {plural(count, 'number')} more, which nothing drawn reads: {', '.join(names)}"


def _unread(selection: Selection, metagraph: MetaGraph, checkpoint: Checkpoint) -> list[NamedVariable]:
    restored = restore_map(metagraph).variables
    weights = {index for found in selection.weights.values() for index in found}
    drawn = (selection.flow.operations[index].node for index in {*weights, *selection.order})
    nodes = [node for node in drawn if node is not None and node.op in VARIABLES]
    keys = {restored[node].key for node in nodes if node in restored}
    # Keras restores copies of the variables that it reads; those have the names.
    names = {resource_name(node) for node in nodes}
    variables = [named for named in named_variables(checkpoint) if named.kind == "variable"]
    # A variable that is saved under two keys is one.
    read = {(named.label, named.variable.tensor.shape) for named in variables if named.key in keys}
    mine = [named for named in first_entries(variables) if is_parameter(named) and named.label not in names]
    unread = [named for named in mine if (named.label, named.variable.tensor.shape) not in read]
    return unread if len(unread) < len(variables) else []  # nothing tells which is which
