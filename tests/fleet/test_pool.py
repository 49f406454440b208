"""Processes that work on items: in order, and whatever one of them does, the others' items are done."""

from __future__ import annotations

import sys

import pytest

from graphsurgeon.fleet.pool import in_processes

pytestmark = pytest.mark.processes

WORDS = "graphsurgeon.fleet.pool:_end"


def test_answers_come_in_order() -> None:
    answers = list(in_processes(WORDS, [0, 3, -9, 5], jobs=2))
    assert [answer.result for answer in answers] == [
        "ended with status 0", "ended with status 3", "was ended by SIGKILL", "ended with status 5",
    ]  # fmt: skip
    assert list(in_processes(WORDS, [], jobs=4)) == []


def test_errors_are_those_of_a_single_process() -> None:
    (answer,) = in_processes("graphsurgeon.formats:read", ["/missing/m.pb"], jobs=3)
    assert answer.result is None
    assert answer.error is not None
    assert (str(answer.error), answer.error.exit_code) == ("/missing/m.pb: no such file or folder", 3)


def test_a_process_that_dies_costs_its_item() -> None:
    found = list(in_processes("os:_exit", [7, 8, 9], jobs=2))
    said = "the process that looked at it ended with status"
    assert [str(answer.error) for answer in found] == [f"{said} 7", f"{said} 8", f"{said} 9"]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_process_that_is_killed_costs_its_item() -> None:
    (found,) = in_processes("signal:raise_signal", [9], jobs=1)
    assert str(found.error) == "the process that looked at it was ended by SIGKILL"


def test_an_item_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphsurgeon.fleet.pool._PATIENCE", 0.05)
    (slow,) = in_processes("time:sleep", [600], jobs=1, seconds=0.2)
    assert (slow.result, str(slow.error)) == (None, "gave no answer within 0.2 seconds")
