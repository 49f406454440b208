"""What other programs make of a catalog: pyarrow, DuckDB and pandas read it, Dask makes it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphsurgeon
from graphsurgeon.errors import FileError, UsageError
from graphsurgeon.fleet.columns import COLUMNS

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MODELS = [FIXTURES / "tflite", FIXTURES / "savedmodel/linear", FIXTURES / "hostile/foreign"]
PAGE = Path(__file__).resolve().parents[2] / "docs/fleet.md"
pytestmark = pytest.mark.fleet


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a catalog of the fixtures."""
    target = tmp_path_factory.mktemp("catalog") / "models.parquet"
    graphsurgeon.catalog(MODELS, target, jobs=2)
    return target


def test_parquet_is_what_the_lines_are(out: Path, tmp_path: Path) -> None:
    import pyarrow.parquet as parquet

    table = parquet.read_table(out)
    assert table.column_names == list(COLUMNS)
    lines = tmp_path / "models.jsonl"
    graphsurgeon.catalog(MODELS, lines, jobs=2)
    rows = [json.loads(line) for line in lines.read_text().splitlines()]
    for row, other in zip(table.to_pylist(), rows, strict=True):
        assert {**row, "seconds": 0} == {**other, "seconds": 0}


def test_parquet_is_continued(out: Path) -> None:
    report = graphsurgeon.catalog(MODELS, out)
    assert report.kept == report.models > 20


def test_another_parquet_file_stays(tmp_path: Path) -> None:
    import pyarrow
    import pyarrow.parquet as parquet

    target = tmp_path / "mine.parquet"
    parquet.write_table(pyarrow.table({"mine": [1]}), target)
    before = target.read_bytes()
    with pytest.raises(UsageError, match="no catalog"):
        graphsurgeon.catalog([FIXTURES / "tflite"], target)
    target.write_bytes(before[:-4])
    with pytest.raises(UsageError, match="no catalog"):
        graphsurgeon.catalog([FIXTURES / "tflite"], target)


def blocks(language: str) -> list[str]:
    """Return the code of a language on the page."""
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def test_the_questions_of_the_page(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    duckdb = pytest.importorskip("duckdb")
    monkeypatch.chdir(out.parent)
    questions = blocks("sql")
    assert len(questions) == 10
    answers = [duckdb.sql(question).fetchall() for question in questions]
    assert all(answers[:4])
    assert "tflite" in [row[0] for row in answers[0]]


def test_the_answers_of_pandas(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("pandas")
    monkeypatch.chdir(out.parent)
    scope: dict[str, Any] = {}
    (code,) = blocks("python pandas")
    exec(code, scope)  # the page's own code
    assert scope["by_format"]["tflite"] == 20
    assert "CONV_2D" in scope["per_op"].index


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """Start a cluster of two workers on this machine."""
    import dask
    from distributed import LocalCluster

    with (
        dask.config.set({"distributed.worker.daemon": True, "distributed.scheduler.allowed-failures": 1}),
        LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, host="127.0.0.1") as local,
    ):
        yield local.scheduler_address


def test_dask_makes_the_same_rows(cluster: str, tmp_path: Path) -> None:
    alone, there = tmp_path / "alone.jsonl", tmp_path / "there.jsonl"
    graphsurgeon.catalog([FIXTURES / "tflite"], alone)
    graphsurgeon.catalog([FIXTURES / "tflite"], there, scheduler=cluster)
    for one, other in zip(alone.read_text().splitlines(), there.read_text().splitlines(), strict=True):
        assert {**json.loads(one), "seconds": 0, "files": 0} == {**json.loads(other), "seconds": 0, "files": 0}


def test_a_scheduler_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphsurgeon.fleet.cluster._PATIENCE", 0.5)
    with pytest.raises(FileError, match="cannot reach the scheduler"):
        graphsurgeon.catalog([FIXTURES / "tflite"], tmp_path / "o.jsonl", scheduler="tcp://127.0.0.1:9")
