"""What quantizing costs: size and error of a TFLite model beside the float one that was made of the same source."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphsurgeon.bridges.runner import run_calls
from graphsurgeon.compare.entries import Entry, OneRun, Result, RunOutcome, entries
from graphsurgeon.compare.inputs import random_input
from graphsurgeon.compare.pairs import make_call
from graphsurgeon.compare.real import real_of, stored_of
from graphsurgeon.errors import plural
from graphsurgeon.formats import read
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.model import Model

if TYPE_CHECKING:
    from typing import Any

_ENDS = ("QUANTIZE", "DEQUANTIZE")


@dataclass(frozen=True)
class OutputError:
    """How far an output is from that of the float model.

    Attributes:
        name: its key.
        largest: error of a number.
        range: of the float model's numbers, from the least to the largest.
    """

    name: str
    largest: float
    range: float


@dataclass(frozen=True)
class Measured:
    """A quantized model beside the float one.

    Attributes:
        float_bytes, bytes: of the files.
        outputs: errors on seeded data; none where nothing was run.
        problem: why the quantized model is no good; empty if it is.
        notes: what the user should know.
    """

    float_bytes: int
    bytes: int
    outputs: tuple[OutputError, ...] = ()
    problem: str = ""
    notes: tuple[str, ...] = ()


def measure(plain: Path, quantized: Path, *, seed: int, runs: bool) -> Measured:
    """Run both models on the same data, of a batch of one, and compare real numbers: integers stand for them.

    Args:
        plain, quantized: the files.
        seed: of the data.
        runs: whether they are run at all.
    """
    sizes = plain.stat().st_size, quantized.stat().st_size
    model = read(quantized)
    notes = _still_float(model)
    if not runs:
        return Measured(*sizes, notes=notes)
    first, second = (_entry(read(plain)), _entry(model))
    data = {name: random_input(item, seed=seed) for name, item in first.inputs.items()}
    stored = {name: stored_of(array, second.inputs[name].value) for name, array in data.items()}
    ours, theirs = _run(plain, first, data), _run(quantized, second, stored)
    failed = theirs.error or ours.error
    if failed:
        return Measured(*sizes, problem=f"the quantized model does not run: {failed}", notes=notes)
    errors = [_error(name, ours.results[name].array, theirs.results[name].array, second) for name in first.outputs]
    wrong = next((name for name, error in zip(first.outputs, errors, strict=True) if error is None), None)
    if wrong is not None:
        return Measured(*sizes, problem=f"output {wrong} of the quantized model has another shape, or no numbers")
    return Measured(*sizes, tuple(error for error in errors if error is not None), notes=notes)


def _entry(model: Model) -> Entry:
    return entries(model, model.metagraphs[0])[0]


def _run(path: Path, entry: Entry, data: Mapping[str, Any]) -> RunOutcome:
    call: OneRun = make_call("interpreter", entry, data, {name: name for name in entry.outputs})
    (outcome,) = run_calls(path, [call])
    return outcome


def _error(name: str, before: Any, after: Any, entry: Entry) -> OutputError | None:
    """Return the largest error of an output; None where there is none to tell."""
    import numpy as np

    if before.dtype.kind == "f":
        after = real_of(Result(after.dtype.name, after), entry.outputs[name]).array
    if before.shape != after.shape or before.dtype.kind not in "fiub" or not np.isfinite(after.astype("f8")).all():
        return None
    gaps = np.abs(before.astype("f8") - after.astype("f8"))
    spread = float(np.ptp(before.astype("f8"))) if before.size else 0.0
    return OutputError(name, float(gaps.max()) if gaps.size else 0.0, spread)


def _still_float(model: Model) -> tuple[str, ...]:
    """Say which operators compute with floats among those of integers."""
    nodes = [node for graph in model.graphs for node in graph.nodes]
    inside = [node for node in nodes if node.op not in _ENDS]
    floats = [node for node in inside if any(value.dtype is FLOAT32 for value in node.outputs)]
    if not floats or len(floats) == len(inside):
        return ()
    ops = ", ".join(sorted({node.op for node in floats}))
    return (f"{plural(len(floats), 'operator')} of {len(inside):,} still compute with floats: {ops}",)
