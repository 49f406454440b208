"""The catalog: a row each, whatever happens to a model, and the same rows from any number of processes."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

import graphsurgeon
from graphsurgeon.errors import FileError, UsageError
from graphsurgeon.fleet import catalog as module
from graphsurgeon.fleet.columns import COLUMNS
from graphsurgeon.fleet.pool import ItemLimits, as_they_come

pytestmark = pytest.mark.processes

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """Make a folder of models: a SavedModel twice, a checkpoint, a graph, a cut file, and what is no model."""
    folder = tmp_path / "models"
    shutil.copytree(FIXTURES / "savedmodel/linear", folder / "one/1")
    shutil.copytree(FIXTURES / "savedmodel/linear", folder / "two")
    shutil.copytree(FIXTURES / "checkpoint/multi_shard", folder / "three")
    shutil.copy(FIXTURES / "graphdef/linear.pb", folder / "graph.pb")
    (folder / "cut.tflite").write_bytes((FIXTURES / "tflite/cnn_float.tflite").read_bytes()[:200])
    (folder / "notes.txt").write_text("about these models\n")
    return folder


def rows_of(out: Path) -> list[dict[str, Any]]:
    """Return the rows of a file of JSON lines."""
    return [json.loads(line) for line in out.read_text().splitlines()]


def test_a_row_for_each_model(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    report = graphsurgeon.catalog([models], out)
    rows = {row["path"].removeprefix(f"{models}/"): row for row in rows_of(out)}
    assert all(list(row) == list(COLUMNS) for row in rows.values())
    prefix = next(name for name in rows if name.startswith("three/"))
    assert sorted(rows) == sorted(["cut.tflite", "graph.pb", "one/1", prefix, "two"])
    assert rows["cut.tflite"]["error_kind"] == "damaged"
    assert len(rows[prefix]["files"]) > 2  # the index and its shards are one model
    assert (rows["one/1"]["duplicate_of"], rows["two"]["duplicate_of"]) == (None, f"{models}/one/1")
    assert [entry["shape"] for entry in rows["two"]["signatures"][-1]["inputs"]] == [[-1, 4]]
    assert (report.models, report.duplicates, report.failures["damaged"]) == (5, 1, 1)
    assert not list(tmp_path.glob("o.*part*"))


def test_processes_change_nothing(models: Path, tmp_path: Path) -> None:
    alone, together = tmp_path / "1.jsonl", tmp_path / "3.jsonl"
    graphsurgeon.catalog([models], alone)
    graphsurgeon.catalog([models], together, jobs=3)
    for one, other in zip(rows_of(alone), rows_of(together), strict=True):
        assert {**one, "seconds": 0} == {**other, "seconds": 0}


def test_only_what_changed_is_read_again(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    graphsurgeon.catalog([models], out)
    before = rows_of(out)
    assert graphsurgeon.catalog([models], out).kept == 5
    assert rows_of(out) == before
    shutil.copy(FIXTURES / "tflite/cnn_float.tflite", models / "cut.tflite")
    shutil.rmtree(models / "two")
    report = graphsurgeon.catalog([models], out)
    assert (report.models, report.kept, report.failures.total()) == (4, 3, 0)
    assert graphsurgeon.catalog([models], out, checksum=True).kept == 0  # other questions, other rows


def test_an_interrupted_run_is_continued(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"

    def stop(done: int, total: int) -> None:
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        graphsurgeon.catalog([models], out, progress=stop)
    assert not out.exists()
    part = tmp_path / "o.jsonl.part.jsonl"
    part.write_bytes(part.read_bytes() + b'{"path": "cut')  # as a kill may leave it
    assert graphsurgeon.catalog([models], out).kept == 3
    assert len(rows_of(out)) == 5


def test_what_is_no_catalog_stays(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.jsonl"
    out.write_text('{"mine": 1}\n')
    with pytest.raises(UsageError, match="no catalog"):
        graphsurgeon.catalog([models], out)
    assert out.read_text() == '{"mine": 1}\n'
    graphsurgeon.catalog([models], out, force=True)
    assert len(rows_of(out)) == 5
    with pytest.raises(UsageError, match=r"\.parquet, \.jsonl, \.csv"):
        graphsurgeon.catalog([models], tmp_path / "o.txt")


def test_csv_holds_nested_columns_as_json(models: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    graphsurgeon.catalog([models], out)
    with out.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["path"] for row in rows] == sorted(row["path"] for row in rows)
    assert {entry["op"] for entry in json.loads(rows[-1]["ops"])} >= {"MatMul", "Softmax"}
    assert graphsurgeon.catalog([models], out).kept == 5


def test_a_model_that_dies_or_hangs_costs_its_row(
    models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("graphsurgeon.fleet.pool._PATIENCE", 0.05)
    monkeypatch.setattr("graphsurgeon.fleet.row.read", _read)
    out = tmp_path / "o.jsonl"
    report = graphsurgeon.catalog([models / "two"], out, seconds=0.2, findings=False)
    assert (report.models, report.failures) == (1, {"time": 1})
    report = graphsurgeon.catalog([models], out, findings=False, jobs=2)
    assert (report.models, report.failures) == (5, {"time": 1, "died": 1, "damaged": 1})
    assert graphsurgeon.catalog([models], out, findings=False).kept == 5
    monkeypatch.undo()
    assert graphsurgeon.catalog([models], out, findings=False, retry=True).failures == {"damaged": 1}


def _read(path: str) -> Any:
    if path.endswith("graph.pb"):
        os._exit(7)
    if path.endswith("two"):
        import time

        time.sleep(600)
    from graphsurgeon.formats import read

    return read(path)


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="Linux alone holds a process to its memory")
def test_a_model_that_needs_too_much_costs_its_row() -> None:
    ((_, answer),) = as_they_come(f"{__name__}:_take", [1 << 30], jobs=1, limits=ItemLimits(memory=600 << 20))
    assert isinstance(answer.error, FileError)
    assert "needs more than the 600 MiB" in str(answer.error)


def _take(size: int) -> int:
    return len(bytearray(size))


def test_processes_are_replaced_before_they_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("graphsurgeon.fleet.pool._MOST_ITEMS", 3)
    answers = dict(as_they_come(f"{__name__}:_process", list(range(9)), jobs=1))
    assert len({answer.result for answer in answers.values()}) == 3


def _process(number: int) -> int:
    return os.getpid()


def test_rows_say_why_they_are_kept() -> None:
    row = dict.fromkeys(COLUMNS)
    assert not module._is_current(row, module.Wanted(), retry=False)  # without files nothing can be compared


def test_a_catalog_in_a_saved_model_is_refused(models: Path) -> None:
    with pytest.raises(UsageError, match=r"the output lies in the model .*two; give another output"):
        graphsurgeon.catalog([models], models / "two" / "all.jsonl")
    assert sorted(path.name for path in (models / "two").iterdir() if path.suffix == ".jsonl") == []
