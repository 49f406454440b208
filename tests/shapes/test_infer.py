"""Inference over whole graphs: constants, symbols, what the file records, what is assumed, broken graphs."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import graphsurgeon
from graphsurgeon.errors import UsageError
from graphsurgeon.model import MetaGraph, Shape, Signature, SignatureEntry, Tensor
from graphsurgeon.model.graph import Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.shapes import infer_shapes
from tests.shapes.builder import FLOAT, INT32, INT64, RESOURCE, Builder

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def shape(value: Value, **options: object) -> Shape:
    return infer_shapes(value.graph, **options).shape(value)


# -- constants and symbols -----------------------------------------------------------------------------


def first_of_shape(build: Builder, value: Value) -> Value:
    bounds = [build.const([n]) for n in (0, 1, 1)]
    return build.op("StridedSlice", build.op("Shape", value), *bounds, shrink_axis_mask=1, Index=INT32)


def test_reshape_to_the_batch_that_came_in() -> None:
    build = Builder()
    x = build.feed(None, 7, 7, 512)
    target = build.op("Pack", first_of_shape(build, x), build.const(-1), N=2, axis=0)
    flat = build.op("Reshape", x, target)
    report = infer_shapes(build.graph)
    assert report.shape(flat) == Shape([None, 25088])
    assert report.fact(flat).dims[0] == report.fact(x).dims[0]


def test_reshape_with_one_open_dimension_keeps_the_batch() -> None:
    build = Builder()
    x = build.feed(None, 4, 6)
    report = infer_shapes(build.graph)
    halves = build.op("Reshape", x, build.const([-1, 8]))
    back = build.op("Reshape", halves, build.const([-1, 4, 6]))
    report = infer_shapes(build.graph)
    assert report.shape(halves) == Shape([None, 8])
    assert report.fact(back).dims == report.fact(x).dims


def test_constants_are_computed_with() -> None:
    build = Builder()
    x = build.feed(None, 8, 9)
    size = build.op("Shape", x)
    rows = build.op("GatherV2", size, build.const([1, 2]), build.const(0), Tindices=INT32, Taxis=INT32)
    doubled = build.op("Mul", rows, build.const(2), T=INT32)
    joined = build.op("ConcatV2", build.const([3]), doubled, build.const(0), N=2, T=INT32)
    report = infer_shapes(build.graph)
    assert report.constant(joined) == [3, 16, 18]
    assert shape(build.op("Fill", joined, build.const(0.0, FLOAT))) == Shape([3, 16, 18])


@pytest.mark.parametrize(
    ("rows", "columns", "fits"), [(1, 4, True), (None, 4, True), (3, 4, False), (1, 5, False), (1, None, True)]
)
def test_what_is_scattered_fits_its_places_and_the_result(rows: int | None, columns: int | None, fits: bool) -> None:
    """TensorFlow's importer refuses the others: "Dimensions [0,1) of indices must match those of updates"."""
    build = Builder()
    indices, size = build.feed(1, 1, dtype=INT32), build.const([2, 4])
    result = build.op("ScatterNd", indices, build.feed(rows, columns), size, Tindices=INT32)
    report = infer_shapes(build.graph)
    assert (report.findings == []) is fits
    assert not fits or report.shape(result) == Shape([2, 4])


def test_elements_that_are_unknown_stay_so() -> None:
    build = Builder()
    size = build.op("Shape", build.feed(None, 8))
    product = build.op("Prod", size, build.const([0]), T=INT32)
    report = infer_shapes(build.graph)
    assert report.constant(size) == [None, 8]
    assert report.constant(product) == [None]
    assert shape(build.op("Range", build.const(0), product, build.const(1))) == Shape([None])


def test_floats_are_rounded_as_their_type_is() -> None:
    build = Builder()
    third = build.op("RealDiv", build.const(1.0, FLOAT), build.const(3.0, FLOAT))
    cast = build.op("Cast", build.op("Mul", third, build.const(3e8, FLOAT)), DstT=INT32, SrcT=FLOAT)
    assert infer_shapes(build.graph).constant(cast) == [100000000]


class Unreadable:
    """A tensor source that must not be touched."""

    nbytes = 1 << 40

    def chunks(self) -> Iterator[bytes]:
        raise AssertionError("a large constant was read")

    def strings(self) -> list[bytes]:
        raise AssertionError("a large constant was read")


