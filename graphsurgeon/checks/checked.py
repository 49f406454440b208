"""What a check has looked at, and what it has left out: "nothing found" says no more than that."""

from __future__ import annotations

from dataclasses import dataclass

from graphsurgeon.model.format import ONNX, TENSORFLOW, TFLITE
from graphsurgeon.model.model import Model

_KNOWN = frozenset({TENSORFLOW, TFLITE, ONNX})
CHECKSUMS, SERVING, OPS, LOADERS = "checksums", "serving", "ops", "loaders"


@dataclass(frozen=True)
class Checked:
    """How far a check went.

    Attributes:
        graphs: main graphs, functions and subgraphs.
        nodes: their nodes, or operators.
        signatures: of all MetaGraphs.
        tensors: stored ones whose place, dtype and shape were looked at: entries of a checkpoint, constants of TFLite.
        checksums: how many of them were read and compared with their checksums.
        assets: files that the model names.
        left_out: what was not looked at: "checksums" (there are some, and they were not asked for), "serving" (what
            TensorFlow Serving alone asks), "ops" (what the ops of this framework mean), "loaders" (no loader was run).
    """

    graphs: int
    nodes: int
    signatures: int
    tensors: int
    checksums: int
    assets: int
    left_out: tuple[str, ...]


def checked(model: Model, *, checksums: bool = False, serving: bool = False) -> Checked:
    """Return what `check` of a model with these options looks at. Reads nothing more of the model's files."""
    graphs = list(model.graphs)
    stored = len(model.checkpoint.variables) if model.checkpoint is not None else 0
    held = sum(value.tensor is not None for graph in graphs if graph.kind == "subgraph" for value in graph.values)
    vocabularies = {metagraph.vocabulary for metagraph in model.metagraphs}
    left_out = {
        CHECKSUMS: bool(stored) and not checksums,
        SERVING: model.traits.is_servable and TENSORFLOW in vocabularies and not serving,
        OPS: bool(vocabularies - _KNOWN),
        LOADERS: True,
    }
    return Checked(
        graphs=len(graphs),
        nodes=sum(len(graph.nodes) for graph in graphs),
        signatures=sum(len(metagraph.signatures) for metagraph in model.metagraphs),
        tensors=stored + held,
        checksums=stored if checksums else 0,
        assets=sum(len(metagraph.assets) for metagraph in model.metagraphs),
        left_out=tuple(name for name, is_so in left_out.items() if is_so),
    )
