"""What a terminal of 80 columns shows: nothing shortened, nothing taken for markup, colours only where wanted."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.cli import terminal
from graphsurgeon.cli.output import escape

pty = pytest.importorskip("pty", reason="needs a POSIX terminal")

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


def on_terminal(folder: Path, *arguments: str, columns: int = 80, no_color: bool = False) -> str:
    """Run a command in a process whose output is a terminal, and return what it wrote."""
    import fcntl
    import struct
    import termios

    pid, terminal = pty.fork()
    if pid == 0:  # the child: its streams are the terminal
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 40, columns, 0, 0))
        os.chdir(folder)
        environment = os.environ | {"TERM": "xterm-256color"} | ({"NO_COLOR": "1"} if no_color else {})
        environment.pop("COLUMNS", None)
        if not no_color:
            environment.pop("NO_COLOR", None)
        os.execve(sys.executable, [sys.executable, "-m", "graphsurgeon", *arguments], environment)
    written = b""
    while True:
        try:
            part = os.read(terminal, 1 << 16)
        except OSError:  # the child has closed it
            break
        if not part:
            break
        written += part
    os.close(terminal)
    os.waitpid(pid, 0)
    return written.decode().replace("\r\n", "\n")


def test_long_names_fold_and_are_whole(fixtures_dir: Path) -> None:
    shown = COLOUR.sub("", on_terminal(fixtures_dir, "find", "metagraph/face_resnet/model-1.meta", "--shape", "?,512"))
    lines = shown.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].split() == ["op", "name", "dtype", "shape"]
    column = slice(lines[0].index("name"), lines[0].index("dtype"))
    folded = next(number for number, line in enumerate(lines) if "gradients/logits/l2_normalize_grad/tuple/" in line)
    assert lines[folded][column].strip() == "gradients/logits/l2_normalize_grad/tuple/"
    assert lines[folded + 1].strip() == "control_dependency:0"
    assert lines[-1] == "17 values"
    assert not any(line != line.rstrip() for line in lines)
    assert "…" not in shown
    assert "..." not in shown


def test_rows_that_do_not_fit_are_stacked(fixtures_dir: Path) -> None:
    shown = COLOUR.sub("", on_terminal(fixtures_dir, "weights", "graphdef/cnn.pb", "--checksum"))
    lines = shown.splitlines()
    assert "functional_1/stem_1/convolution/ReadVariableOp/resource" in lines
    assert "    dtype float32  shape [3,3,3,4]  size 432 B  kind constant" in lines
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("text", "room", "lines"),
    [
        ("conv1/weights", 20, ["conv1/weights"]),
        ("conv1/BatchNorm/moving_mean", 16, ["conv1/BatchNorm/", "moving_mean"]),
        ("a_very_long_leaf_of_no_scope", 12, ["a_very_long_", "leaf_of_", "no_scope"]),
        ("says what the op says", 10, ["says what", "the op", "says"]),
        ("nothingtofoldat", 6, ["nothin", "gtof", "olda", "t"]),
        ("", 6, [""]),
    ],
)
def test_folding(text: str, room: int, lines: list[str]) -> None:
    assert terminal.fold(text, room, hang=2) == lines


def test_a_column_that_cannot_be_cut_gets_what_it_needs() -> None:
    assert terminal.fitting([30, 7], [10, 7], 40) == [30, 7]
    assert terminal.fitting([50, 7, 64], [18, 7, 64], 120) == [45, 7, 64]
    assert terminal.fitting([50, 7, 64], [18, 7, 64], 80) is None


def test_wide_terminal_needs_no_folding(fixtures_dir: Path) -> None:
    shown = COLOUR.sub("", on_terminal(fixtures_dir, "weights", "graphdef/cnn.pb", "--checksum", columns=200))
    row = next(line for line in shown.splitlines() if line.startswith("functional_1/stem_1"))
    assert row.split()[1:4] == ["float32", "[3,3,3,4]", "432"]
    assert len(row.split()[-1]) == 64


def test_model_text_is_no_markup_and_moves_no_cursor(fixtures_dir: Path) -> None:
    names = [node.name for node in read(fixtures_dir / "hostile" / "markup_names.pb").metagraphs[0].graph.nodes]
    shown = COLOUR.sub("", on_terminal(fixtures_dir, "check", "hostile/markup_names.pb", columns=500))
    assert "\x1b" not in shown
    assert all(escape(name) in shown for name in names)
    assert any("[/" in name for name in names)


def test_no_color(fixtures_dir: Path) -> None:
    plain = on_terminal(fixtures_dir, "show", "savedmodel/linear", no_color=True)
    coloured = on_terminal(fixtures_dir, "show", "savedmodel/linear")
    assert "\x1b[1m" in coloured
    assert COLOUR.sub("", coloured) == COLOUR.sub("", plain)
    assert not re.search(r"\x1b\[[0-9;]*3[0-7]m", plain)


def test_help_is_drawn_on_a_terminal(fixtures_dir: Path) -> None:
    shown = COLOUR.sub("", on_terminal(fixtures_dir, "find", "--help"))
    assert "╭─ Options" in shown
    assert "  gs find model.pb --shape None,512\n" in shown


def test_json_is_indented_for_people(fixtures_dir: Path) -> None:
    assert on_terminal(fixtures_dir, "show", "savedmodel/linear", "--json").startswith('{\n  "schema": 1,\n')
