"""Rules about running signatures: what their outputs need and nothing gives.

A loader of version 1, TensorFlow Serving among them, answers a signature by running the main graph; every run fails
that reaches a placeholder which is not fed, or a variable which nothing has filled.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Set

from graphsurgeon.analysis.flow.load_path import LoadPath
from graphsurgeon.analysis.flow.restore_map import ResourceKey, resource_key, resource_name, restore_map
from graphsurgeon.analysis.names import INTERNAL
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.model import Model
from graphsurgeon.model.traversal import producers, upstream
from graphsurgeon.ops.kinds import MUST_BE_FED, VARIABLES

_SAVED = "variables"  # the collection of which `import_meta_graph` makes a Saver where there is no definition of one


def runs(model: Model) -> Iterator[Finding]:
    """Find signatures of a SavedModel whose every run fails for want of an input or of a variable's value."""
    if not model.traits.is_servable:
        return
    for metagraph in model.metagraphs:
        public = [signature for key, signature in metagraph.signatures.items() if not key.startswith(INTERNAL)]
        if metagraph.vocabulary != TENSORFLOW or not public:
            continue
        restored = _restored(metagraph) | LoadPath(metagraph).assigned.keys()
        for signature in public:
            yield from _unfed(signature)
            if model.checkpoint is not None or metagraph.saver is None:  # else its absence is told once for all
                yield from _unfilled(model, signature, restored)


def _restored(metagraph: MetaGraph) -> set[ResourceKey]:
    """Return what loading restores: by the saver, and where there is none, what Python's loader makes one for."""
    if metagraph.saver is not None:
        return {resource_key(node) for node in restore_map(metagraph).variables}
    listed = metagraph.collections.get(_SAVED)
    named = [item.mentions.get("variable_name") for item in listed.items] if listed is not None else []
    return {resource_key(mention.node) for mention in named if mention is not None and mention.node is not None}


def _unfed(signature: Signature) -> Iterator[Finding]:
    for node in _needed(signature):
        if node.op in MUST_BE_FED:
            what = f"its outputs need {node.name}, which no input of it feeds: every run of it fails"
            hint = "gs add-signature --replace with that input, or gs set-input --set gives it a value"
            yield Finding("error", f"signature {signature.key}", what, hint, "signature-unfed")


def _unfilled(model: Model, signature: Signature, restored: Set[ResourceKey]) -> Iterator[Finding]:
    empty = [node for node in _needed(signature) if node.op in VARIABLES and resource_key(node) not in restored]
    if empty:
        more = f" and {len(empty) - 1} more" if len(empty) > 1 else ""
        what = f"it reads the variable {empty[0].name}{more}, which nothing restores on load: every run of it fails"
        stored = model.checkpoint.variables if model.checkpoint is not None else {}
        hint = "gs freeze makes constants of them, and gs add-signature makes a model of that"
        if signature.graph.metagraph.objects is None and any(resource_name(node) not in stored for node in empty):
            hint = f"gs remove-signature MODEL {shlex.quote(signature.key)} -o OUT takes it out"
        yield Finding("error", f"signature {signature.key}", what, hint, "signature-variable")


def _needed(signature: Signature) -> list[Node]:
    """Return the nodes of the main graph that compute the outputs once the inputs are given."""
    fed = {mention.target for entry in signature.inputs.values() for mention in entry.mentions}
    targets = [mention.target for entry in signature.outputs.values() for mention in entry.mentions]
    needed = upstream(producers((value for value in targets if isinstance(value, Value)), fed), fed=fed)
    return [node for node in signature.graph.nodes if node in needed]
