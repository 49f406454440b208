"""Gather the files of a model that is to be written, and write them.

What a format lowers is one message or one checkpoint; this puts them together with the files that are only
carried along, decides what an edit makes false, and hands all to the atomic writer in one go.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphsurgeon.disk.atomic import (
    Content,
    Inspect,
    is_copy,
    leftovers,
    remove_file,
    write_file,
    write_group,
    write_tree,
)
from graphsurgeon.disk.files import (
    Progress,
    contained,
    exists,
    folder_names,
    is_file,
    is_folder,
    make_folder,
    open_source,
    rope_size,
    tree_names,
)
from graphsurgeon.errors import UsageError
from graphsurgeon.formats import registry
from graphsurgeon.formats.checkpoint import find as checkpoint
from graphsurgeon.formats.savedmodel import folder as savedmodel
from graphsurgeon.formats.savedmodel import keras_metadata
from graphsurgeon.formats.target import (
    SAVED_MODEL_PARTS,
    Target,
    basename,
    checkpoint_files,
    require_free,
    resolve,
    same_file,
)
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.format import Format
from graphsurgeon.model.model import FormatName, Model

_FINGERPRINT = "fingerprint.pb"
_FINGERPRINT_NOTE = f"{_FINGERPRINT} was left out: after a change it would be false"
_PROTOBUFS = ("saved_model.pb", "saved_model.pbtxt", "saved_model.cpb")
_DEBUG = "debug"  # folder of a SavedModel with the source lines of its nodes
_PREFIX = "variables"  # of the checkpoint inside a SavedModel


@dataclass(frozen=True)
class WriteReport:
    """What was written, or would be.

    Attributes:
        path: the file, the folder, or the prefix of a checkpoint.
        format: its format.
        files: bytes of each file, by name below the folder; of a single file by its own name.
        notes: what the user should know, one line each.
    """

    path: str
    format: FormatName
    files: dict[str, int]
    notes: tuple[str, ...] = ()

    @property
    def num_bytes(self) -> int:
        """Bytes of all files."""
        return sum(self.files.values())


@dataclass
class Plan:
    """Everything that a write will do, before it does anything.

    Attributes:
        target: where to.
        files: content by name below the target's folder; "" for a single file itself.
        obsolete: names of files that the new ones make false or replace; removed last.
        notes: what the user should know.
    """

    target: Target
    files: dict[str, Content]
    obsolete: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

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
            write_tree(path, self.files, link=link, inspect=inspect, progress=progress)
        elif self.is_one_file:
            write_file(path, self.files[""], inspect=inspect, progress=progress)
            for name in self.obsolete:
                remove_file(path.parent / name)
        else:
            files = {name or path.name: content for name, content in self.files.items()}
            look = None if inspect is None else lambda folder: inspect(folder / path.name)
            name = basename(path)
            write_group(
                path.parent, files, name=name, obsolete=self.obsolete, link=link, inspect=look, progress=progress
            )
        return self.report()

    @property
    def is_one_file(self) -> bool:
        """Say whether the target is one file that is replaced alone, whatever lies beside it."""
        return self.target.shape == "file" and list(self.files) == [""]

    def report(self) -> WriteReport:
        """Return what writing gives, without writing."""
        sizes = {name or self.target.path.name: _size(content) for name, content in self.files.items()}
        return WriteReport(str(self.target.path), self.target.format, sizes, tuple(self.notes))


def plan_write(
    model: Model, path: Path, *, format: str | None = None, force: bool = False, in_place: bool = False
) -> Plan:
    """Decide what a write will do: lower the model and look at the target; nothing is written.

    Raises:
        UsageError: the target exists, or is the source, or its format is unclear.
        UnsupportedError: the model cannot be written in that format.
        FileError: a part of the source that is needed is missing.
    """
    target = resolve(model, path, format=format)
    require_free(model, target, force=force, in_place=in_place)
    if target.shape == "group":
        plan = _plan_checkpoint(model, target)
    elif target.shape == "folder":
        plan = _plan_saved_model(model, target, in_place=in_place)
    elif target.traits.variables == "beside":
        plan = _plan_meta_graph(model, target, force=force, in_place=in_place)
    else:
        files = _lower(model, target)
        plan = Plan(target, {**_beside(model, target, force=force), **files})
    plan.notes += leftovers(target.path) + list(_losses(model, target))
    return plan


def write_message(model: Model, path: Path, traits: Format) -> None:
    """Write the message of a model alone, for the time of a run: what belongs to it lies elsewhere.

    Raises:
        FileError: it cannot be written.
    """
    write_file(path, next(iter(registry.module_of(traits).lower(model, text=False).values())))


def _lower(model: Model, target: Target) -> dict[str, Content]:
    """Return what the target's format makes of the model; the message alone for the formats of one file."""
    options: dict[str, Any] = {"text": target.is_text} if target.traits.has_text_form else {}
    files = dict(registry.module_of(target.traits).lower(model, **options))
    if target.traits.layout == "folder" and target.shape == "file":
        return {"": next(iter(files.values()))}
    return {**{name: rope for name, rope in files.items() if name}, **({"": files[""]} if "" in files else {})}


