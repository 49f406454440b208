"""Files that are no model of TensorFlow, and what they could do to whoever loads them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextvars import ContextVar
from dataclasses import replace
from functools import cache
from pathlib import Path, PurePosixPath

from graphsurgeon.disk.bundles import gzips
from graphsurgeon.disk.bundles.inside import kind_of
from graphsurgeon.disk.files import SourceFile, exists, is_folder, open_source
from graphsurgeon.encoding.hdf5.image import SIGNATURE
from graphsurgeon.errors import FormatError, GraphSurgeonError, UnsupportedError
from graphsurgeon.formats import registry
from graphsurgeon.formats.bundle import models_in
from graphsurgeon.formats.recognise import locate
from graphsurgeon.formats.recognise.foreign import FOREIGN, error
from graphsurgeon.formats.stablehlo.calls import calls_of
from graphsurgeon.scanning.files import archives, hdf5_links, keras, pickles
from graphsurgeon.scanning.finding import Severity, Threat
from graphsurgeon.scanning.modules import verdict_of

_MOST_BYTES = 1 << 30  # of a file that is looked through
_MOST_MEMBER = 256 << 20  # of a member of an archive
_ARRAY_HEAD = 1 << 16  # of an array; one of objects begins with its pickle
_ARRAY = b"\x93NUMPY"
_ZIP = b"PK\x03\x04"
_PICKLES = (".pkl", ".pickle", ".pck", ".joblib", ".dill")
_LOOKED_INTO = (".pb", ".pbtxt", ".meta", ".tflite", ".h5", ".hdf5", ".keras", *_PICKLES)
_OBJECTS = re.compile(rb"""['"][<>=|]?(?:O\d*|[Oo]bject\w*)['"]""")  # types of elements that are Python objects
_DEEPEST = 4  # archives in archives
_TOO_DEEP = f"archives in archives, more than {_DEEPEST} deep, could not be looked into"
_depth: ContextVar[int] = ContextVar("archives around this one", default=0)
_MOST_UNMARKED = 16 << 20  # bytes of a file without a mark in which a pickle is looked for


def kind(path: Path) -> str | None:
    """Return what a file is that is looked at here; None for a model that is read, and for folders."""
    if is_folder(path) or not exists(path):
        return None
    source = open_source(path)
    found = locate.kind(source) if source.size else None
    if found == "mmdnn" and source.read_at(0, len(_ARRAY)) == _ARRAY:
        return "npy"  # weights of MMdnn are a pickle
    if (found is None or _looks().get(found) == "no model") and _is_pickle(source, path.suffix):
        return "pickle"
    if found is None or _looks().get(found) in _WAYS:
        return found
    is_read = registry.of_kind(found) is not None
    return found if found in FOREIGN and not is_read and found not in _IN_FOLDERS else None


def threats(path: Path, kind: str) -> Iterator[Threat]:
    """Yield what a file of another kind could do.

    Raises:
        FileError: it cannot be read.
        UnsupportedError: it is no model, nor anything that holds one.
    """
    way = _looks().get(kind, "")
    if way == "no model":
        raise error(kind, path)
    source = open_source(path)
    if source.size > _MOST_BYTES and way not in ("zip", "bundle"):
        yield Threat("medium", None, "too large to be looked into", path.name, "unknown", None, "unseen")
    elif way in _WAYS:
        yield from _WAYS[way](source, path.name)
    elif way != "inert":
        what = f"{FOREIGN[kind][0]}, which could not be looked into"
        yield Threat("medium", None, what, path.name, "unknown", None, "unseen")


def _is_pickle(source: SourceFile, suffix: str) -> bool:
    """Say whether a file that nothing tells by its first bytes is a pickle: one of an early protocol, or named so."""
    if not 0 < source.size <= _MOST_UNMARKED:
        return False
    return suffix in _PICKLES or pickles.is_one(source.whole().read())


def is_looked_into(path: Path, head: bytes) -> bool:
    """Say whether a file beside a model may be a model, an archive or a pickle, by its name or its first bytes."""
    return path.suffix in _LOOKED_INTO or head.startswith((_ARRAY, _ZIP, gzips.MARK, SIGNATURE))


