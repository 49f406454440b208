"""How a run and a comparison of runs look to a person."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from pathlib import Path

from graphsurgeon.bridges.run import ArraySummary, RunReport
from graphsurgeon.cli import output
from graphsurgeon.compare.equivalence import ComparedOutput, ComparedTensor, EquivalenceReport

LOADERS = {
    "object": "tf.saved_model.load", "session": "a TensorFlow session", "interpreter": "LiteRT",
    "onnxruntime": "onnxruntime", "openvino": "OpenVINO", "keras": "Keras",
}  # fmt: skip


def print_run(report: RunReport, save: Path | None = None) -> None:
    """Print what went in and what came out, in short."""
    what = f"signature {report.signature}" if report.signature is not None else "graph"
    output.heading(f"{what}, run by {LOADERS[report.loader]}")
    ends = [*(("input", array) for array in report.inputs), *(("output", array) for array in report.outputs)]
    if sys.stdout.isatty():
        output.table([row for side, array in ends for row in _drawn(side, array)], indent=2)
    else:
        output.table([(side, *_row(array)) for side, array in ends], indent=2)
    if save is not None:
        output.line(output.mark("wrote", "done"), " ", output.mark(save, "strong"))


def _drawn(side: str, array: ArraySummary) -> list[tuple[object, ...]]:
    """Return an array as rows for a person: what its numbers are like, below it the first of them."""
    *told, values, spread = _row(array)
    first = (side, output.mark(told[0], "strong"), *told[1:], spread or values)
    return [first, ("", "", "", "", output.mark(values, "faint"))] if spread else [first]


def _row(array: ArraySummary) -> tuple[str, str, str, str, str]:
    shown = ", ".join(_value(item) for item in array.values)
    total = array.shape.num_elements or 0
    more = ", ..." if total > len(array.values) else ""
    spread = ""
    if array.minimum is not None and array.maximum is not None and total > 1:
        spread = f"{_value(array.minimum)} to {_value(array.maximum)}"
        spread += f", mean {_value(array.mean)}" if array.mean is not None else ""
    if array.not_finite:
        spread = f"{spread}{', ' if spread else ''}{array.not_finite:,} not finite"
    return (array.name, array.dtype, str(array.shape), f"[{shown}{more}]", spread)


def _value(item: object) -> str:
    if isinstance(item, float):
        return f"{item:.6g}"
    return repr(item.decode("utf-8", "backslashreplace")[:40]) if isinstance(item, bytes) else str(item)


def print_equivalence(report: EquivalenceReport) -> None:
    """Print what was compared, output by output, and the verdict."""
    judged = report.atol != math.inf
    output.table([compared_row(item, judged=judged) for item in report.outputs], indent=2)
    _print_tensors(report)
    for name, why in report.skipped:
        output.line(output.mark("not compared: ", "warning"), output.name(name), f": {why}")
    for note in report.notes:
        output.line(output.mark("note: ", "note"), note)
    if report.first is not None:
        output.line("the first tensor that differs: ", output.name(report.first))
    same = not judged or (bool(report.outputs) and all(item.agrees for item in report.outputs))
    told = _verdict(report.outputs) if judged else _changes(report.outputs)
    output.line(output.mark(told, "done" if same else "error"))


def compared_row(item: ComparedOutput, *, judged: bool = True) -> tuple[object, object, object, object]:
    """Return the row of a table that tells of one compared output; unless it is judged, by how much it differs."""
    if item.what:
        text = item.what
    elif item.range is not None and item.largest is not None:
        text = _error(item.largest, item.mean or 0.0, item.range, item.step, item.steps) + (
            "" if item.agrees else ": too much"
        )
    elif item.identical:
        text = "the same to the bit"
    elif item.agrees and not judged:
        text = f"differs by up to {item.largest:.3g}" if item.largest is not None else "differs"
    elif item.agrees:
        text = f"within the tolerance, by at most {item.largest:.3g}" if item.largest is not None else "the same"
    else:
        amount = f", by up to {item.largest:.3g}" if item.largest is not None else ""
        text = f"{item.different:,} of {item.elements:,} differ{amount}"
    style = "error" if judged and not item.agrees else ""
    return (item.signature or "", output.mark(item.name, "strong"), item.loader, output.mark(text, style))


def _print_tensors(report: EquivalenceReport) -> None:
    """Print the walk along the tensors that both models have, as far as it says something."""
    if not report.tensors:
        return
    output.heading(f"tensors inside, in the order in which they are computed: {len(report.tensors):,}", apart=True)
    rows = [
        (item.name, item.op, _inside(item), item.other if item.other != item.name else "") for item in report.tensors
    ]
    output.table(rows, indent=2)


def _inside(item: ComparedTensor) -> str:
    if item.identical:
        return "the same to the bit"
    if item.what or item.largest is None:
        return item.what or ("the same" if item.agrees else "differs")
    share = f" ({100 * item.largest / item.range:.2g}% of its range)" if item.range else ""
    return f"off by at most {item.largest:.3g}{share}{'' if item.agrees else ': too much'}"


def _error(largest: float, mean: float, range: float, step: float | None, allowed: float | None) -> str:
    """Tell how far real numbers are off that one of two models quantizes."""
    shares = [f"{100 * largest / range:.2g}% of its range"] if range else []
    if step and allowed:
        shares.append(f"{largest / step:.2g} steps of 8 bits, {allowed:g} are allowed")
    told = f" ({', '.join(shares)})" if shares else ""
    return f"off by at most {largest:.3g}{told}, {mean:.3g} in the mean"


def _changes(outputs: Sequence[ComparedOutput]) -> str:
    """Tell what an edit did that is meant to change numbers."""
    if not all(item.agrees for item in outputs):
        return _verdict(outputs)
    changed = sum(not item.identical for item in outputs)
    return f"both run: {changed} of {output.plural(len(outputs), 'output')} changed, as this edit is meant to do"


def _verdict(outputs: Sequence[ComparedOutput]) -> str:
    if not outputs:
        return "nothing could be compared"
    wrong = sum(not item.agrees and item.is_run for item in outputs)
    unknown = sum(not item.is_run for item in outputs)
    told = [f"differ{'s' if wrong == 1 else ''}", "could not be compared"]
    found = [f"{count:,} of {output.plural(len(outputs), 'output')} {what}"
             for count, what in zip((wrong, unknown), told, strict=True) if count]  # fmt: skip
    if found:
        return ", ".join(found)
    if any(item.range is not None for item in outputs):
        return f"close: {output.plural(len(outputs), 'output')}, by the steps of integers"
    exact = all(item.identical for item in outputs)
    return f"the same: {output.plural(len(outputs), 'output')}{', to the bit' if exact else ''}"
