"""Models in bundles: read where they lie, changed with all else kept. Archives are judged by Python's own modules."""

from __future__ import annotations

import io
import json
import struct
import tarfile
import zipfile
from pathlib import Path

import pytest

from graphsurgeon.cli.app import run
from graphsurgeon.edit import edit
from graphsurgeon.errors import GraphSurgeonError, UsageError
from graphsurgeon.formats import read
from graphsurgeon.scanning.scan import scan
from tests.disk.bundles.build import litertlm_of, task_of

FLOAT, CONV = "tflite/float.tflite", "tflite/cnn_float.tflite"
LONG = "a_name_that_makes_the_file_longer" * 5


@pytest.fixture
def task(fixtures_dir: Path, tmp_path: Path) -> Path:
    members = {
        "conv.tflite": (fixtures_dir / CONV).read_bytes(),
        "float.tflite": (fixtures_dir / FLOAT).read_bytes(),
        "labels.txt": b"cat\ndog\n",
    }
    path = tmp_path / "face.task"
    path.write_bytes(task_of(members))
    return path


def data_offsets(path: Path) -> dict[str, int]:
    """Return where the bytes of each member begin, by its local header."""
    whole, found = path.read_bytes(), {}
    with zipfile.ZipFile(path) as archive:
        for info in archive.infolist():
            name, extra = struct.unpack_from("<HH", whole, info.header_offset + 26)
            found[info.filename] = info.header_offset + 30 + name + extra
    return found


