"""Files mended for another release: every rule against the answers of Keras 3 and tf_keras in `fixtures/keras`.

`make oracles` asks them anew. The JSON that was loaded is in the fixture, so that a rule cannot change unasked.
"""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.formats.keras.mend import Mended, mend
from tests.formats.keras.test_keras import functional, keras_tensor, layer, source

ANSWERS = Path(__file__).resolve().parents[3] / "fixtures" / "keras" / "answers.jsonl"
# What another release computes differently although it loads: random layers are as random as they were.
TOLERANCE = 1e-4


@functools.cache
def answers() -> list[dict[str, Any]]:
    return [json.loads(line) for line in ANSWERS.read_text("utf-8").splitlines()]


def mended(answer: dict[str, Any]) -> Mended:
    return mend(answer["config"], answer["training"], answer["target"], answer["keras_version"])


def ids(answer: dict[str, Any]) -> str:
    return f"{answer['name']}-{answer['target']}"


@pytest.mark.parametrize("answer", answers(), ids=ids)
def test_what_is_written_is_what_was_loaded(answer: dict[str, Any]) -> None:
    result = mended(answer)
    assert (result.config, result.training) == (answer["to_config"], answer["to_training"])


def test_what_the_rules_pass_loads_and_computes_the_same() -> None:
    wrong = {}
    for answer in answers():
        result = mended(answer)
        error = answer["mended"].get("error")
        if not result.obstacles and (error is None or error > TOLERANCE):
            wrong[ids(answer)] = answer["mended"]
    # Lambda layers load where code is trusted: Keras 3 asks for safe_mode=False. They are said by a note.
    assert {name for name in wrong if not name.startswith("Lambda")} == set()


def test_what_the_rules_call_hopeless_is_refused_or_differs() -> None:
    for answer in answers():
        if mended(answer).obstacles:
            error = answer["mended"].get("error")
            assert error is None or error > TOLERANCE, ids(answer)


def test_what_is_refused_has_a_reason() -> None:
    for answer in answers():
        if "refused" in answer["as_is"]:
            result = mended(answer)
            assert result.changes or result.obstacles or answer["name"] == "Lambda", ids(answer)


def test_most_files_that_are_refused_load_when_mended() -> None:
    refused = [answer for answer in answers() if "refused" in answer["as_is"]]
    loaded = [answer for answer in refused if answer["mended"].get("error", 1) <= TOLERANCE]
    assert len(refused) > 100
    assert len(loaded) > 0.9 * len(refused)


def test_a_file_of_an_older_release_gets_an_input_layer_for_keras_3() -> None:
    first = layer("Dense", "d", batch_input_shape=[None, 4], dtype="float32", units=2)
    result = mend({"class_name": "Sequential", "config": {"name": "s", "layers": [first]}}, None, "keras-3")
    assert [one["class_name"] for one in result.config["config"]["layers"]] == ["InputLayer", "Dense"]
    assert result.config["config"]["layers"][0]["config"]["batch_shape"] == [None, 4]
    assert [(change.where, change.edit) for change in result.changes] == [("s", "an InputLayer in front")]


def test_a_gru_without_the_setting_keeps_what_it_meant() -> None:
    result = mend(functional([layer("GRU", "g", units=2)], [], []), None, "keras-3")
    assert result.config["config"]["layers"][0]["config"]["reset_after"] is False


@pytest.mark.parametrize(
    ("config", "obstacle"),
    [
        (layer("LSTM", "x", time_major=True), "time_major: true (LSTM)"),
        (layer("Conv2DTranspose", "x", groups=2), "groups: 2 (Conv2DTranspose)"),
        (layer("SeparableConv2D", "x", groups=True), "groups: true (SeparableConv2D)"),
        (layer("LSTM", "x", recurrent_activation="hard_sigmoid"), "which computes something else there"),
        (layer("ThresholdedReLU", "x"), "layer ThresholdedReLU"),
    ],
)
def test_what_would_change_the_model_is_not_dropped(config: dict[str, Any], obstacle: str) -> None:
    result = mend(functional([config], [], []), None, "keras-3")
    assert [one.where for one in result.obstacles] == ["x"]
    assert obstacle in result.obstacles[0].what
    assert result.config["config"]["layers"][0]["config"] == config["config"]


def test_for_releases_before_functional_models_had_a_name() -> None:
    config = functional(
        [
            layer("InputLayer", "x", batch_input_shape=[None, 4], ragged=False, sparse=False),
            layer("Conv2D", "c", [source("x")], groups=1, filters=2),
        ],
        [["x", 0, 0]],
        [["c", 0, 0]],
    ) | {"class_name": "Functional"}
    old = mend(config, None, "tf-1.15")
    assert old.config["class_name"] == "Model"
    layers = old.config["config"]["layers"]
    assert [sorted(one["config"]) for one in layers] == [["batch_input_shape", "name", "sparse"], ["filters", "name"]]
    newer = mend(config, None, "tf-2.2").config["config"]["layers"]
    assert "ragged" in newer[0]["config"]
    assert mend(config, None, "keras-2").changes == []


def test_the_optimizer_of_an_older_release() -> None:
    training = {"optimizer_config": {"class_name": "Adam", "config": {"lr": 0.1, "schedule_decay": 0.0}}, "loss": "mse"}
    result = mend(functional([], [], []), training, "keras-3")
    assert result.training == {
        "optimizer_config": {"class_name": "Adam", "config": {"learning_rate": 0.1}},
        "loss": "mean_squared_error",
    }


def test_what_lists_cannot_say_is_refused_for_keras_2() -> None:
    call = {"args": [keras_tensor("x"), 2.0], "kwargs": {}}
    added = {"class_name": "Add", "name": "a", "config": {"name": "a"}, "inbound_nodes": [call]}
    result = mend(functional([added], [], []), None, "keras-2")
    assert "2 arguments" in result.obstacles[0].what


def test_the_given_configuration_is_not_changed() -> None:
    config = functional([layer("LSTM", "x", time_major=False)], [], [])
    before = json.dumps(config)
    mend(config, None, "keras-3")
    assert json.dumps(config) == before
