"""Gather the files of a model that is to be written, and write them.

What a format lowers is one message or one checkpoint; this puts them together with the files that are only
carried along, decides what an edit makes false, and hands all to the atomic writer in one go.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphsurgeon.disk.atomic import (
    Content,
    Inspect,
    Seen,
    clear_leftovers,
    leftovers,
    remove_file,
    seen,
    write_file,
    write_group,
    write_tree,
)
from graphsurgeon.disk.files import (
    Progress,
    Rope,
    contained,
    exists,
    make_folder,
    open_source,
    rope_size,
)
from graphsurgeon.disk.places import path_of, refuse_writing
from graphsurgeon.errors import UsageError
from graphsurgeon.formats import registry
from graphsurgeon.formats.target import (
    Target,
    basename,
    require_free,
    resolve,
    same_file,
)
from graphsurgeon.model.format import Format
from graphsurgeon.model.model import FormatName, Model


@dataclass(frozen=True)
class WriteReport:
    """What was written, or would be.

    Attributes:
        path: the file, the folder, or the prefix of a checkpoint.
        format: its format.
        files: bytes of each file, by name below the folder; of a single file by its own name.
        notes: what the user should know, one line each.
        member: where in the file the model is, if that is a bundle.
    """

    path: str
    format: FormatName
    files: dict[str, int]
    notes: tuple[str, ...] = ()
    member: str = ""

    @property
    def num_bytes(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())


@dataclass
class WritePlan:
    """Everything that a write will do, before it does anything.

    Attributes:
        target: where to.
        files: content by name below the target's folder; "" for a single file itself.
        obsolete: names of files that the new ones make false or replace; removed last.
        notes: what the user should know.
        unchanged: content by name of files that are there as they should be, and are not written again.
        before: what lay there when this was decided.
        clears: afterwards take away what interrupted writes have left there.
    """

    target: Target
    files: dict[str, Content]
    obsolete: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    unchanged: dict[str, Content] = field(default_factory=dict)
    before: Seen = field(default_factory=dict)
    clears: bool = False

    def write(
        self, *, link: bool = False, inspect: Inspect | None = None, progress: Progress | None = None
    ) -> WriteReport:
        """Write all files, atomically.

        Args:
            link: hard-link files of a folder that are only copied.
            inspect: called with the path of the complete model before it takes its place; what it raises keeps it out.
            progress: called with the bytes done and the bytes in all.

        Raises:
            FileError: the system refuses; nothing has changed.
        """
        path = self.target.path
        make_folder(path.parent)
        if self.target.shape == "folder":
            write_tree(path, self.files, link=link, inspect=inspect, before=self.before, progress=progress)
        elif self.is_one_file:
            write_file(path, self.files[""], inspect=inspect, before=self.before, progress=progress)
            for name in self.obsolete:
                remove_file(path.parent / name)
        else:
            files = {name or path.name: content for name, content in self.files.items()}
            look = None if inspect is None else lambda folder: inspect(folder / path.name)
            name = basename(path)
            write_group(
                path.parent,
                files,
                name=name,
                obsolete=self.obsolete,
                link=link,
                inspect=look,
                before=self.before,
                progress=progress,
            )
        if self.clears:
            clear_leftovers(path)
        return self.report()

    @property
    def is_one_file(self) -> bool:
        """Say whether the target is one file that is replaced alone, whatever lies beside it."""
        return self.target.shape == "file" and list(self.files) == [""]

    def report(self) -> WriteReport:
        """Return what writing gives, without writing."""
        contents = {**self.unchanged, **self.files}
        sizes = {name or self.target.path.name: _size(content) for name, content in contents.items()}
        return WriteReport(str(self.target.path), self.target.format, sizes, tuple(self.notes), self.target.member)


def plan_write(
    model: Model,
    place: str | os.PathLike[str],
    *,
    format: str | None = None,
    force: bool = False,
    in_place: bool = False,
) -> WritePlan:
    """Decide what a write will do: lower the model and look at the target; nothing is written.

    Raises:
        UsageError: the target exists, or is the source, or its format is unclear.
        UnsupportedError: the model cannot be written in that format.
        FileError: a part of the source that is needed is missing.
    """
    refuse_writing(place)
    target = resolve(model, place, format=format, in_place=in_place)
    require_free(model, target, force=force, in_place=in_place)
    planner = registry.planner_of(target.traits) if target.shape == target.traits.layout else None
    if planner is not None:
        plan: WritePlan = planner(model, target, force=force, in_place=in_place)
    else:
        files = lower(model, target)
        plan = WritePlan(target, {**_beside(model, target, force=force), **files})
    if target.member:
        plan.files = {"": _put_back(path_of(model.path), plan.files[""])}
    plan.before = seen(_places(plan))
    plan.clears = force
    plan.notes += leftovers(target.path, cleared=force) + list(_losses(model, target))
    return plan


def _put_back(place: Path, content: Content) -> Rope:
    """Return the bundle that a model was read from with what the model is now."""
    from graphsurgeon.formats.bundle import put_back

    return put_back(place, [open_source(content).whole()] if isinstance(content, Path) else content)


def write_message(model: Model, path: Path, traits: Format) -> None:
    """Write the message of a model alone, for the time of a run: what belongs to it lies elsewhere.

    Raises:
        FileError: it cannot be written.
    """
    write_file(path, next(iter(registry.module_of(traits).lower(model, text=False).values())))


def _places(plan: WritePlan) -> list[Path]:
    """Return what a write puts in place: the folder, the file, or each file of a group."""
    path = plan.target.path
    if plan.target.shape == "folder" or plan.is_one_file:
        return [path]
    return [path.parent / (name or path.name) for name in [*plan.files, *plan.obsolete]]


def lower(model: Model, target: Target) -> dict[str, Content]:
    """Return what the target's format makes of the model; the message alone for the formats of one file."""
    options: dict[str, Any] = {"text": target.is_text} if target.traits.has_text_form else {}
    files = dict(registry.module_of(target.traits).lower(model, **options))
    if target.traits.layout == "folder" and target.shape == "file":
        return {"": next(iter(files.values()))}
    return {**{name: rope for name, rope in files.items() if name}, **({"": files[""]} if "" in files else {})}