def _beside(model: Model, target: Target, *, force: bool) -> dict[str, Content]:
    """Return the files in which a model of one file keeps large values, where it goes to another folder."""
    source = Path(model.path)
    others = [Path(file) for file in model.files if Path(file) != source]
    if target.traits != model.traits or not others or same_file(target.path.parent, source.parent):
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


def _plan_checkpoint(model: Model, target: Target) -> Plan:
    files: dict[str, Content] = dict(checkpoint.lower(model, basename=basename(target.path)))
    there = [file.name for file in checkpoint_files(target.path)]
    return Plan(target, files, obsolete=[name for name in there if name not in files])


def _plan_meta_graph(model: Model, target: Target, *, force: bool, in_place: bool) -> Plan:
    """Write the `.meta`, and its checkpoint beside it, where the `.meta` finds it."""
    plan = Plan(target, _lower(model, target))
    prefix = target.path.with_name(target.path.stem if target.path.name != ".meta" else ".index")
    if model.checkpoint is None or (in_place and checkpoint.is_untouched(model.checkpoint)):
        return plan
    if checkpoint.is_untouched(model.checkpoint) and not _takes_checkpoint(model.checkpoint, target, prefix):
        plan.notes.append(f"its variables stay in {model.checkpoint.prefix}")
        return plan
    if not in_place:
        require_free(model, Target(registry.CHECKPOINT, prefix, None, "group"), force=force, in_place=False)
    ropes = checkpoint.lower_checkpoint(model.checkpoint, basename(prefix))
    plan.obsolete = [file.name for file in checkpoint_files(prefix) if file.name not in ropes]
    plan.files = {**ropes, **plan.files}
    return plan


def _takes_checkpoint(source: Checkpoint, target: Target, prefix: Path) -> bool:
    """Say whether an unchanged checkpoint goes along: V1 and damaged ones cannot be written, and none onto itself."""
    if source.version == 1 or any(problem.severity == "error" for problem in checkpoint.problems(source)):
        return False
    there = checkpoint_files(prefix)
    is_itself = any(same_file(file.path, other) for file in checkpoint.source_files(source) for other in there)
    return target.path.name.endswith(".meta") and not is_itself


def _plan_saved_model(model: Model, target: Target, *, in_place: bool) -> Plan:
    folder = _folder_of(model)
    names = {asset.filename for graph in model.metagraphs for asset in graph.assets if asset.source is None}
    savedmodel.require_inside(folder or target.path, sorted(names))
    files = _lower(model, target)
    variables = _variables(model, folder)
    plan = Plan(target, files)
    is_changed = bool(variables) or not all(map(is_copy, files.values()))
    if folder is None:
        plan.files |= variables
    elif in_place and len(files) == 1 and not (variables or _beside_changes(model, folder)):
        return _plan_protobuf_alone(folder, files, is_changed=is_changed)
    else:
        plan.files |= _carried(model, folder, plan, everything=in_place)
        plan.files |= _keras_metadata(model, folder)
        if variables:
            plan.files = {name: item for name, item in plan.files.items() if not name.startswith("variables/")}
            plan.files |= variables
        if is_changed and plan.files.pop(_FINGERPRINT, None) is not None:
            plan.notes.append(_FINGERPRINT_NOTE)
    plan.files |= _new_assets(model)
    if not any(name.startswith("variables/") for name in plan.files):
        plan.files["variables/"] = []  # the folder is what loaders of TensorFlow 1 look for
    return plan


