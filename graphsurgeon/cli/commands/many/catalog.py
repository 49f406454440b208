"""`gs catalog`: a row for each of many models, in a file that databases read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import Json, Quiet


def catalog(
    paths: Annotated[
        list[str], typer.Argument(metavar="PATH...", help="Models, and folders that hold some.", show_default=False)
    ],
    out: Annotated[Path, typer.Option("--out", "-o", metavar="OUT", help="A .parquet, .jsonl or .csv file.")],
    jobs: Annotated[int | None, typer.Option("-j", "--jobs", metavar="N", min=1, help="Processes; one a core.")] = None,
    checksum: Annotated[
        bool, typer.Option("--checksum", help="Read all weights, so that models of every format compare.")
    ] = False,
    no_findings: Annotated[bool, typer.Option("--no-findings", help="Leave out what check and scan say.")] = False,
    seconds: Annotated[
        float, typer.Option("--time-limit", metavar="SECONDS", min=0.1, help="For one model; then its row says so.")
    ] = 300,
    megabytes: Annotated[
        int, typer.Option("--memory-limit", metavar="MB", min=64, help="For one model; on Linux.")
    ] = 4096,
    retry: Annotated[bool, typer.Option("--retry", help="Try again what took too long or ended its process.")] = False,
    scheduler: Annotated[
        str | None, typer.Option("--scheduler", metavar="ADDRESS", help="Of Dask, such as tcp://host:8786.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Begin anew, whatever OUT holds.")] = False,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Find all models below some paths and write a row for each: what it is, how large, its ops, dangers, duplicates.

    A model that hangs, dies or cannot be read costs its own row only. A catalog that is there is continued: rows of
    models whose files have not changed stay, and so does what an interrupted run has left.

    Examples:
        gs catalog models/ -o models.parquet
        gs catalog models/ more/ -o models.jsonl -j 8 --checksum
        gs catalog models/ -o models.csv --time-limit 60 --retry
        gs catalog /share/models -o models.parquet --scheduler tcp://scheduler:8786
    """
    import os

    from graphsurgeon.cli.text.catalog import Counter, print_report, tell_links
    from graphsurgeon.fleet.catalog import catalog as make

    with Counter(quiet=quiet or as_json) as counter:
        report = make(
            paths,
            out,
            jobs=jobs or os.cpu_count() or 1,
            checksum=checksum,
            findings=not no_findings,
            seconds=seconds,
            memory=megabytes << 20,
            retry=retry,
            force=force,
            scheduler=scheduler,
            progress=counter.show,
        )
    tell_links(report)
    if as_json:
        output.print_json(report)
    elif not quiet:
        print_report(report)
