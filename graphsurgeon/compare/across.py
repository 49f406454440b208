"""Models of different frameworks: which inputs and outputs correspond, and in which layout and types.

Names come first: keys of signatures, tensors, and nodes, without what exporters put around them. What is left over is
paired where only one of the others has its shape, and then in the order in which both models list it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.compare.entries import Entry, EntryPair, Result, RunOutcome, Skipped
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Value
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape

_DEFAULT = "serving_default"
_AROUND = re.compile(r"^(serving_default_)?(.*?)(:0)?$", re.DOTALL)  # what exporters put around an input's name
_KINDS = {"float": "f", "bfloat": "f", "int": "i", "uint": "i", "bool": "b", "string": "s", "complex": "c"}


def pair_across(ours: Sequence[Entry], theirs: Sequence[Entry]) -> tuple[list[EntryPair], Skipped]:
    """Pair entries of models of different frameworks; what cannot be paired comes with the reason."""
    pairs: list[EntryPair] = []
    skipped: Skipped = []
    partners = _partners(ours, theirs)
    for entry, partner in partners:
        name = entry.key or partner.key or "the graph"
        problem = entry.problem or partner.problem
        pair = None if problem else _pair(entry, partner)
        if pair is None:
            skipped.append((name, problem or "no output is in both models"))
            continue
        unfed = [key for key, item in partner.inputs.items() if key not in pair.inputs.values() and not item.optional]
        if unfed:
            skipped.append((name, f"the first model has nothing for the input {unfed[0]!r} of the second"))
            continue
        skipped += [
            (f"{name}, {key}", "the second model has no such output")
            for key in entry.outputs
            if key not in pair.outputs
        ]
        pairs.append(pair)
    told = {entry.key for entry, _ in partners}
    skipped += [(str(entry.key), "only one of the models has it") for entry in ours if entry.key not in told]
    return pairs, skipped


def laid_out(shape: Shape, *, back: Sequence[int] | None) -> Shape:
    """Return the shape that data had before their axes were put into an order; the same one without."""
    if back is None or shape.dims is None:
        return shape
    dims = dict(zip(back, shape.dims, strict=True))
    return Shape([dims[axis] for axis in range(len(back))])


def layout_notes(layouts: Mapping[str, Sequence[int]]) -> list[str]:
    """Return what is told of inputs that the second model gets with other axes."""
    return [f"input {key!r}: the second model gets it with the axes {_listed(axes)}" for key, axes in layouts.items()]


def in_the_same_words(
    ours: RunOutcome, theirs: RunOutcome, agree: Callable[[Result, Result], bool]
) -> tuple[RunOutcome, list[str]]:
    """Return the results of the second model in the types and layouts of the first, where that makes them agree.

    Args:
        ours, theirs: results by the same names.
        agree: says whether two results do.
    """
    results = dict(theirs.results)
    notes = []
    for name, result in results.items():
        mine = ours.results.get(name)
        if mine is None:
            continue
        results[name] = widened = _as_wide(result, mine)
        if widened.dtype != result.dtype:
            notes.append(f"output {name!r} is {mine.dtype} in the first model and {result.dtype} in the second")
        if agree(mine, widened):
            continue
        for axes in _orders(mine.array.ndim):
            turned = Result(widened.dtype, widened.array.transpose(axes))
            if turned.array.shape == mine.array.shape and agree(mine, turned):
                results[name] = turned
                notes.append(f"output {name!r}: the first model has the axes {_listed(axes)} of the second")
                break
    return replace(theirs, results=results), notes


def _as_wide(result: Result, like: Result) -> Result:
    """Return a result in the type of another that holds the same kind of numbers."""
    if result.dtype == like.dtype or _kind(result.dtype) != _kind(like.dtype) or result.array.dtype.kind == "O":
        return result
    return Result(like.dtype, result.array.astype(like.array.dtype))


def _partners(ours: Sequence[Entry], theirs: Sequence[Entry]) -> list[tuple[Entry, Entry]]:
    """Return which entries to compare: of one key; else the only one of a model with the likest of the other."""
    by_key = {entry.key: entry for entry in theirs}
    found = [(entry, by_key[entry.key]) for entry in ours if entry.key in by_key]
    if found:
        return found
    if len(theirs) == 1:
        return [(max(ours, key=lambda entry: _likeness(entry, theirs[0])), theirs[0])]
    if len(ours) == 1:
        return [(ours[0], max(theirs, key=lambda entry: _likeness(ours[0], entry)))]
    return []


def _likeness(entry: Entry, other: Entry) -> tuple[int, bool]:
    alike = _by_names(_items(entry.outputs), _items(other.outputs))
    return len(alike), _DEFAULT in (entry.key, other.key)


@dataclass(frozen=True)
class _Item:
    """An input or output.

    Attributes:
        names: that it is known by.
        dtype: None if unknown.
        shape: as far as it is known.
    """

    names: frozenset[str]
    dtype: DType | None
    shape: Shape


def _pair(entry: Entry, partner: Entry) -> EntryPair | None:
    ins, outs = _items(entry.inputs), _items(partner.inputs)
    inputs, by_place = _matched(ins, outs)
    outputs, guessed = _matched(_items(entry.outputs), _items(partner.outputs))
    if not outputs:
        return None
    fitting = {key: _layouts(ins[key].shape, outs[other].shape) for key, other in inputs.items()}
    layouts = {key: axes[0] for key, axes in fitting.items() if axes and axes[0] != tuple(range(len(axes[0])))}
    notes = [f"{what} {key!r} of the first model is {other!r} of the second: by shape and order"
             for what, found in (("input", by_place), ("output", guessed)) for key, other in found.items()]  # fmt: skip
    notes += layout_notes(layouts)
    more = max((len(axes) for axes in fitting.values()), default=0)
    others = [{key: axes[place] for key, axes in fitting.items() if place < len(axes)} for place in range(1, more)]
    return EntryPair(entry, partner, inputs, outputs, layouts, True, tuple(notes), tuple(others))


def _items(items: Mapping[str, Any]) -> dict[str, _Item]:
    found = {}
    for key, item in items.items():
        value: Value = item if isinstance(item, Value) else item.value
        dtype = dtype_of(value) if isinstance(item, Value) else item.dtype
        shape = (value.shape if isinstance(item, Value) else item.shape) or UNKNOWN_RANK
        producer = value.producer.name if value.producer is not None else ""
        names = {_bare(name) for name in (key, str(value), producer) if name}
        found[key] = _Item(frozenset(names), dtype, shape)
    return found


def _matched(ours: Mapping[str, _Item], theirs: Mapping[str, _Item]) -> tuple[dict[str, str], dict[str, str]]:
    """Return name -> name, and those of them that shape or order alone has paired."""
    found = _by_names(ours, theirs)
    guessed: dict[str, str] = {}
    left = [name for name in ours if name not in found]
    others = [name for name in theirs if name not in found.values()]
    for name in list(left):
        alike = [other for other in others if _fits(ours[name], theirs[other])]
        back = [each for each in left if alike and _fits(ours[each], theirs[alike[0]])]
        if len(alike) == len(back) == 1:
            guessed[name] = alike[0]
            left.remove(name)
            others.remove(alike[0])
    if len(left) == len(others) and all(_fits(ours[a], theirs[b]) for a, b in zip(left, others, strict=True)):
        guessed.update(zip(left, others, strict=True))
    return {name: {**found, **guessed}[name] for name in ours if name in {**found, **guessed}}, guessed


def _by_names(ours: Mapping[str, _Item], theirs: Mapping[str, _Item]) -> dict[str, str]:
    found = {name: name for name in ours if name in theirs}
    for name, item in ours.items():
        alike = [key for key, other in theirs.items() if item.names & other.names and key not in found.values()]
        if name not in found and len(alike) == 1:
            found[name] = alike[0]
    return found


def _bare(name: str) -> str:
    match = _AROUND.match(name)
    return match[2] if match is not None and match[2] else name


def _fits(one: _Item, other: _Item) -> bool:
    if one.dtype is not None and other.dtype is not None and _kind(one.dtype.name) != _kind(other.dtype.name):
        return False
    return one.shape.is_compatible_with(other.shape) or bool(_layouts(one.shape, other.shape))


def _layouts(one: Shape, other: Shape) -> list[tuple[int, ...]]:
    """Return the axes of the first in the order of the second, likeliest first: where most sizes are the same."""
    if one.dims is None or other.dims is None or len(one.dims) != len(other.dims):
        return []
    dims, theirs = one.dims, other.dims
    orders = [tuple(range(len(dims))), *_orders(len(dims))]
    fitting = [axes for axes in orders if Shape([dims[axis] for axis in axes]).is_compatible_with(other)]
    return sorted(fitting, key=lambda axes: -sum(dims[a] == b for a, b in zip(axes, theirs, strict=True)))


def _orders(rank: int) -> list[tuple[int, ...]]:
    """Return channels put last, and put first, behind the batch."""
    if rank < 3:
        return []
    inner = tuple(range(2, rank))
    return list(dict.fromkeys([(0, *inner, 1), (0, rank - 1, *range(1, rank - 1))]))


def _listed(axes: Iterable[int]) -> str:
    return f"({', '.join(map(str, axes))})"


def _kind(name: str) -> str:
    return next((kind for prefix, kind in _KINDS.items() if name.startswith(prefix)), name)
