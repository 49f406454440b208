"""Extract the part of a model between some tensors: what is cut becomes an input, what nothing needs goes away.

The part is built beside the model and takes its place at the end, so a refusal leaves the model untouched. A
tensor inside a function is reached by inlining the calls that lead to it; a function that no plain call leads to
(the body of a loop, a function that only the object graph knows) is extracted by itself, its arguments being
inputs. What remains is in session form: a signature, and a saver of the variables that are left; the object graph
describes functions that are gone, so it goes too. Tables fill themselves.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from graphsurgeon.analysis.names import choose_metagraph, find_signature
from graphsurgeon.analysis.patterns import matcher, suggest_name
from graphsurgeon.analysis.stored_weights.variables import names_of_variables
from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ObjectNode
from graphsurgeon.surgery.checkpoints.object_tree import make_objects
from graphsurgeon.surgery.extracting import extract_graph
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.tflite.extract import extract_tflite


@dataclass(frozen=True)
class ExtractReport:
    """What an extraction left.

    Attributes:
        inputs, outputs: the tensors of the result that go in and come out.
        nodes_before, nodes_after: number of nodes, those in functions included.
        functions: names of functions that remain.
        variables: names of variables that remain; of a checkpoint, the keys.
        tables: tables that now fill themselves.
        notes: what else the user should know, one line each.
        damaged: (key, what is wrong with it) of the variables that were left out for it.
    """

    inputs: list[TensorFact] = field(default_factory=list)
    outputs: list[TensorFact] = field(default_factory=list)
    nodes_before: int = 0
    nodes_after: int = 0
    functions: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    damaged: list[tuple[str, str]] = field(default_factory=list)


@arguments.takes(
    outputs=arguments.renamed,
    inputs=arguments.renamed,
    match=arguments.names,
    calls=arguments.names,
    tags=arguments.names,
)
def extract(
    model: Model,
    outputs: Mapping[str, str] | None = None,
    *,
    inputs: Mapping[str, str] | None = None,
    match: Sequence[str] = (),
    calls: Sequence[str] = (),
    graph: str | None = None,
    signature: str | None = None,
    skip_damaged: bool = False,
    past_parser: bool = False,
    tags: Sequence[str] | None = None,
) -> ExtractReport:
    """Keep the part of a model between some inputs and outputs, or the variables of a checkpoint that match.

    Args:
        model: changed in place; it is left with one MetaGraph.
        outputs: tensor -> name of an Identity that yields it; empty keeps its own name.
        inputs: tensor -> name of the placeholder that takes its place; empty takes the tensor's name. Without any
            the graph is cut nowhere.
        match: variables, which become a checkpoint, also those of a graph: names, keys or paths of objects, globs or
            `re:` expressions; any may match.
        calls: nodes that call functions, to choose among several ways to a function.
        graph: limits the search for the tensors to one function or subgraph.
        signature: take this signature; without `outputs` whole, else names may be its keys. A TFLite model is also
            cut by `graph` alone: that subgraph whole. With `past_parser`: whose outputs, if none are given.
        past_parser: cut behind the parser of serialized `tf.train.Example`s: the inputs are the features.
        skip_damaged: of a checkpoint: leave out what is damaged, for which all values are read; needs no `match`.
        tags: which MetaGraph of a SavedModel.

    Raises:
        UsageError: a name is unknown, taken or illegal, an input is not needed, or a placeholder is left out.
        UnsupportedError: a tensor cannot be fed or fetched, or the part needs something that cannot be cut out.
        FileError: a table's contents cannot be read.
    """
    wants_variables = (match or skip_damaged) and not (outputs or inputs or signature or graph or past_parser)
    if not model.metagraphs or (wants_variables and model.checkpoint is not None):
        return _extract_variables(model, match, skip_damaged=skip_damaged)
    if match or skip_damaged:
        hint = "leave out --outputs for a checkpoint of them, --match for a part of the graph"
        raise UsageError("patterns choose variables, and tensors a part of a graph", hint=hint)
    _check_ends(model, outputs, inputs, signature, graph, past_parser=past_parser)
    metagraph = choose_metagraph(model, tags)
    before = sum(len(one) for one in metagraph.graphs)
    if is_tflite(model, metagraph, "extract"):
        found = extract_tflite(metagraph, outputs or {}, inputs or {}, graph=graph, signature=signature)
    else:
        signed = None if signature is None else find_signature(metagraph, signature)
        ends = outputs or {}, inputs or {}
        found = extract_graph(
            model, metagraph, *ends, calls=calls, graph=graph, past_parser=past_parser, signature=signed
        )
    after = sum(len(one) for one in model.graphs)
    return ExtractReport(
        found.inputs, found.outputs, before, after, found.functions, found.variables, found.tables, found.notes
    )


def _check_ends(
    model: Model,
    outputs: Mapping[str, str] | None,
    inputs: Mapping[str, str] | None,
    signature: str | None,
    graph: str | None,
    *,
    past_parser: bool,
) -> None:
    """Refuse ends that contradict each other, or are not told."""
    if past_parser and (inputs or model.traits.vocabulary == TFLITE):
        raise UsageError("past the parser the inputs are the features of a TensorFlow graph", hint="leave out --inputs")
    is_whole = signature is not None or past_parser or (graph is not None and model.traits.vocabulary == TFLITE)
    if not outputs and not is_whole:
        raise UsageError("nothing says what is to be kept", hint="give --outputs A,B (gs outputs lists likely ones)")


def _extract_variables(model: Model, match: Sequence[str], *, skip_damaged: bool) -> ExtractReport:
    checkpoint = model.checkpoint
    if checkpoint is None:
        raise UnsupportedError("the model has no variables", path=model.path)
    if not (match or skip_damaged):
        raise UsageError("nothing says which variables are to be kept", hint="give --match NAME")
    if checkpoint.version == 1:
        raise UnsupportedError("a V1 checkpoint can be read but not written", hint="gs convert it first")
    kept: set[str] = set()
    names = names_of_variables(checkpoint, model)
    known = sorted(set().union(*names.values()))
    for pattern in match or ("*",):
        matches = matcher(pattern, known.__contains__)
        found = {key for key, called in names.items() if any(matches(name) for name in called)}
        if not found:
            raise UsageError(f"no variable matches {pattern!r}", hint=suggest_name(pattern, known))
        kept |= found
    notes = _keep_save_counter(checkpoint, kept)
    damaged = _let_go_of_damaged(checkpoint) if skip_damaged else {}
    made = skip_damaged and make_objects(checkpoint)
    if skip_damaged:
        model.notes = [] if damaged else model.notes  # which told the damage
    gone = [key for key in checkpoint.variables if key not in kept or key in damaged]
    if len(gone) == len(checkpoint.variables):
        hint = "gs check --checksums names all damage"
        raise UsageError("nothing of what is to be kept is sound", path=model.path, hint=hint)
    _remove(checkpoint, gone)
    model.metagraphs = []  # variables alone are a checkpoint
    if made:
        notes.append("its objects could not be read: they were made anew of the paths in the keys, one way to each")
    told = [(key, what) for key, what in damaged.items() if key in kept or key not in names]
    return ExtractReport(variables=list(checkpoint.variables), damaged=told, notes=notes)


def _let_go_of_damaged(checkpoint: Checkpoint) -> dict[str, str]:
    """Return key -> what is wrong with each variable that cannot be trusted; what is left is written anew.

    A table goes whole where one of its two parts goes.
    """
    if checkpoint.raw is None:
        raise UnsupportedError("only checkpoints have checksums that would tell what is damaged")
    found: dict[str, str] = checkpoint.raw.damaged(checkpoint)
    for node in checkpoint.objects.nodes if checkpoint.objects is not None and found else ():
        parts = checkpoint.keys_of(node)
        wrong = next((key for key in parts if key in found), None)
        if wrong is not None:
            found |= {key: f"belongs to {wrong}" for key in parts if key not in found}
    if found or checkpoint.objects is None:
        checkpoint.raw = None  # the index is written anew: what is wrong with it goes
    return found


def _keep_save_counter(checkpoint: Checkpoint, kept: set[str]) -> list[str]:
    """Keep what `tf.train.Checkpoint.restore` asks for where `save` wrote it; return a note."""
    counter = checkpoint.objects.root.child("save_counter") if checkpoint.objects is not None else None
    keys = set(checkpoint.keys_of(counter)) - kept if counter is not None else set()
    kept |= keys
    return ["save_counter is kept: tf.train.Checkpoint.restore asks for it"] if keys else []


def _remove(checkpoint: Checkpoint, keys: Sequence[str]) -> None:
    """Remove variables, and the edges to their objects.

    An edge to an object without a value would be bound to one: a program that restores would go on with initial
    values, and TensorFlow's `assert_consumed` would find nothing amiss.
    """
    objects = checkpoint.objects
    before = {node for node in objects.nodes if _is_saved(node)} if objects is not None else set()
    checkpoint.remove(keys)
    if objects is not None and keys:
        # What holds other objects stays for their sake.
        objects.leave_out({node for node in before if not _is_saved(node) and not node.children})


def _is_saved(node: ObjectNode) -> bool:
    return bool(node.attributes or node.saver_name)
