"""What is filled on load by a step that a frozen or extracted graph does not have: refused by name, never lost."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import UnsupportedError, read
from graphsurgeon.model import Model
from graphsurgeon.surgery.extract import extract
from graphsurgeon.surgery.freeze import freeze
from graphsurgeon.surgery.strip import strip
from tests.surgery.graphs import FLOAT, constant, node, placeholder

MAIN_OP = """
collection_def { key: "saved_model_main_op" value { node_list { value: "init" } } }
"""
SHARED = {"shared_name": 's: "forest"', "container": 's: ""'}
FOREST = (
    placeholder("x"),
    constant("path", 'string_val: "forest"', "DT_STRING"),
    node("model", "SimpleMLCreateModelResource", **SHARED),
    node("load", "SimpleMLLoadModelFromPathWithHandle", "model", "path"),
    node("init", "NoOp", "^load"),
    node("again", "SimpleMLCreateModelResource", **SHARED),
    node("answer", "SimpleMLInferenceOpWithHandle", "x", "again"),
    node("y", "Identity", "answer", **FLOAT),
    node("z", "Relu", "x", **FLOAT),
)
BY_ID = (
    placeholder("x"),
    constant("path", 'string_val: "forest"', "DT_STRING"),
    node("load", "SimpleMLLoadModelFromPath", "path", model_identifier='s: "sml_1"'),
    node("init", "NoOp", "^load"),
    node("answer", "SimpleMLInferenceOp", "x", model_identifier='s: "sml_1"'),
    node("other", "SimpleMLInferenceOp", "x", model_identifier='s: "sml_2"'),
    node("y", "Identity", "answer", **FLOAT),
    node("z", "Identity", "other", **FLOAT),
)
STAGED = (
    placeholder("x"),
    constant("one", "float_val: 1"),
    node("put", "Stage", "one", dtypes="list { type: DT_FLOAT }", **SHARED),
    node("init", "NoOp", "^put"),
    node("got", "Unstage", dtypes="list { type: DT_FLOAT }", **SHARED),
    node("y", "AddV2", "x", "got", **FLOAT),
    node("z", "Relu", "x", **FLOAT),
)


def loaded(folder: Path, *nodes: str, main_op: str = MAIN_OP) -> Model:
    path = folder / "model.meta.pbtxt"
    path.write_text(f"meta_info_def {{}} graph_def {{ {''.join(nodes)} versions {{ producer: 1500 }} }} {main_op}")
    return read(path)


@pytest.mark.parametrize(
    ("nodes", "says"),
    [
        (
            FOREST,
            r"'again' \(SimpleMLCreateModelResource\) is filled by 'load' \(SimpleMLLoadModelFromPathWithHandle\)",
        ),
        (BY_ID, r"'answer' \(SimpleMLInferenceOp\) is filled by 'load' \(SimpleMLLoadModelFromPath\)"),
        (STAGED, r"'got' \(Unstage\) is filled by 'put' \(Stage\)"),
    ],
)
def test_what_a_load_step_fills_is_not_parted_from_it(tmp_path: Path, nodes: tuple[str, ...], says: str) -> None:
    for part in (freeze, extract):
        model = loaded(tmp_path, *nodes)
        with pytest.raises(UnsupportedError, match=says) as caught:
            part(model, outputs=["y"])
        assert "gs strip" in str(caught.value.hint)
        names = [one.name for one in model.metagraphs[0].graph.nodes]
        assert "init" in names
        part(model, outputs=["z"])
        assert "load" not in [one.name for one in model.metagraphs[0].graph.nodes]


@pytest.mark.parametrize("nodes", [FOREST, BY_ID, STAGED])
def test_strip_keeps_the_step_as_the_hint_says(tmp_path: Path, nodes: tuple[str, ...]) -> None:
    model = loaded(tmp_path, *nodes)
    strip(model, outputs=["y"])
    names = {one.name for one in model.metagraphs[0].graph.nodes}
    assert {"init", "y"} < names
    assert names & {"load", "put"}


def test_a_cut_in_front_of_it_leaves_nothing_to_fill(tmp_path: Path) -> None:
    model = loaded(tmp_path, *STAGED)
    freeze(model, outputs=["y"], inputs=["got"])
    assert {one.op for one in model.metagraphs[0].graph.nodes} == {"Placeholder", "AddV2"}


def test_what_nothing_fills_on_load_is_no_reason(tmp_path: Path) -> None:
    model = loaded(tmp_path, *STAGED, main_op="")
    freeze(model, outputs=["y"])
    assert "Unstage" in {one.op for one in model.metagraphs[0].graph.nodes}
