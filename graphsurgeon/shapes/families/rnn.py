"""Fused recurrent cells and layers."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("LSTMBlockCell")
def lstm_cell(context: InferenceContext) -> Sequence[Result]:
    """Give the seven gates and states of a step."""
    step, state = context.with_rank(0, 2), context.with_rank(1, 2)
    return [(step[0], state[1])] * 7


@shape_fn("LSTMBlockCellGrad")
def lstm_cell_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the gradients of state, gates, and the three peephole weights."""
    batch = context.with_rank(0, 2)[0]
    cells = context.with_rank(1, 2)[1]
    return [(batch, cells), (batch, dim.multiply(cells, 4)), (cells,), (cells,), (cells,)]


@shape_fn("BlockLSTM", "BlockLSTMV2")
def block_lstm(context: InferenceContext) -> Sequence[Result]:
    """Give the seven gates and states of every step; the bias has four numbers per cell."""
    steps, bias = context.with_rank(1, 3), context.with_rank(8, 1)[0]
    return [(steps[0], steps[1], dim.divide(bias, 4))] * 7


@shape_fn("BlockLSTMGrad", "BlockLSTMGradV2")
def block_lstm_grad(context: InferenceContext) -> Sequence[Result]:
    """Give gradients shaped like inputs 1 to 8: steps, two states, weights, three peepholes, bias."""
    return [context.with_rank(index, rank) for index, rank in enumerate((3, 2, 2, 2, 1, 1, 1, 1), 1)]


@shape_fn("GRUBlockCell")
def gru_cell(context: InferenceContext) -> Sequence[Result]:
    """Give the two gates and two states of a step."""
    step, state = context.with_rank(0, 2), context.with_rank(1, 2)
    return [(step[0], state[1])] * 4


@shape_fn("GRUBlockCellGrad")
def gru_cell_grad(context: InferenceContext) -> Sequence[Result]:
    """Give the gradients of step, state, candidate and gates; the weights of the gates are in the third input."""
    step, state = context.with_rank(0, 2), context.with_rank(1, 2)
    return [step, (step[0], state[1]), (step[0], state[1]), (step[0], context.with_rank(2, 2)[1])]


@shape_fn("CudnnRNN", "CudnnRNNV2", "CudnnRNNV3")
def cudnn_rnn(context: InferenceContext) -> Sequence[Result]:
    """Give the outputs of every step, the last states, and reserves; from `direction`, `rnn_mode`, `num_proj`."""
    steps, state = context.with_rank(0, 3), context.with_rank(1, 3)
    directions = 2 if context.text_attr("direction") == "bidirectional" else 1
    cell: Result = context.dims(2) if context.node.op == "CudnnRNNV3" else state  # which TensorFlow takes the cell for
    if context.text_attr("rnn_mode", "lstm") != "lstm":
        cell = ()
    outputs: list[Result] = [(steps[0], steps[1], dim.multiply(state[2], directions)), state, cell, None]
    return [*outputs, None][: context.num_outputs]


@shape_fn("CudnnRNNBackprop", "CudnnRNNBackpropV2", "CudnnRNNBackpropV3")
def cudnn_rnn_backprop(context: InferenceContext) -> Sequence[Result]:
    """Give gradients shaped like the first four inputs."""
    return [context.dims(index) for index in range(4)]


@shape_fn("CudnnRNNParamsSize")
def cudnn_params_size(context: InferenceContext) -> Sequence[Result]:
    """Give one number."""
    return [(1,)]


@shape_fn("CudnnRNNCanonicalToParams", "CudnnRNNCanonicalToParamsV2")
def cudnn_to_params(context: InferenceContext) -> Sequence[Result]:
    """Give a vector of all parameters."""
    return [(None,)]


@shape_fn("CudnnRNNParamsToCanonical", "CudnnRNNParamsToCanonicalV2")
def cudnn_from_params(context: InferenceContext) -> Sequence[Result]:
    """Give matrices of weights, then vectors of biases; from `num_params` or `num_params_weights`."""
    weights = context.integer_attr("num_params_weights", context.integer_attr("num_params"))
    matrices: list[Dim] = [None, None]
    count = max(0, min(weights, context.num_outputs))
    return [*[tuple(matrices)] * count, *[(None,)] * (context.num_outputs - count)]
