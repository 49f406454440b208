"""Make a SavedModel of a Keras file: mended for the Keras that is there, exported by it in a child, and compared."""

from __future__ import annotations

import tempfile
import zipfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from graphsurgeon.bridges.arrays import load_arrays
from graphsurgeon.bridges.child import have_done, shortened
from graphsurgeon.bridges.converting.request import ConversionReport, Request
from graphsurgeon.compare.entries import OneRun, Result
from graphsurgeon.compare.equivalence import ComparedOutput, Tolerance
from graphsurgeon.edit import edit
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.export import export_for
from graphsurgeon.formats import read
from graphsurgeon.model.model import Model
from graphsurgeon.scanning.allow import is_allowed
from graphsurgeon.scanning.scan import scan

RELEASE = "keras-3"  # what `--for` calls the Keras that exports; Keras 2 has no `export` of its own
_LEAST = 3
_JOB = "converting.keras_job:export"
_RUNS = ("high", "critical", "medium")  # severities of code that Keras would run on loading
_ONLY = {"signature": "--signature", "outputs": "--outputs", "inputs": "--inputs", "set_values": "--set"}


def convert(request: Request) -> ConversionReport:
    """Convert a Keras file to a SavedModel.

    Raises:
        UnsupportedError: it holds weights alone, or code; Keras is missing or too old, or does not load it.
        UsageError: the target is to stay.
    """
    given = [option for name, option in _ONLY.items() if getattr(request, name)]
    if given:
        raise UsageError(f"{given[0]} is not for Keras files", hint="gs extract cuts the SavedModel that comes of it")
    model = read(request.path)
    _require_whole(model, request)
    keras = _keras(request.path)
    with tempfile.TemporaryDirectory(prefix="gs-keras-") as name:
        folder = Path(name)
        source, steps = _mended(model, request.path, folder)
        target, results = folder / "saved", folder / "results.npz"
        arguments = {
            "path": str(source.absolute()), "target": str(target), "seed": request.seed, "verify": request.verify,
            "results": str(results),
        }  # fmt: skip
        answer = have_done(_JOB, arguments)
        if answer["died"]:
            raise UnsupportedError(f"Keras {answer['died']}", path=request.path)
        if answer["error"]:
            raise UnsupportedError(f"Keras {keras} fails: {shortened(answer['error'])}", path=request.path)
        steps.append(f"loaded and exported by Keras {keras} in a process of its own")
        outputs = _compared(answer, results)
        problem = answer["problem"] or _problem(outputs)
        if request.verify and not outputs and not problem:
            problem = "it gives nothing that could be compared"
        return _written(request, target, steps, outputs, problem)


def _require_whole(model: Model, request: Request) -> None:
    """Refuse what Keras would not load as a model, or what would run code of the file's.

    Raises:
        UnsupportedError: why.
    """
    if not model.traits.releases:
        hint = "tensorflowjs_converter --input_format tfjs_layers_model --output_format keras makes a Keras file of it"
        raise model.traits.refuse("is not loaded by Keras", hint=hint).at(model.path)
    if not model.metagraphs:
        hint = "build the model in Python, load them there, and save it whole"
        raise UnsupportedError("holds weights alone, and no model", path=model.path, hint=hint)
    if not any(Path(model.path).suffix == suffix for suffix in (".h5", ".hdf5", ".keras")):
        raise UnsupportedError("Keras loads .keras and .h5 files only", path=model.path, hint="give it such a name")
    for threat in scan(request.path).findings:
        if threat.severity in _RUNS and not is_allowed(threat, request.allowed.ops):
            what = f"not loaded, for it holds code: {threat.op or 'it'} {threat.what} ({threat.where})"
            raise UnsupportedError(what, path=model.path, hint="a layer of its own in place of the code is portable")


def _keras(path: Path) -> str:
    try:
        found = version("keras")
    except PackageNotFoundError:
        found = "0"
    if int(found.partition(".")[0]) < _LEAST:
        hint = "install the extra: pip install 'tf-graphsurgeon[tensorflow]'"
        raise UnsupportedError("making a SavedModel of it needs Keras 3, which is not installed", path=path, hint=hint)
    return found


def _mended(model: Model, path: Path, folder: Path) -> tuple[Path, list[str]]:
    """Return the file as the Keras that is installed loads it, and what was changed."""
    if zipfile.is_zipfile(path):
        return path, []
    target = folder / f"mended{path.suffix if path.suffix != '.hdf5' else '.h5'}"
    report = export_for(model, target, RELEASE)
    return target, [f"mended {change.where}: {change.what} ({change.edit})" for change in report.changes]


def _compared(answer: dict[str, Any], results: Path) -> list[ComparedOutput]:
    if not answer["names"]:
        return []
    arrays = load_arrays(results)
    call = OneRun("object", None, {}, {})
    found = []
    for place, name in enumerate(answer["names"]):
        one, other = (arrays.get(f"{place}.{side}") for side in (0, 1))
        if one is not None and other is not None:
            pair = Result(str(one.dtype), one), Result(str(other.dtype), other)
            found.append(Tolerance().compare(call, "serving_default", name, *pair))
    return found


def _problem(outputs: list[ComparedOutput]) -> str:
    wrong = next((output for output in outputs if not output.agrees), None)
    if wrong is None:
        return ""
    return f"output {wrong.name} of the SavedModel differs: {wrong.what or f'by up to {wrong.largest}'}"


def _written(
    request: Request, made: Path, steps: list[str], outputs: list[ComparedOutput], problem: str
) -> ConversionReport:
    is_written = not problem and not request.dry_run
    size = sum(file.stat().st_size for file in made.rglob("*") if file.is_file())
    notes: tuple[str, ...] = ()
    if not problem:
        report = edit(made, [], output=f"{request.target}/", force=request.force, dry_run=request.dry_run)
        size, notes = report.num_bytes, report.notes
    return ConversionReport(
        path=str(request.path),
        output=str(request.target),
        format="saved_model",
        written=is_written,
        verified=bool(outputs) and not problem,
        problem=problem,
        bytes=size,
        steps=steps,
        outputs=outputs,
        notes=notes,
    )
