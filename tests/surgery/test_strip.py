"""What strip takes out, keeps and refuses; that the numbers stay the same is judged by TensorFlow in tests/oracle."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import UsageError, read
from graphsurgeon.model import Model
from graphsurgeon.surgery.strip import StripReport, strip
from graphsurgeon.surgery.strip_kinds import KINDS

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FLOAT = 'key: "T" value { type: DT_FLOAT }'
DTYPE = 'key: "dtype" value { type: DT_FLOAT }'


def text_graph(folder: Path, *nodes: str) -> Model:
    (folder / "graph.pbtxt").write_text("".join(nodes))
    return read(folder / "graph.pbtxt")


def node(name: str, op: str, *inputs: str, attr: str = FLOAT, rest: str = "") -> str:
    reads = " ".join(f'input: "{text}"' for text in inputs)
    return f'node {{ name: "{name}" op: "{op}" {reads} attr {{ {attr} }} {rest} }}'


X = node("x", "Placeholder", attr=DTYPE)


def inputs_of(model: Model, name: str) -> list[str]:
    found = model.metagraphs[0].graph.node(name)
    assert found is not None
    return [*map(str, found.inputs), *(f"^{other}" for other in found.controls)]


def names(model: Model) -> set[str]:
    return {found.name for found in model.metagraphs[0].graph.nodes}


def removed(report: StripReport) -> set[tuple[str, str]]:
    return {(one.kind, one.name) for one in report.removed}


def test_data_is_led_round_what_prints_and_checks(tmp_path: Path) -> None:
    text = 'key: "message" value { s: "bad" }'
    model = text_graph(
        tmp_path,
        X,
        node("checked", "CheckNumerics", "x", rest=f"attr {{ {text} }}"),
        node("printed", "Print", "checked", "x", rest='attr { key: "U" value { list { type: DT_FLOAT } } }'),
        node("y", "Relu", "printed"),
    )
    report = strip(model, outputs=["y"], only=["prints"])
    assert removed(report) == {("prints", "checked"), ("prints", "printed")}
    assert inputs_of(model, "y") == ["x:0"]


def test_a_check_that_is_an_output_becomes_an_identity(tmp_path: Path) -> None:
    model = text_graph(tmp_path, X, node("y", "CheckNumerics", "x"))
    strip(model, outputs=["y"])
    found = model.metagraphs[0].graph.node("y")
    assert found is not None
    assert (found.op, [str(value) for value in found.inputs]) == ("Identity", ["x:0"])


def test_who_waits_for_an_assertion_waits_for_what_that_waited_for(tmp_path: Path) -> None:
    model = text_graph(
        tmp_path,
        X,
        node("first", "NoOp", "^x", attr=""),
        node("holds", "Placeholder", attr='key: "dtype" value { type: DT_BOOL }'),
        node("assert", "Assert", "holds", "x", "^first", attr='key: "T" value { list { type: DT_FLOAT } }'),
        node("y", "Relu", "x", "^assert"),
    )
    report = strip(model, outputs=["y"])
    assert inputs_of(model, "y") == ["x:0", "^first"]
    assert ("assertions", "assert") in removed(report)
    assert ("unreachable", "holds") in removed(report)


def test_identities_go_but_those_that_order(tmp_path: Path) -> None:
    model = text_graph(
        tmp_path,
        X,
        node("a", "Identity", "x"),
        node("b", "StopGradient", "a"),
        node("waits", "Identity", "b", "^x"),
        node("y", "Identity", "waits"),
    )
    report = strip(model, outputs=["y"])
    assert removed(report) == {("identities", "a"), ("identities", "b")}
    assert inputs_of(model, "waits") == ["x:0", "^x"]


def test_identities_in_branches_stay(tmp_path: Path) -> None:
    model = text_graph(
        tmp_path,
        X,
        node("p", "Placeholder", attr='key: "dtype" value { type: DT_BOOL }'),
        node("switch", "Switch", "x", "p"),
        node("off", "Identity", "switch"),
        node("on", "Identity", "switch:1"),
        node("y", "Merge", "off", "on", rest='attr { key: "N" value { i: 2 } }'),
    )
    assert strip(model, outputs=["y"]).kinds == {}
    assert inputs_of(model, "y") == ["off:0", "on:0"]


def test_kinds_are_chosen_and_kept() -> None:
    model = read(FIXTURES / "savedmodel" / "v1_training_left")
    everything = strip(model).kinds
    assert {"gradients", "optimizers", "summaries", "devices", "colocation", "defaults"} <= everything.keys()
    only = strip(read(FIXTURES / "savedmodel" / "v1_training_left"), only=["summaries"])
    assert only.kinds == {"summaries": everything["summaries"]}
    kept = strip(read(FIXTURES / "savedmodel" / "v1_training_left"), keep=["gradients", "optimizers"])
    assert not {"gradients", "optimizers"} & kept.kinds.keys()
    assert kept.kinds["summaries"] == everything["summaries"]


def test_saver_and_checkpoint_hold_what_stays() -> None:
    model = read(FIXTURES / "savedmodel" / "v1_training_left")
    assert model.checkpoint is not None
    before = set(model.checkpoint.variables)
    report = strip(model)
    assert before - set(model.checkpoint.variables) == {
        one.name for one in report.removed if one.why == "its variable is gone"
    }
    graph = model.metagraphs[0].graph
    for op in ("SaveV2", "RestoreV2"):
        listed = next(found for found in graph.nodes if found.op == op)
        producer = listed.inputs[1].producer
        assert producer is not None
        assert {item.decode() for item in producer.attrs["value"].items()} == set(model.checkpoint.variables)  # type: ignore[union-attr]
    variables = model.metagraphs[0].collections["variables"].items
    assert len(variables) == len(model.checkpoint.variables)


def test_what_is_kept_keeps_what_it_reads() -> None:
    model = read(FIXTURES / "savedmodel" / "v1_training_left")
    strip(model, only=["gradients"])
    assert any(found.op.startswith(("Apply", "ResourceApply")) for found in model.metagraphs[0].graph.nodes)
    dangling = [v for found in model.metagraphs[0].graph.nodes for v in found.inputs if v.producer is None]
    gone = [
        value
        for found in model.metagraphs[0].graph.nodes
        for value in found.inputs
        if value.producer not in model.metagraphs[0].graph
    ]
    assert dangling == gone == []


def test_functions_that_nothing_calls_go() -> None:
    model = read(FIXTURES / "savedmodel" / "unused_functions")
    before = set(model.metagraphs[0].functions)
    report = strip(model, only=["functions"])
    gone = {name for kind, name in removed(report) if kind == "functions"}
    assert gone
    assert before - gone == set(model.metagraphs[0].functions)


def test_without_signature_the_likely_outputs_are_said(tmp_path: Path) -> None:
    model = text_graph(tmp_path, X, node("y", "Relu", "x"))
    report = strip(model)
    assert report.outputs == ("y:0",)
    assert "y:0" in report.notes[0]
    assert names(model) == {"x", "y"}


def test_refusals_change_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="nothing says what the outputs are"):
        strip(read(FIXTURES / "graphdef" / "constants.pb"))
    model = text_graph(tmp_path, X, node("y", "Identity", "x"), node("z", "Relu", "y"))
    with pytest.raises(UsageError, match="no kind 'identity'") as caught:
        strip(model, only=["identity"])
    assert "identities" in str(caught.value)
    with pytest.raises(UsageError, match="every kind"):
        strip(model, keep=list(KINDS))
    with pytest.raises(UsageError, match="nothere"):
        strip(model, outputs=["nothere"])
    assert names(model) == {"x", "y", "z"}


def test_an_optimizer_leaves_a_checkpoint() -> None:
    model = read(FIXTURES / "checkpoint" / "object_graph")
    report = strip(model, only=["optimizers"])
    assert model.checkpoint is not None
    assert report.kinds == {"optimizers": report.variables}
    assert not [key for key in model.checkpoint.variables if "OPTIMIZER_SLOT" in key]
    assert any(key.startswith("save_counter") for key in model.checkpoint.variables)
    assert model.checkpoint.objects is not None
    mentioned = {key for one in model.checkpoint.objects.nodes for _, _, key in one.attributes}
    assert mentioned == set(model.checkpoint.variables)
    assert not [slot for one in model.checkpoint.objects.nodes for slot in one.slots]
