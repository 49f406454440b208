"""What the kinds of changes have in common: tables of them, and how one place of many is drawn.

A change leaves a model a file that parses. It takes the message (of TFLite the object tree, of a checkpoint its parts)
and a source of chance, changes it in place, and says what it did, or None where the model has nothing of the kind. Some
are harmless: they tell false errors.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

Change = Callable[[Any, random.Random], str | None]
GRAPH: dict[str, Change] = {}  # of a GraphDef
META: dict[str, Change] = {}  # of a MetaGraphDef
TFLITE: dict[str, Change] = {}  # of a `ModelT`
CHECKPOINT: dict[str, Change] = {}  # of a `soundness_checkpoints.Parts`
T = TypeVar("T")


def kind_in(table: dict[str, Change]) -> Callable[[Change], Change]:
    """Enter a change into a table, under its name."""

    def enter(change: Change) -> Change:
        table[change.__name__.strip("_")] = change
        return change

    return enter


def drawn(found: Iterable[T], chance: random.Random) -> T | None:
    """Return one of some things, None where there are none."""
    found = list(found)
    return chance.choice(found) if found else None
