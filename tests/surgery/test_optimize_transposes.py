"""Transposes that move until they cancel: which do, which stay, and what is turned on the way."""

from __future__ import annotations

import numpy as np
import pytest

from graphsurgeon.model import DType, Shape, Tensor
from graphsurgeon.model.graph import Node, Value
from tests.patterns.graphs import FLOAT, G
from tests.surgery.test_optimize import run

INT = DType.named("int32")
THERE, BACK = [0, 3, 1, 2], [0, 2, 3, 1]


class Turned:
    """A graph of an image that is turned, of what lies between, and of transposes back."""

    def __init__(self) -> None:
        self.made = G()
        self.x = self.image("x")

    def image(self, name: str) -> Value:
        attrs = {"dtype": FLOAT, "shape": Shape([2, 3, 4, 5])}
        return self.made.graph.add_node("Placeholder", name, [], attrs).output()

    def turn(self, value: Value, order: list[int], name: str = "") -> Value:
        graph = self.made.graph
        attrs = {"T": FLOAT, "Tperm": INT}
        inputs = [value, self.made.const(order, [4], INT)]
        return graph.add_node("Transpose", name or f"t{len(graph)}", inputs, attrs).output()

    def op(self, op: str, *inputs: Value, **attrs: object) -> Value:
        graph = self.made.graph
        return graph.add_node(op, f"{op}_{len(graph)}", list(inputs), {"T": FLOAT, **attrs}, checked=False).output()

    def ints(self, items: list[int], dims: list[int]) -> Value:
        return self.made.const(items, dims, INT)

    def end(self, value: Value) -> Node:
        return self.made.graph.add_node("Neg", "end", [value], {"T": FLOAT})

    def left(self, **options: object) -> int:
        run(self.made, **options)
        return sum(node.op == "Transpose" for node in self.made.graph.nodes)


def known(node: Node, place: int) -> np.ndarray:
    producer = node.inputs[place].producer
    assert producer is not None
    value = producer.attrs["value"]
    assert isinstance(value, Tensor)
    return value.numpy()


def only(t: Turned, op: str) -> Node:
    (found,) = (node for node in t.made.graph.nodes if node.op == op)
    return found


def test_they_cancel_past_a_chain() -> None:
    t = Turned()
    y = t.op("Tanh", t.op("Relu6", t.turn(t.x, THERE)))
    t.end(t.turn(y, BACK))
    assert t.left() == 0
    assert only(t, "Tanh").inputs[0].producer is only(t, "Relu6")


def test_constants_are_turned() -> None:
    t = Turned()
    bias = t.made.const(list(range(5)), [5, 1, 1])
    t.end(t.turn(t.op("AddV2", t.op("Mul", t.turn(t.x, THERE), t.made.const(2.0, [])), bias), BACK))
    assert t.left() == 0
    np.testing.assert_array_equal(known(only(t, "AddV2"), 1), np.arange(5, dtype="f4").reshape(1, 1, 1, 5))


def test_axes_and_pads_are_turned() -> None:
    t = Turned()
    one, other = t.turn(t.x, THERE), t.turn(t.image("y"), THERE)
    joined = t.op("ConcatV2", one, other, t.ints([1], []), N=2, Tidx=INT)
    pads = t.ints([0, 0, 1, 2, 3, 4, 5, 6], [4, 2])
    padded = t.op("Pad", joined, pads, Tpaddings=INT)
    cut = t.op("Slice", padded, t.ints([0, 1, 2, 3], [4]), t.ints([2, 5, 6, 7], [4]), Index=INT)
    most = t.op("Max", cut, t.ints([1, -1], [2]), keep_dims=True, Tidx=INT)
    t.end(t.turn(most, BACK))
    assert t.left() == 0
    assert known(only(t, "ConcatV2"), 2) == 3
    assert known(only(t, "Pad"), 1).tolist() == [[0, 0], [3, 4], [5, 6], [1, 2]]
    assert known(only(t, "Slice"), 1).tolist() == [0, 2, 3, 1]
    assert known(only(t, "Slice"), 2).tolist() == [2, 6, 7, 5]
    assert known(only(t, "Max"), 1).tolist() == [3, 2]


def test_a_slice_by_strides_is_turned_with_its_masks() -> None:
    """`x[:, 1::2, :-1]` of channels first is `x[:, :-1, :, 1::2]` of channels last."""
    t = Turned()
    begin, end, strides = t.ints([7, 1, 7], [3]), t.ints([7, 7, -1], [3]), t.ints([1, 2, 1], [3])
    cut = t.op("StridedSlice", t.turn(t.x, THERE), begin, end, strides, Index=INT, begin_mask=0b101, end_mask=0b011)
    t.end(t.turn(cut, BACK))
    assert t.left() == 0
    node = only(t, "StridedSlice")
    assert [known(node, place).tolist() for place in (1, 2, 3)] == [[7, 7, 1, 1], [7, -1, 1, 7], [1, 1, 1, 2]]
    assert (node.attrs["begin_mask"], node.attrs["end_mask"]) == (0b0111, 0b1101)


