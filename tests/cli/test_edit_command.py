"""What all commands that edit have in common: where the result goes, the report, the recipe line."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.cli.edit_command import steps_of_line
from graphsurgeon.errors import UsageError
from tests.cli.conftest import GS

LINEAR = "graphdef/linear.pb"


def test_an_edit_needs_one_output(gs: GS, tmp_path: Path) -> None:
    result = gs("rename", LINEAR, "x=image")
    assert (result.status, result.out) == (2, "")
    assert "give -o OUT, or --in-place" in result.err
    both = gs("rename", LINEAR, "x=image", "-o", tmp_path / "out.pb", "--in-place")
    assert both.status == 2
    assert not list(tmp_path.iterdir())


def test_report_says_what_changed_and_where_it_went(gs: GS, tmp_path: Path) -> None:
    target = tmp_path / "out.pb"
    result = gs("rename", LINEAR, "x=image", "-o", target)
    assert result.status == 0
    lines = result.out.splitlines()
    assert "1 node renamed" in lines
    assert lines[-1] == f"wrote {target} (GraphDef, {target.stat().st_size} B)"
    assert next(iter(read(target).metagraphs[0].graph)).name == "image"


def test_fields_of_a_single_step_stand_among_those_of_the_report(gs: GS, tmp_path: Path) -> None:
    target = tmp_path / "out.pb"
    report = gs("rename", LINEAR, "x=image", "-o", target, "--json").json
    expected = {"schema": 1, "source": LINEAR, "output": str(target), "format": "graph_def", "written": True}
    assert report.items() >= expected.items()
    assert report["renamed"] == [["", "x", "image"]]
    assert report["bytes"] == sum(report["files"].values()) == target.stat().st_size
    assert "steps" not in report


def test_dry_run_writes_nothing_and_tells_the_same(gs: GS, tmp_path: Path) -> None:
    target = tmp_path / "out.pb"
    dry = gs("rename", LINEAR, "x=image", "-o", target, "--dry-run", "--json").json
    assert not list(tmp_path.iterdir())
    wet = gs("rename", LINEAR, "x=image", "-o", target, "--json").json
    assert dry == wet | {"written": False}
    text = gs("rename", LINEAR, "x=image", "-o", target, "--force", "--dry-run").out
    assert text.splitlines()[-1].startswith("would write ")


def test_quiet(gs: GS, tmp_path: Path) -> None:
    assert gs("rename", LINEAR, "x=image", "-o", tmp_path / "out.pb", "-q") == (0, "", "")


def test_few_rows_unless_verbose(gs: GS) -> None:
    short, whole = (gs("rename", "graphdef/cnn.pb", "--prefix", "p/", "--dry-run", *more).out for more in ((), ("-v",)))
    assert " more (-v)\n" in short
    assert len(whole.splitlines()) > 50 > len(short.splitlines())


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["x=image", "-o", "out.pb"], "rename x=image"),
        (["-o", "out.pb", "--force", "x=image", "-v"], "rename x=image"),
        (["--output=out.pb", "--regex", "s|a b|c|", "--json", "--in-place"], "rename --regex 's|a b|c|'"),
        (["--tags", "serve", "--what=keys", "a.b=c d"], "rename --tags serve --what=keys 'a.b=c d'"),
    ],
)
def test_recipe_line(gs: GS, arguments: list[str], line: str) -> None:
    assert gs("rename", "no/such/model", *arguments, "--print-recipe") == (0, f"{line}\n", "")


def test_steps_of_a_recipe_line(gs: GS) -> None:
    [(operation, arguments)] = steps_of_line(Path(LINEAR), ["rename", "x=image", "--graph", "main"])
    assert operation == "rename"
    assert arguments["names"] == {"x": "image"}
    assert arguments["graph"] == "main"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rename", "x=image", "-o", "out.pb"], "where the result goes does not belong into a recipe"),
        (["rename", "x=image", "--output=out.pb"], "where the result goes does not belong into a recipe"),
        (["show"], "'show' is no edit, so it is no step of a recipe"),
        (["renmae", "x=y"], "there is no command 'renmae'; did you mean 'rename'"),
        (["rename", "--nope"], "No such option: --nope"),
    ],
)
def test_lines_that_are_no_steps(gs: GS, words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        steps_of_line(Path(LINEAR), words)
    assert message in str(caught.value)
