"""Make a TFLite model: prepared by our own edits, converted by TensorFlow in a child, loaded by LiteRT and compared."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphsurgeon.bridges.child import have_done, require_extra, shortened
from graphsurgeon.bridges.converting.accuracy import measure
from graphsurgeon.bridges.converting.calibration import RANDOM, samples
from graphsurgeon.bridges.converting.compared import Compared, compare_with_source
from graphsurgeon.bridges.converting.prepare import Prepared, prepare
from graphsurgeon.bridges.converting.request import ConversionReport, Request
from graphsurgeon.errors import UnsupportedError, UsageError, plural
from graphsurgeon.export import export_file, require_free
from graphsurgeon.formats import read
from graphsurgeon.model.graph import Node
from graphsurgeon.model.model import Model
from graphsurgeon.ops.kinds import CONSTANTS
from graphsurgeon.ops.tflite_converter import NONE, refused

QUANTIZE = ("dynamic", "float16", "int8", "int16x8")
CALIBRATED = ("int8", "int16x8")
RULES = ("for-converters", "erfc-to-erf")
_FLEX = "Flex"
_MOST_NAMED = 6
# The lists at the end of the converter's message, behind which MLIR's own words follow.
_MISSING = re.compile(r"(TF Select|Custom) ops: ([\w, .]+)")
_STATIC = "requires element_shape to be static"
_PLACE = re.compile(r"(<unknown>:0: )?error: loc\((fused\[)?[^)]*\]?\): ")  # MLIR's, before what is wrong there
_JOB = "converting.tflite_job:convert"


@dataclass(frozen=True)
class _Settings:
    quantize: str = ""
    calibrate: str = ""
    int8_io: bool = False
    select: bool = False
    batch: int | None = None


class _NeedsShapesError(UnsupportedError):
    """The converter has no lists of tensors whose shapes are not known; a batch that is known may be all they lack."""


def convert(request: Request) -> ConversionReport:
    """Convert a model to TFLite.

    Raises:
        UnsupportedError: the model has ops that TFLite has not, with their names; or the converter fails.
        UsageError: settings contradict each other, the data do not fit, or the target is to stay.
    """
    settings = _settings(request)
    require_free(request.target, sources=[request.path], force=request.force)
    require_extra("litert", "comparing the result")
    with tempfile.TemporaryDirectory(prefix="gs-tflite-") as name:
        folder = Path(name)
        prepared = prepare(request, folder / "prepared", rules=RULES, batch=settings.batch, lists=True)
        if not settings.select:  # which kernels of TensorFlow's may stand in the file the converter knows best
            _require_known(prepared)
        try:
            return _converted(request, settings, prepared, folder)
        except _NeedsShapesError:
            if settings.batch is not None or not prepared.free:
                raise
        prepared = prepare(request, folder / "batch of 1", rules=RULES, batch=1, lists=True)
        return _converted(request, settings, prepared, folder)


def _settings(request: Request) -> _Settings:
    settings = _Settings(**request.settings)
    if settings.quantize and settings.quantize not in QUANTIZE:
        raise UsageError(f"--quantize {settings.quantize!r} is none", hint=f"one of {', '.join(QUANTIZE)}")
    is_calibrated = settings.quantize in CALIBRATED
    if is_calibrated and not settings.calibrate:
        hint = "give --calibrate with an .npz, .npy, a folder of pictures, or the word random"
        raise UsageError(f"--quantize {settings.quantize} needs data to measure ranges with", hint=hint)
    if not is_calibrated and (settings.calibrate or settings.int8_io):
        option = "--calibrate" if settings.calibrate else "--int8-io"
        raise UsageError(f"{option} is for --quantize {' and '.join(CALIBRATED)}")
    return settings


def _converted(request: Request, settings: _Settings, prepared: Prepared, folder: Path) -> ConversionReport:
    plain = folder / "float.tflite"
    _run_converter(request, settings, prepared, plain, quantize="")
    flex = _flex_ops(read(plain))
    steps = [*prepared.steps, "converted by TensorFlow's TFLite converter in a process of its own"]
    notes: list[str] = []
    verdict = Compared()
    if flex:
        notes.append(f"needs TensorFlow's kernels at run time, which LiteRT here has not: {', '.join(flex)}")
    elif request.verify:
        verdict = compare_with_source(request, prepared, plain)
        notes += verdict.notes
    result, details = plain, dict[str, Any]()
    if settings.quantize and not verdict.problem:
        result = folder / "quantized.tflite"
        arrays, told = _calibration(request, settings, prepared)
        notes += told
        _run_converter(request, settings, prepared, result, quantize=settings.quantize, arrays=arrays)
        steps.append(f"quantized: {settings.quantize}")
        measured = measure(plain, result, seed=request.seed, runs=request.verify and not flex)
        details["quantized"], problem = measured, measured.problem
        notes += measured.notes
        verdict = Compared(outputs=verdict.outputs, problem=problem, is_verified=verdict.is_verified and not problem)
    is_written = not verdict.problem and not request.dry_run
    if is_written:
        export_file(request.target, result, sources=[request.path], force=request.force)
    return ConversionReport(
        path=str(request.path),
        output=str(request.target),
        format="tflite",
        written=is_written,
        verified=verdict.is_verified,
        problem=verdict.problem,
        bytes=result.stat().st_size,
        steps=steps,
        outputs=verdict.outputs,
        notes=list(dict.fromkeys(notes)),
        details=details,
    )


def _calibration(request: Request, settings: _Settings, prepared: Prepared) -> tuple[dict[str, Any], list[str]]:
    if not settings.calibrate:
        return {}, []
    found = samples(settings.calibrate, prepared.entry.inputs, seed=request.seed)
    arrays = {f"{number}.{key}": array for number, one in enumerate(found) for key, array in one.items()}
    if settings.calibrate == RANDOM:
        return arrays, ["ranges were measured with random numbers from 0 to 1: give real data with --calibrate"]
    return arrays, [f"ranges were measured with {plural(len(found), 'sample')}"]


def _run_converter(
    request: Request,
    settings: _Settings,
    prepared: Prepared,
    target: Path,
    *,
    quantize: str,
    arrays: Mapping[str, Any] | None = None,
) -> None:
    arguments = {
        "path": str(prepared.path.absolute()),
        "signature": prepared.entry.key,
        "tags": list(prepared.metagraph.tags or ()),
        "target": str(target.absolute()),
        "quantize": quantize,
        "int8_io": settings.int8_io,
        "select": settings.select,
    }
    answer = have_done(_JOB, arguments, arrays)
    if answer["died"]:
        raise UnsupportedError(f"TensorFlow's converter {answer['died']}", path=request.path)
    if answer["error"]:
        raise _refusal(answer["error"], prepared).at(request.path)


def _refusal(said: str, prepared: Prepared) -> UnsupportedError:
    """Return what the converter says as one line: the ops that are missing, with a node of each; else its own words."""
    missing = {kind: [word.strip() for word in names.split(",")] for kind, names in _MISSING.findall(said)}
    nodes = _nodes(prepared.model)
    for kind, hint in (("Custom", "nothing runs them"), ("TF Select", _HINT)):
        if kind in missing:
            names = [name.removeprefix("tf.") for name in missing[kind]]
            first = [next((node for node in nodes if node.op == name), None) for name in names]
            return _lacking(dict(zip(names, first, strict=True)), hint)
    what = f"TensorFlow's converter fails: {shortened(_said(said))}"
    if _STATIC in said:
        return _NeedsShapesError(what, hint="gs set-input --shape gives inputs shapes that are known")
    return UnsupportedError(what)


def _said(text: str) -> str:
    """Return the first complaint of MLIR, without where in its own text it stands."""
    found = _PLACE.search(text)
    return text[found.end() :].partition("<unknown>:0:")[0] if found else text


_HINT = "--select-tf-ops lets TensorFlow's kernels stand in the file"


def _lacking(ops: Mapping[str, Node | None], hint: str) -> UnsupportedError:
    named = [f"{op} ({node.name})" if node is not None else op for op, node in ops.items()]
    more = f", {plural(len(named) - _MOST_NAMED, 'more op')}" if len(named) > _MOST_NAMED else ""
    return UnsupportedError(f"TFLite has no {', '.join(named[:_MOST_NAMED])}{more}", hint=hint)


def _require_known(prepared: Prepared) -> None:
    """Refuse ops that the converter never takes, before TensorFlow is started.

    Raises:
        UnsupportedError: with each op and a node of it.
    """
    table = refused()
    found: dict[str, dict[str, Node]] = {}
    for node in _nodes(prepared.model):
        if node.op in table and not _is_folded(node):
            found.setdefault(table[node.op], {}).setdefault(node.op, node)
    for verdict, ops in sorted(found.items()):
        raise _lacking(ops, "nothing runs it outside of TensorFlow" if verdict == NONE else _HINT)


def _is_folded(node: Node) -> bool:
    """Say whether all that a node reads are constants: the converter computes it itself."""
    return all(value.producer is not None and value.producer.op in CONSTANTS for value in node.inputs)


def _flex_ops(model: Model) -> list[str]:
    return sorted({node.op.removeprefix(_FLEX) for node in _nodes(model) if node.op.startswith(_FLEX)})


def _nodes(model: Model) -> list[Node]:
    return [node for graph in model.graphs for node in graph.nodes]
