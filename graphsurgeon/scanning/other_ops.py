"""Models whose ops are those of another framework: what of them is no op that the framework has."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.model.format import ONNX
from graphsurgeon.model.model import Model
from graphsurgeon.ops import onnx
from graphsurgeon.scanning.finding import Severity, Threat

_KNOWN = ("com.microsoft", "com.microsoft.nchwc", "com.microsoft.experimental")  # that ONNX Runtime brings itself


def threats(model: Model) -> Iterator[Threat]:
    """Yield ops that are native code of somebody; ops of ONNX itself compute, and reach nothing outside the graph."""
    if model.traits.vocabulary != ONNX:
        what = f"a {model.traits.title}, whose graph could not be looked into"
        yield Threat("medium", None, what, model.format, "unknown", None, "unseen")
        return
    for metagraph in model.metagraphs:
        for graph in metagraph.graphs:
            for op, count in graph.op_counts.items():
                domain = op.rpartition(".")[0]
                if domain and domain not in onnx.DOMAINS and op not in metagraph.functions:
                    severity: Severity = "info" if domain in _KNOWN else "medium"
                    what = "native code of a domain of its own, which whoever runs the model must load"
                    where = f"{graph.name or 'graph'} > {op}"
                    yield Threat(severity, op, what, where, "unknown", None, "native", count)
