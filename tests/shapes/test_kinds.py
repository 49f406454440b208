"""What is remembered of nodes that are alike says the same as looking at each, for less work."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.analysis.select import values_of
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model import Model
from graphsurgeon.shapes import infer_shapes, kinds
from tests import work
from tests.surgery.graphs import constant, graph_model, node, placeholder

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MODELS = sorted(path for kind in ("graphdef", "savedmodel", "metagraph") for path in (FIXTURES / kind).iterdir())
FLOAT = "type: DT_FLOAT"
CLASS = 'list {{ s: "loc:@{}" }}'


def told(path: Path) -> list[object]:
    metagraphs = read(path).metagraphs
    reports = [infer_shapes(metagraph) for metagraph in metagraphs]
    pairs = list(zip(metagraphs, reports, strict=True))
    values = [(value, report) for one, report in pairs for graph in one.graphs for value in values_of(graph)]
    found = [(str(value), report.dtype(value), report.shape(value), report.constant(value)) for value, report in values]
    return [found, [(report.findings, list(map(str, report.uninferred))) for report in reports]]


@pytest.mark.parametrize("path", MODELS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_it_says_what_looking_at_each_says(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    try:
        remembered = told(path)
    except GraphSurgeonError:
        pytest.skip("it is not read")
    monkeypatch.setattr(kinds, "MOST_KINDS", 0)
    assert remembered == told(path)


def layers(tmp_path: Path, count: int) -> Model:
    """Return a chain of layers that say the same but for names and where they are colocated."""
    texts, before = [placeholder("x")], "x"
    for number in range(count):
        texts.append(constant(f"b{number}", "float_val: 1.5"))
        texts.append(node(f"r{number}", "Identity", f"b{number}", T=FLOAT, _class=CLASS.format(f"b{number}")))
        texts.append(node(f"a{number}", "AddV2", before, f"r{number}", T=FLOAT))
        before = f"a{number}"
    return graph_model(tmp_path, *texts)


def test_shapes_of_like_nodes_are_worked_out_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    metagraph = layers(tmp_path, 300).metagraphs[0]
    last = metagraph.graph.value("a299")
    assert last is not None
    infer_shapes(metagraph)  # what is imported, read and remembered once
    with work.at_most(90_000):
        infer_shapes(metagraph)
    monkeypatch.setattr(kinds, "MOST_KINDS", 0)
    with pytest.raises(AssertionError, match="more than"), work.at_most(90_000):
        infer_shapes(metagraph)


def test_every_one_of_the_like_nodes_that_contradict_is_found(tmp_path: Path) -> None:
    wrong = "list { shape { dim { size: 3 } } }"
    texts = [constant("c", "float_val: 1"), constant("d", "float_val: 2")]
    texts += [node(f"n{i}", "Relu", name, T=FLOAT, _output_shapes=wrong) for i, name in enumerate("cd")]
    report = infer_shapes(graph_model(tmp_path, *texts).metagraphs[0])
    assert [finding.where for finding in report.findings] == ["n0", "n1"]


def test_every_one_of_the_like_nodes_without_shapes_is_named(tmp_path: Path) -> None:
    texts = [placeholder("x"), *(node(f"n{i}", "Mystery", "x", T=FLOAT) for i in range(3))]
    texts += [node(f"r{i}", "Relu", f"n{i}", T=FLOAT) for i in range(3)]
    report = infer_shapes(graph_model(tmp_path, *texts).metagraphs[0])
    assert [one.name for one in report.uninferred] == ["n0", "n1", "n2"]


def test_unknown_dimensions_of_like_nodes_are_not_the_same(tmp_path: Path) -> None:
    shape = "shape { dim { size: -1 } dim { size: 2 } }"
    inputs = [node(name, "Placeholder", dtype=FLOAT, shape=shape) for name in "xy"]
    both = node("p", "Pack", "x", "y", T=FLOAT, N="i: 2")
    metagraph = graph_model(tmp_path, *inputs, both).metagraphs[0]
    report = infer_shapes(metagraph)
    facts = [report.fact(value) for name in "xy" if (value := metagraph.graph.value(name)) is not None]
    assert facts[0].dims is not None
    assert facts[1].dims is not None
    assert facts[0].dims[0] != facts[1].dims[0]


def test_a_changed_attribute_counts(tmp_path: Path) -> None:
    casts = [node(f"n{i}", "Cast", "x", SrcT=FLOAT, DstT="type: DT_INT32") for i in range(2)]
    metagraph = graph_model(tmp_path, placeholder("x"), *casts).metagraphs[0]
    changed = metagraph.graph.node("n1")
    assert changed is not None
    infer_shapes(metagraph)
    changed.attrs["DstT"] = graph_dtype = next(iter(changed.inputs)).producer.attrs["dtype"]  # type: ignore[union-attr]
    report = infer_shapes(metagraph)
    assert report.dtype(changed.output()) is graph_dtype
