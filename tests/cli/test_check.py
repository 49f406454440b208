"""`gs check`: findings and status."""

from __future__ import annotations

import pytest

from graphsurgeon.model.finding import Finding
from tests.cli.conftest import GS


def test_sound_model(gs: GS) -> None:
    result = gs("check", "savedmodel/linear")
    assert (result.status, result.err) == (0, "")
    assert result.out.splitlines()[0] == "sound: nothing found"
    assert gs("check", "savedmodel/linear", "--json").json["findings"] == []


def test_what_was_checked_is_said(gs: GS) -> None:
    # By TensorFlow's own protos: a main graph and 7 functions, 2 signatures, an asset each; one variable.
    text = gs("check", "savedmodel/table_asset").out.splitlines()
    assert text[-2].startswith("checked: 8 graphs, ")
    assert text[-1] == (
        "not checked: stored values (--checksums), what TensorFlow Serving asks (--serving), by a loader (gs run)"
    )
    counts = gs("check", "savedmodel/table_asset", "--checksums", "--serving", "--json").json["checked"]
    assert (counts["graphs"], counts["signatures"], counts["assets"]) == (8, 2, 2)
    assert counts["left_out"] == ["loaders"]
    assert counts["checksums"] == counts["tensors"] == 1
    assert gs("check", "tflite/cnn_int8.tflite").out.endswith("7 stored tensors\nnot checked: by a loader (gs run)\n")


def test_findings(gs: GS) -> None:
    result = gs("check", "hostile/bad_signatures", "--json")
    assert result.status == 1
    findings = result.json["findings"]
    assert all(finding.keys() >= {"severity", "where", "what", "hint"} for finding in findings)
    severities = [finding["severity"] for finding in findings]
    assert severities == sorted(severities, key=["error", "warning", "note"].index)
    text = gs("check", "hostile/bad_signatures").out.splitlines()
    assert text[0].startswith("error: ")
    assert text[-3] == f"{severities.count('error')} errors, {severities.count('warning')} warnings"


def test_checksums_only_when_asked(gs: GS) -> None:
    assert gs("check", "hostile/ckpt_bad_crc").status == 0
    assert gs("check", "hostile/ckpt_bad_crc", "--checksums").status == 1


def test_strict_counts_warnings(gs: GS, monkeypatch: pytest.MonkeyPatch) -> None:
    warning = Finding("warning", "node x", "is odd", "look at it", "odd")
    monkeypatch.setattr("graphsurgeon.checks.check.check", lambda *args, **options: [warning])
    lenient, strict = gs("check", "savedmodel/linear"), gs("check", "savedmodel/linear", "--strict")
    assert (lenient.status, strict.status) == (0, 1)
    assert lenient.out.startswith("warning: node x: is odd; look at it\n1 warning\n")


def test_quiet(gs: GS) -> None:
    assert gs("check", "hostile/bad_signatures", "-q") == (1, "", "")
