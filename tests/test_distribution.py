"""What users install: the wheel, and the source archive, each built, installed and run."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

import graphsurgeon

ROOT = Path(__file__).resolve().parents[1]
pytestmark = pytest.mark.distribution


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run("-m", "hatchling", "build", "--directory", str(folder), cwd=ROOT)
    return folder


def run(*arguments: str, cwd: Path, **environment: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("suffix", [".whl", ".tar.gz"])
def test_installed_program_runs(suffix: str, built: Path, tmp_path: Path) -> None:
    [file] = built.glob(f"*{suffix}")
    place = tmp_path / "site"
    install = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    run(*install, "--disable-pip-version-check", "--target", str(place), str(file), cwd=tmp_path)
    show = ["-m", "graphsurgeon", "show", str(ROOT / "fixtures" / "savedmodel" / "linear")]
    assert "serving_default" in run(*show, cwd=tmp_path, PYTHONPATH=str(place))
    where = run("-c", "import graphsurgeon as g; print(g.__file__, g.__version__)", cwd=tmp_path, PYTHONPATH=str(place))
    assert where.split() == [str(place / "graphsurgeon" / "__init__.py"), graphsurgeon.__version__]


def test_both_hold_what_is_promised(built: Path) -> None:
    [wheel] = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "graphsurgeon").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert "graphsurgeon/py.typed" in package
    assert package - names == set()
    [archive] = built.glob("*.tar.gz")
    with tarfile.open(archive) as tar:
        sources = {name.partition("/")[2] for name in tar.getnames()}
    assert {"Makefile", "docs/changelog.md", "tests/conftest.py", "README.md", "LICENSE"} <= sources
