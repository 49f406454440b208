"""Where a model is written to, in which format, and whether what is there may be replaced.

The name decides, and whether a graph or a checkpoint is to be written; never what the model was read from. No
suffix, one that begins with a digit (`model.2`) or a slash at the end mean a SavedModel folder, of a checkpoint its
prefix; `.ckpt` and `.ckpt-100` a checkpoint. Nothing that we do not know is ever replaced, and a source only when
that was asked for.
"""

from __future__ import annotations

import os
import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from graphsurgeon.disk.atomic import is_temporary
from graphsurgeon.disk.files import exists, folder_names, is_file, is_folder, open_source
from graphsurgeon.disk.places import MemberPath, file_of, path_of
from graphsurgeon.errors import FileError, GraphSurgeonError, UnsupportedError, UsageError
from graphsurgeon.formats import registry
from graphsurgeon.model.format import Format, Layout, Vocabulary
from graphsurgeon.model.model import FormatName, Model

_KERAS = (".h5", ".hdf5", ".keras")
_ARRAYS = (".npz", ".safetensors")
_CONVERTED = (".onnx", ".tflite")
_INTERNAL = "__"  # signatures that loaders use
FOREIGN_SUFFIXES = (
    *_KERAS, *_ARRAYS, ".json", ".params", ".npy", ".caffemodel", ".prototxt", ".pt", ".pth", ".mlmodel"
)  # fmt: skip
_CHECKPOINT_NAME = re.compile(r".*\.ckpt(-\d+)?", re.DOTALL)
_OF_CHECKPOINT = re.compile(r"\.index|\.data-\d{5}-of-\d{5}")
AVOID = "give another output"  # hints that every command gives in the same words
EXISTS = f"{AVOID}, or --force to replace it"


@dataclass(frozen=True)
class Target:
    """Where a model goes.

    Attributes:
        traits: which format is written.
        path: the file or folder; of a checkpoint the prefix, or `.index` for one with an empty name.
        is_text: write protobufs as text, or not; None keeps the form of the source.
        shape: one file, a folder, or a group of files in a folder.
        member: where in the file: it is a bundle, in which the model takes the place of the one that was read.
    """

    traits: Format
    path: Path
    is_text: bool | None
    shape: Layout
    member: str = ""

    @property
    def place(self) -> Path:
        """Where the model is to be read again: the path, or the one that goes on behind it."""
        return self.within(self.path)

    def within(self, path: Path) -> Path:
        """Return where the model is when what is written lies at another path."""
        return MemberPath(f"{path}/{self.member}") if self.member else path

    @property
    def format(self) -> FormatName:
        """The name of the format."""
        return self.traits.name


def resolve(
    model: Model, place: str | os.PathLike[str], *, format: str | None = None, in_place: bool = False
) -> Target:
    """Decide what is written: by the name, and by whether a graph or a checkpoint is to be written.

    Args:
        model: what is to be written, whatever it was read from.
        place: where to. One that ends in a slash is a folder.
        format: overrides the name.
        in_place: the place is that of the source, whose format stays.

    Raises:
        UsageError: the suffix says nothing, or `format` is no format.
        UnsupportedError: the model cannot be written in that format.
    """
    path, is_named_folder = Path(place), _is_named_folder(place)
    if os.fspath(place) == "-":
        raise UsageError("a model is not written to the standard output", path=place, hint="give a file or folder")
    if not in_place:
        _refuse_member(path)
    if format is not None:
        traits, is_text = _named(format)
    elif in_place:
        traits, is_text = model.traits, None
    else:
        traits, is_text = _as_member(model, path) or _by_name(model, path, is_named_folder=is_named_folder)
    _require_convertible(model, traits, path)
    source = path_of(model.path)
    if format is None and isinstance(source, MemberPath) and (in_place or _as_member(model, path)):
        return _in_bundle(source, traits, source.bundle if in_place else path)
    if traits.layout == "folder":
        is_single = _is_lone_protobuf(model, path)
        folder = path.parent if path.name in traits.entries else path
        return Target(traits, path if is_single else folder, is_text, "file" if is_single else "folder")
    if traits.layout == "group":
        is_inside = is_named_folder or (is_folder(path) and path.name)
        inside = path / _own_prefix(model) if is_inside else path
        return Target(traits, inside.with_name(inside.name.removesuffix(".index") or ".index"), is_text, "group")
    if is_named_folder:
        raise UsageError("is the name of a folder, and a file is to be written", path=place, hint=AVOID)
    return Target(traits, path, is_text, "file")


