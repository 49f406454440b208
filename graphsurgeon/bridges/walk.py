"""Two builds of one network, tensor by tensor: both are run on the same data, and every pair of tensors is compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from graphsurgeon.bridges.locate import Side, batches
from graphsurgeon.compare.entries import EntryPair, OneRun, Result
from graphsurgeon.compare.equivalence import ComparedTensor, Tolerance
from graphsurgeon.compare.real import real_of, step_of
from graphsurgeon.compare.tensors import pair_tensors
from graphsurgeon.model.graph import Value
from graphsurgeon.model.traversal import upstream
from graphsurgeon.shapes import infer_shapes

if TYPE_CHECKING:
    from typing import Any

    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]


@dataclass
class Walk:
    """Compares all tensors of a pair of entries, and keeps what it found.

    Attributes:
        before, after: the files.
        tolerance: what counts as the same.
        tags: of the MetaGraph, in both.
        stand: the folder that relative paths in the models start from.
        tensors: what was compared, in the order in which it is computed.
    """

    before: Path
    after: Path
    tolerance: Tolerance
    tags: Sequence[str] | None = None
    stand: Path | None = None
    tensors: list[ComparedTensor] = field(default_factory=list)
    always = True
    _walked: set[str | None] = field(default_factory=set)

    def __call__(self, pair: EntryPair, ours: Arrays, theirs: Arrays) -> str | None:
        """Compare the tensors of one pair; return the first that differs, None if none does.

        Raises:
            GraphSurgeonError: a model cannot be opened up, or run with its inner tensors fetched.
        """
        if pair.before.key in self._walked:  # by another loader
            return None
        self._walked.add(pair.before.key)
        first = Side.open(self.before, pair.before, ours, self.tags)
        second = Side.open(self.after, pair.after, theirs, self.tags)
        with first as one, second as other:
            one.stand = other.stand = self.stand
            found = self._compared(one, other)
        self.tensors += found
        return next((f"{item.name} ({item.op})" for item in found if not item.agrees), None)

    def _compared(self, one: Side, other: Side) -> list[ComparedTensor]:
        shapes = infer_shapes(one.graph), infer_shapes(other.graph)
        needed = upstream(one.ends)
        pairs = dict(pair_tensors(one.graph, other.graph, shapes, (needed, upstream(other.ends))))
        wanted = [value for value in pairs if value.producer in needed and _is_plain(value, shapes[0].dtype(value))]
        some = list(batches(wanted, shapes[0]))
        results = zip(
            some, one.fetch(some), other.fetch([[pairs[value] for value in batch] for batch in some]), strict=True
        )
        return [
            self._one(value, pairs[value], *both)
            for batch, ours, theirs in results
            if ours is not None and theirs is not None
            for value, *both in zip(batch, ours, theirs, strict=True)
        ]

    def _one(self, value: Value, partner: Value, ours: Result, theirs: Result) -> ComparedTensor:
        call = OneRun("session", None, {}, {})
        step = max(step_of(value), step_of(partner))
        found = self.tolerance.compare(call, None, str(value), real_of(ours, value), real_of(theirs, partner), step)
        op = value.producer.op if value.producer is not None else ""
        return ComparedTensor(
            str(value), str(partner), op, found.agrees, found.identical, found.largest, found.range, found.what
        )


def _is_plain(value: Value, dtype: Any) -> bool:
    return dtype is not None and bool(dtype.bits) and not dtype.is_ref
