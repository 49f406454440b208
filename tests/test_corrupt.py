"""Damaged files: truncated, with flipped bits, with bytes put in. The answer is right, or one line says what is wrong.

A bounded, seeded number of damages per model, so that the suite stays quick; GRAPHSURGEON_DAMAGES raises it.
"""

from __future__ import annotations

import os
import random
import shutil
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from graphsurgeon.analysis.summary import summarize
from graphsurgeon.checks.check import check
from graphsurgeon.errors import FileError, FormatError, UnsupportedError, UsageError
from graphsurgeon.formats import read
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor
from tests.work import bounded

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
KINDS = ("savedmodel", "graphdef", "metagraph", "checkpoint", "tflite")
MODELS = sorted(path for kind in KINDS for path in (FIXTURES / kind).iterdir())
DAMAGES = int(os.environ.get("GRAPHSURGEON_DAMAGES", "2"))  # per file of a model, the kinds of damage by turns
STEPS = 4_000_000  # calls (and returns) that looking at a damaged file may take

Damage = Callable[[bytearray, random.Random], None]


def truncate(data: bytearray, source: random.Random) -> None:
    del data[source.randrange(1, len(data)) :]


def flip(data: bytearray, source: random.Random) -> None:
    for _ in range(source.choice([1, 1, 2, 8])):
        data[source.randrange(min(len(data), source.choice([40, 400, 1 << 20])))] ^= 1 << source.randrange(8)


def insert(data: bytearray, source: random.Random) -> None:
    start, at = source.randrange(len(data)), source.randrange(len(data))
    data[at:at] = data[start : start + source.randrange(1, 64)]


def overwrite(data: bytearray, source: random.Random) -> None:
    at = source.randrange(len(data))
    data[at : at + 6] = bytes([source.choice([0, 127, 128, 255])]) * 6


KINDS_OF_DAMAGE: tuple[Damage, ...] = (truncate, insert, flip, overwrite)


def files_of(model: Path) -> Iterator[Path]:
    """The files of a model that hold structure: not its shards, whose bytes are values only."""
    inner = [path for path in sorted(model.rglob("*")) if path.is_file()] if model.is_dir() else [model]
    for path in inner:
        if ".data-" not in path.name and path.parent.name != "assets" and path.stat().st_size > 1:
            yield path


def look_at_everything(path: Path) -> None:
    """What the commands do, on whatever can be read; only errors of ours may come out."""
    model = read(path)
    for look in (summarize, check, lift, look_at_values):
        with suppress(FileError, UnsupportedError):
            look(model)


def lift(model: Model) -> None:
    for metagraph in model.metagraphs:
        list(metagraph.mentions())
        for graph in metagraph.graphs:
            for node in graph.nodes:
                node.output_dtypes()
                list(node.function_refs)


def look_at_values(model: Model) -> None:
    tensors: list[object] = [value.tensor for graph in model.graphs for value in graph.values]
    tensors += [item for graph in model.graphs for node in graph for item in node.attrs.values()]
    if model.checkpoint is not None:
        assert model.checkpoint.objects is None or model.checkpoint.objects.nodes is not None
        tensors += [variable.tensor for variable in model.checkpoint.variables.values()]
    for tensor in tensors:
        if isinstance(tensor, Tensor) and tensor.nbytes < 1 << 16:
            with suppress(FileError):
                tensor.items()


@pytest.mark.parametrize("model", MODELS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_damage_gives_an_answer_or_one_line(model: Path, tmp_path: Path) -> None:
    source = random.Random(model.name)
    for number, file in enumerate(files_of(model)):
        folder = tmp_path / str(number)
        copy = folder / model.name
        if model.is_dir():
            shutil.copytree(model, copy)
        else:
            folder.mkdir()
        place = copy / file.relative_to(model) if model.is_dir() else copy
        first = source.randrange(len(KINDS_OF_DAMAGE))
        for turn in range(first, first + DAMAGES):
            data = bytearray(file.read_bytes())
            KINDS_OF_DAMAGE[turn % len(KINDS_OF_DAMAGE)](data, source)
            place.write_bytes(data)
            require_an_answer(copy)


def require_an_answer(path: Path) -> bool:
    """Say whether the file gave an answer; anything but an answer or one line of ours fails the test."""
    told = ""
    try:
        with bounded(STEPS):
            look_at_everything(path)
    except (FileError, UnsupportedError, UsageError) as error:
        told = str(error)  # UsageError: a folder whose only model cannot be recognised any more
    assert len(told.splitlines()) <= 1
    return not told


@pytest.mark.parametrize("name", ["linear", "v1_text"])
def test_a_flip_in_a_name_still_gives_an_answer(name: str, tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "savedmodel" / name, tmp_path / "model")
    file = next((tmp_path / "model").glob("saved_model.pb*"))
    data = file.read_bytes()
    at = data.index(b"serving_default")
    file.write_bytes(data[:at] + b"S" + data[at + 1 :])
    signatures = read(tmp_path / "model").metagraphs[0].signatures
    assert len(signatures) == len(read(FIXTURES / "savedmodel" / name).metagraphs[0].signatures)


def test_a_flip_in_the_weights_changes_only_a_value(tmp_path: Path) -> None:
    original = FIXTURES / "graphdef" / "cnn.pb"
    data = bytearray(original.read_bytes())
    constant = max(
        (node.attrs["value"] for node in read(original).metagraphs[0].graph.nodes if node.op == "Const"),
        key=lambda tensor: tensor.nbytes,  # type: ignore[union-attr]
    )
    assert isinstance(constant, Tensor)
    data[bytes(data).index(constant.tobytes()) + 1] ^= 0x10
    (tmp_path / "model.pb").write_bytes(data)
    assert check(read(tmp_path / "model.pb")) == []
    summaries = [summarize(read(path)).graphs for path in (original, tmp_path / "model.pb")]
    assert summaries[0] == summaries[1]


HOSTILE = sorted(path for path in (FIXTURES / "hostile").iterdir() if path.name not in ("foreign", "misnamed"))


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.name)
def test_hostile_files(path: Path) -> None:
    require_an_answer(path)


@pytest.mark.parametrize("name", ["truncated.pb", "truncated.meta", "truncated.tflite", "truncated_saved_model"])
def test_a_truncated_model_is_damaged_not_unknown(name: str) -> None:
    with pytest.raises(FormatError) as error:
        read(FIXTURES / "hostile" / name)
    assert error.value.exit_code == 3
    assert not isinstance(error.value, UnsupportedError)