def _refuse_member(path: Path) -> None:
    inside = path_of(path)
    if isinstance(inside, MemberPath):
        hint = f"-o NEW{inside.bundle.suffix} writes the bundle with the model in its place; or --in-place"
        raise UsageError("a member of a bundle is no output", path=path, hint=hint)


def _as_member(model: Model, path: Path) -> tuple[Format, bool | None] | None:
    """Return the format of a model that goes back into a bundle of the kind that it came from; None for any other."""
    source = path_of(model.path)
    if isinstance(source, MemberPath) and path.suffix == source.bundle.suffix != source.suffix:
        return model.traits, None
    return None


def _in_bundle(source: MemberPath, traits: Format, path: Path) -> Target:
    if traits.layout != "file" or traits.planner:
        hint = "give an output outside of the bundle"
        raise UnsupportedError(f"{traits.a_title} is not put back into a bundle", path=path, hint=hint)
    return Target(traits, path, None, "file", source.inner)


def named_format(place: str | os.PathLike[str], format: str | None = None) -> Format | None:
    """Return the format that a graph gets at a place; None where the name says nothing.

    Raises:
        UsageError: `format` is no format.
    """
    if format is not None:
        return _named(format)[0]
    said = _said_by(Path(place), is_named_folder=_is_named_folder(place))
    return said[0] if said is not None else None


def next_version(folder: Path) -> Path:
    """Return the path of the next numbered version in a folder, as TensorFlow Serving wants them; 1 in an empty one."""
    names = folder_names(folder) if is_folder(folder) else []
    return folder / str(max((int(name) for name in names if name.isdecimal()), default=0) + 1)


def own_place(model: Model) -> Path:
    """Return the target that stands for the source itself: the file or folder, of a checkpoint the prefix."""
    if model.traits.layout != "group" or model.checkpoint is None:
        return path_of(model.path)
    prefix = os.fspath(model.checkpoint.prefix)
    return Path(prefix) / ".index" if prefix.endswith("/") or not prefix else Path(prefix)


def _own_prefix(model: Model) -> str:
    """Return the name under which a model's checkpoint goes into a folder; `.index` stands for an empty one."""
    prefix = os.fspath(model.checkpoint.prefix) if model.checkpoint is not None else ""
    return os.path.basename(prefix) or ".index"


def require_free(model: Model, target: Target, *, force: bool, in_place: bool) -> None:
    """Refuse to touch what must stay.

    Raises:
        UsageError: the target is, holds, or lies in the source without `in_place`; or something is there already,
            and `force` is not given or what is there is of another kind.
        UnsupportedError: the source cannot be replaced by its own kind.
    """
    if in_place:
        if target.shape == "group" and model.checkpoint is not None and model.checkpoint.version == 1:
            hint = "give an output: it is written as version 2, in files of other names"
            raise UnsupportedError("a checkpoint of version 1 cannot be replaced", path=target.path, hint=hint)
        if not _touches_source(model, target):
            raise UsageError(
                "in place means that the source is replaced", path=target.path, hint="give no other output"
            )
        return
    if _touches_source(model, target):
        raise UsageError(
            "the output is the model that is read, or lies in it",
            path=target.path,
            hint=f"{AVOID}, or --in-place to replace the model",
        )
    there = existing(target)
    if not there:
        return
    if not force:
        raise UsageError("already exists", path=there[0], hint=EXISTS)
    _require_same_kind(target)


def existing(target: Target) -> list[Path]:
    """Return what lies where the target will be: the file, the folder unless it is empty, the files of a checkpoint."""
    if target.shape == "group":
        return checkpoint_files(target.path)
    if not exists(target.path) or (is_folder(target.path) and not folder_names(target.path)):
        return []
    return [target.path]


def checkpoint_files(prefix: Path) -> list[Path]:
    """Return the files of the V2 checkpoint of a prefix that are there: its index and data files."""
    folder, base = prefix.parent, basename(prefix)
    names = folder_names(folder) if is_folder(folder) else []
    return [folder / name for name in names if name.startswith(base) and _OF_CHECKPOINT.fullmatch(name[len(base) :])]


def basename(prefix: Path) -> str:
    """Return what the names of a checkpoint's files begin with; it may be empty."""
    return "" if prefix.name == ".index" else prefix.name


_WITHOUT_NAME = (".meta", ".index")  # what a Saver writes that is given a folder and no name


def _is_named_folder(place: str | os.PathLike[str]) -> bool:
    return os.fspath(place).endswith(("/", os.sep))


def _named(format: str) -> tuple[Format, bool | None]:
    options = registry.options()
    try:
        return options[format.replace("-", "_")]
    except KeyError:
        raise UsageError(f"{format!r} is no format", hint=f"one of {', '.join(options)}") from None


