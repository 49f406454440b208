"""Rename variables so that the model still restores.

A variable has up to four names: the checkpoint key, the node, its `shared_name`, and a name in the object
graph. TF1 uses one for all; TF2 keys are object paths, so there a pair may name the key or the variable, and
what is so named changes. Keys stand in the checkpoint, in its object graph, in the constants that save and
restore ops take in every MetaGraph, and in the serialized object graph that TF2 saves along.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from graphsurgeon.analysis.flow.calls import Call, Place, nodes_inside, origin
from graphsurgeon.analysis.flow.restore_map import ResourceKey, resource_key, resource_name, restore_map, shared_name
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.checkpoint import OBJECT_GRAPH_KEY, Checkpoint
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ObjectGraph
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import RESTORES, SAVES, VARIABLES
from graphsurgeon.surgery.checkpoints.object_tree import MADE, make_objects
from graphsurgeon.surgery.moves.known_ops import is_tflite
from graphsurgeon.surgery.renaming.objects import ObjectPaths, rename_edges

Apply = Callable[[Iterable[str], str], dict[str, str]]

_VALUE = "/.ATTRIBUTES/VARIABLE_VALUE"
_ATTRIBUTES = "/.ATTRIBUTES/"  # an object-based key is `path/.ATTRIBUTES/name`; loaders look the name up


def rename_variables(
    model: Model, apply: Apply, literal: Callable[[str], str] = lambda name: name
) -> tuple[list[tuple[str, str]], list[str]]:
    """Rename checkpoint keys and variables in every MetaGraph; return the pairs that changed, and notes.

    Args:
        model: changed in place.
        apply: gives old -> new for the names that change among those it is shown.
        literal: what the pairs that were given make of a name, rules left aside: paths of objects in a SavedModel are
            attributes of the loaded object, and change by name only.

    Raises:
        UsageError: a name is unknown or taken, or a key would lose the ending that loaders need.
        UnsupportedError: the model has no variables that can be renamed.
    """
    for metagraph in model.metagraphs:
        if is_tflite(model, metagraph, "rename"):
            raise UnsupportedError("this model has no variables")
    if model.checkpoint is None and not model.metagraphs:
        raise UnsupportedError("this model has no variables")
    if model.checkpoint is not None and model.checkpoint.version == 1:
        raise UnsupportedError("a V1 checkpoint can be read but not written", hint="gs convert it first")
    keys = list(model.checkpoint.variables) if model.checkpoint is not None else []
    nodes = [node for metagraph in model.metagraphs for node in _variable_nodes(metagraph)]
    if model.checkpoint is not None and not model.metagraphs and model.checkpoint.objects is not None:
        return _rename_objects(model.checkpoint, model.checkpoint.objects, apply)
    paths = _literal_paths(model, literal)
    changed = apply(dict.fromkeys([*keys, *map(resource_name, nodes), *paths]), "variable")
    known = set(keys)
    new_keys = {old: new for old, new in changed.items() if old in known}
    edges = _edges(model, paths, new_keys, {*keys, *map(resource_name, nodes)})
    _check_keys(keys, new_keys)
    plan = _plan_nodes(model, {old: new for old, new in changed.items() if old not in paths})
    if model.checkpoint is not None and new_keys:
        model.checkpoint.rename(new_keys)
    if edges and model.checkpoint is not None and model.checkpoint.objects is not None:
        rename_edges(model.checkpoint.objects, edges)
    for metagraph in model.metagraphs:
        if edges and metagraph.objects is not None:
            rename_edges(metagraph.objects, edges)
        _respell_constants(metagraph, new_keys, model.checkpoint, with_edges=bool(edges))
        _respell_objects(metagraph, changed)
    _rename_nodes(plan, nodes, changed)
    made = _make_objects(model, new_keys)
    return sorted(changed.items()), [*_notes(model, new_keys), *made]


def _make_objects(model: Model, new_keys: Mapping[str, str]) -> list[str]:
    """Make objects where names of a checkpoint alone have become keys of objects; return a note on it."""
    called = {new: old for old, new in new_keys.items() if _ATTRIBUTES in new and _ATTRIBUTES not in old}
    if model.metagraphs or model.checkpoint is None or not called:
        return []
    return [MADE] if make_objects(model.checkpoint, called) else []


def _literal_paths(model: Model, literal: Callable[[str], str]) -> dict[str, str]:
    """Return old -> new for the paths of objects of a SavedModel that the pairs rename."""
    objects = [metagraph.objects for metagraph in model.metagraphs]
    if model.checkpoint is None or model.checkpoint.objects is None or not objects or None in objects:
        return {}
    found = {path: literal(path) for path in ObjectPaths(model.checkpoint).keys}
    return {path: new for path, new in found.items() if new != path}


def _edges(
    model: Model, paths: Mapping[str, str], new_keys: dict[str, str], others: set[str]
) -> dict[tuple[int, str], str]:
    """Return the edges that new paths need, by the place of an object and a name; keys that show a path follow it.

    Both object graphs of a SavedModel have the same objects in the same places. What is another name of a variable too
    may be meant as that: then paths may be left as they are.

    Args:
        model: a SavedModel.
        paths: old -> new.
        new_keys: old -> new; gets those that follow.
        others: names of variables that are no paths.
    """
    if not paths or model.checkpoint is None or model.checkpoint.objects is None:
        return {}
    known = ObjectPaths(model.checkpoint)
    try:
        edges = known.renamed_edges(paths)
    except UsageError:
        if paths.keys() <= others:
            return {}
        raise
    for path, new in paths.items():
        for key in known.keys[path]:
            if key.startswith(path + _ATTRIBUTES):
                new_keys.setdefault(key, new + key[len(path) :])
    places = {node: place for place, node in enumerate(model.checkpoint.objects.nodes)}
    return {(places[parent], name): new for (parent, name), new in edges.items()}


def _rename_objects(
    checkpoint: Checkpoint, objects: ObjectGraph, apply: Apply
) -> tuple[list[tuple[str, str]], list[str]]:
    """Rename in a checkpoint of objects: paths are edges and keys, other names those that V1 savers look for."""
    paths = ObjectPaths(checkpoint)
    full_names = [full for node in objects.nodes for _, full, _ in node.attributes if full]
    changed = apply(dict.fromkeys([*checkpoint.variables, *paths.keys, *full_names]), "variable")
    new_keys, new_paths = _of_objects(checkpoint, paths, changed)
    _check_keys(list(checkpoint.variables), new_keys)
    moves = paths.plan(new_paths)
    if new_keys:
        checkpoint.rename(new_keys)
    notes = paths.move(moves, new_paths)
    moved = {new_keys.get(key, key) for path in new_paths for key in paths.keys[path]} | set(new_keys.values())
    pairs = {**new_paths, **new_keys}
    for node in objects.nodes:
        for index, (name, full, key) in enumerate(node.attributes):
            if full in changed and key not in moved:
                node.attributes[index] = (name, changed[full], key)
                pairs[full] = changed[full]
    told = {old: new for old, new in pairs.items() if old + _VALUE not in new_keys}
    return sorted(told.items()), notes


def _of_objects(
    checkpoint: Checkpoint, paths: ObjectPaths, changed: Mapping[str, str]
) -> tuple[dict[str, str], dict[str, str]]:
    """Return the keys and the paths that change: a key that shows a path follows it, and leads it."""
    new_keys = {old: new for old, new in changed.items() if old in checkpoint.variables}
    new_paths = {old: new for old, new in changed.items() if old in paths.keys and old not in new_keys}
    for old, new in list(new_keys.items()):
        path, mark, _ = old.partition(_ATTRIBUTES)
        if mark and path in paths.keys:
            new_paths.setdefault(path, new.partition(_ATTRIBUTES)[0])
    for path, new in new_paths.items():
        for key in paths.keys[path]:
            if key.startswith(path + _ATTRIBUTES):
                new_keys.setdefault(key, new + key[len(path) :])
    return new_keys, new_paths


def _variable_nodes(metagraph: MetaGraph) -> list[Node]:
    return [node for graph in metagraph.graphs for node in graph.nodes if node.op in VARIABLES]


def _check_keys(keys: list[str], changed: Mapping[str, str]) -> None:
    for old, new in changed.items():
        _, mark, attribute = old.partition(_ATTRIBUTES)
        if mark and not new.endswith(mark + attribute):
            raise UsageError(f"the key {new!r} must end with {mark + attribute!r}, as {old!r} does")
    after = [changed.get(key, key) for key in keys]
    twice = sorted(key for key, count in Counter(after).items() if count > 1)
    if twice or "" in after:
        raise UsageError(f"two variables would have the key {twice[0]!r}" if twice else "a variable needs a name")


def _plan_nodes(model: Model, changed: Mapping[str, str]) -> dict[Graph, dict[Node, str]]:
    """Decide the new names of variable nodes and of the nodes that are part of them (`w/read`, `w/Assign`, ...)."""
    plan: dict[Graph, dict[Node, str]] = {}
    for graph in (graph for metagraph in model.metagraphs for graph in metagraph.graphs):
        variables = {node.name for node in graph.nodes if node.op in VARIABLES}
        renames = {}
        for node in graph.nodes:
            owner = _owner(node.name, variables)
            if owner in changed:
                renames[node] = changed[owner] + node.name[len(owner) :]
        taken = {node.name for node in graph.nodes if node not in renames} | {value.name for value in graph.inputs}
        clash = [name for name in renames.values() if name in taken]
        if clash or len(set(renames.values())) < len(renames):
            raise UsageError(f"there is already a node {(clash or list(renames.values()))[0]!r}")
        if renames:
            plan[graph] = renames
    return plan


def _owner(name: str, variables: set[str]) -> str:
    """Return the variable that a node is, or lies in, empty if none; of nested ones the innermost."""
    while name and name not in variables:
        name = name.rpartition("/")[0]
    return name


def _rename_nodes(plan: Mapping[Graph, dict[Node, str]], variables: Iterable[Node], changed: Mapping[str, str]) -> None:
    found: dict[ResourceKey, str] = {}  # several nodes may share a variable whose name is empty
    for node in variables:
        old, shared = found.setdefault(resource_key(node), resource_name(node)), shared_name(node)
        if old in changed:
            node.attrs["shared_name"] = changed[old].encode()
        elif shared and not node.attrs.get("shared_name") and node in plan.get(node.graph, {}):
            node.attrs["shared_name"] = shared.encode()
    for graph, renames in plan.items():
        graph.rename(renames)


def _respell_constants(
    metagraph: MetaGraph, keys: Mapping[str, str], checkpoint: Checkpoint | None, *, with_edges: bool
) -> None:
    """Put new keys into the constants that save and restore ops take, and new edges into the objects they save."""
    if not keys and not with_edges:
        return
    names: dict[Node, None] = {}
    objects: dict[Node, None] = {}
    for place, node in _savers(metagraph):
        constant = origin(Place(node.inputs[1], place)).value.producer
        if constant is not None and constant.op == "Const":
            names[constant] = None
            saved = _saved_objects(node, place, constant)
            if saved is not None:
                objects[saved] = None
    for constant in names:
        tensor = constant.attrs.get("value")
        if isinstance(tensor, Tensor):
            items = [keys.get(item.decode("utf-8", "surrogateescape"), None) for item in tensor.items()]
            if any(item is not None for item in items):
                new = [old if item is None else item.encode() for old, item in zip(tensor.items(), items, strict=True)]
                constant.attrs["value"] = Tensor.of(tensor.dtype, [d or 0 for d in tensor.shape], new)
    for constant in objects:
        tensor = constant.attrs.get("value")
        if isinstance(tensor, Tensor) and checkpoint is not None:
            data = [
                checkpoint.serialized_objects() if with_edges else checkpoint.respelled_objects(item, keys)
                for item in tensor.items()
            ]
            constant.attrs["value"] = Tensor.of(tensor.dtype, [d or 0 for d in tensor.shape], data)


def _savers(metagraph: MetaGraph) -> Iterator[tuple[Call | None, Node]]:
    seen: set[Node] = set()
    for node, call in nodes_inside(metagraph.graph.nodes, SAVES.keys() | RESTORES):
        if len(node.inputs) > 1:
            seen.add(node)
            yield call, node
    for graph in metagraph.functions.values():
        for node in graph.nodes:
            if node.op in SAVES.keys() | RESTORES and len(node.inputs) > 1 and node not in seen:
                yield None, node


def _saved_objects(node: Node, call: Call | None, names: Node) -> Node | None:
    """Return the constant with the serialized object graph that a save op writes, None if it writes none."""
    tensor = names.attrs.get("value")
    key = OBJECT_GRAPH_KEY.encode()
    if node.op != "SaveV2" or not isinstance(tensor, Tensor) or key not in (items := tensor.items()):
        return None
    position = 3 + items.index(key)
    constant = origin(Place(node.inputs[position], call)).value.producer if position < len(node.inputs) else None
    return constant if constant is not None and constant.op == "Const" else None


def _respell_objects(metagraph: MetaGraph, changed: Mapping[str, str]) -> None:
    for node in metagraph.objects.nodes if metagraph.objects is not None else ():
        if node.kind == "variable":
            node.name = changed.get(node.name, node.name)


def _notes(model: Model, keys: Mapping[str, str]) -> list[str]:
    partitioned = {
        restored.key
        for metagraph in model.metagraphs
        for restored in restore_map(metagraph).variables.values()
        if restored.slice and restored.key in keys.values()
    }
    return [f"{key} is partitioned: its parts keep their node names" for key in sorted(partitioned)]
