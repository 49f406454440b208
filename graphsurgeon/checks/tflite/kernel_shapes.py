"""Rules about the shapes that TFLite kernels take, of tensors as an interpreter has them before they are run.

What an op of TensorFlow asks of its inputs is asked by restating operators (`shapes/tflite.py`); here stands what the
kernels of LiteRT ask beside that: ranks, numbers of elements, dimensions that must be equal. A subgraph that operators
run is looked at with the shapes that they give it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

from graphsurgeon.checks.tflite.kernels import stored_type
from graphsurgeon.checks.tflite.operators import is_custom
from graphsurgeon.checks.tflite.places import ANEW, subgraph
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.shape import Shape
from graphsurgeon.shapes.tflite import as_read
from graphsurgeon.shapes.tflite_stored import StoredShapes

Ranks = tuple[int, int]  # the least and the greatest
_ANY = 99
_SCALAR, _VECTOR, _MATRIX, _IMAGE, _VOLUME = (0, 0), (1, 1), (2, 2), (4, 4), (5, 5)
# Operator -> input -> the ranks that its kernel takes (its `Prepare`; each was asked of LiteRT).
_RANKS: dict[str, dict[int, Ranks]] = {
    op: ranks
    for ops, ranks in (
        ("CONV_2D DEPTHWISE_CONV_2D", {0: _IMAGE, 1: _IMAGE}),
        ("TRANSPOSE_CONV", {0: _VECTOR, 1: _IMAGE, 2: _IMAGE}),
        ("CONV_3D", {0: _VOLUME, 1: _VOLUME}),
        ("CONV_3D_TRANSPOSE", {0: _VECTOR, 1: _VOLUME, 2: _VOLUME}),
        ("AVERAGE_POOL_2D MAX_POOL_2D L2_POOL_2D SPACE_TO_DEPTH DEPTH_TO_SPACE", {0: _IMAGE}),
        ("RESIZE_BILINEAR RESIZE_NEAREST_NEIGHBOR", {0: _IMAGE, 1: _VECTOR}),
        ("SPACE_TO_BATCH_ND BATCH_TO_SPACE_ND", {0: (3, 4), 1: _VECTOR, 2: _MATRIX}),
        ("TRANSPOSE", {0: (0, 6), 1: _VECTOR}),
        ("PAD PADV2 MIRROR_PAD", {1: _MATRIX}),
        ("GATHER_ND", {0: (1, _ANY), 1: (1, _ANY)}),
        ("SCATTER_ND", {0: (1, _ANY), 1: (1, _ANY), 2: _VECTOR}),
        ("SPARSE_TO_DENSE", {0: (0, 2), 1: _VECTOR, 2: (0, 1)}),
        ("SLICE", {1: _VECTOR, 2: _VECTOR}),
        ("STRIDED_SLICE", {0: (0, 5), 1: _VECTOR, 2: _VECTOR, 3: _VECTOR}),
        ("TILE BROADCAST_TO SPLIT_V REVERSE_V2 REVERSE_SEQUENCE SEGMENT_SUM RFFT2D", {1: _VECTOR}),
        ("FILL", {0: _VECTOR, 1: _SCALAR}),
        ("RANGE", {0: _SCALAR, 1: _SCALAR, 2: _SCALAR}),
        ("SVDF", {0: _MATRIX, 1: _MATRIX, 2: _MATRIX}),
        ("L2_NORMALIZATION", {0: (0, 4)}),
        ("LOCAL_RESPONSE_NORMALIZATION", {0: _IMAGE}),
        ("SOFTMAX LOG_SOFTMAX TOPK_V2 MATRIX_DIAG UNPACK", {0: (1, _ANY)}),
        ("EMBEDDING_LOOKUP", {0: _VECTOR, 1: (2, _ANY)}),
        ("BATCH_MATMUL", {0: (2, 5), 1: (2, 5)}),
        ("MATRIX_SET_DIAG", {0: (2, _ANY)}),
        ("HASHTABLE_LOOKUP", {0: _VECTOR, 1: _VECTOR}),
        ("UNIQUE", {0: _VECTOR}),
        ("UNIDIRECTIONAL_SEQUENCE_LSTM", {0: (3, 3)}),
    )
    for op in ops.split()
}
# Operator -> inputs of one element.
_SINGLE = {
    "EXPAND_DIMS": (1,), "TOPK_V2": (1,), "SPLIT": (0,), "SPLIT_V": (2,), "ARG_MAX": (1,), "ARG_MIN": (1,),
    "CUMSUM": (1,), "ONE_HOT": (1, 2, 3), "IF": (0,), "PAD": (2,), "PADV2": (2,),
}  # fmt: skip
Dims = tuple[int | None, ...]
Found = Callable[[Value], "Dims | None"]


def shapes(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find operators that do not take the shapes they are given, in what is called from outside and what that runs."""
    seen: set[tuple[Graph, tuple[Shape, ...]]] = set()
    told: set[Finding] = set()
    for graph in dict.fromkeys([metagraph.graph, *(signature.graph for signature in metagraph.signatures.values())]):
        for finding in _of_subgraph(graph, (), seen) if graph.raw is not None else ():
            if finding not in told:
                told.add(finding)
                yield finding


