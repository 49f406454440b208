"""What strip takes out, keeps and refuses; that the numbers stay the same is judged by TensorFlow in tests/oracle."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from graphsurgeon import UsageError, check, read
from graphsurgeon.edit import edit
from graphsurgeon.encoding.protowire import fields
from graphsurgeon.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.surgery.strip import StripReport, strip
from graphsurgeon.surgery.stripping import bypass
from graphsurgeon.surgery.stripping.kinds import KINDS

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


def test_a_chain_of_identities_costs_its_length(tmp_path: Path) -> None:
    def lines(length: int) -> int:
        chain = [node(f"n{i}", "Identity", f"n{i - 1}" if i else "x") for i in range(length)]
        model = text_graph(tmp_path, X, *chain, node("y", "Relu", f"n{length - 1}"))
        done = 0

        def trace(frame: FrameType, event: str, argument: object) -> Callable[..., Any] | None:
            nonlocal done
            done += event == "line"
            return trace if frame.f_code.co_filename == bypass.__file__ else None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            strip(model, only=["identities"])
        finally:
            sys.settrace(before)
        assert inputs_of(model, "y") == ["x:0"]
        return done

    assert lines(400) < 3 * lines(200)


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
    assert report.notes[0] == "the model has no signature; the likely outputs are kept (--outputs chooses others)"
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


def test_dropout_lets_its_input_through(tmp_path: Path) -> None:
    """The graph that `tf.nn.dropout` of TensorFlow 1 made, its rate fed."""
    nodes = (
        X,
        node("keep", "Placeholder", attr=DTYPE),
        node("shape", "Shape", "x"),
        node("random", "RandomUniform", "shape", attr=DTYPE, rest='attr { key: "T" value { type: DT_INT32 } }'),
        node("sum", "Add", "keep", "random"),
        node("mask", "Floor", "sum"),
        node("scaled", "RealDiv", "x", "keep"),
        node("dropped", "Mul", "scaled", "mask"),
        node("y", "Relu", "dropped"),
    )
    model = text_graph(tmp_path, *nodes)
    report = strip(model, outputs=["y"])
    assert report.kinds == {"dropout": 6}
    assert inputs_of(model, "y") == ["x:0"]
    assert names(model) == {"x", "keep", "y"}  # who feeds the rate may go on doing so
    assert strip(model, outputs=["y"]).removed == ()
    assert strip(text_graph(tmp_path, *nodes), outputs=["y"], keep=["dropout"]).removed == ()


def test_a_mask_that_is_no_dropout_stays(tmp_path: Path) -> None:
    """Scaled by another number than the mask is made with, or a mask that a gradient reads."""
    one = 'attr { key: "value" value { tensor { dtype: DT_FLOAT tensor_shape {} float_val: 0.5 } } }'
    shared = (
        X,
        node("shape", "Shape", "x"),
        node("random", "RandomUniform", "shape", attr=DTYPE, rest='attr { key: "T" value { type: DT_INT32 } }'),
        node("keep", "Const", attr=DTYPE, rest=one),
        node("other", "Const", attr=DTYPE, rest=one.replace("0.5", "0.25")),
        node("sum", "Add", "keep", "random"),
        node("mask", "Floor", "sum"),
    )
    wrong = (*shared, node("scaled", "RealDiv", "x", "other"), node("y", "Mul", "scaled", "mask"))
    assert "dropout" not in strip(text_graph(tmp_path, *wrong), outputs=["y"]).kinds
    right = (*shared, node("scaled", "RealDiv", "x", "keep"), node("y", "Mul", "scaled", "mask"))
    assert "dropout" in strip(text_graph(tmp_path, *right), outputs=["y"]).kinds
    gradient = node("gradient", "Mul", "mask", "x")
    assert "dropout" not in strip(text_graph(tmp_path, *right, gradient), outputs=["y", "gradient"]).kinds


def test_signatures_keep_their_dropout_unless_asked() -> None:
    path = FIXTURES / "savedmodel" / "v1_keep_prob"
    report = strip(read(path))
    assert "dropout" not in report.kinds
    assert "2 dropouts kept" in report.notes[0]
    model = read(path)
    assert strip(model, inference=True).kinds["dropout"] > 2
    assert "RandomUniform" not in model.graph.op_counts
    assert "keep_prob" in names(model)


BATCH_NORM = (
    X,
    *(
        node(f"bn/{name}", "VariableV2", attr=DTYPE, rest='attr { key: "shape" value { shape { dim { size: 3 } } } }')
        for name in ("gamma", "beta", "moving_mean", "moving_variance")
    ),
    node("bn/empty", "Const", attr=DTYPE, rest='attr { key: "value" value { tensor { dtype: DT_FLOAT } } }'),
    node("bn/norm", "FusedBatchNormV3", "x", "bn/gamma", "bn/beta", "bn/empty", "bn/empty",
         rest='attr { key: "U" value { type: DT_FLOAT } }'),
    node("y", "Relu", "bn/norm"),
)  # fmt: skip


def test_batch_norms_take_their_moving_statistics(tmp_path: Path) -> None:
    update = node("bn/update", "AssignSub", "bn/moving_mean", "bn/norm:1")
    waiting = node("y2", "Identity", "y", "^bn/update")
    assert "batch-norms" not in strip(text_graph(tmp_path, *BATCH_NORM), outputs=["y"]).kinds
    model = text_graph(tmp_path, *BATCH_NORM, update, waiting)
    report = strip(model, outputs=["y2"], inference=True)
    assert ("batch-norms", "bn/update") in removed(report)
    found = model.graph.node("bn/norm")
    assert found is not None
    assert found.attrs["is_training"] is False
    statistics = [str(value) for value in found.inputs[3:]]
    assert statistics == ["bn/moving_mean/inference:0", "bn/moving_variance/inference:0"]
    assert inputs_of(model, "bn/moving_mean/inference") == ["bn/moving_mean:0"]
    assert inputs_of(model, "y2") == ["y:0"]
    assert strip(model, outputs=["y2"], inference=True).removed == ()


def test_an_update_whose_result_is_read_stays(tmp_path: Path) -> None:
    update = node("bn/update", "AssignSub", "bn/moving_mean", "bn/norm:1")
    model = text_graph(tmp_path, *BATCH_NORM, update, node("read", "Relu", "bn/update"))
    strip(model, outputs=["y", "read"], inference=True)
    assert inputs_of(model, "read") == ["bn/update:0"]
    assert inputs_of(model, "bn/update") == ["bn/moving_mean:0", "bn/norm:1"]


def test_a_batch_norm_without_moving_statistics_is_named(tmp_path: Path) -> None:
    nodes = [text.replace("moving_mean", "something") for text in BATCH_NORM]
    model = text_graph(tmp_path, *nodes)
    report = strip(model, outputs=["y"], inference=True)
    assert "batch-norms" not in report.kinds
    assert report.notes == ("'bn/norm' stays in training form: its moving statistics were not found",)


def test_optimizers_leave_object_graphs() -> None:
    for name, kept in (("keras2_trained", 8), ("keras_trained", 4)):
        model = read(FIXTURES / "savedmodel" / name)
        report = strip(model, only=["optimizers", "metrics"])
        metagraph, checkpoint = model.metagraphs[0], model.checkpoint
        assert checkpoint is not None
        assert checkpoint.objects is not None
        assert metagraph.objects is not None
        assert len(checkpoint.variables) == kept
        assert ("optimizers", "optimizer") in removed(report)
        assert not any("optimizer" in dict(one.children) for one in metagraph.objects.nodes)
        stored = {key for one in checkpoint.objects.nodes for _, _, key in one.attributes}
        assert stored == set(checkpoint.variables)
        for call in metagraph.graph.nodes:
            for function in call.functions:
                assert len(call.inputs) == len(function.inputs) == len(call.attrs["Tin"])  # type: ignore[arg-type]
        saves = [one for function in metagraph.functions.values() for one in function.nodes if one.op == "SaveV2"]
        assert [len(one.inputs) - 3 for one in saves] == [kept + 1]


def test_keras_2_finds_its_layers_under_their_new_numbers(tmp_path: Path) -> None:
    edit(FIXTURES / "savedmodel" / "keras2_trained", [("strip", {})], output=tmp_path / "m")
    objects = read(tmp_path / "m").metagraphs[0].objects
    assert objects is not None
    kinds = []
    for number, entry in fields((tmp_path / "m" / "keras_metadata.pb").read_bytes()):
        assert number == 1
        assert isinstance(entry, bytes)
        content = dict(fields(entry))
        identifier = content[4]
        assert isinstance(identifier, bytes)
        assert objects.nodes[int(content.get(2, 0))].identifier == identifier.decode()  # type: ignore[arg-type]
        kinds.append(identifier.decode())
    assert kinds == ["_tf_keras_sequential", *["_tf_keras_layer"] * 3]


def test_debug_info_goes(tmp_path: Path) -> None:
    source = FIXTURES / "graphdef" / "functional.pb"
    report = edit(source, [("strip", {"only": ["debug"]})], output=tmp_path / "g.pb").steps[0].report
    assert isinstance(report, StripReport)
    assert report.kinds == {"debug": 6}
    assert strip(read(tmp_path / "g.pb"), only=["debug"]).removed == ()
    assert b"experimental_debug" not in (tmp_path / "g.pb").read_bytes()


def test_tflite_loses_what_nothing_needs() -> None:
    model = read(FIXTURES / "tflite" / "shared_buffers.tflite")
    report = strip(model)
    assert removed(report) == {("functions", "never_called"), ("unreachable", "again")}
    assert strip(model).notes == ("there is nothing of these kinds to take out",)


def test_what_training_leaves_over_is_no_output() -> None:
    source = FIXTURES / "metagraph" / "face_resnet" / "model-1.meta"
    model = read(source)
    report = strip(model)
    assert strip(model, outputs=report.outputs).removed == ()
    assert not {op for op in model.graph.op_counts if "Grad" in op or op.startswith("Apply")}


def test_recorded_shapes_go_as_check_says_and_only_then(tmp_path: Path) -> None:
    shaped = f'{DTYPE} }} attr {{ key: "shape" value {{ shape {{ dim {{ size: 2 }} }} }}'
    lie = 'attr { key: "_output_shapes" value { list { shape { dim { size: 3 } } } } }'
    model = text_graph(tmp_path, node("x", "Placeholder", attr=shaped), node("y", "Relu", "x", rest=lie))
    (found,) = [one for one in check(model) if one.rule == "shape"]
    assert "gs strip --only recorded-shapes" in found.hint
    strip(model, outputs=["y"])
    assert "_output_shapes" in model.metagraphs[0].graph.node("y").attrs  # type: ignore[union-attr]
    report = strip(model, only=["recorded-shapes"], outputs=["y"])
    assert [(one.name, one.op) for one in report.removed] == [("y", "_output_shapes")]
    assert not [one for one in check(model) if one.rule == "shape"]


def test_recorded_shapes_are_not_named_where_there_are_none(tmp_path: Path) -> None:
    model = text_graph(tmp_path, X, node("p", "MatMul", "x", "x"))
    graph = model.metagraphs[0].graph
    graph.node("x").attrs["shape"] = Shape.of("2,3")  # type: ignore[union-attr]
    (found,) = [one for one in check(model) if one.rule == "shape"]
    assert found.hint == "the input is not what the op wants"
