"""Values of a model by op, name, shape, dtype or neighbourhood, as `gs find` lists them, for Python."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from graphsurgeon.analysis.select import Filters, FoundValue, find_values
from graphsurgeon.errors import UsageError
from graphsurgeon.model.calls import checked_call
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.model import Model, require_read_model
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops.coerce import as_dtype
from graphsurgeon.shapes import infer_shapes

Names = str | Node | Value | DType | Iterable[str | Node | Value | DType] | None


@checked_call
def find(
    model: Model,
    *,
    op: Names = None,
    name: Names = None,
    shape: str | Shape | Iterable[int | None] | None = None,
    dtype: Names = None,
    consumers_of: Names = None,
    producers_of: Names = None,
    depth: int = 1,
    graph: str | None = None,
    maybe: bool = False,
) -> list[FoundValue]:
    """Return the values that pass every filter, of all MetaGraphs, functions included; shapes are inferred.

    Args:
        model: it is not changed.
        op, name: one or several globs (or `re:` expressions) on the op, and on the name of the node or value.
        shape: a pattern as on the command line, `"?,512"`, or a shape; an unknown dimension matches an unknown one.
        dtype: one or several dtypes, or their names.
        consumers_of, producers_of: nodes or tensors whose readers, or whose inputs, are wanted.
        depth: how many steps from there.
        graph: only in this function or subgraph (a glob; `main` is the main graph).
        maybe: shapes also match where they are not known well enough to say.

    Raises:
        UsageError: a filter is malformed, or names a node that is not there.
    """
    require_read_model("find", model)
    filters = Filters(
        ops=_names(op),
        names=_names(name),
        shape=None if shape is None else shape if isinstance(shape, str) else _pattern(Shape.of(shape)),
        dtypes=_dtypes(dtype),
        consumers_of=_names(consumers_of),
        producers_of=_names(producers_of),
        depth=depth,
        maybe=maybe,
    )
    return [
        found
        for metagraph in model.metagraphs
        for found in find_values(metagraph, filters, infer_shapes(metagraph, on_demand=True), graph=graph)
    ]


def _names(given: Names) -> list[str]:
    if given is None:
        return []
    if isinstance(given, str | Node | Value | DType):
        return [str(given)]
    if not isinstance(given, Iterable):
        raise UsageError(f"one name or several are needed, not {given!r}")
    return [str(item) for item in given]


def _dtypes(given: Any) -> list[str]:
    """Return names of dtypes; those of numpy and TensorFlow are named as the same type is here."""
    several = list(given) if isinstance(given, list | tuple | set) else [] if given is None else [given]
    return [str(item if isinstance(item, str) else as_dtype(item) or item) for item in several]


def _pattern(shape: Shape) -> str:
    return "()" if shape.rank == 0 else ",".join("?" if dim is None else str(dim) for dim in shape)
