"""The pictures in README and docs show what the tool draws today; `make pictures` draws them anew."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tools import pictures

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
MOST = 160_000  # bytes of one


@pytest.fixture(scope="module")
def drawn() -> dict[str, bytes]:
    return pictures.drawn()


@pytest.mark.parametrize("name", ["network.svg", "changes.svg"])
def test_a_picture_is_current(drawn: dict[str, bytes], name: str) -> None:
    kept = (pictures.FOLDER / name).read_bytes()
    assert pictures.structure(kept) == pictures.structure(drawn[name])


def test_the_panel_is_that_of_the_page() -> None:
    kept = json.loads((pictures.FOLDER / "panel.json").read_text("utf-8"))
    assert kept == pictures.said(pictures.panel()[1])


def test_pages_show_every_picture_and_no_other() -> None:
    shown = {
        (page.parent / place).resolve()
        for page in PAGES
        for place in re.findall(r"(?:!\[[^\]]*\]\(|src=\")([^)\"]+\.(?:svg|png))", page.read_text("utf-8"))
    }
    made = {file.resolve() for file in pictures.FOLDER.iterdir() if file.suffix != ".json"}
    assert shown == made
    assert max(file.stat().st_size for file in made) < MOST
