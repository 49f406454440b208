"""What was folded for a batch of 1, and is found when the batch becomes unknown."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model import DType, Model, Output, Shape, Tensor
from tests.oracle import tflite_objects

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "tflite"
INT32 = DType.named("int32")


def ending_in(op: str, *constants: list[int], shape: list[int]) -> Model:
    """Return a model of `x` [1,8,8,3] that ends in an operator with constants as its other inputs."""
    model = read(FIXTURES / "cnn_float.tflite")
    graph = model.metagraphs[0].graph
    image = graph.inputs[0]
    model.metagraphs[0].signatures.clear()
    graph.outputs = []
    graph.remove_nodes(graph.nodes)
    others = [
        graph.add_value(f"c{number}", INT32, Shape([len(items)]), Tensor.of(INT32, [len(items)], items))
        for number, items in enumerate(constants)
    ]
    node = graph.add_node(op, "", [image, *others])
    assert image.dtype is not None
    node.set_outputs([graph.add_value("y", image.dtype, Shape(shape))])
    graph.outputs = [Output("", node.outputs[0], image.dtype)]
    return model


CASES = [
    ("RESHAPE", [[1, 192]], [1, 192], r"384 elements.*\(at .* of \[2,8,8,3\]\)"),
    ("RESHAPE", [[1, -1, 3]], [1, 64, 3], "keeps a batch of 1"),
    ("SLICE", [[0, 0, 0, 0], [1, 8, 8, 3]], [1, 8, 8, 3], "takes the first element of the batch"),
    ("STRIDED_SLICE", [[0, 0, 0, 0], [1, 8, 8, 3], [1, 1, 1, 1]], [1, 8, 8, 3], "takes the first element"),
]


@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize(("op", "constants", "shape", "message"), CASES)
def test_a_baked_batch_is_refused_for_any_size_as_for_another(
    op: str, constants: list[list[int]], shape: list[int], message: str, batch: int | None, tmp_path: Path
) -> None:
    model = ending_in(op, *constants, shape=shape)
    pattern = message if batch is None else message.partition(".*")[0]
    with pytest.raises(UnsupportedError, match=pattern):
        surgery.set_input(model, shapes={"#0": [batch, 8, 8, 3]})
    assert model.graph.inputs[0].shape == Shape([1, 8, 8, 3])
    report = surgery.set_input(model, shapes={"#0": [batch, 8, 8, 3]}, allow_contradictions=True)
    assert [found.where for found in report.contradictions] == [f"operator #0 ({op})"]
    write(model, tmp_path / "allowed.tflite")
    assert read(tmp_path / "allowed.tflite").graph.inputs[0].shape == Shape([batch, 8, 8, 3])


def test_a_constant_that_fits_a_batch_of_two_by_chance_fits_no_other() -> None:
    model = ending_in("BROADCAST_TO", [2, 8, 8, 3], shape=[2, 8, 8, 3])
    with pytest.raises(UnsupportedError, match=r"dimensions 3 and 2 cannot be broadcast \(at .* of \[3,8,8,3\]\)"):
        surgery.set_input(model, shapes={"#0": [None, 8, 8, 3]})


def test_what_takes_any_batch_is_not_refused() -> None:
    model = ending_in("RESHAPE", [-1, 192], shape=[1, 192])
    assert surgery.set_input(model, shapes={"#0": [None, 8, 8, 3]}).contradictions == ()
    assert model.graph.outputs[0].value.shape == Shape([None, 192])


def test_another_height_is_no_batch() -> None:
    model = ending_in("RESHAPE", [1, -1, 3], shape=[1, 64, 3])
    assert surgery.set_input(model, shapes={"#0": [1, 16, 8, 3]}).contradictions == ()


def test_subgraphs_that_run_themselves_have_no_shapes(fixtures_dir: Path) -> None:
    model = read(fixtures_dir / "hostile" / "recursive_subgraphs.tflite")
    with pytest.raises(UnsupportedError, match="subgraph 'main' runs itself"):
        surgery.set_input(model, shapes={"x": [2, 4]})


def test_what_runs_others_twice_at_each_of_many_depths_is_bounded(tmp_path: Path, fixtures_dir: Path) -> None:
    """Each of 30 subgraphs runs the next one in two loops: some 2^30 operators."""
    built = tflite_objects.model((fixtures_dir / "hostile" / "recursive_subgraphs.tflite").read_bytes())
    (first,) = built.subgraphs
    built.subgraphs = [copy.deepcopy(first) for _ in range(30)]
    for number, subgraph in enumerate(built.subgraphs[:-1]):
        dense, loop, relu = subgraph.operators
        loop.builtinOptions.condSubgraphIndex = loop.builtinOptions.bodySubgraphIndex = number + 1
        subgraph.operators = [dense, loop, copy.deepcopy(loop), relu]
    built.subgraphs[-1].operators = built.subgraphs[-1].operators[:1]
    (tmp_path / "m.tflite").write_bytes(tflite_objects.pack(built))
    with pytest.raises(UnsupportedError, match="runs others so often"):
        surgery.set_input(read(tmp_path / "m.tflite"), shapes={"x": [2, 4]})
