"""Tensors that claim more than is stored: filled lazily, and refused by name where they would have to be whole."""

from __future__ import annotations

import hashlib
import tracemalloc
from typing import Any

import pytest

from graphsurgeon.analysis.stored_weights.weights import MOST_REPEATED, Allowance, checksum
from graphsurgeon.compare.diff.tensors import compare_values, same_values
from graphsurgeon.errors import FormatError
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.values.tensorproto import read_tensor
from graphsurgeon.model.dtype import FLOAT32, STRING
from graphsurgeon.model.tensor import FilledStrings, Tensor, string_runs

HUGE = 1_000_000_000


def filled(count: int, *items: bytes) -> Tensor:
    """A string tensor of a count whose message holds some of its elements."""
    proto = schema.message("tensorflow.TensorProto")(dtype=7, string_val=items)
    proto.tensor_shape.dim.add().size = count
    return read_tensor(proto, [])


@pytest.mark.parametrize(
    ("count", "items", "expected"),
    [
        (4, [b"a", b"bc"], [b"a", b"bc", b"bc", b"bc"]),
        (3, [], [b"", b"", b""]),
        (1, [b"x", b"y"], [b"x"]),
        (2, [b"x", b"y"], [b"x", b"y"]),
        (0, [b"x"], []),
        (0, [], []),
    ],
)
def test_the_last_string_stored_fills_the_tensor(count: int, items: list[bytes], expected: list[bytes]) -> None:
    """As `tensor.cc` says of every typed field."""
    tensor = filled(count, *items)
    assert tensor.items() == list(tensor.source.strings()) == tensor.numpy().tolist() == expected
    assert tensor.tobytes() == b"".join(expected)
    assert compare_values(tensor, Tensor.of(STRING, (count,), expected)) is None


@pytest.mark.tensorflow
@pytest.mark.parametrize(("count", "items"), [(4, [b"a", b"bc"]), (3, []), (1, [b"x", b"y"]), (3, [b"\xff"])])
def test_tensorflow_fills_string_tensors_in_the_same_way(count: int, items: list[bytes]) -> None:
    import tensorflow as tf

    tensor = filled(count, *items)
    serialized = tensor.source.message.SerializeToString()  # type: ignore[attr-defined]
    assert tf.io.parse_tensor(serialized, tf.string).numpy().tolist() == tensor.items()


def test_filled_strings_are_a_sequence() -> None:
    items = FilledStrings([b"a", b"b"], 5)
    assert (len(items), items[0], items[1], items[4], items[-1]) == (5, b"a", b"b", b"b", b"b")
    assert items[1:3] == [b"b", b"b"]
    assert list(items) == [b"a", b"b", b"b", b"b", b"b"]
    assert list(string_runs(items)) == [(b"a", 1), (b"b", 4)]
    with pytest.raises(IndexError):
        items[5]


def test_a_huge_string_tensor_is_never_whole() -> None:
    tracemalloc.start()
    one, other = filled(HUGE, b"a", b""), filled(HUGE, b"b", b"")
    # SHA-256 of "a": all other elements are empty.
    assert checksum(one) == hashlib.sha256(b"a").hexdigest()
    difference = compare_values(one, other)
    assert difference is not None
    assert (difference.count, difference.total) == (1, HUGE)
    assert same_values(one, filled(HUGE, b"a", b"", b"")) is True
    assert same_values(one, other) is False
    difference = compare_values(one, filled(HUGE, b"a", b"x"))
    assert difference is not None
    assert difference.count == HUGE - 1
    for whole in (one.items, one.numpy, one.tobytes):
        with pytest.raises(FormatError, match="would take 8000000000 bytes of memory"):
            whole()
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_repeated_strings_are_hashed_in_blocks() -> None:
    tensor = filled(3_000_000, b"head", b"xyz")
    assert checksum(tensor) == hashlib.sha256(b"head" + b"xyz" * 2_999_999).hexdigest()
    assert sum(1 for _ in tensor.chunks()) < 10


@pytest.mark.parametrize("number", [1, 9])
def test_a_huge_number_tensor_is_never_whole(number: int) -> None:
    proto = schema.message("tensorflow.TensorProto")(dtype=number)
    proto.tensor_shape.dim.add().size = 1 << 31
    tensor = read_tensor(proto, [])
    for whole in (tensor.items, tensor.numpy, tensor.tobytes):
        with pytest.raises(FormatError, match="bytes of memory"):
            whole()


def test_what_all_weights_claim_is_bounded() -> None:
    allowance = Allowance(1000)
    allowance.take(MOST_REPEATED)
    with pytest.raises(FormatError, match="far more bytes than the files hold"):
        allowance.take(64_001)
    with pytest.raises(FormatError):
        checksum(filled(3, b"x"), allowance)
    with pytest.raises(FormatError):
        compare_values(Tensor.of(FLOAT32, (1,), [1.0]), Tensor.of(FLOAT32, (1,), [2.0]), allowance)


def test_values_that_do_not_fill_the_shape_are_refused() -> None:
    """Bytes that are too few are no list of fewer elements."""
    message = schema.message("tensorflow.TensorProto")(dtype=3, tensor_content=bytes(4))
    message.tensor_shape.dim.add().size = 2
    with pytest.raises(FormatError, match=r"1 value stored for int32 of shape \[2\]"):
        read_tensor(message, []).items()


def _of_unknown_rank() -> Any:
    message = schema.message("tensorflow.TensorProto")(dtype=3, int_val=[7])
    message.tensor_shape.unknown_rank = True
    return message


def test_values_of_unknown_rank_are_those_of_the_dimensions() -> None:
    assert read_tensor(_of_unknown_rank(), []).items() == [7]


@pytest.mark.tensorflow
def test_tensorflow_reads_values_of_unknown_rank_so() -> None:
    import tensorflow as tf

    graph = tf.compat.v1.GraphDef()
    node = graph.node.add(name="c", op="Const")
    node.attr["dtype"].type = 3
    node.attr["value"].tensor.ParseFromString(_of_unknown_rank().SerializeToString())
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph, name="")
        assert session.run("c:0") == 7
