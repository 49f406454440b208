"""What is written and is no model: one guard, in the same words, whichever command writes."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from graphsurgeon.cli import app
from graphsurgeon.errors import FileError, UsageError
from graphsurgeon.export import export_file, require_free

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
EVENTS = "events.out.tfevents.0000000000.graphsurgeon"


def commands(model: Path, folder: Path) -> dict[str, tuple[list[str], Path]]:
    """Return every way to write what is no model: the arguments, and the file that is written below the folder."""
    return {
        "events": (["convert", str(model), str(folder / "logdir")], folder / "logdir" / EVENTS),
        "events by format": (["convert", str(model), str(folder), "--format", "logdir"], folder / EVENTS),
        "arrays": (["convert", str(model), str(folder / "w.npz")], folder / "w.npz"),
        "tensors": (["convert", str(model), str(folder / "w.safetensors")], folder / "w.safetensors"),
        "weights": (["weights", str(model), "--export", str(folder / "e.npz")], folder / "e.npz"),
        "picture": (["render", str(model), "-o", str(folder / "p.svg")], folder / "p.svg"),
        "page": (["render", str(model), "-o", str(folder / "p.html")], folder / "p.html"),
        "changes": (["diff", str(model), str(model), "--render", str(folder / "d.svg")], folder / "d.svg"),
    }


KINDS = list(commands(Path(), Path()))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return Path(shutil.copytree(FIXTURES / "savedmodel" / "linear", tmp_path / "model"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_exists_stays_without_force(
    kind: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments, file = commands(model, tmp_path / "out")[kind]
    assert app.run(arguments) == 0
    written = file.read_bytes()
    file.write_bytes(b"mine")
    capsys.readouterr()
    assert app.run(arguments) == 2
    expected = f"gs: {file}: already exists; give another output, or --force to replace it\n"
    assert capsys.readouterr().err == expected
    assert file.read_bytes() == b"mine"
    assert app.run([*arguments, "--force"]) == 0
    assert file.read_bytes() == written


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("below", ["", "assets", "new/folder"])
@pytest.mark.parametrize("force", [[], ["--force"]])
def test_nothing_goes_into_the_source(
    kind: str, below: str, force: list[str], model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(model.rglob("*"))
    arguments, file = commands(model, model / below)[kind]
    assert app.run([*arguments, *force]) == 2
    expected = f"gs: {file}: the output is the model that is read, or lies in it; give another output\n"
    assert capsys.readouterr().err == expected
    assert sorted(model.rglob("*")) == before


@pytest.mark.parametrize("kind", KINDS)
def test_a_relative_path_is_from_where_the_user_stands(
    kind: str, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, file = commands(model, Path("new/folder"))[kind]
    assert app.run(arguments) == 0
    assert (tmp_path / file).is_file()


def test_nothing_is_written_over_a_source(tmp_path: Path) -> None:
    for source, file in (("graphdef/linear.pb", "linear.pb"), ("tflite/float.tflite", "float.tflite")):
        place = Path(shutil.copy(FIXTURES / source, tmp_path))
        os.symlink(place, tmp_path / f"link-{file}")
        for target in (place, tmp_path / f"link-{file}"):
            with pytest.raises(UsageError, match="is the model that is read"):
                export_file(target, [b"x"], sources=[place], force=True)
        assert place.read_bytes() == (FIXTURES / source).read_bytes()
    shutil.copytree(FIXTURES / "checkpoint" / "name_based", tmp_path / "ck")
    [index] = (tmp_path / "ck").glob("*.index")
    [shard] = (tmp_path / "ck").glob("*.data-*")
    for source in (tmp_path / "ck", index, index.with_suffix("")):
        for target in (index, shard):
            with pytest.raises(UsageError, match="is the model that is read"):
                require_free(target, sources=[source], force=True)


def test_a_folder_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "w.npz").mkdir()
    with pytest.raises(UsageError, match="is a folder"):
        export_file(tmp_path / "w.npz", [b"x"], sources=[], force=True)


def test_a_missing_source_is_told_before_the_work(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="no such file"):
        require_free(tmp_path / "x.svg", sources=[tmp_path / "no"])
