"""What goes in and what comes out of the part of a model that is frozen: by signature, or by tensors named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.analysis.names import KEY, find_signature, find_value, suggestion
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.surgery.moves.functions.carry_out import find_way

_MOST_PROPOSED = 5  # in a hint


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A tensor that is fed or fetched.

    Attributes:
        value: in the source's main graph.
        dtype, shape: as the signature records them; None where nothing does.
        whole: of a part of a sparse or composite tensor, the key of that tensor.
    """

    value: Value
    dtype: DType | None = None
    shape: Shape | None = None
    whole: str | None = None


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Feeds and fetches by key.

    Attributes:
        feeds, fetches: signature key (or the name that was given) -> tensor; `key.0`, `key.1` ... for the parts of
            a sparse or composite tensor.
        signature: whose keys they are, None if tensors were named.
        takes_any: placeholders that are reached and not listed are feeds too; otherwise they are mistakes.
    """

    feeds: dict[str, Endpoint] = field(default_factory=dict)
    fetches: dict[str, Endpoint] = field(default_factory=dict)
    signature: Signature | None = None
    takes_any: bool = False


def resolve_endpoints(
    metagraph: MetaGraph,
    *,
    signature: str | None = None,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    outputs_by_shape: Sequence[str] | None = None,
) -> Endpoints:
    """Find the tensors that are fed and fetched.

    Args:
        metagraph: where to look.
        signature: its inputs are fed, and without `outputs` its outputs are fetched.
        inputs: tensors to be fed, whatever computes them.
        outputs: a tensor or node of the main graph, else a signature key; `key:NAME` is always a key.
        outputs_by_shape: patterns; of each the likeliest output of such a shape. Infers shapes.

    Raises:
        UsageError: a name does not exist, or there is nothing to choose outputs by.
    """
    chosen: Signature | None = None
    fetches: dict[str, Endpoint] = {}
    if signature is not None or not (outputs or outputs_by_shape):
        chosen = _signature(metagraph, signature)
        fetches = _entries(chosen.outputs, f"output of signature {chosen.key!r}")
    feeds: dict[str, Endpoint] = {}
    if outputs or outputs_by_shape:
        chosen, fetches = _named_outputs(metagraph, outputs or (), chosen)
        fetches |= _shaped_outputs(metagraph, outputs_by_shape or ())
    if chosen is not None:
        feeds = _entries(chosen.inputs, f"input of signature {chosen.key!r}")
    for name in inputs or ():
        value = input_value(metagraph, name, chosen)
        if name in feeds and feeds[name].value is value:
            continue
        feeds = {key: feed for key, feed in feeds.items() if feed.value is not value}
        feeds[name] = Endpoint(value)
    if not fetches:
        raise UsageError(f"signature {chosen.key!r} has no outputs" if chosen else "no outputs were named")
    return Endpoints(feeds, fetches, chosen, takes_any=chosen is None)


def input_value(metagraph: MetaGraph, name: str, signature: Signature | None) -> Value:
    """Return a tensor of the main graph by its name, else the one that is fed under that key.

    Args:
        metagraph: where to look.
        name: of a tensor or node, else an input key.
        signature: whose keys are meant; those of all signatures if None.

    Raises:
        UsageError: there is none, or signatures feed several under the key.
    """
    if not _is_tensor(metagraph, name):
        among = [signature] if signature is not None else list(metagraph.signatures.values())
        entries = [one.inputs[name] for one in among if name in one.inputs]
        fed = {mention.target: None for entry in entries if (mention := entry.mention) is not None}
        values = [value for value in fed if isinstance(value, Value)]
        if len(values) > 1:
            listed = ", ".join(repr(str(value)) for value in values)
            raise UsageError(f"input {name!r} of different signatures is {listed}", hint="give one of these names")
        if values:
            return values[0]
    return find_value(metagraph, name, graph="main")


def _signature(metagraph: MetaGraph, key: str | None) -> Signature:
    """Return the signature to freeze; where there is none, propose outputs."""
    public = [one for one in metagraph.signatures if not one.startswith("__saved_model")]
    if key is not None or public:
        return find_signature(metagraph, key)
    from graphsurgeon.analysis.candidates import likely_outputs

    likely = [str(candidate.value) for candidate in likely_outputs(metagraph)[:_MOST_PROPOSED]]
    choices = ", ".join(f"--outputs {name}" for name in likely)
    raise UsageError(
        "there is no signature to tell what comes out", hint=f"choose {choices}" if likely else "give --outputs"
    )


def _shaped_outputs(metagraph: MetaGraph, patterns: Sequence[str]) -> dict[str, Endpoint]:
    if not patterns:
        return {}
    from graphsurgeon.analysis.candidates import by_shape
    from graphsurgeon.shapes.infer import infer_shapes

    shapes = infer_shapes(metagraph)
    values = [by_shape(metagraph, pattern, shapes) for pattern in patterns]
    return {str(value): Endpoint(value, shape=shapes.shape(value)) for value in values}


def _named_outputs(
    metagraph: MetaGraph, names: Sequence[str], signature: Signature | None
) -> tuple[Signature | None, dict[str, Endpoint]]:
    fetches: dict[str, Endpoint] = {}
    used: list[Signature] = [] if signature is None else [signature]
    for name in names:
        key = name.removeprefix(KEY)
        owner = None if key == name and _is_tensor(metagraph, name) else _owner(metagraph, key, signature)
        if owner is None:
            fetches[name] = Endpoint(find_value(metagraph, name, graph="main"))
        else:
            fetches |= _entries({key: owner.outputs[key]}, f"output of signature {owner.key!r}")
            used.append(owner)
    if len({id(owner) for owner in used}) > 1:
        keys = ", ".join(sorted({repr(owner.key) for owner in used}))
        raise UsageError(f"the outputs belong to different signatures: {keys}", hint="choose one with --signature")
    return (used[0] if used else None), fetches


def _is_tensor(metagraph: MetaGraph, name: str) -> bool:
    node, _, port = name.rpartition(":") if ":" in name else (name, "", "")
    graph = metagraph.graph
    return graph.node(name) is not None or (port.isdecimal() and graph.node(node) is not None)


def _owner(metagraph: MetaGraph, key: str, signature: Signature | None) -> Signature:
    """Return the signature that an output key belongs to."""
    among = [signature] if signature is not None else list(metagraph.signatures.values())
    owners = [one for one in among if key in one.outputs]
    preferred = [one for one in owners if one.key == "serving_default"] or owners
    if len(preferred) == 1:
        return preferred[0]
    if owners:
        choices = ", ".join(f"--signature {one.key}" for one in owners)
        raise UsageError(f"{len(owners)} signatures have an output {key!r}", hint=f"choose {choices}")
    keys = list(dict.fromkeys(name for one in among for name in one.outputs if not one.key.startswith("__saved_model")))
    hint = suggestion(key, [*keys, *(node.name for node in metagraph.graph.nodes)])
    there_is = ", ".join(f"--outputs {name}" for name in keys[:_MOST_PROPOSED])
    inside = [one for one in metagraph.functions.values() if one.node(key.partition(":")[0]) is not None]
    if inside:
        run = set(reached_functions([metagraph.graph]))
        inside.sort(key=lambda one: one not in run)  # before those that only loaded objects know
        what = f"{key!r} is a tensor of function {inside[0].name!r}, not of the main graph"
        raise UsageError(what, hint=_way_out(metagraph, inside[0], key))
    raise UsageError(
        f"the model has no tensor and no signature output {key!r}",
        hint=hint or (f"there is {there_is}" if keys else "gs outputs lists the likely ones"),
    )


def _way_out(metagraph: MetaGraph, function: Graph, key: str) -> str:
    """Say how a tensor of a function can be had, if it can."""
    try:
        find_way(metagraph, function, None, ())
    except UnsupportedError as error:
        return f"{error.message}; {error.hint}"
    except UsageError:  # which of several ways, the command asks
        pass
    return f"`gs add-output MODEL {key}=NAME -o OUT` carries it out; freeze OUT with --outputs NAME"


def _entries(entries: Mapping[str, SignatureEntry], what: str) -> dict[str, Endpoint]:
    found = {}
    for key, entry in entries.items():
        for number, mention in enumerate(entry.mentions):
            value = mention.target
            if not isinstance(value, Value):
                raise UsageError(f"{what} {key!r} names {mention.text!r}, which is not in the graph")
            if entry.mention is not None:
                found[key] = Endpoint(value, entry.dtype, entry.shape or UNKNOWN_RANK)
            else:
                found[f"{key}.{number}"] = Endpoint(value, whole=key)
    return found
