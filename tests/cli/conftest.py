"""Commands run in this process, with their exit status and what they print."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from graphsurgeon.cli.app import run


class Result(NamedTuple):
    """What a command did."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON object on stdout."""
        assert self.out.count("\n") == 1
        return json.loads(self.out)


GS = Callable[..., Result]


@pytest.fixture
def gs(capsys: pytest.CaptureFixture[str], fixtures_dir: Path, monkeypatch: pytest.MonkeyPatch) -> GS:
    """Run a command in the folder of fixtures; paths may be relative to it."""
    monkeypatch.chdir(fixtures_dir)
    monkeypatch.delenv("GS_DEBUG", raising=False)

    def call(*arguments: object) -> Result:
        capsys.readouterr()
        status = run([str(argument) for argument in arguments])
        captured = capsys.readouterr()
        return Result(status, captured.out, captured.err)

    return call
