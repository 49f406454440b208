"""A model that reaches outside itself is not run unless that is allowed; what is allowed is said."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.compare.entries import OneRun, Result, RunOutcome
from graphsurgeon.model.dtype import STRING
from tests.cli.conftest import GS, gs
from tests.scanning.build import Made

__all__ = ["gs"]


@pytest.fixture
def stands(monkeypatch: pytest.MonkeyPatch) -> list[Path | None]:
    """Let nothing be run; tell where the process of each run would have stood."""
    found: list[Path | None] = []

    def run_calls(path: Path, calls: Sequence[OneRun], *, stand: Path | None = None, **_: object) -> list[RunOutcome]:
        found.extend(stand for _ in calls)
        return [RunOutcome({name: Result("float32", np.ones(1, "f4")) for name in call.fetches}) for call in calls]

    for module in ("run", "verify", "locate"):
        monkeypatch.setattr(f"graphsurgeon.bridges.{module}.run_calls", run_calls)
    for module in ("run", "verify"):
        monkeypatch.setattr(f"graphsurgeon.bridges.{module}.require_extra", lambda runtime: None)
    return found


@pytest.fixture
def writer(tmp_path: Path) -> Path:
    """A graph whose output needs a file to be written."""
    made = Made("graph_def")
    node = made.write_file(b"/tmp/evil")
    made.add("Identity", [made.placeholder("x")], {"T": STRING}, name="y", after=[node])
    return made.written(tmp_path / "writer.pb")


def test_a_file_is_not_written_unasked(gs: GS, stands: list[Path | None], writer: Path) -> None:
    result = gs("run", writer)
    assert (result.status, result.out) == (4, "")
    assert result.err == (
        f"gs: {writer}: not run, for it reaches outside itself: WriteFile writes a file when it runs: /tmp/evil; "
        "if you trust it: --allow-files; gs scan tells all that it could do\n"
    )
    assert stands == []


@pytest.mark.parametrize(
    "options",
    [["--allow", "WriteFile"], ["--allow", "WriteFile:/tmp/evil"], ["--allow", "WriteFile:/tmp/*"], ["--allow-files"]],
)
def test_what_is_allowed_is_said_and_done_where_the_user_stands(
    gs: GS, stands: list[Path | None], writer: Path, options: list[str]
) -> None:
    result = gs("run", writer, *options)
    assert result.status == 0
    assert result.err == f"gs: {writer}: WriteFile writes a file when it runs: /tmp/evil\n"
    assert stands == [Path.cwd()]


@pytest.mark.parametrize(
    "options", [["--allow", "ReadFile"], ["--allow", "WriteFile:/tmp"], ["--allow", "WriteFile:/tmp/evil/x"]]
)
def test_other_things_are_not_allowed_by_it(
    gs: GS, stands: list[Path | None], writer: Path, options: list[str]
) -> None:
    assert gs("run", writer, *options).status == 4
    assert stands == []


def test_files_do_not_include_the_network_or_code(gs: GS, stands: list[Path | None], tmp_path: Path) -> None:
    made = Made("graph_def")
    sent = made.add("DebugIdentityV2", [made.placeholder("x")], {"T": STRING, "debug_urls": [b"grpc://evil:1"]})
    made.add("PyFunc", [sent.output()], {"token": b"f", "Tin": [STRING], "Tout": [STRING]}, name="y")
    path = made.written(tmp_path / "m.pb")
    assert gs("run", path, "--allow-files").status == 4
    assert gs("run", path, "--allow", "PyFunc").status == 4
    assert gs("run", path, "--allow", "PyFunc:f", "--allow", "DebugIdentityV2:grpc://evil:1").status == 0


def test_what_does_not_run_is_no_reason(gs: GS, stands: list[Path | None], tmp_path: Path) -> None:
    made = Made("graph_def")
    made.write_file(b"/tmp/evil")
    made.add("Identity", [made.placeholder("x")], {"T": STRING}, name="y")
    path = made.written(tmp_path / "m.pb")
    assert gs("run", path, "--outputs", "y:0")[::2] == (0, "")
    assert stands == [None]


def test_another_signature_is_no_reason(gs: GS, stands: list[Path | None], tmp_path: Path) -> None:
    made = Made()
    x = made.placeholder("x")
    made.signature("good", {"y": made.add("Identity", [x], {"T": STRING}).output()}, {"x": x})
    made.signature("bad", {"y": made.read(x)}, {"x": x})
    path = made.written(tmp_path / "m")
    assert gs("run", path, "--signature", "good").status == 0
    refused = gs("run", path, "--signature", "bad")
    assert refused.status == 4
    assert "ReadFile reads a file when it runs: whatever the caller passes (x)" in refused.err


def test_loading_counts_whatever_is_run(gs: GS, stands: list[Path | None], tmp_path: Path) -> None:
    made = Made()
    x = made.placeholder("x")
    made.signature("good", {"y": made.add("Identity", [x], {"T": STRING}).output()}, {"x": x})
    made.on_load(made.write_file(b"../evil"))
    refused = gs("run", made.written(tmp_path / "m"))
    assert (refused.status, refused.err.count("WriteFile writes a file on load: ../evil")) == (4, 1)


def test_an_own_file_of_a_saved_model_is_no_reason(gs: GS, stands: list[Path | None], tmp_path: Path) -> None:
    folder = tmp_path / "m"
    made = Made()
    x = made.placeholder("x")
    made.signature("inside", {"y": made.read(made.text(str(folder / "saved_model.pb").encode()))}, {"x": x})
    made.signature("beside", {"y": made.read(made.text(str(tmp_path / "m2").encode()))}, {"x": x})
    made.written(folder)
    assert gs("run", folder, "--signature", "inside").status == 0
    assert gs("run", folder, "--signature", "beside").status == 4
    assert gs("run", "savedmodel/table_asset").status == 0


def test_comparing_asks_too(gs: GS, stands: list[Path | None], writer: Path, tmp_path: Path) -> None:
    assert gs("verify", writer, writer).status == 4
    assert gs("verify", writer, writer, "--allow-files").status == 0
    target = tmp_path / "renamed.pb"
    assert gs("rename", writer, "x=image", "--verify", "-o", target).status == 4
    assert not target.exists()
    assert gs("rename", writer, "x=image", "--verify", "-o", target, "--allow", "WriteFile").status == 0


def test_options_of_a_run_are_no_part_of_a_recipe(gs: GS, writer: Path) -> None:
    line = gs("rename", writer, "x=image", "--verify", "--allow", "WriteFile", "--allow-files", "--print-recipe").out
    assert "allow" not in line


@pytest.mark.tensorflow
def test_relative_paths_are_the_user_s_only_when_allowed(gs: GS, tmp_path: Path, monkeypatch: Any) -> None:
    made = Made("graph_def")
    node = made.write_file(b"evil.txt")
    made.add("Identity", [made.placeholder("x")], {"T": STRING}, name="y", after=[node])
    path = made.written(tmp_path / "m.pb")
    monkeypatch.chdir(tmp_path)
    arguments = ("run", path, "--outputs", "y:0", "--feed", 'x="a"')
    assert gs(*arguments).status == 4
    assert not (tmp_path / "evil.txt").exists()
    assert gs(*arguments, "--allow", "WriteFile:evil.txt").status == 0
    assert (tmp_path / "evil.txt").read_text() == "x"
