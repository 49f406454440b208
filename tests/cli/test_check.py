"""`gs check`: findings and status."""

from __future__ import annotations

import pytest

from graphsurgeon import read
from graphsurgeon.model.finding import Finding
from tests.cli.conftest import GS


def test_sound_model(gs: GS) -> None:
    model = read("savedmodel/linear")
    nodes = sum(len(graph.nodes) for one in model.metagraphs for graph in (one.graph, *one.functions.values()))
    said = f"sound: nothing found in {nodes} nodes, {len(model.metagraphs[0].functions)} functions, 2 signatures, "
    left = "not checked: what TensorFlow Serving asks (--serving), whether a loader runs it (gs run)\n"
    assert gs("check", "savedmodel/linear") == (0, f"{said}2 variables, values not read (--checksums)\n{left}", "")
    assert gs("check", "savedmodel/linear", "--checksums").out.endswith(f", values and their checksums\n{left}")
    assert gs("check", "savedmodel/linear", "--json").json["findings"] == []


def test_what_was_checked_is_said(gs: GS) -> None:
    # By TensorFlow's own protos: a main graph and 7 functions, 2 signatures, 2 assets; one variable.
    counts = gs("check", "savedmodel/table_asset", "--checksums", "--json").json["checked"]
    assert (counts["functions"], counts["signatures"], counts["assets"]) == (7, 2, 2)
    assert (counts["variables"], counts["checksums"], counts["left_out"]) == (1, 1, ["serving", "loaders"])
    assert gs("check", "savedmodel/table_asset", "--json").json["checked"]["left_out"][0] == "checksums"
    tflite = gs("check", "tflite/cnn_int8.tflite").out
    assert tflite.endswith("7 constants\nnot checked: whether a loader runs it (gs run)\n")


def test_findings(gs: GS) -> None:
    result = gs("check", "hostile/bad_signatures", "--json")
    assert result.status == 1
    findings = result.json["findings"]
    assert all(finding.keys() >= {"severity", "where", "what", "hint"} for finding in findings)
    severities = [finding["severity"] for finding in findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    text = gs("check", "hostile/bad_signatures").out.splitlines()
    assert text[0].startswith("error: ")
    found = text[-2].partition(" in ")[0]
    assert found == f"{severities.count('error')} errors, {severities.count('warning')} warnings"


def test_checksums_only_when_asked(gs: GS) -> None:
    assert gs("check", "hostile/ckpt_bad_crc").status == 0
    assert gs("check", "hostile/ckpt_bad_crc", "--checksums").status == 1


def test_strict_counts_warnings(gs: GS, monkeypatch: pytest.MonkeyPatch) -> None:
    warning = Finding("warning", "node x", "is odd", "look at it", "odd")
    monkeypatch.setattr("graphsurgeon.checks.check.check", lambda *args, **options: [warning])
    lenient, strict = gs("check", "savedmodel/linear"), gs("check", "savedmodel/linear", "--strict")
    assert (lenient.status, strict.status) == (0, 1)
    assert lenient.out.startswith("warning: node x: is odd; look at it\n1 warning in ")


def test_quiet(gs: GS) -> None:
    assert gs("check", "hostile/bad_signatures", "-q") == (1, "", "")
