"""What a model would restore from a checkpoint, what not, and why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from graphsurgeon.analysis.stored_weights.variables import OBJECT_SUFFIX
from graphsurgeon.compare.restore.names import SAVE_COUNTER, BothSides, RestoreName, both_sides
from graphsurgeon.compare.restore.proposals import RenameProposal, fits, is_transposed, propose
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats.checkpoint import find as checkpoints
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.model import Model


@dataclass(frozen=True)
class RestoreReport:
    """What a model would restore from a checkpoint.

    Attributes:
        checkpoint: its prefix.
        by: "objects" if names of children lead to the variables, "names" if variables are looked for by name.
        restored: what is looked for -> key of the entry that restoring takes.
        misfits: what is found and cannot be assigned, as findings.
        missing: what is looked for and not found: (name, dtype and shape).
        unused: names of entries that nothing looks for, slots of optimizers left out.
        unused_slots: how many slots nothing looks for.
        proposals: renames of the checkpoint after which more would be restored; several are equally good.
        problems: what is wrong with the checkpoint's files.
        notes: what else the user should know, one line each.
    """

    checkpoint: str
    by: str
    restored: dict[str, str]
    misfits: list[Finding] = field(default_factory=list)
    missing: list[tuple[str, str]] = field(default_factory=list)
    unused: list[str] = field(default_factory=list)
    unused_slots: int = 0
    proposals: list[RenameProposal] = field(default_factory=list)
    problems: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def is_complete(self) -> bool:
        """Say whether everything that is looked for would be restored."""
        return not (self.misfits or self.missing or any(one.severity == "error" for one in self.problems))


def restoring(model: Model, checkpoint: Checkpoint) -> RestoreReport:
    """Say what a model would restore from a checkpoint. Reads no values of variables.

    Args:
        model: a graph with variables, a SavedModel, or a checkpoint that the program has written itself.
        checkpoint: what it is to be restored from.

    Raises:
        UnsupportedError: the model restores nothing.
    """
    sides = both_sides(model, checkpoint)
    if not sides.wanted:
        raise UnsupportedError(
            "restores no variables", path=model.path, hint="give a graph with variables, or a checkpoint of the program"
        )
    found = [one for one in sides.wanted if one.key is not None]
    lost = [one for one in sides.wanted if one.key is None]
    counter = [one for one in lost if one.name == SAVE_COUNTER]
    lost = [one for one in lost if one.name != SAVE_COUNTER]
    taken = {one.key for one in found}
    unused = [one for one in sides.stored if one.key not in taken]
    misfits = [misfit for one in found for misfit in _misfit(one, sides, checkpoint)]
    fixed = [one.name for one in sides.stored if one.key in taken]
    proposals = propose([one for one in lost if not one.is_slot] or lost, unused, fixed)
    if sides.needs_objects:
        proposals = [_as_objects(one, found) for one in proposals]
    return RestoreReport(
        str(checkpoint.prefix),
        "objects" if sides.by_objects else "names",
        {one.name: str(one.key) for one in found if one.name not in {misfit.where for misfit in misfits}},
        misfits,
        [(one.name, _typed(one)) for one in lost],
        [one.name for one in unused if not one.is_slot],
        sum(one.is_slot for one in unused),
        proposals,
        [problem for problem in checkpoints.problems(checkpoint) if problem.severity == "error"],
        _notes(sides, counter, checkpoint),
    )


def _as_objects(proposal: RenameProposal, found: Sequence[RestoreName]) -> RenameProposal:
    """Let names become keys of objects, of which objects are made; then what is found by name must become that too."""
    pairs = {**{str(one.key): one.name for one in found}, **proposal.pairs}
    return replace(
        proposal, pairs={old: f"{new}{OBJECT_SUFFIX}VARIABLE_VALUE" for old, new in pairs.items()}, arguments=[]
    )


def _typed(one: RestoreName) -> str:
    return f"{one.dtype.base if one.dtype is not None else '?'} {one.shape}"


def _misfit(one: RestoreName, sides: BothSides, checkpoint: Checkpoint) -> list[Finding]:
    entry = checkpoint.variables[str(one.key)].tensor
    stored = RestoreName(str(one.key), "", entry.dtype, entry.shape, one.key)
    if fits(one, stored):
        return []
    what = f"it is {_typed(one)}, and the checkpoint has {_typed(stored)} under {one.key!r}"
    if is_transposed(one, stored):
        hint = "the dimensions come in another order: transpose the values in the program that writes the checkpoint"
    elif one.dtype is not None and one.dtype.base is not entry.dtype.base:
        hint = f"gs cast CKPT --match {one.key!r} --dtype {one.dtype.base}, if that is meant"
    else:
        hint = "take the checkpoint of a model of this size"
    return [Finding("error", one.name, what, hint, "variable-value")]


def _notes(sides: BothSides, counter: Sequence[RestoreName], checkpoint: Checkpoint) -> list[str]:
    notes = []
    if counter:
        notes.append("it has no save_counter: tf.train.Checkpoint.write wrote it, so read it with read, not restore")
    if sides.needs_objects:
        notes.append(
            "it holds names, no objects: Keras 3 restores nothing by names, other programs what they call the same;"
            " names that become keys of objects (PATH/.ATTRIBUTES/VARIABLE_VALUE) are restored by both"
        )
    if sides.by_objects is False and checkpoint.objects is not None:
        notes.append("it holds objects: a saver of TensorFlow 1 finds them by the names of their variables")
    return notes
