"""Files that are not read here, named for what they are, with the way to something that is.

Recognition is by content. `kind` gives a key of `FOREIGN`, `error` the message. A format that is added later
takes its line out of the table.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path

from graphsurgeon.disk import crc32c
from graphsurgeon.disk.bundles.gzips import is_gzipped_tar
from graphsurgeon.disk.files import SourceFile
from graphsurgeon.errors import FileError, FormatError, GraphSurgeonError, UnsupportedError
from graphsurgeon.formats.recognise.routes import route_of
from graphsurgeon.formats.savedmodel import parts

_UNPACK = "unpack it and give what is inside"
_TORCH = "export it to ONNX and from there to TensorFlow, or convert it with ai-edge-torch"
_AGAIN = "fetch the file again"
_NOT_A_MODEL = "give the model itself"

# key -> what it is, what to do: where that is empty, `routes` has the way on
FOREIGN: dict[str, tuple[str, str]] = {
    "hdf5": ("an HDF5 file, but not one of Keras", "read it with h5py"),
    "onnx_json": ("an ONNX model in JSON form", "in Python: onnx.save(onnx.load(FILE, format='json'), 'model.onnx')"),
    "ort": ("an ONNX Runtime model (.ort)", ""),
    "torchscript": ("a TorchScript archive", ""),
    "torch": ("a PyTorch checkpoint (zip)", ""),
    "torch_legacy": ("a PyTorch checkpoint (legacy pickle)", ""),
    "executorch": ("an ExecuTorch program", ""),
    "pickle": ("a Python pickle", "it is not opened, because unpickling runs code"),
    "chunked": (
        "a chunked SavedModel (saved_model.cpb, riegeli records)",
        "no released TensorFlow loads one: export the model again without experimental_image_format",
    ),
    "coreml": ("a Core ML model", ""),
    "coreml_package": ("a Core ML package", ""),
    "coreml_compiled": ("a compiled Core ML model", ""),
    "paddle": ("a PaddlePaddle program", ""),
    "paddle_params": ("PaddlePaddle parameters", ""),
    "rknn": ("an RKNN model", "give the model that it was converted from"),
    "orbax": ("an Orbax checkpoint (JAX)", ""),
    "onnx_tensor": ("an ONNX tensor, such as test data", _NOT_A_MODEL),
    "debug_info": ("the debug information of a SavedModel", "give the folder it lies in"),
    "openvino": ("an OpenVINO IR", ""),
    "tensorrt": ("a TensorRT engine", ""),
    "uff": ("a UFF model of TensorRT", ""),
    "ncnn": ("an ncnn parameter file", "give the model that it was converted from"),
    "mlir": ("an MLIR module", "give the model that it was converted from"),
    "circle": ("a Circle model (ONE)", "give the TFLite model that it was converted from"),
    "gguf": ("a GGUF model", "it holds weights for llama.cpp and no graph"),
    "ggml": ("a GGML model", "it holds weights for llama.cpp and no graph"),
    "npy": ("a NumPy array (.npy)", "it holds an array and no graph; read it with numpy.load"),
    "mediapipe": ("a MediaPipe graph", "give one of the .tflite models that it names"),
    "op_list": ("a list of op definitions, not a graph", _NOT_A_MODEL),
    "label_map": ("a label map of the Object Detection API", _NOT_A_MODEL),
    "pipeline_config": ("a pipeline configuration of the Object Detection API", _NOT_A_MODEL),
    "serving_config": ("a model list of TensorFlow Serving", "give one of the folders that it names"),
    "triton_config": ("a model configuration of the Triton server", "give the model beside it"),
    "fingerprint": ("the fingerprint of a SavedModel", "give the folder it lies in"),
    "keras_metadata": ("the Keras metadata of a SavedModel", "give the folder it lies in"),
    "hub_module": ("the marker of a TensorFlow Hub module", "give the folder it lies in"),
    "graph_json": ("a graph in JSON form", "give the .pb or .pbtxt that it was made from"),
    "hugging_face_config": ("a Hugging Face configuration", "give the folder with a SavedModel, or the .tflite"),
    "text_proto": ("a protobuf in text form, but no model of TensorFlow", _NOT_A_MODEL),
    "json": ("JSON, but no model that is known here", _NOT_A_MODEL),
    "json_error": ("a JSON message of a server, not a model", _AGAIN),
    "notebook": ("a Jupyter notebook", _NOT_A_MODEL),
    "events": ("a TensorBoard event file", "give the model that wrote it"),
    "tfrecord": ("a TFRecord file: data, not a model", _NOT_A_MODEL),
    "lfs": ("a Git LFS pointer, not the file itself", "run `git lfs pull` where it was cloned"),
    "html": ("a web page, perhaps the error or login page of a download", _AGAIN),
    "xml": ("an XML document, perhaps the error message of a file server", _AGAIN),
    "program": ("a program text", _NOT_A_MODEL),
    "utf16": ("text in UTF-16", "convert it: iconv -f UTF-16 -t UTF-8"),
    "utf16le": ("text in UTF-16", "convert it: iconv -f UTF-16LE -t UTF-8"),
    "utf16be": ("text in UTF-16", "convert it: iconv -f UTF-16BE -t UTF-8"),
    "utf32": ("text in UTF-32", "convert it: iconv -f UTF-32 -t UTF-8"),
    "gzip": ("a gzip archive", _UNPACK),
    "bzip2": ("a bzip2 archive", _UNPACK),
    "xz": ("an xz archive", _UNPACK),
    "7z": ("a 7-Zip archive", _UNPACK),
    "zstd": ("a Zstandard archive", _UNPACK),
    "rar": ("a RAR archive", _UNPACK),
    "elf": ("a program or shared library", _NOT_A_MODEL),
    "image": ("a picture", _NOT_A_MODEL),
    "pdf": ("a PDF document", _NOT_A_MODEL),
    "sqlite": ("an SQLite database", _NOT_A_MODEL),
    "parquet": ("a Parquet table", _NOT_A_MODEL),
}

_RIEGELI = bytes.fromhex("83af70d10d884a3f")
_TORCH_LEGACY = bytes.fromhex("8a0a6cfc9c46f920")  # torch.serialization.MAGIC_NUMBER as a pickled long
_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, _RIEGELI, "chunked"),
    (0, b"\x1f\x8b", "gzip"),
    (0, b"BZh", "bzip2"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"7z\xbc\xaf\x27\x1c", "7z"),
    (0, b"\x28\xb5\x2f\xfd", "zstd"),
    (0, b"Rar!\x1a\x07", "rar"),
    (257, b"ustar", "tar"),
    (0, b"\x93NUMPY", "npy"),
    (0, b"GGUF", "gguf"),
    (0, b"lmgg", "ggml"),
    (0, b"tjgg", "ggml"),
    (0, b"\x12\x01\0\0\0\0\0\0", "mxnet_params"),
    (0, b"ptrt", "tensorrt"),
    (0, b"ftrt", "tensorrt"),
    (4, b"ORTM", "ort"),
    (4, b"ET12", "executorch"),
    (4, b"CIR0", "circle"),
    (0, b"ML\xefR", "mlir_bytecode"),
    (0, b"\x7fELF", "elf"),
    (0, b"\x89PNG", "image"),
    (0, b"\xff\xd8\xff", "image"),
    (0, b"GIF8", "image"),
    (0, b"%PDF-", "pdf"),
    (0, b"SQLite format 3\0", "sqlite"),
    (0, b"PAR1", "parquet"),
    (0, b"LITERTLM", "litertlm"),
    (0, b"MZ\x90\0", "elf"),
    (0, b"\xcf\xfa\xed\xfe", "elf"),
    (0, b"\0asm", "elf"),
    (0, b"RKNN", "rknn"),
    (0, b"\xff\xfe\0\0", "utf32"),
    (0, b"\0\0\xfe\xff", "utf32"),
    (0, b"\xff\xfe", "utf16"),
    (0, b"\xfe\xff", "utf16"),
)
_HEAD = 64 << 10  # bytes in which every mark lies
_MOST_ZEROS = 64 + 4
_ZIP64_END = 76  # bytes between a directory and its end in archives of more than 4 GB
_ZIP_TAIL = 256 << 10  # bytes that hold the end of a ZIP's directory: a comment is 64 KiB at most


def kind(file: SourceFile) -> str | None:
    """Name a binary file that is not of our formats by its magic bytes, None if it has none. Reads its head."""
    head = file.read_at(0, min(file.size, _HEAD))
    for offset, magic, found in _MAGIC:
        if head.startswith(magic, offset):
            return "tar.gz" if found == "gzip" and is_gzipped_tar(file) else found
    for test in (_hdf5, _zip, _pickle, _safetensors, _records, _wide_text, _paddle_params):
        result = test(file, head)
        if result is not None:
            return result
    return None


def folder_kind(names: Sequence[str]) -> str | None:
    """Name a folder that is a model of another format by what lies in it; None if it is none."""
    return next((found for marks, found in _FOLDERS if marks.issubset(names)), None)


_FOLDERS: tuple[tuple[frozenset[str], str], ...] = (
    (frozenset({"Manifest.json", "Data"}), "coreml_package"),
    (frozenset({"coremldata.bin"}), "coreml_compiled"),
    (frozenset({"manifest.ocdbt"}), "orbax"),
    (frozenset({"_CHECKPOINT_METADATA"}), "orbax"),
)


def error(key: str, path: Path) -> GraphSurgeonError:
    """Return the error that names a file for what it is."""
    what, hint = FOREIGN[key]
    route = route_of(key)
    hint = hint if route is None else route.told
    return UnsupportedError(f"this is {what}, which gs does not read", path=path, hint=hint)


def text_error(file: SourceFile) -> FormatError:
    """Return the error for a text that is no model, with its beginning: it may be what a server answered."""
    text = file.read_at(0, min(file.size, 400)).decode("utf-8", "replace").strip()
    if not text:
        return FormatError("the file holds nothing but white space", path=file.path, hint=_AGAIN)
    begins = f", which begins {text.splitlines()[0][:60]!r}"
    return FormatError(f"not a model: this is plain text{begins}", path=file.path, hint=_AGAIN)


def _hdf5(file: SourceFile, head: bytes) -> str | None:
    signature = b"\x89HDF\r\n\x1a\n"
    if not any(head.startswith(signature, offset) for offset in (0, 512, 1024, 2048)):
        return None
    parts = [head, file.read_at(max(0, file.size - _HEAD), min(file.size, _HEAD))]
    start = b"".join(parts)
    if b"model_config" in start:
        return "hdf5_keras"
    is_keras_3 = b"vars\0" in start and b"layers\0" in start
    return "hdf5_weights" if is_keras_3 or b"layer_names" in start or b"weight_names" in start else "hdf5"


def _zip(file: SourceFile, head: bytes) -> str | None:
    # MediaPipe's writer of tasks puts zeros before the first member, too.
    if head[:_MOST_ZEROS].lstrip(b"\0")[:4] not in (b"PK\x03\x04", b"PK\x05\x06"):
        return None
    tail = file.read_at(max(0, file.size - _ZIP_TAIL), min(file.size, _ZIP_TAIL))
    names = _zip_names(_directory(tail), b"PK\x01\x02", 28, 46) or _zip_names(head, b"PK\x03\x04", 26, 30)
    for found, matches in _ZIP_CONTENTS:
        if any(map(matches, names)):
            return found
    return "npz" if names and all(name.endswith(".npy") for name in names) else "zip"


_ZIP_CONTENTS: tuple[tuple[str, Callable[[str], bool]], ...] = (
    ("keras", lambda name: name in ("model.weights.h5", "metadata.json")),
    ("torchscript", lambda name: name.split("/")[-1] == "constants.pkl" or "/code/" in name),
    ("torch", lambda name: name.split("/")[-1] == "data.pkl"),
    ("zip_saved_model", lambda name: name.split("/")[-1] in parts.ENTRIES),
    ("coreml_package", lambda name: name.endswith(".mlmodel")),
    ("zip_tflite", lambda name: name.endswith(".tflite")),
)


def _directory(tail: bytes) -> bytes:
    """Return what the end of a ZIP holds of its directory: an archive among its members has one too."""
    end = tail.rfind(b"PK\x05\x06")
    size = int.from_bytes(tail[end + 12 : end + 16], "little") if end >= 0 else len(tail)
    return tail[max(0, end - size - _ZIP64_END) : end] if size < len(tail) else tail


def _zip_names(data: bytes, signature: bytes, length_at: int, name_at: int) -> list[str]:
    """Return the names that the headers of one kind give, without trusting their order or sizes."""
    names = []
    at = data.find(signature)
    while at >= 0:
        length = int.from_bytes(data[at + length_at : at + length_at + 2], "little")
        names.append(data[at + name_at : at + name_at + length].decode("utf-8", "replace"))
        at = data.find(signature, at + 4)
    return names


def _pickle(file: SourceFile, head: bytes) -> str | None:
    if not (len(head) > 2 and head[0] == 0x80 and 2 <= head[1] <= 5):
        return None
    if head.startswith(_TORCH_LEGACY, 2):
        return "torch_legacy"
    is_pickle = file.read_at(file.size - 1, 1) == b"." or head[2:3] in (b"\x95", b"c", b"}", b"]", b"(")
    return "pickle" if is_pickle else None


def _safetensors(file: SourceFile, head: bytes) -> str | None:
    length = int.from_bytes(head[:8], "little")
    return "safetensors" if head[8:9] == b"{" and 2 <= length <= file.size - 8 and b'"dtype"' in head else None


def _records(file: SourceFile, head: bytes) -> str | None:
    """Records of TensorBoard and of training data: a length with its checksum, then the bytes."""
    if len(head) < 16 or int.from_bytes(head[:8], "little") > file.size - 16:
        return None
    if crc32c.mask(crc32c.crc32c(head[:8])) != int.from_bytes(head[8:12], "little"):
        return None
    return "events" if re.search(rb"brain\.Event:\d", head[12:80]) else "tfrecord"


def _wide_text(file: SourceFile, head: bytes) -> str | None:
    """Text in UTF-16 without a mark in front, of a script that needs one byte a sign: every other byte is zero."""
    even, odd = head[:400:2], head[1:400:2]
    if len(odd) < 8 or not {*even, *odd} - {0}:
        return None
    if not any(odd) and even.isascii() and 0 not in even:
        return "utf16le"
    return "utf16be" if not any(even) and odd.isascii() and 0 not in odd else None


def _paddle_params(file: SourceFile, head: bytes) -> str | None:
    """Tensors of PaddlePaddle: version, levels, version (all 0), then a description that says its length and type."""
    if len(head) < 26 or any(head[:16]):
        return None
    return "paddle_params" if 2 <= int.from_bytes(head[16:20], "little") <= 64 and head[20:21] == b"\x08" else None


def damage(file: SourceFile) -> str:
    """Say how a file that cannot be read was probably damaged on its way; empty if nothing shows. Reads up to 4 MiB."""
    try:
        data = file.read_at(0, min(file.size, 4 << 20))
    except FileError:
        return ""
    if not data.strip(b"\0"):
        return "it holds zeros only, as an interrupted download or copy leaves it; fetch it again"
    binary = sum(data.count(code) for code in (b"\0", b"\1", b"\2", b"\x08")) > len(data) // 200
    if data.count(b"\xef\xbf\xbd") > max(3, len(data) // 1000):
        return (
            "it went through a text conversion (bytes EF BF BD stand for lost ones); copy the original in binary mode"
        )
    if not binary:
        return ""
    high = len(data) - len(data.translate(None, bytes(range(128, 256))))
    if high > 64 and _is_utf8(data):
        return "each byte above 127 was recoded as UTF-8; copy the original in binary mode"
    ends = data.count(b"\n")
    if ends > 2 and data.count(b"\r\n") == ends:
        return "each line feed was turned into CR LF (a text-mode transfer); copy the original in binary mode"
    return ""


def _is_utf8(data: bytes) -> bool:
    try:
        data[: len(data) - 4].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start >= len(data) - 8
    return True
