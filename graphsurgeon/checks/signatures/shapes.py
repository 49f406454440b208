"""Rules about the shapes of outputs that `tf.saved_model.load` sets on the functions it makes of a TensorFlow 1 model.

It sets what the signature says on what it infers itself (`WrappedFunction.prune`, wrap_function.py of TensorFlow 2.21),
and a shape that is not there stands for a scalar. It knows less than is known here: nothing of what loops, functions
and tables give, nor of an old `Variable` whose shape is written as a scalar's, which may be any (`state_ops.cc`).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from graphsurgeon.checks.places import is_present
from graphsurgeon.model.dtype import INT64, DType
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.metagraph import MetaGraph, SignatureEntry
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.traversal import upstream
from graphsurgeon.ops.kinds import ENTERS, LOOPS, TABLES, YIELD_RESULTS
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.report import ShapeReport

_HINT = "set the signature's shape to that of the tensor"


def outputs(metagraph: MetaGraph, report: ShapeReport) -> Iterator[Finding]:
    """Find outputs whose shape in the signature the loader cannot set."""
    if metagraph.tags is None or (metagraph.objects is not None and metagraph.objects.nodes):
        return
    weak: ShapeReport | None = None
    for signature in metagraph.signatures.values():
        for key, entry in signature.outputs.items():
            value = entry.mention.target if entry.mention is not None else None
            if not isinstance(value, Value) or not _misfit(entry, report.shape(value)):
                continue
            if value.producer is not None and any(map(_is_unsure, upstream([value.producer]))):
                weak = weak if weak is not None else _as_the_loader(metagraph)
                if not _misfit(entry, weak.shape(value)):
                    continue
            where = f"signature {signature.key}, output {key}"
            said = f"it says {entry.shape}" if entry.shape is not None else "it has no shape, which stands for a scalar"
            what = f"{said}; the graph says {report.shape(value)} of {value}"
            yield Finding("error", where, what, _HINT, "signature-shape")


_SPARSE = (("values", 1, None), ("indices", 2, INT64), ("dense shape", 1, INT64))  # rank, dtype


def sparse(metagraph: MetaGraph, report: ShapeReport) -> Iterator[Finding]:
    """Find sparse inputs and outputs whose parts nobody can put together: `get_tensor_from_tensor_info` neither."""
    for signature in metagraph.signatures.values():
        for side, entries in (("input", signature.inputs), ("output", signature.outputs)):
            for key, entry in entries.items():
                raw: Any = entry.raw
                if raw is not None and raw.WhichOneof("encoding") == "composite_tensor" and not _says_type(raw):
                    where, hint = f"signature {signature.key}, {side} {key}", "say of which class its tensors are parts"
                    yield Finding("error", where, "its composite tensor has no type", hint, "signature-tensor")
                if raw is None or raw.WhichOneof("encoding") != "coo_sparse" or len(entry.components) != len(_SPARSE):
                    continue
                for mention, (noun, rank, dtype) in zip(entry.components, _SPARSE, strict=True):
                    what = _part_fault(mention.target, rank, dtype, report)
                    if what:
                        where = f"signature {signature.key}, {side} {key}"
                        hint = "name the parts of one sparse tensor"
                        yield Finding("error", where, f"its {noun}, {mention.text}, {what}", hint, "signature-tensor")


def _says_type(raw: Any) -> bool:
    return bool(raw.composite_tensor.type_spec.type_spec_class)


def _part_fault(value: object, rank: int, dtype: DType | None, report: ShapeReport) -> str:
    if not isinstance(value, Value) or not is_present(value):
        return ""
    types, shape = value.producer.output_dtypes() if value.producer is not None else None, report.shape(value)
    found = types[value.port] if types and isinstance(value.port, int) and value.port < len(types) else None
    if dtype is not None and found is not None and found.number and found.base is not dtype:
        return f"are {found}, not {dtype}"
    return f"have the shape {shape}, not {rank} dimensions" if shape.rank not in (None, rank) else ""


_OLD = "Variable"
_UNKNOWN = ENTERS | TABLES | (YIELD_RESULTS - LOOPS) | {_OLD}


def _is_unsure(node: Node) -> bool:
    if node.op == _OLD:
        shape = node.attrs.get("shape")
        return not isinstance(shape, Shape) or not shape.rank
    return node.op in _UNKNOWN or node.callee is not None


def _misfit(entry: SignatureEntry, shape: Shape) -> bool:
    if entry.shape is None and entry.raw is None:
        return False  # new: it is written with the tensor's own
    return not (entry.shape if entry.shape is not None else Shape(())).is_compatible_with(shape)


def _as_the_loader(metagraph: MetaGraph) -> ShapeReport:
    nodes = metagraph.graph.nodes
    blind = [node for node in nodes if _is_unsure(node) and node.op not in TABLES]
    blind += [node for node in nodes if any(value.producer and value.producer.op in TABLES for value in node.inputs)]
    return infer_shapes(metagraph.graph, assume={value: UNKNOWN_RANK for node in blind for value in node.outputs})
