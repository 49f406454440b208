"""Recurrent layers of gluon: one operator for all layers and directions, whose weights lie behind one another.

Source: MXNet 1.9.1, `src/operator/rnn-inl.h` (order of the weights and of the gates), `rnn.cc`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from graphsurgeon.lowering.mxnet import TABLE
from graphsurgeon.lowering.table import LoweringError
from graphsurgeon.lowering.to_onnx.layers import SourceLayer
from graphsurgeon.lowering.to_onnx.net import Net, dims, known_dim

if TYPE_CHECKING:
    from collections.abc import Iterator

    from graphsurgeon.model.graph import Value


class _Cell(NamedTuple):
    """A kind of cell: its op in ONNX, its gates in ONNX's order as they are numbered in MXNet, and attributes."""

    op: str
    gates: tuple[int, ...]
    attrs: dict[str, Any]


_CELLS = {
    "lstm": _Cell("LSTM", (0, 3, 1, 2), {}),  # input, forget, cell, output; ONNX: input, output, forget, cell
    "gru": _Cell("GRU", (1, 0, 2), {"linear_before_reset": 1}),  # reset, update, new; ONNX: update, reset, new
    "rnn_tanh": _Cell("RNN", (0,), {"activation": b"Tanh"}),
    "rnn_relu": _Cell("RNN", (0,), {"activation": b"Relu"}),
}
_UNDONE = ("projection_size", "lstm_state_clip_min", "lstm_state_clip_max")


@TABLE.lowers("_rnn_param_concat")
def _param_concat(net: Net, layer: SourceLayer) -> Value:
    import numpy as np

    return net.array(np.concatenate([_array(value).reshape(-1) for value in layer.inputs]))


def _array(value: Value) -> Any:
    if value.tensor is None:
        raise LoweringError("weights that are computed are not done")
    return value.tensor.numpy()


@TABLE.lowers("RNN")
def _rnn(net: Net, layer: SourceLayer) -> list[Value]:
    """Lower it to a node for each layer; a state without examples, as gluon writes it, is one of zeros."""
    cell = _CELLS.get(layer.text("mode"))
    undone = [name for name in _UNDONE if layer.has(name)]
    if cell is None or undone or layer.flag("use_sequence_length"):
        what = undone[0] if undone else "use_sequence_length" if cell else f"mode {layer.text('mode')!r}"
        raise LoweringError(f"{what} is not done")
    ways = 2 if layer.flag("bidirectional") else 1
    units, count = layer.integer("state_size"), layer.integer("num_layers", 1)
    weights = _weights(layer, cell, known_dim(layer[0], 2), ways, units, count)
    states = [None if dims(value)[1] == 0 else value for value in layer.inputs[2:4]]
    x, ends = layer[0], []
    for number, (inner, own, bias) in enumerate(weights):
        start = number * ways
        before = [None if state is None else net.sliced(state, 0, start, start + ways) for state in states]
        attrs: dict[str, Any] = {key: item for key, item in cell.attrs.items() if key != "activation"}
        if "activation" in cell.attrs:
            attrs["activations"] = [cell.attrs["activation"]] * ways
        given = [x, net.array(inner), net.array(own), net.array(bias), None, *before]
        while given[-1] is None:
            given.pop()
        direction = b"bidirectional" if ways == 2 else b"forward"
        every, *last = net.add_several(
            cell.op, 3 if cell.op == "LSTM" else 2, *given, hidden_size=units, direction=direction, **attrs
        )
        length, _, batch, _ = dims(every)
        x = net.reshape(net.add("Transpose", every, perm=[0, 2, 1, 3]), [length, batch, ways * units])
        ends.append(last)
    if not layer.flag("state_outputs"):
        return [x]
    return [x, *(one[0] if count == 1 else net.add("Concat", *one, axis=0) for one in zip(*ends, strict=True))]


def _weights(layer: SourceLayer, cell: _Cell, size: int, ways: int, units: int, count: int) -> Iterator[Any]:
    """Return for each layer the weights of its input, of its state and the biases, ways first, gates in ONNX's order.

    In the file stand all weights, for each layer and way those of the input and then those of the state; behind them
    all biases in the same order.
    """
    import numpy as np

    flat, gates = _array(layer[1]).reshape(-1), len(cell.gates)
    widths = [size, *[ways * units] * (count - 1)]
    needed = sum(ways * gates * units * (width + units + 2) for width in widths)
    if flat.size != needed:
        raise LoweringError(f"{flat.size:,} weights instead of {needed:,}")
    at, at_bias = 0, needed - count * ways * gates * units * 2
    for width in widths:
        sides: list[list[Any]] = [[], [], []]
        for _ in range(ways):
            for side, columns in zip(sides, (width, units), strict=False):
                block = flat[at : at + gates * units * columns].reshape(gates, units, columns)
                side.append(block[list(cell.gates)].reshape(gates * units, columns))
                at += block.size
            biases = flat[at_bias : at_bias + 2 * gates * units].reshape(2, gates, units)
            sides[2].append(biases[:, list(cell.gates)].reshape(-1))
            at_bias += biases.size
        yield [np.stack(side) for side in sides]
