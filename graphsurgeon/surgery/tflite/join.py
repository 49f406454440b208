"""Join two TFLite models: the operators of both in one subgraph, in the order of the models."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count

from graphsurgeon.analysis.tensors import TensorFact, quantization, stored_tensor
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.graph import Graph, Output, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.surgery.joining.ends import Joint, Partner, joints
from graphsurgeon.surgery.joining.names import Renamed

Joined = tuple[
    list[tuple[str, str]], dict[str, TensorFact], dict[str, TensorFact], Renamed, list[str], list[str]
]  # connected, inputs, outputs, renamed, tags, notes: as JoinReport has them

_CONTROL = "model_control_dependencies"  # metadata that becomes `Node.controls`
_OF_RUNTIME = frozenset({_CONTROL, "min_runtime_version"})  # written anew, or of no use to the other model


def join_tflite(
    metagraph: MetaGraph,
    other: MetaGraph,
    first: Partner,
    second: Partner,
    connect: Sequence[tuple[str, str]],
    keep: Sequence[str],
    prefix: str,
    name: str,
) -> Joined:
    """Put the first subgraph of a second model behind, or beside, that of a first one.

    Args:
        metagraph: of the first model; changed in place.
        other: of the second; taken apart.
        first, second: their ends.
        connect: pairs of a tensor or key of the first, and an input of the second.
        keep: tensors that come out as well.
        prefix: before names of tensors and keys of the second that the first has too.
        name: key of the signature of both; empty for that of the first.

    Raises:
        UsageError: a name is unknown, or two tensors that are to be one do not fit.
        UnsupportedError: a signature is not of the first subgraph.
    """
    for ends in (first, second):
        _complete(ends)
    joined = joints(first, second, connect)
    for joint in joined:
        _check(first, second, joint)
    graph, consumed = metagraph.graph, {joint.source for joint in joined}
    kept = {text: first.output(text) for text in keep}
    outputs = {key: value for key, value in first.outputs.items() if value not in consumed or key in keep}
    outputs |= {key: value for key, value in kept.items() if value not in outputs.values()}
    _set_resources_apart(metagraph, other, prefix)
    renamed = _set_tensors_apart(graph, other.graph, prefix)
    before = list(graph.values)
    assert metagraph.raw is not None
    taken = metagraph.raw.take_in(metagraph, other)
    now = dict(zip(other.graph.values, graph.values[len(before) :], strict=True))
    told = [(str(joint.source), str(joint.target)) for joint in joined]
    given = {now[joint.target]: joint.source for joint in joined}
    for target, source in given.items():
        for node in list(target.consumers):
            node.inputs = [source if value is target else value for value in node.inputs]
    inputs = dict(first.inputs)
    for key, value in second.inputs.items():
        if now[value] not in given:
            inputs[key if key not in inputs else f"{prefix}_{key}"] = now[value]
    for key, value in second.outputs.items():
        outputs[key if key not in outputs else f"{prefix}_{key}"] = given.get(now[value], now[value])
    graph.inputs = list(inputs.values())
    graph.outputs = [Output("", value, value.dtype) for value in dict.fromkeys(outputs.values())]
    notes = _sign(metagraph, first, second, taken.signatures, inputs, outputs, prefix, name, set(given))
    graph.remove_values([value for value in given if value not in graph.inputs])
    notes += taken.tell(metagraph, prefix) if taken.tell is not None else []
    left = [key for key in taken.collections if key not in _OF_RUNTIME]
    notes += [f"metadata of the second model ({', '.join(left)}) is left out"] if left else []
    facts = [{key: stored_tensor(value) for key, value in side.items()} for side in (inputs, outputs)]
    return told, facts[0], facts[1], renamed, [], notes


def _complete(ends: Partner) -> None:
    """Give a model all inputs and outputs of its first subgraph: by its signature, and by their names."""
    graph = ends.metagraph.graph
    if ends.signature is not None and ends.signature.graph is not graph:
        raise UnsupportedError(
            f"signature {ends.signature.key!r} of {ends.which} is not of the first subgraph",
            hint=f"gs extract --signature {ends.signature.key} makes a model of it",
        )
    known = {value: key for side in (ends.inputs, ends.outputs) for key, value in side.items()}
    ends.inputs = _named(graph.inputs, known)
    ends.outputs = _named([output.value for output in graph.outputs], known)


def _named(values: Sequence[Value], known: Mapping[Value, str]) -> dict[str, Value]:
    """Return tensors by key, in the order of the subgraph: that of a signature, else their names."""
    found: dict[str, Value] = {}
    for value in dict.fromkeys(values):
        name = "" if (value.name or "").startswith("#") else value.name
        key = known.get(value) or name or f"tensor_{value.port}"
        found[key if key not in found else f"{key}_{value.port}"] = value
    return found


def _check(first: Partner, second: Partner, joint: Joint) -> None:
    """Refuse what is no input, and numbers that would mean something else."""
    if joint.target not in second.metagraph.graph.inputs:
        raise UsageError(
            f"{joint.target} of {second.which} is no input of it", hint=f"it has {', '.join(second.inputs)}"
        )
    if joint.source.tensor is not None:
        raise UsageError(f"{joint.source} of {first.which} is a constant")
    ours, theirs = quantization(joint.source), quantization(joint.target)
    scales = [(one.scale, one.zero_point) if one is not None else None for one in (ours, theirs)]
    if scales[0] != scales[1]:
        says = [f"scale {one[0]}, zero point {one[1]}" if one else "no scale" for one in scales]
        raise UsageError(
            f"{joint.source} of {first.which} has {says[0]}, and {joint.target} of {second.which} {says[1]}",
            hint="gs set-output and gs set-input make both float32",
        )


def _set_tensors_apart(graph: Graph, other: Graph, prefix: str) -> Renamed:
    taken = {value.name for value in graph.values if value.name}
    renamed = []
    for value in other.values:
        if value.name in taken:
            renamed.append(("tensor", str(value.name), f"{prefix}/{value.name}"))
            value.name = f"{prefix}/{value.name}"
    return renamed


def _set_resources_apart(metagraph: MetaGraph, other: MetaGraph, prefix: str) -> None:
    """Give variables and tables of the second model other names and numbers than those of the first."""
    nodes = [node for graph in metagraph.graphs for node in graph.nodes if node.op in ("VAR_HANDLE", "HASHTABLE")]
    names = {(node.attrs.get("container"), node.attrs.get("shared_name")) for node in nodes if node.op == "VAR_HANDLE"}
    tables = _table_ids(metagraph)
    free = (number for number in count(1) if number not in tables | _table_ids(other))
    changed = dict(zip(sorted(tables & _table_ids(other), key=str), free, strict=False))
    for graph in other.graphs if nodes else ():
        for node in graph.nodes:
            name, table = node.attrs.get("shared_name"), node.attrs.get("table_id")
            if node.op == "VAR_HANDLE" and (node.attrs.get("container"), name) in names:
                node.attrs["shared_name"] = prefix.encode() + b"/" + (name if isinstance(name, bytes) else b"")
            if node.op == "HASHTABLE" and table in tables:
                node.attrs["table_id"] = changed[table]


def _table_ids(metagraph: MetaGraph) -> set[object]:
    return {node.attrs.get("table_id") for graph in metagraph.graphs for node in graph.nodes if node.op == "HASHTABLE"}


def _sign(
    metagraph: MetaGraph,
    first: Partner,
    second: Partner,
    signatures: dict[str, Signature],
    inputs: dict[str, Value],
    outputs: dict[str, Value],
    prefix: str,
    name: str,
    given: set[Value],
) -> list[str]:
    """Give the result its signature, and those of further subgraphs; return notes on what is left out.

    A runtime asks a signature for all inputs of its subgraph: others of the first subgraph would not be whole.
    """
    notes = []
    main = metagraph.graph
    own = [ends.signature.key for ends in (first, second) if ends.signature is not None]
    for key, signature in list(metagraph.signatures.items()):
        if signature.graph is main:
            del metagraph.signatures[key]
            notes += [f"signature {key} is left out: its subgraph takes more now"] if key not in own else []
    for key, signature in signatures.items():
        if signature.graph is main:
            notes += [f"signature {key} of the second model is left out"] if key not in own else []
            continue
        signature.key = key if key not in metagraph.signatures else f"{prefix}_{key}"
        metagraph.signatures[signature.key] = signature
    key = name or next(iter(own), "")
    if key:
        sides = [
            {
                one: SignatureEntry(Mention.of(value, f"signature {key}"), value.dtype, value.shape)
                for one, value in side.items()
            }
            for side in (inputs, outputs)
        ]
        metagraph.signatures[key] = Signature(key, main, sides[0], sides[1])
    return notes
