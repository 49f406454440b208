"""How it looks to a person what a model would restore from a checkpoint, and the commands that mend the rest."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path

from graphsurgeon.cli import output
from graphsurgeon.cli.output import plural
from graphsurgeon.compare.restore.proposals import RenameProposal
from graphsurgeon.compare.restore.restore import RestoreReport

FEW = 10  # names that are listed
_MOST_PAIRS = 8  # that a command line holds; more go into a file
_MAP = "renames.json"
_RENAMED = "renamed.ckpt"


def print_restoring(report: RestoreReport, model: Path, checkpoint: Path, written: Path | None = None) -> None:
    """Print what would be restored, what not, and what mends that.

    Args:
        report: what was found.
        model: as it was named.
        checkpoint: as it was named.
        written: the file that the pairs of the first proposal have been written to.
    """
    for problem in report.problems:
        output.line(f"error: {problem.where}: {problem.what}; {problem.hint}")
    for misfit in report.misfits:
        output.line(f"error: {misfit.where}: {misfit.what}; {misfit.hint}")
    wanted = len(report.restored) + len(report.misfits) + len(report.missing)
    by = "paths of objects" if report.by == "objects" else "names"
    output.line(f"restored: {len(report.restored):,} of {plural(wanted, 'variable')}, by {by}")
    _print_some("not restored", [f"{name}  {what}" for name, what in report.missing])
    slots = f", and {plural(report.unused_slots, 'slot')} of optimizers" if report.unused_slots else ""
    if report.unused or report.unused_slots:
        _print_some("not used", report.unused, slots)
    for note in report.notes:
        output.line(f"note: {note}")
    if report.is_complete:
        return
    for proposal in report.proposals:
        _print_proposal(proposal, model, checkpoint, written, is_only=len(report.proposals) == 1)
    if report.missing and not report.proposals:
        output.line("nothing is proposed: no one prefix, suffix or sequence of layers leads to what is missing")


def _print_some(what: str, names: Sequence[str], more: str = "") -> None:
    if not (names or more):
        return
    output.line(f"{what}: {len(names):,}{more}")
    shown = names if len(names) <= FEW else names[: FEW - 1]
    for name in shown:
        output.line(f"  {name}")
    if len(shown) < len(names):
        output.line(f"  {len(names) - len(shown):,} more (--json)")


def _print_proposal(
    proposal: RenameProposal, model: Path, checkpoint: Path, written: Path | None, *, is_only: bool
) -> None:
    paired, whole = len(proposal.pairs), len(proposal.pairs) + len(proposal.left) + len(proposal.transposed)
    of = f" of {whole:,}" if paired < whole else ""
    output.line(f"proposed: {proposal.why} ({paired:,}{of} of what is not restored)")
    if proposal.by_order:
        output.line("  an order is no proof: equal layers in another order would be exchanged; compare the values")
    for name, wanted in proposal.transposed[:FEW]:
        output.line(f"  {name} would be {wanted}, but its shape is the reverse: transpose it where it is written")
    if not is_only:
        output.line("  one of several that explain as much")
    for command in commands(proposal, model, checkpoint, written):
        output.line(f"  {command}")


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
