"""Kinds of ops: that they name ops, and that forms that are alike stand together."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from graphsurgeon.analysis.flow.effects import Effects, acts
from graphsurgeon.checks.graphs.calls import call_arguments
from graphsurgeon.model import Tensor
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.graph import Node
from graphsurgeon.ops import catalog, kinds
from graphsurgeon.ops.tflite import builtins
from graphsurgeon.surgery.moves.branches.bind_constants import bind_constants
from graphsurgeon.surgery.moves.branches.fold_predicates import fold_predicates
from tests.surgery.graphs import graph_model, node, placeholder

SETS = {
    name: frozenset(ops) for name, ops in vars(kinds).items() if name.isupper() and isinstance(ops, frozenset | dict)
}
# Of other libraries, or of old versions: see there.
UNKNOWN = {"AutoReloadVariable", *kinds.TRT_ENGINES, *kinds.TRT_RESOURCES}
PAIRS = {plain: ref for ref, plain in kinds.VALUE_FORMS.items() if plain != "Identity"}


@pytest.mark.parametrize("name", SETS)
def test_they_are_ops(name: str) -> None:
    assert SETS[name] - catalog.names() - set(builtins()) <= UNKNOWN


@pytest.mark.parametrize("name", [name for name, ops in SETS.items() if not ops.isdisjoint(PAIRS)])
def test_a_form_on_references_stands_with_its_plain_form(name: str) -> None:
    assert {ref for plain, ref in PAIRS.items() if plain in SETS[name]} <= SETS[name]


@pytest.mark.parametrize(
    ("plain", "other"), [("While", "_While"), ("If", "_If"), ("StatefulPartitionedCall", "TPUPartitionedCall")]
)
def test_a_form_of_the_runtime_stands_with_its_plain_form(plain: str, other: str) -> None:
    assert {name for name, ops in SETS.items() if plain in ops and other not in ops} <= {"PLAIN_CALLS"}


def test_a_first_version_has_a_second_of_the_same_arguments() -> None:
    for op in kinds.TABLES_BY_REFERENCE:
        first, second = catalog.get(op), catalog.get(f"{op}V2")
        assert first is not None
        assert second is not None
        assert len(first.inputs) == len(second.inputs)
        assert first.attrs.keys() == second.attrs.keys()


def test_the_layout_of_what_saves_is_that_of_its_definition() -> None:
    for op, layout in kinds.SAVES.items():
        definition = catalog.get(op)
        assert definition is not None
        assert len(definition.inputs) == layout.first + 1
        assert definition.inputs[-1].type_list_attr == layout.types


@pytest.mark.parametrize(
    ("question", "yes", "no"),
    [
        (kinds.is_optimizer, "ApplyAdam ResourceApplyMomentum ResourceSparseApplyFtrlV2", "Apply AssignAdd"),
        (kinds.is_gradient, "ReluGrad MaxPoolGradV2 Conv2DBackpropFilter", "Conv2DBackpropInput Relu"),
        (kinds.is_training, "ApplyAdam ReluGrad SoftmaxCrossEntropyWithLogits", "Softmax"),
        (kinds.is_summary, "ScalarSummary TensorSummaryV2 CreateSummaryFileWriter", "Sum"),
        (kinds.is_pipeline, "FIFOQueueV2 MapDataset IteratorGetNext Stage", "Identity"),
        (kinds.is_saver, "SaveV2 RestoreSlice ShardedFilename", "SaveDataset"),
        (kinds.is_filler, "InitializeTableV2 MakeIterator LookupTableImportV2", "HashTableV2"),
        (kinds.is_service, "Assert NoOp Const VarIsInitializedOp Placeholder", "Relu Softmax"),
    ],
)  # fmt: skip
def test_what_a_name_says(question: object, yes: str, no: str) -> None:
    assert [op for op in yes.split() if not question(op)] == []  # type: ignore[operator]
    assert [op for op in no.split() if question(op)] == []  # type: ignore[operator]


BODY = """library { function {
    signature { name: "body" input_arg { name: "x" type: DT_FLOAT } output_arg { name: "y" type: DT_FLOAT } }
    node_def { name: "n" op: "Relu" input: "x" attr { key: "T" value { type: DT_FLOAT } } }
    ret { key: "y" value: "n:activations:0" }
} function {
    signature { name: "cond" input_arg { name: "x" type: DT_FLOAT } output_arg { name: "y" type: DT_BOOL } }
    node_def { name: "c" op: "Const" attr { key: "dtype" value { type: DT_BOOL } }
        attr { key: "value" value { tensor { dtype: DT_BOOL tensor_shape {} bool_val: true } } } }
    ret { key: "y" value: "c:output:0" }
} }
"""
FLOATS = "list { type: DT_FLOAT }"


def first(folder: Path, *nodes: str) -> Node:
    """Return the last of some nodes of a graph with a function `body`, a Relu, and `cond`, true."""
    return graph_model(folder, placeholder("x"), *nodes, library=BODY).metagraphs[0].graph.nodes[-1]


def test_the_device_of_a_call_is_none_of_its_arguments(tmp_path: Path) -> None:
    call = node("y", "TPUPartitionedCall", "x", "device", Tin=FLOATS, Tout=FLOATS, f='func { name: "body" }')
    found = first(tmp_path, placeholder("device", "DT_INT32"), call)
    assert list(call_arguments(found.graph.metagraph)) == []
    found.inputs = [*found.inputs[:1], *found.inputs]
    assert [finding.rule for finding in call_arguments(found.graph.metagraph)] == ["call-types"]


@pytest.mark.parametrize("op", ["While", "StatelessWhile", "_While"])
def test_a_constant_is_not_bound_to_what_a_loop_changes(tmp_path: Path, op: str) -> None:
    loop = node("y", op, "x", T=FLOATS, cond='func { name: "cond" }', body='func { name: "body" }')
    found = first(tmp_path, loop)
    metagraph = found.graph.metagraph
    body = metagraph.functions["body"]
    bind_constants(metagraph, found, {0: Tensor.of(FLOAT32, (), [1.0])}, Counter())
    assert len(body.inputs[0].consumers) == 1


@pytest.mark.parametrize("op", ["If", "StatelessIf", "_If"])
def test_a_decided_branch_becomes_a_call(tmp_path: Path, op: str) -> None:
    branches = dict.fromkeys(("then_branch", "else_branch"), 'func { name: "body" }')
    true = node("p", "Const", dtype="type: DT_BOOL", value="tensor { dtype: DT_BOOL tensor_shape {} bool_val: true }")
    branch = node("y", op, "p", "x", Tcond="type: DT_BOOL", Tin=FLOATS, Tout=FLOATS, **branches)
    found = first(tmp_path, true, branch)
    assert fold_predicates(found.graph) == [found]
    assert found.op == "StatefulPartitionedCall"
    assert [str(value) for value in found.inputs] == ["x:0"]


@pytest.mark.parametrize("op", ["While", "_While", "If", "_If", "TPUPartitionedCall"])
def test_what_runs_functions_acts_as_they_do(tmp_path: Path, op: str) -> None:
    assert not acts(op)
    ref = 'func { name: "body" }'
    found = first(tmp_path, node("y", op, "x", "x", body=ref, cond=ref, f=ref, then_branch=ref, else_branch=ref))
    assert not Effects().of_node(found)