def test_large_constants_are_not_read() -> None:
    build = Builder()
    weights = build.op("Const", dtype=FLOAT, value=Tensor(FLOAT, Shape([3, 3, 64, 64]), Unreadable()))
    filters = build.op("Mul", weights, build.const(2.0, FLOAT))
    assert shape(build.op("Conv2D", build.feed(1, 8, 8, 64), filters, strides=[1, 1, 1, 1], padding=b"SAME")) == Shape(
        [1, 8, 8, 64]
    )


# -- what the file records -----------------------------------------------------------------------------


def test_recorded_shapes_are_used_for_unknown_ops_and_complete_others() -> None:
    build = Builder()
    x = build.feed(None, None)
    custom = build.op("MyOp", x, _output_shapes=[Shape([None, 5])])
    build.op("Relu", custom)
    known = build.op("Relu", x, _output_shapes=[Shape([None, 3])])
    assert shape(custom) == Shape([None, 5])
    assert shape(known) == Shape([None, 3])
    assert not infer_shapes(build.graph).uninferred


def test_a_recorded_shape_that_contradicts_the_ops_is_found() -> None:
    build = Builder()
    wrong = build.op("Relu", build.feed(2, 3), name="r", _output_shapes=[Shape([2, 4])])
    report = infer_shapes(build.graph)
    assert report.shape(wrong) == Shape([2, 3])
    assert [(f.where, "[2,4]" in f.what) for f in report.findings] == [("r", True)]


def test_a_list_of_the_wrong_length_is_taken_as_far_as_it_goes() -> None:
    build = Builder()
    value = build.op("Relu", build.feed(None, 3), _output_shapes=[Shape([4, 3]), Shape([1])])
    assert shape(value) == Shape([4, 3])


def test_scalar_placeholders_of_old_graphs_have_any_shape() -> None:
    build = Builder()
    value = build.feed()
    assert shape(value) == Shape([])
    build.metagraph.producer["graph_version"] = 21
    assert shape(value) == Shape(None)


def test_a_signature_that_contradicts_the_graph_is_found() -> None:
    build = Builder()
    x = build.feed(None, 3, name="x")
    entries = {
        "good": SignatureEntry(Mention.of(x, ""), FLOAT, Shape([2, 3])),
        "shape": SignatureEntry(Mention.of(x, ""), FLOAT, Shape([None, 4])),
        "type": SignatureEntry(Mention.of(x, ""), INT64, Shape([None, 3])),
    }
    build.metagraph.signatures["s"] = Signature("s", build.graph, entries, {})
    findings = infer_shapes(build.metagraph).findings
    assert [finding.where for finding in findings] == ["signature s, input shape", "signature s, input type"]


def test_tflite_stores_its_shapes() -> None:
    metagraph = graphsurgeon.read(FIXTURES / "tflite" / "float.tflite").metagraphs[0]
    report = infer_shapes(metagraph)
    assert all(report.shape(value) == value.shape for value in metagraph.graph.values)
    assert all(report.dtype(value) is value.dtype for value in metagraph.graph.values)


# -- assumptions ---------------------------------------------------------------------------------------


def test_assumed_shapes_go_through_the_graph() -> None:
    build = Builder()
    x = build.feed(None, None, None, 3, name="x")
    y = build.op("MaxPool", x, ksize=[1, 2, 2, 1], strides=[1, 2, 2, 1], padding=b"VALID")
    assert shape(y) == Shape([None, None, None, 3])
    assert shape(y, assume={"x": Shape([1, 224, 224, 3])}) == Shape([1, 112, 112, 3])
    assert shape(y, assume={x: [1, 32, None, 3]}) == Shape([1, 16, None, 3])


def test_what_is_recorded_behind_an_assumed_shape_is_left_aside() -> None:
    build = Builder()
    x = build.feed(None, 224, name="x")
    y = build.op("Relu", x, _output_shapes=[Shape([None, 224])])
    other = build.op("Relu", build.feed(None, None), _output_shapes=[Shape([None, 7])])
    report = infer_shapes(build.graph, assume={"x": [1, 299]})
    assert report.shape(y) == Shape([1, 299])
    assert report.shape(other) == Shape([None, 7])
    assert ["[1,299] is assumed" in finding.what for finding in report.findings] == [True]


def test_what_is_recorded_holds_behind_an_assumed_shape_of_those_recorded() -> None:
    build = Builder()
    recorded = [Shape([None, 784])]
    x = build.op("Placeholder", name="x", dtype=FLOAT, shape=recorded[0], _output_shapes=recorded)
    rate = build.op("Placeholder", dtype=FLOAT, shape=Shape(None))
    dropped = build.op("Mul", x, rate, _output_shapes=recorded)
    assert shape(dropped, assume={"x": [5, 784]}) == Shape([None, 784])
    assert shape(dropped, assume={"x": [5, 300]}) == Shape(None)


