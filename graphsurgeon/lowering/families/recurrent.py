"""LSTM, GRU and RNN. Source: the pages of the operators, opsets 7 to 22.

Gates lie in ONNX's order: input, output, forget, cell of an LSTM, update, reset, hidden of a GRU. The product with the
inputs is one for all steps; what is left of a step runs unrolled where there are few, else in a loop.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.loops import loop, new_list, put, stacked
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.lowering.weights import mapped
from graphsurgeon.model.dtype import INT32, INT64
from graphsurgeon.shapes.fact import Fact

MOST_UNROLLED = 16  # steps; loops with an open batch have no TFLite form, and a few steps are faster without one
_FORWARD, _REVERSE, _BOTH = "forward", "reverse", "bidirectional"
_DEFAULTS: dict[str, tuple[float | None, float | None]] = {  # of alpha and beta; None where a function has none
    "affine": (1.0, 0.0), "leakyrelu": (0.01, None), "thresholdedrelu": (1.0, None), "scaledtanh": (1.0, 1.0),
    "hardsigmoid": (0.2, 0.5), "elu": (1.0, None),
}  # fmt: skip
_PLAIN = {"relu": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softsign": "Softsign", "softplus": "Softplus"}
Activation = Callable[[Builder, Operand], Operand]


@dataclass(frozen=True)
class CellWeights:
    """Weights of one direction as the steps read them.

    Attributes:
        recurrent: [H, gates * H], one for each product: of a GRU that resets first the hidden gate has its own.
        bias: of the hidden gate of a GRU that resets behind the product; None elsewhere.
        peepholes: of an LSTM, three of [H]; empty without.
    """

    recurrent: tuple[Operand, ...]
    bias: Operand | None = None
    peepholes: tuple[Operand, ...] = ()


Cell = Callable[[Builder, Operand, Sequence[Operand], CellWeights], list[Operand]]


@lowers("LSTM", 7, 14, 22)
def lstm(b: Builder, node: Source) -> list[Operand | None]:
    """Lower an LSTM, with peepholes and coupled gates too."""
    return _Recurrent(b, node, 4, ["Sigmoid", "Tanh", "Tanh"]).run(_lstm_cell, states=2)


@lowers("GRU", 7, 14, 22)
def gru(b: Builder, node: Source) -> list[Operand | None]:
    """Lower a GRU that resets before or behind the product."""
    return _Recurrent(b, node, 3, ["Sigmoid", "Tanh"]).run(_gru_cell, states=1)


@lowers("RNN", 7, 14, 22)
def rnn(b: Builder, node: Source) -> list[Operand | None]:
    """Lower a simple recurrent layer."""
    return _Recurrent(b, node, 1, ["Tanh"]).run(_rnn_cell, states=1)


def _rnn_cell(node: Source, functions: Sequence[Activation]) -> Cell:
    def cell(b: Builder, x: Operand, states: Sequence[Operand], weights: CellWeights) -> list[Operand]:
        return [functions[0](b, b.op("AddV2", x, b.op("MatMul", states[0], weights.recurrent[0])))]

    return cell


def _lstm_cell(node: Source, functions: Sequence[Activation]) -> Cell:
    is_coupled = node.flag("input_forget")

    def cell(b: Builder, x: Operand, states: Sequence[Operand], weights: CellWeights) -> list[Operand]:
        hidden, memory = states
        gates = b.op("AddV2", x, b.op("MatMul", hidden, weights.recurrent[0]))
        i, o, f, c = b.ops("Split", b.constant(1), gates, num_split=4)
        if weights.peepholes:
            i = b.op("AddV2", i, b.op("Mul", weights.peepholes[0], memory))
            f = b.op("AddV2", f, b.op("Mul", weights.peepholes[2], memory))
        i = functions[0](b, i)
        f = b.op("Sub", b.constant(1.0, x.dtype), i) if is_coupled else functions[0](b, f)
        memory = b.op("AddV2", b.op("Mul", f, memory), b.op("Mul", i, functions[1](b, c)))
        if weights.peepholes:
            o = b.op("AddV2", o, b.op("Mul", weights.peepholes[1], memory))
        return [b.op("Mul", functions[0](b, o), functions[2](b, memory)), memory]

    return cell


def _gru_cell(node: Source, functions: Sequence[Activation]) -> Cell:
    resets_behind = node.flag("linear_before_reset")

    def cell(b: Builder, x: Operand, states: Sequence[Operand], weights: CellWeights) -> list[Operand]:
        hidden = states[0]
        zx, rx, nx = b.ops("Split", b.constant(1), x, num_split=3)
        zr = b.op("MatMul", hidden, weights.recurrent[0])
        zh, rh = b.ops("Split", b.constant(1), zr, num_split=2)
        z, r = functions[0](b, b.op("AddV2", zx, zh)), functions[0](b, b.op("AddV2", rx, rh))
        if resets_behind:
            inner = b.op("MatMul", hidden, weights.recurrent[1])
            inner = inner if weights.bias is None else b.op("AddV2", inner, weights.bias)
            n = b.op("AddV2", nx, b.op("Mul", r, inner))
        else:
            n = b.op("AddV2", nx, b.op("MatMul", b.op("Mul", r, hidden), weights.recurrent[1]))
        n = functions[1](b, n)
        return [b.op("AddV2", n, b.op("Mul", z, b.op("Sub", hidden, n)))]

    return cell


class _Recurrent:
    """One recurrent layer while it is lowered: all its directions."""

    def __init__(self, b: Builder, node: Source, gates: int, names: list[str]) -> None:
        self.b = b
        self.node = node
        self.gates = gates
        self.direction = node.text("direction", _FORWARD).lower()
        if self.direction not in (_FORWARD, _REVERSE, _BOTH):
            raise LoweringError(f"direction {self.direction!r} is not known")
        self.count = 2 if self.direction == _BOTH else 1
        self.is_batch_first = node.flag("layout")
        x = b.plain(node[0])
        if x.rank != 3:
            raise LoweringError(f"its input has the shape {x.shown}, and three axes are wanted")
        self.x = b.transpose(x, [1, 0, 2]) if self.is_batch_first else x
        self.size = node[2].static()[2]
        self.functions = self._functions(names)
        self.lengths = b.cast(node[4], INT32) if node.has(4) else None

    def run(self, make: Callable[[Source, Sequence[Activation]], Cell], *, states: int) -> list[Operand | None]:
        """Lower every direction, and put them side by side."""
        b, sides = self.b, []
        for place in range(self.count):
            is_reverse = self.direction == _REVERSE or place == 1
            per_side = len(self.functions) // self.count
            functions = self.functions[place * per_side : (place + 1) * per_side]
            sides.append(self._side(place, is_reverse, make(self.node, functions), states))
        whole = b.op("Pack", *(side[0] for side in sides), axis=1)
        whole = b.transpose(whole, [2, 0, 1, 3]) if self.is_batch_first else whole
        last = [
            b.op("Pack", *(side[1 + k] for side in sides), axis=1 if self.is_batch_first else 0) for k in range(states)
        ]
        return [whole, *last]

    def _side(self, place: int, is_reverse: bool, cell: Cell, states: int) -> list[Operand]:
        x = self._turned(self.x) if is_reverse else self.x
        gated = self._gated(x, place)
        start = [self._state(5 + k, place) for k in range(states)]
        weights = self._weights(place)
        steps = x.dims[0]
        is_short = isinstance(steps, int) and steps * self.count <= MOST_UNROLLED
        outputs, last = (self._unrolled if is_short else self._looped)(gated, start, weights, cell)
        return [self._turned(outputs) if is_reverse else outputs, *last]

    def _turned(self, x: Operand) -> Operand:
        """Return the steps in the other order, of each sample those that it has."""
        if self.lengths is None:
            return self.b.op("ReverseV2", x, [0])
        return self.b.op("ReverseSequence", x, self.lengths, seq_dim=0, batch_dim=1)

    # -- weights ---------------------------------------------------------------------------------------

    def _part(self, index: int, place: int, start: int, end: int, *, turned: bool = False) -> Operand:
        """Return some rows of a direction's weights, or their transpose."""
        operand = self.b.plain(self.node[index])
        tensor = operand.tensor
        rest = list(operand.static()[2:])
        dims = [*reversed([end - start, *rest])] if turned else [end - start, *rest]
        if tensor is not None:
            made = mapped(tensor, dims, lambda a: a[place, start:end].T if turned else a[place, start:end])
            return Operand.constant(made)
        count = 1 + len(rest)
        side = self.b.squeeze(self._sliced(operand, [place, start, *[0] * len(rest)], [1, end - start, *rest]), [0])
        return self.b.transpose(side, [1, 0]) if turned and count == 2 else side

    def _sliced(self, operand: Operand, begin: list[int], size: list[int]) -> Operand:
        return self.b.op("Slice", operand, begin, size)

    def _gated(self, x: Operand, place: int) -> Operand:
        """Return what the inputs of all steps give to the gates, biases included: [T, B, gates * H]."""
        b, width = self.b, self.gates * self.size
        inputs = self.node[1].static()[2]
        weight = self._part(1, place, 0, width, turned=True)
        flat = b.op("MatMul", b.reshape(x, [-1, inputs]), weight)
        bias = self._bias(place)
        flat = flat if bias is None else b.op("AddV2", flat, bias)
        steps, batch = x.dims[:2]
        dims = [steps, batch, width]
        if sum(not isinstance(dim, int) for dim in dims) <= 1:
            made = b.reshape(flat, [dim if isinstance(dim, int) else -1 for dim in dims])
        else:
            ends = b.op("StridedSlice", b.shape_of(x), [0], [2], [1])
            made = b.reshape(flat, b.op("ConcatV2", ends, b.constant([width], INT64), 0))
        return b.learn(made.value, Fact(tuple(dims), dtype=made.fact.dtype)) if made.value is not None else made

    def _bias(self, place: int) -> Operand | None:
        """Return both biases as one; that of a GRU's hidden gate that is reset behind the product stays out."""
        if not self.node.has(3):
            return None
        width = self.gates * self.size
        first, second = (self._part(3, place, k * width, (k + 1) * width) for k in range(2))
        if self._keeps_bias():
            head = self._part(3, place, width, width + 2 * self.size)
            second = self.b.op("ConcatV2", head, self._zeros(self.size), 0)
        return self.b.op("AddV2", first, second)

    def _zeros(self, count: int) -> Operand:
        return self.b.constant([0.0] * count, self.node[0].dtype)

    def _keeps_bias(self) -> bool:
        return self.gates == 3 and self.node.flag("linear_before_reset")

    def _weights(self, place: int) -> CellWeights:
        size, gates = self.size, self.gates
        if gates == 3:
            parts = [self._part(2, place, start * size, end * size, turned=True) for start, end in ((0, 2), (2, 3))]
            bias = self._part(3, place, 5 * size, 6 * size) if self._keeps_bias() and self.node.has(3) else None
            return CellWeights(tuple(parts), bias)
        peepholes: list[Operand] = []
        if gates == 4 and self.node.has(7):
            peepholes = [self._part(7, place, k * size, (k + 1) * size) for k in range(3)]
        return CellWeights((self._part(2, place, 0, gates * size, turned=True),), None, tuple(peepholes))

    def _state(self, index: int, place: int) -> Operand:
        """Return a state at the beginning, [B, H]: zeros where none is given."""
        b = self.b
        if self.node.has(index):
            given = b.plain(self.node[index])
            axis = 1 if self.is_batch_first else 0
            return b.op("GatherV2", given, b.constant(place), axis)
        batch = self.x.dims[1]
        if isinstance(batch, int):
            dims = b.constant([batch, self.size])
        else:
            own = b.op("StridedSlice", b.shape_of(self.x), [1], [2], [1])
            dims = b.op("ConcatV2", b.cast(own, INT32), [self.size], 0)
        made = b.op("Fill", dims, b.constant(0.0, self.x.dtype))
        return b.learn(made.value, Fact((batch, self.size), dtype=made.fact.dtype)) if made.value is not None else made

    # -- steps -----------------------------------------------------------------------------------------

    def _stepped(
        self, b: Builder, x: Operand, states: Sequence[Operand], weights: CellWeights, cell: Cell, step: Operand,
        lengths: Operand | None,
    ) -> tuple[Operand, list[Operand]]:  # fmt: skip
        """Return output and states of a step: zeros and what they were where a sample has ended."""
        found = cell(b, x, states, weights)
        if lengths is None:
            return found[0], found
        goes_on = b.op("ExpandDims", b.op("Less", step, lengths), 1)
        nothing = b.op("ZerosLike", found[0])
        kept = [b.op("SelectV2", goes_on, new, old) for new, old in zip(found, states, strict=True)]
        return b.op("SelectV2", goes_on, found[0], nothing), kept

    def _unrolled(
        self, gated: Operand, start: list[Operand], weights: CellWeights, cell: Cell
    ) -> tuple[Operand, list[Operand]]:
        b, steps = self.b, gated.dims[0]
        assert isinstance(steps, int)
        if steps == 0:
            raise LoweringError("it has no step")
        parts = b.ops("Unpack", gated, num=steps, axis=0)
        states, outputs = start, []
        for number, x in enumerate(parts):
            output, states = self._stepped(b, x, states, weights, cell, b.constant(number), self.lengths)
            outputs.append(output)
        return b.op("Pack", *outputs, axis=0), states

    def _looped(
        self, gated: Operand, start: list[Operand], weights: CellWeights, cell: Cell
    ) -> tuple[Operand, list[Operand]]:
        b, count = self.b, len(start)
        held, rebuilt = _carried(weights)
        steps = b.op("StridedSlice", b.cast(b.shape_of(gated), INT32), [0], [1], [1], shrink_axis_mask=1)
        fixed = [steps, gated, *held, *([self.lengths] if self.lengths is not None else [])]
        state = Fact((gated.dims[1], self.size), dtype=gated.dtype)
        open_states = [b.learn(b.value(one), Fact(state.dims, dtype=one.fact.dtype)) for one in start]

        def goes_on(inner: Builder, own: list[Operand], rest: list[Operand]) -> Operand:
            return inner.op("Less", own[0], rest[0])

        def step(inner: Builder, own: list[Operand], rest: list[Operand]) -> list[Operand]:
            x = inner.op("GatherV2", rest[1], own[0], 0)
            lengths = rest[-1] if self.lengths is not None else None
            parts = rebuilt(rest[2 : 2 + len(held)])
            output, states = self._stepped(inner, x, own[2:], parts, cell, own[0], lengths)
            return [inner.op("AddV2", own[0], inner.constant(1)), put(inner, own[1], own[0], output), *states]

        found = loop(b, [b.constant(0), new_list(b, state, steps), *open_states], fixed, goes_on, step)
        outputs = stacked(b, found[1], state, gated.dims[0])
        return outputs, found[2 : 2 + count]

    # -- activations -----------------------------------------------------------------------------------

    def _functions(self, names: list[str]) -> list[Activation]:
        """Return the activations of all directions; alphas and betas go in order to those that take one."""
        node = self.node
        given = node.texts("activations") or names * self.count
        if len(given) != len(names) * self.count:
            raise LoweringError(f"{len(given)} activations, where {len(names) * self.count} belong")
        alphas, betas = list(node.floats("activation_alpha") or ()), list(node.floats("activation_beta") or ())
        clip = node.number("clip")
        found: list[Activation] = []
        for name in given:
            alpha, beta = _DEFAULTS.get(name.lower(), (None, None))
            alpha = alphas.pop(0) if alpha is not None and alphas else alpha
            beta = betas.pop(0) if beta is not None and betas else beta
            found.append(_activation(name, alpha or 0.0, beta or 0.0, clip))
        return found


