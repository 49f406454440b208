"""How it looks to a person what a model would restore from a checkpoint, and the commands that mend the rest."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from graphsurgeon.cli import output
from graphsurgeon.cli.output import mark, plural
from graphsurgeon.compare.restore.proposals import RenameProposal
from graphsurgeon.compare.restore.restore import RestoreReport

FEW = 10  # names that are listed
_MOST_PAIRS = 8  # that a command line holds; more go into a file
_MAP = "renames.json"
_RENAMED = "renamed.ckpt"
_CONVERTED = "converted.ckpt"


def print_restoring(
    report: RestoreReport,
    model: Path,
    checkpoint: Path,
    written: Path | None = None,
    *,
    is_converted_first: bool = False,
) -> None:
    """Print what would be restored, what not, and what mends that.

    Args:
        report: what was found.
        model: as it was named.
        checkpoint: as it was named.
        written: the file that the pairs of the first proposal have been written to.
        is_converted_first: the checkpoint is of version 1, or part of a SavedModel: a copy of it is renamed.
    """
    for found in (*report.problems, *report.misfits):
        where, hint = mark(found.where, "strong"), mark(f"; {found.hint}" if found.hint else "", "faint")
        output.line(mark("error: ", "error"), where, f": {found.what}", hint)
    wanted = len(report.restored) + len(report.misfits) + len(report.missing)
    by = "paths of objects" if report.by == "objects" else "names"
    verdict = mark(f"restored: {len(report.restored):,}", "done" if report.is_complete else "error")
    output.line(verdict, f" of {plural(wanted, 'variable')}, by {by}")
    _print_some("not restored", report.missing)
    slots = f", and {plural(report.unused_slots, 'slot')} of optimizers" if report.unused_slots else ""
    if report.unused or report.unused_slots:
        _print_some("not used", [(name, "") for name in report.unused], slots)
    for note in report.notes:
        output.line(mark("note: ", "note"), note)
    if report.is_complete:
        return
    if report.proposals and is_converted_first:
        output.line("the variables must be a checkpoint of their own first, of version 2")
        output.verbatim("  " + shlex.join(["gs", "convert", str(checkpoint), _CONVERTED]))
        checkpoint = Path(_CONVERTED)
    for proposal in report.proposals:
        _print_proposal(proposal, model, checkpoint, written, is_only=len(report.proposals) == 1)
    if report.missing and not report.proposals:
        output.line("nothing is proposed: no one prefix, suffix or sequence of layers leads to what is missing")


def _print_some(what: str, names: Sequence[tuple[str, str]], more: str = "") -> None:
    if not (names or more):
        return
    output.line(f"{what}: {len(names):,}{more}")
    shown = names if len(names) <= FEW else names[: FEW - 1]
    output.table([[output.name(name), *([told] if told else [])] for name, told in shown], indent=2)
    if len(shown) < len(names):
        output.more(len(names) - len(shown), "", "--json")


def _print_proposal(
    proposal: RenameProposal, model: Path, checkpoint: Path, written: Path | None, *, is_only: bool
) -> None:
    paired, whole = len(proposal.pairs), len(proposal.pairs) + len(proposal.left) + len(proposal.transposed)
    of = f" of {whole:,}" if paired < whole else ""
    output.line(mark("proposed: ", "title"), f"{proposal.why} ({paired:,}{of} of what is not restored)")
    if proposal.by_order:
        output.line("  an order is no proof: equal layers in another order would be exchanged; compare the values")
    for name, wanted in proposal.transposed[:FEW]:
        output.line(f"  {name} would be {wanted}, but its dimensions come in another order: transpose it")
    if not is_only:
        output.line("  one of several that explain as much")
    for command in commands(proposal, model, checkpoint, written):
        output.verbatim(f"  {command}")


def commands(proposal: RenameProposal, model: Path, checkpoint: Path, written: Path | None = None) -> list[str]:
    """Return the commands that carry out a proposal, ready for a shell."""
    pairs = [f"{old}={new}" for old, new in proposal.pairs.items()]
    is_short = len(pairs) <= _MOST_PAIRS and not any("=" in new for new in proposal.pairs.values())
    arguments = proposal.arguments or (pairs if is_short else [])
    if arguments and written is None:
        return [shlex.join(["gs", "rename", str(checkpoint), *arguments, "-o", _RENAMED])]
    file = str(written or _MAP)
    rename = shlex.join(["gs", "rename", str(checkpoint), "--map", file, "-o", _RENAMED])
    if written is not None:
        return [rename]
    return [shlex.join(["gs", "check", str(model), "--checkpoint", str(checkpoint), "--rename-map", file]), rename]
