"""How `gs show` looks to a person: about 40 lines for a model with one signature."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from graphsurgeon.analysis.interface.callables import CallArgument
from graphsurgeon.analysis.stored_weights.weight_totals import (
    FEW_ELEMENTS,
    ConstantsSummary,
    ScopeWeights,
    VariablesSummary,
)
from graphsurgeon.analysis.summary import GraphSummary, ObjectChild, SignatureSummary, Summary
from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.cli import output
from graphsurgeon.cli.output import mark, name, number, plural, size
from graphsurgeon.formats import registry
from graphsurgeon.formats.recognise.routes import route_of
from graphsurgeon.model.format import TFLITE
from graphsurgeon.ops.kinds import VARIABLES

FEW = 6  # rows of a part that are shown unless all are asked for
INIT = "__saved_model_init_op"


class Parts(NamedTuple):
    """What is shown in full."""

    ops: bool
    functions: bool
    objects: bool
    everything: bool
    signature: str | None


def print_summary(summary: Summary, parts: Parts, *, also: Callable[[], None] | None = None) -> None:
    """Print a summary; `also` prints what else is known, before the hint at the end."""
    if parts.signature is None:
        _print_header(summary)
    inner = [] if parts.everything or parts.signature is not None else _inner_subgraphs(summary)
    for graph in summary.graphs:
        if graph not in inner:
            _print_graph(summary, graph, parts)
    if parts.signature is None:
        _print_inner(inner)
        _print_modules(summary, parts)
        _print_members(summary)
        _print_variables(summary.variables, parts, is_all=not summary.graphs)
        _print_notes(summary)
    if also is not None:
        also()
    if parts.signature is None:
        _print_next(summary)


def _inner_subgraphs(summary: Summary) -> list[GraphSummary]:
    """Return the subgraphs that only operators enter: branches, bodies of loops, functions of an ONNX model."""
    return [graph for graph in summary.graphs[1:] if graph.tags is None and not graph.signatures]


def _print_inner(graphs: Sequence[GraphSummary]) -> None:
    if not graphs:
        return
    output.heading(f"{plural(len(graphs), 'subgraph')} that no signature calls", apart=True)
    rows = [(plural(graph.nodes, "operator"), _constants_size(graph), graph.name) for graph in graphs]
    _print_rows(rows, everything=False, noun="subgraph", align=["right"])


def _print_modules(summary: Summary, parts: Parts) -> None:
    """Tell what is in programs inside nodes: their functions, ops, constants and what they call outside."""
    for module in summary.modules:
        more = f" and {plural(len(module.nodes) - 1, 'other')}" if len(module.nodes) > 1 else ""
        output.heading(f"StableHLO module in {module.nodes[0]}{more}", apart=True)
        facts = [f"VHLO {module.version}"] if module.version else []
        facts += [f"needs {module.needs}"] if module.needs else []
        facts += [f"constants of {size(module.constants)}"] if module.constants else []
        if facts:
            output.line("  " + ", ".join(facts))
        _print_rows(module.functions.items(), everything=parts.everything, noun="function")
        listed = list(module.ops.items())
        shown = listed if parts.ops else listed[:8]
        rest = [f"{len(listed) - len(shown)} more (--ops)"] if len(shown) < len(listed) else []
        output.wrapped([*(f"{op} {count}" for op, count in shown), *rest], first="ops", indent=5)
        if module.custom_calls:
            calls = [f"{name} {count}" for name, count in module.custom_calls.items()]
            output.wrapped(calls, first="calls outside  ", indent=2)


def _print_members(summary: Summary) -> None:
    """List what is in a bundle; where a model is, the path that leads to it is the one to give to other commands."""
    if summary.members:
        rows = [(size(member.bytes), member.what, member.name) for member in summary.members]
        output.heading(plural(len(rows), "member"), apart=True)
        output.table(rows, align=["right"], indent=2)


def _constants_size(graph: GraphSummary) -> str:
    constants = graph.constants
    if constants is None or not constants.count:
        return ""
    return f"{plural(constants.count, 'constant')}, {size(constants.bytes)}"


def _title(summary: Summary) -> str:
    traits = registry.get(summary.format)
    if not traits.is_bare_graph or traits.variables:
        return traits.title
    has_variables = any(op in graph.ops for graph in summary.graphs for op in VARIABLES)
    return f"{traits.title} without its variables" if has_variables else f"frozen {traits.title}"


def _print_header(summary: Summary) -> None:
    output.heading(f"{_title(summary)}  ", mark(summary.path, "command"), f"  {size(summary.bytes)}")
    producer = summary.producer
    facts = []
    if producer["tensorflow"]:
        facts.append(f"made by TensorFlow {producer['tensorflow']}")
    if producer.get("framework"):
        facts.append(f"made by {producer['framework']} {producer.get('version') or ''}".rstrip())
    if producer.get("opsets"):
        facts.append("opset " + ", ".join(f"{domain} {version}" for domain, version in producer["opsets"].items()))
    if producer.get("ir_version"):
        facts.append(f"IR version {producer['ir_version']}")
    if producer["graph_version"]:
        facts.append(f"GraphDef version {producer['graph_version']}")
    if producer.get("min_runtime_version"):
        facts.append(f"needs runtime {producer['min_runtime_version']}")
    if producer["description"]:
        facts.append(producer["description"])
    if facts:
        output.line("  " + ", ".join(facts))
    for key, value in (producer.get("metadata") or {}).items():
        output.line(f"  {key}: {value}")


def _print_graph(summary: Summary, graph: GraphSummary, parts: Parts) -> None:
    if parts.signature is not None:
        _print_signature(parts.signature, graph.signatures[parts.signature])
        return
    _print_counts(summary, graph)
    _print_on_load(graph, parts)
    for key, signature in graph.signatures.items():
        if key != INIT or parts.everything:
            _print_signature(key, signature)
    _print_callables(graph, parts)
    _print_inputs(graph, parts)
    _print_outputs(graph, parts)
    _print_ops(graph, parts)
    _print_functions(graph, parts)
    _print_objects(graph, parts)
    if graph.constants is not None:
        _print_constants(graph, graph.constants, parts, alone=summary.variables is None)


def _print_counts(summary: Summary, graph: GraphSummary) -> None:
    if registry.get(summary.format).vocabulary == TFLITE:
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


def _print_signature(key: str, signature: SignatureSummary) -> None:
    method = f"  {signature.method}" if signature.method else ""
    calls = f"  calls {signature.function}" if signature.function else ""
    output.heading(f"signature {key}{method}{calls}")
    rows: list[tuple[object, ...]] = [
        ("input", mark(key, "strong"), *_tensor(*entry), _detail(signature, key, entry.tensor))
        for key, entry in signature.inputs.items()
    ]
    rows += [
        ("output", mark(key, "strong"), *_tensor(*entry), _quantization(entry.tensor))
        for key, entry in signature.outputs.items()
    ]
    output.table(rows, indent=2)


def _print_callables(graph: GraphSummary, parts: Parts) -> None:
    """Tell what the loaded object gives to be called, one line for each way to call it."""
    if graph.callables:
        output.line("no signature; tf.saved_model.load gives these functions")
        rows = [(form.name, _call(form.arguments)) for form in graph.callables]
        _print_rows(rows, everything=parts.everything or parts.functions, noun="function")


def _call(arguments: Sequence[CallArgument] | None) -> str:
    if arguments is None:
        return "arguments unknown"
    texts = (f"{one.name}={one.value}" if one.value else f"{one.name} {one.dtype} {one.shape}" for one in arguments)
    return ", ".join(texts) or "no arguments"


def _tensor(tensor: TensorFact, components: Sequence[str] = ()) -> tuple[object, object, object]:
    text = " + ".join(components) if tensor.name is None else tensor.name
    return (str(tensor.dtype or "?"), str(tensor.shape), name(text))


def _quantization(tensor: TensorFact) -> str:
    """Say how integers stand for real numbers."""
    return "" if tensor.quantization is None else str(tensor.quantization)


def _detail(signature: SignatureSummary, name: str, tensor: TensorFact) -> str:
    default = signature.defaults.get(name)
    if default is not None:
        return f"default {output.values(default)}"
    return signature.parts.get(name) or _quantization(tensor)


def _print_inputs(graph: GraphSummary, parts: Parts) -> None:
    chosen = [fact for fact in graph.inputs if parts.everything or not (fact.fed_by or fact.internal)]
    rows = [(_role(fact.role), *_tensor(fact.tensor), _quantization(fact.tensor)) for fact in chosen]
    if rows:
        output.line("inputs that no signature feeds" if graph.signatures and not parts.everything else "inputs")
        _print_rows(rows, everything=parts.everything, noun="input")


def _role(role: str) -> str:
    return "input" if role == "feed" else role


def _print_outputs(graph: GraphSummary, parts: Parts) -> None:
    if graph.signatures and not parts.everything:
        return
    rows = [
        ("output", *_tensor(fact.tensor), _quantization(fact.tensor) or "; ".join(fact.why)) for fact in graph.outputs
    ]
    if rows:
        output.line("likely outputs, best first" if any(fact.why for fact in graph.outputs) else "outputs")
        _print_rows(rows, everything=parts.everything, noun="output")


def _print_ops(graph: GraphSummary, parts: Parts) -> None:
    if parts.ops:
        output.line("ops")
        output.table([(count, op) for op, count in graph.ops.items()], align=["right"], indent=2)
    elif graph.ops:
        shown = [f"{op} {count}" for op, count in list(graph.ops.items())[:8]]
        rest = len(graph.ops) - len(shown)
        output.wrapped([*shown, *([f"{rest} more (--ops)"] if rest else [])], first="ops", indent=5)
    if graph.unknown_ops:
        output.wrapped(graph.unknown_ops, first="not TensorFlow's own  ", indent=2)


def _print_functions(graph: GraphSummary, parts: Parts) -> None:
    if not graph.largest_functions or not (parts.functions or graph.functions):
        return
    output.line("functions" if parts.functions else "largest functions")
    shown = graph.largest_functions if parts.functions else graph.largest_functions[:3]
    rows = [(plural(function.nodes, "node"), name(function.name)) for function in shown]
    output.table(rows, align=["right"], indent=2)
    rest = len(graph.largest_functions) - len(shown)
    if rest:
        output.more(rest, "", "--functions")


def _print_objects(graph: GraphSummary, parts: Parts) -> None:
    if not parts.objects or graph.objects is None:
        return
    output.line("tf.saved_model.load gives")
    rows = [(child.name, child.kind, _object_detail(child)) for child in graph.objects]
    output.table(rows, indent=2)


def _object_detail(child: ObjectChild) -> str:
    if child.dtype is not None:
        return f"{child.dtype} {child.shape}"
    return ", ".join(child.functions or child.children)


def _print_variables(variables: VariablesSummary | None, parts: Parts, *, is_all: bool) -> None:
    if variables is None:
        return
    if not variables.count:
        output.heading("no variables", apart=True)
        return
    slots = (
        f", {variables.slots} of them kept by an optimizer ({size(variables.slot_bytes)})" if variables.slots else ""
    )
    twice = f", {variables.repeated} of them second copies of others" if variables.repeated else ""
    output.heading(
        f"{plural(variables.count, 'variable')}, {size(variables.bytes)}{slots}{twice}:"
        f" {plural(variables.parameters, 'parameter')}",
        apart=True,
    )
    _print_scopes(variables.scopes, parts)
    if is_all:
        _print_largest(variables)


def _print_largest(variables: VariablesSummary) -> None:
    """Name the variables: of a bare checkpoint they say what it is."""
    rest = variables.count - variables.slots - variables.repeated - len(variables.largest)
    output.line("largest variables" if rest else "variables")
    output.table([(str(fact.dtype), str(fact.shape), name(fact.name)) for fact in variables.largest], indent=2)
    if rest:
        output.more(rest, "", "gs weights")


def _print_constants(graph: GraphSummary, constants: ConstantsSummary, parts: Parts, *, alone: bool) -> None:
    small = f"{plural(constants.small, 'constant')} of fewer than {FEW_ELEMENTS} elements not counted"
    if not constants.count:
        if alone:
            output.heading(small)
        return
    rest = f" ({small})" if constants.small else ""
    output.heading(f"{_constants_size(graph)}: {plural(constants.parameters, 'parameter')}{rest}")
    if alone or parts.everything:
        _print_scopes(constants.scopes, parts)


def _print_scopes(scopes: Sequence[ScopeWeights], parts: Parts) -> None:
    rows = [(scope.scope or "(no scope)", number(scope.parameters), size(scope.bytes)) for scope in scopes]
    if len(rows) > 1:
        _print_rows(rows, everything=parts.everything, noun="scope", align=["left", "right", "right"])


def _print_notes(summary: Summary) -> None:
    if summary.assets:
        output.line(f"assets  {', '.join(summary.assets)}")
    for note in summary.notes:
        output.line(mark("note: ", "note"), note)


def _print_next(summary: Summary) -> None:
    import shlex

    keys = [key for graph in summary.graphs for key in graph.signatures if key != INIT]
    if registry.get(summary.format).holds_models:
        models = [member.path for member in summary.members if member.format is not None]
        if models:
            output.line()
            output.line(f"next: gs show {shlex.quote(models[0])}")
        return
    if not summary.graphs or (keys and summary.variables is not None):
        command, options = "weights", " --sort size"
    elif forms := [form for graph in summary.graphs for form in graph.callables]:
        command, options = "find", f" --op '*' --graph {shlex.quote(forms[0].function)}"
    else:
        has_outputs = any(graph.outputs for graph in summary.graphs)
        command, options = ("outputs", "") if has_outputs and not keys else ("find", " --op '*'")
    output.next_step(f"gs {command} {shlex.quote(summary.path)}{options}")
    route = route_of(summary.format)
    if route is not None:
        output.line(route.told_of(summary.path))


def _print_rows(
    rows: Iterable[Sequence[object]], *, everything: bool, noun: str, align: Sequence[output.Align] = ()
) -> None:
    listed = list(rows)
    shown = listed if everything or len(listed) <= FEW else listed[: FEW - 1]
    output.table(shown, align=align, indent=2)
    if len(shown) < len(listed):
        rest = len(listed) - len(shown)
        output.more(rest, plural(rest, noun).partition(" ")[2], "--all")
