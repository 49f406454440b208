"""`gs catalog` at the command line, and that no command refuses its own defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import typer

from graphsurgeon.cli import app
from tests.cli.conftest import GS

pytestmark = pytest.mark.processes


def test_it_runs_without_an_option(gs: GS, tmp_path: Path) -> None:
    target = tmp_path / "models.jsonl"
    assert gs("catalog", "graphdef/linear.pb", "graphdef/cnn.pb", "-o", target).status == 0
    rows = [json.loads(line) for line in target.read_text("utf-8").splitlines()]
    assert [Path(row["path"]).name for row in rows] == ["cnn.pb", "linear.pb"]
    assert gs("catalog", "graphdef/linear.pb", "-o", target, "-j", "0").status == 2


def test_links_that_are_not_followed_are_told(gs: GS, fixtures_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    link = tmp_path / "models" / "1"
    link.symlink_to(fixtures_dir / "savedmodel" / "linear", target_is_directory=True)
    done = gs("catalog", tmp_path / "models", "-o", tmp_path / "models.jsonl")
    assert done.status == 0
    assert f"1 link to a folder is not followed: {link};" in done.err
    assert gs("catalog", link, "-o", tmp_path / "link.jsonl").err == ""
    assert len((tmp_path / "link.jsonl").read_text("utf-8").splitlines()) == 1


@pytest.mark.parametrize("name", app.COMMANDS)
def test_a_default_is_within_its_own_bounds(name: str) -> None:
    group = typer.main.get_command(app._app())
    command = group.get_command(typer.Context(group), name)
    for parameter in command.params:
        low, high = (getattr(parameter.type, side, None) for side in ("min", "max"))
        if parameter.default is not None and not callable(parameter.default) and (low, high) != (None, None):
            assert low is None or parameter.default >= low, parameter.name
            assert high is None or parameter.default <= high, parameter.name