def members(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def first_input(path: Path) -> str:
    return str(read(path).graph.inputs[0].name)


def test_members_are_listed_with_what_they_are(task: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["show", str(task), "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert listed["format"] == "bundle"
    assert [(member["name"], member["what"], member["format"]) for member in listed["members"]] == [
        ("conv.tflite", "TFLite model", "tflite"),
        ("float.tflite", "TFLite model", "tflite"),
        ("labels.txt", "text", None),
    ]
    assert run(["show", str(task)]) == 0
    assert f"next: gs show {task}/conv.tflite" in capsys.readouterr().out


@pytest.mark.parametrize("separator", ["/", "!", "!/"])
def test_a_path_goes_on_behind_a_bundle(fixtures_dir: Path, task: Path, separator: str) -> None:
    model = read(f"{task}{separator}float.tflite")
    assert model.path == f"{task}/float.tflite"
    assert model.graph.op_counts == read(fixtures_dir / FLOAT).graph.op_counts
    assert model.num_bytes == (fixtures_dir / FLOAT).stat().st_size


@pytest.mark.parametrize(
    "words", ["find {} --op *", "inputs {}", "outputs {}", "weights {} --all", "check {}", "scan {}", "diff {} {}"]
)
def test_commands_that_read_take_it(task: Path, words: str) -> None:
    assert run(words.format(task / "float.tflite", task / "float.tflite").split()) == 0


def test_of_several_models_one_is_asked_for(task: Path) -> None:
    with pytest.raises(UsageError, match="holds 2 models"):
        read(task)
    with pytest.raises(GraphSurgeonError, match=r"'nix' is not in the bundle; it holds conv\.tflite, float\.tflite"):
        read(task / "nix")


def test_the_only_model_is_taken(fixtures_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "m.tflite.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(fixtures_dir / FLOAT, "deep/inside/model.tflite")
        archive.writestr("deep/labels.txt", "cat")
    model = read(path)
    assert model.path == f"{path}/deep/inside/model.tflite"
    assert model.notes[0] == f"deep/inside/model.tflite is the only model in {path}"


def test_an_edit_keeps_the_rest_and_its_alignment(task: Path, tmp_path: Path) -> None:
    name = first_input(task / "conv.tflite")
    out = tmp_path / "new.task"
    report = edit(task / "conv.tflite", [("rename", {"names": {name: LONG}})], output=out)
    assert (report.output, report.format) == (str(out), "tflite")
    before, after = members(task), members(out)
    assert list(after) == list(before)
    assert {key: after[key] for key in ("float.tflite", "labels.txt")} == {
        key: before[key] for key in ("float.tflite", "labels.txt")
    }
    old, new = data_offsets(task), data_offsets(out)
    assert [new[key] % 64 for key in new] == [old[key] % 64 for key in old]
    assert new["float.tflite"] > old["float.tflite"]
    assert first_input(out / "conv.tflite") == LONG
    assert first_input(task / "conv.tflite") == name


def test_an_edit_in_place_changes_the_bundle(task: Path) -> None:
    before = members(task)
    edit(task / "float.tflite", [("rename", {"names": {first_input(task / "float.tflite"): LONG}})], in_place=True)
    assert first_input(task / "float.tflite") == LONG
    assert members(task)["conv.tflite"] == before["conv.tflite"]


def test_an_edit_says_which_member_it_wrote(task: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = first_input(task / "conv.tflite")
    assert run(["rename", f"{task}/conv.tflite", f"{old}={LONG}", "-o", str(tmp_path / "new.task")]) == 0
    assert "new.task (TFLite model 'conv.tflite' in a bundle, " in capsys.readouterr().out.replace("\n", " ")


def test_an_edit_of_a_member_goes_out_as_a_file(task: Path, tmp_path: Path) -> None:
    name = first_input(task / "float.tflite")
    edit(task / "float.tflite", [("rename", {"names": {name: "q"}})], output=tmp_path / "out.tflite")
    assert first_input(tmp_path / "out.tflite") == "q"
    with pytest.raises(UsageError, match="the output is the model that is read"):
        edit(task / "float.tflite", [("rename", {"names": {name: "q"}})], output=task)
    (tmp_path / "other.task").write_bytes(b"no bundle")
    with pytest.raises(UsageError, match="already exists"):
        edit(task / "float.tflite", [("rename", {"names": {name: "q"}})], output=tmp_path / "other.task")
    with pytest.raises(UsageError, match="a member of a bundle is no output"):
        edit(task / "float.tflite", [("rename", {"names": {name: "q"}})], output=task / "other.tflite")
    with pytest.raises(UsageError, match="is no bundle"):
        edit(task / "float.tflite", [("rename", {"names": {name: "q"}})], output=tmp_path / "other.task", force=True)


def test_a_bundle_in_a_bundle(task: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer.task"
    outer.write_bytes(task_of({"face.task": task.read_bytes(), "z.txt": b"z"}))
    inner = outer / "face.task" / "float.tflite"
    out = tmp_path / "new.task"
    edit(inner, [("rename", {"names": {first_input(inner): LONG}})], output=out)
    assert first_input(out / "face.task/float.tflite") == LONG
    held = members(out)
    assert held["z.txt"] == b"z"
    (tmp_path / "inner.task").write_bytes(held["face.task"])
    assert members(tmp_path / "inner.task")["conv.tflite"] == members(task)["conv.tflite"]


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("is_streamed", [False, True])
def test_other_forms_of_zip(fixtures_dir: Path, tmp_path: Path, method: int, is_streamed: bool) -> None:
    """Written to a stream, sizes stand behind a member; of unknown size, in fields of ZIP64."""

    class Stream(io.BytesIO):
        def seekable(self) -> bool:
            return not is_streamed

        def tell(self) -> int:
            if is_streamed:
                raise OSError
            return super().tell()

    held = Stream()
    with zipfile.ZipFile(held, "w", method) as archive:
        for name in ("a.tflite", "b.tflite"):
            with archive.open(zipfile.ZipInfo(name), "w", force_zip64=True) as stream:
                stream.write((fixtures_dir / FLOAT).read_bytes())
    path, out = tmp_path / "m.zip", tmp_path / "n.zip"
    path.write_bytes(held.getvalue())
    edit(path / "a.tflite", [("rename", {"names": {first_input(path / "a.tflite"): LONG}})], output=out)
    assert members(out)["b.tflite"] == members(path)["b.tflite"]
    assert first_input(out / "a.tflite") == LONG


def test_a_saved_model_in_a_zip(fixtures_dir: Path, tmp_path: Path) -> None:
    folder = next(path.parent for path in sorted(fixtures_dir.glob("savedmodel/*/variables")))
    path = tmp_path / "m.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, Path("model") / file.relative_to(folder))
    model = read(path / "model")
    assert model.checkpoint is not None
    assert list(model.checkpoint.variables) == list(read(folder).checkpoint.variables)  # type: ignore[union-attr]
    assert read(path).path == f"{path}/model"


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_a_tar(fixtures_dir: Path, tmp_path: Path, form: int) -> None:
    path, out, long = tmp_path / "m.tar", tmp_path / "n.tar", "models/" + "x" * 90 + "/a.tflite"
    with tarfile.open(path, "w", format=form) as archive:
        archive.add(fixtures_dir / FLOAT, long)
        archive.add(fixtures_dir / CONV, "./conv.tflite")
    assert [member.name for member in read(path, listing=True).members] == [long, "conv.tflite"]
    edit(path / long, [("rename", {"names": {first_input(path / long): LONG}})], output=out)
    assert first_input(out / long) == LONG
    with tarfile.open(out) as archive:
        held = archive.extractfile("./conv.tflite")
        assert held is not None
        assert held.read() == (fixtures_dir / CONV).read_bytes()


def test_a_tar_that_is_packed(fixtures_dir: Path, tmp_path: Path) -> None:
    path, out = tmp_path / "m.tar.gz", tmp_path / "n.tar.gz"
    folder = fixtures_dir / "savedmodel/v1_functions"
    with tarfile.open(path, "w:gz") as archive:
        archive.add(folder, ".")
        archive.add(fixtures_dir / FLOAT, "a.tflite")
    path.write_bytes(path.read_bytes() + bytes(100))  # what lies behind is ignored, as by gzip
    model = read(path / "saved_model.pb")
    assert len(list(model.graph.nodes)) == len(list(read(folder).graph.nodes))
    edit(path / "a.tflite", [("rename", {"names": {first_input(path / "a.tflite"): LONG}})], output=out)
    assert first_input(out / "a.tflite") == LONG
    with tarfile.open(out) as archive:
        held = archive.extractfile("./saved_model.pb")
        assert held is not None
        assert held.read() == (folder / "saved_model.pb").read_bytes()


@pytest.mark.parametrize("tail", [b"", bytes(1000)])
def test_a_litertlm(fixtures_dir: Path, tmp_path: Path, tail: bytes) -> None:
    """Sections begin at multiples of 16,384; one that grows over the next moves the later ones."""
    tokens = bytes(range(200))
    model = (fixtures_dir / FLOAT).read_bytes()
    path, out = tmp_path / "m.litertlm", tmp_path / "n.litertlm"
    sections = [("tf_lite_prefill_decode", 3, model), ("tf_lite_embedder", 3, model), ("", 4, tokens)]
    path.write_bytes(litertlm_of(sections) + tail)
    told = read(path, listing=True).members
    assert [(member.name, member.what) for member in told] == [
        ("tf_lite_prefill_decode", "TFLite model"),
        ("tf_lite_embedder", "TFLite model"),
        ("sp_tokenizer", "SentencePiece tokenizer"),
    ]
    edit(path / "0", [("rename", {"names": {first_input(path / "0"): "x" * 20000}})], output=out)
    whole = out.read_bytes()
    assert whole[32768 + 16384 :].startswith(model)
    assert whole[65536 : 65536 + len(tokens)] == tokens
    assert len(whole) == 65536 + len(tokens) + len(tail)
    assert first_input(out / "tf_lite_prefill_decode") == "x" * 20000
    grown = whole[16384 : 16384 + read(out / "0").num_bytes]
    assert whole[:16384] == litertlm_of([(sections[0][0], 3, grown), *sections[1:]])[:16384]


def test_models_in_bundles_are_rows(task: Path, tmp_path: Path) -> None:
    assert run(["catalog", str(tmp_path), "-o", str(tmp_path / "rows.jsonl")]) == 0
    rows = [json.loads(line) for line in (tmp_path / "rows.jsonl").read_text("utf-8").splitlines()]
    assert [row["path"] for row in rows if "path" in row] == [f"{task}/conv.tflite", f"{task}/float.tflite"]


@pytest.mark.litert
def test_a_member_is_run_where_it_lies(task: Path, tmp_path: Path) -> None:
    from graphsurgeon.bridges.verify import verify

    out = tmp_path / "new.task"
    edit(task / "conv.tflite", [("rename", {"names": {first_input(task / "conv.tflite"): "q"}})], output=out)
    report = verify(task / "conv.tflite", out / "conv.tflite")
    assert report.agrees
    assert all(output.identical for output in report.outputs)


@pytest.mark.parametrize("folder", ["", "d/"])
@pytest.mark.parametrize("name", ["model.ckpt", "model.ckpt.index"])
def test_a_checkpoint_by_its_prefix(fixtures_dir: Path, tmp_path: Path, folder: str, name: str) -> None:
    source = fixtures_dir / "checkpoint/multi_shard"
    with zipfile.ZipFile(tmp_path / "c.zip", "w") as archive:
        for file in source.iterdir():
            archive.write(file, f"{folder}{file.name}")
    found, expected = read(tmp_path / "c.zip" / folder / name).checkpoint, read(source).checkpoint
    assert found is not None
    assert expected is not None
    for key, variable in expected.variables.items():
        assert bytes(found.variables[key].tensor.numpy()) == bytes(variable.tensor.numpy())
    assert not scan(tmp_path / "c.zip").findings
