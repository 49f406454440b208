"""The arena of a TFLite subgraph as LiteRT's interpreter lays it out, without delegates and on one thread.

Source: LiteRT's `arena_planner.cc` and `simple_memory_arena.cc` for lifetimes, sharing and placing, and `kernels/*.cc`
for the temporaries. A tensor lives from the operator that yields it to the last one that reads it; the largest are
placed first, each in the smallest gap that holds it. Which operators work in the place of an input is told by
their registrations (`inplace_operator`). Small temporaries (index vectors of reductions) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from math import prod

from graphsurgeon.analysis.tensors import quantization
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops.kinds import (
    TFLITE_AS_MANY_AS_FOUND,
    TFLITE_IN_PLACE,
    TFLITE_MOVED_IN_PLACE,
    TFLITE_SIZED_BY,
    TFLITE_UNPACKED,
)

ShapeOf = Callable[[Value], Shape]
ALIGN = 64  # bytes, `kDefaultTensorAlignment`
_FEW = 4  # bytes up to which nothing is shared


@dataclass
class ArenaBlock:
    """Bytes that the arena holds for a while.

    Attributes:
        size: in bytes.
        first, last: the operators at which it is there, by their places.
        value: the tensor; None for a temporary of an operator.
        offset: where it was placed; -1 before.
    """

    size: int
    first: int
    last: int
    value: Value | None = None
    offset: int = field(default=-1, compare=False)


@dataclass(frozen=True)
class Arena:
    """What one subgraph needs while it runs.

    Attributes:
        size: bytes of the arena.
        blocks: what lies in it.
        persistent: bytes that stay beside it: constants that are unpacked, variables.
        dynamic: tensors whose size is known only when it runs; they are on the heap, and not counted.
    """

    size: int
    blocks: Sequence[ArenaBlock]
    persistent: int
    dynamic: Sequence[Value]


def arena_of(graph: Graph, shape_of: ShapeOf) -> Arena:
    """Plan the arena of a TFLite subgraph.

    Args:
        graph: the subgraph.
        shape_of: gives the shape of each tensor, at the sizes it is run with.
    """
    held = _Lifetimes(graph, shape_of)
    blocks = [*held.blocks(), *_temporaries(graph, shape_of)]
    end = len(graph.nodes) - 1
    # `std::sort`: what is there from the first operator to the last comes first, as it is numbered; then large ones
    blocks.sort(key=lambda one: (1, -one.size, one.first) if (one.first, one.last) != (0, end) else (0, 0, 0))
    placed: list[ArenaBlock] = []
    for block in blocks:
        block.offset = _place(block, placed)
        placed.append(block)
        placed.sort(key=lambda one: one.offset)
    size = max((block.offset + block.size for block in placed), default=0)
    return Arena(size, blocks, held.persistent, held.dynamic)


def size_of(value: Value, shape_of: ShapeOf) -> int | None:
    """Return the bytes of a tensor when it is run; None if they are not known. Small types take a byte an element."""
    count = shape_of(value).num_elements
    return None if count is None or value.dtype is None or not value.dtype.bits else count * value.dtype.itemsize


def _place(block: ArenaBlock, placed: Sequence[ArenaBlock]) -> int:
    """Return the offset of the smallest gap that holds a block among those that are there at the same time."""
    best, smallest, current = -1, 0, 0
    for other in placed:
        if other.last < block.first or other.first > block.last:
            continue
        start = _aligned(current)
        gap = other.offset - current
        if start + block.size <= other.offset and (best < 0 or gap < smallest):
            best, smallest = start, gap
        current = max(current, other.offset + other.size)
    return best if best >= 0 else _aligned(current)


def _aligned(offset: int) -> int:
    return -(-offset // ALIGN) * ALIGN


class _Lifetimes:
    """When each tensor of a subgraph is there, and which share their bytes."""

    def __init__(self, graph: Graph, shape_of: ShapeOf) -> None:
        self.graph = graph
        self.shape_of = shape_of
        self.persistent = 0
        self.dynamic: list[Value] = []
        self._kept = {value for value in graph.values if (value.extra or {}).get("is_variable")}
        self._kept |= {out for node in graph.nodes if _unpacks(node) for out in node.outputs}
        self._unsized = _unsized(graph)
        self._uses: dict[Value, int] = {}
        self._roots: dict[Value, Value] = {}
        self._count()

    def blocks(self) -> Iterator[ArenaBlock]:
        """Yield the tensors that lie in the arena."""
        spans = self._spans()
        found: dict[Value, ArenaBlock] = {}
        for value, (first, last) in spans.items():
            root = self._roots.get(value, value)
            size = size_of(value, self.shape_of)
            if size is None or value in self._unsized:
                self.dynamic.append(value)
            elif value in self._kept:
                self.persistent += size
            elif root in found and found[root].size == size:
                block = found[root]
                block.first, block.last = min(block.first, first), max(block.last, last)
            else:
                found[value] = ArenaBlock(size, first, last, value)
        yield from sorted(found.values(), key=lambda one: one.value.port if one.value else 0)

    def _count(self) -> None:
        graph = self.graph
        outer = [*graph.inputs, *(output.value for output in graph.outputs), *self._kept]
        for value in outer:
            self._uses[value] = self._uses.get(value, 0) + 1
        for node in graph.nodes:
            for value in node.inputs:
                self._uses[value] = self._uses.get(value, 0) + 1
        for node in graph.nodes:
            self._share(node)

    def _share(self, node: Node) -> None:
        """Let an operator's result have the bytes of its input, where the kernel works in place."""
        moves = node.qualified_op in TFLITE_MOVED_IN_PLACE
        places = TFLITE_IN_PLACE.get(node.qualified_op, (0,) if moves else ())
        if not places or not node.outputs:
            return
        target = node.outputs[0]
        outputs = {output.value for output in self.graph.outputs}
        for place in places:
            source = node.inputs[place] if place < len(node.inputs) else None
            if source is None or source.is_absent or source.tensor is not None or source in self.graph.inputs:
                continue
            if target in outputs or source in self._kept or target in self._kept:
                continue
            if not moves and not self._is_alone(source, target):
                continue
            self._roots[target] = self._roots.get(source, source)
            return

    def _is_alone(self, source: Value, target: Value) -> bool:
        """Say whether an input that is overwritten has nobody else who reads it, and as many bytes."""
        root = self._roots.get(source, source)
        size = size_of(target, self.shape_of)
        same = size is not None and size == size_of(source, self.shape_of) and size > _FEW
        return same and self._uses.get(source, 0) <= 1 and self._uses.get(root, 0) <= 1

    def _spans(self) -> dict[Value, tuple[int, int]]:
        """Return first and last operator of every tensor that is no constant."""
        graph, end = self.graph, len(self.graph.nodes) - 1
        outputs = {output.value for output in graph.outputs}
        spans = dict.fromkeys((*graph.inputs, *sorted(self._kept, key=_number)), (0, end))
        read: dict[Value, int] = {}
        for place, node in enumerate(graph.nodes):
            read.update((value, place) for value in node.inputs if not value.is_absent)
        for place, node in enumerate(graph.nodes):
            for value in node.outputs:
                last = end if value in outputs else read.get(value, end)
                spans.setdefault(value, (place, last))
        return {value: span for value, span in spans.items() if value.tensor is None}


