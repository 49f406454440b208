"""What a Keras file offers about its MetaGraph: the configuration that it was lifted from, and nothing besides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphsurgeon.formats.bare_source import BareSource


class KerasSource(BareSource):
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
