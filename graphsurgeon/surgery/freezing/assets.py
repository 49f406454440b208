"""Files that a signature reads while it runs: their content, where they are assets, becomes a constant."""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.analysis.flow.calls import Place, origin
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import Asset
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.surgery.moves.prune import prune_graph


def read_assets(graph: Graph, paths: Mapping[Node, Asset], roots: list[Node]) -> None:
    """Put the content of assets in the place of `ReadFile`, in place.

    Args:
        graph: a frozen main graph.
        paths: constant that holds the path of an asset -> the asset.
        roots: nodes that stay even if nothing needs them.

    Raises:
        UnsupportedError: a path is used in another way: there is no such path where a frozen graph runs.
    """
    if not paths:
        return
    for node in graph.nodes:
        producer = origin(Place(node.inputs[0])).value.producer if node.op == "ReadFile" else None
        asset = paths.get(producer) if producer is not None else None
        if asset is not None and asset.content is not None:
            content = Tensor.of(STRING, (), [asset.content()])
            node.become("Const", [], {"dtype": STRING, "value": content})
    prune_graph(graph, roots)
    for node, asset in paths.items():
        if node in graph or node.graph is not graph:
            user = next(iter(node.consumers), node)
            raise UnsupportedError(
                f"{user.name!r} ({user.op}) uses the path of asset {asset.filename!r}, a frozen graph has none",
                hint="keep a SavedModel with its assets",
            )
