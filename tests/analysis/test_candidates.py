"""Likely inputs and outputs, on fixtures and on small graphs made for one rule each."""

from __future__ import annotations

from pathlib import Path

import pytest

import graphsurgeon
from graphsurgeon.analysis.candidates import by_shape, likely_inputs, likely_outputs, stored_ends
from graphsurgeon.errors import UsageError
from graphsurgeon.model import DType, MetaGraph, Shape, Tensor
from graphsurgeon.model.graph import Value
from graphsurgeon.shapes import infer_shapes

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FLOAT, INT32, BOOL = (DType.named(name) for name in ("float32", "int32", "bool"))


class Builder:
    """Adds nodes to a main graph with little writing."""

    def __init__(self) -> None:
        self.metagraph = MetaGraph()
        self.graph = self.metagraph.graph

    def feed(self, name: str, *dims: int | None, dtype: DType = FLOAT) -> Value:
        return self.graph.add_node(
            "Placeholder", name, (), {"dtype": dtype, "shape": Shape(dims)}, checked=False
        ).output()

    def op(self, op: str, name: str, *inputs: Value) -> Value:
        return self.graph.add_node(op, name, inputs, {"T": FLOAT}, checked=False).output()

    def dense(self, name: str, value: Value, *shape: int) -> Value:
        weights = self.graph.add_node(
            "VariableV2", f"{name}/w", (), {"dtype": FLOAT, "shape": Shape(shape)}, checked=False
        ).output()
        return self.op("MatMul", f"{name}/MatMul", value, self.op("Identity", f"{name}/w/read", weights))

    def outputs(self) -> list[str]:
        return [str(c.value) for c in likely_outputs(self.metagraph, infer_shapes(self.metagraph))]


def face() -> MetaGraph:
    return graphsurgeon.read(FIXTURES / "metagraph" / "face_resnet" / "model-1.meta").metagraphs[0]


def test_the_embedding_of_a_training_graph_is_found_by_its_shape() -> None:
    metagraph = face()
    report = infer_shapes(metagraph)
    embedding = by_shape(metagraph, "None,512", report)
    assert str(embedding) == "E_BN2/Reshape_1:0"
    assert report.shape(embedding) == Shape([None, 512])


def test_no_output_of_a_shape() -> None:
    metagraph = face()
    with pytest.raises(UsageError, match="7,7"):
        by_shape(metagraph, "7,7", infer_shapes(metagraph))


def test_inputs_of_a_training_graph_by_role() -> None:
    roles = {str(candidate.value): candidate.role for candidate in likely_inputs(face())}
    assert roles["input_image:0"] == "feed"
    assert roles["train_phase:0"] == roles["train_phase_last:0"] == "switch"
    assert list(roles)[:2] == ["input_image:0", "input_label:0"]


def test_signature_outputs_come_first() -> None:
    metagraph = graphsurgeon.read(FIXTURES / "savedmodel" / "v1_training_left").metagraphs[0]
    first = likely_outputs(metagraph, infer_shapes(metagraph))[0]
    assert first.why[0] == "output of signature serving_default"
    assert first.value is metagraph.signatures["serving_default"].outputs["probs"].mention.target


def test_all_ends_of_a_detector_are_named() -> None:
    metagraph = graphsurgeon.read(FIXTURES / "graphdef" / "face_detector.pb").metagraphs[0]
    names = [str(candidate.value) for candidate in likely_outputs(metagraph, infer_shapes(metagraph))]
    assert set(names[:3]) == {"prob:0", "box:0", "landmarks:0"}


def test_what_nobody_reads_is_an_answer_and_what_saves_is_none() -> None:
    build = Builder()
    hidden = build.op("Relu", "hidden", build.dense("fc", build.feed("x", None, 4), 4, 8))
    build.op("Softmax", "answer", hidden)
    build.op("SaveV2", "save/SaveV2", hidden)
    build.op("HistogramSummary", "summary", hidden)
    assert build.outputs()[0] == "answer:0"
    assert not {"save/SaveV2:0", "summary:0"} & set(build.outputs())


def test_what_a_loss_compares_with_labels_is_the_answer() -> None:
    build = Builder()
    x, y = build.feed("x", None, 4), build.feed("y", None, 3)
    scores = build.op("Softmax", "pred", build.dense("fc", x, 4, 3))
    logarithm = build.op("Log", "log", scores)
    axes = build.graph.add_node(
        "Const", "axes", (), {"dtype": INT32, "value": Tensor.of(INT32, [2], [0, 1])}, checked=False
    ).output()
    error = build.op("Mean", "cost", build.op("Mul", "weighted", logarithm, y), axes)
    gradient = build.op("ReluGrad", "gradients/weighted_grad/mul", error, y)
    build.op("ApplyGradientDescent", "train/update", gradient)
    candidates = likely_outputs(build.metagraph, infer_shapes(build.metagraph))
    assert str(candidates[0].value) == "pred:0"
    assert "only read together with y:0" in candidates[0].why


def test_two_towers_are_no_labels_where_nothing_is_trained() -> None:
    build = Builder()
    left, right = (
        build.dense("l", build.feed("image", None, 4), 4, 3),
        build.dense("r", build.feed("text", None, 4), 4, 3),
    )
    build.op("Mul", "similarity", left, right)
    assert build.outputs()[0] == "similarity:0"


