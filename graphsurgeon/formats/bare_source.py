"""What formats offer about a MetaGraph whose files hold graphs and little else."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsurgeon.errors import UnsupportedError

if TYPE_CHECKING:
    from graphsurgeon.model.metagraph import Asset, Collection, MetaGraph, Saver, Signature, TakenIn
    from graphsurgeon.model.objects import ObjectGraph


class BareSource:
    """A MetaGraphSource with nothing beside the graphs; a format overrides what its files do hold."""

    __slots__ = ()

    def signatures(self, metagraph: MetaGraph) -> dict[str, Signature]:
        """Return none: inputs and outputs of the main graph are all there is."""
        return {}

    def collections(self, metagraph: MetaGraph) -> dict[str, Collection]:
        """Return none."""
        return {}

    def saver(self, metagraph: MetaGraph) -> Saver | None:
        """Return None: a saver is a thing of TensorFlow."""
        return None

    def assets(self, metagraph: MetaGraph) -> list[Asset]:
        """Return none: no tensor names a file beside the model."""
        return []

    def objects(self, metagraph: MetaGraph) -> ObjectGraph | None:
        """Return None: an object graph is a thing of TensorFlow."""
        return None

    def drop_debug_info(self, metagraph: MetaGraph) -> dict[str, int]:
        """Drop nothing."""
        return {}

    def function_source(self) -> None:
        """Return None: functions and subgraphs are read, not made."""

    def function_names(self) -> frozenset[str]:
        """Return none: nothing names a subgraph but by its number."""
        return frozenset()

    def drop_unused_codes(self, metagraph: MetaGraph) -> list[str]:
        """Return nothing: nodes say what they are."""
        return []

    def take_in(self, metagraph: MetaGraph, other: MetaGraph) -> TakenIn:
        """Refuse: graphs of these formats are not joined."""
        raise UnsupportedError(f"graphs of {metagraph.vocabulary} are not joined")

    def beside(self, metagraph: MetaGraph, other: MetaGraph) -> MetaGraph:
        """Refuse: a file of these formats holds one graph."""
        raise UnsupportedError("a file of this format holds one MetaGraph")