def _by_name(model: Model, path: Path, *, is_named_folder: bool) -> tuple[Format, bool | None]:
    """Return the format that a name says, and its form; None keeps the form of the source."""
    said = _said_by(path, is_named_folder=is_named_folder)
    if not is_named_folder and path.name not in _WITHOUT_NAME and registry.of_suffix(path.name) is not None:
        hint = f"put a name before it, or use {path.name}/ for a folder of that name"
        raise UsageError("is a suffix without a name", path=path, hint=hint)
    if said is None:
        is_alike = path.suffix == path_of(model.path).suffix or not _is_of_tensorflow(model)
        if is_alike and not model.traits.can_edit:
            raise _not_written(model.traits, path)
        if path.suffix in FOREIGN_SUFFIXES:
            raise UnsupportedError(f"a {path.suffix} file is not written here", path=path, hint=_way_to(model, path))
        raise _unknown_suffix(model, path)
    traits, is_text = said
    if traits.layout == "folder" and is_text is None and not _is_of_tensorflow(model):
        return model.traits, None
    if traits.layout == "group" and model.metagraphs:
        raise UsageError(
            f"is the name of {traits.a_title}, and a graph is to be written",
            path=path,
            hint="use .pb, .meta or no suffix; gs convert writes the variables alone",
        )
    return traits, None if traits == model.traits and path.suffix == path_of(model.path).suffix else is_text


def _said_by(path: Path, *, is_named_folder: bool) -> tuple[Format, bool | None] | None:
    """Return the format of a graph under a name, and whether it is text; None for a suffix that says nothing."""
    owner = None if is_named_folder else registry.of_entry(path.name)
    if owner is not None:
        return owner, owner.entries[path.name]
    suffix = ".meta" if path.name == ".meta" else path.suffix  # of a checkpoint with an empty name
    if is_named_folder or not suffix or suffix[1].isdigit():
        return registry.SAVED_MODEL, None
    return (registry.CHECKPOINT, None) if _CHECKPOINT_NAME.fullmatch(path.name) else registry.of_suffix(suffix)


def _unknown_suffix(model: Model, path: Path) -> UsageError:
    what = f"the suffix {path.suffix!r} says nothing about the format"
    if _is_of_tensorflow(model) or model.traits.layout == "group":
        traits = registry.SAVED_MODEL if _is_of_tensorflow(model) else model.traits
        files = "; .pb, .pbtxt or .meta for a file" if traits.holds_graph else ""
        where = f"{path}/ for a {'folder of that name' if traits.holds_graph else 'checkpoint in such a folder'}"
        return UsageError(
            what, path=path, hint=f"use {where}, or --format {min(traits.options or [traits.name])}{files}"
        )
    suffix = min(model.traits.suffixes, default="")
    option = min(model.traits.options or [model.traits.name])
    named = f"{path.with_suffix(suffix)}, or " if suffix else ""
    return UsageError(what, path=path, hint=f"use {named}--format {option}")


def _is_of_tensorflow(model: Model) -> bool:
    """Say whether a model can become a SavedModel as it is."""
    return (_speaks(model) or {model.traits.vocabulary}) <= registry.SAVED_MODEL.writes


def _require_convertible(model: Model, traits: Format, path: Path) -> None:
    if traits.holds_graph and model.traits.holds_graph and not model.metagraphs and model.checkpoint is not None:
        what = f"variables alone are to be written, which are no {traits.title}"
        raise UsageError(what, path=path, hint=f"use {path.with_suffix('')}.ckpt, or --format checkpoint")
    if not traits.can_write or (traits == model.traits and not traits.can_edit):
        raise _not_written(traits, path)
    if traits == model.traits or (model.metagraphs and traits.holds_graph and _speaks(model) <= traits.writes):
        if not traits.holds_several_graphs and len(model.metagraphs) > 1:
            raise UsageError(
                f"one {traits.title} cannot hold {len(model.metagraphs)} MetaGraphs",
                path=path,
                hint="choose with --tags",
            )
        return
    if not traits.holds_graph and model.checkpoint is not None:
        return
    why = "; it has no variables" if not traits.holds_graph and model.metagraphs else ""
    hint = model.traits.edit_with or _way_to(model, path)
    raise UnsupportedError(f"{model.traits.a_title} cannot be written as {traits.a_title}{why}", path=path, hint=hint)


