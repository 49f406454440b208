"""`gs check`: whether a model is sound, what is wrong, and what to do about it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import Jobs, Json, Models, Quiet, write_map
from graphsurgeon.cli.many import for_each
from graphsurgeon.cli.remote import model_path
from graphsurgeon.errors import UsageError
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.model import Model as ModelFile


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
    from graphsurgeon.formats import read

    model = read(path)
    with output.progress_bar("reading", quiet=quiet or as_json) as progress:
        findings = sound(model, checksums=checksums, serving=serving, progress=progress)
    if as_json:
        named = {"path": str(path)} if among else {}
        output.print_json({**named, "findings": [_to_json(finding) for finding in findings]}, compact=among)
    elif not quiet:
        if among:
            output.heading(f"{path}:")
        _print(findings, _looked_at(model, checksums=checksums))
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


def _looked_at(model: ModelFile, *, checksums: bool) -> str:
    """Say what was looked at: how much of which kind."""
    graphs = [metagraph.graph for metagraph in model.metagraphs]
    functions = [function for metagraph in model.metagraphs for function in metagraph.functions.values()]
    nodes = sum(len(graph.nodes) for graph in (*graphs, *functions))
    entries = len(model.checkpoint.variables) if model.checkpoint is not None else 0
    counts = {
        "node": nodes,
        "function": len(functions),
        "signature": sum(len(metagraph.signatures) for metagraph in model.metagraphs),
        "variable": entries,
    }
    parts = [output.plural(count, noun) for noun, count in counts.items() if count]
    read = ", values and their checksums" if checksums else ", values not read (--checksums)" if entries else ""
    return ", ".join(parts) + read
