"""What lies around graphs: links, archives, appended bytes, Keras configurations, pickles, other formats."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import stat
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest

from graphsurgeon.errors import FileError
from graphsurgeon.scanning.files import foreign, keras, pickles
from graphsurgeon.scanning.scan import scan
from tests.scanning.build import Made

TFLITE = "tflite/float.tflite"
ELF = b"\x7fELF\x02\x01\x01" + bytes(57)


def rows(path: Path) -> list[tuple[str, str | None, str, str | None]]:
    return [(t.severity, t.op, t.when, t.target) for t in scan(path).findings if t.severity != "info"]


def zipped(**members: bytes) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return data.getvalue()


# -- TFLite --------------------------------------------------------------------------------------------


@pytest.fixture
def tflite(fixtures_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(fixtures_dir / TFLITE, tmp_path / "m.tflite"))


def append(path: Path, data: bytes) -> Path:
    path.write_bytes(path.read_bytes() + data)
    return path


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"", []),
        (bytes(16), []),
        (ELF, ["high"]),
        (bytes(8) + ELF, ["high"]),
        (b"#!/bin/sh\nrm -rf /", ["high"]),
        (b"\x80\x04\x95\x10\0\0\0\0\0\0\0", ["high"]),
        (b"MZ" + bytes(62), ["high"]),
        (b"some text", []),
        (b"some text that is longer", ["medium"]),
        (zipped(**{"labels.txt": b"cat"}), []),
        (zipped(**{"../../evil.sh": b"x"}), ["high"]),
        (zipped(**{"/etc/cron": b"x"}), ["high"]),
        (zipped(**{"C:\\evil": b"x"}), ["high"]),
        (zipped(tool=ELF), ["high"]),
        (b"in front of an archive" + zipped(**{"labels.txt": b"cat"}), ["medium"]),
    ],
)
def test_what_lies_behind_a_model(tflite: Path, data: bytes, expected: list[str]) -> None:
    assert [row[0] for row in rows(append(tflite, data))] == expected


def test_a_link_in_an_archive_is_high(tflite: Path) -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        info = zipfile.ZipInfo("labels.txt")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert [row[0] for row in rows(append(tflite, data.getvalue()))] == ["high"]


def test_a_program_behind_any_fixture_is_found(fixtures_dir: Path, tmp_path: Path) -> None:
    for path in sorted((fixtures_dir / "tflite").glob("*.tflite")):
        if b"PK\x05\x06" not in path.read_bytes()[-100:]:
            Path(shutil.copy(path, tmp_path / path.name))
            assert "high" in [row[0] for row in rows(append(tmp_path / path.name, ELF))], path.name


def test_every_fixture_ends_where_it_ends(fixtures_dir: Path) -> None:
    for path in sorted((fixtures_dir / "tflite").glob("*.tflite")):
        assert not [t for t in scan(path).findings if t.kind == "appended"], path.name


# -- a SavedModel's folder -----------------------------------------------------------------------------


@pytest.fixture
def folder(fixtures_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fixtures_dir / "savedmodel/table_asset", tmp_path / "m"))


def test_a_linked_asset_is_read_from_elsewhere(folder: Path, tmp_path: Path) -> None:
    asset = folder / "assets/vocab.txt"
    outside = tmp_path / "secret"
    asset.rename(outside)
    asset.symlink_to(outside)
    found = rows(folder)
    assert ("critical", "InitializeTableFromTextFileV2", "load", str(outside)) in found


def test_linked_variables_are_read_from_elsewhere(folder: Path, tmp_path: Path) -> None:
    (folder / "variables").rename(tmp_path / "v")
    (folder / "variables").symlink_to(tmp_path / "v")
    assert rows(folder) == [("critical", None, "load", str(tmp_path / "v"))]


def test_programs_beside_a_model_are_told(folder: Path) -> None:
    (folder / "assets.extra").mkdir(exist_ok=True)
    (folder / "assets.extra/lib.so").write_bytes(ELF)
    (folder / "assets.extra/warm").write_bytes(b"some records")
    assert rows(folder) == [("medium", None, "unknown", None)]


def test_metadata_of_keras_is_looked_into(folder: Path) -> None:
    text = json.dumps(
        {"class_name": "Lambda", "config": {"name": "l", "function": ["4wE", None], "function_type": "lambda"}}
    )
    node = b"\x22" + bytes([len(text)]) if len(text) < 128 else b"\x22" + bytes([len(text) & 127 | 128, len(text) >> 7])
    node += text.encode()
    size = bytes([len(node) & 127 | 128, len(node) >> 7])
    (folder / "keras_metadata.pb").write_bytes(b"\x0a" + size + node)
    assert rows(folder) == [("high", "Lambda", "load", None)]


def test_metadata_of_keras_is_known_without_its_folder(fixtures_dir: Path, tmp_path: Path) -> None:
    path = tmp_path / "metadata"
    data = (fixtures_dir / "savedmodel/keras2_trained/keras_metadata.pb").read_bytes()
    path.write_bytes(data)
    assert rows(path) == []
    code = b'{"class_name": "Lambda", "config": {"name": "l", "function": ["4wE", null], "function_type": "lambda"}}'
    assert len(code) < 126
    path.write_bytes(data + bytes([0x0A, len(code) + 2, 0x2A, len(code)]) + code)
    assert rows(path) == [("high", "Lambda", "load", None)]


def reading(path: Path) -> Path:
    made = Made()
    made.signature("steal", {"y": made.read(made.text(b"/etc/passwd"))})
    return made.written(path)


def test_older_versions_are_looked_at_too(folder: Path, tmp_path: Path) -> None:
    shutil.move(folder, tmp_path / "served/7")
    reading(tmp_path / "served/3")
    (found,) = [t for t in scan(tmp_path / "served").findings if t.severity != "info"]
    assert (found.severity, found.op, found.where) == ("high", "ReadFile", "3 > steal > ReadFile")
    assert rows(tmp_path / "served/7") == []


def test_a_second_form_of_the_graph_is_looked_at_too(folder: Path, tmp_path: Path) -> None:
    from graphsurgeon import read, write

    text = tmp_path / "text"
    write(read(reading(tmp_path / "bad")), text, format="saved_model_pbtxt")
    shutil.copy(text / "saved_model.pbtxt", folder)
    assert [row[:2] for row in rows(folder)] == [("high", "ReadFile")]
    (folder / "saved_model.pbtxt").unlink()
    (folder / "saved_model.cpb").write_bytes(b"records")
    assert [row[:2] for row in rows(folder)] == [("medium", None)]


# -- Keras ---------------------------------------------------------------------------------------------

LAMBDA = {"class_name": "__lambda__", "config": {"code": "4wEAAAA=", "defaults": None, "closure": None}}


def layers(*inner: dict[str, object]) -> dict[str, object]:
    return {
        "module": "keras", "class_name": "Sequential", "registered_name": None,
        "config": {"name": "s", "layers": list(inner)},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"module": "keras.layers", "class_name": "Dense", "config": {"units": 1}, "registered_name": None}, []),
        ({"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": LAMBDA}}, ["high"]),
        ({"class_name": "Lambda", "config": {"function": ["4wE", None, None], "function_type": "lambda"}}, ["high"]),
        ({"class_name": "Lambda", "config": {"function": "relu", "function_type": "function"}}, ["medium"]),
        ({"module": "subprocess", "class_name": "run", "config": {"args": ["id"]}}, ["critical"]),
        ({"module": "keras.utils", "class_name": "function", "config": "get_file"}, ["high"]),
        ({"module": None, "class_name": "Mine", "registered_name": "pkg>Mine", "config": {}}, ["medium"]),
        ({"module": "keras.layers", "class_name": "StringLookup", "config": {"vocabulary": "/etc/passwd"}}, ["high"]),
        ({"module": "keras.layers", "class_name": "X", "config": {"a": "file:///etc/passwd"}}, ["high"]),
        (
            {"module": "keras.layers", "class_name": "X", "config": {"a": json.dumps({"class_name": "__lambda__"})}},
            ["high"],
        ),
    ],
)
def test_configurations(config: dict[str, object], expected: list[str], tmp_path: Path) -> None:
    text = json.dumps(layers(config))
    path = tmp_path / "m.keras"
    path.write_bytes(zipped(**{"metadata.json": b"{}", "config.json": text.encode(), "model.weights.h5": b"x"}))
    assert [row[0] for row in rows(path)] == expected
    in_hdf5 = b"\x89HDF\r\n\x1a\n" + bytes(40) + b"model_config\0" + text.encode() + b"\0" * 40
    assert sorted({t.severity for t in keras.in_bytes(in_hdf5)}) == sorted(set(expected))


def test_a_lambda_with_an_escaped_name_is_found() -> None:
    text = rb'{"class_name": "\u004cambda", "config": {"function_type": "lambda", "function": ["4wE"]}}'
    assert [t.severity for t in keras.in_bytes(b"x" * 9 + text)] == ["high"]
    assert [t.severity for t in keras.in_bytes(b'{"class_name": "Lambda", cut')] == ["high"]


def test_a_real_hdf5_file(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        inner = {"class_name": "Lambda", "config": {"function": ["4wE", None, None], "function_type": "lambda"}}
        file.attrs["model_config"] = json.dumps(layers(inner, *[{"class_name": "Dense", "config": {}}] * 3000))
    assert rows(tmp_path / "m.h5") == [("high", "Lambda", "load", None)]


def test_a_damaged_configuration_takes_no_time_without_end() -> None:
    data = b'{"a": {"class_name": "Lambda", "b": ' * 20_000
    found = list(keras.in_bytes(data))
    assert {threat.severity for threat in found} == {"high", "medium"}
    large = json.dumps(
        layers(*[{"class_name": "Dense", "config": {"name": "x" * 90}}] * 5000, {"class_name": "__lambda__"})
    )
    assert [threat.severity for threat in keras.in_bytes(b"\0" * 9 + large.encode() + b"\0")] == ["high"]


def test_an_archive_without_a_configuration_could_not_be_looked_into(tmp_path: Path) -> None:
    path = tmp_path / "m.keras"
    path.write_bytes(zipped(**{"metadata.json": b"{}", "config.json": b"{", "model.weights.h5": b"x"}))
    assert rows(path) == [("medium", None, "load", None)]


# -- pickles -------------------------------------------------------------------------------------------


def pickled(module: str, name: str) -> bytes:
    return b"\x80\x02c" + module.encode() + b"\n" + name.encode() + b"\n)R."


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (pickled("os", "system"), [("critical", "os system")]),
        (pickled("builtins", "eval"), [("critical", "builtins eval")]),
        (pickled("mypackage", "Model"), [("high", "mypackage Model")]),
        (pickled("collections", "OrderedDict"), [("info", None)]),
        (pickled("torch._utils", "_rebuild_tensor_v2"), [("info", None)]),
        (b"\x80\x04\x8c\x02os\x8c\x06system\x93)R.", [("critical", "os system")]),
        (pickled("os", "system")[:-2], [("critical", "os system"), ("medium", None)]),
    ],
)
def test_pickles_are_read_and_not_loaded(data: bytes, expected: list[object]) -> None:
    assert [(threat.severity, threat.target) for threat in pickles.threats(data, "p")] == expected


def test_pickles_in_files(tmp_path: Path) -> None:
    (tmp_path / "a.pkl").write_bytes(pickled("os", "system"))
    assert rows(tmp_path / "a.pkl") == [("critical", None, "load", "os system")]
    (tmp_path / "t.pt").write_bytes(zipped(**{"m/data.pkl": pickled("os", "system"), "m/data/0": b"x" * 8}))
    assert rows(tmp_path / "t.pt") == [("critical", None, "load", "os system")]
    np.savez(tmp_path / "ok.npz", a=np.ones(3))
    assert rows(tmp_path / "ok.npz") == []
    header = b"{'descr': '|O', 'fortran_order': False, 'shape': (1,), }".ljust(117) + b"\n"
    array = b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header + pickled("os", "system")
    (tmp_path / "bad.npz").write_bytes(zipped(**{"a.npy": array}))
    assert rows(tmp_path / "bad.npz") == [("critical", None, "load", "os system")]


def test_models_in_archives_are_looked_into(fixtures_dir: Path, tmp_path: Path) -> None:
    made = Made("graph_def")
    made.read(made.text(b"/etc/passwd"))
    bad = made.written(tmp_path / "bad.pb").read_bytes()
    good = (fixtures_dir / TFLITE).read_bytes()
    (tmp_path / "a.task").write_bytes(zipped(**{"detector.tflite": good}))
    assert rows(tmp_path / "a.task") == []
    inner = zipped(**{"x.pb": bad})
    (tmp_path / "b.zip").write_bytes(
        zipped(**{"m/x.pb": bad, "m/../../y.tflite": good, "z.pb": inner, "w.pb": b"\xff"})
    )
    found = [(t.severity, t.op, t.where) for t in scan(tmp_path / "b.zip").findings if t.severity != "info"]
    assert ("high", "ReadFile", "b.zip > m/x.pb > ReadFile") in found
    assert [row[0] for row in found] == ["high", "high", "medium"]  # z.pb is an archive with what x.pb has


def packed(path: Path, data: bytes) -> Path:
    path.write_bytes(gzip.compress(data, mtime=0))
    return path


def test_what_gzip_has_packed_is_looked_into(fixtures_dir: Path, tmp_path: Path) -> None:
    made = Made("graph_def")
    made.read(made.text(b"/etc/passwd"))
    bad = made.written(tmp_path / "bad.pb").read_bytes()
    found = [threat for threat in scan(packed(tmp_path / "m.pb.gz", bad)).findings if threat.severity != "info"]
    assert [(t.severity, t.op, t.where) for t in found] == [("high", "ReadFile", "m.pb.gz > m.pb > ReadFile")]
    assert rows(packed(tmp_path / "m.tflite.gz", (fixtures_dir / TFLITE).read_bytes())) == []
    assert rows(packed(tmp_path / "p.pkl.gz", b"cos\nsystem\n(S'ls'\ntR.")) == [("critical", None, "load", "os system")]
    assert rows(packed(tmp_path / "twice.gz", gzip.compress(bad))) == [("high", "ReadFile", "unknown", "/etc/passwd")]


def test_what_gzip_has_packed_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    deep = bytes(100)
    for _ in range(6):
        deep = gzip.compress(deep)
    whole = gzip.compress(bytes(100_000))
    for data in (deep, whole[:-20], gzip.compress(b"no model"), gzip.compress(b"")):
        (tmp_path / "f.gz").write_bytes(data)
        assert rows(tmp_path / "f.gz") == [("medium", None, "unknown", None)]
    monkeypatch.setattr(foreign, "_MOST_MEMBER", 50_000)
    (tmp_path / "f.gz").write_bytes(whole)
    assert "unpack to more than 50,000" in scan(tmp_path / "f.gz").findings[0].what


def test_what_is_not_read_is_told(tmp_path: Path) -> None:
    (tmp_path / "frozen.pb.xz").write_bytes(b"\xfd7zXZ\0" + bytes(40))
    assert rows(tmp_path / "frozen.pb.xz") == [("medium", None, "unknown", None)]


def test_variables_of_strings_are_looked_into(fixtures_dir: Path, tmp_path: Path) -> None:
    from graphsurgeon.formats.graph.graphbytes import metagraph_of
    from graphsurgeon.model.dtype import STRING
    from graphsurgeon.model.tensor import Tensor
    from graphsurgeon.scanning.flow.variables import _in_tensor

    tensor = Tensor.of(STRING, [2], [b"a word", pickled("os", "system")])
    assert [t.severity for t in _in_tensor("v", tensor, metagraph_of)] == ["medium"]
    made = Made("graph_def")
    made.read(made.text(b"/etc/passwd"))
    from tests.scanning.build import graph_bytes

    assert [t.what for t in _in_tensor("v", Tensor.of(STRING, [], [graph_bytes(made)]), metagraph_of)] == [
        "holds a graph in a variable"
    ]


# -- checkpoints ---------------------------------------------------------------------------------------


@pytest.fixture
def checkpoint(fixtures_dir: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(fixtures_dir / "checkpoint/multi_shard", tmp_path / "c"))


@pytest.mark.parametrize("name", ["model.ckpt.data-00001-of-00002", "model.ckpt.index", "checkpoint"])
def test_a_linked_file_of_a_checkpoint_is_read_from_elsewhere(checkpoint: Path, tmp_path: Path, name: str) -> None:
    (checkpoint / name).rename(tmp_path / name)
    (checkpoint / name).symlink_to(tmp_path / name)
    assert rows(checkpoint) == [("critical", None, "load", str(tmp_path / name))]


def test_a_linked_shard_is_told_of_a_prefix_and_of_a_graph_with_variables(fixtures_dir: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(fixtures_dir / "metagraph/face_resnet", tmp_path / "m"))
    shard = "model-1.data-00000-of-00001"
    (folder / shard).rename(tmp_path / shard)
    (folder / shard).symlink_to(tmp_path / shard)
    for path in (folder, folder / "model-1", folder / "model-1.meta"):
        assert rows(path) == [("critical", None, "load", str(tmp_path / shard))]


def test_other_links_in_the_folder_of_a_checkpoint(checkpoint: Path, tmp_path: Path) -> None:
    (checkpoint / "notes").symlink_to(tmp_path / "nothing")
    (checkpoint / "within").symlink_to(checkpoint / "model.ckpt.index")
    assert rows(checkpoint) == [("medium", None, "unknown", str(tmp_path / "nothing"))]
    assert rows(checkpoint / "model.ckpt") == []


@pytest.mark.parametrize("named", ["{}/other/model.ckpt", "../other/model.ckpt", "within/../../other/model.ckpt"])
def test_a_state_file_that_names_a_checkpoint_elsewhere(checkpoint: Path, tmp_path: Path, named: str) -> None:
    shutil.copytree(checkpoint, tmp_path / "other")
    (checkpoint / "within").mkdir()
    (checkpoint / "checkpoint").write_text(f'model_checkpoint_path: "{named.format(tmp_path)}"\n')
    expected = [("critical", None, "load", str(tmp_path / "other/model.ckpt"))]
    assert rows(checkpoint) == expected
    for part in checkpoint.glob("model.ckpt.*"):
        part.unlink()
    assert rows(checkpoint) == expected  # also where nothing else is there


@pytest.mark.parametrize(
    "named", ["model.ckpt", "{}/c/model.ckpt", "../c/model.ckpt", "/home/someone/train/model.ckpt", "/"]
)
def test_a_state_file_that_names_what_is_here_or_was_moved(checkpoint: Path, tmp_path: Path, named: str) -> None:
    (checkpoint / "checkpoint").write_text(f'model_checkpoint_path: "{named.format(tmp_path)}"\n')
    assert rows(checkpoint) == []


def test_a_damaged_checkpoint_without_links_stays_an_error(checkpoint: Path) -> None:
    (checkpoint / "model.ckpt.index").write_bytes(b"")
    with pytest.raises(FileError):
        scan(checkpoint)
