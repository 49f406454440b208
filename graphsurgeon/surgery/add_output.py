"""Give a tensor a name of its own: an Identity in the main graph, an output of a signature, or of a TFLite subgraph.

A tensor inside a function is carried out through every call on the way to the main graph. Functions on that
way are copied unless nothing else uses them, so that other callers and `tf.saved_model.load`'s own functions
stay as they are. Only what prints a tensor is put into the function itself, whatever calls it.

Refused, with the nearest tensor that can be had: bodies of While, map and dataset functions and branches of If
and Case (their values exist per iteration or not at all), V1 loop frames and branches, and resources and
variants, which cannot be fetched.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.analysis.names import choose_metagraph, find_signature, find_value
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import TensorSpec
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.traversal import handed_on, upstream
from graphsurgeon.ops import catalog
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.fetchable import check_fetchable, check_type
from graphsurgeon.surgery.moves.functions.carry_out import Way, carry_out, find_way
from graphsurgeon.surgery.moves.functions.functionalize import part_between
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.moves.signatures.signature_function import find_wrapper, own_wrapper
from graphsurgeon.surgery.rename import LEGAL_NODE
from graphsurgeon.surgery.tflite.add_output import add_tflite_outputs


@dataclass(frozen=True)
class AddedOutput:
    """One output that was added.

    Attributes:
        name: the new tensor (GraphDef), or the signature key or tensor name (TFLite).
        tensor: what it yields, as named before.
        dtype, shape: of the tensor.
        signatures: keys of the signatures that have it now.
        rewired: how many inputs of other nodes read it instead of the tensor.
        cloned: functions that were copied on the way to the main graph.
        graph: the function that it was put into, to be printed there; empty for the main graph.
    """

    name: str
    tensor: str
    dtype: DType
    shape: Shape
    signatures: list[str] = field(default_factory=list)
    rewired: int = 0
    cloned: list[str] = field(default_factory=list)
    graph: str = ""


@dataclass(frozen=True)
class AddOutputReport:
    """Which outputs were added, in the order given."""

    outputs: list[AddedOutput]
    notes: list[str] = field(default_factory=list)


@dataclass
class _Request:
    """One output to add, checked.

    Attributes:
        value: the tensor.
        name: of the Identity, and the signature key.
        way: the calls that lead to its function, outermost first; empty in the main graph, or to print it.
        place: the graph that the Identity is put into.
    """

    value: Value
    name: str
    dtype: DType
    shape: Shape
    way: Way
    place: Graph


@arguments.takes(outputs=arguments.called, calls=arguments.names, tags=arguments.names)
def add_output(
    model: Model,
    outputs: Mapping[str, str],
    *,
    signature: str | None = None,
    rewire: bool = False,
    print_values: bool = False,
    all_tensors: bool = False,
    calls: Sequence[str] = (),
    graph: str | None = None,
    tags: Sequence[str] | None = None,
) -> AddOutputReport:
    """Add an Identity of a chosen name for each tensor; of a TFLite model make the tensor an output.

    Args:
        model: changed in place.
        outputs: tensor -> name.
        signature: also put it into this signature, in `signature_def` and in the object graph.
        rewire: send the tensor's consumers through the Identity, but for those that assign to it.
        print_values: print the tensor whenever it is computed (implies `rewire`), inside functions too.
        all_tensors: TFLite: every tensor becomes an output; `outputs` is not looked at.
        calls: nodes that call functions, to choose among several ways to a function.
        graph: limits the search for the tensors to one function or subgraph.
        tags: which MetaGraph of a SavedModel.

    Raises:
        UsageError: a tensor or signature is unknown, a name is taken or illegal, or several ways lead there.
        UnsupportedError: the tensor cannot be fetched.
    """
    metagraph = choose_metagraph(model, tags)
    if not outputs and not all_tensors:
        raise UsageError("no tensor to add as an output", hint="give TENSOR=NAME")
    if is_tflite(model, metagraph, "add-output"):
        added = add_tflite_outputs(metagraph, outputs, signature=signature, all_tensors=all_tensors, graph=graph)
        return AddOutputReport([AddedOutput(*item) for item in added])
    if all_tensors:
        raise UnsupportedError("every tensor as an output is for TFLite models only")
    target = find_signature(metagraph, signature) if signature is not None else None
    requests = _plan(metagraph, outputs, target, calls, graph, rewire=rewire, print_values=print_values)
    return AddOutputReport([_add(metagraph, request, target, rewire, print_values) for request in requests])


def check_new_name(graph: Graph, name: str) -> None:
    """Refuse a name that no new node of a graph can have.

    Raises:
        UsageError: it is illegal or taken.
    """
    if not LEGAL_NODE.fullmatch(name):
        raise UsageError(f"{name!r} is no legal name of a node", hint="use A-Z a-z 0-9 _ . / > -")
    free = graph.unique_name(name)
    if free != name:
        where = f"function {graph.name!r}" if graph.kind == "function" else "the main graph"
        raise UsageError(f"{where} already has a node {name!r}", hint=f"{free!r} is free")


def _plan(
    metagraph: MetaGraph,
    outputs: Mapping[str, str],
    target: Signature | None,
    calls: Sequence[str],
    graph: str | None,
    *,
    rewire: bool,
    print_values: bool,
) -> list[_Request]:
    run = _functions_of(target) if target is not None else None
    values = {text: find_value(metagraph, text, graph=graph, prefer=run) for text in outputs}
    names = Counter(outputs.values())
    shapes = infer_shapes(metagraph, on_demand=True)  # nothing changes before all requests are known
    requests = []
    for text, value in values.items():
        name, dtype, shape = outputs[text], shapes.dtype(value), shapes.shape(value)
        place = value.graph if print_values else metagraph.graph
        check_new_name(place, name)
        if names[name] > 1:
            raise UsageError(f"two outputs would be named {name!r}")
        if target is not None and name in target.outputs:
            raise UsageError(f"signature {target.key!r} already has an output {name!r}")
        if place is not metagraph.graph:
            requests.append(_Request(value, name, _printed(value, dtype, target), shape, (), place))
            continue
        dtype = check_fetchable(value, dtype)
        way = find_way(metagraph, value.graph, target, calls)
        if way and rewire:
            raise UnsupportedError(
                f"{text!r} lies in a function: its consumers there cannot read a main-graph node",
                hint="leave --rewire out, or print it with --print",
            )
        requests.append(_Request(value, name, dtype.base, shape, way, place))
    if target is not None:
        _check_signature(metagraph, target, requests)
    return requests


def _printed(value: Value, dtype: DType | None, target: Signature | None) -> DType:
    """Return the dtype of a value that is printed in its function, where every iteration of a loop will do."""
    if target is not None:
        raise UsageError(
            f"{value} is printed in function {value.graph.name!r}, which adds no output to a signature",
            hint="leave --signature out, or add the output without --print",
        )
    return check_type(value, dtype).base


def _functions_of(target: Signature) -> list[Graph]:
    """Return the functions that computing a signature runs."""
    ends = [value.producer for value in _targets(target.outputs.values()) if value.producer is not None]
    called = [function for node in upstream(ends) for function in node.functions]
    return list(dict.fromkeys([*called, *reached_functions(called)]))


def _check_signature(metagraph: MetaGraph, target: Signature, requests: Sequence[_Request]) -> None:
    wrapper = find_wrapper(metagraph, target.key)
    if wrapper is None:
        _check_fed(metagraph, target, requests)
        return
    for request in requests:
        if request.way and request.way[0].function is not wrapper.function:
            raise UnsupportedError(
                f"{request.value} is not computed by signature {target.key!r}",
                hint="leave --signature out, or make a signature of its own with gs add-signature",
            )
        if not request.way and _inside(request.value, wrapper.function) is None:
            raise UnsupportedError(
                f"{request.value} is computed in the main graph, not by the function of signature {target.key!r}",
                hint="name the tensor inside the function, or add a signature of its own with add-signature",
            )


def _check_fed(metagraph: MetaGraph, target: Signature, requests: Sequence[_Request]) -> None:
    """Refuse tensors that need a placeholder which the signature does not feed: it could not be called any more."""
    feeds = _targets(target.inputs.values())
    known = part_between(metagraph.graph, feeds, _targets(target.outputs.values())).unfed
    for request in requests:
        value = request.way[0].call.output() if request.way else request.value
        unfed = [node for node in part_between(metagraph.graph, feeds, [value]).unfed if node not in known]
        if unfed:
            raise UsageError(
                f"{request.value} needs {unfed[0].name!r}, which signature {target.key!r} does not feed",
                hint="gs add-signature makes a signature that does",
            )


def _targets(entries: Iterable[SignatureEntry]) -> list[Value]:
    found = [mention.target for entry in entries for mention in entry.mentions]
    return [value for value in found if isinstance(value, Value)]


def _inside(value: Value, wrapper: Graph) -> Value | None:
    """Return the wrapper's own value behind a main-graph value, if that is a result of calling it."""
    value = handed_on(value, ("Identity",))
    node = value.producer
    if node is not None and wrapper in node.functions and isinstance(value.port, int):
        return wrapper.outputs[value.port].value if value.port < len(wrapper.outputs) else None
    return None


