"""Look at a model file as a whole: its graphs, and what lies around them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from graphsurgeon.disk.files import contained, is_folder
from graphsurgeon.errors import FormatError
from graphsurgeon.formats.graph.graphbytes import metagraph_of
from graphsurgeon.formats.savedmodel.folder import parts
from graphsurgeon.model.format import TFLITE
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.scanning.finding import Threat
from graphsurgeon.scanning.graphs import Surroundings, judge_graphs, judge_metagraph


def surroundings(model: Model, fetched: Iterable[Node] = ()) -> Surroundings:
    """Return what the graphs of a model are judged with."""
    custom = None
    if model.traits.vocabulary == TFLITE:
        from graphsurgeon.formats.tflite.file import custom_ops

        custom = custom_ops(model)
    return Surroundings(metagraph_of, model.traits.is_bare_graph, outside_assets(model), 0, custom, tuple(fetched))


def judge_run(model: Model, metagraph: MetaGraph, fetched: Iterable[Node]) -> list[Threat]:
    """Return what loading a model and asking for some nodes does to the machine."""
    found = judge_metagraph(metagraph, surroundings(model, fetched))
    whens = ("load", "function:run")
    return [threat for threat in found if threat.when in whens or metagraph.vocabulary == TFLITE]


def outside_assets(model: Model) -> dict[str, str]:
    """Return assets whose names, or links, lead out of the model's folder: name -> where to."""
    if not model.traits.holds_assets:
        return {}
    folder = Path(model.path) if is_folder(Path(model.path)) else Path(model.path).parent
    names = {asset.filename for metagraph in model.metagraphs for asset in metagraph.assets}
    return {
        name: os.path.normpath(folder / parts.ASSETS / name) for name in names if leads_out(folder / parts.ASSETS, name)
    }


def leads_out(folder: Path, name: str) -> bool:
    """Say whether a name in a folder, or a link on its way, leads out of it."""
    try:
        contained(folder, name)
    except FormatError:
        return True
    return False


__all__ = ["judge_graphs", "judge_run", "leads_out", "outside_assets", "surroundings"]
