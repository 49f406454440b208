"""Many models in one call: a line of JSON each, the worst status, and the same output from any number of processes."""

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
import typer

from graphsurgeon.cli import many
from graphsurgeon.errors import FormatError
from graphsurgeon.fleet import pool
from tests.cli.conftest import GS

pytestmark = pytest.mark.processes

MODELS = ("savedmodel/linear", "hostile/bad_signatures", "hostile/bad_signatures/nothing", "tflite/cnn_float.tflite")


@pytest.mark.parametrize("command", ["show", "check", "weights"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_processes_change_nothing(gs: GS, command: str, options: tuple[str, ...]) -> None:
    alone, together = gs(command, *MODELS, *options), gs(command, *MODELS, *options, "-j", "3")
    assert alone.status == together.status == 3
    assert alone.out == together.out != ""
    assert alone.err == together.err
    assert alone.err.count("\n") == 1
    if options:
        paths = [json.loads(line)["path"] for line in alone.out.splitlines()]
        assert [path.split("/")[-1] for path in paths] == ["linear", "bad_signatures", "cnn_float.tflite"]


def test_the_status_is_the_worst(gs: GS) -> None:
    assert gs("check", "savedmodel/linear", "hostile/bad_signatures", "-q").status == 1
    assert gs("check", "hostile/bad_signatures", "nothing", "-q", "-j", "2").status == 3


def test_what_is_for_one_model_is_refused(gs: GS) -> None:
    refused = gs("weights", *MODELS, "--export", "out.npz")
    assert (refused.status, refused.out) == (2, "")
    assert "give one model" in refused.err


class _Model:
    """Refers to itself, as nodes and graphs do to each other; kept alive by nobody else."""

    made: list[weakref.ref[_Model]] = []  # noqa: RUF012 - of all of them

    def __init__(self) -> None:
        self.me = self
        self.made.append(weakref.ref(self))


def look(path: Path, among: bool = True) -> int:
    """Make a model, and refuse every second."""
    model = _Model()
    if len(_Model.made) % 2:
        raise FormatError(f"{model.me is model}")
    return 0


@pytest.fixture
def unfrozen() -> Iterator[None]:
    """Let what a call has declared to stay be collected again."""
    _Model.made.clear()
    yield
    gc.unfreeze()


@pytest.mark.usefixtures("unfrozen")
def test_no_model_stays_in_one_process() -> None:
    models = [Path("a"), Path("b"), Path("c"), Path("d")]
    with pytest.raises(typer.Exit):
        many.for_each(models, f"{__name__}:look", {})
    assert [made() for made in _Model.made] == [None] * 4


@pytest.mark.usefixtures("unfrozen")
def test_no_model_stays_in_a_process_of_many() -> None:
    pipe = _Pipe([Path("a"), Path("b"), Path("c")])
    pool.answer_all(look, cast(Any, pipe), None)
    assert [made() for made in _Model.made] == [None] * 3
    assert [type(error).__name__ for _, error, _ in pipe.sent] == ["FormatError", "NoneType", "FormatError"]


class _Pipe:
    def __init__(self, items: list[Path]) -> None:
        self.items = items
        self.sent: list[Any] = []

    def recv(self) -> Path:
        if not self.items:
            raise EOFError
        return self.items.pop(0)

    def send(self, answer: Any) -> None:
        self.sent.append(answer)
