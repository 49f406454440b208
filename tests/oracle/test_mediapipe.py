"""What MediaPipe Tasks said of models that gs describes and changes, and whether gs says so too.

The answers were given to files with the bytes that are written here (`make oracles`).
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("mediapipe_answers", ROOT / "tools" / "mediapipe_answers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


TOOL = tool()
ANSWERS: dict[str, Any] = json.loads((ROOT / "fixtures" / "mediapipe" / "answers.json").read_text("utf-8"))["answers"]
UNASKED = "not described"  # nobody has said that it is for MediaPipe


@pytest.mark.parametrize("case", TOOL.CASES)
def test_mediapipe_takes_what_nothing_is_said_of(case: str, tmp_path: Path) -> None:
    path, said = TOOL.made(case, tmp_path)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == ANSWERS[case]["sha256"], "ask again: make oracles"
    if case != UNASKED:
        assert any("MediaPipe" in note or "labels" in note for note in said) == ("refused" in ANSWERS[case]), said


def test_labels_come_out() -> None:
    assert ANSWERS["described"]["labels"] == ["a", "b", "c", "d", "e"]
    assert ANSWERS["renamed"]["labels"] == ANSWERS["any batch"]["labels"] == ["a", "b", "c", "d", "e"]
