"""`gs metadata`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import Json, Model
from graphsurgeon.cli.edit_command import Steps, edit_command
from graphsurgeon.disk.places import path_of
from graphsurgeon.errors import FileError, FormatError, UsageError
from graphsurgeon.model.format import TFLITE


@edit_command
def metadata(
    model: Model,
    extract: Annotated[
        Path | None,
        typer.Option("--extract", metavar="DIR", help="Write it as JSON, and the files it names, into a new folder."),
    ] = None,
    fields: Annotated[
        Path | None,
        typer.Option("--fields", metavar="FILE.json", help="Set these fields; null takes one away."),
    ] = None,
    labels: Annotated[
        list[str] | None,
        typer.Option("--labels", metavar="[OUTPUT=]FILE", help="Names of an output's classes, a line each."),
    ] = None,
    norm: Annotated[
        list[str] | None,
        typer.Option("--norm", metavar="[INPUT=]MEAN,STD", help="How pixels become what an input takes."),
    ] = None,
    remove: Annotated[bool, typer.Option("--remove", help="Take all of it away, with its files.")] = False,
    as_json: Json = False,
) -> Steps:
    """Show or set what a TFLite model says of itself to MediaPipe Tasks.

    Without an option it is printed. --fields takes JSON as it is printed, or a part of it: objects are merged by
    name, lists by place.

    Examples:
      gs metadata model.tflite --json
      gs metadata model.tflite --extract parts/
      gs metadata model.tflite --labels labels.txt --norm 127.5,127.5 -o described.tflite
      gs metadata model.tflite --fields fields.json --in-place
    """
    if extract is None and not (fields or labels or norm or remove):
        _print(model, as_json=as_json)
        raise typer.Exit
    if extract is not None:
        if fields or labels or norm or remove:
            raise UsageError("--extract changes nothing", hint="set fields in a second call")
        _extract(model, extract)
        raise typer.Exit
    arguments: dict[str, Any] = {
        "fields": _json(fields) if fields is not None else None,
        "labels": dict(map(_file, labels or ())),
        "norm": dict(map(_numbers, norm or ())),
        "remove": remove,
    }
    return [("metadata", arguments)]


def _json(path: Path) -> dict[str, Any]:
    import json

    try:
        found = json.loads(_content(path))
    except ValueError as error:
        raise FormatError(f"no JSON: {error}", path=path) from error
    if not isinstance(found, dict):
        raise UsageError("is no JSON object", path=path)
    return found


def _content(path: Path) -> bytes:
    from graphsurgeon.disk.files import open_source

    source = open_source(path)
    return source.read_at(0, source.size)


def _file(text: str) -> tuple[str, tuple[str, bytes]]:
    tensor, _, path = text.rpartition("=")
    return tensor, (path_of(path).name, _content(path_of(path)))


def _numbers(text: str) -> tuple[str, list[float]]:
    tensor, _, numbers = text.rpartition("=")
    try:
        return tensor, [float(number) for number in numbers.split(",")]
    except ValueError:
        raise UsageError(f"--norm {text!r} is not of the form [INPUT=]MEAN,STD") from None


def _read(model: Path) -> tuple[Any, dict[str, Any], list[str]]:
    """Return the source of a model, what it says of itself as JSON, and the names of its files."""
    from graphsurgeon.errors import UnsupportedError
    from graphsurgeon.formats import read
    from graphsurgeon.formats.tflite.describe import said_by

    file = read(model)
    if file.traits.vocabulary != TFLITE:
        raise UnsupportedError("only a TFLite model has such metadata", path=model)
    source: Any = file.raw
    names = list(source.archive.names) if source.archive is not None else []
    return source, said_by(file), names


def _print(model: Path, *, as_json: bool) -> None:
    _, said, names = _read(model)
    if as_json:
        output.print_json({"metadata": said or None, "files": names})
        return
    from graphsurgeon.cli.text.metadata import print_metadata

    print_metadata(said, names)


def _extract(model: Path, folder: Path) -> None:
    """Write the metadata and the files behind the model into a folder that there is not yet."""
    import json

    from graphsurgeon.disk.files import translated
    from graphsurgeon.encoding.appended_zip import unsafe_names

    source, said, names = _read(model)
    if not said and not names:
        raise UsageError("the model has no metadata", path=model)
    unsafe = unsafe_names(names)
    if unsafe:
        raise FormatError(f"a file of the archive is named {unsafe[0]!r}, outside the folder", path=model)
    if folder.exists():
        raise FileError("there already is something of this name", path=folder, hint="name a new folder")
    files = {name: source.archive.content(name) for name in names}
    with translated(folder, "write into"):
        folder.mkdir(parents=True)
        text = json.dumps(said, indent=2)  # in ASCII: what is no UTF-8 in the model comes back as it was
        (folder / "metadata.json").write_text(text + "\n", "utf-8")
        for name, data in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(data)
    output.wrote(folder, f"metadata.json and {output.plural(len(files), 'file')}")
