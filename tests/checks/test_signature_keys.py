"""Keys of signatures, and entries spelled as no tensor. Verdicts are those of TensorFlow 2.21's two loaders."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.formats import read
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Signature
from graphsurgeon.model.model import Model

SAVED = Path(__file__).resolve().parents[2] / "fixtures" / "savedmodel"


def with_keys(keys: list[str], model: str = "v1_functions") -> Model:
    """Give the inputs of a signature keys: all name the same tensor."""
    found = read(SAVED / model)
    signature = found.metagraphs[0].signatures["serving_default"]
    entry = next(iter(signature.inputs.values()))
    signature.inputs = dict.fromkeys(keys, entry)
    return found


def severities(model: Model, rule: str) -> list[str]:
    return [finding.severity for finding in check(model, shapes=False) if finding.rule == rule]


@pytest.mark.parametrize("keys", [["in"], ["class"], ["lambda"], ["None"], [""], ["a/b", "a_b"], ["a:b", "a/b"]])
def test_no_parameters(keys: list[str]) -> None:
    assert severities(with_keys(keys), "signature-key") == ["error"]


@pytest.mark.parametrize(
    "key", ["1x", "1", "a/b", "a b", "a-b", "a:b", "x.y", "/", "_x", "name", "print", "match", "größe"]
)
def test_keys_that_loaders_take(key: str) -> None:
    assert severities(with_keys([key, "A", "a"]), "signature-key") == []


def test_self_loads_and_cannot_be_called() -> None:
    assert severities(with_keys(["self"]), "signature-key") == ["error"]


def test_keys_beside_an_object_graph_are_not_read() -> None:
    assert severities(with_keys(["in"], "linear"), "signature-key") == []


@pytest.mark.parametrize("key", ["class", "None", "match", "self"])
def test_keys_of_structures_are_parameters(key: str) -> None:
    """A word of Python's own stops the loader (TensorFlow 2.21: "is not a valid parameter name")."""
    model = read(SAVED / "linear")
    objects = model.metagraphs[0].objects
    assert objects is not None
    given: list[Any] = [(one, one.input_signature) for one in objects.concrete_functions]
    entry, (args, named) = next(item for item in given if len(item[1][1]) == 1)
    entry.input_signature = (args, {key: next(iter(named.values()))})
    wanted = ["error"] if key in ("class", "None") else []
    assert severities(model, "object-function") == wanted


# An operation that is fetched yields nothing, and nobody minds; it cannot be fed (measured with the loaders of 2.21).
@pytest.mark.parametrize(
    ("side", "text", "severity"),
    [("outputs", "", "error"), ("outputs", "x", "error"), ("inputs", "", "error"), ("inputs", "x", "error")],
)
@pytest.mark.parametrize("model", ["v1_functions", "linear"])
def test_an_entry_must_name_a_tensor(model: str, side: str, text: str, severity: str) -> None:
    found = read(SAVED / model)
    metagraph = found.metagraphs[0]
    entry = next(iter(getattr(metagraph.signatures["serving_default"], side).values()))
    node = metagraph.graph.nodes[0].name if text else ""
    entry.mention = Mention("node", node, metagraph.graph, "")
    assert severities(found, "signature-tensor") == [severity]


def test_an_entry_made_of_a_value_gets_its_port_later() -> None:
    found = read(SAVED / "v1_functions")
    entry = next(iter(found.metagraphs[0].signatures["serving_default"].outputs.values()))
    assert entry.mention is not None
    target = entry.mention.target
    assert target is not None
    entry.mention = Mention.of(target, "")
    assert severities(found, "signature-tensor") == []


def test_an_init_op_has_one_key() -> None:
    found = read(SAVED / "linear")
    metagraph = found.metagraphs[0]
    init = metagraph.signatures.get("__saved_model_init_op")
    assert init is not None
    assert severities(found, "signature-key") == []
    outputs = {"other": next(iter(init.outputs.values()))}
    metagraph.signatures["__saved_model_init_op"] = Signature(init.key, init.graph, {}, outputs)
    assert severities(found, "signature-key") == ["error"]