def _add(
    metagraph: MetaGraph, request: _Request, target: Signature | None, rewire: bool, print_values: bool
) -> AddedOutput:
    tensor = str(request.value)
    keys = [target.key] if target is not None else []
    wrapper = own_wrapper(metagraph, target.key) if target is not None else None
    cloned: list[str] = []
    value = request.value
    if request.way:
        way, name = request.way, request.name
        value, cloned = carry_out(metagraph, way, value, name, request.dtype, request.shape, wrapper=wrapper)
    elif wrapper is not None:
        inner = _inside(value, wrapper.function)
        assert inner is not None
        wrapper.insert_output(wrapper.position_of(request.name), request.name, inner, request.dtype, request.shape)
    node = _add_identity(request.place, value, request, print_values)
    kept = [*_own(node), *(user for user in value.consumers if _takes_reference(user, value))]
    rewired = value.replace_with(node.output(), but=kept) if rewire or print_values else 0
    if target is not None:
        mention = Mention.of(node.output(), f"signature {target.key}, output {request.name}")
        target.outputs[request.name] = SignatureEntry(mention, request.dtype, request.shape)
    if wrapper is not None:
        results = wrapper.concrete.output_signature
        assert isinstance(results, dict)
        spec = TensorSpec(request.name, request.shape, request.dtype)
        wrapper.concrete.output_signature = {**results, request.name: spec}
    inside = request.place.name if request.place is not metagraph.graph else ""
    return AddedOutput(f"{node.name}:0", tensor, request.dtype, request.shape, keys, rewired, cloned, inside)


def _add_identity(graph: Graph, value: Value, request: _Request, print_values: bool) -> Node:
    controls = [_add_print(graph, value, request)] if print_values else []
    return graph.add_node("Identity", request.name, [value], {"T": request.dtype}, controls=controls)


def _add_print(graph: Graph, value: Value, request: _Request) -> Node:
    name = graph.unique_name(f"{request.name}/print")
    template = f"{request.name}: {{}}".encode()
    text = graph.add_node(
        "StringFormat",
        graph.unique_name(f"{request.name}/format"),
        [value],
        {"T": [request.dtype], "template": template, "placeholder": b"{}", "summarize": 3},
    )
    return graph.add_node("PrintV2", name, [text.output()], {"output_stream": b"stderr", "end": b"\n"})


def _own(node: Node) -> list[Node]:
    return [node, *(value.producer for control in node.controls for value in control.inputs if value.producer)]


def _takes_reference(node: Node, value: Value) -> bool:
    """Say whether a node changes the variable behind a value, as Assign does: an Identity's result is no variable."""
    opdef = catalog.of(node)
    dtypes = opdef.input_dtypes(node.attrs) if opdef is not None else None
    return any(read is value and dtype.is_ref for read, dtype in zip(node.inputs, dtypes or (), strict=False))
