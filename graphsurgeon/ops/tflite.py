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

SAME = "@"  # the type of the first input
Range = tuple[int, int | None]  # least and most; None for no bound


class TypesTaken(NamedTuple):
    """What a kernel says to types: those that it takes, and no others, or those that it refuses."""

    names: frozenset[str]
    are_taken: bool

    def refuse(self, type: str) -> bool:
        """Say whether a type is refused; one that was not asked for is none of those taken."""
        return (type in self.names) is not self.are_taken


class Builtin(NamedTuple):
    """A builtin operator.

    Attributes:
        name: as in the schema.
        versions: that are registered; None where there is no kernel.
        inputs, outputs: how many it has; None where nothing is known, or any number will do.
        optional: the inputs that may be left out.
        refused: element type of the first input, and input (`1`) or output (`o0`) -> what the kernel says to types
            there; names as TFLite's. `("", "0")` is of the first input, `("", "o0")` of operators without inputs.
        made: element type of the first input, and output (`o0`) -> the type that the kernel gives it, whatever is
            stored: that of an input (`@` the first, `@1` the second), its name, or `?`.
        ran: element types of the first input with which the kernel was seen to run: of the outputs that it does not
            make itself the stored type holds.
        zero: element type of the first input and a tensor of the same type whose zero point must be 0.
        scaled: the same of one that must have a scale where others of the operator have one.
        same: inputs that must have one type.
        bare: element types of the first input with which the kernel wants scales, even if no tensor has one.
    """

    name: str
    versions: Range | None = None
    inputs: Range | None = None
    outputs: Range | None = None
    optional: frozenset[int] = frozenset()
    refused: Mapping[tuple[str, str], TypesTaken] = MappingProxyType({})
    made: Mapping[tuple[str, str], str] = MappingProxyType({})
    ran: frozenset[str] = frozenset()
    zero: frozenset[tuple[str, str]] = frozenset()
    scaled: frozenset[tuple[str, str]] = frozenset()
    same: frozenset[int] = frozenset()
    bare: frozenset[str] = frozenset()

    def refuses(self, first: str, place: str, type: str) -> bool:
        """Say whether the kernel refuses a type, where its first input has one ("" where it has no inputs)."""
        if place == "0":
            first = ""
        elif self.takes_any_number and (first, place) not in self.refused and (first, "2") in self.refused:
            place = "1" if place.isdecimal() else place
        elif self.name == "UNPACK" and place.startswith("o"):
            place = "o0"  # as all others
        types = self.refused.get((first, place))
        return types is not None and types.refuse(type)

    @property
    def takes_any_number(self) -> bool:
        """Whether there is no greatest number of inputs."""
        return self.inputs is None or self.inputs[1] is None


@cache
def builtins() -> dict[str, Builtin]:
    """Return the operators by name."""
    lines = Path(__file__).with_name("tflite.txt").read_text("utf-8").splitlines()
    found = (_parsed(line) for line in lines if line and not line.startswith("#"))
    return {builtin.name: builtin for builtin in found}


def builtin(name: str) -> Builtin | None:
    """Return what is known of an operator, None for a custom one and for one that is newer."""
    return builtins().get(name)


def _parsed(line: str) -> Builtin:
    name, *words = line.split(" ")
    values = dict(word.split("=") for word in words)
    version, inputs, outputs = (_range(values.get(key)) for key in ("version", "inputs", "outputs"))
    refused: dict[tuple[str, str], TypesTaken] = {}
    made: dict[tuple[str, str], str] = {}
    for key, told in values.items():
        firsts, sign, place = key.partition(":")
        for first in firsts.split(",") if sign else ():
            types = frozenset(first if one == SAME else one for one in told.removeprefix("!").split(","))
            if place.startswith("s"):
                made[first, f"o{place[1:]}"] = told
            else:
                refused[first, place] = TypesTaken(types, are_taken=not told.startswith("!"))
    return Builtin(
        name,
        version,
        inputs,
        outputs,
        frozenset(int(number) for number in _listed(values, "optional")),
        MappingProxyType(refused),
        MappingProxyType(made),
        frozenset(_listed(values, "ran")),
        _places(values, "zero"),
        _places(values, "none"),
        frozenset(int(number) for number in _listed(values, "same")),
        frozenset(_listed(values, "bare")),
    )


def _listed(values: Mapping[str, str], key: str) -> list[str]:
    return values[key].split(",") if key in values else []


def _places(values: Mapping[str, str], key: str) -> frozenset[tuple[str, str]]:
    return frozenset((first, place) for first, _, place in (one.partition(":") for one in _listed(values, key)))


def _range(text: str | None) -> Range | None:
    if text is None:
        return None
    least, sign, most = text.partition("-")
    if not sign or not least.isdecimal():
        raise FormatError(f"tflite.txt: {text!r} is no range")
    return int(least), int(most) if most else None