def _beside(model: Model, target: Target, *, force: bool) -> dict[str, Content]:
    """Return the files in which a model of one file keeps large values, where it goes to another folder."""
    source = path_of(model.path)
    others = [path_of(file) for file in model.files if path_of(file) != source]
    is_alike = target.traits == model.traits and target.traits.layout == "file"
    if not is_alike or not others or same_file(target.path.parent, source.parent):
        return {}
    carried: dict[str, Content] = {}
    for file in others:
        name = file.relative_to(source.parent).as_posix()
        place = target.path.parent / name
        if exists(place) and not force:
            hint = "the model keeps values in a file of that name; give another folder, or --force to replace it"
            raise UsageError("already exists", path=place, hint=hint)
        carried[name] = contained(source.parent, name)
    return carried


def _losses(model: Model, target: Target) -> Iterable[str]:
    """Say what the format that is written cannot hold."""
    traits = target.traits
    if not traits.holds_graph:
        return
    if not traits.holds_signatures and any(graph.signatures for graph in model.metagraphs):
        yield f"{traits.a_title} holds no signatures"
    if not traits.variables and model.checkpoint is not None and model.checkpoint.variables:
        yield f"{traits.a_title} holds no variables (gs freeze makes them constants)"
    if not traits.holds_assets and any(graph.assets for graph in model.metagraphs):
        yield f"{traits.a_title} holds no assets"


def _size(content: Content) -> int:
    return open_source(content).size if isinstance(content, Path) else rope_size(content)
