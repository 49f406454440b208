"""More kinds of changes to a TFLite model: lists as a whole, options, stored numbers, signatures, what lies beside."""

from __future__ import annotations

import random
from typing import Any

import numpy as np

from benchmarks.soundness_kinds import TFLITE, drawn, kind_in
from benchmarks.soundness_tflite import ids, operator_drawn, tensor_drawn

_INT32, _INT64 = 2, 4


@kind_in(TFLITE)
def _operators_whole(model: Any, chance: random.Random) -> str | None:
    found = operator_drawn(model, chance)
    if found is None:
        return None
    graph, one = found
    how = chance.choice(("gone", "twice", "turned round", "none", "code outside", "other code", "last first"))
    if how == "gone":
        graph.operators.remove(one)
    elif how == "twice":
        graph.operators.append(one)
    elif how == "turned round":
        graph.operators = graph.operators[::-1]
    elif how == "none":
        graph.operators = []
    elif how == "last first":
        graph.operators = [graph.operators[-1], *graph.operators[:-1]]
    else:
        count = len(model.operatorCodes)
        one.opcodeIndex = 99 if how == "code outside" else chance.randrange(count)
    return how


@kind_in(TFLITE)
def _operator_another_tensor(model: Any, chance: random.Random) -> str | None:
    """Read another tensor of the subgraph, of whatever type and shape."""
    found = operator_drawn(model, chance)
    if found is None or not ids(found[1].inputs):
        return None
    values = ids(found[1].inputs)
    place = chance.randrange(len(values))
    values[place] = chance.randrange(len(found[0].tensors))
    found[1].inputs = values
    return f"input {place} is tensor {values[place]}"


@kind_in(TFLITE)
def _operator_inputs_turned(model: Any, chance: random.Random) -> str | None:
    operators = [one for graph in model.subgraphs for one in graph.operators or () if len(ids(one.inputs)) > 1]
    one = drawn(operators, chance)
    if one is None:
        return None
    one.inputs = ids(one.inputs)[::-1]
    return f"{len(one.inputs)} inputs"


@kind_in(TFLITE)
def _option_other(model: Any, chance: random.Random) -> str | None:
    """Give a field of an operator's options another number."""
    operators = [one for graph in model.subgraphs for one in graph.operators or () if one.builtinOptions is not None]
    one = drawn((one for one in operators if _numbers(one.builtinOptions)), chance)
    if one is None:
        return None
    field = chance.choice(_numbers(one.builtinOptions))
    old = getattr(one.builtinOptions, field)
    number = chance.choice((0, 1, 3, -1, 99))
    setattr(one.builtinOptions, field, not old if isinstance(old, bool) else number)
    return f"{type(one.builtinOptions).__name__}.{field} {old}->{getattr(one.builtinOptions, field)}"


def _numbers(options: Any) -> list[str]:
    return [name for name, value in sorted(vars(options).items()) if isinstance(value, (bool, int))]


@kind_in(TFLITE)
def _options_of_another_operator(model: Any, chance: random.Random) -> str | None:
    found = [one for graph in model.subgraphs for one in graph.operators or () if one.builtinOptions is not None]
    one, other = drawn(found, chance), drawn(found, chance)
    if one is None or other is None or one.builtinOptionsType == other.builtinOptionsType:
        return None
    one.builtinOptions, one.builtinOptionsType = other.builtinOptions, other.builtinOptionsType
    return type(other.builtinOptions).__name__


@kind_in(TFLITE)
def _stored_number(model: Any, chance: random.Random) -> str | None:
    """Change an integer that is stored: axes, permutations, sizes, shapes, indices."""
    tensors = [one for graph in model.subgraphs for one in graph.tensors or () if one.type in (_INT32, _INT64)]
    found = [one for one in tensors if one.buffer < len(model.buffers) and _has(model.buffers[one.buffer].data)]
    tensor = drawn(found, chance)
    if tensor is None:
        return None
    kind = np.int32 if tensor.type == _INT32 else np.int64
    data = np.array(model.buffers[tensor.buffer].data, np.uint8)
    if data.size % np.dtype(kind).itemsize or not data.size:
        return None
    numbers = data.view(kind).copy()
    place, number = chance.randrange(numbers.size), chance.choice((-9, -1, 0, 1, 7, 99))
    numbers[place] = number
    model.buffers[tensor.buffer].data = list(numbers.view(np.uint8))
    return f"{(tensor.name or b'').decode(errors='replace')}[{place}]={number}"


def _has(values: Any) -> bool:
    return values is not None and len(values) > 0


@kind_in(TFLITE)
def _tensor_buffer(model: Any, chance: random.Random) -> str | None:
    """Give a tensor the buffer of another one."""
    tensor = tensor_drawn(model, chance)
    if tensor is None or not model.buffers:
        return None
    old, tensor.buffer = tensor.buffer, chance.randrange(len(model.buffers))
    return f"{old}->{tensor.buffer}"


@kind_in(TFLITE)
def _lists_shorter(model: Any, chance: random.Random) -> str | None:
    how = chance.choice(("buffers", "tensors", "codes", "subgraphs", "no buffers", "no subgraphs"))
    if how == "buffers":
        model.buffers = model.buffers[:-1]
    elif how == "no buffers":
        model.buffers = []
    elif how == "codes":
        model.operatorCodes = model.operatorCodes[:-1]
    elif how == "tensors":
        graph = chance.choice(model.subgraphs)
        graph.tensors = graph.tensors[:-1]
    else:
        model.subgraphs = model.subgraphs[:-1] if how == "subgraphs" else []
    return how


