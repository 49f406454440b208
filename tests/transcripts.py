"""Commands in the documentation, run as they stand there.

A block that begins with three backticks and `console` holds commands, each behind `$ `, and what they print; a line
`...` stands for any number of lines. Blocks marked `console tensorflow` need TensorFlow. Run as a module with the
paths of pages to write what commands print now into them, where it is not what the page says:

    python -m tests.transcripts docs/tutorial.md
"""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[1]
_BLOCK = re.compile(r"^```(console[^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_ANY = "..."


class Command(NamedTuple):
    """One command of a page.

    Attributes:
        heading: the last heading before it.
        marks: words behind `console`.
        text: as it is typed.
        shown: the lines that the page says it prints.
        place: where these begin and end in the page.
    """

    heading: str
    marks: tuple[str, ...]
    text: str
    shown: list[str]
    place: tuple[int, int]


def commands(page: str) -> Iterator[Command]:
    """Yield the commands of a page."""
    for block in _BLOCK.finditer(page):
        headings = re.findall(r"^#+ (.*)$", page[: block.start()], re.MULTILINE)
        offset = block.start(2)
        for part in re.split(r"^(?=\$ )", block.group(2), flags=re.MULTILINE):
            if part.startswith("$ "):
                lines = part.splitlines(keepends=True)
                count = 1
                while lines[count - 1].endswith("\\\n"):
                    count += 1
                typed = "".join(lines[:count])
                start = offset + len(typed)
                text = typed[2:].replace("\\\n", " ").strip()
                shown = [line.rstrip("\n") for line in lines[count:]]
                yield Command(headings[-1], tuple(block.group(1).split()[1:]), text, shown, (start, offset + len(part)))
            offset += len(part)


def prepare(folder: Path) -> None:
    """Make a folder in which the commands of a page can run: the fixtures are there, as in a checkout."""
    (folder / "fixtures").symlink_to(ROOT / "fixtures")


def run(text: str, folder: Path) -> tuple[int, str]:
    """Run a command in a folder; return its status and what it prints. `gs` alone runs in this process."""
    if not text.startswith("gs ") or {">", "|", "&&"} & set(text.split()):
        script = f'gs() {{ {shlex.quote(sys.executable)} -m graphsurgeon "$@"; }}\n{text}'
        environment = {**os.environ, "PYTHONPATH": str(ROOT)}
        done = subprocess.run(
            ["sh", "-c", script], cwd=folder, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        return done.returncode, done.stdout + done.stderr
    from graphsurgeon.cli import app

    printed = io.StringIO()
    before = Path.cwd()
    os.chdir(folder)
    try:
        with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
            status = app.run(shlex.split(text)[1:])
    finally:
        os.chdir(before)
    return status, printed.getvalue()


def agree(shown: list[str], printed: str) -> bool:
    """Say whether a page shows what is printed, `...` standing for any lines; spaces at ends of lines do not count."""
    lines = [line.rstrip() for line in printed.rstrip("\n").splitlines()]
    pattern = "".join(r"(?:.*\n)*?" if line.strip() == _ANY else re.escape(line.rstrip()) + "\n" for line in shown)
    return re.fullmatch(pattern, "".join(line + "\n" for line in lines)) is not None


def main() -> None:
    """Bring the pages named on the command line up to date."""
    for path in map(Path, sys.argv[1:]):
        page = path.read_text()
        with tempfile.TemporaryDirectory() as folder:
            prepare(Path(folder))
            found = [(command, run(command.text, Path(folder))[1]) for command in commands(page)]
        for command, printed in reversed(found):
            if not agree(command.shown, printed):
                start, stop = command.place
                page = page[:start] + "".join(f"{line}\n" for line in printed.splitlines()) + page[stop:]
        path.write_text(page)


if __name__ == "__main__":
    main()
