"""Finding the model that a path stands for, and naming what is of another format."""

from __future__ import annotations

import csv
import itertools
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.disk.files import open_source
from graphsurgeon.encoding.protowire import encode_varint
from graphsurgeon.errors import FileError, FormatError, GraphSurgeonError, UnsupportedError, UsageError
from graphsurgeon.formats import read, registry, schema
from graphsurgeon.formats.recognise import locate as detect
from graphsurgeon.formats.recognise import protobufs

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FOREIGN = {
    "caffe2_net.pbtxt": "caffe2",
    "deploy.prototxt": "caffe_text",
    "frozen.pb.gz": "gzip",
    "keras.h5": "hdf5_keras",
    "labelmap.pbtxt": "label_map",
    "mmdnn_ir.pb": "mmdnn",
    "model.keras": "keras",
    "net-0000.params": "mxnet_params",
    "net-symbol.json": "mxnet_symbol",
    "net.caffemodel": "caffemodel",
    "openvino.xml": "openvino",
    "ops.pbtxt": "op_list",
    "picture.pb": "image",
    "torch_legacy.pth": "torch_legacy",
    "torchscript.pt": "torchscript",
    "chunked/saved_model.cpb": "chunked",
}
# Formats of other frameworks that are read.
READ = {
    "model.onnx": "onnx",
    "model.safetensors": "safetensors",
    "weights.npz": "npz",
    "tfjs/model.json": "tfjs_graph",
}
MISNAMED = {
    "graph_as.tflite": ("graph_def", False),
    "index_as.ckpt": ("checkpoint", False),
    "meta_as.pb": ("meta_graph", False),
    "no_suffix": ("graph_def", False),
    "saved_model_as_frozen.pb": ("saved_model", False),
    "text_as.pb": ("graph_def", True),
    "tflite_as.pb": ("tflite", False),
}
# Bytes by hand, of formats that no fixture has.
MAGIC = {
    "events": bytes.fromhex("18000000000000 00a37f4b22".replace(" ", ""))
    + b"\x09\0\0\x80\x99\xf2\x12\xd7\x41\x1a\x0dbrain.Event:2"
    + bytes(4),
    "gguf": b"GGUF\x03\0\0\0" + bytes(32),
    "npy": b"\x93NUMPY\x01\0v\0{'descr': '<f4', 'fortran_order': False, 'shape': (3,), }\n" + bytes(12),
    "7z": b"7z\xbc\xaf\x27\x1c\0\x04" + bytes(30),
    "xz": b"\xfd7zXZ\0\0\x04" + bytes(30),
    "pickle": b"\x80\x04\x95\x0b\0\0\0\0\0\0\0}\x94\x8c\x01a\x94K\x01s.",
    "hdf5": bytes(512) + b"\x89HDF\r\n\x1a\n" + bytes(100),
    "lfs": b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n",
    "html": b"\n<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>",
    "xml": b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>",
    "program": b"import tensorflow as tf\n\nprint(tf.__version__)\n",
    "utf16": b"\xff\xfe" + 'node { name: "x" }'.encode("utf-16-le"),
    "keras_json": b'{"class_name": "Functional", "config": {"name": "model"}}',
    "hugging_face_config": b'{"architectures": ["BertModel"], "hidden_size": 768}',
    "mediapipe": b'input_stream: "video"\nnode {\n  calculator: "FlowLimiter"\n}\n',
    "serving_config": b'model_config_list {\n config { name: "m" base_path: "/models/m" }\n}\n',
    "coreml": b"\x08\x05" + b"\x12\x0c\x0a\x0a\x0a\x05image\x1a\x01x" + b"\xa2\x1f\x02\x0a\x00",
    "uff": b"\x08\x01\x10\x01\x22\x04\x0a\x02xx",
    "caffemodel": b"\x0a\x03net\xa2\x06\x0b\x0a\x04conv\x12\x03Con",
    "fingerprint": b"\x08\x96\x01\x10\x02\x18\x03\x20\x04\x28\x05\x32\x02\x08\x01",
    "tensorrt": b"ptrt\x01\0\0\0" + bytes(20),
    "onnx_tensor": b"\x08\x03\x10\x01\x42\x01x\x4a\x0c" + bytes(12),
    "paddle": b"\x0a\x10\x08\x00\x10\xff\x01\x1a\x09\x0a\x04feed\x12\x01x",
    "paddle_params": bytes(16) + b"\x04\0\0\0\x08\x05\x10\x02" + bytes(8),
    "debug_info": b"\x0a\x0b/src/net.py\x12\x05\x0a\x03a@b",
    "utf16le": 'node { name: "x" }'.encode("utf-16-le"),
    "utf16be": 'node { name: "x" }'.encode("utf-16-be"),
    "utf32": 'node { name: "x" }'.encode("utf-32"),
    "zip_tflite": b"PK\x03\x04" + bytes(22) + b"\x08\0\0\0m.tflite",
    "elf": b"MZ\x90\0" + bytes(60),
    "ort": b"\x20\0\0\0ORTM" + bytes(40),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_files_of_other_formats_are_named(name: str) -> None:
    path = FIXTURES / "hostile" / "foreign" / name
    assert detect.kind(open_source(path)) == FOREIGN[name]
    _named_or_read(path, FOREIGN[name])


def _named_or_read(path: Path, kind: str) -> None:
    """Expect the error that names a format that is only recognised; of one that is read, a model or its own error."""
    record = registry.of_kind(kind)
    if record is None:
        with pytest.raises(UnsupportedError, match="this is "):
            read(path)
        return
    with suppress(FormatError):  # these files are heads of models
        assert read(path, listing=True).traits == record


@pytest.mark.parametrize("name", READ)
def test_files_of_other_frameworks_that_are_read(name: str) -> None:
    path = FIXTURES / "hostile" / "foreign" / name
    assert detect.kind(open_source(path)) == READ[name]
    assert read(path).format == READ[name]


def test_an_onnx_model_with_maker_and_opsets(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"\x08\x07\x12\x07pytorch\x3a\x04\x0a\x02xy\x42\x02\x10\x0b")
    assert detect.kind(open_source(tmp_path / "model")) == "onnx"


def test_an_onnx_model_without_maker_and_opsets(tmp_path: Path) -> None:
    (tmp_path / "model").write_bytes(b"\x08\x07\x3a\x04\x0a\x02xy")
    assert detect.kind(open_source(tmp_path / "model")) == "onnx"


@pytest.mark.parametrize("key", MAGIC)
def test_bytes_of_other_formats_are_named(tmp_path: Path, key: str) -> None:
    (tmp_path / "model.pb").write_bytes(MAGIC[key])
    assert detect.kind(open_source(tmp_path / "model.pb")) == key
    _named_or_read(tmp_path / "model.pb", key)


@pytest.mark.parametrize("name", MISNAMED)
def test_a_suffix_says_nothing(name: str) -> None:
    location = detect.locate(FIXTURES / "hostile" / "misnamed" / name)
    assert (location.format, location.is_text) == MISNAMED[name]


# The smallest message of each kind, by field numbers of the .proto files.
MESSAGES = {
    b"\x0a\x0a\x0a\x01x\x12\x05Const": "graph_def",
    b"\x12\x0c\x0a\x0a\x0a\x08\x0a\x01f\x1a\x01y": "graph_def",  # a library alone
    b"\x22\x02\x08\x1b": "graph_def",  # versions alone
    b"\x0a\x07\x22\x05serve\x12\x0c\x0a\x0a\x0a\x01x\x12\x05Const": "meta_graph",
    b"\x12\x0c\x0a\x0a\x0a\x01x\x12\x05Const": "meta_graph",  # without MetaInfoDef
    b"\x08\x01\x12\x09\x0a\x07\x22\x05serve": "saved_model",
    b"\x12\x09\x0a\x07\x22\x05serve": "saved_model",  # without the version of its schema
}


@pytest.mark.parametrize("data", MESSAGES, ids=lambda data: data.hex())
def test_messages_are_told_apart_by_structure(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model").write_bytes(data)
    assert detect.kind(open_source(tmp_path / "model")) == MESSAGES[data]


TEXTS = {
    "# a comment\nnode { name: 'x' op: 'Const' }": "graph_def",
    "node: < name: 'x' op: 'Const' >": "graph_def",
    "versions { producer: 27 }": "graph_def",
    "\ufeffnode { name: 'meta_graphs { ' op: 'x' }": "graph_def",
    "meta_info_def { tags: 'serve' } graph_def { node { name: 'x' op: 'Const' } }": "meta_graph",
    "saved_model_schema_version: 1 meta_graphs { graph_def { node { name: 'x' op: 'y' } } }": "saved_model",
    'model_checkpoint_path: "model-1"\nall_model_checkpoint_paths: "model-1"': "checkpoint_state",
    "hello, world": "text",
    "[net]\nbatch=64\n": "text",
    "model: a\nlayers:\n  - type: conv\n": "text",
    '[{"a": 1}]': "json",
    '<?xml version="1.0"?><!DOCTYPE html><html lang="en">': "html",
    "title: none\nwe met and { spoke }": "text_proto",
    "": None,
}


@pytest.mark.parametrize("text", TEXTS)
def test_texts_are_told_apart_by_field_names(tmp_path: Path, text: str) -> None:
    (tmp_path / "model").write_text(text, encoding="utf-8")
    assert detect.kind(open_source(tmp_path / "model")) == TEXTS[text]


@pytest.mark.parametrize("name", ["empty.pb", "zeros.pb", "crlf_damaged.pb", "text_damaged.pb", "text_damaged.tflite"])
def test_damage_is_a_format_error_that_says_what_happened(name: str) -> None:
    with pytest.raises(FormatError, match=r"empty|zeros|line feed|text conversion"):
        read(FIXTURES / "hostile" / name)


def test_recoding_as_utf8_is_recognised(tmp_path: Path) -> None:
    data = (FIXTURES / "graphdef" / "cnn.pb").read_bytes()
    (tmp_path / "model.pb").write_bytes(data.decode("latin-1").encode("utf-8"))
    with pytest.raises(FormatError, match="recoded as UTF-8"):
        read(tmp_path / "model.pb")


@pytest.fixture
def graph(tmp_path: Path) -> Path:
    return Path(shutil.copy(FIXTURES / "graphdef" / "linear.pb", tmp_path / "a.pb"))


def test_the_only_model_of_a_folder(graph: Path) -> None:
    (graph.parent / "README.md").write_text("words")
    (graph.parent / ".a.pb.gs-0123abcd").write_bytes(graph.read_bytes())
    (graph.parent / "labels.txt").write_text("cat\ndog\n")
    location = detect.locate(graph.parent)
    assert (location.format, location.path) == ("graph_def", graph)
    assert "a.pb" in location.notes[0]


def test_several_models_in_a_folder(graph: Path) -> None:
    shutil.copy(graph, graph.with_name("b c.pb"))
    with pytest.raises(UsageError, match="2 models") as error:
        detect.locate(graph.parent)
    assert f"{graph} '{graph.with_name('b c.pb')}'" in error.value.hint


def test_a_folder_without_a_model(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no model"):
        detect.locate(tmp_path)
    shutil.copytree(FIXTURES / "savedmodel" / "linear", tmp_path / "inner")
    with pytest.raises(UsageError) as error:
        detect.locate(tmp_path)
    assert str(tmp_path / "inner") in error.value.hint


def test_a_folder_with_a_model_of_another_format(tmp_path: Path) -> None:
    shutil.copy(FIXTURES / "hostile" / "foreign" / "torchscript.pt", tmp_path)
    with pytest.raises(UnsupportedError, match="TorchScript"):
        detect.locate(tmp_path)


def test_versions(tmp_path: Path) -> None:
    for version in ("9", "12", "2"):
        shutil.copytree(FIXTURES / "savedmodel" / "linear", tmp_path / version)
    assert detect.locate(tmp_path).path == tmp_path / "12"
    (tmp_path / "100").mkdir()
    location = detect.locate(tmp_path)
    assert location.path == tmp_path / "12"
    assert "100 does not" in location.notes[0]


def test_a_saved_model_by_its_protobuf(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "savedmodel" / "linear", tmp_path / "model")
    assert detect.locate(tmp_path / "model" / "saved_model.pb").path == tmp_path / "model"


def test_a_checkpoint_by_any_of_its_names() -> None:
    folder = FIXTURES / "metagraph" / "face_resnet"
    for name in ("model-1", "model-1.index", "model-1.data-00000-of-00001", "checkpoint"):
        assert detect.locate(folder / name).format == "checkpoint"
    assert detect.locate(folder / "model-1.meta").format == "meta_graph"


def test_a_folder_of_a_checkpoint_and_its_graph_is_a_model(tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "metagraph" / "face_resnet", tmp_path / "run")
    shutil.copyfile(FIXTURES / "graphdef" / "linear.pbtxt", folder / "graph.pbtxt")  # as an Estimator writes it
    for suffix in (".meta", ".index", ".data-00000-of-00001"):
        shutil.copyfile(folder / f"model-1{suffix}", folder / f"model-0{suffix}")
    location = detect.locate(folder)
    assert (location.format, location.path) == ("meta_graph", folder / "model-1.meta")
    assert "here too: model-0" in location.notes[1]
    assert str(folder / "model-1") in location.notes[0]


@pytest.mark.parametrize("other", ["tflite/float.tflite", "graphdef/linear.pb", "hostile/foreign/model.onnx"])
def test_a_checkpoint_beside_another_model_is_ambiguous(other: str, tmp_path: Path) -> None:
    folder = shutil.copytree(FIXTURES / "metagraph" / "face_resnet", tmp_path / "run")
    shutil.copy(FIXTURES / other, folder)
    with pytest.raises(UsageError, match="a checkpoint and 1 other model") as error:
        detect.locate(folder)
    assert "model-1.meta" in error.value.hint
    assert Path(other).name in error.value.hint


def test_a_missing_file_gets_suggestions(graph: Path) -> None:
    with pytest.raises(FileError, match="no such file") as error:
        detect.locate(graph.with_name("a.bp"))
    assert str(graph) in error.value.hint
    with pytest.raises(FileError, match=r"^s3:/bucket/model: no such file or folder; give an address as a text"):
        detect.locate(Path("s3://bucket/model"))


def test_a_missing_folder_after_a_kill_is_found(tmp_path: Path) -> None:
    (tmp_path / ".model.gs-0123abcd").mkdir()
    (tmp_path / ".model.gs-0123abcd.old").mkdir()
    with pytest.raises(FileError) as error:
        detect.locate(tmp_path / "model")
    assert ".model.gs-0123abcd.old" in error.value.hint
    assert "complete version" in error.value.hint


CORPUS_FORMATS: dict[str, object] = {
    "savedmodel": "saved_model",
    "graphdef": "graph_def",
    "metagraph": "meta_graph",
    "checkpoint": "checkpoint",
    "tflite": "tflite",
    "tflite-bad": FormatError,
    "onnx": "onnx",
    "onnxtxt": "onnx",
    "keras": "keras",
    "mxnet-symbol": "mxnet",
    "mxnet-params": "mxnet",
    "caffe-prototxt": "caffe",
    "caffemodel": "caffe",
}


@pytest.mark.corpus
def test_the_whole_collection(corpus: Path) -> None:
    wrong = []
    with open(corpus / "MANIFEST.tsv", encoding="utf-8", newline="") as table:
        for row in csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE):
            is_caffe2 = "/caffe2Models/" in row["path"]  # no model of TensorFlow, says the table
            expected = "caffe2" if is_caffe2 else CORPUS_FORMATS.get(row["format"], UnsupportedError)
            if row["format"] == "tfjs":
                is_graph = any("GraphDef-as-JSON" in (cell or "") for cell in row.values())
                layers = "tfjs_weights" if "manifest" in row["path"] else "tfjs_layers"
                expected = "tfjs_graph" if is_graph else layers
            found: object
            try:
                found = detect.locate(corpus / row["path"]).format
            except GraphSurgeonError as error:
                found = type(error)
            if found not in (expected if isinstance(expected, tuple) else (expected,)):
                wrong.append((row["path"], row["format"], found))
    assert wrong == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Not Found", "this is plain text, which begins 'Not Found'; fetch the file again"),
        ("\n \n", "nothing but white space"),
        ("a\tb\x1b[1m\nc", r"begins 'a\\tb\\x1b\[1m';"),
    ],
)
def test_text_is_quoted(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "model.pb").write_text(text)
    with pytest.raises(FormatError, match=message):
        read(tmp_path / "model.pb")


