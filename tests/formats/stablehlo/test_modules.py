"""StableHLO modules against what jaxlib says of them (`fixtures/stablehlo/facts.json`), and bytes that lie."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.cli import app
from graphsurgeon.errors import FileError, FormatError, UnsupportedError
from graphsurgeon.formats import read
from graphsurgeon.formats.stablehlo.lift import lift, op_name
from graphsurgeon.formats.stablehlo.ops import Module, ModuleOperation
from graphsurgeon.model.graph import FunctionRef, Graph
from graphsurgeon.model.shape import Shape
from tests.work import bounded

FOLDER = Path(__file__).resolve().parents[3] / "fixtures" / "stablehlo"
FACTS: dict[str, Any] = json.loads((FOLDER / "facts.json").read_text("utf-8"))


def data_of(name: str) -> bytes:
    return (FOLDER / f"{name}.mlirbc").read_bytes()


def preorder(operations: list[ModuleOperation]) -> Iterator[ModuleOperation]:
    for operation in operations:
        yield operation
        for block in (block for region in operation.regions for block in region):
            yield from preorder(block.operations)


@pytest.mark.parametrize("name", FACTS)
def test_ops_and_edges(name: str) -> None:
    module, *inner = preorder(Module(data_of(name)).top)
    assert module.name == "builtin.module"
    places = {id(operation): number for number, operation in enumerate(inner)}
    found = [
        [op.name, [[places[id(v.producer)] if v.producer is not None else -1, v.number] for v in op.operands]]
        for op in inner
    ]
    assert found == FACTS[name]


@pytest.mark.parametrize("name", FACTS)
def test_the_graphs_have_every_op(name: str) -> None:
    metagraph = lift(data_of(name))
    count = sum(len(graph) for graph in metagraph.graphs)
    functions = sum(op_name(fact[0]) == "func.func" for fact in FACTS[name])
    assert count == len(FACTS[name]) - functions


def test_a_dense_layer() -> None:
    """`tanh(x @ W + 1)`, W known."""
    graph = read(FOLDER / "dense.mlirbc").graph
    (x,) = graph.inputs
    assert (x.name, str(x.dtype), x.shape) == ("%arg0", "float32", Shape([2, 4]))
    assert {"stablehlo.dot_general", "stablehlo.add", "stablehlo.tanh", "func.return"} <= graph.op_counts.keys()
    constants = [value.tensor for value in graph.values if value.tensor is not None]
    (weights,) = [tensor for tensor in constants if tensor.shape == Shape([4, 5])]
    assert weights.items() == [number / 8 for number in range(20)]
    assert [output.value.shape for output in graph.outputs] == [Shape([2, 5])]
    tanh = next(node for node in graph.nodes if node.op == "stablehlo.tanh")
    assert tanh.name.endswith("tanh")
    assert tanh.inputs[0].producer is not None
    assert tanh.inputs[0].producer.op == "stablehlo.add"


def test_regions_see_what_is_outside() -> None:
    metagraph = lift(data_of("control"))
    loop = next(node for node in metagraph.graph.nodes if node.op == "stablehlo.while")
    regions = [ref.graph for ref in loop.attrs.values() if isinstance(ref, FunctionRef)]
    assert len(regions) == 2
    body = regions[1]
    assert isinstance(body, Graph)
    assert len(body.inputs) == len(loop.inputs) == len(loop.outputs)
    outside = [value.extra["outer"] for value in body.values if value.extra and "outer" in value.extra]
    assert all(value.graph is metagraph.graph for value in outside)


def test_truths_are_packed_to_bits() -> None:
    tensors = [value.tensor for graph in lift(data_of("many")).graphs for value in graph.values]
    (flags,) = [tensor for tensor in tensors if tensor is not None and tensor.dtype.name == "bool"]
    assert flags.items() == [True, False, True] * 4


def test_which_version_it_needs() -> None:
    assert lift(data_of("control_0.9.0")).producer["needs"] == "0.9.0"
    producer = lift(data_of("many")).producer
    assert (producer["needs"], producer["needed_by"]) == ("1.14.0", "composite_v2")
    assert lift(data_of("control_plain_6")).producer["needs"] is None


def test_a_version_that_is_not_known_is_said() -> None:
    data = bytearray(data_of("dense"))
    data[4] = 9 << 1 | 1
    with pytest.raises(UnsupportedError, match="version 9"):
        lift(bytes(data))


@pytest.mark.parametrize("name", FACTS)
def test_damage_gives_an_answer_or_one_line(name: str, tmp_path: Path) -> None:
    source = random.Random(name)
    whole = data_of(name)
    path = tmp_path / "module.mlirbc"
    answers = 0
    for _ in range(30):
        data = bytearray(whole)
        for _ in range(source.choice([1, 1, 3])):
            data[source.randrange(5, len(data))] = source.randrange(256)
        path.write_bytes(data[: source.choice([len(data), len(data), source.randrange(5, len(data))])])
        with suppress(FileError, UnsupportedError), bounded(4_000_000):
            model = read(path)
            check(model)
            for value in (value for graph in model.graphs for value in graph.values):
                if value.tensor is not None and value.tensor.nbytes < 1 << 16:
                    with suppress(FormatError):
                        value.tensor.items()
            answers += 1
    assert 0 < answers < 30


def test_regions_too_deep_are_an_error() -> None:
    """Not Python's own: a region in a region takes a handful of bytes."""
    with pytest.raises(FormatError):
        lift(b"ML\xefR\x0dMLIR\0" + b"\x01\x01" * 2000)


def test_a_module_differs_in_nothing_from_itself(capsys: pytest.CaptureFixture[str]) -> None:
    path = str(FOLDER / "control.mlirbc")
    assert app.run(["diff", path, path]) == 0
    assert capsys.readouterr().out.startswith("equal")
