"""What adding outputs and signatures refuses, and what it leaves alone; TensorFlow's verdict is in tests/oracle."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import UnsupportedError, UsageError, read, surgery, write
from graphsurgeon.compare.diff.files import difference
from graphsurgeon.model import Model

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MODELS = FIXTURES / "savedmodel"


def text_graph(folder: Path, text: str) -> Model:
    (folder / "graph.pbtxt").write_text(text)
    return read(folder / "graph.pbtxt")


def node(name: str, op: str, *inputs: str, attr: str = 'key: "T" value { type: DT_FLOAT }') -> str:
    reads = " ".join(f'input: "{text}"' for text in inputs)
    return f'node {{ name: "{name}" op: "{op}" {reads} attr {{ {attr} }} }}'


GRAPH = (
    node("x", "Placeholder", attr='key: "dtype" value { type: DT_FLOAT }')
    + node("a", "Relu", "x")
    + node("b", "Tanh", "a")
    + node("c", "AddV2", "a", "b", "^a")
)


def inputs_of(model: Model, name: str) -> list[str]:
    found = model.metagraphs[0].graph.node(name)
    assert found is not None
    return [*map(str, found.inputs), *(f"^{other}" for other in found.controls)]


def test_an_identity_is_added_beside(tmp_path: Path) -> None:
    model = text_graph(tmp_path, GRAPH)
    report = surgery.add_output(model, {"a:0": "features"})
    assert [(added.name, added.tensor, added.rewired) for added in report.outputs] == [("features:0", "a:0", 0)]
    assert inputs_of(model, "features") == ["a:0"]
    assert inputs_of(model, "c") == ["a:0", "b:0", "^a"]


def test_rewire_leads_consumers_through_it(tmp_path: Path) -> None:
    model = text_graph(tmp_path, GRAPH)
    assert surgery.add_output(model, {"a": "features"}, rewire=True).outputs[0].rewired == 2
    assert inputs_of(model, "features") == ["a:0"]
    assert inputs_of(model, "b") == ["features:0"]
    assert inputs_of(model, "c") == ["features:0", "b:0", "^a"]


def test_what_assigns_to_a_variable_goes_on_doing_so() -> None:
    model = read(MODELS / "v1_cond_batch_norm_ref")
    before = {name: inputs_of(model, name) for name in ("bn/moving_mean/Assign", "bn/moving_mean/read")}
    surgery.add_output(model, {"bn/moving_mean": "mean"}, rewire=True)
    assert inputs_of(model, "bn/moving_mean/Assign") == before["bn/moving_mean/Assign"]
    assert inputs_of(model, "bn/moving_mean/read") == ["mean:0"] != before["bn/moving_mean/read"]


def test_an_output_of_an_unknown_op_that_nobody_reads(tmp_path: Path) -> None:
    model = text_graph(tmp_path, node("own", "NobodysOp") + node("y", "Relu", "own:2"))
    with pytest.raises(UnsupportedError, match="dtype"):
        surgery.add_output(model, {"own:5": "five"})


CALL = 'key: "f" value { func { name: "%s" } } } attr { key: "Tin" value { list { type: DT_FLOAT } } } ' + (
    'attr { key: "Tout" value { list { type: DT_FLOAT } }'
)


def function(name: str, *nodes: str, result: str) -> str:
    signature = f'name: "{name}" input_arg {{ name: "a" type: DT_FLOAT }} output_arg {{ name: "o" type: DT_FLOAT }}'
    body = " ".join(nodes).replace("node {", "node_def {")
    return f'function {{ signature {{ {signature} }} {body} ret {{ key: "o" value: "{result}" }} }}'


def test_a_way_that_only_two_calls_tell_from_others(tmp_path: Path) -> None:
    twice = [node("first", "PartitionedCall", "a", attr=CALL % "inner")]
    twice.append(node("second", "PartitionedCall", "first:output:0", attr=CALL % "inner"))
    library = function("inner", node("deep", "Relu", "a"), result="deep:activations:0")
    library += function("outer", *twice, result="second:output:0")
    main = node("x", "Placeholder", attr='key: "dtype" value { type: DT_FLOAT }')
    main += node("one", "PartitionedCall", "x", attr=CALL % "outer")
    main += node("two", "PartitionedCall", "one", attr=CALL % "outer")
    model = text_graph(tmp_path, f"{main} library {{ {library} }}")
    with pytest.raises(UsageError, match="4 ways lead to function 'inner'; choose --call one --call outer:first, or "):
        surgery.add_output(model, {"deep": "y"})
    report = surgery.add_output(model, {"deep": "y"}, calls=["two", "outer:first"])
    assert report.outputs[0].cloned == ["outer_clone", "inner_clone"]


def test_a_signature_keeps_what_it_needs_fed() -> None:
    for name, tensor in (("v1_training_left", "labels"), ("v1_unfed_placeholder", "is_training")):
        model = read(MODELS / name)
        fed = {entry.mention.node for entry in model.metagraphs[0].signatures["serving_default"].inputs.values()}  # type: ignore[union-attr]
        assert model.metagraphs[0].graph.node(tensor) not in fed
    model = read(MODELS / "v1_training_left")
    with pytest.raises(UsageError, match="labels"):
        surgery.add_output(model, {"labels": "answer"}, signature="serving_default")
    assert model.metagraphs[0].graph.node("answer") is None
    model = read(MODELS / "v1_unfed_placeholder")  # whose outputs need it already
    surgery.add_output(model, {"is_training": "switch"}, signature="serving_default")
    assert "switch" in model.metagraphs[0].signatures["serving_default"].outputs


def test_what_runs_on_load_keeps_its_name() -> None:
    model = read(MODELS / "table_asset")
    init = "__saved_model_init_op"
    surgery.rename(model, what="keys", prefix="k_")
    surgery.rename(model, what="signatures", prefix="s_")
    assert list(model.metagraphs[0].signatures[init].outputs) == [init]
    with pytest.raises(UsageError, match=init):
        surgery.rename(model, {f"{init}.{init}": "x"}, what="keys")
    with pytest.raises(UsageError, match="loaders run"):
        surgery.remove_signature(model, [init])
    assert init in model.metagraphs[0].signatures


def test_a_signature_that_was_added_goes_without_a_trace(tmp_path: Path) -> None:
    path = MODELS / "keras_export"
    model = read(path)
    tensor = str(model.metagraphs[0].signatures["serving_default"].outputs["probs"].mention.target)  # type: ignore[union-attr]
    surgery.add_signature(model, {"scores": tensor}, name="extra")
    assert len(model.metagraphs[0].functions) == len(read(path).metagraphs[0].functions) + 1
    surgery.remove_signature(model, ["extra"])
    write(model, tmp_path / "out")
    assert difference(path, tmp_path / "out").changes == []


def test_a_function_that_sessions_call_stays_without_its_signature(tmp_path: Path) -> None:
    model = read(MODELS / "keras_export")
    functions = list(model.metagraphs[0].functions)
    surgery.remove_signature(model, ["serving_default"])
    assert list(model.metagraphs[0].functions) == functions
    write(model, tmp_path / "out")
    changes = difference(MODELS / "keras_export", tmp_path / "out").changes
    objects = [(change.kind, change.name) for change in changes if change.part == "object"]
    assert sorted(objects) == [("changed", "signatures"), ("removed", "signatures/serving_default")]


def test_inputs_that_are_found_get_legal_keys() -> None:
    """Keras gives the key `a-in`, which no function has as the name of a parameter, and says `a_in` there."""
    model = read(MODELS / "keras_export")
    metagraph = model.metagraphs[0]
    entry = metagraph.signatures["serving_default"].inputs.pop("image")
    metagraph.signatures["serving_default"].inputs["image-in"] = entry
    tensor = str(metagraph.signatures["serving_default"].outputs["probs"].mention.target)  # type: ignore[union-attr]
    report = surgery.add_signature(model, {"scores": tensor}, name="extra")
    assert list(report.inputs) == ["image_in"]


def test_no_input_is_called_by_a_word_of_python(tmp_path: Path) -> None:
    """Loaders refuse the whole model then: keys that are found get another name, those that are given are refused."""
    model = read(MODELS / "keras_export")
    with pytest.raises(UsageError, match="'class' is a word of Python's own"):
        surgery.rename(model, {"serving_default.image": "class"}, what="keys")
    graph = text_graph(tmp_path, GRAPH.replace('"x"', '"scope/in"'))
    assert list(surgery.add_signature(graph, {"scores": "c"}).inputs) == ["in_"]


def test_tags_come_and_go() -> None:
    model = read(MODELS / "v1_hub_module")
    assert model.metagraphs[0].tags == []
    surgery.rename(model, {"none": "serve"}, what="tags")
    assert model.metagraphs[0].tags == ["serve"]
    surgery.rename(model, {"serve": "none"}, what="tags")
    assert model.metagraphs[0].tags == []


def test_a_tflite_output_that_a_signature_lacks() -> None:
    model = read(FIXTURES / "tflite" / "float.tflite")
    metagraph = model.metagraphs[0]
    (signature,) = metagraph.signatures.values()
    (output,) = metagraph.graph.outputs
    with pytest.raises(UsageError, match="already an output"):
        surgery.add_output(model, {f"#{output.value.port}": "again"})
    signature.outputs.clear()
    report = surgery.add_output(model, {f"#{output.value.port}": "again"})
    assert report.outputs[0].signatures == [signature.key]
    assert list(signature.outputs) == ["again"]
    assert len(metagraph.graph.outputs) == 1
