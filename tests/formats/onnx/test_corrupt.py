"""Damaged files of other frameworks: the answer is right, or one line says what is wrong."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.formats.onnx import models
from tests.formats.onnx.test_read import branching
from tests.formats.tfjs.test_graph import constant, save, weight
from tests.test_corrupt import flip, insert, overwrite, require_an_answer, truncate

DAMAGES = 12  # of each kind, per file


def dense(folder: Path) -> Path:
    return models.save(folder, models.dense())


def bodies(folder: Path) -> Path:
    return models.save(folder, branching())


def text(folder: Path) -> Path:
    (folder / "model.onnxtxt").write_text(str(models.dense()))
    return folder / "model.onnxtxt"


def arrays(folder: Path) -> Path:
    np.savez_compressed(folder / "a.npz", w=np.arange(50.0), s=np.array(["a", "bc"]), f=np.asfortranarray(np.eye(3)))
    return folder / "a.npz"


def safetensors(folder: Path) -> Path:
    header = (
        b'{"w":{"dtype":"F32","shape":[4],"data_offsets":[0,16]},"v":{"dtype":"F4","shape":[2],"data_offsets":[16,17]}}'
    )
    (folder / "a.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(17))
    return folder / "a.safetensors"


def tfjs(folder: Path) -> Path:
    group = {"paths": ["a.bin"], "weights": [weight("w", [2, 2]), weight("s", [1], "string")]}
    save(folder, [constant("w"), constant("s", "DT_STRING")], [group], {"a.bin": bytes(16) + b"\2\0\0\0ab"})
    return folder / "model.json"


@pytest.mark.parametrize("make", [dense, bodies, text, arrays, safetensors, tfjs], ids=lambda make: make.__name__)
@pytest.mark.parametrize("damage", [truncate, flip, insert, overwrite], ids=lambda damage: damage.__name__)
def test_damage_gives_an_answer_or_one_line(
    make: Callable[[Path], Path], damage: Callable[[bytearray, random.Random], None], tmp_path: Path
) -> None:
    path = make(tmp_path)
    whole = path.read_bytes()
    source = random.Random(f"{make.__name__} {damage.__name__}")
    for _ in range(DAMAGES):
        data = bytearray(whole)
        damage(data, source)
        path.write_bytes(data)
        require_an_answer(path)


def test_bodies_in_bodies_end(tmp_path: Path) -> None:
    """protobuf allows a hundred messages in each other: 25 graphs of four each."""
    inner = models.graph([models.node("Relu", ["x"], ["y"])], [], [models.value("y", [1])])
    for _ in range(23):
        loop = models.node("If", ["c"], ["y"], attribute=[models.body("then_branch", inner)])
        inner = models.graph([loop], [], [models.value("y", [1])])
    path = models.save(tmp_path, models.model(inner))
    assert require_an_answer(path)


def test_one_name_for_thousands_of_nodes_with_bodies(tmp_path: Path) -> None:
    body = models.graph([], [], [])
    nodes = [
        models.node("If", ["c"], [f"y{i}"], "n", attribute=[models.body("then_branch", body)]) for i in range(2000)
    ]
    assert require_an_answer(models.save(tmp_path, models.model(models.graph(nodes, [models.value("c", [], 9)], []))))
