"""The jobs of the tutorial, end to end: what its commands write computes what TensorFlow computes from the sources."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.oracle import sessions
from tests.transcripts import ROOT, agree, commands, prepare, run

pytestmark = pytest.mark.tensorflow
Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the whole tutorial has been run, with the blocks that need TensorFlow."""
    place = tmp_path_factory.mktemp("tutorial")
    prepare(place)
    for command in commands((ROOT / "docs" / "tutorial.md").read_text()):
        _, printed = run(command.text, place)
        assert agree(command.shown, printed), f"{command.text}\nprints\n{printed}"
    return place / "tutorial"


def by_session(model: Path, feeds: Arrays, key: str = "serving_default") -> Arrays:
    """Run a signature as servers do, feeding it by its keys."""
    with sessions.saved_model(model, ["serve"], optimize=False) as source:
        inputs, outputs = source.signature(key)
        assert inputs.keys() == feeds.keys()
        arrays = {inputs[name].name: array for name, array in feeds.items()}
        return source.run({name: end.name for name, end in outputs.items()}, arrays)


def by_object(model: Path, feeds: Arrays, key: str = "serving_default") -> Arrays:
    """Call a signature of `tf.saved_model.load`."""
    import tensorflow as tf

    results = tf.saved_model.load(str(model)).signatures[key](**{k: tf.constant(v) for k, v in feeds.items()})
    return {name: value.numpy() for name, value in results.items()}


def assert_same(wanted: Arrays, *found: Arrays) -> None:
    for results in found:
        assert results.keys() == wanted.keys()
        for name, value in wanted.items():
            assert sessions.close(value, results[name]), name


def test_a_frozen_graph_becomes_a_served_model(folder: Path) -> None:
    picture = np.random.default_rng(1).random((40, 30, 3)).astype(np.float32)
    feeds = {
        "image": picture, "min_size": np.float32(12), "factor": np.float32(0.7),
        "thresholds": np.array([0.1, 0.1, 0.1], np.float32),
    }  # fmt: skip
    source = {"input:0": feeds["image"], **{f"{key}:0": value for key, value in feeds.items() if key != "image"}}
    fetches = {key: f"{key}:0" for key in ("box", "prob", "landmarks")}
    wanted = sessions.run_graph_def(ROOT / "fixtures/graphdef/face_detector.pb", fetches, source, optimize=False)
    assert len(wanted["prob"]) > 0  # faces are found, or nothing would be compared
    model = folder / "models" / "detector" / "1"
    assert_same(wanted, by_session(model, feeds), by_object(model, feeds))


def test_a_training_checkpoint_becomes_a_face_embedding(folder: Path) -> None:
    faces = np.random.default_rng(2).random((3, 16, 16, 3)).astype(np.float32)
    for phase in (False, True):
        feeds = {"input_image": faces, "train_phase": np.array(phase), "train_phase_last": np.array(phase)}
        with sessions.meta_graph(ROOT / "fixtures/metagraph/face_resnet/model-1.meta", optimize=False) as source:
            wanted = source.run({"embedding": "E_BN2/Reshape_1:0"}, {f"{key}:0": feeds[key] for key in feeds})
        assert wanted["embedding"].shape == (3, 512)
        model = folder / "face_with_switches"
        assert_same(wanted, by_session(model, feeds), by_object(model, feeds))
        if not phase:
            served = folder / "models" / "face" / "1"
            assert_same(wanted, by_session(served, {"input_image": faces}), by_object(served, {"input_image": faces}))


def test_a_hidden_layer_as_one_more_output(folder: Path) -> None:
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    image = {"image": np.random.default_rng(3).random((2, 8, 8, 3)).astype(np.float32)}
    path = ROOT / "fixtures" / "savedmodel" / "keras_export"
    loaded = tf.saved_model.load(str(path))
    frozen = convert_variables_to_constants_v2(loaded.signatures["serving_default"])
    layer = next(
        value for op in frozen.graph.get_operations() if op.name.endswith("pool_1/Mean") for value in op.outputs
    )
    hidden = frozen.prune(frozen.inputs[0], layer)(tf.constant(image["image"]))
    wanted = {**by_object(path, image), "features": hidden.numpy()}
    model = folder / "with_features"
    assert_same(wanted, by_session(model, image), by_object(model, image))
    assert_same(by_object(path, image, "serve"), by_session(model, image, "serve"), by_object(model, image, "serve"))
    again = tf.saved_model.load(str(model))
    for one, other in zip(loaded.serve(image["image"]).values(), again.serve(image["image"]).values(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_an_output_gets_the_name_that_clients_expect(folder: Path) -> None:
    tokens = {"tokens": np.array([[1, 2, 3, 0, 0], [4, 1, 0, 2, 2]], np.int32)}
    path = ROOT / "fixtures" / "savedmodel" / "keras_rnn"
    wanted = {"scores": by_object(path, tokens)["output_0"]}
    for model in (folder / "scores", folder / "scores_again"):
        assert_same(wanted, by_session(model, tokens), by_object(model, tokens))
