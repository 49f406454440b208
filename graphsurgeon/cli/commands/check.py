"""`gs check`: whether a model is sound, what is wrong, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import Json, Model, Quiet
from graphsurgeon.model.finding import Finding


def check(
    model: Model,
    checksums: Annotated[
        bool, typer.Option("--checksums", help="Compare stored weights with their checksums too; reads them all.")
    ] = False,
    serving: Annotated[
        bool, typer.Option("--serving", help="Also what TensorFlow Serving would refuse: folder, tags, signatures.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as errors.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say whether a model is sound, what is wrong with it, and what to do about it.

    Exit status 1 if there are errors. An error means that a loader refuses the model, or that part of it cannot
    be used.

    Examples:
        gs check model/
        gs check model.ckpt-1000 --checksums
        gs check models/detector/1 --serving
        gs check model.tflite --strict --json
    """
    from graphsurgeon.checks.check import check as sound
    from graphsurgeon.formats import read

    file = read(model)
    with output.progress_bar("reading", quiet=quiet or as_json) as progress:
        findings = sound(file, checksums=checksums, serving=serving, progress=progress)
    if as_json:
        output.print_json({"findings": [_to_json(finding) for finding in findings]})
    elif not quiet:
        _print(findings)
    counted = ("error", "warning") if strict else ("error",)
    if any(finding.severity in counted for finding in findings):
        raise typer.Exit(1)


def _to_json(finding: Finding) -> dict[str, str]:
    return {name: getattr(finding, name) for name in ("severity", "where", "what", "hint", "rule")}


def _print(findings: Sequence[Finding]) -> None:
    for finding in findings:
        hint = f"; {finding.hint}" if finding.hint else ""
        output.line(f"{finding.severity}: {finding.where}: {finding.what}{hint}")
    counts = Counter(finding.severity for finding in findings)
    parts = [output.plural(counts[severity], severity) for severity in ("error", "warning", "note") if counts[severity]]
    output.line(", ".join(parts) or "sound: nothing found")