def _plan_protobuf_alone(folder: Path, files: dict[str, Content], *, is_changed: bool) -> Plan:
    """Replace the protobuf in its folder, where variables and assets stay as they are."""
    (name, content), *_ = files.items()
    obsolete = [other for other in _PROTOBUFS if other != name and exists(folder / other)]
    plan = Plan(Target(registry.SAVED_MODEL, folder / name, None, "file"), {"": content}, obsolete)
    if is_changed and exists(folder / _FINGERPRINT):
        plan.obsolete.append(_FINGERPRINT)
        plan.notes.append(_FINGERPRINT_NOTE)
    return plan


def _variables(model: Model, folder: Path | None) -> dict[str, Content]:
    """Return the files of the variables, none where those of the source folder can be carried along."""
    if model.checkpoint is None or (folder is not None and checkpoint.is_untouched(model.checkpoint)):
        return {}
    return {f"variables/{name}": rope for name, rope in checkpoint.lower_checkpoint(model.checkpoint, _PREFIX).items()}


def _folder_of(model: Model) -> Path | None:
    folder = Path(model.path)
    return folder if model.traits.layout == "folder" and is_folder(folder) else None


def _carried(model: Model, folder: Path, plan: Plan, *, everything: bool) -> dict[str, Content]:
    """Return the files of a SavedModel folder that no message describes: assets, variables, files beside them."""
    left_out = {f"assets/{name}" for name in _dropped_assets(model)}
    unknown = [name for name in folder_names(folder) if name not in SAVED_MODEL_PARTS]
    strangers = [name for name in unknown if name.startswith(".") or is_folder(folder / name)]
    if strangers and not everything:
        plan.notes.append(f"not copied, for they do not belong to a SavedModel: {', '.join(strangers[:5])}")
        unknown = [name for name in unknown if name not in strangers]
    tops = [*sorted(SAVED_MODEL_PARTS.difference(_PROTOBUFS)), *unknown]
    if model.checkpoint is None and not model.unreadable:
        tops.remove(_PREFIX)
    if _drops_debug_info(model):
        tops.remove(_DEBUG)
    names = [name for top in tops for name in _below(folder, top) if name not in left_out]
    return {name: [] if name.endswith("/") else contained(folder, name) for name in names}


def _keras_metadata(model: Model, folder: Path) -> dict[str, Content]:
    """Return what Keras 2 keeps of the objects, if it is there and their numbers have changed."""
    if not is_file(folder / keras_metadata.NAME):
        return {}
    data = keras_metadata.renumbered(open_source(contained(folder, keras_metadata.NAME)), model.metagraphs[0])
    return {keras_metadata.NAME: [data]} if data is not None else {}


def _beside_changes(model: Model, folder: Path) -> bool:
    drops_folder = _drops_debug_info(model) and is_folder(folder / _DEBUG)
    return bool(_new_assets(model) or _dropped_assets(model) or _keras_metadata(model, folder)) or drops_folder


def _drops_debug_info(model: Model) -> bool:
    contexts = [getattr(graph.raw, "context", None) for graph in model.metagraphs]
    return any(context is not None and context.drops_debug_info for context in contexts)


def _below(folder: Path, top: str) -> list[str]:
    if not is_folder(contained(folder, top)):
        return [top] if exists(folder / top) else []
    return [f"{top}/{name}" for name in tree_names(folder / top)] or [f"{top}/"]


def _new_assets(model: Model) -> dict[str, Content]:
    """Return the files that became assets since the model was read."""
    assets = [asset for graph in model.metagraphs for asset in graph.assets]
    return {f"assets/{asset.filename}": Path(asset.source) for asset in assets if asset.source is not None}


def _dropped_assets(model: Model) -> set[str]:
    """Return the names of assets that the file listed and the model no longer does."""
    sources: list[Any] = [graph.raw for graph in model.metagraphs if graph.raw is not None]
    listed = {asset.filename for source in sources for asset in source.message.asset_file_def}
    return listed - {asset.filename for graph in model.metagraphs for asset in graph.assets}


def _losses(model: Model, target: Target) -> Iterable[str]:
    """Say what the format that is written cannot hold."""
    traits = target.traits
    if traits == model.traits or not traits.holds_graph:
        return
    if not traits.holds_signatures and any(graph.signatures for graph in model.metagraphs):
        yield f"{traits.a_title} holds no signatures"
    if not traits.variables and model.checkpoint is not None and model.checkpoint.variables:
        yield f"{traits.a_title} holds no variables (gs freeze makes them constants)"
    if not traits.holds_assets and any(graph.assets for graph in model.metagraphs):
        yield f"{traits.a_title} holds no assets"


def _size(content: Content) -> int:
    return open_source(content).size if isinstance(content, Path) else rope_size(content)
