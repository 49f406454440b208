"""A picture as the graphs of Model Explorer, in plain lists and dictionaries by the names of its JSON.

Its boxes are those of our pictures, all scopes open: layers with bias, normalization and activation folded in, equal
blocks once. Namespaces are our frames, edges bear the inferred shapes, the panel tells attributes and weights with
statistics. The names are those of `model_explorer/graph_builder.py`.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats import read
from graphsurgeon.model.model import Model
from graphsurgeon.render.arrange.depth import Opening, contents
from graphsurgeon.render.picture import View, compose_scene, levels, select_picture
from graphsurgeon.render.scene.details import Details
from graphsurgeon.render.scene.scene import Box, Edge, Scene
from graphsurgeon.render.write.palette import FILLS, STROKES

MOST_DETAILED = 20_000  # boxes; of larger graphs no attributes and weights are told
MOST_INSIDE = 64  # operations of one layer that are asked for weights
_SLASH = "\u00b7"  # stands for the `/` in a title: it divides namespaces


def graphs_of(path: str | os.PathLike[str]) -> list[dict[str, Any]]:
    """Return the graphs of a model file.

    Reads values of weights of up to 4 MiB, 64 MiB in all, for their statistics.

    Raises:
        GraphSurgeonError: it cannot be read, or has no graph.
    """
    model = read(path)
    if not model.metagraphs:
        raise UnsupportedError("a checkpoint has no graph", path=path, hint="gs weights lists its variables")
    return [graph_of(model)]


def graph_of(model: Model) -> dict[str, Any]:
    """Return the graph that a picture of a model shows."""
    view = View()
    picture = select_picture(model, view)
    root, opening = levels(picture, view)
    opened = {part for part in root.parts() if contents(part) and part.kind != "layer"}
    scene, composer = compose_scene(picture, root, Opening(opened, opening.depth))
    details = Details(model, picture) if len(scene.boxes) <= MOST_DETAILED else None
    operations = picture.selection.flow.operations

    def facts(box: Box) -> dict[str, Any]:
        part = composer.parts.get(box.id)
        if part is None or details is None:
            return {}
        inside = [details.of(operations[index]) for index in islice(part.operations(), MOST_INSIDE)]
        main = next((one for one in inside if one.get("weights")), inside[0])
        last = inside[-1].get("outputs", ())
        return {**main, "weights": [row for one in inside for row in one.get("weights", ())],
                "outputs": [*main.get("outputs", ()), *last]}  # fmt: skip

    spaces = _namespaces(scene)
    entering: dict[str, list[Edge]] = {}
    leaving: dict[str, list[Edge]] = {}
    for edge in scene.edges:
        entering.setdefault(edge.target, []).append(edge)
        leaving.setdefault(edge.source, []).append(edge)
    ports = {box.id: _ports(leaving.get(box.id, ())) for box in scene.boxes}
    nodes = [_node(box, facts(box), spaces.get(box.cluster, ""), entering, ports) for box in scene.boxes]
    return {"id": scene.title, "nodes": nodes, "groupNodeAttributes": {"": _about(scene)} | _groups(scene, spaces)}


def _node(
    box: Box, facts: Mapping[str, Any], namespace: str, entering: Mapping[str, Sequence[Edge]],
    ports: Mapping[str, Mapping[str, str]],
) -> dict[str, Any]:  # fmt: skip
    edges = [
        {"sourceNodeId": edge.source, "sourceNodeOutputId": ports[edge.source][_tensor(edge)],
         "targetNodeInputId": str(number)}
        for number, edge in enumerate(entering.get(box.id, ()))
    ]  # fmt: skip
    return {
        "id": box.id,
        "label": box.title,
        "namespace": namespace,
        "attrs": _pairs({"name": box.name, "shows": " · ".join(box.lines), **_told(box, facts)}),
        "incomingEdges": edges,
        "inputsMetadata": [_metadata(str(at), row) for at, row in enumerate(facts.get("inputs", ())) if row],
        "outputsMetadata": [
            _metadata(port, _described(tensor, facts)) for tensor, port in ports[box.id].items()
        ],
        "style": {"backgroundColor": FILLS.get(box.family, FILLS["other"]),
                  "borderColor": STROKES.get(box.family, STROKES["other"])},
    }  # fmt: skip


def _told(box: Box, facts: Mapping[str, Any]) -> dict[str, str]:
    """Return attributes, then weights, under names that say which is which."""
    told = {"parameters": f"{box.parameters:,}"} if box.parameters else {}
    told |= {"stands for": f"{box.count} equal blocks"} if box.count > 1 else {}
    told |= {str(key): str(value) for key, value in facts.get("attributes", ())}
    for name, dtype, shape, *more in facts.get("weights", ()):
        statistics = f"; {more[0]}" if more and isinstance(more[0], str) and more[0] else ""
        told[f"weight {name}"] = f"{dtype}{shape}{statistics}"
    told |= {"device": str(facts["device"])} if facts.get("device") else {}
    return told


def _tensor(edge: Edge) -> str:
    """Return what an edge carries, which is one output of its box."""
    return edge.values[0] if edge.values else edge.label


def _ports(edges: Sequence[Edge]) -> dict[str, str]:
    """Return the tensors that leave a box, each with the number of its output."""
    return {tensor: str(at) for at, tensor in enumerate(dict.fromkeys(map(_tensor, edges)))}


def _described(tensor: str, facts: Mapping[str, Any]) -> list[str]:
    row = next((row for row in facts.get("outputs", ()) if row and row[0] == tensor), None)
    return list(row) if row is not None else [tensor, "", ""]


def _metadata(port: str, row: Sequence[str]) -> dict[str, Any]:
    name, dtype, shape = row
    known = {"tensor_shape": f"{dtype}{shape}"} if dtype or shape else {}
    return {"id": port, "attrs": _pairs({"__tensor_tag": name, **known})}


def _namespaces(scene: Scene) -> dict[str, str]:
    """Return the path of titles of each frame; two of one title in one frame stay two."""
    spaces: dict[str, str] = {}
    taken: set[str] = set()
    for cluster in scene.clusters:
        above = spaces.get(cluster.parent, "")
        stem = f"{above}/{cluster.title.replace('/', _SLASH)}" if above else cluster.title.replace("/", _SLASH)
        found, number = stem, 1
        while found in taken:
            number += 1
            found = f"{stem} ({number})"
        taken.add(found)
        spaces[cluster.id] = found
    return spaces


def _about(scene: Scene) -> dict[str, str]:
    facts = {"model": scene.title, "numbers": " · ".join(scene.facts), "notes": "; ".join(scene.notes)}
    return {key: value for key, value in facts.items() if value}


def _groups(scene: Scene, spaces: Mapping[str, str]) -> dict[str, dict[str, str]]:
    repeated = {cluster.id: {"stands for": f"{cluster.count} equal blocks"} for cluster in scene.clusters
                if cluster.count > 1}  # fmt: skip
    return {spaces[cluster.id]: {"name": cluster.name, **repeated.get(cluster.id, {})} for cluster in scene.clusters}


def _pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"key": key, "value": value} for key, value in values.items() if value]