def _of_subgraph(graph: Graph, given: Sequence[Shape], seen: set[tuple[Graph, tuple[Shape, ...]]]) -> Iterator[Finding]:
    key = graph, tuple(given)
    if key in seen:
        return
    seen.add(key)
    known = StoredShapes(graph, given)
    for found in known.findings:
        yield Finding("error", f"{subgraph(graph)}{found.where}", found.what, ANEW, "shape")
    for number, node in enumerate(graph.nodes):
        where = f"{subgraph(graph)}operator #{number} ({node.op})"
        for what in _faults(node, lambda value: known.of(value).dims) if not is_custom(node) else ():
            yield Finding("error", where, what, ANEW, "operator-shape")
        for inner in (ref.graph for ref in node.function_refs):
            taken = node.inputs[1:] if node.op == "IF" else node.inputs
            if inner is not None and node.op not in ("CALL_ONCE", "CALL") and len(taken) == len(inner.inputs):
                yield from _of_subgraph(inner, [known.of(value) for value in taken], seen)
                if node.op == "WHILE":
                    yield from _condition(node, inner, [known.of(value) for value in taken], where)


def _condition(node: Node, inner: Graph, given: Sequence[Shape], where: str) -> Iterator[Finding]:
    """Hold the result of a loop's condition to one element."""
    if node.functions and inner is node.functions[0] and len(inner.outputs) == 1:
        dims = StoredShapes(inner, given).of(inner.outputs[0].value).dims
        if dims is not None and (len(dims) > 1 or dims not in ((), (1,), (None,))):
            what = f"its condition yields {_told(dims)}, not one element"
            yield Finding("error", where, what, ANEW, "operator-shape")


def _faults(node: Node, dims_of: Found) -> Iterator[str]:
    found = [None if value.is_absent else dims_of(value) for value in node.inputs]
    for place, (least, most) in _RANKS.get(node.op, {}).items():
        dims = found[place] if place < len(found) else None
        if dims is not None and not least <= len(dims) <= most:
            wanted = str(least) if least == most else f"{least} or more" if most == _ANY else f"{least} to {most}"
            yield f"its input {place} has {len(dims)} dimensions, not {wanted}"
    for place in _SINGLE.get(node.op, ()):
        count = _count(found[place]) if place < len(found) else None
        if count not in (None, 1):
            yield f"its input {place} has {count} elements, not 1"
    rule = _RULES.get(node.op)
    if rule is not None:
        yield from rule(node, found)


def _count(dims: Dims | None) -> int | None:
    if dims is None:
        return None
    return math.prod(dim for dim in dims if dim is not None) if None not in dims else None


def _told(dims: Dims) -> str:
    return str(Shape(dims))


Rule = Callable[[Node, list["Dims | None"]], Iterator[str]]


def _convolution(channels: int) -> Rule:
    """Return a rule for operators with weights: their depth and the size of the bias."""

    def look(node: Node, found: list[Dims | None]) -> Iterator[str]:
        given, weights = (found[place] if place < len(found) else None for place in (0, 1))
        if given is None or weights is None or len(given) != 4 or len(weights) != 4:
            return
        depth, taken, made = given[3], weights[3], weights[channels]
        if node.op == "DEPTHWISE_CONV_2D":
            if weights[0] not in (None, 1):
                yield f"its weights begin with {weights[0]}, not 1"
            if depth and made and made % depth:
                yield f"its weights make {made} channels of {depth}"
            said = node.attrs.get("depth_multiplier")
            if isinstance(said, int) and said > 0 and depth and made and not made % said and depth * said != made:
                yield f"its depth_multiplier is {said}, its weights make {made} channels of {depth}"
        elif depth is not None and taken is not None and (not taken or depth % taken):
            yield f"its input has {depth} channels, its weights take {taken}"
        yield from _bias(node, found, 2, made)

    return look


