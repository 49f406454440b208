"""The program: exit statuses, one-line errors, help, Ghostscript, closed pipes, interrupts."""

from __future__ import annotations

import importlib
import os
import shlex
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import typer
from typer.core import TyperGroup

from graphsurgeon import __version__
from graphsurgeon.cli import app
from tests.cli.conftest import GS

PROGRAM = [sys.executable, "-m", "graphsurgeon"]


def test_version(gs: GS) -> None:
    assert gs("--version") == (0, f"graphsurgeon {__version__}\n", "")


def test_no_arguments_show_the_help(gs: GS) -> None:
    result = gs()
    assert result.status == 0
    assert "Usage: gs [OPTIONS] COMMAND" in result.out
    assert all(f"\n  {name} " in result.out for name in app.COMMANDS)


@pytest.mark.parametrize("name", app.COMMANDS)
def test_every_command_has_help_with_examples(gs: GS, name: str) -> None:
    result = gs(name, "--help")
    assert result.status == 0
    assert f"Usage: gs {name} [OPTIONS] " in result.out
    assert f"\nExamples:\n  gs {name} " in result.out
    assert "{" not in result.out.splitlines()[0]


USAGE = 2, "there is no command 'shwo'; did you mean 'show'?"
LOST = 2, "there is no command 'savedmodel/linear'; to look at a model: gs show savedmodel/linear"
NO_GRAPH = 4, "checkpoint/name_based: a checkpoint holds variables and no graph; gs weights lists its variables"


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["shwo", "x"], *USAGE),
        (["savedmodel/linear"], *LOST),
        (["show"], 2, "Missing argument 'MODEL...'; see gs show --help"),
        (["find", "x", "--shape"], 2, "Option '--shape' requires an argument; see gs find --help"),
        (["show", "nowhere"], 3, "nowhere: no such file or folder"),
        (["find", "checkpoint/name_based"], *NO_GRAPH),
        (["show", "hostile/foreign/torchscript.pt"], 4, None),
        (["show", "hostile/truncated.pb"], 3, None),
        (["check", "hostile/bad_signatures"], 1, ""),
    ],
)
def test_exit_status_and_one_line(gs: GS, arguments: list[str], status: int, message: str | None) -> None:
    result = gs(*arguments)
    assert result.status == status
    assert message is None or result.err == (f"gs: {message}\n" if message else "")
    assert result.err.count("\n") <= 1
    assert "Traceback" not in result.err


def test_error_names_the_model(gs: GS) -> None:
    result = gs("find", "graphdef/linear.pb", "--shape", "1,x")
    assert result.status == 2
    assert result.err.startswith("gs: graphdef/linear.pb: --shape '1,x': 'x' is no dimension; ")


def test_names_of_the_file_are_escaped_in_errors(gs: GS) -> None:
    assert gs("show", "no\x1b[31m\nwhere").err == "gs: no\\x1b[31m\\nwhere: no such file or folder\n"


@pytest.mark.parametrize(
    "arguments",
    [["-dSAFER", "-dBATCH", "x.ps"], ["-q", "-sDEVICE=pdfwrite", "-o", "out.pdf", "in.ps"], ["-r300", "x.eps"]],
)
def test_ghostscript_options(gs: GS, arguments: list[str]) -> None:
    result = gs(*arguments)
    assert result.status == 2
    assert "this gs is graphsurgeon" in result.err
    assert "Ghostscript" in result.err


