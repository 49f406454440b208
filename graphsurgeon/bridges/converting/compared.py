"""Whether a conversion computes what its source does: both are run on the same seeded data, at two batch sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from graphsurgeon.bridges.converting.prepare import Prepared
from graphsurgeon.bridges.converting.request import Request
from graphsurgeon.bridges.verify import verify
from graphsurgeon.compare.equivalence import ComparedOutput, EquivalenceReport
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model.shape import Shape

BATCHES = (2, 1)  # of inputs whose batch is free


@dataclass(frozen=True)
class ConversionVerdict:
    """What comparing gave.

    Attributes:
        outputs: everything that was compared.
        problem: why the result is no good; empty if it is.
        is_verified: it ran, and all numbers agree.
        notes: what the user should know.
    """

    outputs: Sequence[ComparedOutput] = ()
    problem: str = ""
    is_verified: bool = False
    notes: Sequence[str] = ()


def compare_with_source(request: Request, prepared: Prepared, result: Path) -> ConversionVerdict:
    """Run the source and what was made of it, and compare.

    Where the two cannot be paired (tensors that have no key), the prepared model stands between them: it is compared
    with both.
    """
    found = _run(request, prepared, result)
    wrong = next((output for output in found.outputs if not output.agrees), None)
    if wrong is not None:
        return ConversionVerdict(found.outputs, _different(wrong, prepared))
    if not found.outputs:
        return ConversionVerdict(problem=f"it could not be compared with the source: {found.why}")
    return ConversionVerdict(found.outputs, is_verified=True, notes=found.notes)


@dataclass(frozen=True)
class _Run:
    outputs: Sequence[ComparedOutput]
    why: str = ""
    notes: Sequence[str] = ()


def _run(request: Request, prepared: Prepared, result: Path) -> _Run:
    direct = _verify(request, prepared, request.path, result)
    keys = prepared.entry.outputs.keys()
    if {output.name for output in direct.outputs} >= keys:
        return direct
    first = _verify(request, prepared, request.path, prepared.path)
    second = _verify(request, prepared, prepared.path, result)
    if first.outputs and {output.name for output in second.outputs} >= keys:
        return _Run([*first.outputs, *second.outputs], notes=second.notes)
    return _Run((), first.why or second.why or direct.why or "its outputs are not found in the result")


def _verify(request: Request, prepared: Prepared, before: Path, after: Path) -> _Run:
    is_source = before == request.path
    shapes = [
        {name: Shape([size, *(item.shape.dims or ())[1:]]) for name, item in prepared.free.items()} for size in BATCHES
    ]
    try:
        report = verify(
            before,
            after,
            assume=shapes[0],
            also=shapes[1:] if prepared.free else (),
            seed=request.seed,
            tags=request.tags if is_source else None,
            with_place=False,
            checkpoint=request.checkpoint if is_source else None,
            decided=request.set_values if is_source else None,
            allowed=request.allowed,
        )
    except GraphSurgeonError as error:
        return _Run((), error.message)
    return _Run(report.outputs, _skipped(report), report.notes)


def _skipped(report: EquivalenceReport) -> str:
    return next((f"{name}: {why}" for name, why in report.skipped), "")


def _different(output: ComparedOutput, prepared: Prepared) -> str:
    """Name an output that differs, and the node that it comes from."""
    value = prepared.entry.outputs.get(output.name)
    producer = value.producer if value is not None else None
    while producer is not None and producer.op == "Identity" and producer.inputs[0].producer is not None:
        producer = producer.inputs[0].producer
    place = f" ({producer.op} {producer.name})" if producer is not None else ""
    apart = f"differs by up to {output.largest:.2g}" if output.largest is not None else "differs"
    what = f"is other: {output.what}" if output.what else apart
    return f"output {output.name}{place} {what}"
