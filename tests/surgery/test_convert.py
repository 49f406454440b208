"""Another container, and a checkpoint from elsewhere, as operations: in Python, in recipes, on the command line."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from graphsurgeon import read, surgery
from graphsurgeon.cli import app
from graphsurgeon.edit import Where, edit
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.formats import registry

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
META = FIXTURES / "metagraph" / "face_resnet" / "model-1.meta"
TWO = FIXTURES / "savedmodel" / "v1_tag_sets"
LINEAR = FIXTURES / "savedmodel" / "linear"


def test_one_metagraph_is_kept_where_one_is_held() -> None:
    model = read(TWO)
    assert surgery.convert(model).left_out == []
    assert len(model.metagraphs) > 1
    report = surgery.convert(model, format=registry.META_GRAPH)
    assert len(report.left_out) == len(read(TWO).metagraphs) - 1
    assert model.metagraphs[0].tags == ["serve"]
    with pytest.raises(UsageError):
        surgery.convert(read(TWO), tags=["nosuch"])


def test_the_variables_alone(tmp_path: Path) -> None:
    before = read(LINEAR).checkpoint
    assert before is not None
    for name, options in (("ck", {"format": "checkpoint"}), ("w.ckpt", {}), ("w.ckpt-7", {}), ("v.index", {})):
        arguments = ["convert", str(LINEAR), str(tmp_path / name)]
        arguments += [f"--{key}={value}" for key, value in options.items()]
        assert app.run(arguments) == 0
        after = read(tmp_path / name)
        assert after.traits is registry.CHECKPOINT
        assert after.checkpoint is not None
        assert {key: variable.tensor.items() for key, variable in after.checkpoint.variables.items()} == {
            key: variable.tensor.items() for key, variable in before.variables.items()
        }
    with pytest.raises(UnsupportedError, match="no variables"):
        surgery.convert(read(FIXTURES / "graphdef" / "linear.pb"), format=registry.CHECKPOINT)


def test_where_is_one_argument_or_its_fields(tmp_path: Path) -> None:
    edit(LINEAR, [("convert", {})], Where(tmp_path / "a"))
    edit(LINEAR, [("convert", {})], output=tmp_path / "b")
    assert (tmp_path / "a" / "saved_model.pb").read_bytes() == (tmp_path / "b" / "saved_model.pb").read_bytes()
    with pytest.raises(UsageError, match="already exists"):
        edit(LINEAR, [("convert", {})], Where(tmp_path / "a"))
    assert edit(LINEAR, [("convert", {})], Where(tmp_path / "a"), force=True).written


@pytest.mark.parametrize("name", ["out", "out.pb", "out.npz", "logdir"])
def test_a_dry_run_of_convert_writes_nothing(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["convert", str(LINEAR), str(tmp_path / name), "--dry-run"]) == 0
    assert "would write" in capsys.readouterr().out
    assert os.listdir(tmp_path) == []


def test_convert_takes_its_output_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, says in (
        ([], "nowhere to write to"),
        ([tmp_path / "a", "-o", tmp_path / "b"], "the output is given twice"),
        (["-o", tmp_path / "a", "--out", tmp_path / "b"], "the output is given 2 times"),
        ([tmp_path / "a", "--in-place"], "--in-place"),
    ):
        assert app.run(["convert", str(LINEAR), *map(str, arguments)]) == 2
        assert says in capsys.readouterr().err
    assert app.run(["convert", str(LINEAR), "-o", str(tmp_path / "a.meta")]) == 0
    assert os.listdir(tmp_path) != []


def test_convert_and_attach_checkpoint_are_steps_of_recipes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(META, tmp_path / "alone.meta")
    checkpoint = META.with_suffix("")
    (tmp_path / "recipe").write_text(f"attach-checkpoint {checkpoint}\nconvert --tags mine\nstrip\n")
    assert app.run(["apply", str(tmp_path / "recipe"), str(tmp_path / "alone.meta"), "-o", str(tmp_path / "out")]) == 0
    model = read(tmp_path / "out")
    assert model.checkpoint is not None
    assert model.metagraphs[0].tags == ["mine"]
    capsys.readouterr()
    assert app.run(["convert", str(LINEAR), str(tmp_path / "x.pb"), "--tags", "serve", "--print-recipe"]) == 0
    assert capsys.readouterr().out == "convert --tags serve\n"
    (tmp_path / "bad").write_text("convert out.pb\n")
    assert app.run(["apply", str(tmp_path / "bad"), str(LINEAR), "-o", str(tmp_path / "y")]) == 2
    assert "does not belong into a recipe" in capsys.readouterr().err


def test_a_checkpoint_from_elsewhere(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    alone = Path(shutil.copy(META, tmp_path / "alone.meta"))
    checkpoint = META.with_suffix("")
    assert read(alone).checkpoint is None
    assert app.run(["convert", str(alone), str(tmp_path / "no")]) == 4
    capsys.readouterr()
    arguments = ["attach-checkpoint", str(alone), str(checkpoint), "--json"]
    assert app.run([*arguments, "-o", str(tmp_path / "out")]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["variables"] > 0, report["missing"], report["format"]) == (True, [], "saved_model")
    assert app.run([*arguments, "-o", str(tmp_path / "with" / "model.meta")]) == 0
    original = read(checkpoint).checkpoint
    assert original is not None
    for place in (tmp_path / "out", tmp_path / "with" / "model.meta"):
        found = read(place).checkpoint
        assert found is not None
        assert set(found.variables) == set(original.variables)
    assert surgery.attach_checkpoint(read(alone), checkpoint=read(checkpoint)).variables == report["variables"]


def test_a_checkpoint_of_something_else_is_refused(tmp_path: Path) -> None:
    alone = Path(shutil.copy(META, tmp_path / "alone.meta"))
    with pytest.raises(UsageError, match="holds none of the graph's"):
        surgery.attach_checkpoint(read(alone), checkpoint=read(FIXTURES / "checkpoint" / "dtypes"))
    with pytest.raises(UsageError, match="no checkpoint"):
        surgery.attach_checkpoint(read(alone), checkpoint=read(FIXTURES / "graphdef" / "linear.pb"))
    with pytest.raises(UnsupportedError):
        surgery.attach_checkpoint(read(LINEAR), checkpoint=read(META.with_suffix("")))


@pytest.mark.parametrize("command", ["freeze", "strip", "extract"])
def test_an_output_that_is_a_tensor_is_asked_about(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("output_0", "StatefulPartitionedCall", "StatefulPartitionedCall:0"):
        assert app.run([command, str(LINEAR), "-o", name]) == 2
        assert f"do you mean --outputs {name}?" in capsys.readouterr().err
    assert app.run(["freeze", str(LINEAR), "-o", "./output_0"]) == 0
    assert app.run([command, str(LINEAR), "--output", "output_0", "-o", "a.pb"]) == 2
    assert "the output is given 2 times" in capsys.readouterr().err
    assert app.run(["rename", str(LINEAR), "--prefix", "a/", "-o", "output_1"]) == 0


def test_the_long_form_is_out_and_output_is_hidden(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["rename", "--help"]) == 0
    told = capsys.readouterr().out
    assert "--out " in told
    assert "--output " not in told
    for number, option in enumerate(("-o", "--out", "--output")):
        assert app.run(["rename", str(LINEAR), "--prefix", "a/", option, str(tmp_path / str(number))]) == 0


def test_no_tags_are_a_choice_too(tmp_path: Path) -> None:
    graph = str(FIXTURES / "graphdef" / "linear.pb")
    for tags, expected in (("none", []), ("a,b", ["a", "b"]), (None, ["serve"])):
        options = [] if tags is None else ["--tags", tags]
        for number, command in enumerate((["convert"], ["add-signature", "--output", "y=y"])):
            place = tmp_path / f"{tags}{number}"
            outputs = [node.name for node in read(graph).graph.nodes][-1]
            words = [word.replace("y=y", f"y={outputs}") for word in command[1:]]
            assert app.run([command[0], graph, *words, *options, "-o", f"{place}/"]) == 0
            assert read(place).metagraphs[0].tags == expected