def test_values_inside_a_branch_or_a_loop_are_no_outputs() -> None:
    build = Builder()
    x, flag = build.feed("x", None, 4), build.feed("is_training", dtype=BOOL)
    switch = build.graph.add_node("Switch", "cond/Switch", [x, flag], {"T": FLOAT}, checked=False)
    inside = build.op("Relu", "cond/relu", switch.output(1))
    build.op("Tanh", "cond/unread", switch.output(1))
    build.graph.add_node("Merge", "cond/Merge", [switch.output(0), inside], {"T": FLOAT, "N": 2}, checked=False)
    assert build.outputs() == ["cond/Merge:0"]


def test_inputs_that_nothing_reads_come_last() -> None:
    build = Builder()
    build.feed("unread", None, 4)
    build.op("Relu", "y", build.feed("x", None, 4))
    candidates = likely_inputs(build.metagraph)
    assert [str(candidate.value) for candidate in candidates] == ["x:0", "unread:0"]
    assert "nothing reads it" in candidates[1].why


def test_results_of_a_frozen_function_keep_their_order() -> None:
    build = Builder()
    boxes = build.op("Relu", "head/boxes", build.feed("x", None, 4))
    build.op("Identity", "Identity", boxes)
    build.op("Identity", "Identity_1", build.op("Exp", "head/exp", boxes))
    build.op("Identity", "Identity_2", build.op("Neg", "head/neg", build.op("Exp", "head/exp2", boxes)))
    assert build.outputs()[:3] == ["Identity:0", "Identity_1:0", "Identity_2:0"]


def test_what_knows_of_an_input_only_its_shape_is_no_answer() -> None:
    build = Builder()
    x = build.feed("x", None, 4)
    build.op("Fill", "zero_state", build.op("Shape", "Shape", x), x)
    build.op("ZerosLike", "state", build.op("Shape", "Shape_1", x))
    build.op("Relu", "y", x)
    outputs = build.outputs()
    assert outputs[0] in ("y:0", "zero_state:0")
    assert "state:0" not in outputs


def test_scalars_that_switch_are_known_by_their_names_too() -> None:
    build = Builder()
    for name in ("keep_prob", "dropout_keep_prob", "learning_rate", "train_phase", "trainer_input"):
        build.op("Relu", f"{name}_used", build.feed(name))
    roles = {str(candidate.value): candidate.role for candidate in likely_inputs(build.metagraph)}
    assert roles.pop("trainer_input:0") == "feed"
    assert set(roles.values()) == {"switch"}


def test_handles_cannot_be_fed() -> None:
    build = Builder()
    build.op("Relu", "used", build.feed("table_handle", dtype=DType.named("resource")))
    build.op("Relu", "y", build.feed("x", None, 4))
    handle = likely_inputs(build.metagraph)[-1]
    assert str(handle.value) == "table_handle:0"
    assert "a handle, which cannot be fed from outside" in handle.why


def test_tflite_stores_its_inputs_and_outputs() -> None:
    metagraph = graphsurgeon.read(FIXTURES / "tflite" / "float.tflite").metagraphs[0]
    assert [c.value for c in likely_inputs(metagraph)] == metagraph.graph.inputs
    assert [c.value for c in likely_outputs(metagraph)] == [output.value for output in metagraph.graph.outputs]


def test_a_last_layer_in_a_scope_called_loss_is_an_answer() -> None:
    build = Builder()
    logits = build.dense("loss", build.feed("x", None, 4), 4, 3)
    build.op("Softmax", "loss/Softmax", logits)
    build.op("Mean", "loss/Mean", build.op("Square", "loss/Square", logits))
    assert build.outputs() == ["loss/Softmax:0"]


def test_the_variables_of_a_loop_are_unlikely_answers() -> None:
    build = Builder()
    x = build.feed("x", None, 4)
    enter = build.graph.add_node(
        "Enter", "while/Enter", [x], {"T": FLOAT, "frame_name": b"while"}, checked=False
    ).output()
    build.op("Exit", "while/Exit", enter)
    build.op("Identity", "answer", build.op("Relu", "relu", x))
    answer, variable = likely_outputs(build.metagraph)
    assert (str(answer.value), str(variable.value)) == ("answer:0", "while/Exit:0")
    assert answer.score > variable.score + 10


def test_an_op_made_of_several_ends_the_block_of_its_name() -> None:
    build = Builder()
    hidden = build.dense("enc", build.feed("x", None, 8), 8, 4)
    norm = build.op("Rsqrt", "emb/Rsqrt", build.op("Square", "emb/Square", hidden))
    embedding = build.op("Mul", "emb", hidden, norm)
    build.op("Softmax", "head/Softmax", build.dense("head", embedding, 4, 2))
    ranked = likely_outputs(build.metagraph, infer_shapes(build.metagraph), all_values=True)
    reasons = {str(candidate.value): candidate.why for candidate in ranked}
    assert reasons["emb:0"] == ["the last of its block emb"]
    assert reasons["emb/Rsqrt:0"] == ["computed from the inputs"]


def test_every_signature_of_a_tflite_model_has_its_ends() -> None:
    metagraph = graphsurgeon.read(FIXTURES / "tflite" / "variables.tflite").metagraphs[0]
    ends = {entry.mention.target for signature in metagraph.signatures.values() for entry in signature.outputs.values()}
    found = stored_ends(metagraph, "outputs")
    assert len(metagraph.signatures) == len(found) == 2
    assert {candidate.value for candidate in found} == ends
