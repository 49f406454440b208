"""Extract the part of a TFLite subgraph between some tensors."""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.analysis.names import choose_graphs, find_value
from graphsurgeon.analysis.tensors import stored_tensor
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import RESOURCE, VARIANT
from graphsurgeon.model.graph import Graph, Node, Output, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.shape import UNKNOWN_RANK
from graphsurgeon.model.traversal import producers, upstream
from graphsurgeon.surgery.moves.reports import Extracted
from graphsurgeon.surgery.tflite.tensors import unused_tensors

SIGNATURE = "serving_default"
CALL_ONCE = "CALL_ONCE"
_STATE = frozenset({"VAR_HANDLE", "HASHTABLE"})


def extract_tflite(
    metagraph: MetaGraph,
    outputs: Mapping[str, str],
    inputs: Mapping[str, str],
    *,
    graph: str | None,
) -> Extracted:
    """Leave of the model's first subgraph the part between some tensors; other subgraphs stay if it runs them.

    Raises:
        UsageError: a tensor is unknown, or an input is not needed.
        UnsupportedError: a tensor cannot be an input or output, or lies in another subgraph.
    """
    place = choose_graphs(metagraph, graph)[0]
    if place is not metagraph.graph:
        raise UnsupportedError(
            f"{place.name or graph!r} is not the model's first subgraph",
            hint="what lies in another is run by an operator",
        )
    fetched = {find_value(metagraph, text, graph=graph): name for text, name in outputs.items()}
    fed = {find_value(metagraph, text, graph=graph): name for text, name in inputs.items()}
    for value in (*fetched, *fed):
        _check(value, place)
    needed, open_inputs = _needed(fetched, fed)
    left_out = [value for value in open_inputs if fed and value.tensor is None and value in place.inputs]
    if left_out:
        raise UsageError(f"the outputs also need {left_out[0]}", hint=f"add {left_out[0]} to --inputs")
    unused = [value for value in fed if value not in fetched and not any(user in needed for user in value.consumers)]
    if unused:
        raise UsageError(f"the outputs do not need {unused[0]}", hint="leave it out of --inputs")
    keys = _keys(metagraph, place)
    _cut(place, needed, fed)
    place.inputs = [*fed, *(value for value in place.inputs if value in open_inputs and value not in fed)]
    place.outputs = [Output("", value, value.dtype) for value in fetched]
    for value, name in (*fed.items(), *fetched.items()):
        value.name = name or value.name
    _forget(metagraph, place)
    _sign(metagraph, place, keys, {**fed, **fetched})
    outputs_left = [stored_tensor(output.value) for output in place.outputs]
    return Extracted([stored_tensor(value) for value in place.inputs], outputs_left, list(metagraph.functions))


def _check(value: Value, place: Graph) -> None:
    if value.graph is not place:
        raise UnsupportedError(f"{value} lies in another subgraph, {value.graph.name!r}")
    if value.tensor is not None:
        raise UnsupportedError(f"{value} is a constant")
    if value.dtype in (RESOURCE, VARIANT, None):
        raise UnsupportedError(f"{value} is a {value.dtype}, which can be no input or output")


def _needed(fetched: Mapping[Value, str], fed: Mapping[Value, str]) -> tuple[set[Node], set[Value]]:
    """Return the operators between the tensors, and the inputs of the subgraph that they still read."""
    needed = set(upstream(producers(fetched, fed), controls=False, fed=fed))
    read = {*fetched, *(value for node in needed for value in node.inputs)}
    opened = {value for value in read if value.producer is None and value not in fed and not value.is_absent}
    place = next(iter(fetched)).graph
    if any(node.op in _STATE for node in needed):  # what fills variables and tables is joined to them by name only
        needed.update(node for node in place.nodes if node.op == CALL_ONCE)
    return needed, opened


def _cut(place: Graph, needed: set[Node], fed: Mapping[Value, str]) -> None:
    for value in fed:
        if value.producer in needed:
            raise UnsupportedError(
                f"the operator that yields {value} yields another tensor that is needed",
                hint="cut all of its outputs, or none",
            )
    place.take_out([node for node in place.nodes if node not in needed])
    for value in fed:
        value.producer = None
        if value.extra is not None:
            value.extra.pop("is_variable", None)


def _forget(metagraph: MetaGraph, place: Graph) -> None:
    """Take out tensors and subgraphs that nothing mentions any more."""
    place.remove_values(unused_tensors(place))
    functions = set(reached_functions([place]))
    metagraph.functions = {name: function for name, function in metagraph.functions.items() if function in functions}


def _keys(metagraph: MetaGraph, place: Graph) -> dict[Value, str]:
    """Return the keys by which signatures of the subgraph know its tensors."""
    found: dict[Value, str] = {}
    for signature in metagraph.signatures.values():
        for entries in (signature.inputs, signature.outputs) if signature.graph is place else ():
            for key, entry in entries.items():
                target = entry.mention.target if entry.mention is not None else None
                if isinstance(target, Value):
                    found.setdefault(target, key)
    return found


def _sign(metagraph: MetaGraph, place: Graph, keys: Mapping[Value, str], names: Mapping[Value, str]) -> None:
    """Give the model one signature in place of those that it had."""
    key = next((one.key for one in metagraph.signatures.values() if one.graph is place), SIGNATURE)

    def entries(values: list[Value], role: str) -> dict[str, SignatureEntry]:
        found: dict[str, SignatureEntry] = {}
        for value in values:
            name = names.get(value) or keys.get(value) or value.name or f"tensor_{value.port}"
            name = name if name not in found else f"{name}_{value.port}"
            mention = Mention.of(value, f"signature {key}, {role} {name}")
            found[name] = SignatureEntry(mention, value.dtype, value.shape or UNKNOWN_RANK)
        return found

    outputs = [output.value for output in place.outputs]
    signature = Signature(key, place, entries(place.inputs, "input"), entries(outputs, "output"))
    metagraph.signatures.clear()
    metagraph.signatures[key] = signature
