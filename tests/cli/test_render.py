"""`gs render`: formats, parts, JSON, and what it refuses."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from tests.cli.conftest import GS


@pytest.mark.parametrize(
    ("name", "start"),
    [("a.svg", b"<svg "), ("a.dot", b"digraph "), ("a.html", b"<!DOCTYPE html>"), ("a.SVG", b"<svg ")],
)
def test_the_suffix_says_the_format(gs: GS, tmp_path: Path, name: str, start: bytes) -> None:
    result = gs("render", "savedmodel/keras_export", "-o", tmp_path / name)
    assert (result.status, result.err) == (0, "")
    assert result.out.startswith(f"wrote {tmp_path / name} (18 boxes, 18 edges; ")
    assert (tmp_path / name).read_bytes().startswith(start)


def test_json_says_what_was_drawn(gs: GS) -> None:
    report = gs("render", "savedmodel/keras_export", "--json").json
    assert report["schema"] == 1
    assert 5 <= len(report["boxes"]) <= 150
    identities = {box["id"] for box in report["boxes"]}
    assert all({edge["source"], edge["target"]} <= identities for edge in report["edges"])
    assert isinstance(report["hidden_nodes"], int)
    assert isinstance(report["depth"], int)
    assert [terminal["key"] for terminal in report["inputs"]] == ["image"]
    assert report["inputs"][0]["shape"] == [None, 8, 8, 3]
    assert [terminal["key"] for terminal in report["outputs"]] == ["embedding", "probs"]


def test_json_beside_a_file(gs: GS, tmp_path: Path) -> None:
    report = gs("render", "tflite/cnn_int8.tflite", "-o", tmp_path / "a.svg", "--json").json
    texts = (tmp_path / "a.svg").read_text("utf-8")
    assert all(f'id="{box["id"]}"' in texts for box in report["boxes"])


@pytest.mark.parametrize(
    ("options", "boxes"),
    [
        (["--depth", "1"], {"rnet", "onet"}),
        (["--scope", "rnet"], {"CropAndResize"}),
        (["--focus", "rnet/MatMul", "--radius", "1"], {"MatMul", "Reshape"}),
        (["--from", "rnet/Reshape", "--to", "rnet/MatMul"], {"MatMul", "Reshape"}),
        (["--all", "--depth", "9"], {"Const", "LoopCond", "NextIteration"}),
    ],
)
def test_parts(gs: GS, options: list[str], boxes: set[str]) -> None:
    report = gs("render", "graphdef/face_detector.pb", "--json", *options).json
    assert boxes <= {box["title"] for box in report["boxes"]}


def test_a_function_and_a_signature(gs: GS) -> None:
    report = gs("render", "savedmodel/several_signatures", "--json", "--signature", "decode").json
    assert [terminal["key"] for terminal in report["inputs"]] == ["code"]
    report = gs("render", "savedmodel/keras_rnn", "--json", "--function", "*lstm*while_body*").json
    assert "MatMul" in {box["title"] for box in report["boxes"]}


def test_highlight(gs: GS) -> None:
    report = gs("render", "savedmodel/keras_export", "--json", "--highlight", "stem_1").json
    assert [box["title"] for box in report["boxes"] if "highlight" in box["marks"]] == ["Conv2D"]


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (["savedmodel/linear"], 2, "nowhere to draw to; name a file with -o, or ask for --json"),
        (["savedmodel/linear", "-o", "x.jpg"], 2, "'x.jpg' does not say a format; end it in .svg, "),
        (["savedmodel/linear", "-o", "README.md"], 2, "'README.md' does not say a format"),
        (["savedmodel/linear", "--json", "--depth", "0"], 2, "--depth 0 is neither a number above 0 nor `auto`"),
        (["savedmodel/linear", "--json", "--focus", "MatMull"], 2, "nothing drawn is named 'MatMull'"),
        (["savedmodel/nothing", "--json"], 3, "no such file or folder"),
        (
            ["checkpoint/v1/model.ckpt", "--json"],
            4,
            "a checkpoint has no graph to draw; gs weights lists",
        ),
    ],
)
def test_refusals(gs: GS, arguments: list[str], status: int, message: str) -> None:
    result = gs("render", *arguments)
    assert (result.status, result.out) == (status, "")
    assert message in result.err
    assert result.err.count("\n") == 1


def test_an_existing_file_is_kept(gs: GS, tmp_path: Path) -> None:
    target = tmp_path / "a.svg"
    target.write_text("mine")
    assert gs("render", "savedmodel/linear", "-o", target).status == 2
    assert target.read_text() == "mine"
    assert gs("render", "savedmodel/linear", "-o", target, "--force").status == 0
    assert target.read_text("utf-8").startswith("<svg")


def test_pixels_need_an_extra(gs: GS, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    result = gs("render", "savedmodel/linear", "-o", tmp_path / "a.png")
    assert result.status == 4
    assert "tf-graphsurgeon[pictures]" in result.err
    assert not (tmp_path / "a.png").exists()


def test_a_picture_of_a_comparison(gs: GS, tmp_path: Path) -> None:
    result = gs("diff", "graphdef/linear.pb", "graphdef/encoder.pb", "--render", tmp_path / "d.svg", "--quiet")
    assert (result.status, result.out) == (1, "")
    assert "removed" in (tmp_path / "d.svg").read_text("utf-8")
    assert gs("diff", "graphdef/linear.pb", "graphdef/encoder.pb", "--render", tmp_path / "d.svg").status == 2
    checkpoints = gs("diff", "checkpoint/v1/model.ckpt", "checkpoint/v1/model.ckpt", "--render", tmp_path / "e.svg")
    assert checkpoints.status == 4