FOLDERS = {
    "Core ML package": ["Manifest.json", "Data/com.apple.CoreML/model.mlmodel"],
    "compiled Core ML": ["coremldata.bin", "model.mil"],
    "Orbax": ["manifest.ocdbt", "_METADATA"],
}


@pytest.mark.parametrize("what", FOLDERS)
def test_folders_of_other_formats_are_named(tmp_path: Path, what: str) -> None:
    for name in FOLDERS[what]:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"{}")
    with pytest.raises(UnsupportedError, match=f"this is an? {what}"):
        read(tmp_path)


def test_a_saved_model_without_its_graph(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "savedmodel" / "linear" / "variables", tmp_path / "variables")
    with pytest.raises(
        FileError, match=r"without its saved_model\.pb; its variables can be read: give .*variables\.index"
    ):
        read(tmp_path)


@pytest.mark.parametrize("name", ["graphdef/face_detector.pb", "tflite/float.tflite"])
def test_what_is_cut_off_says_what_to_do(name: str, tmp_path: Path) -> None:
    whole = (FIXTURES / name).read_bytes()
    cut = tmp_path / Path(name).name
    cut.write_bytes(whole[: len(whole) // 3])
    with pytest.raises(FormatError) as found:
        read(cut).metagraphs[0].graph.nodes  # noqa: B018
    assert found.value.hint == "fetch or write it again"


def small_graphs() -> Iterator[tuple[str, Any]]:
    """Yield the smallest messages of each format that holds graphs: of nothing, of one node, of a library alone."""
    graphs = []
    for op, version, library in itertools.product(
        ("", "NoOp", "__inference_<lambda>_7", "f:0 of 'x'"), (None, 0, 24), ("", "none", "function", "gradient")
    ):
        graph = schema.message("tensorflow.GraphDef")()
        if op:
            node = graph.node.add(name="a", op=op)
            node.attr["T"].type = 1
        if version is not None:
            graph.versions.producer = version
            graph.versions.SetInParent()
        if library:
            graph.library.SetInParent()
        if library == "function":
            graph.library.function.add().signature.name = "f"
        if library == "gradient":
            graph.library.gradient.add(function_name="f", gradient_func="g")
        graphs.append(graph)
    for graph in graphs:
        if graph.ByteSize():
            yield "graph_def", graph
        meta = schema.message("tensorflow.MetaGraphDef")(graph_def=graph)
        if graph.node or graph.versions.producer:
            yield "meta_graph", meta
        meta.meta_info_def.tensorflow_version = "2.21.0"
        meta.meta_info_def.tags.append("serve")
        yield "meta_graph", meta
        yield "saved_model", schema.message("tensorflow.SavedModel")(saved_model_schema_version=1, meta_graphs=[meta])


def test_the_smallest_graphs_are_told_apart() -> None:
    for format, message in small_graphs():
        assert protobufs.kind(memoryview(message.SerializeToString(deterministic=True))) == format, message


def _field(number: int, value: bytes) -> bytes:
    return encode_varint(number << 3 | 2) + encode_varint(len(value)) + value


def _saved_object(number: int, path: bytes, identifier: bytes = b"_tf_keras_layer", metadata: bytes = b"{}") -> bytes:
    """Return an object of SavedMetadata (`keras/protobuf/saved_metadata.proto`); the number 0 is not stored."""
    start = b"\x10" + encode_varint(number) if number else b""
    versions = _field(6, b"\x08\x02\x10\x01\x18\x02")
    return _field(1, start + _field(3, path) + _field(4, identifier) + _field(5, metadata) + versions)


def kind_of(data: bytes, path: Path) -> str | None:
    path.write_bytes(data)
    return detect.kind(open_source(path))


def test_metadata_of_keras_that_begins_with_any_object(tmp_path: Path) -> None:
    root, layer = _saved_object(0, b"root"), _saved_object(7, b"root.layer-0")
    of_somebody = _saved_object(0, b"", b"_my_own_layer", b'{"class_name": "Mine"}')
    for data in (root, layer + root, root + layer * 60, of_somebody, _saved_object(3, b"x" * 100), (root + layer)[:-9]):
        assert kind_of(data, tmp_path / "f.pb") == "keras_metadata"


@pytest.mark.parametrize(
    ("name", "rest"),
    [
        ("tensorflow.MetaGraphDef", _field(2, _field(1, _field(1, b"a") + _field(2, b"WriteFile")))),
        ("tensorflow.GraphDef", _field(1, _field(1, b"a") + _field(2, b"WriteFile"))),
        ("tensorflow.GraphDef", _field(1, _field(3, b"root") * 60 + _field(2, b"WriteFile"))),
    ],
)
def test_a_graph_behind_objects_of_keras_is_not_passed_over(name: str, rest: bytes, tmp_path: Path) -> None:
    data = _saved_object(0, b"", metadata=b"{|") * 50 + rest  # a group that begins and ends, where that is a message
    assert b"WriteFile" in str(schema.message(name).FromString(data)).encode()  # what TensorFlow would take it for
    assert kind_of(data, tmp_path / "f.pb") != "keras_metadata"


def test_a_metagraph_of_a_version_alone_is_no_metadata(tmp_path: Path) -> None:
    meta = schema.message("tensorflow.MetaGraphDef")()
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.tensorflow_version = "2.21.0"
    assert kind_of(meta.SerializeToString(), tmp_path / "f.pb") == "meta_graph"
