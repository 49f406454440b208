"""What freezing makes of small graphs, and what it refuses; numbers are compared in tests/oracle."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphsurgeon import FileError, FormatError, UnsupportedError, UsageError, read, write
from graphsurgeon.disk.files import FileRange, open_source
from graphsurgeon.model import Model, Shape, Tensor, Variable
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.surgery.freeze import freeze
from tests.surgery.graphs import FLOAT, constant, graph_model, node, placeholder, read_variable, spelled, variable

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "savedmodel"
VALUES = {"v": [1.0, 2.0], "w": [3.0, 4.0]}


def ops(model: Model) -> dict[str, list[str]]:
    return spelled(model.metagraphs[0].graph)


def test_a_read_becomes_an_identity_of_one_constant(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path, placeholder("x"), variable("v"), read_variable("r1", "v"), read_variable("r2", "v"),
        node("y", "AddV2", "r1", "r2", **FLOAT), node("z", "Mul", "y", "x", **FLOAT), values=VALUES,
    )  # fmt: skip
    report = freeze(model, outputs=["z"])
    assert ops(model) == {
        "x": ["Placeholder"],
        "v": ["Const"],
        "r1": ["Identity", "v:0"],
        "r2": ["Identity", "v:0"],
        "y": ["AddV2", "r1:0", "r2:0"],
        "z": ["Mul", "y:0", "x:0"],
    }
    assert (report.feeds, report.fetches, report.variables) == ({"x": "x:0"}, {"z": "z:0"}, 1)
    value = model.metagraphs[0].graph.node("v").attrs["value"]  # type: ignore[union-attr]
    assert isinstance(value, Tensor)
    assert value.items() == [1.0, 2.0]


def test_two_handles_of_one_variable_become_one_constant(tmp_path: Path) -> None:
    twin = node("twin", "VarHandleOp", dtype="type: DT_FLOAT", shape="shape { dim { size: 2 } }", shared_name='s: "v"')
    model = graph_model(
        tmp_path, variable("v"), twin, read_variable("a", "v"), read_variable("b", "twin"),
        node("y", "AddV2", "a", "b", **FLOAT), values=VALUES,
    )  # fmt: skip
    freeze(model, outputs=["y"])
    assert ops(model)["a"] == ops(model)["b"] == ["Identity", "v:0"]


def test_a_write_that_nobody_sees_is_dropped_and_told(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path, variable("v"), read_variable("before", "v"), constant("one", "float_val: 1"),
        node("bump", "AssignAddVariableOp", "v", "one", "^before", dtype="type: DT_FLOAT"),
        node("y", "Identity", "before", "^bump", **FLOAT), values=VALUES,
    )  # fmt: skip
    report = freeze(model, outputs=["y"])
    assert ops(model) == {"v": ["Const"], "before": ["Identity", "v:0"], "y": ["Identity", "before:0"]}
    assert report.dropped_writes == ("bump (AssignAddVariableOp)",)
    assert report.state == ("'v'",)  # the next call would have read it


def test_a_read_behind_a_write_is_refused_and_nothing_has_changed(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path, variable("v"), constant("one", "float_val: 1"),
        node("bump", "AssignAddVariableOp", "v", "one", dtype="type: DT_FLOAT"),
        read_variable("after", "v", "^bump"), values=VALUES,
    )  # fmt: skip
    before = ops(model)
    with pytest.raises(UnsupportedError, match=r"'v' is changed by 'bump'.*before 'after'"):
        freeze(model, outputs=["after"])
    assert ops(model) == before
    assert model.checkpoint is not None


def test_an_assertion_keeps_its_control_edge(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path, placeholder("x"), placeholder("ok", "DT_BOOL"), node("idle", "NoOp", "^x"),
        node("check", "Assert", "ok", "x", T="list { type: DT_FLOAT }"), node("both", "NoOp", "^check", "^idle"),
        node("y", "Identity", "x", "^both", **FLOAT), values={},
    )  # fmt: skip
    freeze(model, outputs=["y"])
    assert ops(model)["y"] == ["Identity", "x:0", "^check"]


def test_references_become_values_in_branches(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path, placeholder("p", "DT_BOOL"), variable("v", "VariableV2"),
        node("s", "RefSwitch", "v", "p", **FLOAT), node("t", "Identity", "s:1", **FLOAT),
        constant("one", "float_val: 1", "DT_FLOAT", "^t"), node("write", "AssignSub", "s:1", "one", **FLOAT),
        node("f", "Identity", "s", **FLOAT), node("taken", "Identity", "t", "^write", **FLOAT),
        node("m", "Merge", "f", "taken", N="i: 2", **FLOAT), values=VALUES,
    )  # fmt: skip
    report = freeze(model, outputs=["m"])
    after = ops(model)
    assert after["s"] == ["Switch", "v:0", "p:0"]
    assert after["write"][0] == "NoOp"
    assert set(after["write"][1:]) == {"^t", "^one"}  # in the branch, as the write was
    assert after["taken"] == ["Identity", "t:0", "^write"]
    assert report.dropped_writes == ("write (AssignSub)",)
    assert report.state == ()  # `p` says whether it changes


def test_a_constant_predicate_leaves_one_branch(tmp_path: Path) -> None:
    nodes = [
        placeholder("x"), placeholder("p", "DT_BOOL", ""), node("not", "LogicalNot", "p"),
        node("s", "Switch", "x", "not", **FLOAT), node("a", "Relu", "s", **FLOAT), node("b", "Tanh", "s:1", **FLOAT),
        node("m", "Merge", "a", "b", N="i: 2", **FLOAT),
        node("y", "Identity", "m", **FLOAT), node("which", "Identity", "m:1", T="type: DT_INT32"),
    ]  # fmt: skip
    model = graph_model(tmp_path, *nodes)
    freeze(model, outputs=["y", "which"], set_values={"p": "true"})
    after = ops(model)
    assert [after[name][0] for name in ("s", "a", "m", "m/value_index")] == ["Identity", "Relu", "Identity", "Const"]
    assert "b" not in after
    assert after["which"] == ["Identity", "m/value_index:0"]
    with pytest.raises(UnsupportedError, match=r"output 'b' .* never taken"):
        freeze(graph_model(tmp_path, *nodes), outputs=["b"], set_values={"p": True})


FUNCTION = """
library {{ function {{
  signature {{ name: "f" input_arg {{ name: "a" type: DT_RESOURCE }} input_arg {{ name: "b" type: DT_FLOAT }}
    output_arg {{ name: "c" type: DT_FLOAT }} {control} }}
  node_def {{ name: "read" op: "ReadVariableOp" input: "a" attr {{ key: "dtype" value {{ type: DT_FLOAT }} }} }}
  node_def {{ name: "sum" op: "AddV2" input: "read:value:0" input: "b" attr {{ key: "T" value {{ type: DT_FLOAT }} }} }}
  {body}
  ret {{ key: "c" value: "sum:z:0" }}
}} }}
"""
CALL = node(
    "call", "StatefulPartitionedCall", "v", "x", Tin="list { type: DT_RESOURCE type: DT_FLOAT }",
    Tout="list { type: DT_FLOAT }", f='func { name: "f" }',
)  # fmt: skip


def test_a_call_is_inlined(tmp_path: Path) -> None:
    library = FUNCTION.format(control="", body="")
    model = graph_model(tmp_path, placeholder("x"), variable("v"), CALL, library=library, values=VALUES)
    report = freeze(model, outputs=["call"])
    assert ops(model) == {
        "x": ["Placeholder"],
        "v": ["Const"],
        "call/read": ["Identity", "v:0"],
        "call/sum": ["AddV2", "call/read:0", "x:0"],
        "call": ["Identity", "call/sum:0"],
    }
    assert report.functions == ()


def test_recursion_is_refused(tmp_path: Path) -> None:
    body = """node_def { name: "again" op: "StatefulPartitionedCall" input: "a" input: "sum:z:0"
      attr { key: "Tin" value { list { type: DT_RESOURCE type: DT_FLOAT } } }
      attr { key: "Tout" value { list { type: DT_FLOAT } } } attr { key: "f" value { func { name: "f" } } } }"""
    library = FUNCTION.format(control="", body=body).replace('value: "sum:z:0"', 'value: "again:output:0"')
    model = graph_model(tmp_path, placeholder("x"), variable("v"), CALL, library=library, values=VALUES)
    with pytest.raises(UnsupportedError, match="'f' calls itself"):
        freeze(model, outputs=["call"])


def test_missing_values_are_listed_with_near_names(tmp_path: Path) -> None:
    model = graph_model(tmp_path, variable("kernel"), read_variable("r", "kernel"), values={"kernels": [1.0, 2.0]})
    with pytest.raises(FileError, match="no value for variable 'kernel'; did you mean 'kernels'"):
        freeze(model, outputs=["r"])
    bare = graph_model(tmp_path, variable("kernel"), read_variable("r", "kernel"))
    with pytest.raises(FileError, match="variable 'kernel' has no value: there is no checkpoint; give --checkpoint"):
        freeze(bare, outputs=["r"])


def test_values_of_another_shape_are_refused(tmp_path: Path) -> None:
    model = graph_model(tmp_path, variable("v"), read_variable("r", "v"), values={"v": [1.0]})
    with pytest.raises(FormatError, match=r"'v', checkpoint key 'v': the graph asks for shape \[2\], stored is \[1\]"):
        freeze(model, outputs=["r"])


def test_a_flipped_bit_leaves_no_output(tmp_path: Path) -> None:
    import shutil

    shutil.copytree(FIXTURES / "linear", tmp_path / "model")
    shard = tmp_path / "model" / "variables" / "variables.data-00000-of-00001"
    data = bytearray(shard.read_bytes())
    data[3] ^= 1  # inside the first tensor
    shard.write_bytes(data)
    model = read(tmp_path / "model")
    freeze(model)
    with pytest.raises(FormatError, match=r"w/.ATTRIBUTES/VARIABLE_VALUE: the 48 bytes at byte 0 do not match"):
        write(model, tmp_path / "frozen.pb")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_dropped_writes_are_told_in_the_order_of_the_graph(tmp_path: Path) -> None:
    names = [f"bump{number}" for number in range(8)]
    bumps = [node(name, "AssignAddVariableOp", "v", "one", "^before", dtype="type: DT_FLOAT") for name in names]
    model = graph_model(
        tmp_path, variable("v"), read_variable("before", "v"), constant("one", "float_val: 1"), *bumps,
        node("y", "Identity", "before", *(f"^{name}" for name in names), **FLOAT), values=VALUES,
    )  # fmt: skip
    assert freeze(model, outputs=["y"]).dropped_writes == tuple(f"{name} (AssignAddVariableOp)" for name in names)


def test_a_tensor_inside_a_function_is_told_apart_from_one_that_is_not_there() -> None:
    with pytest.raises(UsageError, match=r"'add' is a tensor of function '__inference.*not of the main graph") as found:
        freeze(read(FIXTURES / "linear"), outputs=["add"])
    assert "gs add-output" in found.value.hint


def test_inputs_are_known_by_their_keys_too() -> None:
    """The placeholder of a TensorFlow 2 signature is called `serving_default_x`; users know the key `x`."""
    model = read(FIXTURES / "linear")
    report = freeze(model, set_values={"x": "[[1, 2, 3, 4]]"}, keep_names=True)
    assert report.feeds == {}
    value = model.metagraphs[0].graph.node("serving_default_x")
    assert value is not None
    assert value.op == "Const"
    assert freeze(read(FIXTURES / "linear"), inputs=["x"]).feeds == {"x": "x:0"}
    assert freeze(read(FIXTURES / "linear"), inputs=["serving_default_x"]).feeds == {
        "serving_default_x": "serving_default_x:0"
    }
    with pytest.raises(UsageError, match="has no node 'z'"):
        freeze(read(FIXTURES / "linear"), set_values={"z": 1})


def test_variables_are_known_by_their_keys_too(tmp_path: Path) -> None:
    """Variables of TensorFlow 2 are called `Variable_3` at run time; users know the path that is their key."""
    with pytest.raises(UnsupportedError, match=r"'Variable' \(key 'table/.ATTRIBUTES/VARIABLE_VALUE'\) is"):
        freeze(read(FIXTURES / "embedding"), signature="forget")
    assert freeze(read(FIXTURES / "embedding"), signature="forget", keep_vars="^table/").variables == 0


def test_what_loading_assigns_does_not_stay() -> None:
    report = freeze(read(FIXTURES / "table_asset"), keep_vars=".")
    assert (report.variables, report.kept_variables) == (1, ("Variable_2",))  # the other holds the path of the asset
    with pytest.raises(UsageError, match="no variable that the outputs need and a checkpoint restores"):
        freeze(read(FIXTURES / "v1_shared_names"), keep_vars=".")


def test_variables_may_stay(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path, variable("v"), variable("w"), read_variable("a", "v"), read_variable("b", "w"),
        node("y", "AddV2", "a", "b", **FLOAT), values=VALUES,
    )  # fmt: skip
    report = freeze(model, outputs=["y"], keep_vars="^w$")
    assert (report.variables, report.kept_variables) == (1, ("w",))
    assert ops(model)["w"] == ["VarHandleOp"]
    assert ops(model)["b"] == ["ReadVariableOp", "w:0"]
    with pytest.raises(UsageError, match="no variable that the outputs need"):
        freeze(graph_model(tmp_path, placeholder("x")), outputs=["x"], keep_vars="nothing")


def test_what_is_cut_becomes_an_input(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path, placeholder("x"), node("a", "Relu", "x", **FLOAT), node("parts", "Unpack", "a", num="i: 2", **FLOAT),
        node("y", "AddV2", "parts", "parts:1", **FLOAT),
    )  # fmt: skip
    report = freeze(model, outputs=["y"], inputs=["parts:1"])
    assert report.feeds == {"parts:1": "parts_1:0", "x": "x:0"}
    assert ops(model)["y"] == ["AddV2", "parts:0", "parts_1:0"]


def test_signature_keys_become_names() -> None:
    model = read(FIXTURES / "linear")
    report = freeze(model)
    assert (report.feeds, report.fetches) == ({"x": "x:0"}, {"output_0": "output_0:0"})
    kept = freeze(read(FIXTURES / "linear"), keep_names=True)
    assert (kept.feeds, kept.fetches) == ({"x": "serving_default_x:0"}, {"output_0": "StatefulPartitionedCall:0"})


@pytest.mark.parametrize("no_lowering", [False, True])
def test_sessions_may_lower_loops_or_not(no_lowering: bool) -> None:
    model = read(FIXTURES / "control_flow")
    freeze(model, no_lowering=no_lowering)
    runners = [node for graph in model.graphs for node in graph.nodes if node.functions]
    assert {node.attrs.get("_lower_using_switch_merge") for node in runners} == {not no_lowering}


def test_odd_keys_become_valid_names() -> None:
    model = read(FIXTURES / "odd_names")
    report = freeze(model, signature="a.b/c d")
    assert all(" " not in tensor for tensor in (*report.feeds.values(), *report.fetches.values()))


def test_an_output_may_be_a_key() -> None:
    assert freeze(read(FIXTURES / "keras_export"), outputs=["key:probs"]).fetches == {"probs": "probs:0"}
    assert freeze(read(FIXTURES / "keras_export"), outputs=["probs"], signature="serve").feeds == {"image": "image:0"}
    with pytest.raises(UsageError, match="no tensor and no signature output 'prob'; did you mean 'probs'"):
        freeze(read(FIXTURES / "keras_export"), outputs=["prob"])


def test_a_placeholder_left_open_is_named() -> None:
    with pytest.raises(UsageError, match=r"need 'is_training'.*--set is_training=VALUE"):
        freeze(read(FIXTURES / "v1_unfed_placeholder"))
    report = freeze(read(FIXTURES / "v1_unfed_placeholder"), set_values={"is_training": False})
    assert "is_training" not in report.feeds


def test_tables_fill_themselves() -> None:
    model = read(FIXTURES / "table_asset")
    report = freeze(model)
    graph = model.metagraphs[0].graph
    assert len(report.tables) == 1
    fills = [node for node in graph.nodes if node.op == "LookupTableImportV2"]
    keys = fills[0].inputs[1].producer.attrs["value"]  # type: ignore[union-attr]
    assert isinstance(keys, Tensor)
    assert keys.items() == [b"the", b"quick", b"brown", b"fox", "café".encode()]
    assert all("shared_name" not in node.attrs for node in graph.nodes if node.op == "HashTableV2")


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    model = read(FIXTURES / "many_dtypes")
    source = model.checkpoint
    assert source is not None
    freeze(model)
    write(model, tmp_path / "frozen.pb")
    constants = {
        node.name: node.attrs["value"]
        for node in read(tmp_path / "frozen.pb").metagraphs[0].graph.nodes
        if node.op == "Const"
    }
    stored = sorted(v.tensor.tobytes() for v in source.variables.values() if v.tensor.dtype.bits)
    found = [tensor.tobytes() for tensor in constants.values() if isinstance(tensor, Tensor) and tensor.dtype.bits]
    assert all(data in found for data in stored)


def test_unknown_ops_are_kept_and_so_is_the_function_that_names_their_outputs(tmp_path: Path) -> None:
    body = 'node_def { name: "odd" op: "NobodyKnows" input: "b" }'
    library = FUNCTION.format(control="", body=body).replace(
        'input: "read:value:0" input: "b"', 'input: "read:value:0" input: "odd:second:1"'
    )
    model = graph_model(
        tmp_path, placeholder("x"), variable("v"), node("strange", "NobodyKnows", "x"),
        CALL.replace('input: "x"', 'input: "strange:2"'), library=library, values=VALUES,
    )  # fmt: skip
    report = freeze(model, outputs=["call"])
    assert report.functions == ("f",)
    assert ops(model)["call"] == ["StatefulPartitionedCall", "v:0", "strange:2"]
    function = model.metagraphs[0].functions["f"]
    assert [str(value.dtype) for value in function.inputs] == ["float32", "float32"]
    assert spelled(function)["read"] == ["Identity", "a"]
    write(model, tmp_path / "frozen.pb")
    again = read(tmp_path / "frozen.pb").metagraphs[0]
    assert spelled(again.functions["f"])["sum"] == ["AddV2", "read:0", "odd:second:1"]


@pytest.mark.parametrize(
    ("path", "message"), [("tflite/float.tflite", "constants already"), ("checkpoint/snappy", "no graph; gs weights")]
)
def test_what_has_no_variables_in_a_graph_is_not_frozen(path: str, message: str) -> None:
    with pytest.raises(UnsupportedError, match=message):
        freeze(read(FIXTURES.parent / path))


class _OnDisk:
    """Values in a file with a hole in it, which nobody may read: what is refused is refused before."""

    def __init__(self, path: Path, nbytes: int) -> None:
        path.touch()
        os.truncate(path, nbytes)
        self.nbytes = nbytes
        self.place = FileRange(open_source(path), 0, nbytes)

    def ranges(self) -> list[FileRange]:
        return [self.place]

    def chunks(self) -> Iterator[bytes]:
        raise AssertionError("read")

    def strings(self) -> list[bytes]:
        raise AssertionError("read")


@pytest.mark.parametrize("target", ["frozen.pb", "frozen"])
def test_a_result_over_2_gb_is_refused_before_it_is_written(target: str, tmp_path: Path) -> None:
    model = graph_model(
        tmp_path, variable("v").replace("size: 2", "size: 600000000"), read_variable("y", "v"), values={}
    )
    assert model.checkpoint is not None
    model.checkpoint.variables["v"] = Variable(
        "v", Tensor(FLOAT32, Shape([600_000_000]), _OnDisk(tmp_path / "weights", 2_400_000_000))
    )
    freeze(model, outputs=["y"])
    with pytest.raises(UnsupportedError, match=r"the result would have 2400000\d+ bytes.*--keep-vars") as found:
        write(model, tmp_path / target)
    assert "\n" not in str(found.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["graph.pbtxt", "weights"]


def test_calls_that_multiply_are_refused_at_once() -> None:
    with pytest.raises(UnsupportedError, match=r"inlining 'f\d+' and what it calls would give more than 100,328 nodes"):
        freeze(read(FIXTURES.parent / "hostile" / "exponential_calls.pb"), outputs=["y"])


@pytest.mark.parametrize("keep_names", [False, True])
def test_two_keys_of_one_tensor_both_stand_in_the_report(keep_names: bool) -> None:
    model = read(FIXTURES / "v1_methods")
    signature = model.metagraphs[0].signatures["regress"]
    for entries in (signature.inputs, signature.outputs):
        entries["again"] = next(iter(entries.values()))
    report = freeze(model, signature="regress", keep_names=keep_names)
    for found, entries in ((report.feeds, signature.inputs), (report.fetches, signature.outputs)):
        assert set(found) == set(entries)
        assert len(set(found.values())) == 1 or not keep_names
    assert len({model.graph.value(name) for name in report.feeds.values()}) == 1
    assert None not in {model.graph.value(name) for name in report.fetches.values()}
