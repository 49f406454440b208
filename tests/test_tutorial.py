"""The pages of the documentation: every command runs, and prints what the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.transcripts import ROOT, agree, commands, prepare, run

PAGES = [
    path for path in [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))] if "```console" in path.read_text()
]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_commands_print_what_the_page_says(page: Path, tmp_path: Path) -> None:
    prepare(tmp_path)
    for command in commands(page.read_text()):
        if "tensorflow" in command.marks:
            continue  # tests/oracle/test_workflows.py runs these
        status, printed = run(command.text, tmp_path)
        assert agree(command.shown, printed), f"{command.text}\nprints\n{printed}"
        assert status in (0, 1), command.text  # 1 is the answer "no", such as a difference


def test_pages_are_read_as_they_stand() -> None:
    page = (
        "# One\n\n```console\n$ gs a \\\n    --b\nx  \n...\nz\n$ c\n```\n\n## Two\n\n```console tensorflow\n$ d\n```\n"
    )
    found = list(commands(page))
    assert [(each.heading, each.marks, each.text) for each in found] == [
        ("One", (), "gs a      --b"), ("One", (), "c"), ("Two", ("tensorflow",), "d"),
    ]  # fmt: skip
    assert agree(found[0].shown, "x\nanything\nat all\nz\n")
    assert agree(found[0].shown, "x\nz\n")
    assert not agree(found[0].shown, "x\nanything\n")
    assert not agree([], "something\n")
    assert page[slice(*found[0].place)] == "x  \n...\nz\n"
