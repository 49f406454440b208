"""What setting inputs makes of small graphs, and what it refuses; numbers are compared in tests/oracle."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import UnsupportedError, UsageError, read, write
from graphsurgeon.model import Model, Shape
from graphsurgeon.surgery.add_signature import add_signature
from graphsurgeon.surgery.set_input import set_input
from tests.formats.stablehlo.test_modules import data_of
from tests.formats.stablehlo.test_nodes import save
from tests.surgery.graphs import FLOAT, constant, graph_model, node, placeholder, spelled

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def branches(folder: Path) -> Model:
    return graph_model(
        folder, placeholder("x"), placeholder("phase", "DT_BOOL"),
        node("unused", "Identity", "phase", T="type: DT_BOOL"),
        node("s", "Switch", "x", "phase", **FLOAT), constant("half", "float_val: 0.5", "DT_FLOAT", "^on"),
        node("on", "Identity", "s:1", **FLOAT), node("a", "Mul", "on", "half", **FLOAT),
        node("m", "Merge", "s", "a", N="i: 2", **FLOAT), node("y", "Relu", "m", **FLOAT),
        node("c", "Select", "phase", "x", "y", **FLOAT),
    )  # fmt: skip


def test_a_constant_decides_branches_and_orphans_go(tmp_path: Path) -> None:
    model = branches(tmp_path)
    report = set_input(model, set_values={"phase": "false"})
    assert spelled(model.metagraphs[0].graph) == {
        "x": ["Placeholder"],
        "phase": ["Const"],
        "unused": ["Identity", "phase:0"],  # nobody read it before, so it is an output perhaps
        "s": ["Identity", "x:0"],
        "m": ["Identity", "s:0"],
        "y": ["Relu", "m:0"],
        "c": ["Identity", "y:0"],
    }
    assert sorted(report.removed_nodes) == ["a", "half", "on"]
    assert report.inputs[0].constant == "False"


def test_a_new_dtype_is_cast_back(tmp_path: Path) -> None:
    model = branches(tmp_path)
    set_input(model, dtypes={"x": "uint8"}, shapes={"x": [None, 3]})
    after = spelled(model.metagraphs[0].graph)
    assert after["s"] == ["Switch", "x/cast:0", "phase:0"]
    assert after["x/cast"] == ["Cast", "x:0"]
    x = model.metagraphs[0].graph.node("x")
    assert x is not None
    assert (str(x.attrs["dtype"]), x.attrs["shape"]) == ("uint8", Shape([None, 3]))


def test_a_contradiction_is_told_with_its_place(tmp_path: Path) -> None:
    shape = "tensor { dtype: DT_INT32 tensor_shape { dim { size: 2 } } int_val: 1 int_val: 6 }"
    model = graph_model(
        tmp_path, placeholder("x", dims="1,2,3"), node("dims", "Const", dtype="type: DT_INT32", value=shape),
        node("flat", "Reshape", "x", "dims", Tshape="type: DT_INT32", **FLOAT),
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"flat: .*24.*; --allow-contradictions writes it all the same"):
        set_input(model, shapes={"x": [4, 2, 3]})
    assert model.graph["x"].attrs["shape"] == Shape([1, 2, 3])
    report = set_input(model, shapes={"x": [4, 2, 3]}, allow_contradictions=True)
    assert [found.where for found in report.contradictions] == ["flat"]
    assert "24" in report.contradictions[0].what


def test_a_new_dtype_does_not_hide_what_contradicts_the_new_shape(tmp_path: Path) -> None:
    pair = "tensor { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1 }"
    two = node("two", "Const", dtype="type: DT_FLOAT", value=pair)
    total = node("sum", "AddV2", "x", "two", **FLOAT)
    model = graph_model(tmp_path, placeholder("x", dims="-1,2"), two, total)
    with pytest.raises(UnsupportedError, match=r"sum: .*--allow-contradictions"):
        set_input(model, shapes={"x": [1, 3]}, dtypes={"x": "uint8"})
    assert [one.op for one in model.graph.nodes] == ["Placeholder", "Const", "AddV2"]
    assert set_input(model, shapes={"x": [7, 2]}, dtypes={"x": "uint8"}).contradictions == ()


def test_a_recorded_shape_that_follows_is_no_contradiction(tmp_path: Path) -> None:
    recorded = "list { shape { dim { size: 1 } dim { size: 2 } } }"
    y = node("y", "Relu", "x", _output_shapes=recorded, **FLOAT)
    report = set_input(graph_model(tmp_path, placeholder("x", dims="1,2"), y), shapes={"x": [3, 5]})
    assert (report.contradictions, report.recorded_shapes) == ((), 1)


def function(name: str, *nodes: str, result: str) -> str:
    """Write a function of one float argument `a`, recorded as [?,2], and one float result `r`."""
    shape = "list { shape { dim { size: -1 } dim { size: 2 } } }"
    body = "".join(one.replace("node {", "node_def {", 1) for one in nodes)
    signature = f'name: "{name}" input_arg {{ name: "a" type: DT_FLOAT }} output_arg {{ name: "r" type: DT_FLOAT }}'
    recorded = f'arg_attr {{ key: 0 value {{ attr {{ key: "_output_shapes" value {{ {shape} }} }} }} }}'
    return f'function {{ signature {{ {signature} }} {body} ret {{ key: "r" value: "{result}" }} {recorded} }}\n'


@pytest.mark.parametrize("callees_first", [True, False])
def test_what_a_called_function_contradicts_is_told_wherever_it_stands(callees_first: bool, tmp_path: Path) -> None:
    def call(name: str, callee: str, value: str) -> str:
        types = dict.fromkeys(["Tin", "Tout"], "list { type: DT_FLOAT }")
        return node(name, "PartitionedCall", value, f=f'func {{ name: "{callee}" }}', **types)

    pair = "tensor { dtype: DT_FLOAT tensor_shape { dim { size: 2 } } float_val: 1 }"
    two = node("two", "Const", dtype="type: DT_FLOAT", value=pair)
    functions = [
        function("inner", two, node("sum", "AddV2", "a", "two:output:0", **FLOAT), result="sum:z:0"),
        function("middle", call("run", "inner", "a"), result="run:output:0"),
        function("outer", call("run", "middle", "a"), result="run:output:0"),
    ]
    library = "".join(functions if callees_first else reversed(functions))
    main = call("y", "outer", "x")
    model = graph_model(tmp_path, placeholder("x", dims="-1,2"), main, library=f"library {{ {library} }}")
    report = set_input(model, shapes={"x": [3, 5]}, allow_contradictions=True)
    assert [found.where for found in report.contradictions] == ["inner: sum"]


def test_a_signature_follows_and_is_no_contradiction() -> None:
    model = read(FIXTURES / "savedmodel" / "keras_export")
    report = set_input(model, shapes={"image": [1, 9, 9, 3]}, dtypes={"image": "uint8"})
    assert report.contradictions == ()
    entry = model.metagraphs[0].signatures["serving_default"].inputs["image"]
    assert (str(entry.dtype), entry.shape) == ("uint8", Shape([1, 9, 9, 3]))


def test_channels_that_do_not_fit_are_told_with_their_place() -> None:
    model = read(FIXTURES / "savedmodel" / "keras_export")
    report = set_input(model, shapes={"image": [1, 8, 8, 4]}, allow_contradictions=True)
    (found,) = report.contradictions
    assert found.where.endswith("functional_1/stem_1/convolution")
    assert found.what == "4 channels do not fit a filter for 3"


def test_predicates_are_seen_through_casts_and_sums(tmp_path: Path) -> None:
    model = graph_model(
        tmp_path, placeholder("x"), placeholder("phase", "DT_INT32", ""), constant("one", "int_val: 1", "DT_INT32"),
        node("next", "AddV2", "phase", "one", T="type: DT_INT32"),
        node("is", "Cast", "next", SrcT="type: DT_INT32", DstT="type: DT_BOOL"),
        node("s", "Switch", "x", "is", **FLOAT), node("a", "Relu", "s", **FLOAT), node("b", "Tanh", "s:1", **FLOAT),
        node("m", "Merge", "a", "b", N="i: 2", **FLOAT),
    )  # fmt: skip
    report = set_input(model, set_values={"phase": -1})
    assert "b" in report.removed_nodes
    assert spelled(model.metagraphs[0].graph)["a"] == ["Relu", "s:0"]


def test_recorded_shapes_follow(tmp_path: Path) -> None:
    shapes = "list { shape { dim { size: 1 } dim { size: 3 } } }"
    model = graph_model(tmp_path, placeholder("x", dims="1,3"), node("y", "Relu", "x", _output_shapes=shapes, **FLOAT))
    report = set_input(model, shapes={"x": [None, 3]})
    y = model.metagraphs[0].graph.node("y")
    assert y is not None
    assert y.attrs["_output_shapes"] == [Shape([None, 3])]
    assert report.recorded_shapes == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"set_values": {"y": 1}}, r"'y' \(Relu\) is no placeholder"),
        ({"set_values": {"z": 1}}, "no placeholder or signature input 'z'"),
        ({"set_values": {"phase": 2}}, "'phase' is bool, which cannot hold 2"),
        ({"set_values": {"x": "much"}}, "'x' is float32, which cannot hold 'much'"),
        ({"set_values": {"x": 1}, "dtypes": {"x": "int8"}}, "'x' is to be a constant"),
        ({"dtypes": {"x": "number"}}, "there is no dtype 'number'"),
        ({}, "nothing to set"),
    ],
)
def test_wrong_use(tmp_path: Path, arguments: dict[str, object], message: str) -> None:
    model = branches(tmp_path)
    before = spelled(model.metagraphs[0].graph)
    with pytest.raises(UsageError, match=message):
        set_input(model, **arguments)  # type: ignore[arg-type]
    assert spelled(model.metagraphs[0].graph) == before


def test_no_cast_from_text(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedError, match="no cast from string"):
        set_input(branches(tmp_path), dtypes={"x": "string"})


def test_an_output_that_would_never_come_is_protected() -> None:
    model = read(FIXTURES / "savedmodel" / "v1_cond_batch_norm_ref")
    metagraph = model.metagraphs[0]
    dead = next(one for one in metagraph.graph.nodes if one.op == "Switch").output(1)
    entry = next(iter(metagraph.signatures["serving_default"].outputs.values()))
    assert entry.mention is not None
    entry.mention._target = next(iter(dead.consumers)).output(0)
    switch = next(
        one.name for one in metagraph.graph.nodes if one.op == "Placeholder" and str(one.attrs["dtype"]) == "bool"
    )
    with pytest.raises(UnsupportedError, match="lies on a branch that is never taken"):
        set_input(model, set_values={switch: False})


def test_shapes_of_tflite_inputs() -> None:
    model = read(FIXTURES / "tflite" / "float.tflite")
    name = model.metagraphs[0].graph.inputs[0].name or ""
    before = model.metagraphs[0].graph.inputs[0].shape
    assert before is not None
    report = set_input(model, shapes={name: [5, *list(before)[1:]]})
    assert str(model.metagraphs[0].graph.inputs[0].shape).startswith("[5,")
    assert report.inputs[0].was_shape == before
    with pytest.raises(UnsupportedError, match="only shapes and dtypes of inputs"):
        set_input(model, set_values={name: 1})


def test_tensors_of_a_tflite_model_follow_its_input(tmp_path: Path) -> None:
    model = read(FIXTURES / "tflite" / "cnn_float.tflite")
    report = set_input(model, shapes={"image": [3, 16, 8, 3]})
    assert report.contradictions == ()
    write(model, tmp_path / "other.tflite")
    graph = read(tmp_path / "other.tflite").metagraphs[0].graph
    made = [str(value.shape) for node in graph.nodes for value in node.outputs]
    assert made == ["[3,8,4,4]", "[3,8,4,4]", "[3,4]", "[3,5]", "[3,5]"]


def test_a_tflite_operator_with_a_state_is_told(tmp_path: Path) -> None:
    model = read(FIXTURES / "tflite" / "lstm.tflite")
    before = model.metagraphs[0].graph.inputs[0].shape
    with pytest.raises(
        UnsupportedError, match=r"operator #0 \(UNIDIRECTIONAL_SEQUENCE_LSTM\): it keeps a state for one example"
    ):
        set_input(model, shapes={"#0": [3, *list(before or ())[1:]]})
    assert model.metagraphs[0].graph.inputs[0].shape == before


def test_channels_that_a_tflite_filter_does_not_take_are_refused() -> None:
    model = read(FIXTURES / "tflite" / "cnn_float.tflite")
    with pytest.raises(UnsupportedError, match=r"operator #0 \(CONV_2D\): .*; --allow-contradictions"):
        set_input(model, shapes={"image": [1, 8, 8, 4]})
    assert str(model.graph.inputs[0].shape) == "[1,8,8,3]"
    report = set_input(model, shapes={"image": [1, 8, 8, 4]}, allow_contradictions=True)
    assert [found.where for found in report.contradictions] == ["operator #0 (CONV_2D)"]


@pytest.mark.parametrize(("is_open", "notes"), [(True, 1), (False, 0)])
def test_a_program_of_fixed_shapes_is_told(is_open: bool, notes: int, tmp_path: Path) -> None:
    model = read(save(tmp_path, data_of("dense")))
    argument = model.metagraphs[0].modules[0].graph.inputs[0].shape
    assert argument is not None
    dims = [None if is_open and place == 0 else dim for place, dim in enumerate(argument.dims or ())]
    report = set_input(model, shapes={"x": dims})
    told = f"'layer/call' (XlaCallModule) takes {argument} for input 0 and no other shape; here it may be {Shape(dims)}"
    assert [note for note in report.notes if "XlaCallModule" in note] == [told] * notes


def test_a_program_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    report = set_input(read(save(tmp_path, b"module {}")), shapes={"x": [2, 4]})
    assert "'layer/call' (XlaCallModule) holds a program that cannot be read here" in report.notes[0]


def with_defaults(folder: Path) -> Model:
    """Return y = x * keep, both with a default."""
    return graph_model(
        folder,
        constant("one", "float_val: 1"),
        constant("two", "float_val: 2"),
        node("x", "PlaceholderWithDefault", "one", dtype="type: DT_FLOAT", shape="shape { }"),
        node("keep", "PlaceholderWithDefault", "two", dtype="type: DT_FLOAT", shape="shape { }"),
        node("y", "Mul", "x", "keep", **FLOAT),
    )


def test_defaults_become_constants(tmp_path: Path) -> None:
    model = with_defaults(tmp_path)
    report = set_input(model, defaults="constants")
    assert {name: one[0] for name, one in spelled(model.graph).items() if name in ("x", "keep")} == {
        "x": "Const",
        "keep": "Const",
    }
    assert [one.constant for one in report.inputs] == ["1.0", "2.0"]


def test_defaults_have_to_be_fed(tmp_path: Path) -> None:
    model = with_defaults(tmp_path)
    set_input(model, defaults="placeholders")
    assert spelled(model.graph) == {"x": ["Placeholder"], "keep": ["Placeholder"], "y": ["Mul", "x:0", "keep:0"]}


def test_a_signature_keeps_what_it_feeds_and_what_it_needs(tmp_path: Path) -> None:
    for defaults, left in (("constants", "x"), ("placeholders", "keep")):
        model = with_defaults(tmp_path)
        add_signature(model, {"y": "y"}, inputs={"x": "x"})
        report = set_input(model, defaults=defaults)
        assert [one.name for one in model.graph.nodes if one.op == "PlaceholderWithDefault"] == [left]
        assert any(note.startswith(f"{left} keeps its default") for note in report.notes)


def test_what_a_saver_is_given_is_no_input(fixtures_dir: Path) -> None:
    model = read(fixtures_dir / "savedmodel" / "v1_keep_prob")
    with pytest.raises(UsageError, match="no placeholder with a default"):
        set_input(model, defaults="constants")
    model = read(fixtures_dir / "metagraph" / "training_text" / "model.meta")
    assert [one.name for one in set_input(model, defaults="placeholders").inputs] == ["keep_prob"]


def test_no_default_is_told(tmp_path: Path) -> None:
    model = graph_model(tmp_path, placeholder("x"))
    with pytest.raises(UsageError, match="no placeholder with a default"):
        set_input(model, defaults="constants")
    with pytest.raises(UsageError, match="no choice"):
        set_input(model, defaults="both")
