"""Parsing of examples, records and raw bytes."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("ParseExample")
def parse_example(context: InferenceContext) -> Sequence[Result]:
    """Give sparse and dense features of a batch; from `Nsparse`, `dense_shapes`."""
    batch = context.with_rank(0, 1)
    count = context.integer_attr("Nsparse")
    return [*_sparse(count, 2), *_dense(batch, context.shapes_attr("dense_shapes"))]


@shape_fn("ParseExampleV2")
def parse_example_v2(context: InferenceContext) -> Sequence[Result]:
    """Give sparse, dense and ragged features of a batch or of one example; from `num_sparse`, `dense_shapes`."""
    batch = context.at_most(0, 1)
    rank = None if batch is None else len(batch)
    count = context.integer_attr("num_sparse")
    sparse = _sparse(count, None if rank is None else 1 + rank)
    ragged = len(context.dtypes_attr("ragged_value_types"))
    splits: list[Result] = [_row_splits(batch)] * ragged
    return [*sparse, *_dense(batch, context.shapes_attr("dense_shapes")), *[(None,)] * ragged, *splits]


def _row_splits(batch: Dims | None) -> Dims:
    if batch is None:
        return (None,)
    return (dim.add(batch[0], 1),) if batch else (0,)


@shape_fn("ParseSingleExample")
def parse_single_example(context: InferenceContext) -> Sequence[Result]:
    """Give sparse and dense features of one example; from `num_sparse`, `dense_shapes`."""
    context.with_rank(0, 0)
    return [*_sparse(context.integer_attr("num_sparse"), 1), *context.shapes_attr("dense_shapes")]


@shape_fn("ParseSingleSequenceExample")
def parse_single_sequence_example(context: InferenceContext) -> Sequence[Result]:
    """Give the features of one sequence and of its steps; from the `N...` and `..._shapes` attributes."""
    context.with_rank(0, 0)
    steps = [None if dims is None else (None, *dims) for dims in context.shapes_attr("feature_list_dense_shapes")]
    return [
        *_sparse(context.integer_attr("Ncontext_sparse"), 1),
        *context.shapes_attr("context_dense_shapes"),
        *_sparse(context.integer_attr("Nfeature_list_sparse"), 2),
        *steps,
    ]


@shape_fn("ParseSequenceExample", "ParseSequenceExampleV2")
def parse_sequence_example(context: InferenceContext) -> Sequence[Result]:
    """Give the features of a batch of sequences and of their steps; from the `N...` and `..._shapes` attributes."""
    batch = context.with_rank(0, 1) if context.node.op == "ParseSequenceExample" else context.at_most(0, 1)
    if batch is None:
        return _sequence(context, None, 1)
    return _sequence(context, batch, len(batch))


def _sequence(context: InferenceContext, batch: Dims | None, rank: int) -> list[Result]:
    is_known = batch is not None
    own = [_behind(batch, (), dims) for dims in context.shapes_attr("context_dense_shapes")]
    steps = [_behind(batch, (None,), dims) for dims in context.shapes_attr("feature_list_dense_shapes")]
    lengths: list[Result] = [batch] * len(steps)
    context_ragged, step_ragged = _ragged(context, "context"), _ragged(context, "feature_list")
    splits = _row_splits(batch)
    return [
        *_sparse(context.integer_attr("Ncontext_sparse"), rank + 1 if is_known else None),
        *own,
        *[(None,)] * context_ragged,
        *[splits] * context_ragged,
        *_sparse(context.integer_attr("Nfeature_list_sparse"), rank + 2 if is_known else None),
        *steps,
        *lengths,
        *[(None,)] * step_ragged,
        *[splits if batch != () else (None,)] * step_ragged,
        *[(None,)] * step_ragged,
    ]


def _ragged(context: InferenceContext, prefix: str) -> int:
    return len(context.dtypes_attr(f"{prefix}_ragged_value_types"))


def _behind(batch: Dims | None, between: Dims, dims: Dims | None) -> Dims | None:
    return None if batch is None or dims is None else (*batch, *between, *dims)


def _sparse(count: int, rank: int | None) -> list[Result]:
    """Return indices of all, values of all, shapes of all."""
    if not 0 <= count < 1 << 16:
        raise ShapeError(f"{count} sparse features")
    return [*[(None, rank)] * count, *[(None,)] * count, *[(rank,)] * count]


def _dense(batch: Dims | None, shapes: Sequence[Dims | None]) -> list[Result]:
    return [_behind(batch, (), dims) for dims in shapes]


@shape_fn("ParseTensor")
def parse_tensor(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known of what a string holds."""
    return [None]


@shape_fn("DecodeRaw", "DecodePaddedRaw")
def decode_raw(context: InferenceContext) -> Sequence[Result]:
    """Give the numbers in each string; of the padded form as many as the second input has bytes for."""
    dims = context.dims(0)
    count: Dim = None
    dtype = context.dtype_attr("out_type")
    length = context.integer(1) if context.node.op == "DecodePaddedRaw" else None
    if length is not None and dtype is not None and dtype.itemsize:
        count = length // dtype.itemsize
    return [None if dims is None else (*dims, count)]


@shape_fn("DecodeCSV")
def decode_csv(context: InferenceContext) -> Sequence[Result]:
    """Give for each column the shape of the records."""
    return [context.dims(0)] * context.num_outputs


@shape_fn("DecodeProtoV2")
def decode_proto(context: InferenceContext) -> Sequence[Result]:
    """Give how often each field occurs in each message, and the values."""
    dims, fields = context.dims(0), context.num_outputs - 1
    if dims is None:
        return [None] * context.num_outputs
    return [(*dims, fields), *[(*dims, None)] * fields]


@shape_fn("EncodeProto")
def encode_proto(context: InferenceContext) -> Sequence[Result]:
    """Give a message per leading position of the sizes."""
    shared: Dims | None = None
    for fact in context.argument("values"):
        if fact.dims == ():
            raise ShapeError("a value of a field has no dimension along which it repeats")
        shared = dim.merge(shared, None if fact.dims is None else fact.dims[:-1])
    return [shared]
