"""Placeholders that have a value if nobody feeds them: which become that, and which have to be fed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from graphsurgeon.analysis.flow.calls import Place
from graphsurgeon.analysis.flow.placeholders import placeholder_shape
from graphsurgeon.analysis.flow.restore_map import constant
from graphsurgeon.analysis.names import INTERNAL
from graphsurgeon.errors import UsageError
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import upstream

Defaults = Literal["constants", "placeholders"]
DEFAULTS: tuple[Defaults, ...] = ("constants", "placeholders")
OP = "PlaceholderWithDefault"


def chosen_defaults(metagraph: MetaGraph, defaults: str) -> tuple[list[Node], list[str]]:
    """Return the placeholders with a default in a main graph that change, and notes on those that stay.

    What a signature feeds goes on being fed, and what a signature needs without feeding it goes on having a value.

    Raises:
        UsageError: there is no such choice, or no such placeholder.
    """
    if defaults not in DEFAULTS:
        raise UsageError(f"{defaults!r} is no choice for defaults", hint=f"choose {' or '.join(DEFAULTS)}")
    saving = _named_by_saver(metagraph)
    nodes = [node for node in metagraph.graph.nodes if node.op == OP and node not in saving]
    if not nodes and not inner_defaults(metagraph):
        raise UsageError("the model has no placeholder with a default", hint="gs inputs lists what goes in")
    public = [one for one in metagraph.signatures.values() if not one.key.startswith(INTERNAL)]
    fed = {node: one.key for one in public for node in _fed(one)}
    if defaults == "constants":
        stay = {node: f"is an input of signature {fed[node]}" for node in nodes if node in fed}
    else:
        unfed = {node: one.key for one in public for node in upstream(_fetched(one)) if node not in _fed(one)}
        stay = {node: f"is not fed by signature {unfed[node]}, which needs it" for node in nodes if node in unfed}
    notes = [f"{node.name} keeps its default: it {why}" for node, why in stay.items()]
    return [node for node in nodes if node not in stay], notes


def _named_by_saver(metagraph: MetaGraph) -> Collection[Node]:
    """Return what a saver computes the name of its file of: it is fed there, and else has the name that is noted."""
    named = metagraph.saver.filename.node if metagraph.saver is not None else None
    return upstream([named]) if named is not None else ()


def default_value(node: Node) -> Tensor | None:
    """Return the value of a placeholder that nobody feeds; None if it is computed."""
    return constant(Place(node.inputs[0])) if node.inputs else None


def inner_defaults(metagraph: MetaGraph) -> list[Node]:
    """Return the placeholders with a default in functions, where nobody can feed them."""
    return [node for graph in metagraph.functions.values() for node in graph.peek({OP})]


def let_default_through(metagraph: MetaGraph) -> int:
    """Turn the placeholders with a default in functions into what they are there, an Identity; return how many."""
    graphs = [graph for graph in metagraph.functions.values() if OP in graph.op_counts]
    nodes = [node for graph in graphs for node in graph.nodes if node.op == OP]
    for node in nodes:
        pass_default_on(node)
    return len(nodes)


def pass_default_on(node: Node) -> None:
    """Turn a placeholder into an Identity of its default."""
    node.become("Identity", node.inputs, {"T": node.attrs["dtype"]})


def require_feed(node: Node) -> None:
    """Turn a placeholder with a default into one without."""
    node.become("Placeholder", [], {"dtype": node.attrs["dtype"], "shape": placeholder_shape(node)})


def _fed(signature: Signature) -> set[Node | None]:
    return {mention.node for entry in signature.inputs.values() for mention in entry.mentions}


def _fetched(signature: Signature) -> list[Node]:
    mentions = [mention for entry in signature.outputs.values() for mention in entry.mentions]
    return [mention.node for mention in mentions if mention.node is not None]
