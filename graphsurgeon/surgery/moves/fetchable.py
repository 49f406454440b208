"""Which tensors a session can fetch: not those of loop bodies, untaken branches, nor resources."""

from __future__ import annotations

from itertools import islice

from graphsurgeon.analysis.flow.frames import control_flow
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import RESOURCE, VARIANT, DType
from graphsurgeon.model.graph import Value
from graphsurgeon.model.traversal import nearest_first
from graphsurgeon.ops.kinds import EXITS, MERGES, SAME_VALUE, VALUE_READS

_FAR = 10_000  # nodes behind a tensor among which the end of its branch is looked for


def check_fetchable(value: Value, dtype: DType | None, *, allow_ref: bool = True) -> DType:
    """Return the dtype of a value that a session can fetch.

    Args:
        value: a tensor of any graph.
        dtype: as inferred; None if unknown.
        allow_ref: whether a reference (the output of a `VariableV2`) will do; `tf.saved_model.load` takes none.

    Raises:
        UnsupportedError: it cannot be fetched; with the nearest tensor that can.
    """
    dtype = check_type(value, dtype, allow_ref=allow_ref)
    _check_flow(value)
    return dtype


def check_type(value: Value, dtype: DType | None, *, allow_ref: bool = True) -> DType:
    """Return the dtype of a value that can be seen from outside, or printed.

    Raises:
        UnsupportedError: it is not known, a resource or variant, or a reference where none will do.
    """
    if dtype is None:
        raise UnsupportedError(f"the dtype of {value} is not known, since its op is in no catalog")
    if dtype.is_ref and not allow_ref:
        raise UnsupportedError(f"{value} is a reference", hint=_reader_hint(value))
    if dtype.base in (RESOURCE, VARIANT):
        raise UnsupportedError(f"{value} is a {dtype.base}, which cannot be fetched", hint=_reader_hint(value))
    return dtype


def _check_flow(value: Value) -> None:
    node = value.producer
    if node is None:
        return
    flow = control_flow(value.graph)
    if node in flow.frames:
        enter = flow.frames[node]
        exits = [other.name for other in value.graph.nodes if other.op in EXITS]
        hint = f"the loop's results can be had: {', '.join(exits[:3])}" if exits else "choose a tensor outside the loop"
        raise UnsupportedError(f"{value} lies inside the loop of {enter.name!r}: one value per iteration", hint=hint)
    if node in flow.branches:
        after = islice(nearest_first([node], lambda one: one.consumers), _FAR)
        merge = next((other.name for other in after if other.op in MERGES), None)
        hint = f"the conditional's result can be had: {merge}" if merge else "choose a tensor outside the branch"
        raise UnsupportedError(
            f"{value} lies in a branch of the conditional at {flow.branches[node].name!r}: it may have no value",
            hint=hint,
        )


def _reader_hint(value: Value) -> str:
    readers = [node.name for node in value.consumers if node.op in VALUE_READS | SAME_VALUE]
    return f"{readers[0]} reads it" if readers else ""
