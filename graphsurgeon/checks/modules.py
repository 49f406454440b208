"""Rules about StableHLO modules inside `XlaCallModule` nodes: what they need, and what the node says of them.

TensorFlow infers shapes from the node's `Tin`, `Tout` and `Sout` and never reads the module: what is false there runs
without complaint, or fails where nobody looks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.checks.places import place
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats.stablehlo.lift import lift
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import AttrValue, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape

OP = "XlaCallModule"
_READ = (1, 13, 7)  # the version of VHLO inside TensorFlow 2.21
_AGAIN = "export the model anew"


def modules(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find modules that cannot be read, need a newer TensorFlow, or are not what their node says."""
    called = _called(metagraph)
    for graph in metagraph.graphs:
        for node in graph.peek((OP,)):
            data = node.attrs.get("module")
            where = place(graph, node)
            if not isinstance(data, bytes) or not data:
                yield Finding("error", where, "it holds no module", _AGAIN, "module")
                continue
            if not data.startswith(b"ML\xefR"):
                what = "its module is text, which is not looked into here"
                yield Finding("note", where, what, "export it as a portable artifact", "module")
                continue
            try:
                module = lift(data)
            except GraphSurgeonError as error:
                yield Finding("warning", where, f"its module cannot be read: {error.message}", _AGAIN, "module")
                continue
            yield from _needs(module, where)
            for finding in _ends(module, node, where):  # of a gradient that nothing runs nobody asks
                is_idle = finding.severity == "error" and graph not in called
                yield replace(finding, severity="warning") if is_idle else finding


def _called(metagraph: MetaGraph) -> set[Graph]:
    objects = metagraph.objects
    named = {one for node in objects.nodes for one in node.functions if isinstance(one, Graph)} if objects else set()
    return {metagraph.graph, *named, *reached_functions([metagraph.graph, *named])}


def _needs(module: MetaGraph, where: str) -> Iterator[Finding]:
    needs = module.producer.get("needs")
    if needs and tuple(map(int, needs.split("."))) > _READ:
        read = ".".join(map(str, _READ))
        what = f"its module needs VHLO {needs} ({module.producer['needed_by']}); TensorFlow 2.21 reads {read}"
        yield Finding("warning", where, what, "serve it with a newer TensorFlow, or export without that op", "module")


def _ends(module: MetaGraph, node: Node, where: str) -> Iterator[Finding]:
    """Compare `Tin` with the arguments of `main`, `Tout` and `Sout` with its results."""
    platforms = node.attrs.get("platforms")
    skipped = int(isinstance(platforms, list) and len(platforms) > 1)  # first comes the number of the platform
    inputs = [value for value in module.graph.inputs[skipped:] if not _is_token(value)]
    results = [output.value for output in module.graph.outputs if not _is_token(output.value)]
    for name, values in (("Tin", inputs), ("Tout", results)):
        dtypes = _listed(node.attrs.get(name), DType)
        if len(dtypes) != len(values):
            what = f"{name} has {len(dtypes)} types, the module's main {len(values)}"
            yield Finding("error", where, what, _AGAIN, "module-types")
            continue
        for number, (dtype, value) in enumerate(zip(dtypes, values, strict=True)):
            if value.dtype is not None and dtype != value.dtype:
                what = f"{name}[{number}] is {dtype}, the module's main has {value.dtype}"
                yield Finding("error", where, what, _AGAIN, "module-types")
    shapes = _listed(node.attrs.get("Sout"), Shape)
    for number, (shape, value) in enumerate(zip(shapes, results, strict=False)):
        known = value.shape or UNKNOWN_RANK
        if isinstance(shape, Shape) and not shape.is_compatible_with(known):
            what = f"Sout[{number}] is {shape}, the module's main yields {known}"
            yield Finding("warning", where, what, _AGAIN, "module-types")


def _is_token(value: Value) -> bool:
    return (value.extra or {}).get("type") == "token"


def _listed(value: AttrValue, kind: type) -> Sequence[object]:
    return [item for item in value if isinstance(item, kind)] if isinstance(value, list) else []
