"""Pages say what the code says: tables of commands, options, layers, strip kinds and exit statuses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from graphsurgeon import errors
from graphsurgeon.bridges.converting.table import converters
from graphsurgeon.cli import app
from graphsurgeon.formats import registry
from graphsurgeon.patterns.rules import rule_names
from graphsurgeon.surgery.stripping.kinds import KINDS, table
from tests.test_imports import LAYERS

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
CLI = (ROOT / "docs" / "cli.md").read_text("utf-8")
PATTERNS = (ROOT / "docs" / "patterns.md").read_text("utf-8")
FORMATS = (ROOT / "docs" / "formats.md").read_text("utf-8")
CONCEPTS = (ROOT / "docs" / "concepts.md").read_text("utf-8")
_HIDDEN = {"--help", "--output"}


def commands_missing(page: str) -> set[str]:
    """Return the commands that have no row in the tables of a page."""
    return set(app.COMMANDS) - {command for row in rows(page) for command in commands_in(row[0])}


def rules_missing(page: str) -> set[str]:
    """Return the shipped rules that no row of a page tells."""
    told = {name for row in rows(page) for name in re.findall(r"`([a-z-]+)`", row[0])}
    return set(rule_names()) - told


def formats_missing(page: str) -> set[str]:
    """Return the formats that have no row in the tables of a page."""
    return {record.name for record in registry.formats()} - {row[0].strip("`") for row in rows(page)}


def ways_missing(page: str) -> set[str]:
    """Return the converters to files of other frameworks whose suffixes a page does not name."""
    ways = {way.name: {suffix for suffix in way.suffixes if suffix} for way in converters()}
    return {name for name, suffixes in ways.items() if suffixes and not any(one in page for one in suffixes)}


def kinds_missing(page: str) -> set[str]:
    """Return the kinds of `gs strip` that a page does not tell as their records do."""
    told = {tuple(row[:2]) for row in rows(page) if len(row) == 2}
    return {name for name, text in table() if (f"`{name}`", text) not in told}


def rows(page: str) -> Iterator[list[str]]:
    """Yield the cells of the rows of every table of a page."""
    for line in page.splitlines():
        text = line.strip()
        if text.startswith("|") and not set(text) <= set("|-: "):
            yield [cell.strip() for cell in re.split(r"(?<!\\)\|", text.strip("|"))]


def commands_in(cell: str) -> list[str]:
    return re.findall(r"`gs ([a-z-]+)", cell)


@pytest.mark.parametrize(("name", "page"), [("README.md", README), ("docs/cli.md", CLI)])
def test_every_command_has_a_row(name: str, page: str) -> None:
    told = {command for row in rows(page) for command in commands_in(row[0])}
    assert (commands_missing(page), told - set(app.COMMANDS)) == (set(), set())


def options_of(command: str) -> set[str]:
    built = typer.main.get_command(_wrapped(command))
    return {name for parameter in built.params for name in (*parameter.opts, *parameter.secondary_opts)}


def _wrapped(command: str) -> typer.Typer:
    wrapped = typer.Typer(add_completion=False)
    wrapped.command(command)(app.function_of(command))
    return wrapped


def test_options_in_tables_exist() -> None:
    wrong = {}
    for row in rows(CLI):
        commands = commands_in(row[0])
        if not commands or len(row) < 2:
            continue
        told = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", " ".join(row))) - _HIDDEN
        known = set.intersection(*(options_of(command) for command in commands))
        if told - known:
            wrong[row[0]] = told - known
    assert wrong == {}


def test_every_shipped_rule_has_its_row() -> None:
    assert rules_missing(PATTERNS) == set()


def test_every_way_out_has_its_row() -> None:
    assert ways_missing(CLI) == set()


def test_every_kind_of_strip_has_its_row() -> None:
    assert kinds_missing(CLI) == set()
    start = CLI.index("| kind | what goes |")
    section = CLI[start : CLI.index("\n\n", start)]
    assert [row[0].strip("`") for row in rows(section)][1:] == list(KINDS)


def test_every_layer_has_a_row() -> None:
    packages = {name.strip("`/").removesuffix(".py") for row in rows(CONCEPTS) for name in [row[0]] if name[:1] == "`"}
    layers = set(LAYERS) - {"__main__", "__init__", "moved"}
    assert layers - packages == set()


def test_exit_statuses_are_those_of_the_errors() -> None:
    told = {int(row[0]) for row in rows(CONCEPTS) if row[0].isdigit()}
    raised = {kind.exit_code for kind in vars(errors).values() if hasattr(kind, "exit_code")}
    assert raised <= told
    assert {0, app.INTERNAL_ERROR, app.INTERRUPTED} <= told
