"""How `gs show` looks to a person: about 40 lines for a model with one signature."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from graphsurgeon.analysis.summary import GraphSummary, SignatureSummary, Summary
from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.analysis.weight_totals import ConstantsSummary, ScopeWeights, VariablesSummary
from graphsurgeon.cli import output
from graphsurgeon.cli.output import number, plural, size

FORMATS = {
    "saved_model": "SavedModel",
    "graph_def": "GraphDef (a frozen graph, or a graph without its variables)",
    "meta_graph": "MetaGraph",
    "checkpoint": "checkpoint",
    "tflite": "TFLite model",
}
FEW = 6  # rows of a part that are shown unless all are asked for
INIT = "__saved_model_init_op"


class Parts(NamedTuple):
    """What is shown in full."""

    ops: bool
    functions: bool
    objects: bool
    everything: bool
    signature: str | None


def print_summary(summary: Summary, parts: Parts) -> None:
    """Print a summary."""
    if parts.signature is None:
        _print_header(summary)
    for graph in summary.graphs:
        _print_graph(summary, graph, parts)
    if parts.signature is None:
        _print_variables(summary.variables, parts)
        _print_notes(summary)
        _print_next(summary)


def _print_header(summary: Summary) -> None:
    output.heading(f"{FORMATS[summary.format]}  {summary.path}  {size(summary.bytes)}")
    producer = summary.producer
    facts = []
    if producer["tensorflow"]:
        facts.append(f"made by TensorFlow {producer['tensorflow']}")
    if producer["graph_version"]:
        facts.append(f"GraphDef version {producer['graph_version']}")
    if producer.get("min_runtime_version"):
        facts.append(f"needs runtime {producer['min_runtime_version']}")
    if producer["description"]:
        facts.append(producer["description"])
    if facts:
        output.line("  " + ", ".join(facts))


def _print_graph(summary: Summary, graph: GraphSummary, parts: Parts) -> None:
    if parts.signature is None:
        _print_counts(summary, graph)
        _print_on_load(graph, parts)
    _print_signatures(graph, parts)
    if parts.signature is not None:
        return
    _print_inputs(graph, parts)
    _print_outputs(graph, parts)
    _print_ops(graph, parts)
    _print_functions(graph, parts)
    _print_objects(graph, parts)
    if graph.constants is not None:
        _print_constants(graph.constants, parts)


def _print_counts(summary: Summary, graph: GraphSummary) -> None:
    if summary.format == "tflite":
        where = f"subgraph {graph.name}" if graph.name else "subgraph"
        output.heading(f"{where}: {plural(graph.nodes, 'operator')}", apart=True)
        return
    tags = "" if graph.tags is None else f"tags {', '.join(graph.tags) or '(none)'}: "
    functions = f", {plural(graph.functions, 'function')} with {plural(graph.function_nodes, 'node')}"
    output.heading(f"{tags}{plural(graph.nodes, 'node')}{functions if graph.functions else ''}", apart=True)


def _print_on_load(graph: GraphSummary, parts: Parts) -> None:
    rows = [(step.kind.replace("_", " "), step.name, step.op) for step in graph.on_load]
    if rows:
        output.line("on load")
        _print_rows(rows, everything=parts.everything, noun="step")


def _print_signatures(graph: GraphSummary, parts: Parts) -> None:
    for key, signature in graph.signatures.items():
        if key == INIT and not parts.everything and parts.signature is None:
            continue
        _print_signature(key, signature)


def _print_signature(key: str, signature: SignatureSummary) -> None:
    method = f"  {signature.method}" if signature.method else ""
    calls = f"  calls {signature.function}" if signature.function else ""
    output.heading(f"signature {key}{method}{calls}")
    rows = [("input", name, *_tensor(*tensor), *_default(signature, name)) for name, tensor in signature.inputs.items()]
    rows += [("output", name, *_tensor(*tensor), "") for name, tensor in signature.outputs.items()]
    output.table(rows, indent=2)


def _tensor(tensor: TensorFact, components: Sequence[str] = ()) -> tuple[str, str, str]:
    name = " + ".join(components) if tensor.name is None else tensor.name
    return (str(tensor.dtype or "?"), str(tensor.shape), name)


def _default(signature: SignatureSummary, name: str) -> tuple[str]:
    tensor = signature.defaults.get(name)
    if tensor is None:
        return ("",)
    return (f"default {output.values(tensor)}",)


def _print_inputs(graph: GraphSummary, parts: Parts) -> None:
    rows = [
        (fact.role, *_tensor(fact.tensor))
        for fact in graph.inputs
        if parts.everything or not (fact.fed_by or fact.internal)
    ]
    if not rows:
        return
    output.line("inputs that no signature feeds" if graph.signatures else "inputs")
    _print_rows(rows, everything=parts.everything, noun="input")


def _print_outputs(graph: GraphSummary, parts: Parts) -> None:
    if graph.signatures and not parts.everything:
        return
    rows = [("", *_tensor(fact.tensor), "; ".join(fact.why)) for fact in graph.outputs]
    if rows:
        output.line(
            "outputs" if graph.tags is None and not any(fact.why for fact in graph.outputs) else "likely outputs"
        )
        _print_rows(rows, everything=parts.everything, noun="output")


def _print_ops(graph: GraphSummary, parts: Parts) -> None:
    if parts.ops:
        output.line("ops")
        output.table([(count, op) for op, count in graph.ops.items()], align=["right"], indent=2)
    elif graph.ops:
        shown = [f"{op} {count}" for op, count in list(graph.ops.items())[:8]]
        rest = len(graph.ops) - len(shown)
        output.line(f"ops  {', '.join(shown)}" + (f", {rest} more (--ops)" if rest > 0 else ""))
    if graph.unknown_ops:
        output.line(f"not TensorFlow's own  {', '.join(graph.unknown_ops)}")


def _print_functions(graph: GraphSummary, parts: Parts) -> None:
    if not graph.largest_functions or not (parts.functions or graph.functions):
        return
    output.line("functions" if parts.functions else "largest functions")
    shown = graph.largest_functions if parts.functions else graph.largest_functions[:3]
    output.table([(plural(function.nodes, "node"), function.name) for function in shown], align=["right"], indent=2)
    rest = len(graph.largest_functions) - len(shown)
    if rest:
        output.line(f"  {rest} more (--functions)")


def _print_objects(graph: GraphSummary, parts: Parts) -> None:
    if parts.objects and graph.objects is not None:
        output.line("tf.saved_model.load gives")
        rows = [(child.name, child.kind, ", ".join(child.functions)) for child in graph.objects]
        output.table(rows, indent=2)


def _print_variables(variables: VariablesSummary | None, parts: Parts) -> None:
    if variables is None:
        return
    slots = (
        f", {variables.slots} of them kept by an optimizer ({size(variables.slot_bytes)})" if variables.slots else ""
    )
    twice = f", {variables.repeated} of them second copies of others" if variables.repeated else ""
    output.heading(
        f"{plural(variables.count, 'variable')}, {size(variables.bytes)}{slots}{twice}:"
        f" {number(variables.parameters)} parameters",
        apart=True,
    )
    _print_scopes(variables.scopes, parts)


def _print_constants(constants: ConstantsSummary, parts: Parts) -> None:
    output.heading(
        f"{plural(constants.count, 'constant')}, {size(constants.bytes)}: {number(constants.parameters)} parameters"
    )
    _print_scopes(constants.scopes, parts)


def _print_scopes(scopes: Sequence[ScopeWeights], parts: Parts) -> None:
    rows = [(scope.scope or "(no scope)", number(scope.parameters), size(scope.bytes)) for scope in scopes]
    if len(rows) > 1:
        _print_rows(rows, everything=parts.everything, noun="scope", align=["left", "right", "right"])


def _print_notes(summary: Summary) -> None:
    if summary.assets:
        output.line(f"assets  {', '.join(summary.assets)}")
    for note in summary.notes:
        output.line(f"note: {note}")


def _print_next(summary: Summary) -> None:
    import shlex

    path = shlex.quote(summary.path)
    keys = [key for graph in summary.graphs for key in graph.signatures if key != INIT]
    command = f"gs weights {path}" if not summary.graphs else f"gs find {path} --shape ?,512"
    if summary.graphs and not keys:
        command = f"gs outputs {path}"
    output.line()
    output.line(f"next: {command}")


def _print_rows(
    rows: Iterable[Sequence[object]], *, everything: bool, noun: str, align: Sequence[output.Align] = ()
) -> None:
    listed = list(rows)
    shown = listed if everything or len(listed) <= FEW else listed[: FEW - 1]
    output.table(shown, align=align, indent=2)
    if len(shown) < len(listed):
        output.line(f"  {plural(len(listed) - len(shown), f'more {noun}')} (--all)")
