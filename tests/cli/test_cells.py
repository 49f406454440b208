"""Columns under each other where signs take two places, or none."""

from __future__ import annotations

import pytest
from rich.cells import cell_len

from graphsurgeon.cli import output, terminal
from graphsurgeon.cli.cells import cells, fitting_characters, padded

FULL = "\uff46\uff55\uff4c\uff4c"
TEXTS = ("conv1/kernel", "模型/卷积层/权重", "모델/합성곱", "e\u0301te\u0301", "half ｶﾅ", FULL, "😀 name")


@pytest.mark.parametrize("text", TEXTS)
def test_room_is_what_rich_says(text: str) -> None:
    assert cells(text) == cell_len(text)
    for room in range(2, 30):
        cut = text[: fitting_characters(text, room)]
        assert cell_len(cut) <= room
    assert cell_len(padded(text, 40)) == cell_len(padded(text, 40, right=True)) == 40


def test_a_table_in_a_pipe_has_columns(capsys: pytest.CaptureFixture[str]) -> None:
    output.table([(text, "float32", "[3]") for text in TEXTS])
    lines = capsys.readouterr().out.splitlines()
    assert len({cell_len(line.partition("float32")[0]) for line in lines}) == 1


def test_names_are_folded_by_the_room_that_they_take() -> None:
    name = "/".join(["卷积层"] * 12)
    folded = terminal.fold(name, 20, hang=2)
    assert "".join(folded) == name
    assert all(cell_len(line) <= 20 for line in folded)
    assert all(line.endswith("/") for line in folded[:-1])
