"""Freeze: variables become constants, and what the outputs do not need goes away.

The work is done on a copy of the needed part of the main graph, so a refusal leaves the model untouched. Steps:
copy what the outputs need, inline calls, decide branches with a constant predicate, turn variables into
values (functions specialised), let tables fill themselves, clean up, name feeds and fetches.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.analysis.flow.captures import captured_keys
from graphsurgeon.analysis.flow.load_path import LoadPath
from graphsurgeon.analysis.flow.placeholders import placeholder_shape
from graphsurgeon.analysis.flow.restore_map import RestoreMap, restore_map
from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.errors import UnsupportedError, UsageError, plural
from graphsurgeon.model.graph import Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import UNKNOWN_RANK
from graphsurgeon.ops.kinds import ELEMENTS, PLACEHOLDERS
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.surgery.freezing.assets import read_assets
from graphsurgeon.surgery.freezing.endpoints import Endpoint, Endpoints, input_value, resolve_endpoints
from graphsurgeon.surgery.freezing.filled import check_filled
from graphsurgeon.surgery.freezing.names import name_endpoints
from graphsurgeon.surgery.freezing.result import commit
from graphsurgeon.surgery.freezing.specialize import Specializer
from graphsurgeon.surgery.freezing.table_contents import TableContents
from graphsurgeon.surgery.freezing.tables import fill_tables
from graphsurgeon.surgery.freezing.variables import FrozenVariables
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.constants import constant_tensor
from graphsurgeon.surgery.moves.copy_part import copy_part
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.moves.prune import prune_graph
from graphsurgeon.surgery.renaming.averages import required_averages

_MOST_NAMED = 5


@dataclass(frozen=True)
class FreezeReport:
    """What freezing did.

    Attributes:
        feeds, fetches: signature key (or the name that was given) -> tensor of the frozen graph.
        signature: the signature whose keys they are, None if tensors were named.
        variables: number of variables that became constants.
        variable_bytes: bytes of their values.
        kept_variables: names of variables that stay.
        dropped_writes: writes to variables that were left out, each as `node (op)`.
        state: variables that an output reads and a write that was left out changed in every call, for the next one.
        tables: tables that now fill themselves.
        functions: names of functions that remain.
        nodes_before, nodes_after: number of nodes, those in functions included.
        notes: what else the user should know, one line each.
    """

    feeds: dict[str, str]
    fetches: dict[str, str]
    signature: str | None
    variables: int
    variable_bytes: int
    kept_variables: tuple[str, ...]
    dropped_writes: tuple[str, ...]
    tables: tuple[str, ...]
    functions: tuple[str, ...]
    nodes_before: int
    nodes_after: int
    notes: tuple[str, ...] = ()
    state: tuple[str, ...] = ()


@arguments.takes(
    outputs=arguments.names,
    inputs=arguments.names,
    outputs_by_shape=arguments.names,
    set_values=arguments.by_name,
    tags=arguments.names,
)
def freeze(
    model: Model,
    *,
    outputs: Sequence[str] | None = None,
    signature: str | None = None,
    outputs_by_shape: Sequence[str] | None = None,
    inputs: Sequence[str] | None = None,
    tags: Sequence[str] | None = None,
    set_values: Mapping[str, object] | None = None,
    keep_vars: str | None = None,
    keep_functions: bool = False,
    keep_names: bool = False,
    keep_devices: bool = False,
    no_lowering: bool = False,
    ema: bool = False,
) -> FreezeReport:
    """Turn the variables of a model into constants, keeping what some outputs need. Reads small constants only.

    The model is left with one MetaGraph of one signature, and without checkpoint.

    Args:
        model: a SavedModel, `.meta` or GraphDef, with its checkpoint.
        outputs: tensors or nodes of the main graph, else signature keys (`key:NAME` forces a key).
        signature: freeze its outputs; without `outputs` the default is `serving_default` or the only one.
        outputs_by_shape: shape patterns; of each the likeliest output of such a shape.
        inputs: tensors to feed, whatever computes them; placeholders need not be named.
        tags: the MetaGraph with exactly these tags.
        set_values: placeholder (tensor, input key) -> value that it has from now on.
        keep_vars: regular expression; variables whose name or checkpoint key it matches stay variables.
        keep_functions: leave plain calls of functions that no variable passes through.
        keep_names: keep the names of the source's feeds and fetches instead of using signature keys.
        keep_devices: keep device strings.
        no_lowering: let loops and branches stay functions when they run, too: converters then recognise
            recurrent layers, but TensorFlow may run kernels whose last bits differ.
        ema: take the moving averages of weights in place of the weights, where there are any.

    Raises:
        UsageError: a name does not exist, or a placeholder that is needed is neither fed nor set.
        UnsupportedError: the model does something that a frozen graph cannot; says which node, and what to do.
        FileError: a variable has no value in the checkpoint, or one of another type or shape.
    """
    metagraph = choose_metagraph(model, tags)
    asked = {"signature": signature, "inputs": inputs, "outputs": outputs, "outputs_by_shape": outputs_by_shape}
    endpoints = _endpoints(model, metagraph, asked)
    restored, load_path = restore_map(metagraph), LoadPath(metagraph)
    variables = _variables(model, metagraph, restored, load_path, keep_vars, ema=ema)
    before = sum(len(graph) for graph in metagraph.graphs)
    graph, feeds = _copy_needed(metagraph, endpoints, set_values or {})
    specializer = Specializer(variables, keep_functions=keep_functions)
    specializer.run(graph, list(feeds.values()))
    tables = _fill(graph, feeds, variables, TableContents(restored, load_path, model.checkpoint, [metagraph.graph]))
    notes = [*_check_inputs(graph, set(feeds.values()), endpoints), *_told_averages(variables)]
    _prune(graph, feeds, load_path, keep_vars, variables)
    fed, fetched = name_endpoints(graph, feeds, endpoints, keep_names=keep_names)
    keeps: dict[str, Any] = {"keep_devices": keep_devices, "no_lowering": no_lowering}
    keeps["kept"] = variables.sources(graph) if variables.kept else {}
    functions = commit(model, metagraph, graph, endpoints, fed, fetched, **keeps)
    facts: dict[str, Any] = {"tables": tables, "notes": tuple(notes), **specializer.told()}
    facts |= {"feeds": _names(fed), "fetches": _names(fetched), "functions": tuple(one.name for one in functions)}
    return _report(metagraph, endpoints, variables, nodes_before=before, **facts)


def _endpoints(model: Model, metagraph: MetaGraph, asked: Mapping[str, Any]) -> Endpoints:
    if is_tflite(model, metagraph, "freeze"):
        raise UnsupportedError("the weights of a TFLite model are constants already", hint="gs weights lists them")
    return resolve_endpoints(metagraph, **asked)


def _prune(
    graph: Graph, feeds: Mapping[str, Node], load_path: LoadPath, keep_vars: str | None, variables: FrozenVariables
) -> None:
    _check_kept(keep_vars, variables)
    prune_graph(graph, feeds.values())
    check_filled(load_path, graph)


def _fill(
    graph: Graph, feeds: Mapping[str, Node], variables: FrozenVariables, contents: TableContents
) -> tuple[str, ...]:
    read_assets(graph, variables.asset_paths, list(feeds.values()))
    return tuple(fill_tables(graph, reached_functions([graph]), contents))


def _names(values: Mapping[str, Value]) -> dict[str, str]:
    return {key: str(value) for key, value in values.items()}


def _variables(
    model: Model,
    metagraph: MetaGraph,
    restored: RestoreMap,
    load_path: LoadPath,
    keep_vars: str | None,
    *,
    ema: bool,
) -> FrozenVariables:
    return FrozenVariables(
        restored,
        load_path,
        model.checkpoint,
        captured=lambda: captured_keys(metagraph, model.checkpoint) if model.checkpoint is not None else {},
        is_kept=_kept(keep_vars),
        averages=_averages(model, keep_vars) if ema else None,
        why_not=model.unreadable,
    )


def _averages(model: Model, keep_vars: str | None) -> dict[str, str]:
    if keep_vars is not None:
        raise UsageError(
            "a variable that stays has its trained value",
            hint="gs rename --ema puts the averages into the checkpoint first",
        )
    return required_averages(model.checkpoint)


def _told_averages(variables: FrozenVariables) -> list[str]:
    """Say how many constants are averages, and which weights have none, if somebody asked for averages."""
    averages = variables.averages
    if not averages:
        return []
    frozen = [one for one in variables.frozen.values() if one.key is not None and one.tensor is not None]
    plain = [one.name for one in frozen if one.key not in averages and one.tensor and one.tensor.dtype.is_floating]
    count = sum(one.key in averages for one in frozen)
    more = f" and {len(plain) - _MOST_NAMED} more" if len(plain) > _MOST_NAMED else ""
    rest = f"; without one: {', '.join(plain[:_MOST_NAMED])}{more}" if plain else ""
    return [f"{plural(count, 'variable')} took the value of a moving average{rest}"]


def _report(metagraph: MetaGraph, endpoints: Endpoints, variables: FrozenVariables, **facts: Any) -> FreezeReport:
    tensors = [frozen.tensor for frozen in variables.frozen.values() if frozen.tensor is not None]
    return FreezeReport(
        signature=endpoints.signature.key if endpoints.signature else None,
        variables=len(variables.frozen),
        variable_bytes=sum(tensor.nbytes for tensor in tensors),
        kept_variables=tuple(variables.kept),
        nodes_after=sum(len(graph) for graph in metagraph.graphs),
        **facts,
    )


def _kept(pattern: str | None) -> Callable[[str], bool]:
    if pattern is None:
        return lambda name: False
    try:
        compiled = re.compile(pattern)
    except re.error as error:
        raise UsageError(f"{pattern!r} is not a regular expression: {error}") from error
    return lambda name: compiled.search(name) is not None


def _check_kept(pattern: str | None, variables: FrozenVariables) -> None:
    if pattern is not None and not variables.kept:
        raise UsageError(
            f"no variable that the outputs need and a checkpoint restores has a name or key that {pattern!r} matches",
            hint="gs weights lists both",
        )


def _copy_needed(
    metagraph: MetaGraph, endpoints: Endpoints, set_values: Mapping[str, object]
) -> tuple[Graph, dict[str, Node]]:
    """Copy what the fetches need; return the copy, its outputs set, and the node of each feed."""
    source = metagraph.graph
    graph = source.blank()
    cut: dict[Value, Value] = {}
    for name, given in set_values.items():
        value = input_value(metagraph, name, endpoints.signature)
        cut[value] = _add_constant(graph, value, given, name)
    feeds: dict[str, Node] = {}
    fed: set[Node] = set()
    for key, feed in endpoints.feeds.items():
        if feed.value not in cut:
            feeds[key] = _add_feed(graph, feed)
            cut[feed.value] = feeds[key].output(0)
            fed.add(feeds[key])
        elif (node := cut[feed.value].producer) in fed and node is not None:
            feeds[key] = node  # two keys of one tensor
    wanted = {key: fetch.value for key, fetch in endpoints.fetches.items()}
    part = copy_part(source, graph, wanted.values(), cut=cut, name=str)
    graph.outputs = [Output(key, part.value(value)) for key, value in wanted.items()]
    for node in graph.nodes:
        if node.op == "PlaceholderWithDefault" and not endpoints.takes_any:
            node.become("Identity", node.inputs, {"T": dtype_of(node.output(0))})
        elif node.op in PLACEHOLDERS and endpoints.takes_any and node not in fed:
            feeds[node.name] = node
    return graph, feeds


def _add_constant(graph: Graph, value: Value, given: object, name: str) -> Value:
    dtype = dtype_of(value)
    if dtype is None or value.producer is None:
        raise UsageError(f"the type of {name!r} is not known, so it cannot be set")
    shape = placeholder_shape(value.producer) if value.producer.op in PLACEHOLDERS else UNKNOWN_RANK
    tensor = constant_tensor(given, dtype, shape, f"{name!r}")
    return graph.add_node("Const", _stand_in(graph, value), [], {"dtype": dtype, "value": tensor}).output(0)


def _add_feed(graph: Graph, feed: Endpoint) -> Node:
    producer = feed.value.producer
    assert producer is not None
    if producer.op == "Placeholder":
        return graph.adopt(producer, producer.name)
    dtype = feed.dtype or dtype_of(feed.value)
    if dtype is None:
        raise UsageError(f"the type of {str(feed.value)!r} is not known, so it cannot be fed")
    shape = feed.shape
    if shape is None:
        is_fed = producer.op in PLACEHOLDERS
        shape = placeholder_shape(producer) if is_fed else infer_shapes(feed.value.graph.metagraph).shape(feed.value)
    return graph.add_node("Placeholder", _stand_in(graph, feed.value), [], {"dtype": dtype.base, "shape": shape})


def _stand_in(graph: Graph, value: Value) -> str:
    """Return a name for the node that takes the place of a value: its producer's, if that has no other output."""
    producer = value.producer
    assert producer is not None
    is_only = len(producer.output_dtypes() or ()) == 1
    return graph.unique_name(producer.name if is_only else f"{producer.name}_{value.port}")


def _check_inputs(graph: Graph, feeds: set[Node], endpoints: Endpoints) -> list[str]:
    """Refuse placeholders that nobody feeds; note what else must come from outside."""
    open_nodes = [node for node in graph.nodes if node.op in PLACEHOLDERS and node not in feeds]
    if open_nodes:
        key = endpoints.signature.key if endpoints.signature else ""
        names = ", ".join(repr(node.name) for node in open_nodes)
        raise UsageError(
            f"the outputs need {names}, which signature {key!r} does not feed",
            hint=f"set it (--set {open_nodes[0].name}=VALUE) or make it an input (--inputs {open_nodes[0].name})",
        )
    return [
        f"{node.name} ({node.op}) still takes data from an input pipeline; cut it off with --inputs {node.name}"
        for node in graph.nodes
        if node.op in ELEMENTS
    ]
