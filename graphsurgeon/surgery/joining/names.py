"""Set two models apart: what of the second one has a name that the first one has too gets a prefix.

Nodes, functions, checkpoint keys, variables and other resources, frames of loops, custom gradients. What does not
collide keeps its name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from functools import lru_cache

from graphsurgeon.analysis.flow.restore_map import ResourceKey, resource_key, resource_name
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import ENTERS, RESOURCE_VARIABLES, VARIABLES
from graphsurgeon.surgery.rename import LEGAL_NODE, dangling_names, fill_shared_name
from graphsurgeon.surgery.renaming.variables import rename_variables

_GRADIENT = "_gradient_op_type"

Renamed = list[tuple[str, str, str]]  # what, old name, new name


def default_prefix(path: str) -> str:
    """Return what names of a model get before them: the name of its file, without suffix, as far as nodes may have it.

    Of a version of a served model, whose folder is a number, the name of the folder that holds the versions.
    """
    parts = [part for part in re.split(r"[/\\]", path) if part]
    while len(parts) > 1 and (parts[-1].isdecimal() or parts[-1] in ("saved_model.pb", "saved_model.pbtxt")):
        parts.pop()
    stem = parts[-1].partition(".")[0] if parts else ""
    name = re.sub(r"[^A-Za-z0-9_]", "_", stem).lstrip("_")
    return name if name and not name.isdecimal() else f"model_{name}".rstrip("_")


def check_apart(metagraph: MetaGraph, other: MetaGraph, prefix: str) -> None:
    """Refuse a prefix that no node could have, and references that lead nowhere in one model and would in the joined.

    Raises:
        UsageError: the prefix cannot begin a name.
        UnsupportedError: a reference would come to lead somewhere.
    """
    if not LEGAL_NODE.fullmatch(prefix) or prefix.endswith("/"):
        raise UsageError(f"{prefix!r} cannot stand before names", hint="--prefix NAME of letters, digits and _")
    for graph, names in ((other.graph, _taken(metagraph.graph)), (metagraph.graph, _taken(other.graph))):
        captured = sorted(dangling_names(graph) & names)
        if captured:
            raise UnsupportedError(
                f"a reference to {captured[0]!r} leads nowhere in one model, and the other has such a node",
                hint="gs check says where it stands",
            )


def set_apart(model: Model, metagraph: MetaGraph, second: Model, other: MetaGraph, prefix: str) -> Renamed:
    """Rename what of the second model collides with the first; return what was renamed.

    Args:
        model, metagraph: the first, which stays as it is.
        second, other: the second, which is changed.
        prefix: put before names, with `/` between; with `_` before those of functions.
    """
    renamed = _set_variables_apart(model, metagraph, second, other, prefix)
    renamed += _set_functions_apart(metagraph, other, prefix)
    renamed += _set_resources_apart(metagraph, other, prefix)
    renamed += _set_nodes_apart(metagraph.graph, other.graph, prefix)
    _set_frames_apart(metagraph.graph, other.graph, prefix)
    _set_gradients_apart(metagraph, other, prefix)
    return renamed


def separate_keys(model: Model, second: Model, prefix: str, also: Iterable[str] = ()) -> Renamed:
    """Rename the variables of the second model whose keys the first one's checkpoint has too.

    Args:
        model: stays as it is.
        second: changed, in all of its MetaGraphs.
        prefix: put before names, with `/` between.
        also: further names of variables that the first one has.
    """
    keys = set(model.checkpoint.variables) if model.checkpoint is not None else set()
    own = set(second.checkpoint.variables) if second.checkpoint is not None else set()
    resources = {resource_name(node) for one in second.metagraphs for node in _peek(one, VARIABLES)}
    colliding = (keys & own) | (set(also) & resources)
    if not colliding:
        return []
    free = _free(prefix, "/", keys | own | set(also) | resources)
    pairs = {name: free(name) for name in sorted(colliding)}

    def apply(known: Iterable[str], noun: str) -> dict[str, str]:
        return {name: pairs[name] for name in known if name in pairs}

    changed, _ = rename_variables(second, apply)
    return [("variable", old, new) for old, new in changed]


def _set_variables_apart(model: Model, metagraph: MetaGraph, second: Model, other: MetaGraph, prefix: str) -> Renamed:
    names = {resource_name(node) for node in _peek(metagraph, _shared_ops())}
    return separate_keys(model, second, prefix, names)


def _set_functions_apart(metagraph: MetaGraph, other: MetaGraph, prefix: str) -> Renamed:
    read = metagraph.raw.function_names() if metagraph.raw is not None else frozenset()
    taken = {*metagraph.functions, *read}
    free = _free(prefix, "_", taken | set(other.functions) | set(catalog.names()))
    names = {graph: free(name) for name, graph in other.functions.items() if name in taken}
    renamed = [("function", graph.name, new) for graph, new in names.items()]
    if names:
        other.rename_functions(names)
    return renamed


def _set_resources_apart(metagraph: MetaGraph, other: MetaGraph, prefix: str) -> Renamed:
    """Give tables, queues and whatever else is found by a name another one, wherever the second model says it."""
    taken = {key for node in _peek(metagraph, _shared_ops()) if (key := resource_key(node)).owner is None}
    if not taken:
        return []
    free = _free(prefix, "/", {key.name for key in taken})
    renamed: dict[ResourceKey, str] = {}
    for graph in other.graphs:
        if not any(op in graph.op_counts for op in _shared_ops()):
            continue
        for node in graph.nodes:
            if node.op in _shared_ops() and resource_key(node) in taken and _is_shared(node):
                key = resource_key(node)
                new = renamed.get(key) or renamed.setdefault(key, free(key.name))
                node.attrs["shared_name"] = new.encode("utf-8", "surrogateescape")
    return [("resource", key.name, new) for key, new in renamed.items()]


def _is_shared(node: Node) -> bool:
    """Say whether others find a resource by the name: in functions only by one that is said."""
    return bool(node.attrs.get("shared_name")) or node.graph.kind == "main" or node.op in RESOURCE_VARIABLES


def _set_nodes_apart(graph: Graph, other: Graph, prefix: str) -> Renamed:
    taken = _taken(graph)
    free = _free(prefix, "/", taken | {node.name for node in other.nodes})
    names = {node: free(node.name) for node in other.nodes if node.name in taken}
    renamed = [("node", node.name, new) for node, new in names.items()]
    for node in names:
        fill_shared_name(node)
    other.rename(names)
    return renamed


def _set_frames_apart(graph: Graph, other: Graph, prefix: str) -> None:
    """Rename frames: two loops of one frame would be one loop."""
    frames = {node.attrs.get("frame_name") for node in graph.nodes if node.op in ENTERS}
    for node in other.nodes if frames else ():
        name = node.attrs.get("frame_name") if node.op in ENTERS else None
        if isinstance(name, bytes) and name in frames:
            node.attrs["frame_name"] = prefix.encode() + b"/" + name


def _set_gradients_apart(metagraph: MetaGraph, other: MetaGraph, prefix: str) -> None:
    """Rename the types under which custom gradients are registered, and what nodes say of them."""
    colliding = metagraph.registered_gradients.keys() & other.registered_gradients.keys()
    if not colliding:
        return
    other.registered_gradients = {
        f"{prefix}_{key}" if key in colliding else key: function for key, function in other.registered_gradients.items()
    }
    for graph in other.graphs:
        for node in graph.nodes:
            name = node.attrs.get(_GRADIENT)
            if isinstance(name, bytes) and name.decode("utf-8", "surrogateescape") in colliding:
                node.attrs[_GRADIENT] = prefix.encode() + b"_" + name


def _taken(graph: Graph) -> set[str]:
    """Return the names that nodes have, and had when they were read: stored references still say those."""
    return {*(node.name for node in graph.nodes), *graph.originals}


def _peek(metagraph: MetaGraph, ops: Collection[str]) -> list[Node]:
    return [node for graph in metagraph.graphs for node in graph.peek(ops)]


@lru_cache(maxsize=1)
def _shared_ops() -> frozenset[str]:
    """Return the ops that make or name a resource which others find by a name."""
    return frozenset(name for name in catalog.names() if "shared_name" in getattr(catalog.get(name), "attrs", ()))


def _free(prefix: str, sign: str, taken: Collection[str]) -> Callable[[str], str]:
    """Return what puts the prefix before a name, as often as it takes for nothing to have the new one."""

    def free(name: str) -> str:
        new = f"{prefix}{sign}{name}"
        while new in taken:
            new = f"{prefix}{sign}{new}"
        return new

    return free
