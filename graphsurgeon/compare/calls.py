"""Data for both of a pair of entries, and the calls that they go into."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from graphsurgeon.compare.across import laid_out, layout_notes
from graphsurgeon.compare.entries import EntryPair, Input, OneRun, RunOutcome, loaders_of
from graphsurgeon.compare.inputs import MODEST, OpenSizes, assumed, concrete, numpy_type, random_input
from graphsurgeon.compare.pairs import make_call
from graphsurgeon.compare.parts import random_parts
from graphsurgeon.compare.real import real_outcome, stands_for_real, stored_of
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape

if TYPE_CHECKING:
    import numpy as np

    Arrays = Mapping[str, np.ndarray[Any, Any]]
    Maker = Callable[[Input], Any]

_FEW = 3  # inputs whose shapes a message names


@dataclass(frozen=True)
class Given:
    """What is said of the data of all calls.

    Attributes:
        makers: input of the first entry -> makes its data; the others get random data.
        shapes: input -> shape of its random data, which `seed` makes.
        dequantize: give both the same real numbers, where integers stand for them.
        sides: sizes of what no shape says.
    """

    makers: Mapping[str, Maker]
    shapes: Mapping[str, Shape]
    seed: int
    dequantize: bool
    sides: OpenSizes = MODEST


@dataclass(frozen=True)
class PreparedPair:
    """A pair of entries with data for both."""

    pair: EntryPair
    given: Given
    first_feeds: Arrays
    second_feeds: Arrays
    notes: list[str]

    @staticmethod
    def of(pair: EntryPair, given: Given) -> PreparedPair:
        """Make the data."""
        made = _Data(pair, given)
        for key in pair.before.inputs:
            made.make(key)
        return PreparedPair(pair, given, made.first, made.second, made.notes)

    @property
    def shaped(self) -> str:
        """What it is fed, where there is little of it."""
        shapes = [f"{name}={Shape(array.shape)}" for name, array in self.first_feeds.items()]
        return f" with {', '.join(shapes)}" if 0 < len(shapes) <= _FEW else ""

    @property
    def is_guessed(self) -> bool:
        """Whether the sizes of what it is fed stand in no shape."""
        inputs = [item for key, item in self.pair.before.inputs.items() if key not in self.given.shapes]
        return any(item.shape.dims is None or None in item.shape.dims for item in inputs)

    @property
    def name(self) -> str:
        """What was called."""
        return self.pair.before.key or self.pair.after.key or "the graph"

    def with_sides(self, sides: OpenSizes) -> PreparedPair | None:
        """Return the same with data of other sizes, where no shape says them; None if they are what they were."""
        other = PreparedPair.of(self.pair, replace(self.given, sides=sides))
        same = {key: array.shape for key, array in self.first_feeds.items()}
        return other if {key: array.shape for key, array in other.first_feeds.items()} != same else None

    def with_layouts(self) -> Iterable[PreparedPair]:
        """Yield the same with inputs in another layout, where shapes alone do not tell which one is meant."""
        for layouts in self.pair.other_layouts:
            notes = (*self.pair.notes, *layout_notes(layouts))
            other = replace(self.pair, layouts={**self.pair.layouts, **layouts}, notes=notes)
            yield PreparedPair.of(other, self.given)

    def jobs(
        self, models: tuple[Model, Model], metagraphs: tuple[MetaGraph, MetaGraph], runtimes: Sequence[str]
    ) -> Iterable[Job]:
        """Yield the calls to compare, one pair for each loader that can run both."""
        pair = self.pair
        ours, others = (
            loaders_of(model, metagraph, entry, runtime)
            for model, metagraph, entry, runtime in zip(
                models, metagraphs, (pair.before, pair.after), runtimes, strict=True
            )
        )
        shared = [(loader, loader) for loader in ours if loader in others] or [(loader, others[0]) for loader in ours]
        for loader, other in shared:
            yield Job(
                self,
                make_call(loader, pair.before, self.first_feeds, {name: name for name in pair.outputs}),
                make_call(other, pair.after, self.second_feeds, pair.outputs),
            )


class _Data:
    """Makes the data of a pair, input by input; those that come later may be another name of what has some."""

    def __init__(self, pair: EntryPair, given: Given) -> None:
        self.pair, self.given = pair, given
        before = pair.before.inputs
        self.shapes = assumed(before, {name: shape for name, shape in given.shapes.items() if name in before})
        self.first: dict[str, Any] = {}
        self.second: dict[str, Any] = {}
        self.notes = list(pair.notes)
        known, batch = {*given.makers, *self.shapes}, _batch(given.shapes)
        self.parts = random_parts(before, seed=given.seed, given=known, batch=batch)

    def make(self, key: str) -> None:
        own, dequantize = self.pair.before.inputs[key], self.given.dequantize
        is_real = dequantize and stands_for_real(own.value)
        entry = replace(own, dtype=FLOAT32) if is_real else own
        partner = self.pair.after.inputs.get(self.pair.inputs.get(key, ""))
        array = self._array(key, entry, partner)
        if array is None:
            return
        if partner is not None:
            turned = array.transpose(self.pair.layouts.get(key, tuple(range(array.ndim))))
            is_stored = dequantize and stands_for_real(partner.value) and turned.dtype.kind == "f"
            self.second[partner.name] = stored_of(turned, partner.value) if is_stored else _cast(turned, partner)
        self.first[key] = stored_of(array, own.value) if is_real else array

    def _array(self, key: str, entry: Input, partner: Input | None) -> Any:
        """Return what the first model is fed; None for nothing."""
        makers = self.given.makers
        is_left_out = entry.optional and key not in makers and (partner is None or partner.optional)
        if is_left_out and entry.default is None:
            return None
        if key in makers:
            return makers[key](entry)
        if is_left_out and entry.default is not None:
            return entry.default.numpy()
        if partner is None and (twin := _twin(key, entry, self.pair, self.first)) is not None:
            return self.first[twin]
        if key in self.parts and partner is not None:
            return self.parts[key]
        theirs = partner.shape if partner is not None else entry.shape
        known = _both(self.shapes.get(key) or entry.shape, laid_out(theirs, back=self.pair.layouts.get(key)))
        array = random_input(entry, seed=self.given.seed, shape=Shape(concrete(known, self.given.sides)))
        if partner is None:
            self.notes.append(f"the second model has no input {key!r}; the first is fed zeros (--feed {key}=...)")
            return array * 0 if array.dtype.kind != "O" else array
        return array


@dataclass(frozen=True)
class Job:
    """One call of each model."""

    item: PreparedPair
    first: OneRun
    second: OneRun

    def answered(self, one: RunOutcome, other: RunOutcome) -> Answered:
        """Return it with what both models gave, as real numbers if that is asked for."""
        if not self.item.given.dequantize:
            return Answered(self, one, other)
        before, after = self.item.pair.before.outputs, self.item.pair.after.outputs
        theirs = {name: after[partner] for name, partner in self.item.pair.outputs.items()}
        return Answered(self, real_outcome(one, before), real_outcome(other, theirs))


@dataclass(frozen=True)
class Answered:
    """One call of each model, with what it gave."""

    job: Job
    ours: RunOutcome
    theirs: RunOutcome

    @property
    def says_something(self) -> bool:
        """Say whether both ran, and something came out."""
        if self.ours.error or self.theirs.error:
            return False
        return not self.ours.results or any(result.array.size for result in self.ours.results.values())


def _twin(key: str, own: Input, pair: EntryPair, known: Mapping[str, Any]) -> str | None:
    """Return an input that has data and is the same tensor, under another key of its signature."""
    inputs = pair.before.inputs
    return next((other for other in known if other != key and inputs[other].value is own.value), None)


def _batch(shapes: Mapping[str, Shape]) -> int | None:
    """Return the first dimension of the shapes that were asked for, None if there is none."""
    return next((shape.dims[0] for shape in shapes.values() if shape.dims), None)


def _both(one: Shape, other: Shape) -> Shape:
    """Return what both shapes say."""
    if one.dims is None or other.dims is None or len(one.dims) != len(other.dims):
        return one if one.dims is not None else other
    return Shape([b if a is None else a for a, b in zip(one.dims, other.dims, strict=True)])


def _cast(array: Any, entry: Input) -> Any:
    dtype = numpy_type(entry)
    return array if array.dtype.kind == "O" or array.dtype == dtype else array.astype(dtype)
