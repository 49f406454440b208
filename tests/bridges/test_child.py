"""The process that a runtime runs in: what it answers, that it may crash, and that it may not be there."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import UnsupportedError
from graphsurgeon.bridges import child
from graphsurgeon.bridges.arrays import load_arrays, save_arrays
from graphsurgeon.bridges.workers import litert_worker
from graphsurgeon.compare.entries import OneRun

CALL = OneRun("session", None, {"x:0": np.ones((1, 2), np.float32)}, {"y": "y:0"})
REAL = subprocess.run

ECHO = """
import json, sys
from pathlib import Path
from graphsurgeon.bridges.arrays import load_arrays, save_arrays
folder = Path(sys.argv[1])
feeds = load_arrays(folder / "feeds.npz")
request = json.loads((folder / "request.json").read_text())
save_arrays(folder / "results.npz", {"0.0": feeds[request["calls"][0]["feeds"]["x:0"]["array"]] * 3})
answer = {"error": "", "calls": [{"error": "", "results": {"y": {"array": "0.0", "dtype": "float32"}}}]}
(folder / "answer.json").write_text(json.dumps(answer))
"""


def play(monkeypatch: pytest.MonkeyPatch, program: str) -> None:
    """Let a program take the place of the worker, and say that the runtime is there."""

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        return REAL([sys.executable, "-c", program, command[-1]], **options)

    monkeypatch.setattr(child.subprocess, "run", run)
    monkeypatch.setattr(child, "require_extra", lambda runtime: None)


def test_arrays_go_there_and_results_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, ECHO)
    (outcome,) = child.ask("tensorflow", {"path": "model.pb"}, [CALL])
    assert outcome.error == ""
    assert outcome.results["y"].array.tolist() == [[3, 3]]


@pytest.mark.skipif(sys.platform == "win32", reason="needs POSIX signals")
def test_a_crash_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, "import os, sys; print('F0000 Check failed: size', file=sys.stderr, flush=True); os.abort()")
    with pytest.raises(
        UnsupportedError, match=r"model.pb: the runtime crashed \(SIGABRT\).*: F0000 Check failed: size"
    ):
        child.ask("tensorflow", {"path": "model.pb"}, [CALL])


def test_an_end_without_an_answer_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    play(monkeypatch, "raise SystemExit(3)")
    with pytest.raises(UnsupportedError, match="the runtime ended with status 3"):
        child.ask("tensorflow", {"path": "model.pb"}, [CALL])


def test_what_the_runtime_says_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    said = "ValueError: no such\\nnode [[{{node a}}]] Original stack trace"
    answer = f"""'{{"error": "{said}", "calls": []}}'"""
    play(monkeypatch, f"import sys, pathlib; (pathlib.Path(sys.argv[1]) / 'answer.json').write_text(r{answer})")
    with pytest.raises(UnsupportedError) as error:
        child.ask("tensorflow", {"path": "model.pb"}, [CALL])
    assert str(error.value) == "model.pb: the runtime cannot load it: ValueError: no such node"


def test_strings_survive_the_way(tmp_path: Path) -> None:
    words = np.array([[b"a\0b", b""], [b"\xff", b"long" * 9]], object)
    save_arrays(tmp_path / "a.npz", {"words": words, "numbers": np.arange(3)})
    again = load_arrays(tmp_path / "a.npz")
    assert again["words"].tolist() == words.tolist()
    assert again["numbers"].tolist() == [0, 1, 2]


def test_a_scalar_stays_one_on_its_way_into_litert() -> None:
    fitted = litert_worker._fitting(np.array(3.0), {"dtype": np.int32})
    assert (fitted.shape, fitted.dtype) == ((), np.int32)
