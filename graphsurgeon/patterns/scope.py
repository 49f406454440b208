"""What names in the expressions of a rule stand for, in one match."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphsurgeon.model.graph import FunctionRef, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.patterns.conditions import attribute
from graphsurgeon.patterns.expressions import Undecided, evaluate
from graphsurgeon.patterns.parser import dtype_named
from graphsurgeon.patterns.subject import Bound, Subject
from graphsurgeon.patterns.syntax import Expr


class MatchScope:
    """Names of one match: constants as arrays of double precision, shapes as lists, attributes as they are.

    Args:
        names: what the match binds.
        lets: names for expressions, evaluated when they are first used.
        subject: what the rule is held against.
    """

    def __init__(
        self, names: dict[str, Bound | list[Bound]], lets: Sequence[tuple[str, Expr]], subject: Subject
    ) -> None:
        self.names = names
        self.subject = subject
        self._lets = dict(lets)
        self._known: dict[str, Any] = {}

    def array(self, name: str) -> Any:
        """Return what a name is: a number, list or array; a dtype by its name."""
        if name in self._known:
            return self._known[name]
        if name in self._lets:
            self._known[name] = evaluate(self._lets[name], self)
        elif name in self.names:
            self._known[name] = self._constant(name)
        else:
            dtype = dtype_named(name)
            if dtype is None:
                raise Undecided(f"{name!r} is not bound")
            return dtype
        return self._known[name]

    def _constant(self, name: str) -> Any:
        import numpy as np

        bound = self.names[name]
        if isinstance(bound, list):
            raise Undecided(f"{name!r} is a list of values")
        array = bound.numpy()
        if array is None or array.dtype.kind not in "biufc":
            what = "is read from a variable: freeze first" if self._is_variable(bound) else "is no constant"
            raise Undecided(f"{name!r} ({bound.value}) {what}")
        if array.dtype.kind == "f":
            return array.astype(np.float64)
        return array.astype(np.int64) if array.dtype.kind in "iu" else array

    def _is_variable(self, bound: Bound) -> bool:
        return self.subject.is_weight(bound.value, bound.call)

    def field(self, name: str, field: str) -> Any:
        """Return shape, rank, dtype or size of what a name is bound to."""
        if name not in self.names or isinstance(self.names[name], list):
            import numpy as np

            array = np.asarray(self.array(name))
            return {"shape": list(array.shape), "rank": array.ndim, "size": array.size, "dtype": array.dtype}[field]
        bound = self.names[name]
        assert isinstance(bound, Bound)
        if field == "dtype":
            return self._require(bound.dtype, name, "dtype")
        dims = self._dims(bound)
        if dims is None:
            raise Undecided(f"the rank of {name!r} is not known")
        if field == "rank":
            return len(dims)
        if field == "shape":
            return dims
        if not all(isinstance(dim, int) for dim in dims):
            raise Undecided(f"the shape of {name!r} is not known")
        size = 1
        for dim in dims:
            size *= dim
        return size

    def _dims(self, bound: Bound) -> list[Any] | None:
        tensor = self.subject.constant(bound.value, bound.call)
        if tensor is not None:
            return list(tensor.shape)
        return self.subject.dims(bound.value)

    def _require(self, value: Any, name: str, what: str) -> Any:
        if value is None:
            raise Undecided(f"the {what} of {name!r} is not known")
        return value

    def attr(self, node: str, name: str) -> Any:
        """Return an attribute of a node that the match binds; its default where the node leaves it out."""
        bound = self.names[node]
        made = bound.node if isinstance(bound, Bound) else None
        if made is None:
            raise Undecided(f"{node!r} is no node")
        value = attribute(made, name, self.subject.vocabulary(made.graph))
        if value is None:
            raise Undecided(f"{made.name!r} ({made.op}) has no attribute {name!r}")
        if isinstance(value, Shape):
            return None if value.dims is None else list(value.dims)
        if isinstance(value, Tensor):
            return value.numpy()
        return value.name if isinstance(value, FunctionRef | Value) else value
