"""What a picture shows, before anything is laid out: boxes, edges, and the frames around open scopes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Text = tuple[str, ...]


@dataclass(frozen=True)
class NodeName:
    """A node that a box stands for: its name, and the function it is in (empty for the main graph)."""

    name: str
    graph: str = ""


@dataclass(frozen=True)
class Box:
    """A box: an operation, a closed scope, an input or an output.

    Attributes:
        id: unique in the picture, fit for an XML id.
        kind: "operation", "layer", "input", "output", or the kind of a closed scope.
        title: what it is: the op, the scope's name, the signature key.
        lines: what matters about it, one text per line.
        name: the whole name.
        family: the family of ops it belongs to, which gives the colour.
        cluster: id of the frame it stands in, empty for none.
        nodes: the nodes it stands for, those of folded repetitions included.
        parameters: elements of the weights inside.
        count: how many equal blocks it stands for.
        marks: "highlight", "added", "removed", "changed", "outside".
    """

    id: str
    kind: str
    title: str
    lines: Text
    name: str
    family: str
    cluster: str = ""
    nodes: Sequence[NodeName] = ()
    parameters: int = 0
    count: int = 1
    marks: Text = ()


@dataclass(frozen=True)
class Edge:
    """An arrow between boxes, which may stand for several values.

    Attributes:
        source, target: ids of boxes.
        kind: "data", "quantized", "shape", "resource", "loop", "condition", "control" or "removed"
            (between two models: the first has it).
        label: shape (and dtype, unless float32) of the value, or of the first of several.
        values: names of all values it stands for.
        marks: "highlight".
    """

    source: str
    target: str
    kind: str
    label: str = ""
    values: Text = ()
    marks: Text = ()


@dataclass(frozen=True)
class Cluster:
    """A frame around the contents of an open scope.

    Attributes:
        id: unique in the picture.
        parent: id of the frame around it, empty for none.
        kind: kind of the scope.
        title: its name, shortened; with the number of equal blocks it stands for.
        name: its whole name.
        count: how many equal blocks it stands for.
    """

    id: str
    parent: str
    kind: str
    title: str
    name: str
    count: int = 1


@dataclass(frozen=True)
class Terminal:
    """An input or output: signature key (else the tensor's name), tensors, dtype and shape."""

    key: str
    signatures: Text
    tensors: Text
    dtype: str | None
    shape: Sequence[int | None] | None
    box: str


@dataclass(frozen=True)
class Scene:
    """All that a picture shows.

    Attributes:
        title: of the whole.
        boxes, edges, clusters: in order; a frame comes before those inside.
        inputs, outputs: what goes in and comes out.
        depth: the deepest level that is drawn; 1 is the coarsest picture.
        hidden_nodes: nodes that have no box of their own.
        notes: what was done that nobody asked for, one line each.
        signatures: signatures of the model -> keys of inputs and outputs, drawn or not.
        facts: the model in numbers: parameters, bytes, who made it, how many inputs and outputs.
        colors: what families stand for that are none of ops: a range of numbers, a dtype.
    """

    title: str
    boxes: Sequence[Box]
    edges: Sequence[Edge]
    clusters: Sequence[Cluster] = ()
    inputs: Sequence[Terminal] = ()
    outputs: Sequence[Terminal] = ()
    depth: int = 0
    hidden_nodes: int = 0
    notes: Text = ()
    signatures: Mapping[str, tuple[Text, Text]] = field(default_factory=dict)
    facts: Text = ()
    colors: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return plain lists and dictionaries."""
        return {key: _plain(getattr(self, key)) for key in self.__dataclass_fields__}


def _plain(value: object) -> object:
    if isinstance(value, Box | Edge | Cluster | Terminal | NodeName):
        return {key: _plain(getattr(value, key)) for key in value.__dataclass_fields__}
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
