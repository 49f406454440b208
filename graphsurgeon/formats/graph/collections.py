"""`CollectionDef` to Collection and back: plain lists, and messages in bytes that mention nodes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphsurgeon.formats import schema
from graphsurgeon.formats.graph import mention_sites
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Collection, CollectionItem, MetaGraph


def lift_collections(raw: Mapping[str, Any], graph: Graph) -> dict[str, Collection]:
    """Return the collections of a `collection_def` map, keys sorted."""
    return {key: _lift(key, raw[key], graph) for key in sorted(raw)}


def lower_collections(metagraph: MetaGraph, out: Any) -> None:
    """Bring a `collection_def` map, filled from the raw one, to what the collections are now."""
    collections = metagraph.collections
    for key in [key for key in out if key not in collections]:
        del out[key]
    for key, collection in collections.items():
        message = schema.message("tensorflow.CollectionDef")()
        if collection.raw is not None:
            message.CopyFrom(collection.raw)
        _lower(collection, message)
        if key not in out or out[key] != message:
            out[key].CopyFrom(message)


def _lift(key: str, raw: Any, graph: Graph) -> Collection:
    kind = raw.WhichOneof("kind") or "node_list"
    where = f"collection {key}"
    if kind == "node_list":
        items = [_node_item(text, graph, where) for text in raw.node_list.value]
    elif kind == "bytes_list":
        items = [_bytes_item(key, data, graph, f"{where}[{index}]") for index, data in enumerate(raw.bytes_list.value)]
    elif kind == "any_list":
        items = [_any_item(item, graph, f"{where}[{index}]") for index, item in enumerate(raw.any_list.value)]
    else:
        items = [CollectionItem("", {}, value) for value in getattr(raw, kind).value]
    return Collection(key, kind, items, raw)


def _node_item(text: str, graph: Graph, where: str) -> CollectionItem:
    mention = Mention("tensor" if ":" in text else "node", text, graph, where)
    return CollectionItem("", {"": mention}, text.encode())


def _bytes_item(key: str, data: bytes, graph: Graph, where: str) -> CollectionItem:
    type_name = mention_sites.COLLECTION_MESSAGES.get(key, mention_sites.VARIABLE_MESSAGE)
    message = mention_sites.parse(type_name, data)
    if message is None or (type_name == mention_sites.VARIABLE_MESSAGE and not message.variable_name):
        return CollectionItem("", {}, data)
    return CollectionItem(type_name, _mentions(message, type_name, graph, where), data, message)


def _any_item(item: Any, graph: Graph, where: str) -> CollectionItem:
    if item.type_url.rpartition("/")[2] != "tensorflow.AssetFileDef":
        return CollectionItem("", {}, item.value, item)
    message = mention_sites.parse("AssetFileDef", item.value)
    if message is None:
        return CollectionItem("", {}, item.value, item)
    return CollectionItem("AssetFileDef", _mentions(message, "AssetFileDef", graph, where), item.value, item)


def _mentions(message: Any, type_name: str, graph: Graph, where: str) -> dict[str, Mention]:
    mentions: dict[str, Mention] = {}

    def see(path: str, kind: str, text: str) -> str:
        mentions[path] = Mention("tensor" if kind == "tensor" else "node", text, graph, f"{where}, {path}")
        return text

    mention_sites.visit(message, type_name, see)
    return mentions


def _lower(collection: Collection, message: Any) -> None:
    if collection.kind == "any_list":
        _lower_any(collection, message)
        return
    values = [_value(item, collection.kind) for item in collection.items]
    container = getattr(message, collection.kind).value
    if list(container) != values:
        del container[:]
        container.extend(values)
    if not values:
        getattr(message, collection.kind).SetInParent()


def _value(item: CollectionItem, kind: str) -> Any:
    if kind == "node_list":
        return item.mentions[""].text
    return _bytes(item) if kind == "bytes_list" else item.value


def _bytes(item: CollectionItem) -> bytes:
    """Return the bytes of an element; the very same ones if nothing that it names was renamed."""
    data = item.value if isinstance(item.value, bytes) else b""
    message = mention_sites.parse(item.type, data) if item.type else None
    if message is None:
        return data
    changed = False

    def see(path: str, _kind: str, text: str) -> str:
        nonlocal changed
        new = item.mentions[path].text
        changed |= new != text
        return new

    mention_sites.visit(message, item.type, see)
    return bytes(message.SerializeToString(deterministic=True)) if changed else data


def _lower_any(collection: Collection, message: Any) -> None:
    copies = []
    for item in collection.items:
        copy = schema.message("google.protobuf.Any")()
        copy.CopyFrom(item.raw)
        copy.value = _bytes(item)
        copies.append(copy)
    if copies != list(message.any_list.value):
        del message.any_list.value[:]
        message.any_list.value.extend(copies)
