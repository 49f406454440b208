"""What differs between two object graphs: objects are found by their path from the root."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.compare.diff.change import Change, Detail, different, different_sets
from graphsurgeon.compare.diff.parts import PartsComparison
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.objects import ConcreteFunction, ObjectGraph, ObjectNode, TensorSpec

ROOT = "(root)"


def object_changes(
    before: ObjectGraph | None, after: ObjectGraph | None, parts: PartsComparison | None = None
) -> Iterator[Change]:
    """Yield what differs between two object graphs; `parts` knows the functions and nodes that a SavedModel's name."""
    if before is None or after is None:
        if before is not after:
            yield Change("removed" if after is None else "added", "object", "", "object graph")
        return
    yield from _ObjectsComparison(before, after, parts).changes()


class _ObjectsComparison:
    def __init__(self, before: ObjectGraph, after: ObjectGraph, parts: PartsComparison | None) -> None:
        self._before = before
        self._after = after
        self._parts = parts
        self._paths = object_paths(before)
        self._new_paths = object_paths(after)

    def changes(self) -> Iterator[Change]:
        nodes = {path: node for node, path in self._paths.items()}
        others = {path: node for node, path in self._new_paths.items()}
        yield from (
            Change("removed", "object", "", path, details=_kind(nodes[path])) for path in nodes if path not in others
        )
        yield from (
            Change("added", "object", "", path, details=_kind(others[path])) for path in others if path not in nodes
        )
        for path, node in nodes.items():
            details = [*self._node(node, others[path])] if path in others else []
            if details:
                yield Change("changed", "object", "", path, details=details)
        yield from self._functions()

    def _node(self, node: ObjectNode, other: ObjectNode) -> Iterator[Detail]:
        for field in ("kind", "name", "dtype", "shape", "trainable", "identifier", "argument_keywords", "asset_index"):
            if field != "name" or node.kind == "variable":
                yield from different(field, getattr(node, field), getattr(other, field))
        yield from different("functions", self._names(node.functions), [_name(f) for f in other.functions])
        if self._parts is not None:
            yield from self._parts.mention_details("node", node.mention, other.mention)
        for field in ("children", "dependencies"):
            yield from different_sets(
                field,
                (f"{name}: {self._path(child)}" for name, child in getattr(node, field)),
                (f"{name}: {self._new_path(child)}" for name, child in getattr(other, field)),
            )
        yield from different_sets("attribute", map(" ".join, node.attributes), map(" ".join, other.attributes))
        yield from different_sets(
            "slot",
            (f"{name} of {self._path(variable)}: {self._path(slot)}" for variable, name, slot in node.slots),
            (f"{name} of {self._new_path(variable)}: {self._new_path(slot)}" for variable, name, slot in other.slots),
        )
        yield from different_sets("saveable", node.saveables, other.saveables)

    def _functions(self) -> Iterator[Change]:
        """Compare what is known of functions: captures and structured signatures."""
        before = {self._name(entry.function): entry for entry in self._before.concrete_functions}
        after = {_name(entry.function): entry for entry in self._after.concrete_functions}
        part = "concrete function"
        yield from (Change("removed", part, "", name) for name in before if name not in after)
        yield from (Change("added", part, "", name) for name in after if name not in before)
        for name, entry in before.items():
            details = [*self._function(entry, after[name])] if name in after else []
            if details:
                yield Change("changed", part, "", name, details=details)

    def _function(self, entry: ConcreteFunction, other: ConcreteFunction) -> Iterator[Detail]:
        yield from different(
            "captures", [*map(self._path, entry.bound_inputs)], [*map(self._new_path, other.bound_inputs)]
        )
        if entry.raw is not other.raw or entry.raw is None:
            for field in ("input_signature", "output_signature"):
                yield from different(field, _structure(getattr(entry, field)), _structure(getattr(other, field)))

    def _names(self, functions: list[Graph | str]) -> list[str]:
        return [self._name(function) for function in functions]

    def _name(self, function: Graph | str) -> str:
        return self._parts.function_name(function) if self._parts is not None else _name(function)

    def _path(self, node: ObjectNode) -> str:
        return self._paths.get(node, node.kind)

    def _new_path(self, node: ObjectNode) -> str:
        return self._new_paths.get(node, node.kind)


def object_paths(objects: ObjectGraph) -> dict[ObjectNode, str]:
    """Return the shortest path of each object from the root; those that are not reached are numbered."""
    if not objects.nodes:
        return {}
    paths = {**objects.paths("/"), objects.root: ROOT}
    unreached = (node for node in objects.nodes if node not in paths)
    return paths | {node: f"(unreached {number})" for number, node in enumerate(unreached)}


def _kind(node: ObjectNode) -> list[Detail]:
    return [Detail("kind", None, node.kind or "container")]


def _name(function: Graph | str) -> str:
    return function if isinstance(function, str) else function.name


def _structure(value: object) -> str:
    """Return a structured signature as text, without the format's own forms."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key}: {_structure(item)}" for key, item in sorted(value.items())) + "}"
    if isinstance(value, tuple | list):
        return "(" + ", ".join(map(_structure, value)) + ")"
    if isinstance(value, TensorSpec):
        return f"{value.dtype} {value.shape} {value.name}".rstrip()
    return " ".join(str(value).split())
