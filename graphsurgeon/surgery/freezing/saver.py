"""A saver for the variables that freezing leaves: what session-style loaders need to restore them, and no more."""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.analysis.flow.restore_map import Restored
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.graph import AttrValue, Graph, Node, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Saver
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import REF_VARIABLES

V2 = 2  # SaverDef.CheckpointFormatVersion


def add_saver(graph: Graph, kept: Mapping[Node, Restored]) -> Saver:
    """Add the nodes that save and restore variables of a main graph; return the saver that names them.

    Args:
        graph: the graph.
        kept: variable node -> where its value is stored.
    """
    default = _strings(graph, "save/filename", ["model"], scalar=True)
    attrs: dict[str, AttrValue] = {"dtype": STRING, "shape": Shape(())}
    filename = graph.add_node("PlaceholderWithDefault", graph.unique_name("save/Const"), [default], attrs).output(0)
    nodes, types = list(kept), [_dtype(node) for node in kept]
    names = _strings(graph, "save/tensor_names", [restored.key for restored in kept.values()])
    slices = _strings(graph, "save/shape_and_slices", [restored.slice for restored in kept.values()])
    values = [_value(graph, node, dtype) for node, dtype in zip(nodes, types, strict=True)]
    lists: dict[str, AttrValue] = {"dtypes": list(types)}
    save = graph.add_node("SaveV2", graph.unique_name("save/SaveV2"), [filename, names, slices, *values], lists)
    saved = graph.add_node(
        "Identity", graph.unique_name("save/control_dependency"), [filename], {"T": STRING}, controls=[save]
    )
    restore = graph.add_node("RestoreV2", graph.unique_name("save/RestoreV2"), [filename, names, slices], lists)
    assigned = [_assign(graph, node, restore.output(port), types[port]) for port, node in enumerate(nodes)]
    done = graph.add_node("NoOp", graph.unique_name("save/restore_all"), controls=assigned)
    where = "saver, {}"
    return Saver(
        Mention.of(filename, where.format("filename_tensor_name")),
        Mention.of(saved.output(0), where.format("save_tensor_name")),
        Mention.of(done, where.format("restore_op_name")),
        version=V2,
    )


def keep_entries(checkpoint: Checkpoint, kept: Mapping[Node, Restored]) -> None:
    """Remove every entry of a checkpoint that no kept variable is restored from."""
    wanted = {restored.key for restored in kept.values()}
    checkpoint.remove([key for key in checkpoint.variables if key not in wanted])


def _strings(graph: Graph, name: str, texts: list[str], *, scalar: bool = False) -> Value:
    items = [text.encode("utf-8", "surrogateescape") for text in texts]
    value = Tensor.of(STRING, () if scalar else (len(items),), items)
    return graph.add_node("Const", graph.unique_name(name), [], {"dtype": STRING, "value": value}).output(0)


def _value(graph: Graph, node: Node, dtype: DType) -> Value:
    if node.op in REF_VARIABLES:
        return node.output(0)
    name = graph.unique_name(f"save/{node.name}")
    return graph.add_node("ReadVariableOp", name, [node.output(0)], {"dtype": dtype}).output(0)


def _assign(graph: Graph, node: Node, value: Value, dtype: DType) -> Node:
    name = graph.unique_name(f"save/Assign_{node.name}")
    if node.op in REF_VARIABLES:
        return graph.add_node("Assign", name, [node.output(0), value], {"T": dtype})
    same = graph.add_node("Identity", graph.unique_name(f"save/restored_{node.name}"), [value], {"T": dtype})
    return graph.add_node("AssignVariableOp", name, [node.output(0), same.output(0)], {"dtype": dtype})


def _dtype(node: Node) -> DType:
    dtype = node.attrs["dtype"]
    assert isinstance(dtype, DType)
    return dtype.base
