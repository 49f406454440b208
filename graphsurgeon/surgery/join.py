"""Join two models: one after the other, or side by side; or a second set of tags beside the first.

Names of the first model stay; of the second only what collides gets a prefix. Functions, variables, assets, tables and
what runs on load are kept apart, and all are there. Weights stay on disk until they are written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphsurgeon.analysis.flow.load_path import INIT_SIGNATURE
from graphsurgeon.analysis.names import INTERNAL, choose_metagraph
from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph, TakenIn
from graphsurgeon.model.model import Model
from graphsurgeon.ops.kinds import MUST_BE_FED, PLACEHOLDERS, TABLES, VARIABLES
from graphsurgeon.surgery.joining.around import (
    free_child,
    join_assets,
    join_checkpoints,
    join_collections,
    join_loading,
    join_objects,
)
from graphsurgeon.surgery.joining.beside import join_tags
from graphsurgeon.surgery.joining.ends import Joint, Partner, joints, key_of, says_more
from graphsurgeon.surgery.joining.names import check_apart, default_prefix, set_apart
from graphsurgeon.surgery.joining.savers import join_savers
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.functions.functionalize import captured_assets, part_between
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.moves.signatures.new_signature import enter_signature
from graphsurgeon.surgery.moves.signatures.signature_function import SIGNATURES, signature_map
from graphsurgeon.surgery.stripping.attrs import take_out_with_wishes


@dataclass(frozen=True)
class JoinReport:
    """What was joined.

    Attributes:
        other: path of the second model.
        connected: (tensor of the first model, tensor of the second that it took the place of).
        inputs, outputs: of the signature of both, by key; empty where no model has one.
        renamed: (what, name in the second model, name in the result).
        tags: of the second MetaGraph, where the models stand beside each other under different tags.
    """

    other: str
    connected: list[tuple[str, str]] = field(default_factory=list)
    inputs: dict[str, TensorFact] = field(default_factory=dict)
    outputs: dict[str, TensorFact] = field(default_factory=dict)
    renamed: list[tuple[str, str, str]] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@arguments.takes(
    connect=arguments.connections,
    keep=arguments.names,
    as_tags=arguments.names,
    tags=arguments.names,
    other_tags=arguments.names,
)
def join(
    model: Model,
    other: Model,
    connect: Sequence[tuple[str, str]] | Mapping[str, str] = (),
    *,
    prefix: str = "",
    keep: Sequence[str] | None = None,
    signature: str | None = None,
    other_signature: str | None = None,
    name: str = "",
    as_tags: Sequence[str] | None = None,
    share_variables: bool = False,
    tags: Sequence[str] | None = None,
    other_tags: Sequence[str] | None = None,
) -> JoinReport:
    """Put a second model behind a first one, or beside it.

    Args:
        model: the first; changed in place.
        other: the second; it is taken apart, read it anew to use it otherwise. In a recipe, and in `edit`, its path.
        connect: pairs of an output (or any tensor, or an input that both are to read) of the first, and an input (or
            any tensor) of the second: what read that reads the first one. Without any they stand side by side.
        prefix: put before names of the second that the first has too; the name of its file by default.
        keep: outputs of the first that stay outputs although the second reads them, and further tensors of either.
        signature, other_signature: which signature of each is joined; `serving_default`, or the only one, by default.
        name: key of the signature of the result; by default that of the first.
        as_tags: instead put a MetaGraph of the second into the first, a SavedModel, under these tags.
        share_variables: with `as_tags`, variables of one key are one: those of the first.
        tags, other_tags: which MetaGraph of each.

    Raises:
        UsageError: a name is unknown, or two tensors that are to be one do not fit in dtype or shape.
        UnsupportedError: the models are of different vocabularies, or cannot be joined.
    """
    pairs = arguments.connections("connect", connect)
    arguments.require_read("other", other, Model)
    metagraph, added = choose_metagraph(model, tags), choose_metagraph(other, other_tags)
    if metagraph is added:
        raise UsageError("a model is joined with another one", hint="read it twice to join it with itself")
    if is_tflite(model, metagraph, "join") != is_tflite(other, added, "join"):
        what = f"{model.traits.title} and {other.traits.title}"
        raise UnsupportedError(f"{what} cannot be joined", path=other.path, hint="gs convert makes one of the other")
    prefix = prefix or default_prefix(other.path)
    if as_tags is not None:
        beside = join_tags(model, metagraph, other, added, as_tags, prefix, share=share_variables)
        return JoinReport(other.path, renamed=beside.renamed, tags=beside.tags, notes=beside.notes)
    first = _partner(model, metagraph, signature, "--signature")
    second = _partner(other, added, other_signature, "--other-signature")
    if metagraph.vocabulary == TFLITE:
        from graphsurgeon.surgery.tflite.join import join_tflite

        return JoinReport(other.path, *join_tflite(metagraph, added, first, second, pairs, keep or (), prefix, name))
    check_apart(metagraph, added, prefix)
    return _join(model, other, first, second, joints(first, second, pairs), list(keep or ()), prefix, name)


def _partner(model: Model, metagraph: MetaGraph, signature: str | None, option: str) -> Partner:
    """Return one of the two models with its ends; `option` is what chooses its signature on the command line."""
    try:
        return Partner(metagraph, model.path, signature)
    except UsageError as error:
        hint = (error.hint or "").replace("--signature", option)
        raise UsageError(f"{error.message} ({model.path})", hint=hint) from None


def _join(
    model: Model,
    other: Model,
    first: Partner,
    second: Partner,
    joined: Sequence[Joint],
    keep: list[str],
    prefix: str,
    name: str,
) -> JoinReport:
    outputs = _outputs(first, second, joined, keep, prefix)
    if outputs:
        first.name_inputs([*outputs.values(), *(joint.source for joint in joined)])
        second.name_inputs(outputs.values())
    inputs = _inputs(first, second, joined, prefix)
    metagraph = first.metagraph
    told = [(str(joint.source), str(joint.target)) for joint in joined]
    renamed = set_apart(model, metagraph, other, second.metagraph, prefix)
    places = _Places(second, [*inputs.values(), *outputs.values(), *(joint.target for joint in joined)])
    free = _needs_no_objects(metagraph), _needs_no_objects(second.metagraph)
    assert metagraph.raw is not None
    taken = metagraph.raw.take_in(metagraph, second.metagraph)
    places.move(metagraph)
    notes = _join_around(model, other, metagraph, taken, prefix, free)
    key = name or next((ends.signature.key for ends in (first, second) if ends.signature is not None), "")
    gone = _connect(metagraph, joined, places, prefix)
    notes += _join_signatures(metagraph, taken, second, gone, prefix)
    found_in = {key_: places.now(value) for key_, value in inputs.items()}
    found_out = {key_: places.now(value) for key_, value in outputs.items()}
    facts: tuple[dict[str, TensorFact], dict[str, TensorFact]] = ({}, {})
    if key:
        facts = _sign(model, metagraph, key, found_in, found_out)
    _take_out(metagraph, gone)
    return JoinReport(other.path, told, *facts, renamed, [], [*other.notes, *notes])


class _Places:
    """Where tensors of the second model are in the first one, once that has taken them in."""

    def __init__(self, second: Partner, values: Sequence[Value]) -> None:
        self._graph = second.metagraph.graph
        self._texts = {
            value: (value.producer.name, value.port)
            for value in values
            if value.graph is self._graph and value.producer is not None
        }
        self._now: dict[Value, Value] = {}

    def move(self, metagraph: MetaGraph) -> None:
        """Look them up."""
        for value, (name, port) in self._texts.items():
            node = metagraph.graph.node(name)
            assert node is not None
            self._now[value] = node.output(port)

    def now(self, value: Value) -> Value:
        """Return a tensor of either model as one of the first."""
        return self._now.get(value, value)


def _outputs(
    first: Partner, second: Partner, joined: Sequence[Joint], keep: list[str], prefix: str
) -> dict[str, Value]:
    """Return the outputs of the result: those of the second model, and those of the first that it does not read."""
    consumed = {joint.source for joint in joined}
    found = {key: value for key, value in first.outputs.items() if value not in consumed or key in keep}
    if first.signature is None and second.signature is None and not keep:
        return {}
    names = [text for text in keep if text not in found]
    kept = [_kept(first, second, text) for text in names]
    if second.signature is None and not any(ends is second for ends, _ in kept):
        second.name_outputs()
    if first.signature is None and not joined and not any(ends is first for ends, _ in kept):
        first.name_outputs()
        found |= first.outputs
    for key, value in second.outputs.items():
        found[key if key not in found else f"{prefix}_{key}"] = value
    for text, (_, value) in zip(names, kept, strict=True):
        if value not in found.values():
            key = text if text.isidentifier() else key_of(value)
            found[key if key not in found else f"{prefix}_{key}"] = value
    return found


def _kept(first: Partner, second: Partner, text: str) -> tuple[Partner, Value]:
    try:
        return first, first.output(text)
    except UsageError as error:
        try:
            return second, second.output(text)
        except UsageError:
            raise error from None


def _inputs(first: Partner, second: Partner, joined: Sequence[Joint], prefix: str) -> dict[str, Value]:
    """Return the inputs of the result: those of the first model, and of the second those that are not connected."""
    given = {joint.target for joint in joined}
    found = dict(first.inputs)
    for key, value in second.inputs.items():
        if value not in given:
            found[key if key not in found else f"{prefix}_{key}"] = value
    return found


def _join_around(
    model: Model, other: Model, metagraph: MetaGraph, taken: TakenIn, prefix: str, free: tuple[bool, bool]
) -> list[str]:
    trackable = [one.checkpoint.objects for one in (model, other) if one.checkpoint is not None]
    child = free_child(prefix, metagraph.objects, *trackable[:1])
    join_checkpoints(model, other, metagraph, child)
    notes = join_assets(metagraph, taken, other.path, prefix)
    notes += join_objects(metagraph, taken, child, is_free=free)
    join_loading(metagraph, taken, prefix)
    notes += join_collections(metagraph, taken)
    return notes + join_savers(metagraph, taken.saver, prefix, model.checkpoint)


def _needs_no_objects(metagraph: MetaGraph) -> bool:
    """Say whether a model holds nothing that `tf.saved_model.load` would need an object for."""
    return not any(graph.peek(VARIABLES | TABLES) for graph in metagraph.graphs)


def _connect(metagraph: MetaGraph, joined: Sequence[Joint], places: _Places, prefix: str) -> set[Value]:
    """Let what read tensors of the second model read those of the first; return the tensors that nobody reads then."""
    gone = set()
    for source, target, (_, shape), (dtype, wanted) in joined:
        replaced = places.now(target)
        if says_more(wanted, shape) and dtype is not None:
            name = metagraph.graph.unique_name(f"{prefix}/{key_of(replaced)}")
            attrs = {"T": dtype, "shape": wanted}
            source = metagraph.graph.add_node("EnsureShape", name, [source], attrs).output()
        replaced.replace_with(source)
        gone.add(replaced)
    return gone


def _join_signatures(metagraph: MetaGraph, taken: TakenIn, second: Partner, gone: set[Value], prefix: str) -> list[str]:
    """Take the other signatures of the second model along, but those that feed what is connected; return notes."""
    notes = []
    objects = signature_map(metagraph.objects)
    theirs = taken.objects.root.child(SIGNATURES) if taken.objects is not None and taken.objects.nodes else None
    for key, signature in taken.signatures.items():
        if key == INIT_SIGNATURE or (second.signature is not None and key == second.signature.key):
            continue
        targets = {mention.target for entry in signature.entries for mention in entry.mentions}
        if key.startswith(INTERNAL) or targets & gone:
            notes.append(f"signature {key} of the second model is left out")
            continue
        new = key if key not in metagraph.signatures else f"{prefix}_{key}"
        signature.key = new
        metagraph.signatures[new] = signature
        bare = theirs.child(key) if theirs is not None else None
        if bare is not None and objects is not None and objects is not theirs:
            objects.children.append((new, bare))
    return notes


def _sign(
    model: Model, metagraph: MetaGraph, key: str, inputs: dict[str, Value], outputs: dict[str, Value]
) -> tuple[dict[str, TensorFact], dict[str, TensorFact]]:
    """Give the result its signature: its inputs, and placeholders that no signature named but the outputs need."""
    needed = part_between(metagraph.graph, list(inputs.values()), list(outputs.values()), captured_assets(metagraph))
    for node in needed.unfed:
        free = key_of(node.output())
        inputs[free if free not in inputs else node.name.replace("/", "_")] = node.output()
    signature = enter_signature(model, metagraph, key, inputs, outputs)
    facts = [
        {one: TensorFact(str(entry.mention.target), entry.dtype, entry.shape) for one, entry in side.items()}  # type: ignore[union-attr,arg-type]
        for side in (signature.inputs, signature.outputs)
    ]
    return facts[0], facts[1]


def _take_out(metagraph: MetaGraph, gone: set[Value]) -> None:
    """Take out the placeholders that the first model stands for now."""
    named = {mention.node for mention in metagraph.mentions()}
    nodes = [
        node
        for value in gone
        if (node := value.producer) is not None
        and node.op in PLACEHOLDERS | MUST_BE_FED
        and node not in named
        and not (node.consumers or node.control_consumers)
    ]
    take_out_with_wishes(metagraph.graph, nodes)
