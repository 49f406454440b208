"""Every way out of TensorFlow's formats: one record. The command and the function ask here which one is meant."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from graphsurgeon.bridges.child import require_extra
from graphsurgeon.bridges.converting.request import ConversionReport, Request
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats import registry
from graphsurgeon.formats.recognise.locate import locate
from graphsurgeon.model.format import TENSORFLOW, TFLITE, Format, Vocabulary


@dataclass(frozen=True, kw_only=True)
class Converter:
    """A way out.

    Attributes:
        name: what `--format` calls what is written.
        title: what messages call it, behind its article: "an ONNX model".
        suffixes: of targets; "" stands for a folder.
        sources: vocabularies of the graphs that it takes.
        extras: without which it cannot work.
        function: "module:function" below `graphsurgeon.bridges.converting`, imported when needed; or the function. It
            takes a `Request` and returns a `ConversionReport`.
        settings: names of what it can be told beside what all are told, such as "opset" -> the option of the command.
    """

    name: str
    title: str
    suffixes: frozenset[str]
    sources: frozenset[Vocabulary]
    extras: tuple[str, ...]
    function: str | Callable[[Request], ConversionReport]
    settings: Mapping[str, str]

    def carry_out(self, request: Request) -> ConversionReport:
        """Convert a model.

        Raises:
            UnsupportedError: an extra is missing, or the model has what the target cannot have.
            UsageError: a setting is not one of this converter, or a name does not exist.
        """
        for name in request.settings.keys() - self.settings.keys():
            raise UsageError(f"{name!r} is no setting of a conversion to {self.title}")
        for extra in self.extras:
            require_extra(extra, f"making {self.title}")
        return _function_of(self)(request)


ONNX = Converter(
    name="onnx",
    title="an ONNX model",
    suffixes=frozenset((".onnx",)),
    sources=frozenset((TENSORFLOW, TFLITE)),
    extras=("tf2onnx",),
    function="to_onnx:convert",
    settings={"opset": "--opset"},
)
TFLITE_FILE = Converter(
    name="tflite",
    title="a TFLite model",
    suffixes=frozenset((".tflite",)),
    sources=frozenset((TENSORFLOW,)),
    extras=("tensorflow",),
    function="to_tflite:convert",
    settings={
        "quantize": "--quantize",
        "calibrate": "--calibrate",
        "int8_io": "--int8-io",
        "select": "--select-tf-ops",
        "batch": "--batch",
    },
)
KERAS_FILE = Converter(
    name="saved_model",
    title="a SavedModel",
    suffixes=frozenset(("",)),
    sources=frozenset(("keras",)),
    extras=("tensorflow",),
    function="from_keras:convert",
    settings={},
)
_converters: dict[str, Converter] = {record.name: record for record in (ONNX, TFLITE_FILE, KERAS_FILE)}


def converters() -> tuple[Converter, ...]:
    """Return every record."""
    return tuple(_converters.values())


def converter_for(path: Path, target: Path, format: str | None = None) -> Converter | None:
    """Return what makes a model what its target says, None where that is a change of the container alone.

    Args:
        path: the model.
        target: where it goes; its suffix decides.
        format: overrides the suffix.

    Raises:
        FileError: there is no such model.
        UnsupportedError: nothing makes this of such a model.
    """
    meant = [way for way in _converters.values() if _is_meant(way, target, format)]
    if not meant:
        return None
    source = locate(path).traits
    found = next((way for way in meant if source.vocabulary in way.sources), None)
    if found is None and not _is_container(target, format):
        raise _refused(meant[0], source).at(path)
    return found


@contextmanager
def registered(record: Converter) -> Iterator[Converter]:
    """Have a converter for the time of a `with` block."""
    earlier = dict(_converters)
    _converters[record.name] = record
    try:
        yield record
    finally:
        _converters.clear()
        _converters.update(earlier)


def _is_meant(way: Converter, target: Path, format: str | None) -> bool:
    return way.name == format if format is not None else target.suffix in way.suffixes


def _is_container(target: Path, format: str | None) -> bool:
    """Say whether a target is of a format that gs writes itself, of models that are in its vocabulary."""
    if format is not None:
        return format in registry.options()
    return not target.suffix or registry.of_suffix(target.suffix) is not None


def _refused(way: Converter, source: Format) -> UnsupportedError:
    if source.name == way.name:
        return source.refuse("is what that would be already", hint="copy the file")
    return source.refuse(f"is not made {way.title} here", hint=source.edit_with)


def _function_of(way: Converter) -> Callable[[Request], ConversionReport]:
    if not isinstance(way.function, str):
        return way.function
    module, _, function = way.function.partition(":")
    found: Any = getattr(import_module(f"graphsurgeon.bridges.converting.{module}"), function)
    converted: Callable[[Request], ConversionReport] = found
    return converted
