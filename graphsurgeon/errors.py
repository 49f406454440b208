"""The one tree of errors. Each class carries the exit status of the command line (docs/concepts.md).

A message is one line: where, what was found, what to do. `cli/app.py` prefixes it with the program's name.
"""

from __future__ import annotations


class GraphSurgeonError(Exception):
    """Base of every error that the library raises on purpose.

    Args:
        message: what was found, with the place (node, field or byte offset).
        path: the file or folder concerned, when there is one.
        hint: what to do about it; joined to the message with a semicolon.

    Attributes:
        excerpt: a line of a text that the user wrote (a pattern, rules) with a caret under the place, empty if none.
    """

    exit_code = 70
    excerpt = ""

    def __init__(self, message: str, *, path: object = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.path = None if path is None else str(path)
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.path}: " if self.path else ""
        return where + self.message + (f"; {self.hint}" if self.hint else "")

    def at(self, path: object) -> GraphSurgeonError:
        """Name the file, unless an inner place already did. Returns self, for `raise error.at(path)`."""
        if self.path is None:
            self.path = str(path)
        return self


class UsageError(GraphSurgeonError):
    """Wrong use: a name the model does not have, a collision, an existing output, an ambiguous choice."""

    exit_code = 2


class FileError(GraphSurgeonError):
    """A file is missing, unreadable, corrupt, or cannot be written."""

    exit_code = 3


class FormatError(FileError):
    """The bytes of a file are not what its format requires."""


class UnsupportedError(GraphSurgeonError):
    """Understood but not supported: this edit on this model, a format only recognised, a missing extra."""

    exit_code = 4


def plural(count: int, noun: str) -> str:
    """Format a counted noun for a message: `1 node`, `2 nodes`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}{'es' if noun.endswith(('s', 'x', 'ch')) else 's'}"


def with_article(noun: str) -> str:
    """Format a noun that stands for one of its kind: `a Softmax`, `an ArgMax`."""
    return f"{'an' if noun[:1].lower() in set('aeio') else 'a'} {noun}"