def test_assuming_a_shape_of_what_is_not_there() -> None:
    with pytest.raises(UsageError, match="'nope'"):
        infer_shapes(Builder().graph, assume={"nope": [1]})


# -- variables and references --------------------------------------------------------------------------


def test_variables_of_both_kinds() -> None:
    build = Builder()
    handle = build.op("VarHandleOp", dtype=FLOAT, shape=Shape([4, 5]))
    read = build.op("ReadVariableOp", handle, dtype=FLOAT)
    variable = build.op("VariableV2", dtype=FLOAT, shape=Shape([4, 5]))
    report = infer_shapes(build.graph)
    assert (report.shape(handle), report.dtype(handle)) == (Shape([]), RESOURCE)
    assert report.shape(read) == report.shape(variable) == Shape([4, 5])
    assert report.dtype(variable) is FLOAT.ref


def test_reading_another_type_than_the_variable_has() -> None:
    build = Builder()
    handle = build.op("VarHandleOp", dtype=FLOAT, shape=Shape([4]))
    build.op("ReadVariableOp", handle, name="read", dtype=INT64)
    assert [finding.where for finding in infer_shapes(build.graph).findings] == ["read"]


# -- broken and large graphs ---------------------------------------------------------------------------


def test_contradictions_become_findings() -> None:
    build = Builder()
    product = build.op("MatMul", build.feed(2, 3), build.feed(4, 5), name="m")
    after = build.op("Relu", product)
    report = infer_shapes(build.graph)
    assert report.shape(after) == Shape(None)
    assert [(f.graph, f.where) for f in report.findings] == [("", "m")]
    assert "3" in report.findings[0].what
    assert "4" in report.findings[0].what


def test_wrong_numbers_of_inputs_and_missing_attributes() -> None:
    build = Builder()
    for op in ("MatMul", "Conv2D", "ConcatV2", "Reshape", "If", "While", "PartitionedCall", "ParseExampleV2"):
        build.op(op, name=op)
    report = infer_shapes(build.graph)
    assert all(report.shape(node.output()).dims is None or node.op == "MatMul" for node in build.graph)


def test_cycles_end() -> None:
    build = Builder()
    first = build.op("Relu", build.feed(2))
    second = build.op("Add", first, first)
    first.producer.inputs = [second]
    assert infer_shapes(build.graph).shape(second) == Shape(None)


def test_ops_without_definition_are_listed() -> None:
    build = Builder()
    custom = build.op("MyOp", build.feed(2))
    build.op("Relu", custom)
    report = infer_shapes(build.graph)
    assert report.uninferred == [custom.producer]
    assert report.dtype(custom) is None


def test_dtypes_follow_from_definitions_also_without_a_shape_function() -> None:
    build = Builder()
    node = build.graph.add_node("RetrieveTPUEmbeddingAdagradParameters", "b", (), {"num_shards": 2}, checked=False)
    report = infer_shapes(build.graph)
    assert [report.dtype(node.output(port)) for port in range(2)] == [FLOAT, FLOAT]
    assert report.uninferred == [node]


def test_a_million_outputs_cost_nothing() -> None:
    build = Builder()
    for _ in range(20):
        build.op("Unpack", build.feed(None, None), num=1 << 20, axis=0)
    third = build.graph.nodes[1].output(3)
    build.op("Relu", third)
    report = infer_shapes(build.graph)
    assert report.shape(third) == Shape([None])


def test_parts_have_the_width_that_the_number_of_all_parts_gives() -> None:
    build = Builder()
    axis = build.const(0)
    part = build.op("Split", axis, build.feed(1 << 20, 5), num_split=1 << 19)
    build.op("Relu", part)
    report = infer_shapes(build.graph)
    assert (report.shape(part), report.findings) == (Shape([2, 5]), [])


def test_too_many_dimensions() -> None:
    build = Builder()
    value = build.op("Relu", build.op("Placeholder", dtype=FLOAT, shape=Shape([2] * 300)))
    report = infer_shapes(build.graph)
    assert report.shape(value) == Shape(None)
    assert "300" in report.findings[0].what


@pytest.mark.parametrize("order", ["forwards", "backwards", "shuffled"])
def test_long_chains_in_any_order(order: str) -> None:
    build = Builder()
    values = [build.op("Relu") for _ in range(5000)]
    x = build.feed(None, 3)
    chain = {"forwards": values, "backwards": values[::-1], "shuffled": random.Random(1).sample(values, len(values))}[
        order
    ]
    for value, source in itertools.pairwise([x, *chain]):
        source.producer.inputs = [value]
    assert infer_shapes(build.graph).shape(chain[-1]) == Shape([None, 3])


