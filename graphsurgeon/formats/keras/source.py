"""What a Keras file offers about its MetaGraph: the configuration that it was lifted from, and nothing besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from graphsurgeon.model.metagraph import Asset, Collection, MetaGraph, Saver, Signature
    from graphsurgeon.model.objects import ObjectGraph


class KerasSource:
    """MetaGraphSource over a configuration.

    Attributes:
        config: the object with `class_name` and `config`.
        training: how the model was compiled, None where the file does not say.
        version: of the Keras that wrote it, empty where the file does not say.
    """

    __slots__ = ("config", "training", "version")

    def __init__(self, config: Mapping[str, Any], training: Mapping[str, Any] | None, version: str = "") -> None:
        self.config = config
        self.training = training
        self.version = version

    def signatures(self, metagraph: MetaGraph) -> dict[str, Signature]:
        """Return nothing: there is no such thing in Keras files."""
        return {}

    def collections(self, metagraph: MetaGraph) -> dict[str, Collection]:
        """Return nothing: there is no such thing in Keras files."""
        return {}

    def saver(self, metagraph: MetaGraph) -> Saver | None:
        """Return None: there is no such thing in Keras files."""
        return None

    def assets(self, metagraph: MetaGraph) -> list[Asset]:
        """Return nothing: what layers keep beside their weights belongs to no tensor."""
        return []

    def objects(self, metagraph: MetaGraph) -> ObjectGraph | None:
        """Return None: there is no such thing in Keras files."""
        return None

    def drop_debug_info(self, metagraph: MetaGraph) -> dict[str, int]:
        """Return nothing: there is no such thing in Keras files."""
        return {}

    def function_source(self) -> None:
        """Return None: models inside a model are not made here."""