@pytest.mark.parametrize("mask", ["shrink_axis_mask", "new_axis_mask", "ellipsis_mask"])
def test_a_slice_by_which_axes_come_or_go_stays(mask: str) -> None:
    t = Turned()
    ends = [t.ints([0, 0], [2]), t.ints([1, 1], [2]), t.ints([1, 1], [2])]
    cut = t.op("StridedSlice", t.turn(t.x, THERE), *ends, Index=INT, **{mask: 2})
    t.end(t.turn(cut, BACK))
    assert t.left() == 2


@pytest.mark.parametrize(
    ("order", "before", "after"), [(THERE, b"NCHW", b"NHWC"), ([0, 2, 1, 3], b"NHWC", b"NHWC"), (BACK, b"NHWC", None)]
)
def test_biases_are_added_where_the_channels_are(order: list[int], before: bytes, after: bytes | None) -> None:
    """Not every kernel takes the channels second: they do not go there."""
    t = Turned()
    y = t.op("BiasAdd", t.turn(t.x, order), t.made.const([1.0, 2.0, 3.0, 4.0, 5.0], [5]), data_format=before)
    t.end(t.turn(y, [order.index(axis) for axis in range(4)]))
    assert t.left() == (0 if after else 2)
    assert only(t, "BiasAdd").attrs["data_format"] == (after or before)


@pytest.mark.parametrize(("axes", "turned"), [([2, 3], [1, 2]), ([-3], [3]), ([1, 2, 3], [3, 1, 2]), ([2], None)])
def test_a_reduction_that_drops_axes_ends_a_region(axes: list[int], turned: list[int] | None) -> None:
    """Of channels first without the second axis of places, the axes left stand in another order."""
    t = Turned()
    most = t.op("Max", t.op("Relu", t.turn(t.x, THERE)), t.ints(axes, [len(axes)]), keep_dims=False, Tidx=INT)
    most.producer.name = "most"
    t.end(most)
    assert t.left() == (0 if turned else 1)
    assert only(t, "Max").name == "most"
    assert known(only(t, "Max"), 1).tolist() == (turned or axes)
    assert only(t, "Neg").inputs[0].producer is only(t, "Max")


def test_what_a_reduction_leaves_in_another_order_is_transposed_where_that_is_less() -> None:
    """Two transposes before it become one behind it, and none where the reader turns the axes back itself."""
    for order, left in (([0, 1, 2], 1), ([0, 2, 1], 0)):
        t = Turned()
        both = t.op("Add", t.turn(t.x, THERE), t.turn(t.image("y"), THERE))
        most = t.op("Max", both, t.ints([2], [1]), keep_dims=False, Tidx=INT)
        if not left:
            inputs = [most, t.made.const(order, [3], INT)]
            most = t.made.graph.add_node("Transpose", "t", inputs, {"T": FLOAT, "Tperm": INT}).output()
        t.end(most)
        assert t.left() == left
        assert known(only(t, "Max"), 1).tolist() == [1]
        if left:  # [batch, columns, channels] as [batch, channels, columns]
            assert known(only(t, "Transpose"), 1).tolist() == [0, 2, 1]


@pytest.mark.parametrize("op", ["ArgMax", "ArgMin"])
def test_the_place_of_an_extreme_is_looked_for_along_the_turned_axis(op: str) -> None:
    t = Turned()
    attrs = {"T": FLOAT, "Tidx": INT, "output_type": INT}
    best = t.made.graph.add_node(op, "best", [t.op("Relu", t.turn(t.x, THERE)), t.ints([-3], [])], attrs)
    t.made.graph.add_node("Abs", "end", [best.output()], {"T": INT})
    assert t.left() == 0
    assert (only(t, op).name, known(only(t, op), 1)) == ("best", 3)


FIRST = {"strides": [1, 1, 2, 3], "data_format": b"NCHW"}
LAST = {"strides": [1, 2, 3, 1], "data_format": b"NHWC"}


