"""Nodes of constants, computed by TensorFlow in a process of its own: for `gs optimize --only fold-with-tensorflow`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from graphsurgeon.bridges.child import require_extra
from graphsurgeon.bridges.probe import written
from graphsurgeon.bridges.runner import run_calls
from graphsurgeon.compare.entries import OneRun
from graphsurgeon.formats import registry
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model


def with_tensorflow(metagraph: MetaGraph, wanted: Sequence[str]) -> dict[str, Any]:
    """Return what tensors of a graph without inputs are, as arrays; those that do not compute are left out.

    Args:
        metagraph: of the main graph alone.
        wanted: names of tensors.

    Raises:
        UnsupportedError: TensorFlow is not installed, or the process ended.
    """
    require_extra("tensorflow")
    model = Model(registry.GRAPH_DEF, "constants")
    model.metagraphs = [metagraph]
    calls = [OneRun("session", None, {}, {name: name}) for name in wanted]
    with written(model) as place:
        outcomes = run_calls(place, calls)
    return {name: result.array for outcome in outcomes for name, result in outcome.results.items()}
