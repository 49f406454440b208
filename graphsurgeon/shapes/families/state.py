"""Variables of both kinds, and other resources that hold a value: the handle knows what reading it gives."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.fact import Fact, Held
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("VariableV2", "TemporaryVariable")
def variable(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape`."""
    return [context.shape_attr("shape")]


@shape_fn("Variable")
def old_variable(context: InferenceContext) -> Sequence[Result]:
    """Give the shape in `shape`; the oldest graphs wrote a scalar where they meant nothing."""
    return [context.shape_attr("shape") or None]


@shape_fn("VarHandleOp", "_XlaAotOnlyVarHandleOp")
def var_handle(context: InferenceContext) -> Sequence[Result]:
    """Give a handle of what `dtype` and `shape` say."""
    return [Fact((), handle=(Held(context.dtype_attr("dtype"), context.shape_attr("shape")),))]


@shape_fn("_VarHandlesOp")
def var_handles(context: InferenceContext) -> Sequence[Result]:
    """Give a handle per entry of `dtypes` and `shapes`."""
    held = zip(context.dtypes_attr("dtypes"), context.shapes_attr("shapes"), strict=False)
    return [Fact((), handle=(Held(dtype, dims),)) for dtype, dims in held]


@shape_fn("ReadVariableOp")
def read_variable(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of what the handle holds."""
    held, dtype = context.held(0), context.dtype_attr("dtype")
    if held.dtype is not None and dtype is not None and held.dtype.base is not dtype.base:
        raise dim.ShapeError(f"reads {dtype} from a variable of {held.dtype}")
    return [held.dims]


@shape_fn("_ReadVariablesOp")
def read_variables(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of what each handle holds."""
    return [context.held(index).dims for index in range(len(context.inputs))]


@shape_fn("ReadVariableXlaSplitND", "XlaSplitND")
def read_variable_split(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known of the parts."""
    return [None] * context.num_outputs


@shape_fn("VariableShape")
def variable_shape(context: InferenceContext) -> Sequence[Result]:
    """Give a vector, the shape of what the handle holds."""
    dims = context.held(0).dims
    return [(None,) if dims is None else Fact((len(dims),), dims)]


@shape_fn("Assign")
def assign(context: InferenceContext) -> Sequence[Result]:
    """Give what variable and new value share; the shape of the value alone unless `validate_shape`."""
    if context.attr("validate_shape") is False:
        return [context.dims(1)]
    return [dim.merge(context.dims(0), context.dims(1))]


@shape_fn("AssignAdd", "AssignSub")
def assign_add(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that variable and value share."""
    return [dim.merge(context.dims(0), context.dims(1))]


@shape_fn("AssignVariableOp", "AssignAddVariableOp", "AssignSubVariableOp")
def assign_variable(context: InferenceContext) -> Sequence[Result]:
    """Give nothing; what the handle holds and the new value must agree (`CreateAssignShapeFn` of resource ops)."""
    held = context.held(0)
    dim.merge(held.dims, context.dims(1))
    return []


@shape_fn("CountUpTo")
def count_up_to(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar."""
    return [context.with_rank(0, 0)]


@shape_fn("ResourceCountUpTo")
def resource_count_up_to(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar."""
    return [()]


@shape_fn("DestroyTemporaryVariable")
def destroy_temporary_variable(context: InferenceContext) -> Sequence[Result]:
    """Give the value that the variable had."""
    return [context.dims(0)]


@shape_fn(
    "VarIsInitializedOp", "IsVariableInitialized", "IsResourceHandleRefCounting", "GetSessionHandle",
    "GetSessionHandleV2", "MutexV2", "MutexLock", "MakeWeakResourceHandle", "StubResourceHandleOp",
    "ResourceInitializedOp", "DummyIterationCounter", "AnonymousRandomSeedGenerator", "AnonymousSeedGenerator",
    "DummySeedGenerator", "AnonymousMemoryCache", "DummyMemoryCache", "BoostedTreesEnsembleResourceHandleOp",
    "BoostedTreesQuantileStreamResourceHandleOp", "IsBoostedTreesEnsembleInitialized",
    "IsBoostedTreesQuantileStreamResourceInitialized", "BoostedTreesSerializeEnsemble",
)  # fmt: skip
def scalars(context: InferenceContext) -> Sequence[Result]:
    """Give scalars: handles and answers."""
    return [()] * context.num_outputs


@shape_fn("GetSessionTensor")
def get_session_tensor(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known of a tensor that the session kept."""
    return [None]


@shape_fn("Stack", "StackV2", "StackPush", "StackPushV2", "StackPop", "StackPopV2")
def stack(context: InferenceContext) -> Sequence[Result]:
    """Give the handle's two strings, what is pushed, and nothing known of what is popped."""
    op = context.node.op
    return [(2,) if op in ("Stack", "StackV2") else context.dims(1) if "Push" in op else None]