def test_layers_with_the_channels_second_get_them_last() -> None:
    def graph(order: list[int] = THERE, is_read: bool = False) -> Turned:
        t = Turned()
        pads = [0, 0, 0, 0, 1, 2, 3, 4]
        weights = t.made.const([0.5] * 25, [1, 1, 5, 5])
        y = t.op("Conv2D", t.turn(t.x, order), weights, padding=b"EXPLICIT", explicit_paddings=pads, **FIRST)
        four = [t.made.const([1.0] * 5, [5]) for _ in range(4)]
        graph = t.made.graph
        attrs = {"T": FLOAT, "U": FLOAT, "data_format": b"NCHW", "is_training": False}
        norm = graph.add_node("FusedBatchNormV3", "norm", [y, *four], attrs, checked=False)
        pool = t.op("AvgPool", norm.output(), ksize=[1, 1, 2, 3], padding=b"SAME", **FIRST)
        t.end(t.turn(pool, BACK))
        if is_read:
            graph.add_node("Abs", "mean", [norm.output(1)], {"T": FLOAT})
        return t

    assert graph().left() == 2  # how a convolution adds up may depend on the layout
    t = graph()
    assert t.left(only=["transposes-close", "dead"]) == 0
    for op in ("Conv2D", "AvgPool"):
        assert {key: only(t, op).attrs[key] for key in LAST} == LAST
    assert only(t, "Conv2D").attrs["explicit_paddings"] == [0, 0, 1, 2, 3, 4, 0, 0]
    assert only(t, "AvgPool").attrs["ksize"] == [1, 2, 3, 1]
    assert only(t, "FusedBatchNormV3").attrs["data_format"] == b"NHWC"
    assert graph([0, 1, 3, 2]).left(only=["transposes-close", "dead"]) == 2  # weights would have to be turned, too
    assert graph(is_read=True).left(only=["transposes-close", "dead"]) == 2


@pytest.mark.parametrize(("format", "order", "left"), [(b"NCHW", THERE, 0), (b"NHWC", BACK, 2), (b"NHWC", THERE, 2)])
def test_a_pool_of_maxima_gets_the_channels_last_and_never_second(format: bytes, order: list[int], left: int) -> None:
    t = Turned()
    y = t.op(
        "MaxPool", t.turn(t.x, order), ksize=[1, 1, 2, 2], strides=[1, 1, 2, 2], padding=b"SAME", data_format=format
    )
    t.end(t.turn(y, [order.index(axis) for axis in range(4)]))
    assert t.left() == left


def test_what_reads_beside_a_reduction_is_part_of_its_region() -> None:
    t = Turned()
    y = t.op("Relu", t.turn(t.x, THERE))
    most = t.op("Max", y, t.ints([2, 3], [2]), keep_dims=False, Tidx=INT)
    t.made.graph.add_node("Softmax", "soft", [most], {"T": FLOAT})
    t.end(t.turn(y, BACK))
    assert t.left() == 0


def test_a_value_read_elsewhere_gets_one_transpose() -> None:
    t = Turned()
    y = t.op("Relu", t.op("Add", t.turn(t.x, THERE), t.turn(t.image("y"), THERE)))
    t.end(t.turn(y, BACK))
    t.made.graph.add_node("Softmax", "soft", [y], {"T": FLOAT})
    assert t.left() == 1


def test_two_of_different_orders_become_one() -> None:
    t = Turned()
    t.end(t.turn(t.op("Relu", t.turn(t.x, THERE)), THERE))
    assert t.left() == 1
    assert known(only(t, "Transpose"), 1).tolist() == [0, 2, 3, 1]


@pytest.mark.parametrize("case", ["two readers", "an operand that is not turned", "unknown axes"])
def test_where_nothing_is_gained_all_stays(case: str) -> None:
    t = Turned()
    first = t.turn(t.x, THERE)
    if case == "two readers":
        t.made.graph.add_node("Softmax", "soft", [first], {"T": FLOAT})
        y = t.op("Relu", first)
    elif case == "an operand that is not turned":
        y = t.turn(t.op("Add", first, t.image("z")), BACK)
    else:
        places = t.made.graph.add_node("Placeholder", "p", [], {"dtype": INT, "shape": Shape([4, 2])}).output()
        y = t.turn(t.op("Pad", first, places, Tpaddings=INT), BACK)
    t.end(y)
    names = [node.name for node in t.made.graph.nodes if node.op != "Const"]
    before = sum(node.op == "Transpose" for node in t.made.graph.nodes)
    assert t.left() == before
    assert [node.name for node in t.made.graph.nodes if node.op != "Const"] == names


def test_what_is_named_stays() -> None:
    t = Turned()
    y = t.op("Relu", t.turn(t.x, THERE))
    t.end(t.turn(y, BACK))
    from graphsurgeon.model.graph import Output

    t.made.graph.outputs = [Output("y", y, FLOAT)]
    assert t.left() == 2


def test_a_sum_of_floats_has_to_be_asked_for() -> None:
    def graph() -> Turned:
        t = Turned()
        t.end(t.turn(t.op("Mean", t.turn(t.x, THERE), t.ints([2, 3], [2]), keep_dims=True, Tidx=INT), BACK))
        return t

    assert graph().left() == 2
    assert graph().left(only=["transposes-close", "dead"]) == 0


def test_smooth_functions_have_to_be_asked_for() -> None:
    def graph() -> Turned:
        t = Turned()
        t.end(t.turn(t.op("Sigmoid", t.turn(t.x, THERE)), BACK))
        return t

    assert graph().left() == 2
    assert graph().left(only=["transposes-close", "dead"]) == 0
