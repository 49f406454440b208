"""Every reader proves itself by its writer: untouched bytes come back, a change and its undoing leave nothing."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.disk.files import tree_names
from graphsurgeon.errors import FileError
from graphsurgeon.formats import read, schema, write
from graphsurgeon.model.dtype import RESOURCE, STRING, VARIANT
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
KINDS = {"savedmodel", "graphdef", "metagraph", "checkpoint", "tflite"}
BOTH = FIXTURES / "graphdef" / "unfrozen"  # a graph and a checkpoint: of the folder neither is meant
MODELS = sorted({path for kind in KINDS for path in (FIXTURES / kind).iterdir()} - {BOTH} | {BOTH / "graph.pbtxt"})
MESSAGES = {"saved_model": "SavedModel", "graph_def": "GraphDef", "meta_graph": "MetaGraphDef"}


@pytest.fixture(autouse=True)
def no_sync(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hundreds of files are written here, and none of them has to outlast a power failure."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


def lift(model: Model) -> None:
    """Look at everything that can be looked at, so that all of it is lowered again."""
    for metagraph in model.metagraphs:
        list(metagraph.mentions())
        for graph in metagraph.graphs:
            for node in graph.nodes:
                dict(node.attrs)
    if model.checkpoint is not None:
        assert model.checkpoint.objects is None or model.checkpoint.objects.nodes


def target_of(model: Model, folder: Path) -> Path:
    """Where a copy goes: the name of the source, so that suffix and prefix are the same, if they say what it is."""
    if model.checkpoint is not None and model.format == "checkpoint":
        name = Path(model.checkpoint.prefix).name if not model.checkpoint.prefix.endswith("/") else ".index"
        return folder / name
    name = Path(model.path)
    suffixes = model.traits.suffixes
    if name.is_file() and not suffixes:  # the message of a SavedModel under some name
        return folder / name.stem
    is_known = name.is_dir() or not name.suffix or name.suffix in suffixes
    return folder / (name.name if is_known else f"{name.name}{min(suffixes)}")


def files_of(model: Model) -> dict[str, bytes]:
    path = Path(model.path)
    if path.is_dir() and model.format != "checkpoint":
        return {name: (path / name).read_bytes() for name in tree_names(path) if (path / name).is_file()}
    files = [Path(file) for file in model.files]
    return {file.name: file.read_bytes() for file in files}


def require_identical(path: Path, folder: Path) -> None:
    model = read(path)
    lift(model)
    if lacks_data(model):
        with pytest.raises(FileError, match="no such file"):
            write(model, target_of(model, folder))
        return
    write(model, target_of(model, folder))
    again = read(target_of(model, folder))
    if model.checkpoint is not None and model.checkpoint.version == 1 and model.format == "checkpoint":
        assert values_of(again) == values_of(model)  # a V1 checkpoint becomes a V2 one
    elif Path(again.path).name != Path(model.path).name:
        assert [*files_of(again).values()] == [*files_of(model).values()]
    else:
        assert files_of(again) == files_of(model)


def lacks_data(model: Model) -> bool:
    """Say whether this is an index whose data files are missing, which cannot be copied."""
    return model.format == "checkpoint" and any("missing" in note for note in model.notes)


def values_of(model: Model) -> dict[str, object]:
    assert model.checkpoint is not None
    return {
        key: (variable.tensor.dtype, variable.tensor.shape, data_of(variable.tensor))
        for key, variable in model.checkpoint.variables.items()
    }


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_an_untouched_model_is_copied_byte_for_byte(path: Path, tmp_path: Path) -> None:
    require_identical(path, tmp_path)


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_a_change_and_its_undoing_leave_the_content_as_it_was(path: Path, tmp_path: Path) -> None:
    require_equal_content(path, tmp_path)


def require_equal_content(path: Path, folder: Path) -> None:
    model = read(path)
    if is_fixed(model):
        return
    before = content_of(read(path))
    undo = change(model)
    first = target_of(model, folder / "first")
    write(model, first)
    assert content_of(read(first)) != before
    changed = read(first)
    undo(changed)
    second = target_of(model, folder / "second")
    write(changed, second)
    assert content_of(read(second)) == before


def is_fixed(model: Model) -> bool:
    """Say whether this is a checkpoint in which no key can be renamed."""
    checkpoint = model.checkpoint
    if model.format != "checkpoint" or checkpoint is None:
        return False
    return checkpoint.version == 1 or lacks_data(model) or not checkpoint.variables


def change(model: Model) -> Any:
    """Rename something deep inside; return what renames it back in a model that was read from the result."""
    if model.format == "checkpoint":
        assert model.checkpoint is not None
        key = next(iter(model.checkpoint.variables))
        model.checkpoint.rename({key: "another key"})
        return lambda other: other.checkpoint.rename({"another key": key})
    if model.format == "tflite":
        value = model.metagraphs[0].graph.values[-1]
        old, value.name = value.name, "another name"
        return lambda other: setattr(other.metagraphs[0].graph.values[-1], "name", old)
    number, graph = next((n, g) for n, g in enumerate(reversed(model.graphs)) if g.nodes)
    place, node = next((n, one) for n, one in enumerate(graph.nodes) if one.consumers or n == len(graph.nodes) - 1)
    name = node.name
    node.name = graph.unique_name("another_name")
    return lambda other: setattr(graph_at(other, number).nodes[place], "name", name)


def graph_at(model: Model, number: int) -> Graph:
    return list(reversed(model.graphs))[number]


def content_of(model: Model) -> object:
    """What a model says, apart from the order of bytes in its file."""
    if model.format == "checkpoint":
        return sorted(values_of(model).items())
    if model.format == "tflite":
        return [outline(graph) for graph in model.graphs]
    path = Path(model.path)
    if path.is_dir():
        path = next(path / name for name in ("saved_model.pb", "saved_model.pbtxt") if (path / name).exists())
    return parsed(path, MESSAGES[model.format])


def parsed(path: Path, name: str) -> object:
    """The message by protobuf's own parsers, every value in it, as canonical bytes: a NaN equals itself there."""
    from google.protobuf import text_format

    message = schema.message(f"tensorflow.{name}")()
    data = path.read_bytes()
    if path.suffix == ".pbtxt" or data.lstrip()[:4] in (b"node", b"meta", b"save"):
        text_format.Parse(data, message, descriptor_pool=schema.pool())
    else:
        message.ParseFromString(data)
    return message.SerializeToString(deterministic=True)


