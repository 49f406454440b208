"""Signatures and models that are fed parsed features compute what the model computes of the serialized examples."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import UnsupportedError, edit, read
from graphsurgeon.bridges.verify import verify
from tests.oracle import sessions
from tests.oracle.parsing_models import MODELS, Parsing

pytestmark = pytest.mark.tensorflow


def loaded(path: Path, key: str, feeds: dict[str, Any]) -> dict[str, Any]:
    """Run a signature of `tf.saved_model.load`."""
    import tensorflow as tf

    signature = tf.saved_model.load(str(path)).signatures[key]
    return {name: value.numpy() for name, value in signature(**{k: tf.constant(v) for k, v in feeds.items()}).items()}


def in_session(path: Path, key: str, feeds: dict[str, Any]) -> dict[str, Any]:
    """Run a signature in a session, by the tensors that signature_def names."""
    with sessions.saved_model(path, ["serve"], optimize=False) as model:
        inputs, outputs = model.signature(key)
        named = {inputs[name].name: value for name, value in feeds.items()}
        return model.run({name: end.name for name, end in outputs.items()}, named)


def record_key(path: Path) -> str:
    """Return the key by which the old signature is fed."""
    return next(iter(read(path).metagraphs[0].signatures["serving_default"].inputs))


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(np.array_equal(one[key], other[key]) for key in one)


@pytest.mark.parametrize("kind", MODELS)
def test_features_give_the_numbers_of_the_examples(kind: str, tmp_path: Path) -> None:
    source, out, part = tmp_path / "source", tmp_path / "out", tmp_path / "part"
    model: Parsing = MODELS[kind](source)
    report = edit.edit(source, [("add-signature", {"past_parser": True})], output=out)
    records = {record_key(source): model.records}
    expected = in_session(source, "serving_default", records)
    signatures = read(out).metagraphs[0].signatures
    assert set(signatures["parsed"].inputs) == set(model.features)
    assert {k: v.dtype.name for k, v in signatures["parsed"].inputs.items() if v.dtype} == {
        key: {"object": "string"}.get(value.dtype.name, value.dtype.name) for key, value in model.features.items()
    }
    for run in (in_session, loaded):
        assert same(run(out, "parsed", model.features), expected), run
        assert same(run(out, "serving_default", records), expected), run
    for name in model.required:
        assert any(note.startswith(f"{name} is required") for note in report.steps[0].report.notes)
    edit.edit(source, [("extract", {"past_parser": True})], output=part)
    assert same(in_session(part, "serving_default", model.features), expected)


@pytest.mark.parametrize("kind", ["ParseExample", "ParseExampleV2", "ragged", "function"])
def test_a_cut_in_the_main_graph_is_verified_with_parts_that_fit(kind: str, tmp_path: Path) -> None:
    source, part = tmp_path / "source", tmp_path / "part"
    MODELS[kind](source)
    edit.edit(source, [("extract", {"past_parser": True})], output=part)
    report = verify(source, part)
    if kind == "function":  # a session feeds nothing inside a function
        ((name, why),) = report.skipped
        assert (name, report.outputs) == ("serving_default", [])
        assert why.startswith("the second model takes age, ")
        return
    assert report.agrees
    assert [(one.name, one.elements > 0) for one in report.outputs] == [("score", True)]


@pytest.mark.parametrize("kind", ["ParseSequenceExample", "ParseSingleSequenceExample"])
def test_models_of_sequences_are_run_with_records_of_their_kind(kind: str, tmp_path: Path) -> None:
    MODELS[kind](tmp_path / "source")
    edit.edit(tmp_path / "source", [("add-signature", {"past_parser": True})], output=tmp_path / "out")
    report = verify(tmp_path / "source", tmp_path / "out")
    assert report.agrees
    assert report.outputs
    assert all(one.elements > 0 for one in report.outputs)


def test_a_default_of_one_example_is_kept_for_serving(tmp_path: Path) -> None:
    source, out = tmp_path / "source", tmp_path / "out"
    MODELS["ParseSingleExample"](source)
    edit.edit(source, [("add-signature", {"past_parser": True})], output=out)
    import tensorflow as tf
    from tensorflow.core.protobuf import saved_model_pb2

    stored = saved_model_pb2.SavedModel.FromString((out / "saved_model.pb").read_bytes())
    defaults = stored.meta_graphs[0].signature_def["parsed"].defaults
    assert {key: tf.make_ndarray(value).tolist() for key, value in defaults.items()} == {"size": [0.5, 0.25]}


def test_the_model_saved_again_keeps_the_signature(tmp_path: Path) -> None:
    import tensorflow as tf

    source, out, again = tmp_path / "source", tmp_path / "out", tmp_path / "again"
    model = MODELS["function"](source)
    edit.edit(source, [("add-signature", {"past_parser": True})], output=out)
    module = tf.saved_model.load(str(out))
    tf.saved_model.save(module, str(again), signatures=dict(module.signatures))
    expected = in_session(source, "serving_default", {record_key(source): model.records})
    assert same(in_session(again, "parsed", model.features), expected)


def test_the_ways_that_are_told_where_no_signature_parses(tmp_path: Path) -> None:
    """A parser that only another tensor needs: the outputs are named. No parser at all: the inputs are."""
    source = tmp_path / "source"
    model = MODELS["ParseExample"](source)
    signatures = read(source).metagraphs[0].signatures
    outputs = signatures["serving_default"].outputs
    ends = {key: str(one.mention.target) for key, one in outputs.items() if one.mention}
    edit.edit(source, [("remove-signature", {"names": list(signatures)})], output=tmp_path / "bare")
    with pytest.raises(UnsupportedError, match="no signature parses serialized examples; name the outputs"):
        edit.edit(tmp_path / "bare", [("add-signature", {"past_parser": True})], output=tmp_path / "none")
    steps = [("add-signature", {"past_parser": True, "outputs": ends, "name": "parsed"})]
    edit.edit(tmp_path / "bare", steps, output=tmp_path / "out")
    expected = in_session(source, "serving_default", {record_key(source): model.records})
    assert same(in_session(tmp_path / "out", "parsed", model.features), expected)
    plain = Path(__file__).resolve().parents[2] / "fixtures" / "savedmodel" / "linear"
    with pytest.raises(UnsupportedError, match="nothing in the model parses serialized examples; gs inputs"):
        edit.edit(plain, [("add-signature", {"past_parser": True})], output=tmp_path / "none")


def test_a_parser_in_a_branch_or_a_loop_is_named(tmp_path: Path) -> None:
    import tensorflow as tf

    one = {"x": tf.io.FixedLenFeature([2], tf.float32)}

    def branch(records: Any) -> Any:
        many = tf.size(records) > 1
        return tf.cond(many, lambda: tf.io.parse_example(records, one)["x"], lambda: tf.zeros([1, 2]))

    def loop(records: Any) -> Any:
        return tf.map_fn(lambda r: tf.io.parse_single_example(r, one)["x"], records, fn_output_signature=tf.float32)

    for name, function, runner in (("branch", branch, "If"), ("loop", loop, "While")):
        module = tf.Module()
        module.serve = tf.function(function, input_signature=[tf.TensorSpec([None], tf.string)])
        tf.saved_model.save(module, f"{tmp_path}/{name}", signatures=module.serve)
        with pytest.raises(UnsupportedError, match=f"ParseExampleV2.* parses in function .*{runner}.* runs"):
            edit.edit(tmp_path / name, [("add-signature", {"past_parser": True})], output=tmp_path / "out")