def test_a_graph_that_is_no_part_of_the_report() -> None:
    report = infer_shapes(MetaGraph())
    value = Builder().feed(2)
    assert report.shape(value) == Shape(None)
    assert report.dtype(value) is None
    assert report.constant(value) is None


# -- common ops, computed by hand ----------------------------------------------------------------------

IMAGE, NHWC = (None, 9, 12, 6), [1, 2, 2, 1]
# op, shapes that go in, attributes, shape that comes out
BY_HAND: list[tuple[str, list[tuple[int | None, ...]], dict[str, Any], list[int | None]]] = [
    ("Conv2D", [IMAGE, (3, 3, 6, 4)], {"strides": NHWC, "padding": b"SAME"}, [None, 5, 6, 4]),
    ("Conv2D", [IMAGE, (3, 3, 6, 4)], {"strides": NHWC, "padding": b"VALID"}, [None, 4, 5, 4]),
    ("Conv2D", [(2, 6, 9, 12), (3, 3, 6, 4)],
     {"strides": [1, 1, 2, 2], "padding": b"SAME", "data_format": b"NCHW"}, [2, 4, 5, 6]),
    ("DepthwiseConv2dNative", [IMAGE, (3, 3, 6, 2)], {"strides": [1, 1, 1, 1], "padding": b"VALID"}, [None, 7, 10, 12]),
    ("MaxPool", [IMAGE], {"ksize": NHWC, "strides": NHWC, "padding": b"SAME"}, [None, 5, 6, 6]),
    ("AvgPool", [IMAGE], {"ksize": NHWC, "strides": NHWC, "padding": b"VALID"}, [None, 4, 6, 6]),
    ("MatMul", [(None, 3), (3, 5)], {}, [None, 5]),
    ("MatMul", [(3, None), (5, 3)], {"transpose_a": True, "transpose_b": True}, [None, 5]),
    ("BatchMatMulV2", [(7, 1, 2, 3), (4, 3, 5)], {}, [7, 4, 2, 5]),
    ("BiasAdd", [IMAGE, (6,)], {}, [None, 9, 12, 6]),
    ("AddV2", [(4, 1, 3), (5, 1)], {}, [4, 5, 3]),
    ("Pack", [(2, 3), (2, 3)], {"N": 2, "axis": 1}, [2, 2, 3]),
    ("Squeeze", [(1, 4, 1)], {"squeeze_dims": [0]}, [4, 1]),
    ("Shape", [(None, 4, 1)], {}, [3]),
    ("SpaceToDepth", [(1, 4, 6, 2)], {"block_size": 2}, [1, 2, 3, 8]),
    ("DepthToSpace", [(1, 2, 3, 8)], {"block_size": 2}, [1, 4, 6, 2]),
    ("L2Loss", [(4, 5)], {}, []),
]  # fmt: skip


@pytest.mark.parametrize(("op", "given", "attrs", "expected"), BY_HAND)
def test_common_ops(
    op: str, given: list[tuple[int | None, ...]], attrs: dict[str, Any], expected: list[int | None]
) -> None:
    build = Builder()
    assert shape(build.op(op, *(build.feed(*dims) for dims in given), **attrs)) == Shape(expected)


def test_common_ops_that_read_constants() -> None:
    build = Builder()
    x = build.feed(None, 4, 5)
    for value, expected in (
        (build.op("Mean", x, build.const([1])), [None, 5]),
        (build.op("Mean", x, build.const([-1]), keep_dims=True), [None, 4, 1]),
        (build.op("ConcatV2", x, x, build.const(2), N=2), [None, 4, 10]),
        (build.op("Transpose", x, build.const([2, 0, 1])), [5, None, 4]),
        (build.op("ExpandDims", x, build.const(-1)), [None, 4, 5, 1]),
        (build.op("Pad", x, build.op("Reshape", build.const([0, 0, 1, 2, 3, 0]), build.const([3, 2]))), [None, 7, 8]),
        (build.op("Tile", x, build.const([1, 2, 3])), [None, 8, 15]),
        (build.op("StridedSlice", x, build.const([0, 1, 0]), build.const([0, 4, 5]), build.const([1, 2, 2]),
                  begin_mask=1, end_mask=1), [None, 2, 3]),
        (build.op("GatherV2", x, build.const([3, 1]), build.const(1)), [None, 2, 5]),
    ):  # fmt: skip
        assert shape(value) == Shape(expected), value