def _bias(node: Node, found: list[Dims | None], place: int, made: int | None) -> Iterator[str]:
    bias = found[place] if place < len(found) else None
    if bias is not None and made is not None and _count(bias) not in (None, made):
        yield f"its bias has {_count(bias)} elements, its weights make {made} channels"


def _matrix(node: Node, found: list[Dims | None]) -> Iterator[str]:
    given, weights = (found[place] if place < len(found) else None for place in (0, 1))
    if weights is None:
        return
    if len(weights) != 2:
        yield f"its weights have {len(weights)} dimensions, not 2"
        return
    elements = _count(given)
    if elements is not None and weights[1] is not None:
        if weights[1] and elements % weights[1]:
            yield f"its input has {elements} elements, its weights take rows of {weights[1]}"
        elif node.attrs.get("keep_num_dims") and given and given[-1] not in (None, weights[1]):
            yield f"the last dimension of its input is {given[-1]}, its weights take rows of {weights[1]}"
    yield from _bias(node, found, 2, weights[0])


def _transposed(node: Node, found: list[Dims | None]) -> Iterator[str]:
    sizes, weights, given = (found[place] if place < len(found) else None for place in (0, 1, 2))
    if sizes is not None and len(sizes) == 1 and sizes[0] not in (None, 4):
        yield f"its output shape has {sizes[0]} numbers, not 4"
    if weights is None or len(weights) != 4:
        return
    if given is not None and len(given) == 4 and None not in (given[3], weights[3]) and given[3] != weights[3]:
        yield f"its input has {given[3]} channels, its weights take {weights[3]}"
    yield from _bias(node, found, 3, weights[0])


def _padded(node: Node, found: list[Dims | None]) -> Iterator[str]:
    given, paddings = (found[place] if place < len(found) else None for place in (0, 1))
    if paddings is not None and len(paddings) == 2:
        if paddings[1] not in (None, 2):
            yield f"its paddings are {_told(paddings)}: two numbers for each dimension are wanted"
        if given is not None and paddings[0] not in (None, len(given)):
            yield f"its paddings are for {paddings[0]} dimensions, its input has {len(given)}"


def _counted(places: Sequence[int]) -> Rule:
    """Return a rule for vectors that have a number for each dimension of the first input."""

    def look(node: Node, found: list[Dims | None]) -> Iterator[str]:
        given = found[0] if found else None
        for place in places:
            dims = found[place] if place < len(found) else None
            if given is not None and dims is not None and len(dims) == 1 and dims[0] not in (None, len(given)):
                yield f"its input {place} has {dims[0]} numbers, its input 0 {len(given)} dimensions"

    return look


def _reshaped(node: Node, found: list[Dims | None]) -> Iterator[str]:
    """Find shapes with more than one dimension left open, and negative ones."""
    if len(node.inputs) > 1 and _says_shape(node, found):
        numbers = _numbers(node.inputs[1])
    else:
        said = node.attrs.get("new_shape")
        numbers = [one for one in said if isinstance(one, int)] if isinstance(said, list | tuple) else []
        elements = _count(found[0]) if found else None
        if not numbers and elements not in (None, 1):
            yield f"nothing says to which shape, and its input has {elements} elements"
    if numbers is not None:
        if numbers.count(-1) > 1:
            yield f"its shape {numbers} leaves more than one dimension open"
        if any(number < -1 for number in numbers):
            yield f"its shape is {numbers}"


def _says_shape(node: Node, found: list[Dims | None]) -> bool:
    dims = found[1]
    return (dims is None or len(dims) == 1) and stored_type(node.inputs[1]) in ("INT32", "")


