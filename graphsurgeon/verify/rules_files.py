"""Rules about the files of a model: assets, and what lies beside them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphsurgeon.errors import FormatError
from graphsurgeon.formats.files import contained, is_file, is_folder
from graphsurgeon.model.model import Model
from graphsurgeon.verify import rules_tflite_file
from graphsurgeon.verify.finding import Finding


def of_model(model: Model) -> Iterator[Finding]:
    """Find assets that are not there, or lie outside the model's folder; for TFLite what is wrong with the file."""
    if model.format == "tflite":
        yield from rules_tflite_file.of_model(model)
    folder = Path(model.path)
    if model.format != "saved_model" or not is_folder(folder):
        return
    names = {asset.filename for metagraph in model.metagraphs for asset in metagraph.assets}
    for name in sorted(names):
        where = f"asset {name}"
        try:
            there = is_file(contained(folder / "assets", name, folder))
        except FormatError as error:
            hint = "do not load this model: reading it would read that file"
            yield Finding("error", where, error.message, hint, "asset-outside")
            continue
        if not there:
            hint = "put the file into assets/, or make the model anew"
            yield Finding("error", where, "the file is not in assets/", hint, "asset-missing")