def outline(graph: Graph) -> object:
    tensors = [
        (value.name, value.dtype, value.shape, value.extra and value.extra.get("is_variable"), data_of(value.tensor))
        for value in graph.values
    ]
    nodes = [
        (node.op, [v.port for v in node.inputs], [v.port for v in node.outputs], [n for n, _ in node.attrs.items()])
        for node in graph.nodes
    ]
    ends = [value.port for value in graph.inputs], [output.value.port for output in graph.outputs]
    signatures = [
        (key, [(name, str(entry.mention)) for name, entry in (*item.inputs.items(), *item.outputs.items())])
        for key, item in graph.metagraph.signatures.items()
    ]
    return tensors, nodes, ends, signatures


def data_of(tensor: Tensor | None) -> object:
    if tensor is None or tensor.dtype in (RESOURCE, VARIANT):
        return None
    return tensor.source.strings() if tensor.dtype is STRING else tensor.tobytes()


def corpus_models(corpus: Path, folder: Path) -> list[tuple[Path, Path]]:
    with open(corpus / "MANIFEST.tsv", encoding="utf-8", newline="") as table:
        rows = list(csv.DictReader(table, delimiter="\t", quoting=csv.QUOTE_NONE))
    models = [corpus / row["path"] for row in rows if row["format"] in KINDS]
    return [(path, folder / str(number)) for number, path in enumerate(models)]


@pytest.mark.corpus
def test_real_models_are_copied_byte_for_byte(corpus: Path, tmp_path: Path) -> None:
    for path, folder in corpus_models(corpus, tmp_path):
        require_identical(path, folder)


@pytest.mark.corpus
def test_real_models_survive_a_change_and_its_undoing(corpus: Path, tmp_path: Path) -> None:
    for path, folder in corpus_models(corpus, tmp_path):
        model = read(path) if path.is_dir() or path.stat().st_size < 1 << 20 else None  # the large ones add nothing
        if model is not None and (any(graph.nodes for graph in model.graphs) or model.checkpoint is not None):
            require_equal_content(path, folder)