def _numbers(value: Value) -> list[int] | None:
    """Return the integers that are stored for a small tensor."""
    tensor = value.tensor
    if tensor is None or value.dtype is None or not value.dtype.is_integer or (tensor.num_elements or 0) > 100:
        return None
    try:
        return [int(one) for one in as_read(tensor).numpy().reshape(-1)]
    except GraphSurgeonError:  # of another size than the shape: that is told
        return None


def _sized(node: Node, found: list[Dims | None]) -> Iterator[str]:
    sizes = found[1] if len(found) > 1 else None
    if sizes is not None and len(sizes) == 1 and sizes[0] not in (None, 2):
        yield f"its size has {sizes[0]} numbers, not 2"
    numbers = (_numbers(node.inputs[1]) or ()) if len(node.inputs) > 1 else ()
    if any(number < (node.op == "RESIZE_BILINEAR") for number in numbers):  # the other kernel makes nothing of 0
        yield f"its size is {numbers}"


def _multiplied(node: Node, found: list[Dims | None]) -> Iterator[str]:
    first, second = (found[place] if place < len(found) else None for place in (0, 1))
    if first is None or second is None or len(first) < 2 or len(second) < 2:
        return
    depth = first[-2] if node.attrs.get("adj_x") else first[-1]
    taken = second[-1] if node.attrs.get("adj_y") else second[-2]
    if None not in (depth, taken) and depth != taken:
        yield f"its first matrices have {depth} columns, its second {taken} rows"


def _scattered(node: Node, found: list[Dims | None]) -> Iterator[str]:
    indices, updates, sizes = (found[place] if place < len(found) else None for place in (0, 1, 2))
    if indices is None or updates is None or not indices or not updates:
        return
    outer = indices[:-1]
    if len(updates) < len(outer) or any(
        None not in (one, two) and one != two for one, two in zip(outer, updates, strict=False)
    ):
        yield f"its updates are {_told(updates)}, its indices {_told(indices)}"
    elif sizes is not None and len(sizes) == 1 and None not in (sizes[0], indices[-1]):
        assert sizes[0] is not None
        assert indices[-1] is not None
        if len(updates) - len(outer) != sizes[0] - indices[-1]:
            yield f"its updates are {_told(updates)}, its indices {_told(indices)}, its shape has {sizes[0]} dimensions"
            return
        numbers = _numbers(node.inputs[2])
        pairs = zip(updates[len(outer) :], (numbers or [])[indices[-1] :], strict=False)
        if any(one is not None and one != two for one, two in pairs):
            yield f"its updates are {_told(updates)}, its shape is {numbers}"
        depth, places = indices[-1], _numbers(node.inputs[0])
        if numbers and 0 in numbers[:depth] and _count(indices):
            yield f"its shape is {numbers}, in which there is nothing at an index"
        for number, one in enumerate(places or ()) if depth and numbers else ():
            if not 0 <= one < (numbers or [])[number % depth]:
                yield f"its indices hold {one} for a dimension of {(numbers or [])[number % depth]}"
                return


