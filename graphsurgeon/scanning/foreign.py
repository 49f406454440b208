"""Files that are no model of TensorFlow, and what they could do to whoever loads them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from graphsurgeon.disk.files import SourceFile, exists, is_folder, open_source
from graphsurgeon.formats import registry
from graphsurgeon.formats.recognise import locate
from graphsurgeon.formats.recognise.foreign import FOREIGN, error
from graphsurgeon.scanning import archives, keras, pickles
from graphsurgeon.scanning.finding import Threat

_MOST_BYTES = 1 << 30  # of a file that is looked through
# Weights, texts and pictures: there is nothing in them that runs.
_INERT = frozenset(
    """
    safetensors npy gguf ggml torch_index fingerprint events tfrecord label_map pipeline_config serving_config
    triton_config hugging_face_config op_list debug_info json xml parquet onnx_tensor
    mxnet_params paddle_params tfjs_weights hdf5_weights
    """.split()  # noqa: SIM905  # a table of words
)

# What somebody got instead of a model.
_NO_MODELS = frozenset({"json_error", "xml_error", "html", "lfs", "text", "image", "pdf", "notebook"})


def kind(path: Path) -> str | None:
    """Return what a file is that is looked at here; None for a model that is read, and for folders."""
    if is_folder(path) or not exists(path):
        return None
    source = open_source(path)
    found = locate.kind(source) if source.size else None
    if found in _LOOKS:
        return found
    is_read = registry.of_kind(found) is not None
    return found if found in FOREIGN and not is_read and found not in ("keras_metadata", "fingerprint") else None


def threats(path: Path, kind: str) -> Iterator[Threat]:
    """Yield what a file of another kind could do.

    Raises:
        FileError: it cannot be read.
        UnsupportedError: it is no model, nor anything that holds one.
    """
    if kind in _NO_MODELS:
        raise error(kind, path)
    source = open_source(path)
    look = _LOOKS.get(kind)
    if look is None:
        if kind not in _INERT:
            what = f"{FOREIGN[kind][0]}, which could not be looked into"
            yield Threat("medium", None, what, path.name, "unknown", None, "unseen")
        elif kind == "npy":
            yield from _array(source.read_at(0, min(source.size, _MOST_BYTES)), path.name)
        return
    if source.size > _MOST_BYTES:
        yield Threat("medium", None, "too large to be looked into", path.name, "unknown", None, "unseen")
        return
    yield from look(source, path.name)


def _keras(source: SourceFile, name: str) -> Iterator[Threat]:
    yield from keras.in_archive(source.whole().read())


def _hdf5(source: SourceFile, name: str) -> Iterator[Threat]:
    yield from keras.in_bytes(source.whole().read())


def _pickle(source: SourceFile, name: str) -> Iterator[Threat]:
    yield from pickles.threats(source.whole().read(), name)


def _zip(source: SourceFile, name: str) -> Iterator[Threat]:
    archive = archives.opened(source.whole().read())
    if archive is None:
        yield Threat(
            "medium", None, "an archive that could not be looked into: it is broken", name, "unknown", None, "unseen"
        )
        return
    yield from archives.threats(archive, name, (".pkl", ".npy", ".storage"))
    for member in archive.infolist():
        data = archives.content(archive, member) if member.filename.endswith((".pkl", ".npy")) else None
        where = f"{name} > {member.filename}"
        if data is not None:
            yield from pickles.threats(data, where) if member.filename.endswith(".pkl") else _array(data, where)
        elif member.filename.endswith((".pb", ".tflite", ".h5", ".keras")):
            what = "a model in an archive, which could not be looked into: unpack it"
            yield Threat("medium", None, what, where, "unknown", None, "unseen")


def _array(data: bytes, where: str) -> Iterator[Threat]:
    """Yield the pickle that a NumPy array of objects is."""
    if not data.startswith(b"\x93NUMPY") or len(data) < 12:
        return
    size, at = (
        (int.from_bytes(data[8:10], "little"), 10) if data[6] == 1 else (int.from_bytes(data[8:12], "little"), 12)
    )
    if b"|O" in data[at : at + size] or b"'O'" in data[at : at + size]:
        yield from pickles.threats(data[at + size :], where)


_LOOKS: dict[str, Callable[[SourceFile, str], Iterator[Threat]]] = {
    "keras": _keras,
    "keras_json": _hdf5,
    "hdf5_keras": _hdf5,
    "hdf5": _hdf5,
    "pickle": _pickle,
    "torch_legacy": _pickle,
    "torch": _zip,
    "torchscript": _zip,
    "npz": _zip,
    "zip": _zip,
    "zip_saved_model": _zip,
    "zip_tflite": _zip,
}