def _way_to(model: Model, path: Path) -> str:
    """Say which commands lead from a model to arrays or to what another framework takes; empty where none do."""
    if not model.metagraphs and model.checkpoint is not None and path.suffix in _ARRAYS:
        first = shlex.quote(f"{path.with_suffix('.ckpt')}")
        return f"-o {first} writes a checkpoint, and gs convert {first} {shlex.quote(str(path))} makes it"
    if not model.metagraphs or not _is_of_tensorflow(model) or not path.suffix:
        return ""
    if path.suffix in _ARRAYS:
        return f"gs convert {shlex.quote(model.path)} {shlex.quote(str(path))} writes the weights alone"
    folder = f"{path.with_suffix('')}/"
    first = f"-o {shlex.quote(folder)} writes a SavedModel"
    if not any(not key.startswith(_INTERNAL) for one in model.metagraphs for key in one.signatures):
        source, made = shlex.quote(model.path), shlex.quote(folder)
        first = f"gs add-signature {source} --output KEY=TENSOR -o {made} makes a SavedModel"
    if path.suffix in _KERAS:
        return f"{first}, which keras.layers.TFSMLayer takes"
    file = path if path.suffix in _CONVERTED else path.with_suffix(".onnx")
    made = "it" if file is path else "what other frameworks read"
    return f"{first}, and gs convert {shlex.quote(folder)} {shlex.quote(str(file))} makes {made}"


def _not_written(traits: Format, path: Path) -> GraphSurgeonError:
    what = "that is read is not changed here" if traits.can_write else "is read here and not written"
    return traits.refuse(what, hint=traits.edit_with).at(path)


def _speaks(model: Model) -> set[Vocabulary]:
    """Return the vocabularies of a model's graphs."""
    return {metagraph.vocabulary for metagraph in model.metagraphs}


def _is_lone_protobuf(model: Model, path: Path) -> bool:
    """Say whether the source is a SavedModel message in a file of any name, and the target such a file too."""
    source = path_of(model.path)
    return (
        model.traits.layout == "folder"
        and is_file(source)
        and source.suffix == path.suffix != ""
        and path.name not in model.traits.entries
    )


def _touches_source(model: Model, target: Target) -> bool:
    """Say whether a target is a file of the source, or holds one, or lies in the source's folder."""
    sources = [file_of(path_of(file)) for file in model.files]
    if is_folder(path_of(model.path)) and model.traits.layout == "folder":
        sources = [path_of(model.path)]  # its files are named from there
        if lies_in(target.path, path_of(model.path)):
            return True
    if target.shape == "group":
        return any(same_file(file, source) for file in checkpoint_files(target.path) for source in sources)
    real = Path(os.path.realpath(target.path))
    if target.shape == "folder":
        return any(Path(os.path.realpath(source)).is_relative_to(real) for source in sources)
    return any(same_file(target.path, source) for source in sources)


def lies_in(path: Path, folder: Path) -> bool:
    """Say whether a path is a folder or leads into it, links followed."""
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def same_file(first: Path, second: Path) -> bool:
    """Say whether two paths lead to one file or folder."""
    try:
        return os.path.samefile(first, second)
    except OSError:
        return False


def _require_same_kind(target: Target) -> None:
    if target.shape == "folder":
        _require_same_folder(target.path, target.traits)
        return
    if target.shape == "group":
        return
    if is_folder(target.path):
        raise UsageError("is a folder, and a file is to be written", path=target.path, hint=AVOID)
    found = _format_of(target.path)
    if target.member:
        _require_same_bundle(target, found)
    elif found != target.traits:
        what = f"is {found.a_title}" if found is not None else "is no model"
        raise UsageError(
            f"{what}; --force replaces only {target.traits.a_title}", path=target.path, hint="remove it yourself"
        )


def _require_same_bundle(target: Target, found: Format | None) -> None:
    if found is None or not found.holds_models:
        what = "is no bundle; --force replaces only one"
        raise UsageError(what, path=target.path, hint="remove it yourself")


def _format_of(path: Path) -> Format | None:
    from graphsurgeon.formats.recognise import locate

    try:
        return registry.of_kind(locate.kind(open_source(path)))
    except GraphSurgeonError:
        return None


def _require_same_folder(folder: Path, traits: Format) -> None:
    if not is_folder(folder):
        raise UsageError("is a file, and a folder is to be written", path=folder, hint=AVOID)
    try:
        names = set(folder_names(folder))
    except FileError as error:
        raise error.at(folder) from error
    unknown = sorted(name for name in names - traits.folder_parts if not is_temporary(name))
    if not names & traits.entries.keys() or unknown:
        found = f"holds {unknown[0]!r}" if unknown else f"holds no {traits.title}"
        raise UsageError(
            f"{found}; --force replaces only {traits.a_title} and nothing else", path=folder, hint="remove it yourself"
        )
