"""Where the models are that tests run on: those of the repository, and the collection of real ones."""

from __future__ import annotations

import csv
import os
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
FIXTURES = ROOT / "fixtures"
CORPUS = Path(os.environ.get("GRAPHSURGEON_CORPUS") or ROOT.parent / "shared" / "corpus")

PROTOBUFS = ("saved_model.pb", "saved_model.pbtxt")


def fixture_saved_models() -> list[Path]:
    """Return the folders of every SavedModel fixture."""
    return sorted(path.parent for name in PROTOBUFS for path in (FIXTURES / "savedmodel").rglob(name))


def corpus_models(*formats: str) -> list[Path]:
    """Return the models of the collection that its manifest lists under some formats; none if it is not there."""
    manifest = CORPUS / "MANIFEST.tsv"
    if not manifest.is_file():
        return []
    csv.field_size_limit(sys.maxsize)
    with manifest.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    return [CORPUS / row["path"] for row in rows if row["format"] in formats]


def corpus_saved_models() -> list[Path]:
    """Return the folders of every SavedModel of the collection."""
    return [path for path in corpus_models("savedmodel") if any((path / name).is_file() for name in PROTOBUFS)]


def parameters(fixtures: list[Path], corpus: list[Path]) -> list[Any]:
    """Return test parameters with readable names, those of the collection marked as such."""
    own = [pytest.param(path, id=path.relative_to(FIXTURES).as_posix()) for path in fixtures]
    return own + [
        pytest.param(path, id="/".join(path.parts[-3:]), marks=pytest.mark.corpus) for path in sorted(set(corpus))
    ]
