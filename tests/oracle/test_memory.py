"""The arena that is computed, beside the one that LiteRT's interpreter lays out: the extent of its tensors."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.analysis.costs.arena import arena_of
from graphsurgeon.analysis.costs.run_shapes import RunShapes
from tests.oracle.litert_arena import addresses
from tests.oracle.places import FIXTURES

pytestmark = pytest.mark.litert

# floats with patches (`im2col`), integers, weights that are unpacked, results in the place of inputs, scalars
MODELS = ["cnn_float", "cnn_int8", "cnn_float16", "composite", "odd_names", "old_codes"]


@pytest.mark.parametrize("name", MODELS)
def test_the_arena_is_as_large_and_most_tensors_lie_where_they_do(name: str) -> None:
    path: Path = FIXTURES / "tflite" / f"{name}.tflite"
    (metagraph,) = read(path).metagraphs
    arena = arena_of(metagraph.graph, RunShapes(metagraph))
    assert not arena.dynamic
    tensors = {int(block.value.port): block for block in arena.blocks if block.value is not None}
    found = addresses(path, tensors)
    start = min(address for address, _ in found.values())
    end = max(address + size for address, size in found.values())
    assert arena.size == end - start
    assert all(found[number][1] == block.size for number, block in tensors.items())
    same = sum(found[number][0] - start == block.offset for number, block in tensors.items())
    assert same >= len(tensors) - 1  # of what is as large LiteRT's order is not defined