@cache
def _looks() -> dict[str, str]:
    """Return how a file is looked at, by what it is (`containers.tsv`)."""
    lines = Path(__file__).with_name("containers.tsv").read_text("utf-8").splitlines()[1:]
    return dict(line.split("\t") for line in lines)


def _keras(source: SourceFile, name: str) -> Iterator[Threat]:
    yield from keras.in_archive(source)
    archive = archives.opened(source)
    if archive is None:
        return
    yield from members(archive, name, (".npz", *_PICKLES))
    for entry in archive.entries[: archives.MOST_MEMBERS]:
        if entry.name.endswith(".h5") and entry.size <= _MOST_MEMBER and archive.content(entry, 8) == SIGNATURE:
            where = f"{name} > {entry.name}"
            yield from hdf5_links.threats(archive.content(entry, entry.size) or b"", where)


def _hdf5(source: SourceFile, name: str) -> Iterator[Threat]:
    yield from keras.in_bytes(source.whole().read())
    yield from hdf5_links.threats(source, name)


def _pickle(source: SourceFile, name: str) -> Iterator[Threat]:
    yield from pickles.threats(source.whole().read(), name)


def _zip(source: SourceFile, name: str, looked_into: tuple[str, ...] = _LOOKED_INTO) -> Iterator[Threat]:
    archive = archives.opened(source, tar=kind_of(source) == "tar")
    if archive is None:
        yield Threat(
            "medium", None, "an archive that could not be looked into: it is broken", name, "unknown", None, "unseen"
        )
        return
    yield from archives.threats(archive, name, (".pkl", ".storage"))
    yield from members(archive, name, looked_into)


def _gzip(source: SourceFile, name: str) -> Iterator[Threat]:
    """Yield what the file could do that gzip has packed, under its name without `.gz`."""
    inner = name.removesuffix(".gz")
    try:
        held = gzips.unpacked(source, _MOST_MEMBER)
    except FormatError as failure:
        what = f"a packed file that could not be looked into: {failure.message}"
        yield Threat("medium", None, what, name, "unknown", None, "unseen")
        return
    yield from _model(inner, held.whole().read(), f"{name} > {inner}")


def members(archive: archives.OpenArchive, name: str, looked_into: tuple[str, ...] = _LOOKED_INTO) -> Iterator[Threat]:
    """Yield what members of an archive could do: those with some suffixes, and arrays of NumPy whatever their name."""
    left = _MOST_BYTES
    for entry in archive.entries[: archives.MOST_MEMBERS]:
        suffix = PurePosixPath(entry.name).suffix
        head = (archive.content(entry, len(_ARRAY)) or b"") if not entry.is_folder else b""
        is_array, is_archive = head == _ARRAY, head.startswith(_ZIP) and bool(looked_into)
        if entry.is_folder or not (is_array or is_archive or suffix in looked_into):
            continue
        where = f"{name} > {entry.name}"
        size = min(entry.size, _ARRAY_HEAD) if is_array else entry.size
        left -= size
        data = archive.content(entry, size) if left >= 0 and size <= _MOST_MEMBER else None
        if data is None:
            yield Threat("medium", None, "a member that could not be looked into", where, "unknown", None, "unseen")
        elif is_array:
            yield from _array(data, where)
        elif suffix in _PICKLES:
            yield from pickles.threats(data, where)
        elif suffix != ".npy":  # NumPy reads it as plain bytes
            yield from _model(PurePosixPath(entry.name).name, data, where)


def _bundle(source: SourceFile, name: str) -> Iterator[Threat]:
    """Yield what the members of a ZIP could do when they are unpacked, and what the models in any bundle could do."""
    is_archive = kind_of(source) in ("zip", "tar")
    try:
        models = models_in(source.path)
    except GraphSurgeonError:
        if not is_archive:
            raise
        yield from _zip(source, name)  # careless unpackers take it, readers here do not
        return
    if is_archive:
        yield from _zip(source, name, ())
        archive = archives.opened(source, tar=kind_of(source) == "tar")
        if archive is not None and _is_deeper(archive, _DEEPEST):
            yield Threat("medium", None, _TOO_DEEP, name, "unknown", None, "unseen")
    yield from _in_bundle(source.path, models, name)


