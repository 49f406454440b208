"""Hints that hold a command, as they stand in the source, and what it takes to say that a test runs one.

A hint is a text of the source in which `gs COMMAND` stands, of an error, a finding or a note. `{...}` in it is whatever
the program puts there. It is run where a case's advice, which the program must have said, matches the text whole, and
the case then runs every command that the text names.
"""

from __future__ import annotations

import ast
import functools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from graphsurgeon.cli.app import COMMANDS

PACKAGE = Path(__file__).resolve().parents[2] / "graphsurgeon"
_COMMAND = re.compile(rf"\bgs ({'|'.join(map(re.escape, sorted(COMMANDS, key=len, reverse=True)))})\b(?!-)")
# What is no advice: a table with tests of its own, help texts, and what only describes a kind.
_TABLES = ("formats/recognise/routes.py", "surgery/stripping/kinds.py")


class Hint(NamedTuple):
    """A text of the source that advises commands."""

    where: str
    text: str

    @property
    def commands(self) -> set[str]:
        """The commands that it names."""
        return set(_COMMAND.findall(self.text))

    def is_in(self, said: str) -> bool:
        """Say whether the program has said what of it names a command."""
        clauses = [clause.strip("; ()") for clause in re.split(r"; |, or |: ", self.text) if _COMMAND.search(clause)]
        patterns = (".*?".join(map(re.escape, clause.split("{}"))) for clause in clauses)
        return all(re.search(pattern, said) for pattern in patterns)


class Case(NamedTuple):
    """A command that is refused, or finds something; what it advises; and that, step by step.

    OUT is a folder of the test's own, in which the models of `hint_models.MODELS` are made where one is named.

    Attributes:
        command: what is typed.
        advice: a part of what it says.
        way: what is typed then; each ends with 0, or with 1 where `1: ` stands before it. A `check` of the result must
            not say the same again.
        needs: marks of the test: what it takes that the quick ones do without.
    """

    command: str
    advice: str
    way: list[str]
    needs: tuple[str, ...] = ()


@functools.cache
def hints() -> list[Hint]:
    """Return all hints of the source that name a command."""
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        where = path.relative_to(PACKAGE).as_posix()
        source = path.read_text("utf-8")
        if where not in _TABLES and _COMMAND.search(source):
            found += [Hint(f"{where}:{line}", text) for line, text in _texts(ast.parse(source))]
    return [hint for hint in found if hint.commands and "\n" not in hint.text]  # a page's program is no advice


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield the texts of a module, but docstrings and what `help=` shows."""
    left_out = {
        id(part)
        for node in ast.walk(tree)
        for part in (
            node.values if isinstance(node, ast.JoinedStr) else [node.value] if _is_help(node) else _docstring(node)
        )
    }
    for node in ast.walk(tree):
        if id(node) not in left_out and isinstance(node, (ast.Constant, ast.JoinedStr)):
            text = _text(node)
            if text is not None:
                yield node.lineno, text


def _is_help(node: ast.AST) -> bool:
    return isinstance(node, ast.keyword) and node.arg == "help"


def _docstring(node: ast.AST) -> list[ast.AST]:
    if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node, clean=False):
        first = node.body[0]
        return [first.value] if isinstance(first, ast.Expr) else []
    return []


def _text(node: ast.Constant | ast.JoinedStr) -> str | None:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else None
    return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
