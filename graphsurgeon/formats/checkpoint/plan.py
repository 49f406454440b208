"""Gather the files of a checkpoint that is to be written: alone, or beside the `.meta` that it belongs to."""

from __future__ import annotations

import os
from pathlib import Path

from graphsurgeon.disk.atomic import Content, copied_from
from graphsurgeon.disk.places import path_of
from graphsurgeon.formats import registry
from graphsurgeon.formats.checkpoint import find as checkpoint
from graphsurgeon.formats.checkpoint.state import INDEX, lower_state, state_after
from graphsurgeon.formats.target import Target, basename, checkpoint_files, require_free, same_file
from graphsurgeon.formats.writing import WritePlan, lower
from graphsurgeon.model.checkpoint import STATE_FILE, Checkpoint
from graphsurgeon.model.model import Model


def plan(model: Model, target: Target, *, force: bool, in_place: bool) -> WritePlan:
    """Return the files of a checkpoint, and those of the earlier one that they make false."""
    assert model.checkpoint is not None
    found = WritePlan(target, {})
    _add_checkpoint(found, model.checkpoint, target.path)
    return found


def plan_beside(model: Model, target: Target, *, force: bool, in_place: bool) -> WritePlan:
    """Write the `.meta`, and its checkpoint beside it, where the `.meta` finds it."""
    found = WritePlan(target, lower(model, target))
    prefix = target.path.with_name(target.path.stem if target.path.name != ".meta" else ".index")
    if model.checkpoint is None:
        return found
    if in_place and checkpoint.is_untouched(model.checkpoint):
        _add_state(found, model.checkpoint, prefix, is_new=False)
        return found
    if checkpoint.is_untouched(model.checkpoint) and not _takes_checkpoint(model.checkpoint, target, prefix):
        found.notes.append(f"its variables stay in {model.checkpoint.prefix}")
        return found
    if not in_place:
        require_free(model, Target(registry.CHECKPOINT, prefix, None, "group"), force=force, in_place=False)
    _add_checkpoint(found, model.checkpoint, prefix)
    return found


def _add_checkpoint(plan: WritePlan, source: Checkpoint, prefix: Path) -> None:
    """Plan the files of a checkpoint so that at every moment its index and its data files belong together.

    A data file that is there already stays. None takes the name of one with other content: then the number of
    data files is raised, which gives all of them new names, and the index, which goes last, tells which are meant.
    """
    there = {file.name: file for file in checkpoint_files(prefix)}
    files: dict[str, Content] = dict(checkpoint.lower_checkpoint(source, basename(prefix)))
    *shards, _ = files
    stay = {name for name in shards if name in there and _is_itself(files[name], there[name])}
    if any(name in there and name not in stay for name in shards):
        taken = frozenset(name for name in there if not name.endswith(INDEX))
        files, stay = dict(checkpoint.lower_checkpoint(source, basename(prefix), avoid=taken)), set()
    plan.unchanged = {name: files.pop(name) for name in stay}
    plan.obsolete = [name for name in there if name not in files and name not in stay]
    plan.files = {**files, **plan.files}
    _add_state(plan, source, prefix, is_new=not there)


def _add_state(plan: WritePlan, source: Checkpoint, prefix: Path, *, is_new: bool) -> None:
    """Let the folder's state file name what is there: when the checkpoint is in its place, so at the end."""
    is_its_own = same_file(path_of(os.path.dirname(source.prefix) or "."), prefix.parent)
    state = state_after(prefix.parent, basename(prefix), source.state if is_its_own else None, is_new=is_new)
    if state is not None:
        plan.notes.append(f"the file {STATE_FILE!r} there names {state.latest} as the latest checkpoint")
        plan.files[STATE_FILE] = [lower_state(state)]


def _is_itself(content: Content, file: Path) -> bool:
    source = copied_from(content)
    return source is not None and same_file(source, file)


def _takes_checkpoint(source: Checkpoint, target: Target, prefix: Path) -> bool:
    """Say whether an unchanged checkpoint goes along: V1 and damaged ones cannot be written, and none onto itself."""
    if source.version == 1 or any(problem.severity == "error" for problem in checkpoint.problems(source)):
        return False
    there = checkpoint_files(prefix)
    is_itself = any(same_file(file.path, other) for file in checkpoint.source_files(source) for other in there)
    return target.path.name.endswith(".meta") and not is_itself
