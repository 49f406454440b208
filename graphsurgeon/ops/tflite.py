"""What LiteRT asks of TFLite's builtin operators: versions, numbers of inputs and outputs, what may be left out.

The table `tflite.txt` is made by `tools/make_tflite_ops.py` by asking the interpreter.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from graphsurgeon.errors import FormatError

Range = tuple[int, int | None]  # least and most; None for no bound


class Builtin(NamedTuple):
    """A builtin operator.

    Attributes:
        name: as in the schema.
        versions: that are registered; None where there is no kernel.
        inputs, outputs: how many it has; None where nothing is known, or any number will do.
        optional: the inputs that may be left out.
        types: element type of the first input, and input (`1`) or output (`o0`) -> types that it may have; names as
            TFLite's. What is not there may have any, as far as is known.
    """

    name: str
    versions: Range | None = None
    inputs: Range | None = None
    outputs: Range | None = None
    optional: frozenset[int] = frozenset()
    types: Mapping[tuple[str, str], frozenset[str]] = MappingProxyType({})


@cache
def builtins() -> dict[str, Builtin]:
    """Return the operators by name."""
    text = Path(__file__).with_name("tflite.txt").read_text("utf-8")
    found = (_parsed(line) for line in text.splitlines() if line and not line.startswith("#"))
    return {builtin.name: builtin for builtin in found}


def builtin(name: str) -> Builtin | None:
    """Return what is known of an operator, None for a custom one and for one that is newer."""
    return builtins().get(name)


def _parsed(line: str) -> Builtin:
    name, *words = line.split(" ")
    values = dict(word.split("=") for word in words)
    optional = frozenset(int(number) for number in values.get("optional", "").split(",") if number)
    version, inputs, outputs = (_range(values.get(key)) for key in ("version", "inputs", "outputs"))
    types = {
        (first, place): frozenset(values[key].split(","))
        for key in values
        for first, sign, place in (key.partition(":"),)
        if sign
    }
    return Builtin(name, version, inputs, outputs, optional, MappingProxyType(types))


def _range(text: str | None) -> Range | None:
    if text is None:
        return None
    least, sign, most = text.partition("-")
    if not sign or not least.isdecimal():
        raise FormatError(f"tflite.txt: {text!r} is no range")
    return int(least), int(most) if most else None
