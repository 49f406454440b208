"""Compiled modules (`XlaCallModule`): which native functions they call by name."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.scanning.finding import Threat
from graphsurgeon.scanning.judge import Judge


def threats(judge: Judge) -> Iterator[Threat]:
    """Yield what modules inside attributes call."""
    return iter(())
