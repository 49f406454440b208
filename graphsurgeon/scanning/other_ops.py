"""Models whose ops are those of another framework: what of them is no op that the framework has."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from graphsurgeon.disk.places import path_of
from graphsurgeon.model.format import LAYERED, ONNX, STABLEHLO
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.ops import onnx
from graphsurgeon.scanning.files.folder import where
from graphsurgeon.scanning.finding import SEVERITIES, Severity, Threat
from graphsurgeon.scanning.words import readable

_KNOWN = ("com.microsoft", "com.microsoft.nchwc", "com.microsoft.experimental")  # that ONNX Runtime brings itself


def threats(model: Model) -> Iterator[Threat]:
    """Yield ops that are native code of somebody; ops of ONNX itself compute, and reach nothing outside the graph."""
    vocabulary = model.traits.vocabulary
    if vocabulary not in (ONNX, STABLEHLO, *LAYERED):
        what = f"could not be looked into: nobody has judged the ops of {vocabulary}"
        yield Threat("medium", None, what, path_of(model.path).name, kind="unseen")
    if vocabulary == ONNX:
        yield from _of_files(model)
    for metagraph in model.metagraphs:
        for graph in metagraph.graphs:
            for op, count in graph.op_counts.items():
                judged = _of_onnx(op, metagraph) if vocabulary == ONNX else _table().get((vocabulary, op))
                if judged is not None:
                    place = f"{graph.name or 'graph'} > {op}"
                    yield Threat(judged[0], op, judged[1], place, "unknown", None, "native", count)


def _of_files(model: Model) -> Iterator[Threat]:
    """Yield weights of ONNX whose files lie outside the model's folder."""
    from graphsurgeon.formats.onnx.file import outside

    for name, location in outside(model).items():
        what = "reads values from outside the model's folder"
        shown = readable(where(path_of(model.path).parent, location).encode("utf-8", "surrogateescape"))
        yield Threat("high", None, what, f"external data > {name}", "load", shown, "read", targets=(shown,))


def _of_onnx(op: str, metagraph: MetaGraph) -> tuple[Severity, str] | None:
    domain = op.rpartition(".")[0]
    if not domain or domain in onnx.DOMAINS or op in metagraph.functions:
        return None
    what = "native code of a domain of its own, which whoever runs the model must load"
    return "info" if domain in _KNOWN else "medium", what


@cache
def _table() -> dict[tuple[str, str], tuple[Severity, str]]:
    """Return the ops of other frameworks that run code (`other_ops.tsv`); the rest of theirs compute."""
    lines = Path(__file__).with_name("other_ops.tsv").read_text("utf-8").splitlines()[1:]
    rows = (line.split("\t") for line in lines)
    return {(vocabulary, op): (_severity(text), what) for vocabulary, op, text, what in rows}


def _severity(text: str) -> Severity:
    return next(severity for severity in SEVERITIES if severity == text)
