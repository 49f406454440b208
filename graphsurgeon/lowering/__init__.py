"""Graphs of one vocabulary made into graphs of another: what `gs convert` does with a network of another framework.

ONNX becomes TensorFlow by one function per op and version (`table.py`, `families/`). Each sees one node through a
`Source` and makes nodes through a `Builder`; `scope.py` walks, `ends.py` makes inputs, outputs and the signature.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from importlib import import_module

from graphsurgeon.errors import UnsupportedError, plural
from graphsurgeon.lowering.scope import Refused
from graphsurgeon.model.format import CAFFE, MXNET, ONNX, TENSORFLOW, Vocabulary
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import Shape

# (of the source, of the result) -> what makes it.
WAYS: dict[tuple[Vocabulary, Vocabulary], str] = {
    (ONNX, TENSORFLOW): "graphsurgeon.lowering.onnx:lower",
    (MXNET, ONNX): "graphsurgeon.lowering.mxnet.graph:lower",
    (CAFFE, ONNX): "graphsurgeon.lowering.caffe.graph:lower",
}

_NAMED = 12  # refused nodes that a message lists one by one
_HINT = (
    "--outputs TENSOR converts the part before them, --inputs TENSOR that behind; where nothing helps, ONNX Runtime "
    "runs the model as it is"
)


@dataclass(frozen=True)
class LoweringOptions:
    """How a graph is lowered.

    Attributes:
        keep_layout: leave every axis of every input and output where it is.
        shapes: input -> the shape that is taken for it.
    """

    keep_layout: bool = False
    shapes: Mapping[str, Shape] = field(default_factory=dict)


@dataclass(frozen=True)
class Lowered:
    """What became of a graph.

    Attributes:
        metagraph: the new one.
        renamed: name in the source -> in the result, where they differ.
        turned: inputs and outputs whose channels are last now: name in the source -> which axis of it each axis is.
        notes: what the user should know, one line each.
    """

    metagraph: MetaGraph
    renamed: dict[str, str] = field(default_factory=dict)
    turned: dict[str, list[int]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def lower(metagraph: MetaGraph, targets: Sequence[Vocabulary], options: LoweringOptions | None = None) -> Lowered:
    """Make a graph of another vocabulary of a MetaGraph, which stays as it is.

    Args:
        metagraph: the source.
        targets: vocabularies that will do.
        options: how.

    Raises:
        UnsupportedError: there is no way, or there are nodes that nothing is known for; all of them are named.
    """
    way = _way(metagraph.vocabulary, targets)
    options = options or LoweringOptions()
    lowered = Lowered(metagraph)
    for place in way:
        module, _, function = place.partition(":")
        made: Lowered = getattr(import_module(module), function)(lowered.metagraph, options)
        lowered = replace(made, notes=[*lowered.notes, *made.notes])
        options = replace(options, shapes={})  # they are in the inputs now
    return lowered


def _way(source: Vocabulary, targets: Sequence[Vocabulary]) -> list[str]:
    """Return the one or two steps that lead from a vocabulary to another: layers become ONNX, that TensorFlow."""
    for (start, middle), place in WAYS.items():
        if start == source and middle in targets:
            return [place]
    for (start, middle), place in WAYS.items():
        behind = [other for (before, to), other in WAYS.items() if before == middle and to in targets]
        if start == source and behind:
            return [place, behind[0]]
    raise UnsupportedError(f"nothing makes {' or '.join(targets)} of {source}")


def refuse(refused: Sequence[Refused], whose: str = "TensorFlow's") -> None:
    """Raise what names every node that is not lowered, those with one reason together.

    Args:
        refused: the nodes.
        whose: what they were to become.

    Raises:
        UnsupportedError: there is one.
    """
    if not refused:
        return
    reasons: dict[tuple[str, str], list[str]] = {}
    for one in refused:
        reasons.setdefault((one.op, one.why), []).append(one.node)
    told = [f"{op} ({_several(nodes)}): {why}" for (op, why), nodes in list(reasons.items())[:_NAMED]]
    more = f"; and {plural(len(reasons) - _NAMED, 'further reason')}" if len(reasons) > _NAMED else ""
    raise UnsupportedError(f"{plural(len(refused), 'node')} cannot become {whose}: {'; '.join(told)}{more}", hint=_HINT)


def _several(nodes: Sequence[str]) -> str:
    shown = ", ".join(repr(node) for node in nodes[:4])
    return shown if len(nodes) <= 4 else f"{shown} and {len(nodes) - 4} more"
