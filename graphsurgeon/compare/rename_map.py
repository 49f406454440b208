"""The names of one model that are others in the next, as `gs rename --map` takes them."""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.compare.diff.diff import DiffReport
from graphsurgeon.compare.restore.names import both_sides
from graphsurgeon.compare.restore.proposals import propose
from graphsurgeon.errors import UsageError
from graphsurgeon.model.model import Model


def rename_map(before: Model, after: Model, report: DiffReport) -> Mapping[str, str]:
    """Return old name -> new name: of graphs the nodes of the main graph, of checkpoints the variables.

    Variables are paired by a rule that explains all of them, else by equal values, else by what is likely.

    Args:
        before, after: the models.
        report: of their comparison.

    Raises:
        UsageError: nothing has another name.
    """
    part = "node" if before.metagraphs and after.metagraphs else "variable"
    renamed = [one for one in report.changes if (one.kind, one.part, one.graph) == ("renamed", part, "")]
    pairs = {change.name: str(change.new_name) for change in renamed}
    if part == "variable" and before.checkpoint is not None and after.checkpoint is not None:
        sides = both_sides(after, before.checkpoint)
        taken = {one.key for one in sides.wanted}
        pairs = {old: new for old, new in pairs.items() if old not in taken}  # another key of the same object
        unused = [one for one in sides.stored if one.key not in taken]
        found = propose([one for one in sides.wanted if one.key is None and not one.is_slot], unused)
        if len(found) == 1 and not (pairs and (found[0].left or found[0].by_order)):
            pairs = found[0].pairs
    if not pairs:
        raise UsageError(f"no {part} of the one has another name in the other that could be told", path=report.after)
    return pairs
