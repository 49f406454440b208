"""Other element types for inputs and outputs of a TFLite model: QUANTIZE and DEQUANTIZE at its ends come and go.

What an end is called stays, and so does its place among inputs and outputs: the tensor inside goes, or comes.
A model whose ends are integers computes what its converter's own build with such ends does.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from graphsurgeon.analysis.names import choose_metagraph, near_or_all
from graphsurgeon.analysis.tensors import quantization
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import FLOAT32, DType
from graphsurgeon.model.graph import Graph, Node, Output, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import UNKNOWN_RANK
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.moves.reports import InputChange

_SHIFT = 128  # between the zero points of uint8 and int8
_STORED = ("int8", "uint8", "int16")


@dataclass(frozen=True)
class SetOutputReport:
    """What changed.

    Attributes:
        outputs: the outputs.
        signatures: keys of the signatures that have them.
        notes: what else the user should know, one line each.
    """

    outputs: tuple[InputChange, ...] = ()
    signatures: tuple[str, ...] = ()
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True)
class Scale:
    """How integers stand for real numbers at an end of a float model, which nothing in it says."""

    scale: float
    zero_point: int


@arguments.takes(dtypes=arguments.dtypes)
def set_output(
    model: Model,
    dtypes: Mapping[str, str | DType],
    *,
    scale: float | None = None,
    zero_point: int | None = None,
) -> SetOutputReport:
    """Change element types of outputs of a TFLite model's first subgraph.

    Args:
        model: changed in place.
        dtypes: output (key or name of the tensor) -> int8, uint8, int16 or float32.
        scale, zero_point: of integers that a float output is to become.

    Raises:
        UsageError: there is no such output, or no scale where one is needed.
        UnsupportedError: the model is no TFLite model, or the output cannot have the type.
    """
    metagraph = choose_metagraph(model)
    if not is_tflite(model, metagraph, "set-output"):
        hint = "those of a graph have what their ops yield"
        raise UnsupportedError("only outputs of a TFLite model have types of their own", hint=hint)
    if not dtypes:
        raise UsageError("nothing to set", hint="give --dtype OUTPUT=DTYPE")
    changes = plan_types(metagraph, dtypes, "output", scale_of(scale, zero_point))
    return SetOutputReport(tuple(change() for change in changes), _affected(metagraph, "outputs"))


def scale_of(scale: float | None, zero_point: int | None) -> Scale | None:
    """Return what the user says of integers; None for nothing.

    Raises:
        UsageError: only half of it is said, or it is no scale.
    """
    if scale is None and zero_point is None:
        return None
    if not isinstance(scale, int | float) or not 0 < scale < float("inf"):
        raise UsageError("a scale is a positive number", hint="give --scale and --zero-point")
    return Scale(scale, zero_point or 0)


def plan_types(
    metagraph: MetaGraph, dtypes: Mapping[str, str | DType], side: str, scale: Scale | None
) -> list[Callable[[], InputChange]]:
    """Check what is asked; return what does it, one for each end.

    Raises:
        UsageError, UnsupportedError: see `set_output`.
    """
    plans: list[Callable[[], InputChange]] = []
    ends: set[Value] = set()
    for name, wanted in dtypes.items():
        value, dtype = find_end(metagraph, name, side), _dtype(wanted)
        if value in ends:
            raise UsageError(f"{name!r} is named twice")
        ends.add(value)
        plans.append(_plan(metagraph, value, dtype, side, scale))
    return plans


def find_end(metagraph: MetaGraph, name: str, side: str) -> Value:
    """Return an input or output of the first subgraph by a signature's key, its name, or `#index`.

    Raises:
        UsageError: there is none.
    """
    graph = metagraph.graph
    values = graph.inputs if side == "input" else [output.value for output in graph.outputs]
    sides = [getattr(s, f"{side}s") for s in metagraph.signatures.values() if s.graph is graph]
    keyed = {key: entry.mention.target for entries in sides for key, entry in entries.items() if entry.mention}
    target = keyed.get(name)
    found = [value for value in values if name in (value.name, f"#{value.port}")] or (
        [target] if isinstance(target, Value) and target in values else []
    )
    if not found:
        raise UsageError(
            f"the model has no {side} {name!r}", hint=near_or_all(name, [*keyed, *(v.name or "" for v in values)])
        )
    return found[0]


def _dtype(wanted: str | DType) -> DType:
    try:
        dtype = wanted if isinstance(wanted, DType) else DType.named(wanted)
    except KeyError:
        raise UsageError(f"there is no dtype {wanted!r}") from None
    if dtype is not FLOAT32 and dtype.name not in _STORED:
        raise UnsupportedError(f"an end of a TFLite model is float32, {', '.join(_STORED)}, not {dtype}")
    return dtype


def _plan(
    metagraph: MetaGraph, value: Value, dtype: DType, side: str, scale: Scale | None
) -> Callable[[], InputChange]:
    if value.dtype is None or (value.dtype is not FLOAT32 and quantization(value) is None):
        raise UnsupportedError(f"{side} {value} is {value.dtype}, whose integers stand for no real numbers")
    inner = _inner(value, side)
    inner = inner if quantization(inner) is not None else value  # of a float model with integers at its ends
    known = quantization(inner)
    stored: Quantization | None = None
    if dtype is not FLOAT32 and known is not None:
        stored = _as_type(known, inner, dtype)
    elif dtype is not FLOAT32:
        if scale is None:
            raise UsageError(
                f"{side} {value} is computed in float32, and nothing says what a {dtype} would stand for",
                hint="give --scale and --zero-point",
            )
        stored = Quantization(scale=(scale.scale,), zero_point=(scale.zero_point,))
    was = value.dtype
    change = _change_input if side == "input" else _change_output

    def act() -> InputChange:
        if dtype is not was:
            change(value, dtype, stored)
        _tell_signatures(metagraph, value)
        shape = value.shape or UNKNOWN_RANK
        return InputChange(value.name or f"#{value.port}", dtype.name, shape, was.name, shape)

    return act


def _inner(value: Value, side: str) -> Value:
    """Return the tensor that the model itself reads or computes, behind the operator at its end if there is one."""
    node = _end_node(value, side)
    if node is None:
        return value
    return node.outputs[0] if side == "input" else node.inputs[0]


def _end_node(value: Value, side: str) -> Node | None:
    """Return the QUANTIZE or DEQUANTIZE at an end, None if there is none that could go."""
    if side == "output":
        node = value.producer
        is_end = node is not None and node.op in ("QUANTIZE", "DEQUANTIZE") and _is_made(node.inputs[0])
        return node if is_end else None
    users = value.consumers
    is_output = any(output.value is value for output in value.graph.outputs)
    if len(users) == 1 and users[0].op in ("QUANTIZE", "DEQUANTIZE") and not is_output:
        inner = users[0].outputs[0]
        return None if any(output.value is inner for output in value.graph.outputs) else users[0]
    return None


def _is_made(value: Value) -> bool:
    """Say whether a tensor is computed, and not an end of the subgraph itself."""
    ends = [*value.graph.inputs, *(output.value for output in value.graph.outputs)]
    return value.producer is not None and all(end is not value for end in ends)


def _as_type(known: Quantization, inner: Value, dtype: DType) -> Quantization:
    """Return the parameters of the same real numbers in another type of as many bits."""
    if dtype is inner.dtype:
        return known
    if inner.dtype is None or {dtype.name, inner.dtype.name} != {"int8", "uint8"} or len(known.scale) != 1:
        raise UnsupportedError(f"{inner} is {inner.dtype} inside the model, which no {dtype} stands for")
    shift = _SHIFT if dtype.name == "uint8" else -_SHIFT
    return Quantization(scale=known.scale, zero_point=tuple(zero + shift for zero in known.zero_point or (0,)))


def _change_input(value: Value, dtype: DType, stored: Quantization | None) -> None:
    graph = value.graph
    node = _end_node(value, "input")
    inner = node.outputs[0] if node is not None else value
    if node is not None and dtype is inner.dtype:
        graph.take_out([node])
        inner.replace_with(value)
        graph.remove_values([inner])
    elif node is None:
        inner = _twin(value, "inner")
        value.replace_with(inner)
        _output_stays(graph, inner, value)
        op = "QUANTIZE" if inner.dtype is not FLOAT32 else "DEQUANTIZE"
        graph.add_node(op, "", [value]).set_outputs([inner])
    _retype(value, dtype, stored)


def _change_output(value: Value, dtype: DType, stored: Quantization | None) -> None:
    graph = value.graph
    node = _end_node(value, "output")
    others = value.consumers
    if node is None:
        inner = _twin(value, "inner")
        producer = value.producer
        for user in others:
            user.inputs = [inner if one is value else one for one in user.inputs]
        if producer is not None:
            producer.set_outputs([inner if one is value else one for one in producer.outputs])
        else:
            graph.inputs = [inner if one is value else one for one in graph.inputs]
        graph.add_node(_to(dtype), "", [inner]).set_outputs([value])
    else:
        _take_over(graph, node, value, dtype)
    _retype(value, dtype, stored)


def _take_over(graph: Graph, node: Node, value: Value, dtype: DType) -> None:
    """Let an output be what the operator before its last one yields, or be made of it by another operator."""
    inner = node.inputs[0]
    if value.consumers:  # others read it as it is: a tensor of its own is left to them
        left = _twin(value, "read")
        for user in value.consumers:
            user.inputs = [left if one is value else one for one in user.inputs]
        node.set_outputs([left])
    else:
        graph.take_out([node])
    if dtype is not inner.dtype:
        graph.add_node(_to(dtype), "", [inner]).set_outputs([value])
        return
    producer = inner.producer
    assert producer is not None
    inner.replace_with(value)
    producer.set_outputs([value if one is inner else one for one in producer.outputs])
    graph.remove_values([inner])


def _to(dtype: DType) -> str:
    return "DEQUANTIZE" if dtype is FLOAT32 else "QUANTIZE"


def _output_stays(graph: Graph, inner: Value, value: Value) -> None:
    """Let an input that is an output as well remain one."""
    graph.outputs = [Output("", value, value.dtype, o.raw) if o.value is inner else o for o in graph.outputs]


def _twin(value: Value, what: str) -> Value:
    """Add a tensor like another one, under a name of its own."""
    assert value.dtype is not None
    taken = {one.name for one in value.graph.values}
    name, number = f"{value.name or f'tensor_{value.port}'}_{what}", 1
    while name in taken:
        name, number = f"{value.name}_{what}_{number}", number + 1
    twin = value.graph.add_value(name, value.dtype, value.shape or UNKNOWN_RANK)
    twin.extra = dict(value.extra) if value.extra else None
    return twin


def _retype(value: Value, dtype: DType, stored: Quantization | None) -> None:
    value.dtype = dtype
    extra = {key: item for key, item in (value.extra or {}).items() if key != "quantization"}
    if stored is not None:
        extra["quantization"] = stored
    value.extra = extra or None


def _tell_signatures(metagraph: MetaGraph, value: Value) -> None:
    for signature in metagraph.signatures.values():
        for entry in signature.entries:
            if entry.mention is not None and entry.mention.target is value:
                entry.dtype = value.dtype


def _affected(metagraph: MetaGraph, side: str) -> tuple[str, ...]:
    signatures = metagraph.signatures.values()
    return tuple(one.key for one in signatures if one.graph is metagraph.graph and getattr(one, side))
