"""Kinds of changes to a TFLite model that leave it a file that parses; as `soundness_graphs.py` has for graphs."""

from __future__ import annotations

import random
from typing import Any

from benchmarks.soundness_kinds import TFLITE, drawn, kind_in


def operator_drawn(model: Any, chance: random.Random) -> tuple[Any, Any] | None:
    """Return a subgraph and one of its operators."""
    return drawn(((graph, one) for graph in model.subgraphs for one in graph.operators or ()), chance)


def tensor_drawn(model: Any, chance: random.Random) -> Any | None:
    """Return a tensor of any subgraph."""
    return drawn((one for graph in model.subgraphs for one in graph.tensors or ()), chance)


def ids(values: Any) -> list[int]:
    """Return the indices of a vector, which may be absent."""
    return [] if values is None else [int(value) for value in values]


@kind_in(TFLITE)
def _operator_code(model: Any, chance: random.Random) -> str | None:
    code = chance.choice(model.operatorCodes)
    how = chance.choice(("version 99", "version 0", "code 9999", "code 127", "custom", "unnamed", "other"))
    if how.startswith("version"):
        code.version = int(how.split()[1])
    elif how.startswith("code"):
        code.builtinCode = int(how.split()[1])
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    elif how == "other":
        code.builtinCode = code.deprecatedBuiltinCode = chance.choice((0, 9, 18, 25, 22))
    else:
        code.builtinCode = code.deprecatedBuiltinCode = 32
        code.customCode = b"NoSuch" if how == "custom" else None
    return how


@kind_in(TFLITE)
def _operator_tensors(model: Any, chance: random.Random) -> str | None:
    found = operator_drawn(model, chance)
    if found is None:
        return None
    side = chance.choice(("inputs", "outputs"))
    values = ids(getattr(found[1], side))
    how = chance.choice(("fewer", "more", "none", "left out", "outside", "first"))
    if how == "fewer":
        values = values[:-1]
    elif how == "more":
        values = [*values, 0]
    elif how == "none":
        values = []
    elif values:
        values[chance.randrange(len(values))] = {"left out": -1, "outside": 9999, "first": 0}[how]
    setattr(found[1], side, values)
    return f"{side} {how}"


@kind_in(TFLITE)
def _operator_circle(model: Any, chance: random.Random) -> str | None:
    found = operator_drawn(model, chance)
    if found is None or not ids(found[1].inputs) or not ids(found[1].outputs):
        return None
    found[1].outputs = [ids(found[1].inputs)[0], *ids(found[1].outputs)[1:]]
    return "output is input"


@kind_in(TFLITE)
def _operator_options(model: Any, chance: random.Random) -> str | None:
    found = operator_drawn(model, chance)
    if found is None or found[1].builtinOptions is None:
        return None
    found[1].builtinOptions, found[1].builtinOptionsType = None, 0
    return "gone"


@kind_in(TFLITE)
def _tensor_type(model: Any, chance: random.Random) -> str | None:
    tensor = tensor_drawn(model, chance)
    if tensor is None:
        return None
    old, tensor.type = tensor.type, chance.choice((0, 2, 3, 5, 6, 9, 99))
    return f"{old}->{tensor.type}"


@kind_in(TFLITE)
def _tensor_shape(model: Any, chance: random.Random) -> str | None:
    tensor = tensor_drawn(model, chance)
    if tensor is None:
        return None
    dims = ids(tensor.shape)
    how = chance.choice(("more", "gone", "minus", "zero", "one more"))
    if how == "more":
        dims = [*dims, 3]
    elif how == "gone":
        dims = []
    elif dims:
        dims[-1] = {"minus": -1, "zero": 0, "one more": dims[-1] + 1}[how]
    tensor.shape = dims
    return how


