"""Shapes that are inferred when they are asked for are those that inferring everything gives, for less work."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.analysis.select import values_of
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.shapes import infer_shapes
from tests import work

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
KINDS = ("graphdef", "savedmodel", "metagraph", "hostile")
MODELS = sorted(path for kind in KINDS for path in (FIXTURES / kind).iterdir())


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_value_has_the_same_shape(path: Path) -> None:
    try:
        metagraphs = read(path).metagraphs
        _ = [graph.nodes for metagraph in metagraphs for graph in metagraph.graphs]
    except GraphSurgeonError:
        pytest.skip("it is not read")
    for metagraph in metagraphs:
        whole, asked = infer_shapes(metagraph), infer_shapes(metagraph, on_demand=True)
        values = [value for graph in metagraph.graphs for value in values_of(graph)]
        told = [[(r.dtype(v), r.shape(v), r.constant(v)) for v in reversed(values)] for r in (whole, asked)]
        assert told[0] == told[1]
        assert (asked.findings, asked.uninferred) == (whole.findings, whole.uninferred)


def test_what_a_value_does_not_need_is_not_inferred(tmp_path: Path) -> None:
    relu = 'node {{ name: "n{0}" op: "Relu" input: "n{1}" attr {{ key: "T" value {{ type: 1 }} }} }}'
    first = 'node { name: "n0" op: "Placeholder" attr { key: "dtype" value { type: 1 } } }'
    text = "".join([first, *(relu.format(number, number - 1) for number in range(1, 400))])
    (tmp_path / "g.pbtxt").write_text(text)
    metagraph = read(tmp_path / "g.pbtxt").metagraphs[0]
    value = metagraph.graph.value("n3")
    assert value is not None
    infer_shapes(metagraph).shape(value)  # what is imported once
    with work.at_most(8_000):
        infer_shapes(metagraph, on_demand=True).shape(value)
    with pytest.raises(AssertionError, match="more than"), work.at_most(8_000):
        infer_shapes(metagraph).shape(value)
