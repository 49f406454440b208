"""Ops that read a variable, or hand it on, become ops on its value; types change with them."""

from __future__ import annotations

from graphsurgeon.analysis.flow.attributes import attribute
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.model.dtype import BOOL, INT32, DType
from graphsurgeon.model.graph import Node
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import INITIALIZED, MERGES, READS, VALUE_FORMS
from graphsurgeon.surgery.moves.inlining.inline import alive_control
from graphsurgeon.surgery.moves.variable_uses import Holders, variable_of

_HANDLE_FACTS = ("_output_shapes", "_handle_dtypes", "_handle_shapes", "_class")


def pass_value(node: Node, holders: Holders) -> None:
    """Let an op that hands variables on hand values on: it loses its reference form, or changes its type.

    Raises:
        UnsupportedError: it joins a variable with something that is none.
    """
    if node.op in MERGES and any(value not in holders for value in node.inputs):
        raise UnsupportedError(f"{node.name!r} ({node.op}) joins variables with something else")
    if node.op in VALUE_FORMS:
        node.op = VALUE_FORMS[node.op]
    elif node.op == "IdentityN":
        types = list(node.attrs["T"])  # type: ignore[arg-type]
        for port, value in enumerate(node.inputs):
            if value in holders:
                types[port] = variable_of(value, holders).dtype
        node.attrs["T"] = types
    else:
        node.attrs["T"] = variable_of(node.inputs[0], holders).dtype
    for key in _HANDLE_FACTS:
        node.attrs.pop(key, None)


def read_value(node: Node, holders: Holders, *, in_frames: bool) -> None:
    """Let an op that reads a variable read a value.

    Args:
        node: the op, any consumer of a variable; one that takes a value anyway stays as it is.
        holders: which values stand for variables.
        in_frames: the graph has V1 control flow: a new constant must run where the op runs.

    Raises:
        FormatError: the op reads another type than the variable has.
    """
    if node.op not in READS:
        return
    value = node.inputs[0]
    dtype = variable_of(value, holders).dtype
    if node.op in INITIALIZED:
        controls = [*node.controls, alive_control(value)] if in_frames and value.producer is not None else node.controls
        node.become("Const", [], {"dtype": BOOL, "value": Tensor.of(BOOL, (), [True])})
        node.controls = list(dict.fromkeys(controls))
        return
    _check_type(node, dtype)
    if node.op == "ReadVariableOp":
        node.become("Identity", [value], {"T": dtype})
    elif node.op == "VariableShape":
        node.become("Shape", [value], {"T": dtype, "out_type": attribute(node, "out_type")})
    elif node.op == "ResourceGatherNd":
        attrs = {"Tparams": dtype, "Tindices": node.attrs["Tindices"]}
        node.become("GatherNd", node.inputs, attrs)
    else:
        _gather(node, dtype, in_frames=in_frames)


def _gather(node: Node, dtype: DType, *, in_frames: bool) -> None:
    batch_dims = attribute(node, "batch_dims")
    graph, indices = node.graph, node.inputs[1]
    axis = Tensor.of(INT32, (), [batch_dims])
    controls = [alive_control(indices)] if in_frames and indices.producer is not None else []
    constant = graph.add_node(
        "Const", graph.unique_name(f"{node.name}/axis"), [], {"dtype": INT32, "value": axis}, controls=controls
    )
    attrs = {"Tparams": dtype, "Tindices": node.attrs["Tindices"], "Taxis": INT32, "batch_dims": batch_dims}
    node.become("GatherV2", [*node.inputs, constant.output(0)], attrs)


def _check_type(node: Node, dtype: DType) -> None:
    asked = node.attrs.get("dtype")
    if isinstance(asked, DType) and asked is not dtype:
        where = f" of function {node.graph.name!r}" if node.graph.name else ""
        raise FormatError(f"{node.name!r} ({node.op}){where} reads {asked}, its variable is {dtype}")
