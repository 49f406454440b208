"""Instructions of pickles, against `pickletools`; of damaged ones no name that this finds is missing."""

from __future__ import annotations

import collections
import pickle  # noqa: TID251  what is read here
import pickletools
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.disk.files import FileRange, open_source
from graphsurgeon.encoding.pickle_ops import instructions
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.scanning.files import pickles

VALUES: list[Any] = [
    [1, 2.5, "x", b"y" * 300, {"a": (1, 2, 3, 4)}, True, None, 10**30, -5, 70000, "é" * 300],
    collections.OrderedDict(a=[bytearray(b"zz"), {1, 2}, frozenset("a")]),
]
PICKLES = [pickle.dumps(value, protocol) for value in VALUES for protocol in range(6)]


@pytest.mark.parametrize("data", PICKLES, ids=range(len(PICKLES)))
def test_names_and_places_are_those_of_pickletools(data: bytes, tmp_path: Path) -> None:
    theirs = [(op.name, position) for op, _, position in pickletools.genops(data)]
    ours = list(instructions(data))
    starts = [0, *(one.end for one in ours[:-1])]
    assert [(one.name, start) for one, start in zip(ours, starts, strict=True)] == theirs
    (tmp_path / "p").write_bytes(b"head" + data)
    stored = list(instructions(open_source(tmp_path / "p"), 4))
    assert [one.name for one in stored] == [name for name, _ in theirs]
    arguments = [one.argument.read() if isinstance(one.argument, FileRange) else one.argument for one in stored]
    assert arguments == [one.argument for one in ours]


def test_what_is_cut_off_or_unknown_is_an_error() -> None:
    for data in PICKLES:
        for length in range(len(data)):
            with pytest.raises(FormatError):
                list(instructions(data[:length]))
    with pytest.raises(UnsupportedError, match="is no instruction"):
        list(instructions(b"\xff."))


def test_an_argument_that_a_strict_reader_refuses_hides_nothing() -> None:
    """`pickletools` stops at a number that is none; Python has run the name before by then."""
    data = b"Inone\n0cos\nsystem\n(S'true'\ntR."
    with pytest.raises(ValueError, match="none"):
        list(pickletools.genops(data))
    assert [(one.severity, one.target) for one in pickles.threats(data, "p")] == [("critical", "os system")]


def test_a_name_spelled_with_escapes_is_found() -> None:
    data = b"\x80\x02S'\\x6fs'\nS'system'\n\x93."
    assert [one.target for one in pickles.threats(data, "p")] == ["os system"]