def _filtered(node: Node, found: list[Dims | None]) -> Iterator[str]:
    """Hold the weights, bias and state of a SVDF to each other (`svdf.cc`)."""
    given, feature, time, state = (found[place] if place < len(found) else None for place in (0, 1, 2, 4))
    if given is None or feature is None or time is None or not len(given) == len(feature) == len(time) == 2:
        return
    rank = node.attrs.get("rank")
    if isinstance(rank, int) and rank > 0 and feature[0] is not None:
        if feature[0] % rank:
            yield f"its {feature[0]} filters are no multiple of its rank {rank}"
        yield from _bias(node, found, 3, feature[0] // rank)
    if None not in (given[1], feature[1]) and given[1] != feature[1]:
        yield f"its input has {given[1]} features, its weights take {feature[1]}"
    if None not in (feature[0], time[0]) and feature[0] != time[0]:
        yield f"its weights are for {feature[0]} and {time[0]} filters"
    if state is not None and None not in (given[0], time[1], feature[0]):
        wanted = (given[0], (time[1] or 0) * (feature[0] or 0))
        if len(state) != 2 or any(
            None not in (one, two) and one != two for one, two in zip(state, wanted, strict=False)
        ):
            yield f"its state is {_told(state)}, where {_told(wanted)} fits the others"


def _gathered(data: int, indices: int, axis_of: Callable[[Node, Dims], int]) -> Rule:
    """Return a rule for stored indices into a dimension."""

    def look(node: Node, found: list[Dims | None]) -> Iterator[str]:
        dims = found[data] if data < len(found) else None
        if dims is None or indices >= len(found):
            return
        axis = axis_of(node, dims)
        size = dims[axis] if -len(dims) <= axis < len(dims) else None
        outside = [one for one in _numbers(node.inputs[indices]) or () if size is not None and not 0 <= one < size]
        if outside:
            yield f"its input {indices} holds the index {outside[0]} into {size} places"
        elif _count(dims) == 0 and _count(found[indices]) and node.op == "EMBEDDING_LOOKUP":
            yield f"its input {data} is {_told(dims)}, which has nothing at an index"

    return look


def _axis(node: Node, dims: Dims) -> int:
    axis = node.attrs.get("axis", 0)
    return axis if isinstance(axis, int) else 0


def _gathered_nd(node: Node, found: list[Dims | None]) -> Iterator[str]:
    dims, places = (found[place] if place < len(found) else None for place in (0, 1))
    numbers = _numbers(node.inputs[1]) if len(node.inputs) > 1 else None
    if dims is None or not places or numbers is None or not places[-1] or places[-1] > len(dims):
        return
    for number, one in enumerate(numbers):
        size = dims[number % places[-1]]
        if size is not None and not 0 <= one < size:
            yield f"its indices hold {one} for a dimension of {size}"
            return


def _sized_by(place: int) -> Rule:
    """Return a rule for a shape that is stored: none of its numbers is negative."""

    def look(node: Node, found: list[Dims | None]) -> Iterator[str]:
        below = [one for one in _numbers(node.inputs[place]) or () if one < 0] if place < len(node.inputs) else []
        if below:
            yield f"its input {place} says a dimension of {below[0]}"

    return look


def _all(*rules: Rule) -> Rule:
    def look(node: Node, found: list[Dims | None]) -> Iterator[str]:
        for rule in rules:
            yield from rule(node, found)

    return look


def _of_texts(node: Node, found: list[Dims | None]) -> Iterator[str]:
    given = found[0] if found else None
    if given is not None and len(given) != 1 and stored_type(node.inputs[0]) == "STRING":
        yield f"its texts have {len(given)} dimensions, not 1"


def _mirrored(node: Node, found: list[Dims | None]) -> Iterator[str]:
    """Hold paddings to what there is to mirror: in mode REFLECT the edge is not repeated."""
    given = found[0] if found else None
    numbers = _numbers(node.inputs[1]) if len(node.inputs) > 1 else None
    least = 1 if node.attrs.get("mode", b"REFLECT") == b"REFLECT" else 0
    for place, one in enumerate(numbers or ()):
        dim = given[place // 2] if given is not None and place // 2 < len(given) else None
        if dim is not None and not 0 <= one <= dim - least:
            yield f"it pads {one} where {dim} can be mirrored"


def _of_one_rank(node: Node, found: list[Dims | None]) -> Iterator[str]:
    first, second = found[:2] if len(found) > 1 else (None, None)
    if first is not None and second is not None and len(first) != len(second):
        yield f"its inputs have {len(first)} and {len(second)} dimensions"


_RULES: Mapping[str, Rule] = {
    "ATAN2": _of_one_rank,
    "GATHER": _all(_gathered(0, 1, _axis), _of_texts),
    "EMBEDDING_LOOKUP": _gathered(1, 0, lambda node, dims: 0),
    "GATHER_ND": _gathered_nd,
    "BROADCAST_TO": _sized_by(1),
    "FILL": _sized_by(0),
    "CONV_2D": _convolution(0),
    "DEPTHWISE_CONV_2D": _convolution(3),
    "FULLY_CONNECTED": _matrix,
    "TRANSPOSE_CONV": _transposed,
    **dict.fromkeys(("PAD", "PADV2"), _padded),
    "MIRROR_PAD": _all(_padded, _mirrored),
    "TRANSPOSE": _counted((1,)),
    "TILE": _all(_counted((1,)), _sized_by(1)),
    "SLICE": _counted((1, 2)),
    "RESHAPE": _reshaped,
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), _sized),
    "BATCH_MATMUL": _multiplied,
    "SCATTER_ND": _all(_scattered, _sized_by(2)),
    "SVDF": _filtered,
}
