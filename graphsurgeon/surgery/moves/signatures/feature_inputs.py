"""Inputs that stand behind the parser of serialized `tf.train.Example`s: keys, dtypes, shapes, what is to be told."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

from graphsurgeon.analysis.interface.parsed_features import ALL_PARSERS, ParsedTensor, parsed_tensors
from graphsurgeon.analysis.names import INTERNAL
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.objects import is_parameter, parameter_name
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.shapes.report import ShapeReport
from graphsurgeon.surgery.moves.functions.carry_in import Fed


@dataclass
class FeatureInputs:
    """What is fed in place of serialized records.

    Attributes:
        fed: the tensors, by input key.
        defaults: key -> what the parser would fill in, where the number of records is known.
        notes: what the user should know, one line each.
    """

    fed: list[Fed] = field(default_factory=list)
    defaults: dict[str, Tensor] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def parsing_signature(metagraph: MetaGraph, key: str | None) -> Signature:
    """Return the signature whose outputs come of parsed examples: the named one, `serving_default`, or the only one.

    Raises:
        UsageError: there is none of that name, or several that parse.
        UnsupportedError: none parses.
    """
    public = {name: one for name, one in metagraph.signatures.items() if not name.startswith(INTERNAL)}
    if key is not None and key not in public:
        raise UsageError(f"the model has no signature {key!r}", hint=f"there is {', '.join(public) or 'none'}")
    chosen = [public[key]] if key is not None else [one for one in public.values() if _parses(metagraph, one)]
    if len(chosen) > 1:
        chosen = [one for one in chosen if one.key == "serving_default"] or chosen
    has_parser = bool(chosen) or any(node.op in ALL_PARSERS for graph in metagraph.graphs for node in graph.nodes)
    if not chosen and has_parser and len(public) == 1:
        return next(iter(public.values()))  # whoever asks for its features is told why there are none
    if not chosen:
        raise UnsupportedError(
            "no signature parses serialized examples"
            if has_parser
            else "nothing in the model parses serialized examples",
            hint="name the outputs: gs outputs lists likely ones" if has_parser else "gs inputs lists what is fed",
        )
    if len(chosen) > 1:
        choices = ", ".join(f"--signature {one.key}" for one in chosen)
        raise UsageError("several signatures parse examples", hint=f"choose {choices}")
    return chosen[0]


def signature_outputs(signature: Signature) -> dict[str, Value]:
    """Return the tensors of a signature's outputs.

    Raises:
        UnsupportedError: an output is composite (sparse, ragged), or names no tensor.
    """
    found = {}
    for key, entry in signature.outputs.items():
        value = entry.mention.target if entry.mention is not None else None
        if not isinstance(value, Value):
            raise UnsupportedError(f"output {key!r} of signature {signature.key!r} is no single tensor")
        found[key] = value
    return found


def feature_inputs(
    metagraph: MetaGraph, outputs: Sequence[Value], shapes: ShapeReport, *, taken: Collection[str] = ()
) -> FeatureInputs:
    """Return what is to be fed so that main-graph outputs need no serialized records.

    Args:
        metagraph: left as it is.
        outputs: values of the main graph.
        shapes: of the MetaGraph.
        taken: names that no key may have.

    Raises:
        UnsupportedError: nothing is parsed on the way, or a tensor cannot be fed.
    """
    made = FeatureInputs()
    used = set(taken)
    for tensor in parsed_tensors(metagraph.graph, outputs):
        dtype, shape = shapes.dtype(tensor.value), shapes.shape(tensor.value)
        if dtype is None:
            raise UnsupportedError(f"the dtype of {tensor.value} is not known")
        key = _key(metagraph, tensor, used)
        used.add(key)
        made.fed.append(Fed(key, tensor.value, tensor.call, dtype, shape))
        made.notes += _notes(tensor, key)
        if tensor.default is not None:
            _default(made, tensor.default, key, shape)
    return made


def _parses(metagraph: MetaGraph, signature: Signature) -> bool:
    values = [entry.mention.target for entry in signature.outputs.values() if entry.mention is not None]
    try:
        return bool(parsed_tensors(metagraph.graph, [value for value in values if isinstance(value, Value)]))
    except UnsupportedError:
        return False


def _key(metagraph: MetaGraph, tensor: ParsedTensor, used: Collection[str]) -> str:
    """Return the feature's name, as far as the loaders take it."""
    base = tensor.name if tensor.is_feature else tensor.name.replace("/", "_")
    base = parameter_name(base) if metagraph.objects is not None else base or "feature"
    base = base if is_parameter(base) else f"{base}_"
    taken = {parameter_name(key) for key in used}
    number, key = 0, base
    while parameter_name(key) in taken:
        number += 1
        key = f"{base}_{number}"
    return key


def _notes(tensor: ParsedTensor, key: str) -> list[str]:
    if not tensor.is_feature:
        return [f"{key} is no feature, but computed of the serialized examples without parsing them ({tensor.value})"]
    return [f"feature {tensor.name!r} is called {key}"] if key != tensor.name else []


def _default(made: FeatureInputs, default: Tensor, key: str, shape: Shape) -> None:
    """Keep what the parser fills in, where it is known how often."""
    dims = shape.dims
    if dims is None or any(dim is None for dim in dims):
        made.notes.append(
            f"{key} is required: its default, {_text(default)}, cannot be kept for an unknown number of examples"
        )
        return
    sizes = [dim for dim in dims if dim is not None]
    count = 1
    for size in sizes:
        count *= size
    items = default.items()
    made.defaults[key] = Tensor.of(default.dtype, sizes, items * (count // len(items)))
    made.notes.append(f"{key} may be left out of a request to TensorFlow Serving: its default is {_text(default)}")


def _text(default: Tensor) -> str:
    items = default.items()
    return repr(items[0]) if len(set(items)) == 1 else f"{len(items)} values"