def _is_deeper(archive: archives.OpenArchive, left: int) -> bool:
    """Say whether archives lie in archives deeper than some levels."""
    for entry in archive.entries[: archives.MOST_MEMBERS]:
        if entry.is_folder or archive.content(entry, len(_ZIP)) != _ZIP:
            continue
        inner = archives.opened(archive.content(entry) or b"")
        if inner is not None and (not left or _is_deeper(inner, left - 1)):
            return True
    return False


def _in_bundle(bundle: Path, models: list[Path], name: str) -> Iterator[Threat]:
    """Scan the models in a bundle, and in bundles within it, where they lie."""
    from graphsurgeon.scanning.scan import scan

    for model in models:
        where = f"{name} > {model.relative_to(bundle).as_posix()}"
        try:
            found = scan(model).findings
        except GraphSurgeonError as failure:
            what = f"a model in an archive that could not be looked into: {failure.message}"
            yield Threat("medium", None, what, where, "unknown", None, "unseen")
            continue
        yield from (replace(threat, where=f"{where} > {threat.where}") for threat in found)


def _model(name: str, data: bytes, where: str) -> Iterator[Threat]:
    """Scan a model, or an archive, that lies in an archive."""
    from graphsurgeon.scanning.scan import scan

    if _depth.get() >= _DEEPEST:
        yield Threat("medium", None, _TOO_DEEP, where, "unknown", None, "unseen")
        return
    before = _depth.set(_depth.get() + 1)
    try:
        with archives.unpacked(name, data) as path:
            found = scan(path).findings
    except GraphSurgeonError as failure:
        what = f"a model in an archive that could not be looked into: {failure.message}"
        found = (Threat("medium", None, what, "", "unknown", None, "unseen"),)
    finally:
        _depth.reset(before)
    yield from (replace(threat, where=" > ".join(filter(None, (where, threat.where)))) for threat in found)


def _array(data: bytes, where: str) -> Iterator[Threat]:
    """Yield the pickle that a NumPy array of objects is."""
    if not data.startswith(b"\x93NUMPY") or len(data) < 12:
        return
    size, at = (
        (int.from_bytes(data[8:10], "little"), 10) if data[6] == 1 else (int.from_bytes(data[8:12], "little"), 12)
    )
    if _OBJECTS.search(data[at : at + size]):
        yield from pickles.threats(data[at + size :], where)


def _npy(source: SourceFile, name: str) -> Iterator[Threat]:
    yield from _array(source.whole().read(), name)


def _module(source: SourceFile, name: str) -> Iterator[Threat]:
    """Yield what a module of StableHLO calls outside itself; it runs when somebody calls it."""
    try:
        calls = calls_of(source.whole().read())
    except UnsupportedError as error:
        yield Threat("medium", None, f"could not be looked into: {error.message}", name, "unknown", None, "unseen")
        return
    if not calls.is_complete:
        what = "a module that calls native code by names that could not be read"
        yield Threat("high", None, what, name, "unknown", None, "code")
    for target in sorted(calls.targets):
        verdict, what = verdict_of(target)
        severity: Severity = {"known": "info", "compiled": "medium"}.get(verdict, "high")  # type: ignore[assignment]
        yield Threat(severity, "custom_call", what, name, "unknown", target, "code", targets=(target,))


_IN_FOLDERS = ("fingerprint",)  # what belongs to a SavedModel and is looked at with it
_WAYS: dict[str, Callable[[SourceFile, str], Iterator[Threat]]] = {
    "archive": _keras,
    "texts": _hdf5,
    "pickle": _pickle,
    "zip": _zip,
    "bundle": _bundle,
    "gzip": _gzip,
    "array": _npy,
    "module": _module,
    "metadata": keras.in_metadata,
}
