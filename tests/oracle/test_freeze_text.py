"""Frozen text models compute in TensorFlow what their source computes, to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.formats import read, write
from graphsurgeon.surgery.freeze import freeze
from tests.oracle.freeze_models_text import TEXT
from tests.oracle.signature_runs import Source

pytestmark = [pytest.mark.tensorflow, pytest.mark.filterwarnings("default")]


@pytest.mark.parametrize("name", TEXT)
def test_text_models(name: str, tmp_path: Path) -> None:
    feeds = TEXT[name](tmp_path / "model")
    source = Source(tmp_path / "model", ["serve"], "serving_default", feeds)
    model = read(tmp_path / "model")
    report = freeze(model)
    write(model, tmp_path / "frozen.pb")
    assert source.disagreements(tmp_path / "frozen.pb", report.feeds, report.fetches) == []
