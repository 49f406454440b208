"""What stands around two graphs that became one: what runs on load, collections, assets, objects, the checkpoint."""

from __future__ import annotations

from collections.abc import Collection as Names
from collections.abc import Sequence

from graphsurgeon.analysis.flow.load_path import INIT_COLLECTIONS, INIT_SIGNATURE, init_node
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.graph import Node
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Asset, Collection, CollectionItem, MetaGraph, TakenIn
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ObjectGraph, ObjectNode

_ON_LOAD = (*INIT_COLLECTIONS, "saved_model_init_op")
_LISTED_ASSETS = "saved_model_assets"


def join_loading(metagraph: MetaGraph, taken: TakenIn, prefix: str) -> None:
    """Let a loader run what both models run on load."""
    own, added = init_node(metagraph), _init_of(taken)
    if added is None:
        return
    if own is None:
        for key in _ON_LOAD:
            if key in taken.collections:
                metagraph.collections[key] = taken.collections[key]
        if INIT_SIGNATURE in taken.signatures:
            metagraph.signatures[INIT_SIGNATURE] = taken.signatures[INIT_SIGNATURE]
        return
    graph = metagraph.graph
    both = graph.add_node("NoOp", graph.unique_name(f"{prefix}/init_all"), controls=[own, added])
    signature = metagraph.signatures.get(INIT_SIGNATURE)
    for entry in signature.outputs.values() if signature is not None else ():
        if entry.mention is not None:
            entry.mention = Mention.of(both, entry.mention.where)
    for key in _ON_LOAD:
        for item in metagraph.collections[key].items if key in metagraph.collections else ():
            item.mentions = {name: Mention.of(both, mention.where) for name, mention in item.mentions.items()}


def _init_of(taken: TakenIn) -> Node | None:
    signature = taken.signatures.get(INIT_SIGNATURE)
    found = [entry.mention for entry in signature.outputs.values()] if signature is not None else []
    for key in _ON_LOAD:
        if key in taken.collections:
            found += [mention for item in taken.collections[key].items for mention in item.mentions.values()]
    return next((mention.node for mention in found if mention is not None and mention.node is not None), None)


def join_collections(metagraph: MetaGraph, taken: TakenIn) -> list[str]:
    """Put what collections of the second model hold behind what those of the first do; return notes."""
    notes = []
    for key, added in taken.collections.items():
        own = metagraph.collections.get(key)
        if key in _ON_LOAD:
            continue
        if own is None:
            metagraph.collections[key] = added
        elif own.kind == added.kind:
            own.items = _without_twins(own, added)
        else:
            notes.append(f"collection {key} of the second model is a {added.kind} and is left out")
    return notes


def _without_twins(own: Collection, added: Collection) -> list[CollectionItem]:
    """Return the items of both; a plain value that the first one has is not put there again."""
    plain = [item.value for item in own.items if not item.mentions]
    return own.items + [item for item in added.items if item.mentions or item.value not in plain]


def join_assets(metagraph: MetaGraph, taken: TakenIn, path: str, prefix: str) -> list[str]:
    """Take the assets of the second model along; return notes on those that get another name.

    Args:
        metagraph: changed in place.
        taken: what it took in; its objects know assets by their places, which change.
        path: of the second model.
        prefix: before a name that the first model has too.

    Raises:
        UnsupportedError: such a name stands in a collection, as in the first SavedModels, where it is no name of ours.
    """
    shift = len(metagraph.assets)
    notes = take_assets(taken.assets, {asset.filename for asset in metagraph.assets}, path, prefix)
    metagraph.assets += taken.assets
    for node in taken.objects.nodes if taken.objects is not None else ():
        if node.kind == "asset":
            node.asset_index += shift
    return notes


def take_assets(assets: Sequence[Asset], own: Names[str], path: str, prefix: str) -> list[str]:
    """Let assets of a model be files to be copied, under names that are free; return notes on those that change.

    Args:
        assets: changed in place.
        own: names of files that are there already.
        path: of the model that has them.
        prefix: before a name that is taken.

    Raises:
        UnsupportedError: a name that is taken stands in a collection.
    """
    folder = path.rstrip("/")
    if folder.endswith((".pb", ".pbtxt")):
        folder = folder.rpartition("/")[0] or "."
    notes = []
    for asset in assets:
        asset.source = asset.source or f"{folder}/assets/{asset.filename}"
        if asset.filename in own:
            if asset.in_collection:
                raise UnsupportedError(f"both models have an asset {asset.filename!r}, the second one in a collection")
            where, slash, name = asset.filename.rpartition("/")
            notes.append(f"asset {asset.filename} of the second model is {where}{slash}{prefix}_{name}")
            asset.filename = f"{where}{slash}{prefix}_{name}"
    return notes


def join_objects(metagraph: MetaGraph, taken: TakenIn, child: str, *, is_free: tuple[bool, bool]) -> list[str]:
    """Make one object graph: that of the first model, with the root of the second one as a child.

    Where one model has no objects, `tf.saved_model.load` can take the other's only if the first needs none.

    Args:
        metagraph: changed in place.
        taken: what it took in.
        child: name of the second root among the children of the first.
        is_free: of each model, whether nothing in it has to be an object: it has no variables and tables.
    """
    own, added = metagraph.objects, taken.objects
    if own is not None and added is not None:
        own.root.children.append((child, added.root))
        own.nodes += added.nodes
        own.concrete_functions += added.concrete_functions
        return []
    found, free = (own, is_free[1]) if own is not None else (added, is_free[0])
    if found is None:
        return []
    metagraph.objects = found if free else None
    if free:
        return []
    what = "tf.saved_model.load takes the result as one of TensorFlow 1"
    return [f"one of the models has variables and no objects for them: {what}"]


def join_checkpoints(model: Model, second: Model, metagraph: MetaGraph, child: str) -> None:
    """Give a model the variables of another one, whose keys are free; before the object graphs are joined.

    Args:
        model: changed in place.
        second: taken apart.
        metagraph: of the first model; loaders know objects of graph and checkpoint by the same names.
        child: name of the second root among the children of the first.
    """
    own, added = model.checkpoint, second.checkpoint
    if own is None or added is None:
        model.checkpoint = own or added
        model.unreadable = model.unreadable or second.unreadable
        return
    if own.objects is not None and added.objects is not None:
        saved = len(metagraph.objects.nodes) if metagraph.objects is not None else 0
        own.objects.nodes += [ObjectNode("") for _ in range(saved - len(own.objects.nodes))]  # known by their places
        own.objects.root.children.append((child, added.objects.root))
        own.objects.nodes += added.objects.nodes
    elif own.objects is None:
        own.objects = added.objects
    own.variables |= added.variables


def free_child(name: str, *graphs: ObjectGraph | None) -> str:
    """Return a name, or one with a number, that no child of the roots of some object graphs has."""
    taken = {local for one in graphs if one is not None and one.nodes for local, _ in one.root.children}
    free, number = name, 0
    while free in taken:
        number += 1
        free = f"{name}_{number}"
    return free