def _number(value: Value) -> int:
    return value.port if isinstance(value.port, int) else 0


def _unpacks(node: Node) -> bool:
    """Say whether an operator makes a constant of a constant, once."""
    return node.qualified_op in TFLITE_UNPACKED and bool(node.inputs) and node.inputs[0].tensor is not None


def _unsized(graph: Graph) -> set[Value]:
    """Return the tensors whose size depends on values that are computed, and what is computed of them."""
    found: set[Value] = set()
    for node in graph.nodes:
        inputs = [value for value in node.inputs if not value.is_absent]
        sizes = [node.inputs[place] for place in TFLITE_SIZED_BY.get(node.qualified_op, ()) if place < len(node.inputs)]
        depends = any(value.tensor is None and not value.is_absent for value in sizes)
        if depends or node.qualified_op in TFLITE_AS_MANY_AS_FOUND or not found.isdisjoint(inputs):
            found.update(node.outputs)
    return found


def _temporaries(graph: Graph, shape_of: ShapeOf) -> Iterator[ArenaBlock]:
    """Yield what the kernels need beside their tensors."""
    unsized = _unsized(graph)
    for place, node in enumerate(graph.nodes):
        make = _TEMPORARIES.get(node.qualified_op) if unsized.isdisjoint(node.outputs) else None
        shapes = [shape_of(value).dims for value in (*node.inputs, *node.outputs) if not value.is_absent]
        if make is None or any(dims is None or None in dims for dims in shapes):
            continue
        try:
            sizes = make(_Kernel(node, shape_of))
        except (ValueError, IndexError, ZeroDivisionError):  # of another rank than the operator takes
            continue
        yield from (ArenaBlock(size, place, place) for size in sizes if size > 0)


