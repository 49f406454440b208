"""A signature of a graph as a model of its own, under its own key; TensorFlow loads it and computes the same."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.errors import UsageError
from tests.surgery.graphs import constant, graph_model, node, placeholder

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "savedmodel"


@pytest.mark.tensorflow
def test_a_signature_is_a_model_that_computes_the_same(tmp_path: Path) -> None:
    import tensorflow as tf

    source, target = FIXTURES / "several_signatures", tmp_path / "encode"
    model = read(source)
    surgery.extract(model, signature="encode")
    write(model, target)
    x = tf.constant([[1.0, 2.0, 3.0, 4.0]])
    before = tf.saved_model.load(str(source)).signatures["encode"](x=x)
    after = tf.saved_model.load(str(target))
    assert list(after.signatures) == ["encode"]
    assert after.signatures["encode"](x=x)["code"].numpy().tolist() == before["code"].numpy().tolist()


def test_outputs_may_be_keys_of_the_signature() -> None:
    model = read(FIXTURES / "composite_inputs")
    surgery.extract(model, {"words": "w"}, signature="serving_default")
    assert list(model.metagraphs[0].signatures["serving_default"].outputs) == ["w"]


def test_its_keys_count_where_another_signature_has_the_same_tensors() -> None:
    model = read(FIXTURES / "several_signatures")
    tensors = {"inputs": {"image": "encode_x:0"}, "outputs": {"scores": "StatefulPartitionedCall_2:0"}}
    surgery.add_signature(model, name="again", **tensors)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no signature 'agin'"):
        surgery.extract(model, signature="agin")
    surgery.extract(model, signature="again")
    (found,) = model.metagraphs[0].signatures.values()
    assert (found.key, list(found.inputs), list(found.outputs)) == ("again", ["image"], ["scores"])


@pytest.mark.tensorflow
def test_what_a_signature_is_fed_in_the_middle_is_an_input(tmp_path: Path) -> None:
    """`predict` is fed what the graph computes from parsed examples, which the model of it has no more."""
    import tensorflow as tf

    source, target = FIXTURES / "v1_methods", tmp_path / "predict"
    model = read(source)
    surgery.extract(model, signature="predict")
    write(model, target)
    x = tf.constant([[1.0, 2.0, 3.0, 4.0]])
    before = tf.saved_model.load(str(source)).signatures["predict"](x=x)
    after = tf.saved_model.load(str(target)).signatures["predict"](x=x)
    assert after["logits"].numpy().tolist() == before["logits"].numpy().tolist()


def test_inputs_of_a_signature_that_its_outputs_do_not_need_are_left_out() -> None:
    model = read(FIXTURES / "v1_methods")
    surgery.add_signature(
        model, name="more", inputs={"x": "add", "unused": "MatMul"}, outputs={"y": "MatMul", "s": "add"}
    )
    surgery.extract(model, signature="more")
    (found,) = model.metagraphs[0].signatures.values()
    assert {key: str(entry.mention) for key, entry in found.inputs.items()}.keys() == {"x", "unused"}


def test_outputs_of_one_node_have_a_key_each(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path,
        placeholder("x", dims="3,2"),
        constant("axis", "int_val: 0", "DT_INT32"),
        node("s", "Split", "axis", "x", T="type: DT_FLOAT", num_split="i: 3"),
    )
    surgery.add_signature(model, outputs={"first": "s"})
    write(model, tmp_path / "m")
    model = read(tmp_path / "m")
    report = surgery.extract(model, ["s:0", "s:1", "s:2"], inputs="x")
    (signature,) = model.metagraphs[0].signatures.values()
    told = {key: str(entry.mention.target) for key, entry in signature.outputs.items() if entry.mention is not None}
    assert told == {"first": "s:0", "s_1": "s:1", "s_2": "s:2"}
    assert [fact.name for fact in report.outputs] == ["s:0", "s:1", "s:2"]


def test_parts_of_a_composite_output_are_outputs() -> None:
    model = read(FIXTURES / "v1_composite_signature")
    (signature,) = model.metagraphs[0].signatures.values()
    parts = sum(len(entry.mentions) for entry in signature.outputs.values())
    assert parts > len(signature.outputs)
    surgery.extract(model, signature=signature.key)
    (found,) = model.metagraphs[0].signatures.values()
    assert len(found.outputs) == parts
