"""Every command prints what `tests/cli/golden/` holds; `python -m tests.cli.golden` writes that anew."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from graphsurgeon.cli.app import COMMANDS
from tests.cli import golden

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
OTHERS = {"run", "verify"}  # need a runtime: their text is tried on reports, they in tests/cli/test_run.py
SERVING = {"view"}  # does not end: tests/cli/test_view.py


@pytest.fixture(scope="module", autouse=True)
def models() -> Iterator[None]:
    with golden.folder_of_models():
        yield


@pytest.mark.parametrize("name", golden.CASES)
def test_what_is_printed(name: str) -> None:
    assert golden.golden(name) == (golden.FOLDER / f"{name}.txt").read_text("utf-8")


def test_every_command_has_a_case_and_every_file_a_command() -> None:
    assert set(golden.CASES) - {"errors"} == set(COMMANDS) - OTHERS - SERVING
    assert {file.name for file in golden.FOLDER.iterdir()} == {
        *(f"{name}.txt" for name in golden.CASES),
        golden.REPORTS,
    }


def test_what_is_printed_of_runs() -> None:
    assert golden.reports() == (golden.FOLDER / golden.REPORTS).read_text("utf-8")


@pytest.mark.parametrize("name", ["show", "inputs", "check", "diff", "freeze"])
def test_colours_add_nothing_but_colour(name: str) -> None:
    for command in golden.CASES[name]:
        coloured, plain = (golden.see(command, columns=120, colour=colour).text for colour in (True, False))
        assert "\x1b" not in plain
        assert COLOUR.sub("", coloured) == plain


@pytest.mark.parametrize("name", sorted(set(golden.CASES) - {"errors"}))
def test_nothing_is_wider_than_the_terminal_or_ends_in_blanks(name: str) -> None:
    parts = re.findall(r"^===== (\d+) columns: .*\n((?:(?!=====).*\n)*)", golden.golden(name), re.MULTILINE)
    assert len(parts) == 2 * len(golden.CASES[name])
    for columns, text in parts:
        lines = re.sub(r"\\e\[[0-9;]*m", "", text).splitlines()
        told = [line for line in lines if not line.startswith("gs: ")]  # errors and warnings are one line each
        assert [line for line in told if len(line) > int(columns) or line != line.rstrip()] == []
