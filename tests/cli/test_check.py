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
    assert gs("check", "savedmodel/linear") == (0, f"{said}2 variables, values not read (--checksums)\n", "")
    assert gs("check", "savedmodel/linear", "--checksums").out.endswith(", values and their checksums\n")
    assert gs("check", "savedmodel/linear", "--json").json == {"schema": 1, "findings": []}


def test_findings(gs: GS) -> None:
    result = gs("check", "hostile/bad_signatures", "--json")
    assert result.status == 1
    findings = result.json["findings"]
    assert all(finding.keys() >= {"severity", "where", "what", "hint"} for finding in findings)
    severities = [finding["severity"] for finding in findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    text = gs("check", "hostile/bad_signatures").out.splitlines()
    assert text[0].startswith("error: ")
    found = text[-1].partition(" in ")[0]
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