@kind_in(TFLITE)
def _subgraph_other(model: Any, chance: random.Random) -> str | None:
    """Run another subgraph, or one that there is not."""
    found = [one for graph in model.subgraphs for one in graph.operators or () if _runs(one.builtinOptions)]
    one = drawn(found, chance)
    if one is None:
        return None
    field = chance.choice(_runs(one.builtinOptions))
    number = chance.choice((99, -1, *range(len(model.subgraphs))))
    setattr(one.builtinOptions, field, number)
    return f"{field}={number}"


def _runs(options: Any) -> list[str]:
    return [] if options is None else [name for name in sorted(vars(options)) if name.endswith("ubgraphIndex")]


@kind_in(TFLITE)
def _quantization_other(model: Any, chance: random.Random) -> str | None:
    tensors = [one for graph in model.subgraphs for one in graph.tensors or ()]
    how = chance.choice(("given", "two scales", "zero scale", "more zeros", "axis -1", "huge", "copied"))
    found = [one for one in tensors if one.quantization is not None and _has(one.quantization.scale)]
    tensor = drawn(tensors if how in ("given", "copied") else found, chance)
    if tensor is None or (how == "copied" and not found):
        return None
    if how == "copied":
        tensor.quantization = chance.choice(found).quantization
    elif how == "given":
        from tests.oracle import tflite_objects

        item = tflite_objects.generated().QuantizationParametersT()
        item.scale, item.zeroPoint = [0.5], [0]
        tensor.quantization = item
    else:
        _change_scales(tensor.quantization, how)
    return how


def _change_scales(item: Any, how: str) -> None:
    scales, zeros = list(item.scale), list(item.zeroPoint) if _has(item.zeroPoint) else [0] * len(item.scale)
    if how == "two scales":
        item.scale, item.zeroPoint = [scales[0]] * 2, [zeros[0]] * 2
    elif how == "zero scale":
        item.scale = [0.0] * len(scales)
    elif how == "more zeros":
        item.zeroPoint = [*zeros, 0]
    elif how == "axis -1":
        item.quantizedDimension = -1
    else:
        item.scale = [1e30] * len(scales)


@kind_in(TFLITE)
def _signature_other(model: Any, chance: random.Random) -> str | None:
    if not model.signatureDefs:
        return None
    one = chance.choice(model.signatureDefs)
    how = chance.choice(("gone", "twice", "fewer inputs", "fewer outputs", "name", "no name", "names alike", "another"))
    entries = (one.inputs or []) + (one.outputs or [])
    if how == "gone":
        model.signatureDefs.remove(one)
    elif how == "twice":
        model.signatureDefs.append(one)
    elif how.startswith("fewer"):
        side = how.split()[1]
        setattr(one, side, (getattr(one, side) or [])[:-1])
    elif not entries:
        return None
    elif how == "another":
        count = len(model.subgraphs[one.subgraphIndex].tensors)
        chance.choice(entries).tensorIndex = chance.randrange(count)
    elif how == "names alike":
        for entry in entries:
            entry.name = b"same"
    else:
        chance.choice(entries).name = b"other" if how == "name" else None
    return how


@kind_in(TFLITE)
def _beside(model: Any, chance: random.Random) -> str | None:
    """Change what no interpreter reads, or that it reads for the whole file."""
    how = chance.choice(("version 0", "version 4", "metadata", "metadata buffer", "graph name", "buffer 0", "offset"))
    if how.startswith("version"):
        model.version = int(how.split()[1])
    elif how.startswith("metadata"):
        from tests.oracle import tflite_objects

        item = tflite_objects.generated().MetadataT()
        item.name, item.buffer = b"mine", 9999 if how == "metadata buffer" else 0
        model.metadata = [*(model.metadata or []), item]
    elif how == "graph name":
        model.subgraphs[0].name = chance.choice((None, b"", b"\xff"))
    elif how == "buffer 0" and model.buffers:
        model.buffers[0].data = [1, 2, 3, 4]
    elif model.buffers:
        one = chance.choice(model.buffers)
        one.offset, one.size = 1 << 40, 16
    return how


@kind_in(TFLITE)
def _code_disagrees(model: Any, chance: random.Random) -> str | None:
    """Let the old field for the code and the new one say different things, or give a code a version that there is."""
    code = chance.choice(model.operatorCodes)
    how = chance.choice(("old 0", "old greater", "version 2", "version 5", "custom beside"))
    if how == "old 0":
        code.deprecatedBuiltinCode = 0
    elif how == "old greater":
        code.deprecatedBuiltinCode = min(code.builtinCode + 1, 126)
    elif how == "custom beside":
        code.customCode = b"NoSuch"
    else:
        code.version = int(how.split()[1])
    return how


@kind_in(TFLITE)
def _inside_operator(model: Any, chance: random.Random) -> str | None:
    found = operator_drawn(model, chance)
    if found is None:
        return None
    how = chance.choice(("intermediates", "mutating", "custom options", "format", "large options"))
    if how == "intermediates":
        found[1].intermediates = [9999]
    elif how == "mutating":
        found[1].mutatingVariableInputs = [True] * 9
    elif how == "custom options":
        found[1].customOptions = [1, 2, 3]
    elif how == "format":
        found[1].customOptionsFormat = 1
    else:
        found[1].largeCustomOptionsOffset, found[1].largeCustomOptionsSize = 1 << 40, 16
    return how
