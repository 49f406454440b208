"""A SavedModel directory: `saved_model.pb` or `.pbtxt`, variables, assets, and files that are only carried along.

Source: `tensorflow/core/protobuf/saved_model.proto` and the loaders; facts in `docs/formats.md`.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from graphsurgeon.disk.files import Rope, SourceFile, contained, exists, file_sizes, is_file, is_folder, open_source
from graphsurgeon.disk.places import path_of
from graphsurgeon.encoding import protowire
from graphsurgeon.errors import FileError, FormatError
from graphsurgeon.formats import registry, schema
from graphsurgeon.formats.graph import metagraph
from graphsurgeon.formats.graph.protobuf import protofile
from graphsurgeon.formats.graph.protobuf.protofile import ProtoFile
from graphsurgeon.formats.savedmodel import keras_metadata
from graphsurgeon.formats.savedmodel.parts import ASSETS, BINARY, DEBUG, TEXT
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.model import Model

MESSAGE = "SavedModel"
_META_GRAPHS = 2  # number of the field


class SavedModelSource:
    """What was read: the protobuf and where the folder is.

    Attributes:
        file: the parsed `saved_model.pb` (or text); None for a model that comes from elsewhere.
        folder: the directory.
    """

    __slots__ = ("file", "folder")

    def __init__(self, file: ProtoFile | None, folder: Path) -> None:
        self.file = file
        self.folder = folder


def read(path: Path, *, force_text: bool = False) -> Model:
    """Read a SavedModel.

    Args:
        path: the directory, or its `saved_model.pb` or `.pbtxt`, under any name.
        force_text: see `protofile.parse_text`.

    Raises:
        FormatError: the protobuf is damaged.
        FileError: a file is missing or unreadable.
    """
    source, folder = _open(path)
    is_text = not _looks_binary(source)
    reader = protofile.read(source, MESSAGE, is_text=is_text, force_text=force_text)
    if not reader.message.meta_graphs:
        raise FormatError("a SavedModel without a MetaGraph", path=source.path)
    model = Model(registry.SAVED_MODEL, str(path), SavedModelSource(reader, folder))
    model.notes = reader.notes
    model.metagraphs = [metagraph.lift_metagraph(message, reader.payloads) for message in reader.message.meta_graphs]
    has_folder = source.path.name in (BINARY, TEXT)
    model.files = file_sizes(folder) if has_folder else {str(source.path): source.size}
    model.checkpoint = _read_variables(folder, model) if has_folder else None
    model.notes += [*_outside(folder, model), *_keras(folder)] if has_folder else []
    for graph in model.metagraphs if has_folder else ():
        graph.raw.read_asset = lambda name: _read_asset(folder, name)  # type: ignore[union-attr]
        graph.raw.has_debug_folder = is_folder(folder / DEBUG)  # type: ignore[union-attr]
    return model


def _keras(folder: Path) -> list[str]:
    """Say what Keras tells of the model, where its file lies in the folder and can be read."""
    if not is_file(folder / keras_metadata.NAME):
        return []
    try:
        said = keras_metadata.described(open_source(contained(folder, keras_metadata.NAME)))
    except FileError:
        return []
    return [said] if said else []


def lower(model: Model, *, text: bool | None = None) -> dict[str, Rope]:
    """Return the pieces of the protobuf by file name; variables and assets are carried by the caller.

    Args:
        text: write `saved_model.pbtxt`; None keeps the form of the source.
    """
    file = model.raw.file if isinstance(model.raw, SavedModelSource) else None
    is_text = protofile.as_text(file, text)
    payloads = metagraph.payloads_of(model.metagraphs[0])
    rope = protofile.lower(_serialize(model, file), MESSAGE, file, payloads, is_text=is_text)
    return {TEXT if is_text else BINARY: rope}


def _serialize(model: Model, file: ProtoFile | None) -> bytes:
    if file is not None:
        around = protowire.without(file.message.SerializeToString(deterministic=True), (_META_GRAPHS,))
    else:
        around = schema.message("tensorflow.SavedModel")(saved_model_schema_version=1).SerializeToString()
    return protowire.insert(around, _META_GRAPHS, (metagraph.serialize_metagraph(graph) for graph in model.metagraphs))


def _open(path: Path) -> tuple[SourceFile, Path]:
    if not is_folder(path):
        return open_source(path), path.parent
    for name in (BINARY, TEXT):
        if exists(path / name):
            return open_source(contained(path, name)), path
    raise FileError(f"holds neither {BINARY} nor {TEXT}", path=path)


def _looks_binary(source: SourceFile) -> bool:
    """Say whether the file starts like a binary SavedModel: field 1 a varint, or field 2 length-delimited."""
    head = source.read_at(0, min(source.size, 1))
    return head in (b"\x08", b"\x12", b"")


def _read_asset(folder: Path, name: str) -> bytes:
    return open_source(contained(folder / ASSETS, name, folder)).whole().read()


def require_inside(folder: Path, names: Iterable[str]) -> None:
    """Refuse assets that are not below the model's folder.

    Raises:
        FormatError: a name, or a link on its way, leads outside.
    """
    for name in names:
        contained(folder / ASSETS, name, folder)


def require_contained(model: Model) -> None:
    """Refuse a SavedModel of which a loader would read what lies outside its folder; others pass.

    Raises:
        FormatError: a name, or a link, leads outside.
    """
    folder = path_of(model.path)
    if model.traits.holds_assets and is_folder(folder):
        for name in model.files:
            contained(folder, name)
        require_inside(folder, [name for graph in model.metagraphs for name in metagraph.asset_names(graph)])


def _outside(folder: Path, model: Model) -> list[str]:
    """Say which assets lead outside the model's folder, one line each."""
    names = dict.fromkeys(name for graph in model.metagraphs for name in metagraph.asset_names(graph))
    return [f"asset {name}: {why}" for name in names if (why := _why_outside(folder, name))]


def _why_outside(folder: Path, name: str) -> str:
    try:
        require_inside(folder, [name])
    except FormatError as error:
        return error.message
    return ""


def _read_variables(folder: Path, model: Model) -> Checkpoint | None:
    from graphsurgeon.formats.checkpoint import find as checkpoint

    try:
        return checkpoint.find_variables(folder)
    except FileError as error:
        model.unreadable = f"its variables cannot be read: {error}"
        model.notes.append(model.unreadable)
        return None
