"""The child process imports nothing from the folder that the user stands in, and stands in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from graphsurgeon.bridges import child
from graphsurgeon.bridges.workers.start import isolate
from graphsurgeon.compare.entries import OneRun
from tests.conftest import ROOT

NAMES = ["numpy", "json", "tensorflow", "ai_edge_litert", "sitecustomize", "usercustomize", "importlib", "pathlib"]
ECHO = """
import os, sys, json, numpy
found = {"here": os.getcwd(), "files": os.listdir("."), "path": sys.path, "hostile": [
    name for name, module in sys.modules.items() if (getattr(module, "__file__", None) or "").startswith(sys.argv[-1])
]}
print(json.dumps(found))
"""


@pytest.fixture
def hostile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder, entered, whose modules say that they were executed and stop the program."""
    folder = tmp_path / "hostile"
    body = f"open({str(tmp_path / 'executed')!r}, 'a').write(__name__ + ' ')\nraise SystemExit(9)\n"
    for name in [*NAMES, "graphsurgeon"]:
        (folder / name).mkdir(parents=True)
        (folder / name / "__init__.py").write_text(body)
    for name in NAMES:
        (folder / f"{name}.py").write_text(body)
    monkeypatch.chdir(folder)
    return folder


def gs(*arguments: object, search_path: str = "") -> subprocess.CompletedProcess[str]:
    """Run the command as an installed one runs: without the current folder on its own search path."""
    program = (
        f"import os, sys; sys.path[:] = [{str(ROOT)!r}, *filter(None, sys.path)];"
        f"os.environ['PYTHONPATH'] = {search_path!r}; from graphsurgeon.cli.app import main; main()"
    )
    return subprocess.run(
        [sys.executable, "-c", program, *map(str, arguments)],
        env={name: value for name, value in os.environ.items() if name != "PYTHONPATH"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    "search_path", ["", os.pathsep, f".{os.pathsep}", f"{ROOT}{os.pathsep}", f"..{os.sep}hostile{os.pathsep}{ROOT}"]
)
def test_the_child_imports_nothing_from_the_current_folder(
    search_path: str, hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", search_path)
    folder = tmp_path / "request"
    folder.mkdir()
    child._write_request(folder, "litert", {"path": "model.tflite", "inside": False}, [])
    done = subprocess.run(
        [sys.executable, str(child.START), str(folder)],
        env=child._environment(os.environ),
        cwd=hostile,  # as if the scratch folder were full of what a model has written
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "executed").exists()
    assert json.loads((folder / child.ANSWER).read_text())["calls"] == []


def test_the_child_stands_in_a_folder_of_its_own(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = {}

    def run(command: list[str], **options: object) -> subprocess.CompletedProcess[bytes]:
        request = json.loads((Path(command[-1]) / child.REQUEST).read_text())
        seen.update(request["source"], cwd=options["cwd"], files=os.listdir(str(options["cwd"])))
        (Path(command[-1]) / child.ANSWER).write_text('{"error": "", "calls": [{"error": "", "results": {}}]}')
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(child.subprocess, "run", run)
    monkeypatch.setattr(child, "require_extra", lambda runtime: None)
    call = OneRun("session", None, {"x:0": np.ones(1, "f4")}, {})
    child.ask("tensorflow", {"path": "m.meta", "checkpoint": "../m", "format": "meta_graph"}, [call])
    assert seen["path"] == str(hostile / "m.meta")
    assert os.path.normpath(seen["checkpoint"]) == str(tmp_path / "m")
    assert seen["files"] == []
    assert hostile not in (seen["cwd"], *Path(str(seen["cwd"])).parents)


def test_absolute_entries_of_pythonpath_stay() -> None:
    given = os.pathsep.join(["", "relative", str(ROOT), "."])
    assert child._environment({"PYTHONPATH": given})["PYTHONPATH"] == str(ROOT)
    assert "PYTHONPATH" not in child._environment({"PYTHONPATH": os.pathsep})


def test_the_own_folder_and_the_current_one_leave_the_search_path(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path)
    assert isolate(["", str(tmp_path), "/lib"], str(tmp_path / "link")) == ["/lib"]


@pytest.mark.skipif(getattr(sys.flags, "safe_path", False), reason="this Python never looks there")
def test_the_module_looks_for_nothing_in_the_current_folder_either(
    hostile: Path, fixtures_dir: Path, tmp_path: Path
) -> None:
    shutil.rmtree(hostile / "graphsurgeon")  # under that name the current folder comes first by Python's own rule
    for name in ("importlib", "pathlib", "json", "sitecustomize", "usercustomize"):  # loaded before any program begins
        shutil.rmtree(hostile / name)
        (hostile / f"{name}.py").unlink()
    done = subprocess.run(
        [sys.executable, "-m", "graphsurgeon", "weights", str(fixtures_dir / "graphdef/linear.pb"), "--stats"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "executed").exists()


@pytest.mark.litert
@pytest.mark.parametrize("search_path", ["", os.pathsep])
def test_litert_runs_in_a_hostile_folder(search_path: str, hostile: Path, fixtures_dir: Path, tmp_path: Path) -> None:
    shutil.copy(fixtures_dir / "tflite/float.tflite", hostile / "model.tflite")
    for arguments in (
        ["run", "model.tflite"],
        ["verify", "model.tflite", "model.tflite"],
        ["rename", "model.tflite", "--prefix", "a/", "-o", "b.tflite", "--verify"],
    ):
        done = gs(*arguments, search_path=search_path)
        assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "executed").exists()


@pytest.mark.tensorflow
def test_tensorflow_runs_in_a_hostile_folder(hostile: Path, fixtures_dir: Path, tmp_path: Path) -> None:
    shutil.copytree(fixtures_dir / "savedmodel/keras_export", hostile / "model")
    shutil.copy(fixtures_dir / "graphdef/linear.pb", hostile / "linear.pb")
    for arguments in (
        ["run", "model"],
        ["verify", "linear.pb", "linear.pb"],
        ["rename", "model", "--prefix", "a/", "-o", "b", "--verify"],
    ):
        done = gs(*arguments)
        assert (done.returncode, done.stderr) == (0, "")
    assert not (tmp_path / "executed").exists()
