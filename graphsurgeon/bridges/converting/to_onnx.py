"""To ONNX: prepared by our own edits, converted by tf2onnx in a child process, loaded by onnxruntime and compared."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.flow.placeholders import placeholder_role
from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.bridges.child import ask
from graphsurgeon.bridges.converting.cases import NestReport, nest_cases
from graphsurgeon.bridges.converting.request import ConversionReport, Request
from graphsurgeon.bridges.guard import require_allowed
from graphsurgeon.bridges.verify import verify
from graphsurgeon.compare.entries import entries
from graphsurgeon.compare.equivalence import EquivalenceReport, Tolerance
from graphsurgeon.edit import Step, edit
from graphsurgeon.errors import GraphSurgeonError, UnsupportedError, UsageError, plural
from graphsurgeon.export import export_file, require_free
from graphsurgeon.formats import read
from graphsurgeon.formats.checkpoint.find import read_checkpoint
from graphsurgeon.model.dtype import BOOL
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.traversal import downstream, upstream
from graphsurgeon.ops import onnx
from graphsurgeon.ops.kinds import PLACEHOLDERS
from graphsurgeon.patterns.rules import rule_set
from graphsurgeon.surgery.add_signature import DEFAULT
from graphsurgeon.surgery.freeze import FreezeReport
from graphsurgeon.surgery.strip import StripReport

STRIPPED = ("assertions", "prints")  # ONNX has neither
RULES = ("erfc-to-erf", "for-converters")  # ops that tf2onnx lacks, by ops that it knows
# onnxruntime fuses and reorders: sums of thousands of products differ in their last digits more than two runs of
# TensorFlow do.
WITHIN = Tolerance(rtol=1e-3, atol=1e-4)
BATCHES = (1, 3)  # of one alone some models are made, and with one alone much goes unseen
LARGEST = (1 << 31) - (1 << 20)  # bytes of one protobuf, with room for what is not weights


def convert(request: Request) -> ConversionReport:
    """Convert a model to ONNX.

    Raises:
        UnsupportedError: the model has what ONNX, or tf2onnx, has no words for; the node is named.
        UsageError: a name does not exist, or the target is to stay as it is.
    """
    require_free(request.target, sources=[request.path], force=request.force)
    model = _read(request)
    with tempfile.TemporaryDirectory(prefix="gs-onnx-") as name:
        made = Path(name) / request.target.name
        prepared = _prepared(request, model, Path(name))
        steps = [*prepared.steps, f"converted it with tf2onnx, opset {request.settings.get('opset') or 'by default'}"]
        problem = _convert(request, prepared, made) or _loads(made)
        report = ConversionReport(
            path=str(request.path), output=str(request.target), format="onnx", written=False, verified=False,
            problem=problem, steps=steps, notes=prepared.notes,
        )  # fmt: skip
        if not problem and request.verify:
            report = _compared(request, prepared, made, report)
        if report.problem:
            return report
        files = [made, *_beside(made)]
        if not request.dry_run:
            for file in reversed(files):
                export_file(request.target.with_name(file.name), file, sources=[request.path], force=request.force)
        return replace(report, written=not request.dry_run, bytes=sum(file.stat().st_size for file in files))


@dataclass
class _Prepared:
    """What is given to tf2onnx.

    Attributes:
        path: a frozen graph, or the TFLite model.
        inputs, outputs: name in ONNX -> tensor.
        renamed: key of an output -> its name in ONNX, where an input has that key.
        signature: whose keys they are.
        set_values: what was made a constant, also unasked.
        steps, notes: what is told.
    """

    path: Path
    inputs: dict[str, str] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    renamed: dict[str, str] = field(default_factory=dict)
    signature: str | None = None
    set_values: dict[str, object] = field(default_factory=dict)
    steps: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def _read(request: Request) -> Model:
    model = read(request.path)
    if request.checkpoint is not None:
        model.checkpoint = read_checkpoint(request.checkpoint)
    metagraph = choose_metagraph(model, request.tags)
    found = [value for entry in entries(model, metagraph) for value in entry.outputs.values()]
    require_allowed(model, metagraph, found, request.allowed)
    return model


def _prepared(request: Request, model: Model, folder: Path) -> _Prepared:
    if model.traits.vocabulary == TFLITE:
        given = [name for name in ("inputs", "outputs", "set_values", "signature") if getattr(request, name)]
        if given:
            hint = "gs extract and gs set-input make a .tflite of the part first"
            raise UnsupportedError("of a TFLite model the whole is converted", path=request.path, hint=hint)
        return _Prepared(request.path)
    return _frozen(request, model, folder / "frozen.pb")


def _frozen(request: Request, model: Model, path: Path) -> _Prepared:
    """Freeze a model without lowering its control flow, decide its switches, take defaults, and apply rules."""
    metagraph = choose_metagraph(model, request.tags)
    switches = _switches(metagraph, request)
    outputs = list(request.outputs)
    if not outputs and request.signature is None and not _has_signature(metagraph):
        outputs = [name for entry in entries(model, metagraph) for name in entry.outputs]
        if not outputs:
            raise UsageError("nothing says what comes out", path=request.path, hint="give --outputs TENSOR")
    arguments: dict[str, object] = {
        "outputs": outputs, "inputs": list(request.inputs), "signature": request.signature,
        "set_values": {**switches, **request.set_values}, "no_lowering": True, "tags": request.tags,
    }  # fmt: skip
    given = request.checkpoint
    steps: list[Step] = [] if given is None else [("attach-checkpoint", {"checkpoint": given})]
    steps += [("freeze", arguments), (_take_defaults, {}), (nest_cases, {}), ("strip", {"only": STRIPPED})]
    steps += [("replace", {"rules": list(rule_set(name).rules)}) for name in RULES]
    reports = [step.report for step in edit(request.path, steps, output=path).steps]
    frozen = next(report for report in reports if isinstance(report, FreezeReport))
    replaced = [(rule, count) for report in reports for rule, count in getattr(report, "rules", {}).items()]
    taken = [pair for report in reports if isinstance(report, StripReport) for pair in report.kinds.items()]
    written = read(path)
    result = written.metagraphs[0]
    # tf2onnx has TensorFlow compute what no input reaches, files that are read included.
    ends = [value for tensor in frozen.fetches.values() if (value := result.graph.value(tensor)) is not None]
    require_allowed(written, result, ends, request.allowed)
    feeds = {key: tensor for key, tensor in frozen.feeds.items() if _is_fed(result, tensor)}
    if not feeds:
        raise UnsupportedError("nothing goes into it, and tf2onnx wants an input", path=request.path)
    _require_convertible(result, frozen.fetches.values(), request.path)
    found = _Prepared(path, _named(feeds), _named(frozen.fetches), signature=frozen.signature)
    found.renamed = {name: f"{name}_output" for name in found.outputs if name in found.inputs}
    found.outputs = {found.renamed.get(name, name): tensor for name, tensor in found.outputs.items()}
    found.set_values = {**switches, **request.set_values}
    found.steps = [
        f"froze {f'signature {frozen.signature}' if frozen.signature else 'the graph'}: "
        f"{plural(frozen.variables, 'variable')}, {plural(frozen.nodes_after, 'node')}; control flow stays functions",
        *(f"set the switch {name} to {str(value).lower()}" for name, value in switches.items()),
        *(f"took out {kind}: {count:,}" for kind, count in taken),
        *(line for report in reports if isinstance(report, NestReport) for line in report.told()),
        *(f"rule {rule}: {plural(count, 'place')}" for rule, count in replaced),
    ]
    found.notes = [
        *frozen.notes,
        *(f"output {name!r} is called {new!r}: ONNX has one name for one value" for name, new in found.renamed.items()),
    ]
    return found


def _has_signature(metagraph: MetaGraph) -> bool:
    return any(not key.startswith("__saved_model") for key in metagraph.signatures)


def _switches(metagraph: MetaGraph, request: Request) -> dict[str, object]:
    """Return the switches of a graph that nobody sets, with what inference sets them to."""
    public = {str(entry.mention.target) for signature in metagraph.signatures.values()
              for entry in signature.inputs.values() if entry.mention is not None}  # fmt: skip
    found: dict[str, object] = {}
    for node in metagraph.graph.nodes:
        known = {node.name, f"{node.name}:0"} & {*request.inputs, *request.set_values, *public}
        if node.op not in PLACEHOLDERS or known or placeholder_role(node) != "switch":
            continue
        found[node.name] = False if dtype_of(node.output(0)) is BOOL else 1.0
    return found


def _take_defaults(model: Model) -> None:
    """Make placeholders with a default what they are without being fed."""
    for node in model.metagraphs[0].graph.nodes:
        if node.op == "PlaceholderWithDefault":
            node.become("Identity", node.inputs, {"T": dtype_of(node.output(0))})


def _is_fed(metagraph: MetaGraph, tensor: str) -> bool:
    value = metagraph.graph.value(tensor)
    return value is not None and value.producer is not None and value.producer.op in PLACEHOLDERS


def _named(tensors: Mapping[str, str]) -> dict[str, str]:
    """Return name in ONNX -> tensor: keys as they are, tensors without the number of the first output."""
    return {key.removesuffix(":0"): tensor for key, tensor in tensors.items()}


@cache
def known_ops() -> frozenset[str]:
    """Return the ops that tf2onnx 1.17 converts (`tf2onnx_ops.txt`, made by `tools/make_tf2onnx_ops.py`)."""
    return frozenset(Path(__file__).with_name("tf2onnx_ops.txt").read_text("utf-8").split())


def _require_convertible(metagraph: MetaGraph, outputs: Iterable[str], path: Path) -> None:
    """Refuse ops that tf2onnx does not know; those that no input reaches it computes itself.

    Raises:
        UnsupportedError: with every such op, and a node of each.
    """
    graph = metagraph.graph
    ends = [value.producer for tensor in outputs if (value := graph.value(tensor)) is not None and value.producer]
    varying = set(downstream([node for node in graph.nodes if node.op in PLACEHOLDERS], controls=False))
    varying &= set(upstream(ends, controls=False))
    unknown: dict[str, str] = {}
    for each in metagraph.graphs:
        for node in each.nodes if each is not graph else (node for node in each.nodes if node in varying):
            if node.op not in known_ops() and node.op not in metagraph.functions:
                unknown.setdefault(node.op, node.name)
    if unknown:
        told = ", ".join(f"{op} (node {name!r})" for op, name in list(unknown.items())[:8])
        hint = "gs replace puts others in their place, --outputs leaves them out"
        raise UnsupportedError(f"tf2onnx has nothing for {told}", path=path, hint=hint)


def _convert(request: Request, prepared: _Prepared, made: Path) -> str:
    """Run tf2onnx; return what it says where it fails."""
    source = {
        "path": str(prepared.path), "output": str(made), "opset": request.settings.get("opset"),
        "inputs": prepared.inputs, "outputs": prepared.outputs, "largest": LARGEST,
        "is_frozen": prepared.path != request.path,
    }  # fmt: skip
    try:
        ask("tf2onnx", source, [])
    except UnsupportedError as error:
        return f"tf2onnx does not convert it: {error.message.removeprefix('the runtime cannot load it: ')}"
    return ""


def _loads(made: Path) -> str:
    """Return the first op of a result that ONNX does not have: what tf2onnx left as it was, without a word."""
    metagraph = read(made).metagraphs[0]
    for graph in metagraph.graphs:
        for node in graph.nodes:
            domain, _, _ = node.op.rpartition(".")
            if not domain and not onnx.versions(node.op) and node.op not in metagraph.functions:
                return f"tf2onnx has left {node.op} (node {node.name!r}) as it is, and ONNX has no such op"
    return ""


def _compared(request: Request, prepared: _Prepared, made: Path, report: ConversionReport) -> ConversionReport:
    """Compare a result with the source; where a part was cut out, with the frozen graph, under the keys of the part."""
    is_part = bool(request.inputs or request.outputs) and prepared.path != request.path
    source = _with_ends(prepared) if is_part else request.path
    signature = DEFAULT if is_part else prepared.signature
    shapes, *more = _sizes(read(source), signature, None if is_part else request.tags)
    try:
        found = verify(
            source, made, signatures=[signature] if signature else None,
            assume=shapes, also=more, seed=request.seed, tolerance=WITHIN, tags=None if is_part else request.tags,
            with_place=False, checkpoint=None if is_part else request.checkpoint,
            decided={} if is_part else prepared.set_values, allowed=request.allowed, tell=request.tell,
        )  # fmt: skip
    except GraphSurgeonError as error:
        is_result = error.path == str(made)
        what = "onnxruntime does not take it" if is_result else "it could not be compared with the source"
        said = error.message.removeprefix("the runtime cannot load it: ").replace(str(made), made.name)
        return replace(report, problem=f"{what}: {said}")
    names = [output.name.removesuffix(":0") for output in found.outputs]
    told = {*names, *(prepared.renamed.get(name, name) for name in names)}
    missed = [f"output {name!r} was not compared" for name in prepared.outputs if name not in told]
    problem = _verdict(found) or "; ".join(missed)
    notes = [*report.notes, *found.notes, *missed, *(["compared with the frozen graph"] if is_part else [])]
    return replace(report, outputs=found.outputs, verified=not problem, problem=problem, notes=notes)


def _with_ends(prepared: _Prepared) -> Path:
    """Write a SavedModel of the frozen graph, whose signature has the names of what goes into ONNX and comes out."""
    folder = prepared.path.with_name("part")
    edit(prepared.path, [("add-signature", {"outputs": prepared.outputs, "inputs": prepared.inputs})], output=folder)
    return folder


def _sizes(model: Model, signature: str | None, tags: Sequence[str] | None) -> list[dict[str, Shape]]:
    """Return shapes of inputs whose batch is open, for each size that is tried; one of nothing where none is."""
    metagraph = choose_metagraph(model, tags if len(model.metagraphs) > 1 else None)
    found = [entry for entry in entries(model, metagraph) if signature in (None, entry.key)]
    shapes = {name: item.shape for entry in found for name, item in entry.inputs.items() if not item.optional}
    free = {name: shape.dims for name, shape in shapes.items() if shape.dims and shape.dims[0] is None}
    return [{name: Shape([size, *dims[1:]]) for name, dims in free.items()} for size in (BATCHES if free else (1,))]


def _verdict(found: EquivalenceReport) -> str:
    if not found.outputs:
        why = "; ".join(f"{name}: {what}" for name, what in found.skipped) or "nothing is in both"
        return f"it could not be compared with the source: {why}"
    wrong = next((output for output in found.outputs if not output.agrees), None)
    if wrong is None:
        return ""
    what = wrong.what or f"{wrong.different:,} of {wrong.elements:,} differ, by up to {wrong.largest or 0:.3g}"
    return f"output {wrong.name!r}: {what}"


def _beside(made: Path) -> Sequence[Path]:
    """Return the file of weights beside a model of more than 2 GB."""
    data = made.with_name(f"{made.name}.data")
    return [data] if data.exists() else []