class _Kernel:
    """An operator with the shapes of its tensors."""

    def __init__(self, node: Node, shape_of: ShapeOf) -> None:
        self.node = node
        self._shape_of = shape_of

    def dims(self, place: int) -> Sequence[int]:
        """Return the shape of an input."""
        return [dim or 0 for dim in self._shape_of(self.node.inputs[place]).dims or ()]

    @property
    def result(self) -> Sequence[int]:
        """The shape of the output."""
        return [dim or 0 for dim in self._shape_of(self.node.outputs[0]).dims or ()]

    def itemsize(self, place: int) -> int:
        """Return the bytes of an element of an input."""
        dtype = self.node.inputs[place].dtype
        return dtype.itemsize if dtype is not None else 0

    @property
    def is_hybrid(self) -> bool:
        """Say whether floats are multiplied with integer weights: they are quantized while it runs."""
        data, weights = self.node.inputs[0].dtype, self.node.inputs[1].dtype
        known = data is not None and weights is not None
        return known and data.is_floating and weights.is_integer and quantization(self.node.inputs[1]) is not None  # type: ignore[union-attr]

    def number(self, name: str) -> int:
        """Return an attribute that is a number; 1 if it is not there."""
        found = self.node.attrs.get(name)
        return int(found) if isinstance(found, int) else 1


def _convolution(kernel: _Kernel) -> Sequence[int]:
    """The patches as rows of a matrix (`im2col`), unless a filter of 1x1 takes each pixel as it is."""
    filter, (batch, height, width, _) = kernel.dims(1), kernel.result
    steps = ("stride_w", "stride_h", "dilation_w_factor", "dilation_h_factor")
    is_plain = filter[1:3] == [1, 1] and all(kernel.number(name) == 1 for name in steps)
    is_grouped = filter[3] != kernel.dims(0)[3]
    size = 1 if kernel.is_hybrid else kernel.itemsize(0)
    patches = 0 if is_plain or is_grouped else batch * height * width * prod(filter[1:]) * size
    if not kernel.is_hybrid:
        return [patches]
    data = kernel.dims(0)
    rows = prod(data) // data[3]
    return [patches, prod(data), 4 * rows, 4 * batch * height * width * filter[0], 4 * rows]


def _depthwise(kernel: _Kernel) -> Sequence[int]:
    data = kernel.dims(0)
    return [prod(data), 4 * data[0], 4 * data[0]] if kernel.is_hybrid else []


def _fully_connected(kernel: _Kernel) -> Sequence[int]:
    if not kernel.is_hybrid:
        return []
    units, size = kernel.dims(1)
    batch = prod(kernel.dims(0)) // max(size, 1)
    return [batch * size, 4 * batch, 4 * units * batch, 4 * batch]


def _transposed(kernel: _Kernel) -> Sequence[int]:
    """The products before they are added up where patches overlap (`col2im`); integers are added up in 32 bits."""
    _, height, width, _ = kernel.dims(2)
    columns = 4 * height * width * prod(kernel.dims(1)[:3])
    is_float = (dtype := kernel.node.inputs[2].dtype) is not None and dtype.is_floating
    return [columns] if is_float else [columns, 4 * prod(kernel.result)]


def _batch_matmul(kernel: _Kernel) -> Sequence[int]:
    """Both operands transposed; a constant one is kept beside the arena."""
    sizes = [prod(kernel.dims(place)) * kernel.itemsize(place) for place in (0, 1)]
    return sizes if kernel.node.inputs[1].tensor is None else sizes[:1]


def _lstm(kernel: _Kernel) -> Sequence[int]:
    """What comes before the activations of the gates."""
    gates = 3 if kernel.node.inputs[1].is_absent else 4
    data, units = kernel.dims(0), kernel.dims(2)[0]
    steps_first = bool(kernel.node.attrs.get("time_major"))
    batch = data[1] if steps_first and len(data) > 2 else data[0]
    return [] if kernel.is_hybrid else [4 * batch * gates * units]


def _svdf(kernel: _Kernel) -> Sequence[int]:
    """What comes of each filter; of integers what comes of each unit too, in 32 bits."""
    batch, filters = kernel.dims(0)[0], kernel.dims(1)[0]
    return [4 * batch * filters] if kernel.itemsize(0) == 4 else [4 * batch * filters, 4 * prod(kernel.result)]


_TEMPORARIES: Mapping[str, Callable[[_Kernel], Sequence[int]]] = {
    "CONV_2D": _convolution,
    "DEPTHWISE_CONV_2D": _depthwise,
    "FULLY_CONNECTED": _fully_connected,
    "TRANSPOSE_CONV": _transposed,
    "BATCH_MATMUL": _batch_matmul,
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _lstm,
    "SVDF": _svdf,
}
