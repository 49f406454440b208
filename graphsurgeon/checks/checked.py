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
        nodes: of main graphs, functions and subgraphs; operators.
        functions: and subgraphs behind the first one.
        signatures: of all MetaGraphs.
        variables: entries of a checkpoint whose place, dtype and shape were looked at.
        constants: the same, that lie in a TFLite or ONNX file.
        checksums: how many variables were read and compared with their checksums.
        assets: files that the model names.
        left_out: what was not looked at: "checksums" (there are some, and they were not asked for), "serving" (what
            TensorFlow Serving alone asks), "ops" (what the ops of this framework mean), "loaders" (no loader was run).
    """

    nodes: int
    functions: int
    signatures: int
    variables: int
    constants: int
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
        nodes=sum(len(graph.nodes) for graph in graphs),
        functions=sum(len(metagraph.functions) for metagraph in model.metagraphs),
        signatures=sum(len(metagraph.signatures) for metagraph in model.metagraphs),
        variables=stored,
        constants=held,
        checksums=stored if checksums else 0,
        assets=sum(len(metagraph.assets) for metagraph in model.metagraphs),
        left_out=tuple(name for name, is_so in left_out.items() if is_so),
    )
