"""TensorLists and maps: variants whose element shape travels with the list."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.fact import Fact, Held
from graphsurgeon.shapes.registry import Result, shape_fn


def _list(context: InferenceContext, element: Dims | None, dims: Dims | None = ()) -> Fact:
    return Fact(dims, handle=(Held(context.dtype_attr("element_dtype"), element),))


@shape_fn("EmptyTensorList", "TensorListReserve", "TensorListSplit")
def empty(context: InferenceContext) -> Sequence[Result]:
    """Give a list of `element_dtype` and the element shape that an input spells (of Split without its rows)."""
    if context.node.op != "TensorListSplit":
        return [_list(context, context.shape_of(0))]
    return [_list(context, context.shape_of(1))]


@shape_fn("TensorListFromTensor")
def from_tensor(context: InferenceContext) -> Sequence[Result]:
    """Give a list of the slices of the first input, as the second input spells their shape."""
    dims = context.dims(0)
    return [_list(context, dim.merge(context.shape_of(1), dims[1:] if dims else None))]


@shape_fn("TensorListScatter", "TensorListScatterV2")
def scatter(context: InferenceContext) -> Sequence[Result]:
    """Give a list of the element shape that the third input spells."""
    return [_list(context, context.shape_of(2))]


@shape_fn("TensorListScatterIntoExistingList")
def scatter_into(context: InferenceContext) -> Sequence[Result]:
    """Give the list, whose elements are like the slices of the second input."""
    dims = context.dims(1)
    element = dim.merge(context.held(0).dims, dims[1:] if dims else None)
    return [_list(context, element)]


@shape_fn("TensorListPushBack")
def push_back(context: InferenceContext) -> Sequence[Result]:
    """Give the list, whose elements are like the second input."""
    held = context.held(0).dims
    if context.input(0).handle is None:
        return [()]
    return [_list(context, dim.merge(held, context.dims(1)))]


@shape_fn("TensorListSetItem")
def set_item(context: InferenceContext) -> Sequence[Result]:
    """Give the list, whose elements are like the third input."""
    if context.input(0).handle is None:
        return [()]
    return [_list(context, dim.merge(context.held(0).dims, context.dims(2)))]


@shape_fn("TensorListPushBackBatch")
def push_back_batch(context: InferenceContext) -> Sequence[Result]:
    """Give the lists, whose elements are like the slices of the second input."""
    handles = context.with_rank(0, 1)
    values = context.at_least(1, 1)
    batch = dim.merge_dim(handles[0], None if values is None else values[0])
    if context.input(0).handle is None:
        return [(batch,)]
    element = dim.merge(context.held(0).dims, None if values is None else values[1:])
    return [_list(context, element, (batch,))]


@shape_fn("TensorListResize")
def resize(context: InferenceContext) -> Sequence[Result]:
    """Give a list of the same elements."""
    return [Fact((), handle=context.input(0).handle)]


@shape_fn("TensorListConcatLists")
def concat_lists(context: InferenceContext) -> Sequence[Result]:
    """Give lists of the elements of both."""
    dims = dim.merge(context.dims(0), context.dims(1))
    if context.input(0).handle is None or context.input(1).handle is None:
        return [dims]
    return [_list(context, dim.merge(context.held(0).dims, context.held(1).dims), dims)]


@shape_fn("TensorListLength")
def length(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar."""
    return [()]


@shape_fn("TensorListElementShape")
def element_shape(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of an element as a vector."""
    dims = context.held(0).dims
    return [None if dims is None else Fact((len(dims),), dims)]


@shape_fn("TensorListPopBack")
def pop_back(context: InferenceContext) -> Sequence[Result]:
    """Give the list, and an element."""
    spelled = context.shape_of(1) if len(context.dims(1) or ()) == 1 else None
    return [Fact((), handle=context.input(0).handle), dim.merge(context.held(0).dims, spelled)]


@shape_fn("TensorListGetItem")
def get_item(context: InferenceContext) -> Sequence[Result]:
    """Give an element; the third input spells its shape too."""
    return [dim.merge(context.held(0).dims, context.shape_of(2))]


@shape_fn("TensorListStack")
def stack(context: InferenceContext) -> Sequence[Result]:
    """Give all elements, one above the other: `num_elements` if that is known."""
    element = dim.merge(context.held(0).dims, context.shape_of(1))
    count = context.integer_attr("num_elements", -1)
    return [None if element is None else (count if count >= 0 else None, *element)]


@shape_fn("TensorListGather")
def gather(context: InferenceContext) -> Sequence[Result]:
    """Give the elements at the indices, one above the other."""
    element = dim.merge(context.held(0).dims, context.shape_of(2))
    indices = context.dims(1)
    return [None if element is None or indices is None else (*indices, *element)]


@shape_fn("TensorListConcat", "TensorListConcatV2")
def concat(context: InferenceContext) -> Sequence[Result]:
    """Give all elements joined along their first dimension, and how long each is."""
    element = context.held(0).dims
    declared = context.shape_attr("element_shape") if context.node.op == "TensorListConcat" else context.shape_of(1)
    shape = dim.merge(element, declared)
    return [None if shape is None else (None, *shape[1:]), (None,)]


@shape_fn("EmptyTensorMap", "TensorMapErase", "TensorMapInsert", "TensorMapHasKey", "TensorMapSize")
def tensor_map(context: InferenceContext) -> Sequence[Result]:
    """Give scalars: the map, an answer, a size."""
    return [()] * context.num_outputs


@shape_fn("TensorMapLookup", "TensorMapStackKeys")
def tensor_map_content(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known of what a map holds."""
    return [None]
