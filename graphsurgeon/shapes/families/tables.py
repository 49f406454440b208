"""Lookup tables."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims, ShapeError
from graphsurgeon.shapes.fact import Fact, Held
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("HashTable", "MutableDenseHashTable", "MutableHashTable", "MutableHashTableOfTensors")
def old_table(context: InferenceContext) -> Sequence[Result]:
    """Give a handle: two strings."""
    return [(2,)]


@shape_fn("HashTableV2", "MutableHashTableV2", "AnonymousHashTable", "AnonymousMutableHashTable")
def table(context: InferenceContext) -> Sequence[Result]:
    """Give a handle of scalar keys and values of `key_dtype` and `value_dtype`."""
    return [_handle(context, (), ())]


@shape_fn("MutableHashTableOfTensorsV2", "AnonymousMutableHashTableOfTensors")
def table_of_tensors(context: InferenceContext) -> Sequence[Result]:
    """Give a handle of scalar keys and values shaped as `value_shape` says."""
    return [_handle(context, (), context.shape_attr("value_shape"))]


@shape_fn("MutableDenseHashTableV2", "AnonymousMutableDenseHashTable")
def dense_table(context: InferenceContext) -> Sequence[Result]:
    """Give a handle of keys like the empty key (first input) and values shaped as `value_shape` says."""
    return [_handle(context, context.dims(0), context.shape_attr("value_shape"))]


def _handle(context: InferenceContext, key: Dims | None, value: Dims | None) -> Fact:
    held = (Held(context.dtype_attr("key_dtype"), key), Held(context.dtype_attr("value_dtype"), value))
    return Fact((), handle=held)


@shape_fn("LookupTableFind", "LookupTableFindV2")
def find(context: InferenceContext) -> Sequence[Result]:
    """Give a value of the table per key."""
    handle, keys = context.input(0).handle, context.dims(1)
    if handle is None or len(handle) != 2 or keys is None:
        return [None]
    key, value = handle[0].dims, handle[1].dims
    if key is None or value is None:
        return [None]
    if len(keys) < len(key):
        raise ShapeError(f"keys of shape {dim.show(keys)} are no keys of shape {dim.show(key)}")
    dim.merge(keys[len(keys) - len(key) :], key)
    return [(*keys[: len(keys) - len(key)], *value)]


@shape_fn("LookupTableSize", "LookupTableSizeV2")
def size(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar."""
    return [()]


@shape_fn("LookupTableExport", "LookupTableExportV2")
def export(context: InferenceContext) -> Sequence[Result]:
    """Give all keys and all values."""
    handle = context.input(0).handle
    if handle is None or len(handle) != 2:
        return [(None,) if context.node.op == "LookupTableExport" else None, None]
    return [None if held.dims is None else (None, *held.dims) for held in handle]
