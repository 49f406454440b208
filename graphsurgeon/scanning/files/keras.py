"""Configurations of Keras models: layers that hold code (Lambda), modules that are imported, files that are read.

A configuration is JSON; nothing of it is made an object of. What loading does with it: `keras.models.load_model`
imports the `module` of each object and calls what it names there (unless it is Keras's own), decodes and unmarshals the
byte code of Lambda layers (Keras 3 refuses that in its safe mode), and lets layers read the vocabularies they name.
"""

from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Iterator

from graphsurgeon.disk.files import SourceFile
from graphsurgeon.encoding.protowire import fields
from graphsurgeon.errors import FormatError
from graphsurgeon.formats.savedmodel.keras_metadata import MOST as MOST_METADATA
from graphsurgeon.scanning.files import archives
from graphsurgeon.scanning.files.pickles import RUNNERS
from graphsurgeon.scanning.finding import Severity, Threat

_OWN = (
    "keras",
    "keras_hub",
    "keras_nlp",
    "keras_cv",
    "keras_core",
    "keras_tuner",
    "tf_keras",
    "tensorflow",
    "builtins",
)
# Functions of these packages that do more than compute, when a configuration names them as a function.
_REACHING = {"get_file", "load_model", "load_weights", "save_model", "load_img", "image_dataset_from_directory"}
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
    member = next((item for item in archive.infolist() if item.filename == "config.json"), None)
    config = _json_of(archive, member) if member is not None else None
    if config is None:
        yield _unseen("config.json is missing or no JSON", where)
    else:
        yield from in_config(config, where)


def _json_of(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> object:
    try:
        return json.loads(archives.content(archive, member) or b"")
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
    waiting: list[tuple[object, tuple[str, ...]]] = [(config, tuple(filter(None, (where,))))]
    steps = 0
    while waiting:
        item, way = waiting.pop()
        steps += 1
        if steps > _MOST_STEPS or len(way) > _DEEPEST:
            yield _unseen("the configuration is too large or too deep", where)
            return
        if isinstance(item, dict):
            yield from _object(item, way)
            inner = item.get("config")
            name = inner.get("name") if isinstance(inner, dict) else None
            deeper = (*way, str(name or item["class_name"])) if isinstance(item.get("class_name"), str) else way
            waiting += [(value, deeper) for key, value in item.items() if isinstance(value, dict | list | str)]
        elif isinstance(item, list):
            waiting += [(value, way) for value in item if isinstance(value, dict | list | str)]
        elif isinstance(item, str):
            yield from _text(item, way)


def _object(item: dict[str, object], way: tuple[str, ...]) -> Iterator[Threat]:
    kind, module, config = item.get("class_name"), item.get("module"), item.get("config")
    registered = item.get("registered_name")
    if kind == "Lambda" and isinstance(config, dict):
        yield _lambda(config, way)
    elif kind == "__lambda__":
        yield _threat("high", "Lambda", "holds Python byte code, which loading unpacks and a call runs", way)
    elif isinstance(module, str) and isinstance(kind, str) and not _is_own(module):
        what = "imports a Python module and calls what it names there"
        yield _threat(_of_module(module), kind, what, way, f"{module}.{kind}")
    elif kind == "function" and isinstance(config, str) and config.rpartition(".")[2] in _REACHING:
        yield _threat("high", config, "calls a function that reaches files or the network", way, config)
    elif isinstance(registered, str) and ">" in registered and not _is_own(registered.partition(">")[0]):
        what = "a custom class or function, which whoever loads the model must bring"
        yield _threat("medium", registered, what, way, None)
    for key in ("vocabulary", "vocabulary_file", "origin", "cache_dir"):
        value = config.get(key) if isinstance(config, dict) else None
        if isinstance(value, str) and value and "://" not in value:
            yield _threat("high", str(kind), "reads a file when it is loaded", way, value)


def _of_module(module: str) -> Severity:
    """Return how bad it is to import a module: one that runs programs, another, or that of the program itself."""
    if module.partition(".")[0] in RUNNERS or module in RUNNERS:
        return "critical"
    return "medium" if module == "__main__" else "high"


def _lambda(config: dict[str, object], way: tuple[str, ...]) -> Threat:
    name = str(config.get("name") or "lambda")
    function = config.get("function")
    is_code = config.get("function_type") == "lambda" or isinstance(function, list)
    if isinstance(function, dict):
        is_code = function.get("class_name") == "__lambda__" or is_code
    elif config.get("function_type") not in ("function", "raw") and isinstance(function, str):
        is_code = is_code or len(function) > 200
    if is_code:
        return _threat("high", "Lambda", "holds Python byte code, which loading unpacks and a call runs", (*way, name))
    what = "calls a Python function by name, which whoever loads the model must bring"
    target = function if isinstance(function, str) else function.get("config") if isinstance(function, dict) else None
    return _threat("medium", "Lambda", what, (*way, name), target if isinstance(target, str) else None)


def _text(text: str, way: tuple[str, ...]) -> Iterator[Threat]:
    if text[:1] in "{[" and len(text) > 2:
        try:
            inner = json.loads(text)  # a configuration inside a string, as Keras nests them
        except (ValueError, RecursionError):
            return
        if isinstance(inner, dict | list):
            yield from in_config(inner, " > ".join(way))
    elif text.startswith("file://"):
        yield _threat("high", None, "names a file of the machine, which loading may read", way, text)
    elif re.match(r"[a-z][a-z0-9+.-]{1,15}://", text) and not text.startswith(("http://www.", "https://www.")):
        yield _threat("medium", None, "names an address, which loading may ask", way, text)


def _is_own(module: str) -> bool:
    root = module.partition(".")[0]
    return root in _OWN or (module in ("", "Custom") and root != "Custom")


def _threat(severity: Severity, op: str | None, what: str, way: tuple[str, ...], target: str | None = None) -> Threat:
    return Threat(severity, op, what, " > ".join(way) or "config", "load", target, "code")


def _unseen(why: str, where: str) -> Threat:
    return Threat("medium", None, f"could not be looked into: {why}", where or "config", "load", None, "unseen")
