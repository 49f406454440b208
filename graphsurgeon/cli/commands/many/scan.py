"""`gs scan`: what models could do to the machine that loads or runs them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import Jobs, Json, Models, Quiet
from graphsurgeon.errors import GraphSurgeonError, UsageError

if TYPE_CHECKING:
    from graphsurgeon.scanning.finding import Severity
    from graphsurgeon.scanning.scan import ScanReport

_NEVER = "never"


def scan(
    models: Models,
    fail_on: Annotated[
        str,
        typer.Option("--fail-on", metavar="SEVERITY", help="Exit status 1 from here on: critical ... info; never."),
    ] = "high",
    allow: Annotated[
        list[str] | None,
        typer.Option("--allow", metavar="OP[:PATH]", help="What is wanted; PATH may be a glob."),
    ] = None,
    allow_from: Annotated[
        Path | None,
        typer.Option("--allow-from", metavar="FILE", help="A file of these, one a line; # is a comment."),
    ] = None,
    sarif: Annotated[
        Path | None,
        typer.Option("--sarif", metavar="FILE", help="Write findings as SARIF 2.1.0 too; - for stdout."),
    ] = None,
    base: Annotated[
        Path | None, typer.Option("--base", metavar="FOLDER", help="SARIF: paths are relative to this folder.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Show what is harmless, too.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing SARIF file.")] = False,
    jobs: Jobs = 1,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Say what models could do to the machine: files, network, processes, code. Nothing is run.

    critical: when the model is loaded; high: when it is called; medium: nothing known does it, or it could not be
    looked into; info: harmless. Exit status 1 from --fail-on on, 3 if a file cannot be read. A folder that is no model
    itself stands for all models below it.

    Examples:
        gs scan model/
        gs scan downloads/
        gs scan *.tflite --fail-on medium
        gs scan model/ --allow ReadFile:/etc/vocab.txt
        gs scan models/* --sarif findings.sarif
    """
    bound = _severity(fail_on)
    wanted = [*(allow or ()), *_allowed_in(allow_from)]
    models = [found for path in models for found in _models_at(path)]
    reports: list[tuple[Path, ScanReport | GraphSurgeonError]] = []
    statuses = [0]
    for path, report in _reports(models, wanted, jobs):
        reports.append((path, report))
        if isinstance(report, GraphSurgeonError):
            if len(models) == 1 and sarif is None:
                raise report
            output.warn(str(report.at(path)))
            statuses.append(report.exit_code)
            continue
        statuses.append(_status(report, bound))
        if sarif != Path("-"):
            _show(report, as_json=as_json, everything=everything, quiet=quiet, among=len(models) > 1)
    if sarif is not None:
        _write_sarif(sarif, reports, base, force=force)
    if max(statuses):
        raise typer.Exit(max(statuses))


def scan_one(item: tuple[str, list[str]]) -> ScanReport:
    """Scan one model; in a process of its own where several are scanned at once."""
    from graphsurgeon.scanning.scan import scan as scan_file

    path, allow = item
    return scan_file(path, allow=allow)


def _models_at(path: Path) -> list[Path]:
    """Return a path, or the models below a folder that is none itself, where there are several."""
    from graphsurgeon.disk.files import can_list, is_folder
    from graphsurgeon.disk.places import path_of
    from graphsurgeon.fleet.walk import models_below

    if not is_folder(path) or not can_list(path):
        return [path]
    found = list(models_below(str(path)))
    return [path_of(one) for one in found] if len(found) > 1 else [path]


def _reports(models: list[Path], allow: list[str], jobs: int) -> Iterator[tuple[Path, ScanReport | GraphSurgeonError]]:
    items = [(str(path), allow) for path in models]
    if jobs > 1 and len(models) > 1:
        from graphsurgeon.fleet.pool import in_processes

        answers = in_processes(f"{__name__}:scan_one", items, jobs=jobs)
        yield from ((path, answer.error or answer.result) for path, answer in zip(models, answers, strict=True))
        return
    yield from ((path, _answer(item)) for path, item in zip(models, items, strict=True))


def _answer(item: tuple[str, list[str]]) -> ScanReport | GraphSurgeonError:
    try:
        return scan_one(item)
    except GraphSurgeonError as error:
        return error


def _severity(text: str) -> Severity | None:
    from graphsurgeon.scanning.finding import SEVERITIES

    if text == _NEVER:
        return None
    for severity in SEVERITIES:
        if severity == text:
            return severity
    raise UsageError(f"there is no severity {text!r}", hint=f"one of {', '.join((*SEVERITIES, _NEVER))}")


def _allowed_in(path: Path | None) -> list[str]:
    if path is None:
        return []
    from graphsurgeon.disk.files import open_source
    from graphsurgeon.scanning.allow import parse

    source = open_source(path)
    return parse(source.read_at(0, source.size).decode("utf-8", "replace").splitlines())


def _status(report: ScanReport, bound: Severity | None) -> int:
    from graphsurgeon.scanning.finding import at_least

    return int(bound is not None and any(at_least(finding.severity, bound) for finding in report.findings))


def _show(report: ScanReport, *, as_json: bool, everything: bool, quiet: bool, among: bool) -> None:
    from graphsurgeon.cli.text.scan import print_scan, to_json

    if as_json:
        output.print_json(to_json(report), compact=among)
    elif not quiet:
        print_scan(report, everything=everything)


def _write_sarif(
    target: Path, reports: list[tuple[Path, ScanReport | GraphSurgeonError]], base: Path | None, *, force: bool
) -> None:
    import json

    from graphsurgeon.scanning.sarif import sarif_of

    text = json.dumps(sarif_of(reports, base=base), indent=2)
    if target == Path("-"):
        print(text)
        return
    from graphsurgeon.export import export_file
    from graphsurgeon.formats import registry

    known = {record.name for record in registry.formats()}
    sources = [path for path, report in reports if getattr(report, "format", "") in known]
    export_file(target, [text.encode("utf-8"), b"\n"], sources=sources, force=force)
