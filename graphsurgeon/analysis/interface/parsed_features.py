"""The tensors that parsers make of serialized `tf.train.Example`s, by the name of the feature.

A graph is cut there to be fed raw features. Mostly what a parser yields is what the rest of the graph reads. Where the
parsed tensor is first given a shape that is taken from the serialized records (lists of examples, as TF-Ranking parses
them), the graph is cut behind that; and what else is computed of the records without a parser (how many there are) is a
tensor to be fed too.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from graphsurgeon.analysis.flow.calls import Call, Place, nodes_inside, origin, reached_functions
from graphsurgeon.analysis.flow.restore_map import constant
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import downstream, in_order, producers, upstream
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import BACK_EDGES, CONSTANTS, PARSERS, SAME_VALUE, SEQUENCE_PARSERS

ALL_PARSERS = PARSERS | SEQUENCE_PARSERS

# Ends of names of output arguments (`tensorflow/core/ops/parsing_ops.cc`), and what is put behind the feature's name.
_KINDS = {
    "sparse_indices": "_indices",
    "sparse_values": "_values",
    "sparse_shapes": "_dense_shape",
    "dense_values": "",
    "dense_lengths": "_lengths",
    "ragged_values": "_values",
    "ragged_row_splits": "_row_splits",
    "ragged_outer_splits": "_outer_splits",
    "ragged_inner_splits": "_inner_splits",
}
_SAME_ELEMENTS = SAME_VALUE | {"Reshape"}
_RESHAPES = frozenset({"Reshape", "SparseReshape"})


@dataclass(frozen=True)
class ParsedTensor:
    """A tensor that stands behind the parser.

    Attributes:
        name: of the feature, with what tells the tensors of a sparse or ragged one apart; the node's name for a tensor
            that is computed of the serialized records and no feature.
        value: the tensor.
        call: the calls that lead to its graph; None in the main graph.
        default: what the parser fills in where a record lacks the feature; None where a record must have it, and
            where that is no constant.
        is_feature: it is parsed.
    """

    name: str
    value: Value
    call: Call | None
    default: Tensor | None = None
    is_feature: bool = True


def parsed_tensors(graph: Graph, outputs: Sequence[Value]) -> list[ParsedTensor]:
    """Return the tensors to be fed so that main-graph outputs need no serialized records, in the order of the parsers.

    Raises:
        UnsupportedError: no parser is on the way, or the names of features are computed.
    """
    frames = _frames(graph, outputs)
    if not frames:
        _refuse_hidden(outputs)
        raise UnsupportedError(
            "nothing that the outputs need parses serialized examples",
            hint="gs find MODEL --op 'Parse*' lists parsers; gs add-signature --input KEY=TENSOR names tensors itself",
        )
    by_depth = sorted(frames, key=lambda call: call.depth if call else 0)
    for call in reversed(by_depth):
        frames[call].sources = _sources(frames[call].records)
        if call is not None:
            passed = [value for value in frames[call].sources if value in call.function.inputs]
            frames[call.outer].records += [call.node.inputs[call.function.inputs.index(value)] for value in passed]
    found: dict[Call | None, list[ParsedTensor]] = {}
    for call in by_depth:
        if call is not None:
            frames[call].wanted = _read_results(call, frames[call.outer])
        found[call] = _of_frame(frames[call], call, outputs if call is None else frames[call].wanted)
    return [tensor for call in frames for tensor in found[call]]


def read_results(call: Call, read: Container[Value]) -> list[int]:
    """Return which results of a function are read where it is called, among the values that are."""
    return [place for place in range(len(call.function.outputs)) if call.node.output(place) in read]


def _refuse_hidden(outputs: Sequence[Value]) -> None:
    """Name a parser that runs for each turn or record, or in one case alone, where nothing stands for its values."""
    needed = upstream(producers(outputs))
    inside = reached_functions(function for node in needed for function in node.functions)
    started = [*needed, *(node for one in needed for function in one.functions for node in function.nodes)]
    for node in [*started, *(node for function in inside for node in function.nodes)]:
        for function in node.functions:
            parser = next((inner for inner in function.nodes if inner.op in ALL_PARSERS), None)
            if parser is not None:
                raise UnsupportedError(
                    f"{parser.name!r} ({parser.op}) parses in function {function.name!r}, which {node.name!r}"
                    f" ({node.op}) runs: what it yields in a branch, a loop or a data set cannot be fed",
                    hint="gs add-signature --input KEY=TENSOR takes tensors outside; or export a signature that is fed"
                    " the features",
                )


@dataclass
class _Frame:
    """What one run of a graph has of parsing.

    Attributes:
        parsers: in the graph itself.
        calls: nodes that run a function with parsers.
        records: what parsers, and such calls, are given.
        sources: placeholders and arguments that the records come from.
        wanted: results of the graph that are read where it runs.
        needed: nodes that those need, once the tensors are fed.
        read: what those nodes, and the wanted results, read.
    """

    parsers: list[Node] = field(default_factory=list)
    calls: dict[Node, None] = field(default_factory=dict)
    records: list[Value] = field(default_factory=list)
    sources: set[Value] = field(default_factory=set)
    wanted: list[Value] = field(default_factory=list)
    needed: dict[Node, None] = field(default_factory=dict)
    read: set[Value] = field(default_factory=set)


def _frames(graph: Graph, outputs: Sequence[Value]) -> dict[Call | None, _Frame]:
    """Return every graph on a way to a parser, by the calls that lead to it."""
    needed = upstream(producers(outputs))
    frames: dict[Call | None, _Frame] = {}
    for node, call in nodes_inside([node for node in graph.nodes if node in needed], ALL_PARSERS):
        frame = frames.setdefault(call, _Frame())
        frame.parsers.append(node)
        frame.records += node.inputs[:1]
        while call is not None:
            frames.setdefault(call.outer, _Frame()).calls[call.node] = None
            call = call.outer
    return frames


def _read_results(call: Call, outer: _Frame) -> list[Value]:
    """Return what a call yields to those who are needed; what runs for its own sake counts where the call runs."""
    function = call.function
    results = [function.outputs[place].value for place in read_results(call, outer.read)]
    return (
        [*results, *(node.output() for node in function.control_outputs.values())] if call.node in outer.needed else []
    )


def _of_frame(frame: _Frame, call: Call | None, wanted: Sequence[Value]) -> list[ParsedTensor]:
    stops = {*frame.parsers, *frame.calls}
    starts = [node for value in frame.sources for node in value.consumers if node not in stops]
    records = downstream(starts, controls=False, through=lambda node: node not in stops)
    cut = {tensor.value: tensor for node in frame.parsers for tensor in _tensors(node, call)}
    needed = upstream(producers(wanted, cut), fed=cut)
    cut = _past_reshapes(cut, needed, records)
    needed = upstream(producers(wanted, cut), fed=cut)
    frame.needed, frame.read = needed, {value for node in needed for value in node.inputs} | set(wanted)
    kept = [tensor for value, tensor in cut.items() if value in frame.read]
    featured = downstream([*frame.calls, *(user for value in cut for user in value.consumers)], controls=False)
    inputs = [value for node in needed if node in featured and node not in frame.calls for value in node.inputs]
    bare = records - featured
    rest = [value for value in dict.fromkeys([*inputs, *wanted]) if value not in cut and value.producer in bare]
    return [*kept, *(ParsedTensor(_own_name(value), value, call, is_feature=False) for value in rest)]


def _own_name(value: Value) -> str:
    node = value.producer
    assert node is not None
    return node.name if len(node.output_dtypes() or (0,)) == 1 else f"{node.name}_{value.port}"


def _sources(records: Sequence[Value]) -> set[Value]:
    """Return the placeholders and arguments that hold the records."""
    nodes = upstream(producers(records), controls=False)
    read = [*records, *(value for node in nodes for value in node.inputs)]
    ends = {value for value in read if value.producer is None}
    return ends | {node.output() for node in nodes if not node.inputs and node.op not in CONSTANTS}


def _past_reshapes(
    cut: dict[Value, ParsedTensor], needed: dict[Node, None], records: set[Node]
) -> dict[Value, ParsedTensor]:
    """Move the cut behind nodes that give a parsed tensor a shape which is computed of the records."""
    cut = dict(cut)
    for node in in_order(needed, controls=False, back_edges=BACK_EDGES) if records else ():
        if node.op not in _RESHAPES:
            continue
        held = node.inputs[:1] if node.op == "Reshape" else node.inputs[:2]
        if not all(value in cut for value in held) or node.inputs[-1].producer not in records:
            continue
        for port, value in enumerate(held):
            tensor = cut[value] if _is_read_beside(value, node, needed) else cut.pop(value)
            cut[node.output(port)] = replace(tensor, value=node.output(port))
    return cut


def _is_read_beside(value: Value, node: Node, needed: Container[Node]) -> bool:
    return any(user is not node and user in needed for user in value.consumers)


def _tensors(node: Node, call: Call | None) -> Iterator[ParsedTensor]:
    """Yield the outputs of a parser."""
    opdef = catalog.of(node)
    lengths = opdef.output_lengths(node.attrs) if opdef is not None else None
    if opdef is None or lengths is None:
        raise UnsupportedError(f"the outputs of {node.name!r} ({node.op}) cannot be told")
    port = 0
    for arg, length in zip(opdef.outputs, lengths, strict=True):
        prefix, kind = _kind(arg.name)
        keys = feature_names(node, call, f"{prefix}{kind.partition('_')[0]}_keys") if length else []
        if len(keys) < length:
            raise UnsupportedError(f"the names of the features that {node.name!r} ({node.op}) parses are computed")
        defaults = inputs_of_argument(node, f"{prefix}dense_defaults") if kind == "dense_values" else []
        for place in range(length):
            given = Place(defaults[place], call) if place < len(defaults) else None
            default = None if given is None else constant(origin(given, passing=_SAME_ELEMENTS))
            default = default if default is not None and default.num_elements else None
            yield ParsedTensor(f"{keys[place]}{_KINDS[kind]}", node.output(port + place), call, default)
        port += length


def _kind(argument: str) -> tuple[str, str]:
    """Return prefix and kind of an output argument: `feature_list_`, `sparse_indices`."""
    kind = next(kind for kind in _KINDS if argument.endswith(kind))
    return argument.removesuffix(kind), kind


def feature_names(node: Node, call: Call | None, argument: str) -> list[str]:
    """Return the names that one argument of a parser holds, as attribute or inputs; computed ones are left out."""
    stored = node.attrs.get(argument)
    if isinstance(stored, list):
        return _texts(stored)
    tensors = [constant(Place(value, call)) for value in inputs_of_argument(node, argument)]
    return [text for tensor in tensors if tensor is not None for text in _texts(tensor.items())]


def inputs_of_argument(node: Node, argument: str) -> list[Value]:
    """Return the inputs of a node that one argument of its op has."""
    opdef = catalog.of(node)
    lengths = opdef.input_lengths(node.attrs) if opdef is not None else None
    start = 0
    for arg, length in zip(opdef.inputs if opdef else (), lengths or (), strict=True):
        if arg.name == argument:
            return list(node.inputs[start : start + length])
        start += length
    return []


def _texts(items: Iterable[object]) -> list[str]:
    return [item.decode("utf-8", "backslashreplace") for item in items if isinstance(item, bytes)]
