"""Kinds of changes to what TFLite's kernels look at: shapes that fit elsewhere, axes, types everywhere, texts."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from benchmarks.soundness_kinds import TFLITE, drawn, kind_in
from benchmarks.soundness_tflite import ids, operator_drawn, tensor_drawn

_TYPES = range(20)  # of elements, that the schema has
_STRING = 5
_FEW = 64  # bytes of texts that are changed


def _constants(model: Any) -> list[Any]:
    tensors = [one for graph in model.subgraphs for one in graph.tensors or ()]
    return [one for one in tensors if one.buffer < len(model.buffers) and _data(model, one) is not None]


def _data(model: Any, tensor: Any) -> Any:
    data = model.buffers[tensor.buffer].data
    return data if data is not None and len(data) else None


@kind_in(TFLITE)
def _constant_reshaped(model: Any, chance: random.Random) -> str | None:
    """Give a constant other dimensions with as many elements."""
    tensor = drawn((one for one in _constants(model) if ids(one.shape)), chance)
    if tensor is None:
        return None
    dims, how = ids(tensor.shape), chance.choice(("flat", "one before", "one behind", "turned round", "column"))
    count = int(np.prod(dims))
    made = {"flat": [count], "one before": [1, *dims], "one behind": [*dims, 1], "turned round": dims[::-1]}
    tensor.shape = made.get(how, [count, 1])
    return f"{dims}->{tensor.shape}"


@kind_in(TFLITE)
def _input_reshaped(model: Any, chance: random.Random) -> str | None:
    """Give what is fed other dimensions."""
    graph = chance.choice(model.subgraphs)
    places = ids(graph.inputs)
    if not places:
        return None
    tensor = graph.tensors[chance.choice(places)]
    dims, how = ids(tensor.shape), chance.choice(("more", "fewer", "first", "last", "flat", "turned round", "one"))
    if how == "more":
        tensor.shape = [*dims, 2]
    elif how == "fewer":
        tensor.shape = dims[1:]
    elif how == "flat":
        tensor.shape = [int(np.prod(dims))]
    elif how == "turned round":
        tensor.shape = dims[::-1]
    elif how == "one":
        tensor.shape = [1] * len(dims)
    elif dims:
        dims[0 if how == "first" else -1] += 1
        tensor.shape = dims
    tensor.shapeSignature = None
    return how


@kind_in(TFLITE)
def _tensor_any_type(model: Any, chance: random.Random) -> str | None:
    tensor = tensor_drawn(model, chance)
    if tensor is None:
        return None
    old, tensor.type = tensor.type, chance.choice(_TYPES)
    return f"{old}->{tensor.type}"


@kind_in(TFLITE)
def _type_everywhere(model: Any, chance: random.Random) -> str | None:
    """Give all tensors of one type another one of the same width, or of none."""
    types = sorted({one.type for graph in model.subgraphs for one in graph.tensors or ()})
    if not types:
        return None
    old, new = chance.choice(types), chance.choice((0, 1, 2, 3, 4, 6, 7, 9))
    for graph in model.subgraphs:
        for one in graph.tensors or ():
            if one.type == old:
                one.type = new
    return f"{old}->{new}"


@kind_in(TFLITE)
def _operator_inputs_swapped(model: Any, chance: random.Random) -> str | None:
    """Exchange two inputs of one operator, or two outputs."""
    operators = [one for graph in model.subgraphs for one in graph.operators or ()]
    found = [(one, side) for one in operators for side in ("inputs", "outputs") if len(ids(getattr(one, side))) > 1]
    pair = drawn(found, chance)
    if pair is None:
        return None
    one, side = pair
    values = ids(getattr(one, side))
    first, second = chance.sample(range(len(values)), 2)
    values[first], values[second] = values[second], values[first]
    setattr(one, side, values)
    return f"{side} {first} and {second}"


@kind_in(TFLITE)
def _operator_gone(model: Any, chance: random.Random) -> str | None:
    """Let what reads an operator's result read its first input."""
    found = operator_drawn(model, chance)
    if found is None or not ids(found[1].inputs) or not ids(found[1].outputs):
        return None
    graph, one = found
    source, made = ids(one.inputs)[0], ids(one.outputs)[0]
    for other in graph.operators:
        other.inputs = [source if value == made else value for value in ids(other.inputs)]
    graph.outputs = [source if value == made else value for value in ids(graph.outputs)]
    graph.operators = [other for other in graph.operators if other is not one]
    return f"operator code {one.opcodeIndex}"


@kind_in(TFLITE)
def _operator_of_another_kind(model: Any, chance: random.Random) -> str | None:
    """Let an operator be one of another kind that the model has, with its options."""
    operators = [one for graph in model.subgraphs for one in graph.operators or ()]
    one, other = drawn(operators, chance), drawn(operators, chance)
    if one is None or other is None or one.opcodeIndex == other.opcodeIndex:
        return None
    one.opcodeIndex = other.opcodeIndex
    one.builtinOptions, one.builtinOptionsType = other.builtinOptions, other.builtinOptionsType
    return f"code {other.opcodeIndex}"


@kind_in(TFLITE)
def _list_in_options(model: Any, chance: random.Random) -> str | None:
    """Change a list of numbers in an operator's options: a shape, axes."""
    operators = [one for graph in model.subgraphs for one in graph.operators or () if one.builtinOptions is not None]
    found = [(one.builtinOptions, key) for one in operators for key in _lists(one.builtinOptions)]
    pair = drawn(found, chance)
    if pair is None:
        return None
    options, key = pair
    values, how = ids(getattr(options, key)), chance.choice(("fewer", "more", "none", "minus", "other"))
    if how in ("minus", "other") and values:
        values[chance.randrange(len(values))] = -1 if how == "minus" else 97
    else:
        values = {"fewer": values[:-1], "more": [*values, 1], "none": []}.get(how, values)
    setattr(options, key, values)
    return f"{type(options).__name__}.{key}={values}"


def _lists(options: Any) -> list[str]:
    return [key for key, value in sorted(vars(options).items()) if isinstance(value, np.ndarray)]


@kind_in(TFLITE)
def _stored_texts(model: Any, chance: random.Random) -> str | None:
    """Change how stored texts say where they lie."""
    tensor = drawn((one for one in _constants(model) if one.type == _STRING), chance)
    if tensor is None:
        return None
    data = np.array(_data(model, tensor), np.uint8)
    place = chance.randrange(min(_FEW, data.size))
    data[place] = chance.choice((0, 1, 255))
    model.buffers[tensor.buffer].data = data
    return f"byte {place}={data[place]}"


@kind_in(TFLITE)
def _variable_tensor(model: Any, chance: random.Random) -> str | None:
    """Let what was a variable be none, or what is computed or fed be one."""
    graph = chance.choice(model.subgraphs)
    variables = [one for one in graph.tensors or () if one.isVariable]
    tensor = drawn(variables or graph.tensors or (), chance)
    if tensor is None:
        return None
    tensor.isVariable = not tensor.isVariable
    return f"{tensor.isVariable}"


@kind_in(TFLITE)
def _subgraph_result(model: Any, chance: random.Random) -> str | None:
    """Exchange what a subgraph takes or gives for another of its tensors."""
    graph = chance.choice(model.subgraphs)
    side = chance.choice(("inputs", "outputs"))
    values = ids(getattr(graph, side))
    if not values:
        return None
    place = chance.randrange(len(values))
    values[place] = chance.randrange(len(graph.tensors))
    setattr(graph, side, values)
    return f"{side}[{place}]={values[place]}"
