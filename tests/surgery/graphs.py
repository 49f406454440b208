"""Small graphs as text, for tests of surgery."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from graphsurgeon import read
from graphsurgeon.model import Checkpoint, Model, Tensor, Variable
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.graph import Graph

FLOAT = {"T": "type: DT_FLOAT"}


def node(name: str, op: str, *inputs: str, **attrs: str) -> str:
    """Write a node; attributes as `T="type: DT_FLOAT"`."""
    reads = " ".join(f'input: "{text}"' for text in inputs)
    values = " ".join(f'attr {{ key: "{key}" value {{ {value} }} }}' for key, value in attrs.items())
    return f'node {{ name: "{name}" op: "{op}" {reads} {values} }}\n'


def placeholder(name: str, dtype: str = "DT_FLOAT", dims: str = "") -> str:
    sizes = " ".join(f"dim {{ size: {dim} }}" for dim in dims.split(",") if dim)
    shape = f"shape {{ {sizes} }}" if dims else "shape { unknown_rank: true }"
    return node(name, "Placeholder", dtype=f"type: {dtype}", shape=shape)


def constant(name: str, value: str, dtype: str = "DT_FLOAT", *controls: str) -> str:
    """Write a scalar Const; `value` as in `float_val: 1`."""
    return node(
        name, "Const", *controls, dtype=f"type: {dtype}", value=f"tensor {{ dtype: {dtype} tensor_shape {{}} {value} }}"
    )


def variable(name: str, op: str = "VarHandleOp") -> str:
    return node(
        name, op, dtype="type: DT_FLOAT", shape="shape { dim { size: 2 } }", shared_name=f's: "{name}"',
    )  # fmt: skip


def read_variable(name: str, handle: str, *controls: str) -> str:
    return node(name, "ReadVariableOp", handle, *controls, dtype="type: DT_FLOAT")


def graph_model(folder: Path, *nodes: str, library: str = "", values: Mapping[str, list[float]] | None = None) -> Model:
    """Read a GraphDef of some nodes; with values it has a checkpoint."""
    path = folder / "graph.pbtxt"
    path.write_text("".join(nodes) + library + "versions { producer: 1500 }")
    model = read(path)
    if values is not None:
        variables = {name: Variable(name, Tensor.of(FLOAT32, [len(items)], items)) for name, items in values.items()}
        model.checkpoint = Checkpoint("memory", 2, variables)
    return model


def spelled(graph: Graph) -> dict[str, list[str]]:
    """Return op and inputs of every node by its name."""
    return {
        one.name: [one.op, *map(str, one.inputs), *(f"^{other.name}" for other in one.controls)] for one in graph.nodes
    }
