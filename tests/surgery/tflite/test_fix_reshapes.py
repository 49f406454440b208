"""Operators that a batch of 1 was folded into, mended: two examples at once are what each is alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model import DType, Model, Output, Shape, Tensor

FIXTURES = Path(__file__).resolve().parents[3] / "fixtures" / "tflite"
INT32 = DType.named("int32")
Step = tuple[str, list[list[int]], list[int]]  # operator, its constant inputs, the shape it yields


def chain(*steps: Step) -> Model:
    """Return a model of `x` [1,8,8,3] that ends in some operators."""
    model = read(FIXTURES / "cnn_float.tflite")
    graph = model.metagraphs[0].graph
    model.metagraphs[0].signatures.clear()
    graph.outputs = []
    graph.remove_nodes(graph.nodes)
    value = graph.inputs[0]
    assert value.dtype is not None
    for number, (op, constants, shape) in enumerate(steps):
        others = [
            graph.add_value(f"c{number}{place}", INT32, Shape([len(items)]), Tensor.of(INT32, [len(items)], items))
            for place, items in enumerate(constants)
        ]
        node = graph.add_node(op, "", [value, *others])
        value = graph.add_value(f"y{number}", value.dtype, Shape(shape))
        node.set_outputs([value])
    graph.outputs = [Output("", value, value.dtype)]
    return model


def run(path: Path, feed: Any, *, is_planned: bool = True) -> list[Any]:
    """Return the outputs, whose shapes are those that the interpreter knows before it runs."""
    from ai_edge_litert.interpreter import Interpreter

    interpreter = Interpreter(str(path))
    (item,) = interpreter.get_input_details()
    interpreter.resize_tensor_input(item["index"], feed.shape, strict=True)
    interpreter.allocate_tensors()
    planned = [list(one["shape"]) for one in interpreter.get_output_details()]
    interpreter.set_tensor(item["index"], feed)
    interpreter.invoke()
    found = [interpreter.get_tensor(one["index"]) for one in interpreter.get_output_details()]
    if is_planned:
        assert [list(one.shape) for one in found] == planned
    return found


def check_batches(before: Path, after: Path, *, is_planned: bool = True) -> None:
    """Feed two examples at once; each must yield what it yields alone in the source."""
    from ai_edge_litert.interpreter import Interpreter

    (item,) = Interpreter(str(before)).get_input_details()
    random = np.random.RandomState(4)
    shape = (2, *item["shape"][1:])
    feed = random.randint(0, 255, shape).astype(item["dtype"]) if item["dtype"] != np.float32 else random.rand(*shape)
    feed = feed.astype(item["dtype"])
    alone = [run(before, feed[number : number + 1]) for number in range(2)]
    for both, *each in zip(run(after, feed, is_planned=is_planned), *alone, strict=True):
        assert both.shape == (2, *each[0].shape[1:])
        if is_planned:
            assert np.array_equal(both, np.concatenate(each))
        else:  # a tensor whose shape is known late is computed by another kernel
            assert np.allclose(both, np.concatenate(each), rtol=1e-6, atol=0)


FLAT: Step = ("RESHAPE", [[1, 192]], [1, 192])
CASES: list[tuple[list[Step], list[str]]] = [
    ([FLAT], ["RESHAPE"]),
    ([("RESHAPE", [[1, -1, 3]], [1, 64, 3])], ["RESHAPE"]),
    ([FLAT, ("RESHAPE", [[1, 48, 4]], [1, 48, 4]), ("RESHAPE", [[1, 192]], [1, 192])], ["RESHAPE"] * 3),
]


@pytest.mark.litert
@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize(("steps", "ops"), CASES)
def test_reshapes_follow_the_batch(steps: list[Step], ops: list[str], batch: int | None, tmp_path: Path) -> None:
    write(chain(*steps), tmp_path / "before.tflite")
    model = read(tmp_path / "before.tflite")
    report = surgery.set_input(model, shapes={"#0": [batch, 8, 8, 3]}, fix_reshapes=True)
    assert report.contradictions == ()
    assert len(report.notes) == len(ops)
    assert [node.op for node in model.graph.nodes] == ops
    write(model, tmp_path / "after.tflite")
    assert read(tmp_path / "after.tflite").graph.outputs[0].value.shape == Shape([batch, *steps[-1][2][1:]])
    check_batches(tmp_path / "before.tflite", tmp_path / "after.tflite")


@pytest.mark.litert
def test_a_folded_transpose_becomes_one(tmp_path: Path) -> None:
    """`[1,192,1]` to `[192,1,1]` and back, as the converter folds the time-major form of a recurrent layer."""
    steps: list[Step] = [
        ("RESHAPE", [[1, 64, 3]], [1, 64, 3]),
        ("RESHAPE", [[64, 1, 3]], [64, 1, 3]),
        ("RELU", [], [64, 1, 3]),
        ("RESHAPE", [[1, 64, 3]], [1, 64, 3]),
    ]
    write(chain(*steps), tmp_path / "before.tflite")
    model = read(tmp_path / "before.tflite")
    surgery.set_input(model, shapes={"#0": [None, 8, 8, 3]}, fix_reshapes=True)
    assert [node.op for node in model.graph.nodes] == ["RESHAPE", "TRANSPOSE", "RELU", "TRANSPOSE"]
    write(model, tmp_path / "after.tflite")
    check_batches(tmp_path / "before.tflite", tmp_path / "after.tflite")


SLICES: list[Step] = [
    ("SLICE", [[0, 1, 0, 0], [1, 2, 8, 3]], [1, 2, 8, 3]),
    ("STRIDED_SLICE", [[0, 0, 0, 0], [1, 4, 8, 3], [1, 1, 1, 1]], [1, 4, 8, 3]),
]


@pytest.mark.litert
@pytest.mark.parametrize("step", SLICES)
def test_slices_follow_only_where_that_is_allowed(step: Step, tmp_path: Path) -> None:
    write(chain(step), tmp_path / "before.tflite")
    model = read(tmp_path / "before.tflite")
    with pytest.raises(UnsupportedError, match="with --allow-contradictions it takes the whole batch"):
        surgery.set_input(model, shapes={"#0": [None, 8, 8, 3]}, fix_reshapes=True)
    surgery.set_input(model, shapes={"#0": [None, 8, 8, 3]}, fix_reshapes=True, allow_contradictions=True)
    write(model, tmp_path / "after.tflite")
    check_batches(tmp_path / "before.tflite", tmp_path / "after.tflite")


def test_what_cannot_be_mended_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    steps: list[Step] = [FLAT, ("RESHAPE", [[192]], [192])]
    write(chain(*steps), tmp_path / "before.tflite")
    model = read(tmp_path / "before.tflite")
    with pytest.raises(UnsupportedError, match=r"operator #1 \(RESHAPE\)"):
        surgery.set_input(model, shapes={"#0": [2, 8, 8, 3]}, fix_reshapes=True)
    write(model, tmp_path / "same.tflite")
    assert (tmp_path / "same.tflite").read_bytes() == (tmp_path / "before.tflite").read_bytes()


def test_constants_of_several_operators_are_not_shared_any_more(tmp_path: Path) -> None:
    model = chain(FLAT, ("RESHAPE", [[1, 8, 8, 3]], [1, 8, 8, 3]), FLAT)
    first, _, last = model.graph.nodes
    last.set_input(1, first.inputs[1])
    write(model, tmp_path / "before.tflite")
    model = read(tmp_path / "before.tflite")
    surgery.set_input(model, shapes={"#0": [4, 8, 8, 3]}, fix_reshapes=True)
    assert len({node.inputs[1].name for node in model.graph.nodes}) == 3


def branched(op: str, shape: list[int], attrs: dict[str, Any], *operands: Any) -> Model:
    """Return a model of `x` [1,8,8,3] and one operator; its operands are `x` (None), lists of integers, or arrays."""
    model = chain()
    graph = model.metagraphs[0].graph
    x = graph.inputs[0]
    assert x.dtype is not None
    inputs = []
    for place, operand in enumerate(operands):
        if operand is None:
            inputs.append(x)
            continue
        array = np.asarray(operand, np.int32 if isinstance(operand, list) else np.float32)
        dtype, items = DType.named(array.dtype.name), array.reshape(-1).tolist()
        tensor = Tensor.of(dtype, list(array.shape), items)
        inputs.append(graph.add_value(f"c{place}", dtype, Shape(array.shape), tensor))
    y = graph.add_value("y", x.dtype, Shape(shape))
    graph.add_node(op, "", inputs, attrs).set_outputs([y])
    graph.outputs = [Output("", y, y.dtype)]
    return model


RANDOM = np.random.RandomState(1).rand
TCONV = {"padding": b"VALID", "stride_w": 2, "stride_h": 2}
BRANCHED = {
    "joined": branched("CONCATENATION", [1, 8, 8, 5], {"axis": 3}, None, RANDOM(1, 8, 8, 2)),
    "joined in front": branched("CONCATENATION", [1, 9, 8, 3], {"axis": -3}, RANDOM(1, 1, 8, 3), None),
    "packed": branched("PACK", [1, 2, 8, 8, 3], {"axis": 1, "values_count": 2}, None, RANDOM(1, 8, 8, 3)),
    "broadcast": branched("BROADCAST_TO", [1, 8, 8, 3], {}, None, [1, 8, 8, 3]),
    "transposed": branched("TRANSPOSE_CONV", [1, 16, 16, 2], TCONV, [1, 16, 16, 2], RANDOM(2, 2, 2, 3), None),
}


@pytest.mark.litert
@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("case", BRANCHED)
def test_what_has_a_shape_or_a_constant_for_one_example(case: str, batch: int | None, tmp_path: Path) -> None:
    before, after = tmp_path / "before.tflite", tmp_path / "after.tflite"
    write(BRANCHED[case], before)
    model = read(before)
    with pytest.raises(UnsupportedError, match="operator #0"):
        surgery.set_input(model, shapes={"#0": [batch, 8, 8, 3]})
    surgery.set_input(model, shapes={"#0": [batch, 8, 8, 3]}, fix_reshapes=True)
    write(model, after)
    check_batches(before, after, is_planned=case != "transposed")


@pytest.mark.litert
@pytest.mark.parametrize("batch", [None, 2])
def test_a_batch_that_was_squeezed_away_before_a_sum(batch: int | None, tmp_path: Path) -> None:
    model = chain(FLAT, ("RESHAPE", [[192]], [192]))
    graph = model.metagraphs[0].graph
    flat, single = (node.outputs[0] for node in graph.nodes)
    y = graph.add_value("y", flat.dtype, Shape([1, 192]))  # type: ignore[arg-type]
    graph.add_node("ADD", "", [flat, single]).set_outputs([y])
    graph.outputs = [Output("", y, y.dtype)]
    write(model, tmp_path / "before.tflite")
    model = read(tmp_path / "before.tflite")
    surgery.set_input(model, shapes={"#0": [batch, 8, 8, 3]}, fix_reshapes=True)
    write(model, tmp_path / "after.tflite")
    check_batches(tmp_path / "before.tflite", tmp_path / "after.tflite")


def test_states_are_of_a_known_batch(fixtures_dir: Path) -> None:
    source = fixtures_dir / "tflite" / "lstm.tflite"
    model = read(source)
    image = model.graph.inputs[0]
    rest = list((image.shape.dims if image.shape is not None else None) or ())[1:]
    with pytest.raises(UnsupportedError, match=r"LSTM.*: it keeps a state for one example") as found:
        surgery.set_input(model, shapes={f"#{image.port}": [None, *rest]}, fix_reshapes=True)
    assert "LiteRT does not resize" in (found.value.hint or "")


@pytest.mark.litert
def test_a_state_becomes_one_of_the_batch(fixtures_dir: Path, tmp_path: Path) -> None:
    source, after = fixtures_dir / "tflite" / "lstm.tflite", tmp_path / "after.tflite"
    model = read(source)
    image = model.graph.inputs[0]
    rest = list((image.shape.dims if image.shape is not None else None) or ())[1:]
    surgery.set_input(model, shapes={f"#{image.port}": [2, *rest]}, fix_reshapes=True)
    write(model, after)
    check_batches(source, after)


@pytest.mark.corpus
@pytest.mark.litert
def test_the_states_of_a_step_become_those_of_the_batch(corpus: Path, tmp_path: Path) -> None:
    """The older LSTM, one operator for each step; this one was written without the shape of what it yields."""
    source = corpus / "google-ai-edge+LiteRT/tflite/converter/quantization/lite/testdata/lstm_calibrated.bin"
    model = read(source)
    image = f"#{model.graph.inputs[0].port}"
    with pytest.raises(UnsupportedError, match=r"LSTM.*: it keeps a state for one example"):
        surgery.set_input(model, shapes={image: [None, 2]}, fix_reshapes=True)
    surgery.set_input(model, shapes={image: [2, 2]}, fix_reshapes=True)
    assert model.graph.outputs[0].value.shape == Shape([2, 2])
    write(model, tmp_path / "after.tflite")
    check_batches(source, tmp_path / "after.tflite", is_planned=False)  # rows in pairs are rounded otherwise


def test_an_input_without_a_name_goes_by_its_number() -> None:
    model = chain(FLAT)
    model.graph.inputs[0].name = ""
    with pytest.raises(UsageError, match="no input 'x'") as found:
        surgery.set_input(model, shapes={"x": [2, 8, 8, 3]})
    assert "#0" in (found.value.hint or "")


@pytest.mark.litert
def test_the_state_of_a_filter_becomes_one_of_the_batch(tmp_path: Path) -> None:
    model = chain(FLAT)
    graph = model.metagraphs[0].graph
    flat = graph.nodes[0].outputs[0]
    assert flat.dtype is not None
    inputs = [flat]
    for name, array in (("features", RANDOM(4, 192)), ("time", RANDOM(4, 3)), ("bias", RANDOM(4))):
        tensor = Tensor.of(flat.dtype, list(array.shape), array.reshape(-1).tolist())
        inputs.append(graph.add_value(name, flat.dtype, Shape(array.shape), tensor))
    state = graph.add_value("state", flat.dtype, Shape([1, 12]))
    state.extra = {"is_variable": True}
    y = graph.add_value("y", flat.dtype, Shape([1, 4]))
    graph.add_node("SVDF", "", [*inputs, state], {"rank": 1}).set_outputs([y])
    graph.outputs = [Output("", y, y.dtype)]
    write(model, tmp_path / "before.tflite")
    model = read(tmp_path / "before.tflite")
    with pytest.raises(UnsupportedError, match="it keeps a state for one example"):
        surgery.set_input(model, shapes={"#0": [None, 8, 8, 3]}, fix_reshapes=True)
    surgery.set_input(model, shapes={"#0": [2, 8, 8, 3]}, fix_reshapes=True)
    write(model, tmp_path / "after.tflite")
    check_batches(tmp_path / "before.tflite", tmp_path / "after.tflite")


@pytest.mark.litert
@pytest.mark.parametrize("batch", [None, 2])
@pytest.mark.parametrize("is_turned", [False, True])
def test_a_batch_that_a_dense_layer_has_merged(is_turned: bool, batch: int | None, tmp_path: Path) -> None:
    """Rows are images and places; where places stand before images, a batch of 1 does not show it: refused."""
    turned = [("TRANSPOSE", [[1, 0, 2, 3]], [8, 1, 8, 3])]
    model = chain(*(turned if is_turned else []))
    graph = model.metagraphs[0].graph
    image = graph.outputs[0].value
    assert image is not None
    assert image.dtype is not None
    weights = Tensor.of(image.dtype, [2, 3], RANDOM(2, 3).reshape(-1).tolist())
    rows = graph.add_value("rows", image.dtype, Shape([64, 2]))
    dense = graph.add_node("FULLY_CONNECTED", "", [image, graph.add_value("w", image.dtype, Shape([2, 3]), weights)])
    dense.set_outputs([rows])
    positive = graph.add_value("positive", image.dtype, Shape([64, 2]))
    graph.add_node("RELU", "", [rows]).set_outputs([positive])
    sizes = graph.add_value("sizes", INT32, Shape([4]), Tensor.of(INT32, [4], [1, 8, 8, 2]))
    image = graph.add_value("y", image.dtype, Shape([1, 8, 8, 2]))
    graph.add_node("RESHAPE", "", [positive, sizes]).set_outputs([image])
    graph.outputs = [Output("", image, image.dtype)]
    write(model, tmp_path / "before.tflite")
    model = read(tmp_path / "before.tflite")
    if is_turned:
        with pytest.raises(UnsupportedError, match="RESHAPE"):
            surgery.set_input(model, shapes={"#0": [batch, 8, 8, 3]}, fix_reshapes=True)
        return
    surgery.set_input(model, shapes={"#0": [batch, 8, 8, 3]}, fix_reshapes=True)
    write(model, tmp_path / "after.tflite")
    check_batches(tmp_path / "before.tflite", tmp_path / "after.tflite")


REAL = ["mobilenet_v1_0.25_224_quant.tflite", "face_detection_short_range.tflite", "fc.bin"]


@pytest.mark.litert
@pytest.mark.corpus
@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("batch", [None, 2])
def test_real_models(name: str, batch: int | None, corpus: Path, tmp_path: Path) -> None:
    source = next(iter(sorted(corpus.rglob(name))), None)
    if source is None:
        pytest.skip("not in this corpus")
    model = read(source)
    image = model.graph.inputs[0]
    assert image.shape is not None
    shape = [batch, *(image.shape.dims or ())[1:]]
    surgery.set_input(model, shapes={f"#{image.port}": shape}, fix_reshapes=True)
    write(model, tmp_path / "after.tflite")
    check_batches(source, tmp_path / "after.tflite")
