"""Recipes: edits in a text file, a step a line, written as on the command line."""

from __future__ import annotations

import shlex
from pathlib import Path

from graphsurgeon.cli.edit_command import Steps, steps_of_line
from graphsurgeon.disk.files import open_source
from graphsurgeon.errors import FormatError, GraphSurgeonError, UsageError

MOST_BYTES = 1 << 24  # of a recipe


def read_recipe(path: Path, model: Path) -> Steps:
    """Return the steps of a recipe for a model.

    Raises:
        FileError: the file is missing, unreadable or no text.
        UsageError: a line is no edit; with its number.
    """
    source = open_source(path)
    if source.size > MOST_BYTES:
        raise FormatError("is too large to be a recipe", path=path)
    try:
        text = source.read_at(0, source.size).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(
            f"no UTF-8 text at byte {error.start}", path=path, hint="gs apply RECIPE MODEL: the recipe comes first"
        ) from error
    steps: Steps = []
    for number, line in enumerate(text.splitlines(), 1):
        steps += _steps(line, f"{path}:{number}", model)
    if not steps:
        raise UsageError("the recipe has no steps", path=path)
    return steps


def _steps(line: str, place: str, model: Path) -> Steps:
    try:
        words = shlex.split(line, comments=True)
    except ValueError as error:  # a quotation that does not end
        raise UsageError(str(error), path=place) from error
    if words[:1] in (["gs"], ["graphsurgeon"]):
        raise UsageError(f"write the step without {words[0]!r} and without the model", path=place)
    if words[:1] == ["apply"]:
        raise UsageError("a recipe cannot apply another", path=place)
    try:
        return steps_of_line(model, words) if words else []
    except GraphSurgeonError as error:
        raise error.at(place) from error
