"""Configurations of Keras models: layers that hold code (Lambda), modules that are imported, files that are read.

A configuration is JSON; nothing of it is made an object of. What loading does with it: `keras.models.load_model`
imports the `module` of each object and calls what it names there (unless it is Keras's own), decodes and unmarshals the
byte code of Lambda layers (Keras 3 refuses that in its safe mode), and lets layers read the vocabularies they name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from graphsurgeon.disk.files import SourceFile
from graphsurgeon.encoding.protowire import fields
from graphsurgeon.errors import FormatError
from graphsurgeon.formats.savedmodel.keras_metadata import MOST as MOST_METADATA
from graphsurgeon.scanning.files import archives, keras_objects
from graphsurgeon.scanning.finding import Threat

_DEEPEST = 60  # JSON in JSON in strings
_MOST_STEPS = 2_000_000  # values of one configuration, so that a hostile one ends
_OBJECT = re.compile(rb'\{\s*"[^"\\\0-\x1f]{1,100}"\s*:')
_LAMBDA = re.compile(rb'"class_name"\s*:\s*"(?:Lambda|__lambda__)"')
MOST_BYTES = 256 << 20  # of a configuration
_WINDOW = 1 << 16  # bytes that are tried first; a configuration that is longer is tried again


def in_archive(data: SourceFile | bytes, where: str = "") -> Iterator[Threat]:
    """Yield what a `.keras` archive holds."""
    archive = archives.opened(data)
    if archive is None:
        yield _unseen("the archive is broken", where)
        return
    yield from archives.threats(archive, where or "archive", (".h5",))
    configs = [_json_of(archive, entry) for entry in archive.entries if entry.name == "config.json"]
    if None in configs or not configs:
        yield _unseen("config.json is missing or no JSON", where)
    for config in configs:  # of several that have one name the last one counts
        yield from in_config(config, where) if config is not None else ()


def _json_of(archive: archives.OpenArchive, entry: archives.PackedFile) -> object:
    try:
        return json.loads(archive.content(entry) or b"")
    except (ValueError, RecursionError):
        return None


def in_metadata(source: SourceFile, name: str) -> Iterator[Threat]:
    """Yield what the configurations of layers hold in a `keras_metadata.pb`, which Keras 2 reads with a SavedModel."""
    if source.size > MOST_METADATA:
        yield Threat("medium", None, "the metadata of Keras is too large to be looked into", name)
        return
    data = source.whole().read()
    try:
        nodes = [node for _, node in fields(data) if isinstance(node, bytes)]
        texts = [text for node in nodes for _, text in fields(node) if isinstance(text, bytes) and text[:1] == b"{"]
    except FormatError:
        texts = [data]
    for text in texts:
        yield from in_bytes(text, name)


def in_bytes(data: bytes, where: str = "") -> Iterator[Threat]:
    """Yield what the configurations hold that lie somewhere in a file (HDF5 keeps each in one piece)."""
    end = seen = spent = 0
    for match in _OBJECT.finditer(data):
        if match.start() < end:
            continue
        config, length, tried = _decoded(data, match.start())
        spent += tried
        if spent > 8 * len(data) + _WINDOW * 64:  # pieces of JSON that begin over and over and never end
            yield _unseen("its configuration is damaged", where)
            break
        if config is not None:
            end = match.start() + length
            seen += len(_LAMBDA.findall(data, match.start(), end))
            yield from in_config(config, where)
    if len(_LAMBDA.findall(data)) > seen:
        what = "holds a Lambda layer, whose code could not be looked into"
        yield Threat("high", "Lambda", what, where or "config", "load", None, "code")


def _decoded(data: bytes, start: int) -> tuple[object, int, int]:
    """Return the JSON object that begins somewhere, how many bytes it takes, and how many were tried; None for none."""
    stop = data.find(b"\0", start, start + MOST_BYTES)
    limit = (stop if stop >= 0 else min(len(data), start + MOST_BYTES)) - start
    size = tried = 0
    while size < limit:
        size = min(limit, max(_WINDOW, size * 16))
        text = data[start : start + size].decode("utf-8", "replace")
        tried += size
        try:
            config, length = json.JSONDecoder().raw_decode(text)
        except json.JSONDecodeError as error:
            if error.pos < len(text) - 64 and not error.msg.startswith("Unterminated"):
                return None, 0, tried  # wrong before the window ends: more of it would not help
        except RecursionError:
            return None, 0, tried
        else:
            return config, len(text[:length].encode("utf-8")), tried
    return None, 0, tried


def in_config(config: object, where: str = "") -> Iterator[Threat]:
    """Yield what one configuration asks for when it is loaded."""
    waiting: list[tuple[object, tuple[str, ...], str]] = [(config, tuple(filter(None, (where,))), "")]
    steps = 0
    while waiting:
        item, way, kind = waiting.pop()
        steps += 1
        if steps > _MOST_STEPS or len(way) > _DEEPEST:
            yield _unseen("the configuration is too large or too deep", where)
            return
        if isinstance(item, dict):
            yield from keras_objects.threats(item, way)
            yield from keras_objects.read_by(item, kind, way)
            if isinstance(item.get("class_name"), str):
                inner, kind = item.get("config"), item["class_name"]
                way = (*way, str((inner.get("name") if isinstance(inner, dict) else None) or kind))
            waiting += [(value, way, kind) for key, value in item.items() if _is_left(key, value)]
        elif isinstance(item, list):
            waiting += [(value, way, kind) for value in item if isinstance(value, dict | list | str)]
        elif isinstance(item, str):
            yield from _text(item, way)


def _is_left(key: str, value: object) -> bool:
    """Say whether a value is looked into; the names of files that loading reads are told already."""
    return isinstance(value, dict | list) or (isinstance(value, str) and key not in keras_objects.READS)


def _text(text: str, way: tuple[str, ...]) -> Iterator[Threat]:
    if text[:1] in "{[" and len(text) > 2:
        try:
            inner = json.loads(text)  # a configuration inside a string, as Keras nests them
        except (ValueError, RecursionError):
            return
        if isinstance(inner, dict | list):
            yield from in_config(inner, " > ".join(way))
    elif text.startswith("file://"):
        yield keras_objects.threat("high", None, "names a file of the machine, which loading may read", way, text)
    elif re.match(r"[a-z][a-z0-9+.-]{1,15}://", text) and not text.startswith(("http://www.", "https://www.")):
        yield keras_objects.threat("medium", None, "names an address, which loading may ask", way, text)


def _unseen(why: str, where: str) -> Threat:
    return Threat("medium", None, f"could not be looked into: {why}", where or "config", "load", None, "unseen")