def test_our_bug_is_status_70(gs: GS, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphsurgeon.formats.read", lambda path, **_: 1 / 0)
    result = gs("show", "savedmodel/linear")
    assert (result.status, result.out) == (70, "")
    assert result.err == (
        "gs: internal error: ZeroDivisionError: division by zero; run again with GS_DEBUG=1 for the trace\n"
    )
    monkeypatch.setenv("GS_DEBUG", "1")
    assert "Traceback (most recent call last)" in gs("show", "savedmodel/linear").err


def test_interrupt_is_status_130(gs: GS, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(path: Path, **_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("graphsurgeon.formats.read", interrupted)
    assert gs("show", "savedmodel/linear") == (130, "", "gs: interrupted; nothing was written\n")


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_interrupted_process_leaves_with_130(tmp_path: Path, number: signal.Signals) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import signal, sys, time\nimport graphsurgeon.cli.app as app\nimport graphsurgeon.formats as formats\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a job in the background is deaf to it
        "def read(path, **_):\n    print('reading', file=sys.stderr, flush=True)\n    time.sleep(30)\n"
        "formats.read = read\nsys.argv = ['gs', 'show', 'x']\napp.main()\n"
    )
    with subprocess.Popen([sys.executable, slow], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "reading\n"
        time.sleep(0.05)
        process.send_signal(number)
        assert process.stderr.read() == "gs: interrupted; nothing was written\n"
    assert process.returncode == 130


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX signals")
def test_a_terminated_write_leaves_no_temporary(tmp_path: Path, fixtures_dir: Path) -> None:
    slow = tmp_path / "slow.py"
    slow.write_text(
        "import sys, time\nimport graphsurgeon.cli.app as app\nimport graphsurgeon.disk.atomic as atomic\n"
        "def wait(*places):\n    print('complete', file=sys.stderr, flush=True)\n    time.sleep(30)\n"
        "atomic._take_place = wait\nsys.argv = ['gs', *sys.argv[1:]]\napp.main()\n"
    )
    frozen = fixtures_dir / "graphdef" / "linear.pb"
    arguments = [sys.executable, slow, "rename", frozen, "--prefix", "a/", "-o", tmp_path / "out" / "a.pb"]
    (tmp_path / "out").mkdir()
    environment = {**os.environ, "PYTHONPATH": str(fixtures_dir.parent)}
    with subprocess.Popen(arguments, stderr=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == "complete\n"
        assert os.listdir(tmp_path / "out")
        process.send_signal(signal.SIGTERM)
        assert process.stderr.read() == "gs: interrupted; nothing was written\n"
    assert process.returncode == 130
    assert os.listdir(tmp_path / "out") == []


@pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
def test_closed_pipe_ends_quietly(fixtures_dir: Path) -> None:
    model = fixtures_dir / "metagraph" / "face_resnet" / "model-1.meta"
    command = f"'{sys.executable}' -m graphsurgeon find '{model}' | head -n 1; echo ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines()[1] == "0"


def test_module_is_the_program(fixtures_dir: Path) -> None:
    done = subprocess.run([*PROGRAM, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"graphsurgeon {__version__}\n"


@pytest.mark.parametrize(("words", "expected"), [("gs sho", "show"), ("gs weights --st", "--stats")])
def test_shell_completion(words: str, expected: str) -> None:
    count = len(words.split()) - 1
    environment = os.environ | {"_GS_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(count)}
    done = subprocess.run(PROGRAM, env=environment, capture_output=True, text=True, check=False)
    assert expected in done.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("freeze savedmodel/v1_tag_sets --tags serve,", "serve,gpu"),
        ("freeze savedmodel/v1_tag_sets --tags ", "train"),
        ("run savedmodel/several_signatures --signature s", "serving_default"),
        ("freeze savedmodel/linear --outputs out", "output_0"),
        ("strip graphdef/linear.pb --only ide", "identities"),
        ("strip graphdef/linear.pb --only identities,dev", "identities,devices"),
        ("optimize graphdef/linear.pb --only fold-c", "fold-close"),
        ("find graphdef/linear.pb --dtype bf", "bfloat16"),
        ("find graphdef/linear.pb --op Soft", "Softmax"),
        ("set-input graphdef/linear.pb --shape ", "x="),
        ("set-input graphdef/linear.pb --dtype x=uin", "x=uint8"),
        ("rename graphdef/linear.pb ", "x="),
        ("rename savedmodel/v1_tag_sets --what tags tr", "train="),
        ("add-output graphdef/linear.pb Iden", "Identity:0="),
        ("remove-signature savedmodel/v1_text serv", "serving_default"),
        ("weights checkpoint/name_based --match dense/k", "dense/kernel"),
        ("replace graphdef/linear.pb --rule plain", "plain-arithmetic"),
        ("convert graphdef/linear.pb out --format meta_", "meta_text"),
        ("freeze savedmodel/linear --signature _", ""),  # what runs on load is nothing to ask for
        ("freeze savedmodel/linear --outputs __", ""),
        ("show no/such/model --signature s", ""),
        ("show hostile/truncated.pb --signature s", ""),
    ],
)
def test_the_shell_is_offered_what_the_model_has(
    words: str, expected: str, fixtures_dir: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(fixtures_dir)
    offered = completed(words)
    assert expected in offered if expected else not offered


def completed(words: str) -> list[str]:
    """Return what a shell is offered behind `gs WORDS`."""
    typed = words.split(" ")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("_GS_COMPLETE", "complete_bash")
        command = typer.main.get_command(app._app())
        library = TyperGroup.__mro__[1].__module__.rpartition(".")[0]  # click, or what typer has of it
        shells = importlib.import_module(f"{library}.shell_completion")
        abstract = getattr(shells.ShellComplete, "__abstractmethods__", ())
        complete = type("Shell", (shells.ShellComplete,), dict.fromkeys(abstract))(command, {}, "gs", "_GS_COMPLETE")
        return [item.value for item in complete.get_completions(typed[:-1], typed[-1])]


FULL = "cannot print to the standard output: no space left on the disk; what the command wrote to files is complete"
CLOSED = "cannot print to the standard output: it is closed; what the command wrote to files is complete"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(("how", "says"), [("> /dev/full", FULL), (">&-", CLOSED)])
@pytest.mark.parametrize("command", ["show MODEL", "convert MODEL OUT"])
def test_a_full_or_closed_standard_output_is_one_line(
    how: str, says: str, command: str, fixtures_dir: Path, tmp_path: Path
) -> None:
    words = command.replace("MODEL", shlex.quote(str(fixtures_dir / "graphdef" / "linear.pb")))
    words = words.replace("OUT", shlex.quote(str(tmp_path / "out.pb")))
    program = f"{shlex.quote(sys.executable)} -m graphsurgeon {words} {how}"
    result = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stderr) == (3, f"gs: {says}\n")
    assert (tmp_path / "out.pb").exists() is ("OUT" in command)


def test_errors_do_not_go_to_the_standard_output(tmp_path: Path) -> None:
    program = f"{shlex.quote(sys.executable)} -m graphsurgeon show {shlex.quote(str(tmp_path / 'no'))} 2>&-"
    result = subprocess.run(["sh", "-c", program], capture_output=True, text=True, check=False)
    assert (result.returncode, result.stdout) == (3, "")