def _carried(weights: CellWeights) -> tuple[list[Operand], Callable[[Sequence[Operand]], CellWeights]]:
    """Return the weights that are computed, which a loop must hand on, and what puts them back in their places."""
    every = [*weights.recurrent, *weights.peepholes, *([weights.bias] if weights.bias is not None else [])]
    held = [one for one in every if one.tensor is None]

    def rebuilt(given: Sequence[Operand]) -> CellWeights:
        now = dict(zip(map(id, held), given, strict=True))
        own = [now.get(id(one), one) for one in every]
        split = len(weights.recurrent)
        rest = own[split:]
        bias = rest.pop() if weights.bias is not None else None
        return CellWeights(tuple(own[:split]), bias, tuple(rest))

    return held, rebuilt


def _activation(name: str, alpha: float, beta: float, clip: float) -> Activation:
    kind = name.lower()
    if kind not in _PLAIN and kind not in _DEFAULTS:
        raise LoweringError(f"the activation {name!r} is not known")

    def activated(b: Builder, x: Operand) -> Operand:
        if clip:
            x = b.op("Minimum", b.op("Maximum", x, b.constant(-clip, x.dtype)), b.constant(clip, x.dtype))
        return _applied(b, kind, x, b.constant(alpha, x.dtype), b.constant(beta, x.dtype))

    return activated


def _applied(b: Builder, kind: str, x: Operand, alpha: Operand, beta: Operand) -> Operand:
    if kind in _PLAIN:
        return b.op(_PLAIN[kind], x)
    if kind == "affine":
        return b.op("AddV2", b.op("Mul", x, alpha), beta)
    if kind == "scaledtanh":
        return b.op("Mul", alpha, b.op("Tanh", b.op("Mul", x, beta)))
    zero, one = b.constant(0.0, x.dtype), b.constant(1.0, x.dtype)
    if kind == "hardsigmoid":
        return b.op("Maximum", zero, b.op("Minimum", one, b.op("AddV2", b.op("Mul", x, alpha), beta)))
    if kind == "leakyrelu":
        return b.op("SelectV2", b.op("Less", x, zero), b.op("Mul", x, alpha), x)
    if kind == "thresholdedrelu":
        return b.op("SelectV2", b.op("Greater", x, alpha), x, zero)
    return b.op("SelectV2", b.op("Less", x, zero), b.op("Mul", alpha, b.op("Sub", b.op("Exp", x), one)), x)
