"""How many weights there are: each variable once, numbers only."""

from __future__ import annotations

from pathlib import Path

from graphsurgeon import read
from graphsurgeon.analysis.stored_weights.weight_totals import summarize_constants, summarize_variables
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import FLOAT32, STRING
from graphsurgeon.model.objects import ObjectGraph, ObjectNode
from graphsurgeon.model.tensor import Tensor

END = "/.ATTRIBUTES/VARIABLE_VALUE"


def checkpoint(names: dict[str, str]) -> Checkpoint:
    """Return variables of three numbers by key, with the names that the object graph gives them."""
    tensors = {f"{path}{END}": Tensor.of(FLOAT32, [3], [0.0] * 3) for path in names}
    found = Checkpoint("x", 2, {key: Variable(key, tensor) for key, tensor in tensors.items()})
    nodes = []
    for path, name in names.items():
        node = ObjectNode("")
        node.attributes = [("VARIABLE_VALUE", name, f"{path}{END}")]
        nodes.append(node)
    found.objects = ObjectGraph(nodes, [])
    return found


def test_second_copies_of_keras_exports_are_counted_once() -> None:
    summary = summarize_variables(
        checkpoint({"variables/0": "a/kernel", "_all_variables/1": "a/kernel", "_all_variables/0": "only/here"})
    )
    assert (summary.count, summary.repeated, summary.parameters, summary.bytes) == (3, 1, 6, 36)
    assert [(scope.scope, scope.parameters) for scope in summary.scopes] == [("a", 3), ("only", 3)]


def test_one_name_does_not_make_one_variable() -> None:
    summary = summarize_variables(checkpoint({"mean/average": "ema/average", "variance/average": "ema/average"}))
    assert (summary.repeated, summary.parameters) == (0, 6)


def test_exported_model_has_the_parameters_that_it_was_built_with(fixtures_dir: Path) -> None:
    model = read(fixtures_dir / "savedmodel" / "keras_export")
    assert model.checkpoint is not None
    summary = summarize_variables(model.checkpoint)
    assert summary.repeated == sum(key.startswith("_all_variables/") for key in model.checkpoint.variables) > 0
    expected = {"stem": 108, "depthwise": 40, "pointwise": 20, "stem_bn": 16, "embedding": 25, "probs": 18}
    assert {scope.scope: scope.parameters for scope in summary.scopes} == expected | {"seed_generator": 2}


def test_states_of_random_numbers_are_no_parameters() -> None:
    names = {"k": "dense/kernel", "s": "dropout/seed_generator/seed_generator_state", "r": "StateVar"}
    summary = summarize_variables(checkpoint(names))
    assert (summary.count, summary.parameters) == (3, 3)


def test_text_is_no_parameter() -> None:
    text = Checkpoint("x", 2, {"v": Variable("v", Tensor.of(STRING, [2], [b"ab", b"c"]))})
    assert (summarize_variables(text).count, summarize_variables(text).parameters) == (1, 0)


def test_constants_of_sixteen_numbers_and_more(fixtures_dir: Path) -> None:
    model = read(fixtures_dir / "graphdef" / "cnn.pb")
    summary = summarize_constants(model.graphs)
    assert summary is not None
    assert (summary.count, summary.parameters, summary.bytes) == (4, 180, 720)
    assert not any(graph.is_lifted for graph in model.graphs)
    small = summarize_constants(read(fixtures_dir / "graphdef" / "linear.pb").graphs)
    assert small is not None
    assert (small.count, small.small) == (0, 2)
