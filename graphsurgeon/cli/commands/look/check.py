"""`gs check`: whether a model is sound, what is wrong, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import Jobs, Json, Models, Quiet, write_map
from graphsurgeon.cli.many import for_each
from graphsurgeon.cli.remote import model_path
from graphsurgeon.errors import UsageError
from graphsurgeon.model.finding import Finding, Severity

if TYPE_CHECKING:
    from graphsurgeon.checks.checked import Checked


def check(
    models: Models,
    checksums: Annotated[
        bool, typer.Option("--checksums", help="Compare stored weights with their checksums too; reads them all.")
    ] = False,
    serving: Annotated[
        bool, typer.Option("--serving", help="Also what TensorFlow Serving would refuse: folder, tags, signatures.")
    ] = False,
    strict: Annotated[bool, typer.Option("--strict", help="Warnings, and what is needed, count as errors.")] = False,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            "--checkpoint",
            metavar="CKPT",
            help="Say what MODEL would restore from it, and what would mend the rest.",
            parser=model_path,
        ),
    ] = None,
    rename_map: Annotated[
        Path | None,
        typer.Option("--rename-map", metavar="FILE", help="With --checkpoint: write the proposed pairs, as JSON."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing FILE.")] = False,
    jobs: Jobs = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say whether a model is sound, what is wrong with it, and what to do about it.

    Exit status 1 if there are errors. An error means that a loader refuses the model, or that part of it cannot
    be used; "needs", that it loads only where a library is installed, which is named. With several models, one after
    the other (with --json one object a line), and the worst status.

    With --checkpoint it is said what the model (a graph, a SavedModel, or a checkpoint that the program wrote) would
    restore from it, what not, and which rename mends that; exit status 1 if something would not be restored.

    Examples:
        gs check model/
        gs check model.ckpt-1000 --checksums
        gs check models/detector/1 --serving
        gs check models/*.tflite --strict --json -j 4
        gs check model.meta --checkpoint pretrained.ckpt
    """
    if checkpoint is not None:
        options = {"checkpoint": checkpoint, "rename_map": rename_map, "force": force}
        for_each(models, f"{__name__}:restore_one", {**options, "as_json": as_json, "quiet": quiet}, jobs=jobs)
        return
    if rename_map is not None:
        raise UsageError("--rename-map writes pairs for a checkpoint", hint="give --checkpoint CKPT")
    options = {"checksums": checksums, "serving": serving, "strict": strict, "as_json": as_json, "quiet": quiet}
    for_each(models, f"{__name__}:check_one", options, jobs=jobs)


def check_one(
    path: Path, *, checksums: bool, serving: bool, strict: bool, as_json: bool, quiet: bool, among: bool
) -> int:
    """Check one model. Returns the exit status."""
    from graphsurgeon.checks.check import check as sound
    from graphsurgeon.checks.checked import checked
    from graphsurgeon.formats import read

    model = read(path)
    with output.progress_bar("reading", quiet=quiet or as_json) as progress:
        findings = sound(model, checksums=checksums, serving=serving, progress=progress)
    looked_at = checked(model, checksums=checksums, serving=serving)
    if as_json:
        named = {"path": str(path)} if among else {}
        found = {"findings": [_to_json(finding) for finding in findings], "checked": output.to_json(looked_at)}
        output.print_json({**named, **found}, compact=among)
    elif not quiet:
        if among:
            output.heading(f"{path}:")
        _print(findings, _told(looked_at))
        _print_left_out(looked_at)
    counted = ("error", "needs", "warning") if strict else ("error",)
    return int(any(finding.severity in counted for finding in findings))


def restore_one(
    path: Path, *, checkpoint: Path, rename_map: Path | None, force: bool, as_json: bool, quiet: bool, among: bool
) -> int:
    """Say what one model would restore from a checkpoint. Returns the exit status."""
    from graphsurgeon.cli.text.restoring import print_restoring
    from graphsurgeon.compare.restore.restore import restoring
    from graphsurgeon.formats import read

    model, source = read(path), read(checkpoint)
    if source.checkpoint is None:
        raise UsageError("is no checkpoint, and has none", path=checkpoint)
    report = restoring(model, source.checkpoint)
    if rename_map is not None:
        if not report.proposals:
            raise UsageError("nothing is proposed that could be written", path=rename_map)
        write_map(report.proposals[0].pairs, rename_map, sources=[path, checkpoint], force=force)
    if as_json:
        output.print_json({"path": str(path), **output.to_json(report)}, compact=among)
    elif not quiet:
        if among:
            output.heading(f"{path}:")
        is_part = source.traits.layout == "folder" or source.checkpoint.version == 1
        named = Path(source.checkpoint.prefix) if source.metagraphs and not is_part else checkpoint
        print_restoring(report, path, named, rename_map, is_converted_first=is_part)
    return int(not report.is_complete)


def _to_json(finding: Finding) -> dict[str, str]:
    return {name: getattr(finding, name) for name in ("severity", "where", "what", "hint", "rule")}


def _print(findings: Sequence[Finding], looked_at: str) -> None:
    for finding in findings:
        hint = (output.mark(f"; {finding.hint}", "faint"),) if finding.hint else ()
        style = "error" if finding.severity == "error" else "note" if finding.severity == "note" else "warning"
        where = output.mark(finding.where, "strong")
        output.line(output.mark(f"{finding.severity}: ", style), where, f": {finding.what}", *hint)
    counts = Counter(finding.severity for finding in findings)
    nouns: dict[Severity, str] = {"error": "error", "needs": "missing package", "warning": "warning", "note": "note"}
    parts = [output.plural(counts[severity], noun) for severity, noun in nouns.items() if counts[severity]]
    style = "error" if counts["error"] else "warning" if counts["needs"] or counts["warning"] else "done"
    verdict = ", ".join(parts) or "sound: nothing found"
    output.line(output.mark(verdict, style), f" in {looked_at}" if looked_at else "")


def _told(looked_at: Checked) -> str:
    """Say what was looked at: how much of which kind."""
    counts = {
        "node": looked_at.nodes,
        "function": looked_at.functions,
        "signature": looked_at.signatures,
        "variable": looked_at.variables,
        "constant": looked_at.constants,
        "asset": looked_at.assets,
    }
    parts = [output.plural(count, noun) for noun, count in counts.items() if count]
    if "checksums" in looked_at.left_out:
        parts.append("values not read (--checksums)")
    elif looked_at.checksums:
        parts.append("values and their checksums")
    return ", ".join(parts)


_LEFT_OUT = {
    "ops": "what its ops mean",
    "serving": "what TensorFlow Serving asks (--serving)",
    "loaders": "whether a loader runs it (gs run)",
}


def _print_left_out(looked_at: Checked) -> None:
    told = [text for name, text in _LEFT_OUT.items() if name in looked_at.left_out]
    output.line(output.mark(f"not checked: {', '.join(told)}", "faint"))
