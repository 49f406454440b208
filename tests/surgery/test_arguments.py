"""Operations take their arguments in the forms in which people give them, and refuse what cannot be meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import graphsurgeon
from graphsurgeon import surgery
from graphsurgeon.errors import UsageError
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.surgery.moves import arguments


@pytest.fixture
def linear(fixtures_dir: Path) -> Model:
    return graphsurgeon.read(fixtures_dir / "graphdef" / "linear.pb")


@pytest.mark.parametrize("form", [str, lambda name: [name], lambda name: (name,), lambda name: {name}])
def test_one_name_is_no_row_of_letters(form: Callable[[str], Any], linear: Model) -> None:
    report = surgery.freeze(linear, outputs=form("add"))
    assert [*report.fetches.values()] == ["add:0"]


def test_nodes_and_values_stand_for_their_names(linear: Model) -> None:
    add = linear.graph.node("add")
    assert add is not None
    assert [*surgery.freeze(linear, outputs=[add.output()]).fetches.values()] == ["add:0"]  # type: ignore[list-item]


@pytest.mark.parametrize("outputs", [["add"], "add", {"add": ""}, ["add=logits"]])
def test_extract_takes_names_or_pairs(outputs: Any, linear: Model) -> None:
    surgery.extract(linear, outputs)
    assert linear.graph.node("logits" if outputs == ["add=logits"] else "add") is not None
    assert linear.graph.node("Softmax") is None


@pytest.mark.parametrize("outputs", [["MatMul=features"], {"MatMul": "features"}, [("MatMul", "features")]])
def test_add_output_takes_names_or_pairs(outputs: Any, linear: Model) -> None:
    assert [added.name for added in surgery.add_output(linear, outputs).outputs] == ["features:0"]


@pytest.mark.parametrize("shape", ["1,4", "(1, 4)", [1, 4], (1, 4), Shape([1, 4])])
def test_shapes_in_any_form(shape: Any, linear: Model) -> None:
    surgery.set_input(linear, shapes={"x": shape})
    node = linear.graph.node("x")
    assert node is not None
    assert str(node.attrs["shape"]) == "[1,4]"


def test_renames_as_texts(linear: Model) -> None:
    surgery.rename(linear, "x=features")  # type: ignore[arg-type]
    assert linear.graph.node("features") is not None


WRONG: list[tuple[str, Callable[[Model], object], str]] = [
    ("number", lambda model: surgery.freeze(model, outputs=3), "outputs: one name or several are needed, not 3 (int)"),  # type: ignore[arg-type]
    ("path", lambda model: surgery.freeze("model.pb", outputs="add"), "takes a model first, not 'model.pb' (str)"),  # type: ignore[arg-type]
    ("graph", lambda model: surgery.strip(model.graph), "strip takes a model first"),  # type: ignore[arg-type]
    ("no new name", lambda model: surgery.rename(model, ["x"]), "'x' has no new name"),  # type: ignore[arg-type]
    ("twice", lambda model: surgery.rename(model, ["x=a", "x=b"]), "'x' is given twice"),  # type: ignore[arg-type]
    ("shape", lambda model: surgery.set_input(model, shapes={"x": "a,b"}), "'a' is no dimension"),  # type: ignore[dict-item]
    ("shape of shapes", lambda model: surgery.set_input(model, shapes={"x": [[1], 2]}), "no dimension"),  # type: ignore[list-item]
    ("list of shapes", lambda model: surgery.set_input(model, shapes=["x"]), "shapes: a mapping from names"),  # type: ignore[arg-type]
    ("nested", lambda model: surgery.extract(model, [["add"]]), "outputs: a name, node or value is needed"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize(("act", "said"), [case[1:] for case in WRONG], ids=[case[0] for case in WRONG])
def test_what_cannot_be_meant_is_refused(act: Callable[[Model], object], said: str, linear: Model) -> None:
    before = [(node.name, node.op) for node in linear.graph]
    with pytest.raises(UsageError) as caught:
        act(linear)
    assert said in str(caught.value)
    assert [(node.name, node.op) for node in linear.graph] == before


def test_nothing_given_stays_nothing() -> None:
    forms = (arguments.names, arguments.renamed, arguments.called, arguments.keyed, arguments.pairs, arguments.shapes)
    assert [form("x", None) for form in forms] == [None] * len(forms)


@pytest.mark.parametrize("path", [None, 7, b"model.pb"])
def test_what_is_no_path_is_refused_in_one_line(path: object) -> None:
    with pytest.raises(UsageError, match=f"a path is a text or a Path, not {path!r}"):
        graphsurgeon.read(path)  # type: ignore[arg-type]


def test_an_input_is_given_by_its_name_too(fixtures_dir: Path) -> None:
    model = graphsurgeon.read(fixtures_dir / "graphdef" / "linear.pb")
    node = model.graph.node("MatMul")
    assert node is not None
    before = node.inputs
    with pytest.raises(UsageError, match="the main graph has no value 'nothing'"):
        node.set_input(0, "nothing")  # type: ignore[arg-type]
    assert node.inputs == before
    node.set_input(0, "x:0")  # type: ignore[arg-type]
    assert str(node.inputs[0]) == "x:0"


def test_types_of_numpy_are_types_of_inputs(fixtures_dir: Path) -> None:
    model = graphsurgeon.read(fixtures_dir / "graphdef" / "linear.pb")
    assert surgery.set_input(model, dtypes={"x": np.uint8}).inputs[0].dtype == "uint8"
    with pytest.raises(UsageError, match="dtypes: an element type is needed, not 3"):
        surgery.set_input(model, dtypes={"x": 3})


@pytest.mark.parametrize("operation", ["attach_checkpoint", "merge", "average", "join"])
def test_what_is_to_be_read_first_is_told(operation: str, fixtures_dir: Path) -> None:
    name = "graphdef/linear.pb" if operation in ("attach_checkpoint", "join") else "checkpoint/name_based"
    given: dict[str, Any] = {
        "attach_checkpoint": {"checkpoint": "there"},
        "merge": {"checkpoint": "there"},
        "average": {"checkpoints": ["there"]},
        "join": {"other": "there", "connect": {"a": "b"}},
    }[operation]
    with pytest.raises(UsageError, match=r"what was read is needed, not 'there' \(str\)"):
        getattr(surgery, operation)(graphsurgeon.read(fixtures_dir / name), **given)
