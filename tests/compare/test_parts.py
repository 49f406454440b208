"""Parts of sparse and ragged tensors fit together, whatever the seed."""

from __future__ import annotations

import numpy as np

from graphsurgeon.compare.entries import Input
from graphsurgeon.compare.parts import random_parts
from graphsurgeon.model import DType, MetaGraph
from graphsurgeon.model.dtype import FLOAT32, INT32, INT64
from graphsurgeon.model.shape import Shape


def inputs(**given: tuple[DType, list[int | None]]) -> dict[str, Input]:
    graph = MetaGraph().graph
    return {
        name: Input(name, graph.add_node("NoOp", name, [], {}).output(), dtype, Shape(dims))
        for name, (dtype, dims) in given.items()
    }


SPARSE = inputs(
    w_indices=(INT64, [None, 2]), w_values=(FLOAT32, [None]), w_dense_shape=(INT64, [2]), x=(FLOAT32, [None, 3])
)


def test_a_sparse_tensor_has_a_value_for_each_index() -> None:
    found = random_parts(SPARSE, seed=1)
    assert found["w_indices"].tolist() == [[0, 0], [1, 0], [1, 1]]
    assert found["w_dense_shape"].tolist() == [2, 8]
    assert found["w_values"].shape == (3,)
    assert {str(found[name].dtype) for name in ("w_indices", "w_dense_shape")} == {"int64"}
    assert not np.array_equal(found["w_values"], random_parts(SPARSE, seed=2)["w_values"])
    assert "x" not in found


def test_rows_of_a_ragged_tensor_end_with_its_values() -> None:
    ragged = inputs(r_values=(FLOAT32, [None, 4]), r_row_splits=(INT32, [None]))
    found = random_parts(ragged, seed=0, batch=3)
    assert found["r_row_splits"].tolist() == [0, 1, 3, 4]
    assert str(found["r_row_splits"].dtype) == "int32"
    assert found["r_values"].shape == (4, 4)


def test_what_is_given_or_no_part_is_left_alone() -> None:
    assert random_parts(SPARSE, seed=0, given={"w_values"}) == {}
    assert random_parts(inputs(w_indices=(INT64, [None, 2]), w_values=(FLOAT32, [None])), seed=0) == {}