@kind_in(TFLITE)
def _tensor_other(model: Any, chance: random.Random) -> str | None:
    tensor = tensor_drawn(model, chance)
    if tensor is None:
        return None
    how = chance.choice(("variable", "no buffer", "buffer outside", "name", "no name", "signature"))
    if how == "variable":
        tensor.isVariable = True
    elif how in ("no buffer", "buffer outside"):
        tensor.buffer = 0 if how == "no buffer" else 9999
    elif how == "signature":
        tensor.shapeSignature = [-1, -1, -1, -1, -1, -1]
    else:
        tensor.name = b"twice" if how == "name" else None
    return how


def _has(values: Any) -> bool:
    return values is not None and len(values) > 0


@kind_in(TFLITE)
def _sparsity(model: Any, chance: random.Random) -> str | None:
    tensor = drawn((one for graph in model.subgraphs for one in graph.tensors or () if one.sparsity), chance)
    if tensor is None:
        return None
    found, how = tensor.sparsity, chance.choice(("order", "blocks", "levels", "places", "gone"))
    if how == "order":
        found.traversalOrder = [*ids(found.traversalOrder), 9]
    elif how == "blocks":
        found.blockMap = [*ids(found.blockMap), 0]
    elif how == "levels":
        found.dimMetadata = found.dimMetadata[:-1]
    elif how == "places":
        for level in found.dimMetadata:
            level.arraySegments = level.arrayIndices = None
            level.arraySegmentsType = level.arrayIndicesType = 0
    else:
        tensor.sparsity = None
    return how


@kind_in(TFLITE)
def _quantization(model: Any, chance: random.Random) -> str | None:
    tensors = [one for graph in model.subgraphs for one in graph.tensors or ()]
    tensor = drawn((one for one in tensors if one.quantization is not None and _has(one.quantization.scale)), chance)
    if tensor is None:
        return None
    item = tensor.quantization
    how = chance.choice(("no zero", "axis", "nan", "negative", "zero point", "small zero point", "min", "gone"))
    if how == "gone":
        tensor.quantization = None
    elif how == "small zero point":
        item.zeroPoint = [3] * len(item.scale)
    elif how == "no zero":
        item.zeroPoint = None
    elif how == "axis":
        item.quantizedDimension = 9
    elif how == "min":
        item.min = [0.0] * 7
    elif how == "zero point":
        item.zeroPoint = [100000] * len(item.scale)
    else:
        item.scale = [float("nan") if how == "nan" else -1.0] * len(item.scale)
    return how


@kind_in(TFLITE)
def _graph_ends(model: Any, chance: random.Random) -> str | None:
    graph = chance.choice(model.subgraphs)
    side = chance.choice(("inputs", "outputs"))
    values = ids(getattr(graph, side))
    how = chance.choice(("none", "more", "outside", "doubled"))
    if how == "none":
        values = []
    elif how == "doubled":
        values = values + values[:1]
    else:
        values = [*values, 9999 if how == "outside" else chance.randrange(len(graph.tensors))]
    setattr(graph, side, values)
    return f"{side} {how}"


@kind_in(TFLITE)
def _signatures(model: Any, chance: random.Random) -> str | None:
    if not model.signatureDefs:
        return None
    one = chance.choice(model.signatureDefs)
    how = chance.choice(("no key", "empty key", "subgraph", "inputs", "tensor", "inner"))
    if how in ("no key", "empty key"):
        one.signatureKey = None if how == "no key" else b""
    elif how == "subgraph":
        one.subgraphIndex = 99
    elif how == "inputs":
        one.inputs = []
    else:
        entries = (one.inputs or []) + (one.outputs or [])
        if not entries:
            return None
        chance.choice(entries).tensorIndex = 9999 if how == "tensor" else 1
    return how


@kind_in(TFLITE)
def _buffers(model: Any, chance: random.Random) -> str | None:
    one, how = (
        drawn((one for one in model.buffers if _has(one.data)), chance),
        chance.choice(("shorter", "longer", "empty")),
    )
    if one is None:
        return None
    data = list(one.data)
    one.data = data[:-1] if how == "shorter" else data * 2 if how == "longer" else []
    return how


@kind_in(TFLITE)
def _harmless(model: Any, chance: random.Random) -> str | None:
    model.description = b"changed"
    model.metadata = None
    return "description"
