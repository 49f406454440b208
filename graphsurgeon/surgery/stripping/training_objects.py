"""Which objects of an object graph only training needs: optimizers, metrics, and what hangs on them alone.

An object goes with all that no other way leads to. What a function captures stays, and with it the optimizer or
metric that it belongs to: a training step is a function like any other.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from graphsurgeon.analysis.flow.captures import VARIABLE_VALUE
from graphsurgeon.model.objects import ObjectGraph, ObjectNode
from graphsurgeon.model.traversal import reached

_OPTIMIZER = re.compile(r"(\w*_)?optimizer\d*")
_METRIC = re.compile(r"(.*\.)?keras_api\.metrics\.\d+")
_WEIGHTS = frozenset({"_trainable_variables", "trainable_variables"})  # of the model, as an optimizer lists them
_IDENTIFIERS = {"optimizer": "optimizers", "_tf_keras_metric": "metrics"}
# What an optimizer counts, and by what it goes: names of its children.
_COUNTS = frozenset({"iter", "iterations", "_iterations"})
_RATES = frozenset({"learning_rate", "_learning_rate", "lr"})


@dataclass(frozen=True)
class Leaving:
    """What leaves an object graph.

    Attributes:
        roots: optimizer or metric -> (its kind, the path of names that leads to it).
        objects: each object that leaves -> its kind.
        notes: optimizers and metrics that stay, and why.
    """

    roots: dict[ObjectNode, tuple[str, str]] = field(default_factory=dict)
    objects: dict[ObjectNode, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def leaving_objects(objects: ObjectGraph, kinds: Collection[str]) -> Leaving:
    """Return what leaves with the optimizers and metrics, if these kinds are asked for."""
    if not objects.nodes:
        return Leaving()
    roots = {node: found for node, found in _training_roots(objects).items() if found[0] in kinds}
    everything = _reached(objects.root, ())
    notes: list[str] = []
    while roots:
        alone = everything - _reached(objects.root, roots)
        held = _held(objects, alone)
        stay = {root for root in roots if not held.keys().isdisjoint(_reached(root, ()) & alone)}
        if not stay:
            return Leaving(roots, _kinds(roots, alone), tuple(notes))
        for root in stay:
            kind, path = roots.pop(root)
            why = next(text for node, text in held.items() if node in _reached(root, ()))
            notes.append(f"{path} ({kind}) stays: {why}")
    return Leaving(notes=tuple(notes))


def training_keys(stored: ObjectGraph, kinds: Collection[str]) -> dict[str, str]:
    """Return checkpoint key -> kind, of what optimizers and metrics of a checkpoint keep for themselves."""
    leaving = leaving_objects(stored, kinds)
    weights = {
        weight
        for root in leaving.roots
        for name, listed in root.children
        if name in _WEIGHTS
        for _, weight in listed.children
    }
    return {key: kind for node, kind in leaving.objects.items() if node not in weights for _, _, key in node.attributes}


def twins(objects: ObjectGraph, stored: ObjectGraph) -> dict[ObjectNode, ObjectNode]:
    """Return object of a SavedModel -> the object of the checkpoint to which the same names lead."""
    found = objects.paired(stored)
    for node, twin in list(found.items()):
        slots = {(variable, name): slot for variable, name, slot in twin.slots}
        for variable, name, slot in node.slots:
            other = slots.get((found[variable], name)) if variable in found else None
            if other is not None:
                found.setdefault(slot, other)
    return found


def keys_of(nodes: Iterable[ObjectNode], others: Mapping[ObjectNode, ObjectNode]) -> dict[str, ObjectNode]:
    """Return checkpoint key -> object, for the variables among some objects; `others` are their twins."""
    return {
        key: node
        for node in nodes
        if node in others
        for name, _, key in others[node].attributes
        if name == VARIABLE_VALUE
    }


def forget(objects: ObjectGraph, gone: Collection[ObjectNode]) -> None:
    """Take objects out of an object graph, and all that names them."""
    members = set(gone)
    objects.nodes = [node for node in objects.nodes if node not in members]
    for node in objects.nodes:
        node.children = [edge for edge in node.children if edge[1] not in members]
        node.dependencies = [edge for edge in node.dependencies if edge[1] not in members]
        node.slots = [slot for slot in node.slots if slot[0] not in members and slot[2] not in members]


def _training_roots(objects: ObjectGraph) -> dict[ObjectNode, tuple[str, str]]:
    found: dict[ObjectNode, tuple[str, str]] = {}
    for node, path in objects.paths(".").items():
        kind = _kind_of(path, node) if path else None
        if kind is not None:
            found[node] = (kind, path)
    return found


def _kind_of(path: str, node: ObjectNode) -> str | None:
    """Return what an object is, by its structure and the names that lead to it; in a checkpoint it has no kind."""
    if node.kind not in ("user_object", "") or node.attributes:
        return None
    names = {local for local, _ in node.children}
    if node.slots or (names & _COUNTS and names & _RATES) or _OPTIMIZER.fullmatch(path.rpartition(".")[2].lower()):
        return "optimizers"
    return "metrics" if _METRIC.fullmatch(path) else _IDENTIFIERS.get(node.identifier)


def _held(objects: ObjectGraph, alone: Collection[ObjectNode]) -> dict[ObjectNode, str]:
    """Return what some objects are needed for, beside what leads to them."""
    held = {}
    for node in alone:
        if node.functions or node.saveables:
            held[node] = "it has functions of its own"
    for entry in objects.concrete_functions:
        name = entry.function if isinstance(entry.function, str) else entry.function.name
        for node in entry.bound_inputs:
            if node in alone:
                held.setdefault(node, f"function {name!r} captures it")
    return held


def _kinds(roots: Mapping[ObjectNode, tuple[str, str]], alone: Collection[ObjectNode]) -> dict[ObjectNode, str]:
    kinds: dict[ObjectNode, str] = {}
    for root, (kind, _) in roots.items():
        for node in _reached(root, ()):
            if node in alone:
                kinds.setdefault(node, kind)
    return kinds


def _reached(root: ObjectNode, blocked: Collection[ObjectNode]) -> set[ObjectNode]:
    return set(reached([root], lambda node: (other for other in _edges(node) if other not in blocked)))


def _edges(node: ObjectNode) -> Iterator[ObjectNode]:
    yield from (child for _, child in (*node.children, *node.dependencies))
    yield from (slot for _, _, slot in node.slots)
    for pair in node.saveables.values():
        yield from pair
