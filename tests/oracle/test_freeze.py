"""What is frozen computes in TensorFlow what its source computes, to the bit with TensorFlow's own optimizer off.

The optimizer is tried on as well: off, invalid graphs fail that it would repair; on, others may.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.edit import edit
from graphsurgeon.errors import FileError, GraphSurgeonError, UnsupportedError, UsageError
from graphsurgeon.formats import read, write
from graphsurgeon.formats.checkpoint.find import read_checkpoint
from graphsurgeon.surgery.freeze import freeze
from tests.oracle import sessions
from tests.oracle.freeze_models import BUILDERS, REFUSED
from tests.oracle.signature_runs import DoesNotRunError, LoadedSource, Source, signatures

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("default"),  # the oracle warns about everything old
]

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "savedmodel"
KEPT = {"keep_functions": True}, {"keep_names": True}, {"keep_devices": True}
# Signatures that cannot be frozen, and what the refusal says.
MUST_REFUSE = {
    ("counter", "count"): "is changed by",
    ("embedding", "forget"): "is changed by",
    ("table_mutable", "learn"): "changes a table",
    ("v1_missing_entries", "broken"): "no value for variable 'lost'",
    ("v1_unfed_placeholder", "serving_default"): "'is_training', which signature",
}


@pytest.mark.parametrize("name", [name for name in BUILDERS if name not in REFUSED])
def test_kinds_of_model(name: str, tmp_path: Path) -> None:
    feeds = BUILDERS[name](tmp_path / "model")
    source = Source(tmp_path / "model", ["serve"], "serving_default", feeds)
    for options in ({}, *KEPT):
        model = read(tmp_path / "model")
        report = freeze(model, **options)
        write(model, tmp_path / "frozen.pb", force=True)
        assert source.disagreements(tmp_path / "frozen.pb", report.feeds, report.fetches) == [], options


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_constant_cannot_stand_for_is_refused(name: str, tmp_path: Path) -> None:
    BUILDERS[name](tmp_path / "model")
    with pytest.raises(UnsupportedError, match=REFUSED[name].replace("(", r"\(")):
        edit(tmp_path / "model", [("freeze", {})], output=tmp_path / "frozen.pb")
    assert not (tmp_path / "frozen.pb").exists()


@pytest.mark.parametrize(
    ("path", "tags", "key"), [pytest.param(*case, id=f"{case[0].name}-{case[2]}") for case in signatures(FIXTURES)]
)
def test_fixtures(path: Path, tags: list[str], key: str, tmp_path: Path) -> None:
    refusal = MUST_REFUSE.get((path.name, key))
    if refusal is not None:
        with pytest.raises(GraphSurgeonError, match=refusal):
            edit(path, [("freeze", {"signature": key, "tags": tags})], output=tmp_path / "frozen.pb")
        return
    report = edit(path, [("freeze", {"signature": key, "tags": tags or ["none"]})], output=tmp_path / "frozen.pb")
    frozen: Any = report.steps[0].report
    # Session-style loaders do not restore the variables of a trained Keras 3 model.
    source = LoadedSource(path, key) if path.name == "keras_trained" else Source(path, tags, key)
    assert source.disagreements(tmp_path / "frozen.pb", frozen.feeds, frozen.fetches) == []


@pytest.mark.corpus
def test_corpus(corpus: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    run = 0
    for path, tags, key in signatures(corpus):
        model = read(path)
        try:
            report = freeze(model, signature=key, tags=tags)
        except FileError:
            assert model.checkpoint is None, (path, key)  # a folder without variables
            continue
        try:
            source = Source(path, tags, key)
        except (DoesNotRunError, tf.errors.OpError, ValueError, TypeError, OSError):
            continue  # damaged, or for another machine
        write(model, tmp_path / "frozen.pb", force=True)
        assert source.disagreements(tmp_path / "frozen.pb", report.feeds, report.fetches) == [], (path, key)
        run += 1
    assert run > 80


@pytest.mark.parametrize("name", ["linear", "table_asset", "keras_rnn", "v1_cond_batch_norm_ref", "composite_inputs"])
def test_a_frozen_saved_model_loads_everywhere(name: str, tmp_path: Path) -> None:
    import tensorflow as tf

    source, result = FIXTURES / name, tmp_path / "frozen"
    edit(source, [("freeze", {})], output=result)
    values = []
    for path in (source, result):
        with sessions.saved_model(path, ["serve"], optimize=False) as model:
            inputs, outputs = model.signature("serving_default")
            feeds = sessions.generate(inputs)
            fed = {inputs[key].name: value for key, value in feeds.items()}
            values.append(model.run({key: endpoint.name for key, endpoint in outputs.items()}, fed))
    assert all(sessions.same_bits(values[0][key], values[1][key]) for key in values[0])
    called = tf.saved_model.load(str(result)).signatures["serving_default"](
        **{key: tf.constant(value) for key, value in feeds.items()}
    )
    assert all(sessions.close(values[0][key], called[key].numpy()) for key in values[0])


def test_an_assertion_still_fires(tmp_path: Path) -> None:
    import tensorflow as tf

    feeds = BUILDERS["asserts"](tmp_path / "model")
    model = read(tmp_path / "model")
    report = freeze(model)
    write(model, tmp_path / "frozen.pb")
    for optimize in (False, True):
        fed = {report.feeds["x"]: feeds["x"] + 100.0}
        with pytest.raises(tf.errors.InvalidArgumentError, match="assertion failed"):
            sessions.run_graph_def(tmp_path / "frozen.pb", report.fetches, fed, optimize=optimize)


@pytest.mark.parametrize("training", [False, True])
def test_a_phase_is_set(training: bool, tmp_path: Path) -> None:
    path = FIXTURES.parent / "metagraph" / "face_resnet" / "model-1.meta"
    phases = {"train_phase": training, "train_phase_last": training}
    output = "E_BN2/Reshape_1"
    model = read(path)
    report = freeze(model, outputs=[output], set_values=phases)
    write(model, tmp_path / "frozen.pb")
    assert not any(node.op in ("Switch", "Merge") for node in model.metagraphs[0].graph.nodes)
    with sessions.meta_graph(path, optimize=False) as source:
        image = sessions.generate({"image": sessions.Endpoint("input_image:0", _float(), [4, 16, 16, 3])})["image"]
        fed = {"input_image:0": image} | {f"{name}:0": value for name, value in phases.items()}
        expected = source.run({"y": f"{output}:0"}, fed)["y"]
    found = sessions.run_graph_def(tmp_path / "frozen.pb", report.fetches, {"input_image:0": image}, optimize=False)
    assert sessions.same_bits(expected, found[output])


def _float() -> Any:
    import tensorflow as tf

    return tf.float32


def test_a_graph_with_its_checkpoint_elsewhere(tmp_path: Path) -> None:
    folder = FIXTURES.parent / "graphdef" / "unfrozen"
    model = read(folder / "graph.pbtxt")
    model.checkpoint = read_checkpoint(folder / "weights")
    report = freeze(model, outputs=["scores"])
    write(model, tmp_path / "frozen.pb")
    assert report.variables
    assert set(model.metagraphs[0].graph.op_counts).isdisjoint({"VariableV2", "VarHandleOp", "RestoreV2"})


def test_a_graph_without_signature_proposes_outputs() -> None:
    path = FIXTURES.parent / "metagraph" / "face_resnet" / "model-1.meta"
    with pytest.raises(UsageError, match="choose --outputs"):
        freeze(read(path))


@pytest.mark.parametrize(
    ("name", "key", "pattern"),
    [
        ("counter", "count", "calls"),
        ("v1_loop_assign", None, "."),
        ("v1_partitioned", None, "."),
        ("table_asset", None, "."),
    ],
)
def test_variables_that_stay_are_restored(name: str, key: str | None, pattern: str, tmp_path: Path) -> None:
    source = FIXTURES / name
    report: Any = (
        edit(source, [("freeze", {"signature": key, "keep_vars": pattern})], output=tmp_path / "frozen").steps[0].report
    )
    assert report.kept_variables
    values = []
    for path in (source, tmp_path / "frozen"):
        with sessions.saved_model(path, ["serve"], optimize=False) as model:
            inputs, outputs = model.signature(key or "serving_default")
            feeds = {inputs[k].name: value for k, value in sessions.generate(inputs).items()}
            fetches = {k: endpoint.name for k, endpoint in outputs.items()}
            values.append([model.run(fetches, feeds) for _ in range(2)])
    for expected, found in zip(*values, strict=True):
        assert all(sessions.same_bits(expected[k], found[k]) for k in expected)


@pytest.mark.parametrize("phase", ["false", "true"])
def test_what_was_set_is_fed_to_the_source(phase: str, tmp_path: Path) -> None:
    from graphsurgeon.bridges.verify import verifier

    source = FIXTURES.parent / "metagraph" / "face_resnet" / "model-1.meta"
    phases: dict[str, object] = {"train_phase": phase, "train_phase_last:0": phase}
    options = {"outputs": ["E_BN2/Reshape_1"], "set_values": phases}
    compare = verifier(source, set_values=phases)
    report = edit(source, [("freeze", options)], output=tmp_path / "frozen.pb", verify=compare)
    verdict: Any = report.verdict
    # Statistics of one small picture are no sound divisors; another phase gives wholly other numbers.
    assert max(output.largest for output in verdict.outputs) < 1e-3
    assert verdict.agrees or phase == "true"
    assert not verdict.notes


def test_a_graph_whose_checkpoint_lies_elsewhere_is_verified(tmp_path: Path) -> None:
    from graphsurgeon.bridges.verify import verify

    folder = FIXTURES.parent / "graphdef" / "unfrozen"
    model = read(folder / "graph.pbtxt")
    model.checkpoint = read_checkpoint(folder / "weights")
    freeze(model, outputs=["scores"])
    write(model, tmp_path / "frozen.pb")
    report = verify(folder / "graph.pbtxt", tmp_path / "frozen.pb", checkpoint=folder / "weights")
    assert report.agrees
