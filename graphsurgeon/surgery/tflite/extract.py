"""Extract the part of a TFLite subgraph between some tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.analysis.names import choose_graphs, find_signature, find_value
from graphsurgeon.analysis.tensors import stored_tensor
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import RESOURCE, VARIANT
from graphsurgeon.model.graph import Graph, Node, Output, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.shape import UNKNOWN_RANK
from graphsurgeon.model.traversal import producers, upstream
from graphsurgeon.surgery.moves.reports import Extracted
from graphsurgeon.surgery.tflite.tensors import require_distinct, unused_tensors

SIGNATURE = "serving_default"
CALL_ONCE = "CALL_ONCE"
_STATE = frozenset({"VAR_HANDLE", "HASHTABLE"})


def extract_tflite(
    metagraph: MetaGraph,
    outputs: Mapping[str, str],
    inputs: Mapping[str, str],
    *,
    graph: str | None,
    signature: str | None = None,
) -> Extracted:
    """Leave the part of one subgraph between some tensors, as the model's first; others stay if it runs them.

    Args:
        metagraph: changed in place.
        outputs, inputs: tensor -> new name, empty for its own.
        graph: the subgraph; None for the first one that has the outputs.
        signature: take its subgraph; without outputs whole, under the signature's keys.

    Raises:
        UsageError: a tensor or signature is unknown, an input is not needed, or a name would be there twice.
        UnsupportedError: a tensor cannot be an input or output, or they lie in several subgraphs.
    """
    if signature is not None:
        found = find_signature(metagraph, signature)
        if not outputs and not inputs:
            return _take(metagraph, found.graph, [found])
        graph = graph or found.graph.name or "main"
        outputs, inputs = _by_key(outputs, found.outputs), _by_key(inputs, found.inputs)
    if not outputs:
        return _take_graph(metagraph, graph or "main", inputs)
    fetched = {_find(metagraph, text, graph): name for text, name in outputs.items()}
    place = next(iter(fetched)).graph
    fed = {_find(metagraph, text, place.name or "main"): name for text, name in inputs.items()}
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
    names = {value: name for value, name in (*fed.items(), *fetched.items()) if name and name != value.name}
    require_distinct([*fed, *fetched, *(value for node in needed for value in (*node.inputs, *node.outputs))], names)
    _cut(place, needed, fed)
    place.inputs = [*fed, *(value for value in place.inputs if value in open_inputs and value not in fed)]
    place.outputs = [Output("", value, value.dtype) for value in fetched]
    for value, name in names.items():
        value.name = name
    key = next((one.key for one in metagraph.signatures.values() if one.graph is place), SIGNATURE)
    _forget(metagraph, place)
    _sign(metagraph, place, key, keys, {**fed, **fetched})
    return _told(metagraph)


def _take_graph(metagraph: MetaGraph, name: str, inputs: Mapping[str, str]) -> Extracted:
    """Leave a subgraph whole, with its inputs and outputs, and the signatures that it has.

    Raises:
        UsageError: there is no such subgraph, or several, or inputs are given without outputs.
        UnsupportedError: it yields nothing, as what fills variables.
    """
    if inputs:
        raise UsageError("inputs are given, and no outputs", hint="give --outputs too, or neither")
    found = choose_graphs(metagraph, name)
    if len(found) > 1:
        names = ", ".join(one.name or "main" for one in found[:5])
        raise UsageError(f"{len(found)} subgraphs are called {name!r}", hint=f"--graph takes one: {names}")
    place = found[0]
    if not place.outputs:
        raise UnsupportedError(f"subgraph {place.name or 'main'} yields nothing")
    return _take(metagraph, place, [one for one in metagraph.signatures.values() if one.graph is place])


def _take(metagraph: MetaGraph, place: Graph, signatures: Sequence[Signature]) -> Extracted:
    """Leave a subgraph, with what it runs, and these signatures alone."""
    len(place.values)  # it is looked at before anything changes
    metagraph.signatures.clear()
    metagraph.signatures.update({signature.key: signature for signature in signatures})
    _forget(metagraph, place)
    return _told(metagraph)


def _told(metagraph: MetaGraph) -> Extracted:
    if metagraph.raw is not None:
        metagraph.raw.drop_unused_codes(metagraph)
    place = metagraph.graph
    outputs = [stored_tensor(output.value) for output in place.outputs]
    return Extracted([stored_tensor(value) for value in place.inputs], outputs, list(metagraph.functions))


def _find(metagraph: MetaGraph, text: str, graph: str | None) -> Value:
    """Return a tensor; one of the first subgraph before those of others."""
    if graph is None and not text.startswith("#"):
        first = [value for value in metagraph.graph.values if value.name == text]
        if len(first) == 1:
            return first[0]
    return find_value(metagraph, text, graph=graph)


def _by_key(names: Mapping[str, str], entries: Mapping[str, SignatureEntry]) -> dict[str, str]:
    """Return the tensors behind keys of a signature; other names stay."""
    found: dict[str, str] = {}
    for text, name in names.items():
        mention = entries[text].mention if text in entries else None
        target = mention.target if mention is not None else None
        found[f"#{target.port}" if isinstance(target, Value) else text] = name
    return found


def _check(value: Value, place: Graph) -> None:
    if value.graph is not place:
        raise UnsupportedError(
            f"{value} lies in another subgraph than {place.name or 'the first'}, {value.graph.name or 'the first'}",
            hint="what is cut out comes from one subgraph: --graph NAME",
        )
    if value.tensor is not None:
        raise UnsupportedError(f"{value} is a constant")
    if value.dtype in (RESOURCE, VARIANT, None):
        raise UnsupportedError(f"{value} is a {value.dtype}, which can be no input or output")


def _needed(fetched: Mapping[Value, str], fed: Mapping[Value, str]) -> tuple[set[Node], set[Value]]:
    """Return the operators between the tensors, and the inputs of the subgraph that they still read.

    An operator that reads a variable needs those that write it, in this run or the one before: no tensor joins the two.
    """
    place = next(iter(fetched)).graph
    writers = [node for node in place.nodes if _may_write(node)]
    needed, size = set(upstream(producers(fetched, fed), controls=False, fed=fed)), -1
    while size != len(needed):
        size = len(needed)
        held = set[object]().union(*map(_held, needed))
        starts = [*needed, *(node for node in writers if held and (node.functions or held & _held(node)))]
        needed = set(upstream(starts, controls=False, fed=fed))
    read = {*fetched, *(value for node in needed for value in node.inputs)}
    opened = {value for value in read if value.producer is None and value not in fed and not value.is_absent}
    if any(node.op in _STATE for node in needed):  # what fills variables and tables is joined to them by name only
        needed.update(node for node in place.nodes if node.op == CALL_ONCE)
    return needed, opened


def _may_write(node: Node) -> bool:
    """Say whether an operator changes what a handle stands for, itself or in the subgraphs that it runs."""
    if node.functions:
        return node.op != CALL_ONCE
    return not node.outputs and any(value.dtype is RESOURCE for value in node.inputs)


def _held(node: Node) -> set[object]:
    """Return what the handles that an operator reads stand for: the name of a variable or table, else the tensor."""
    found: set[object] = set()
    for value in node.inputs:
        if value.dtype is RESOURCE:
            maker = value.producer
            named = maker is not None and maker.op in _STATE
            found.add((maker.attrs.get("container"), maker.attrs.get("shared_name")) if named and maker else value)
    return found


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
    """Take out tensors and subgraphs that nothing mentions any more; the part comes first."""
    kept = [value for entry in _entries(metagraph, place) if isinstance(value := entry.target, Value)]
    place.remove_values(unused_tensors(place, kept))
    run = set(reached_functions([place]))
    metagraph.keep_subgraphs([place, *(one for one in metagraph.graphs if one in run and one is not place)])


def _entries(metagraph: MetaGraph, place: Graph) -> list[Mention]:
    signed = [signature for signature in metagraph.signatures.values() if signature.graph is place]
    return [mention for signature in signed for entry in signature.entries for mention in entry.mentions]


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


def _sign(metagraph: MetaGraph, place: Graph, key: str, keys: Mapping[Value, str], names: Mapping[Value, str]) -> None:
    """Give the model one signature in place of those that it had."""

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
