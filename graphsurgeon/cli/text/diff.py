"""How a comparison looks to a person: what changed by part, the first of each kind; all with `--all`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from graphsurgeon.analysis.stored_weights.variables import OBJECT_SUFFIX
from graphsurgeon.cli import output
from graphsurgeon.cli.output import mark, name, plural, size
from graphsurgeon.cli.text.edit import print_notes
from graphsurgeon.compare.diff.change import Change, Detail
from graphsurgeon.compare.diff.diff import DiffReport
from graphsurgeon.errors import with_article
from graphsurgeon.formats import registry

FEW = 8  # changes of one kind without --all
FEW_DETAILS = 3  # of one change without --all
_SAVED = f"{OBJECT_SUFFIX}VARIABLE_VALUE"
KINDS = ("removed", "added", "renamed", "rewired", "changed")


def print_diff(report: DiffReport, *, everything: bool = False) -> None:
    """Print what differs, or that nothing does."""
    if report.equal:
        output.line(mark("equal", "done"), f": {_compared(report)}")
    elif report.formats[0] != report.formats[1]:
        output.line(" and ".join(with_article(registry.get(one).title) for one in report.formats))
    for part, changes in _by_part(report.changes):
        output.line(mark(f"{part}s: ", "heading"), *_counts(report.counts[part]))
        for kind in KINDS:
            _print_kind([change for change in changes if change.kind == kind], everything=everything)
    print_notes(report.notes)


def _counts(counts: Mapping[str, int]) -> list[object]:
    parts: list[object] = []
    for kind in KINDS:
        if counts.get(kind):
            parts += [*([", "] if parts else []), mark(f"{counts[kind]:,} {kind}", kind)]
    return parts


def _compared(report: DiffReport) -> str:
    counts = report.compared
    parts = [plural(counts[f"{noun}s"], noun) for noun in ("node", "function", "variable") if counts[f"{noun}s"]]
    read = [f"{size(counts['bytes'])} of values"] if counts["bytes"] else []
    return ", ".join([*parts, *read]) or "nothing to compare"


def _by_part(changes: Iterable[Change]) -> list[tuple[str, list[Change]]]:
    parts: dict[str, list[Change]] = {}
    for change in changes:
        parts.setdefault(change.part, []).append(change)
    return list(parts.items())


def _print_kind(changes: Sequence[Change], *, everything: bool) -> None:
    if not changes:
        return
    rule = _rule(changes) if not everything else None
    if rule is not None:
        output.table([(_kind(changes[0]), f"{len(changes)} of them", rule)], indent=2)
        return
    shown = changes if everything or len(changes) <= FEW else changes[: FEW - 1]
    rows = [row for change in shown for row in _rows(change, everything=everything)]
    output.table(rows, indent=2)
    if len(shown) < len(changes):
        output.line("  ", mark(f"{len(changes) - len(shown):,} more (--all)", "faint"))


def _kind(change: Change) -> output.Piece:
    """Return the kind in a column of one width, so that the lists of several kinds stand below each other."""
    return mark(f"{change.kind:<{max(map(len, KINDS))}}", change.kind)


def _rows(change: Change, *, everything: bool) -> list[tuple[object, object, object]]:
    place = f" in {change.graph}" if change.graph else ""
    tags = f" ({','.join(change.tags)})" if change.tags else ""
    shown_name = name(change.name) if not place + tags else f"{change.name}{place}{tags}"
    if change.variable is not None:  # its key is of use in commands, and tells little
        shown_name = f"{change.variable} ({change.name.removesuffix(_SAVED)})"
    if change.new_name is not None:
        new_name = change.new_name.removesuffix(_SAVED) if change.variable is not None else change.new_name
        return [(_kind(change), shown_name, f"-> {new_name}")]
    shown = change.details if everything else change.details[:FEW_DETAILS]
    texts: list[object] = [_detail(change, detail) for detail in shown] or [""]
    if len(shown) < len(change.details):
        texts.append(mark(f"{len(change.details) - len(shown)} more (--all)", "faint"))
    return [(_kind(change), shown_name, texts[0]), *(("", "", text) for text in texts[1:])]


def _detail(change: Change, detail: Detail) -> str:
    if change.kind in ("added", "removed"):
        return detail.after or detail.before or ""
    field = f"{detail.field}: " if detail.field else ""
    if detail.before is None or detail.after is None:
        sign, text = ("added", detail.after) if detail.before is None else ("removed", detail.before)
        return f"{field}{sign} {text or ''}".rstrip()
    if detail.before == detail.after:
        return f"{field}{detail.before}"
    return f"{field}{detail.before} -> {detail.after}"


def _rule(changes: Sequence[Change]) -> str | None:
    """Return what all renames have in common, if they are many and have."""
    if len(changes) <= FEW or any(change.new_name is None for change in changes):
        return None
    added = {_ending(change.new_name or "", change.name) for change in changes}
    if len(added) == 1 and (prefix := added.pop()):
        return f"{prefix!r} put before the name"
    removed = {_ending(change.name, change.new_name or "") for change in changes}
    return f"{removed.pop()!r} cut from the beginning" if len(removed) == 1 and "" not in removed else None


def _ending(long: str, short: str) -> str:
    """Return what stands before a text in a longer one that ends with it; empty if it does not."""
    return long[: len(long) - len(short)] if long.endswith(short) else ""
