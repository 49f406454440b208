"""`gs scan` as a command: what it prints, its exit status, JSON, SARIF, and lists of what is allowed."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.errors import FileError
from graphsurgeon.scanning.sarif import sarif_of, uri_of
from graphsurgeon.scanning.scan import scan
from tests.cli.conftest import GS
from tests.conftest import ROOT
from tests.scanning.build import Made

CLEAN = "graphdef/cnn.pb"


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """A model that writes on load and reads when it is called."""
    made = Made()
    x = made.placeholder("x")
    made.signature("steal", {"y": made.read(made.text(b"/etc/passwd")), "z": made.read(x)}, {"path": x})
    made.on_load(made.write_file(b"/tmp/evil"))
    return made.written(tmp_path / "bad")


def test_what_people_read(gs: GS, bad: Path) -> None:
    result = gs("scan", bad)
    assert (result.status, result.err) == (1, "")
    assert result.out.splitlines() == [
        f"{bad}: 1 critical, 2 high",
        "  critical  WriteFile  writes a file: /tmp/evil",
        "            on load: load > WriteFile",
        "  high      ReadFile  reads a file: /etc/passwd",
        "            when signature steal is called: steal > ReadFile",
        "  high      ReadFile  reads a file: whatever the caller passes (path)",
        "            when signature steal is called: steal > ReadFile_1",
    ]
    assert gs("scan", bad, "-q") == (1, "", "")


def test_a_clean_model(gs: GS) -> None:
    assert gs("scan", CLEAN) == (0, f"{CLEAN}: nothing found\n", "")
    harmless = gs("scan", "savedmodel/table_asset")
    assert harmless.status == 0
    assert "nothing found" in harmless.out
    assert "assets/vocab.txt" in gs("scan", "savedmodel/table_asset", "--all").out


def test_a_folder_of_models_stands_for_all_below_it(gs: GS, bad: Path, tmp_path: Path) -> None:
    (tmp_path / "down/loads").mkdir(parents=True)
    shutil.copy(ROOT / "fixtures" / CLEAN, tmp_path / "down/clean.pb")
    shutil.copy(ROOT / "fixtures/tflite/cnn_float.tflite", tmp_path / "down/loads")
    shutil.move(bad, tmp_path / "down/loads/bad")
    (tmp_path / "down/notes.txt").write_text("about these models\n")
    result = gs("scan", tmp_path / "down", "--json")
    rows = [json.loads(line) for line in result.out.splitlines()]
    below = [row["path"].removeprefix(f"{tmp_path}/down/") for row in rows]
    assert (result.status, sorted(below)) == (1, ["clean.pb", "loads/bad", "loads/cnn_float.tflite"])
    (tmp_path / "empty").mkdir()
    empty = gs("scan", tmp_path / "empty")
    assert (empty.status, empty.err.count("\n")) == (2, 1)


def test_json_is_one_object_a_model(gs: GS, bad: Path) -> None:
    report = gs("scan", bad, "--json").json
    assert (report["schema"], report["path"], report["format"]) == (1, str(bad), "saved_model")
    assert report["findings"][0] == {
        "severity": "critical", "op": "WriteFile", "what": "writes a file", "where": "load > WriteFile", "when": "load",
        "target": "/tmp/evil", "kind": "write", "count": 1,
    }  # fmt: skip
    lines = gs("scan", CLEAN, bad, "--json").out.splitlines()
    assert [json.loads(line)["path"] for line in lines] == [CLEAN, str(bad)]


@pytest.mark.parametrize(("bound", "status"), [("critical", 1), ("high", 1), ("medium", 1), ("info", 1), ("never", 0)])
def test_the_bound_of_failing(gs: GS, bad: Path, bound: str, status: int) -> None:
    assert gs("scan", bad, "--fail-on", bound).status == status
    assert gs("scan", CLEAN, "--fail-on", bound).status == 0


def test_a_wrong_bound_is_a_usage_error(gs: GS) -> None:
    result = gs("scan", CLEAN, "--fail-on", "bad")
    assert (result.status, result.out) == (2, "")
    assert "one of critical, high, medium, info, never" in result.err


def test_what_is_allowed_is_no_finding(gs: GS, bad: Path, tmp_path: Path) -> None:
    allow = ["--allow", "WriteFile", "--allow", "ReadFile:/etc/*"]
    report = gs("scan", bad, *allow, "--json").json
    assert [finding["target"] for finding in report["findings"]] == ["whatever the caller passes (path)"]
    assert len(report["allowed"]) == 2
    (tmp_path / "allowed").write_text("# known\nWriteFile:/tmp/evil\n\nReadFile # all of them\n")
    result = gs("scan", bad, "--allow-from", tmp_path / "allowed")
    assert (result.status, result.out) == (0, f"{bad}: nothing found, 3 allowed\n")
    assert gs("scan", bad, "--allow", "ReadFile:/etc/../etc/passwd", "--allow", "WriteFile").status == 1


def test_an_unreadable_file_is_3_and_the_others_are_scanned(gs: GS, bad: Path, tmp_path: Path) -> None:
    assert gs("scan", "hostile/truncated.pb").status == 3
    assert gs("scan", tmp_path / "missing").status == 3
    result = gs("scan", "hostile/truncated.pb", bad)
    assert result.status == 3
    assert "1 critical" in result.out
    assert result.err.count("\n") == 1


@pytest.mark.parametrize(("content", "status"), [(b"no model at all, but words", 3), (b"", 3), (b"<html></html>", 4)])
def test_what_is_no_model_is_no_finding(gs: GS, tmp_path: Path, content: bytes, status: int) -> None:
    (tmp_path / "m.pb").write_bytes(content)
    result = gs("scan", tmp_path / "m.pb")
    assert (result.status, result.out) == (status, "")


def test_every_hostile_fixture_ends_in_an_answer(gs: GS, fixtures_dir: Path) -> None:
    for path in sorted((fixtures_dir / "hostile").iterdir()):
        assert gs("scan", path).status in (0, 1, 2, 3, 4), path


def test_several_at_once_answer_in_order(gs: GS, bad: Path) -> None:
    models = (CLEAN, bad, "hostile/truncated.pb", "graphdef/linear.pb", bad)
    one, several = gs("scan", *models), gs("scan", *models, "-j", "3")
    assert several == one
    assert several.status == 3


# -- SARIF ---------------------------------------------------------------------------------------------


def validate(log: Any) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "tests/scanning/sarif_schema.json").read_text())
    jsonschema.validate(log, schema, format_checker=jsonschema.FormatChecker())


def test_sarif_is_valid_and_says_all(gs: GS, bad: Path, tmp_path: Path) -> None:
    target = tmp_path / "found.sarif"
    models = (bad, CLEAN, "hostile/truncated.pb")
    assert gs("scan", *models, "--allow", "WriteFile", "--sarif", target, "--base", tmp_path, "-q").status == 3
    log = json.loads(target.read_text())
    validate(log)
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert [result["ruleId"] for result in run["results"]] == ["GS-read-high", "GS-read-high", "GS-write-critical"]
    assert all(rules[result["ruleIndex"]] == result["ruleId"] for result in run["results"])
    assert [bool(result.get("suppressions")) for result in run["results"]] == [False, False, True]
    assert {r["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for r in run["results"]} == {"bad"}
    marks = [result["partialFingerprints"]["primaryLocationLineHash"] for result in run["results"]]
    assert len(set(marks)) == 3
    (problem,) = run["invocations"][0]["toolExecutionNotifications"]
    assert "truncated.pb" in problem["message"]["text"]
    assert gs("scan", CLEAN, "--sarif", target).status == 2
    assert gs("scan", CLEAN, "--sarif", target, "--force").status == 0


def test_sarif_of_nothing_and_on_stdout(gs: GS) -> None:
    validate(sarif_of([]))
    log = json.loads(gs("scan", CLEAN, "--sarif", "-").out)
    validate(log)
    assert log["runs"][0]["results"] == []


def test_fingerprints_are_those_of_the_next_export(tmp_path: Path) -> None:
    logs = []
    for number in (7, 1234):
        made = Made()
        function = made.function(f"__inference_f_{number}")
        function.control_outputs = {"w": made.write_file(b"/tmp/evil")}
        made.main()
        made.on_load(made.call(function))
        logs.append(sarif_of([(tmp_path / "m", scan(made.written(tmp_path / str(number))))]))
    first, second = (log["runs"][0]["results"][0]["partialFingerprints"] for log in logs)
    assert first == second


@pytest.mark.parametrize(
    ("name", "uri"),
    [("a b.pb", "a%20b.pb"), ("a:b#c.pb", "a%3Ab%23c.pb"), ("d/100%?.pb", "d/100%25%3F.pb"), ("ü", "%C3%BC")],
)
def test_names_are_spelled_as_uris(name: str, uri: str, tmp_path: Path) -> None:
    assert uri_of(tmp_path / name, tmp_path) == uri
    assert uri_of(Path("/elsewhere/m.pb"), tmp_path) == "file:///elsewhere/m.pb"
    validate(sarif_of([(tmp_path / name, FileError("missing"))], base=tmp_path))


# -- the steps of an action and of a hook --------------------------------------------------------------


def test_the_steps_for_a_repository(bad: Path, fixtures_dir: Path, tmp_path: Path) -> None:
    repository = tmp_path / "repository"
    (repository / "models").mkdir(parents=True)
    shutil.copy(fixtures_dir / CLEAN, repository / "models/clean.pb")
    (repository / "notes.pb.txt").write_text("no model")
    program = tmp_path / "gs"
    program.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m graphsurgeon "$@"\n')
    program.chmod(0o755)

    def steps(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(ROOT / "tools/scan_repository.sh"), *arguments]
        environment = {**os.environ, "GS": str(program)}
        return subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True, check=False)

    clean = steps("--sarif", "found.sarif")
    assert (clean.returncode, clean.stderr) == (0, "")
    validate(json.loads((repository / "found.sarif").read_text()))
    shutil.copytree(bad, repository / "models/bad")
    found = steps("--sarif", "found.sarif")
    assert found.returncode == 1
    assert "WriteFile" in found.stdout
    (repository / ".gs-allow").write_text("WriteFile\nReadFile\n")
    assert steps().returncode == 0
    assert steps("models/clean.pb").returncode == 0
    (repository / ".gs-allow").unlink()
    assert steps("models/bad/saved_model.pb").returncode == 1
