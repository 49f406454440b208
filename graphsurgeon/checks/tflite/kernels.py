"""Rules about what the kernels of TFLite operators take: element types, quantization, shapes that none can infer.

What is not stated here is in the table of `ops/tflite.py`, which was made by asking LiteRT's interpreter. A tensor that
an operator computes has the type that its kernel gives it, which need not be the stored one.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence

from graphsurgeon.checks.tflite.operators import RUNNERS, is_custom
from graphsurgeon.checks.tflite.places import ANEW, operator
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import FunctionRef, Graph, Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.ops.tflite import SAME, Builtin, builtin

Places = list[tuple[str, Value]]
_QUANTIZED = frozenset({"INT8", "UINT8", "INT16"})
_NO_ACTIVATION = b"NONE"
# Inputs of UNIDIRECTIONAL_SEQUENCE_LSTM, by what they are; those of each kind but the states are as large as another.
_LSTM_WEIGHTS, _LSTM_RECURRENT, _LSTM_BIASES, _LSTM_STATES = range(1, 5), range(5, 9), range(12, 16), (18, 19)
# The dimension of weights along which a kernel takes more than one scale.
_CHANNEL_AXIS = {"CONV_2D": 0, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 0, "TRANSPOSE_CONV": 0}
_MOST_OFF = 0.02  # that the scale of a bias may be, in scales of the output
# Operators with a bias, and where: delegates take none of int32 with another zero point than 0.
_BIASES = {"CONV_2D": 2, "DEPTHWISE_CONV_2D": 2, "FULLY_CONNECTED": 2, "TRANSPOSE_CONV": 3}

# Operators that want scales of whole numbers, even where no tensor has one; of 8 bits alone, or of 16 too. Each was
# asked of LiteRT.
_SCALED_BYTES = frozenset(
    {"ADD", "SUB", "SQUARED_DIFFERENCE", "EQUAL", "NOT_EQUAL", "LESS", "LESS_EQUAL", "GREATER", "GREATER_EQUAL"}
)
_SCALED = frozenset(
    {"ABS", "LOG", "RSQRT", "SQRT", "CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
)
# Operator -> type of its first input and result -> the scale and zero point that the result must have.
_FIXED: dict[str, dict[str, tuple[float, int]]] = {
    "LOGISTIC": {"INT8": (1 / 256, -128), "UINT8": (1 / 256, 0)},
    "SOFTMAX": {"INT8": (1 / 256, -128), "UINT8": (1 / 256, 0)},
    "LOG_SOFTMAX": {"INT8": (16 / 256, 127), "UINT8": (16 / 256, 255)},
    "L2_NORMALIZATION": {"INT8": (1 / 128, 0), "UINT8": (1 / 128, 128)},
}
# Types with whose numbers every kernel was tried: one that ran with others, and not with these, does not take them.
_TRIED = frozenset({"FLOAT16", "INT32", "INT64", "BOOL", "FLOAT64", "UINT64", "UINT32", "COMPLEX64"})
# Operator -> inputs that must be of one type.
_ALIKE = {"SELECT": (1, 2), "SELECT_V2": (1, 2), "PADV2": (0, 2), "ONE_HOT": (2, 3), "SPARSE_TO_DENSE": (2, 3)}

# Operators of which the table says nothing of an input -> the types that it may have (`Prepare` of their kernels).
_TAKEN: dict[str, dict[int, tuple[str, ...]]] = {
    **{op: {0: ("RESOURCE", "INT32")} for op in ("ASSIGN_VARIABLE", "READ_VARIABLE")},
    **{op: {0: ("RESOURCE",)} for op in ("HASHTABLE_FIND", "HASHTABLE_IMPORT", "HASHTABLE_SIZE")},
    "RESIZE_BILINEAR": {0: ("FLOAT32", "UINT8", "INT8", "INT16"), 1: ("INT32",)},
    "RESIZE_NEAREST_NEIGHBOR": {
        0: ("FLOAT32", "FLOAT16", "INT32", "UINT32", "INT8", "UINT8", "BOOL", "INT16", "UINT16"),
        1: ("INT32",),
    },
    "UNIDIRECTIONAL_SEQUENCE_LSTM": {0: ("FLOAT32", "INT8")},
    "TRANSPOSE_CONV": {0: ("INT32",), 2: ("FLOAT32", "UINT8", "INT8", "INT16")},
    "SCATTER_ND": {0: ("INT32",), 2: ("INT32",)},
    "EMBEDDING_LOOKUP": {0: ("INT32",)},
    "SVDF": {0: ("FLOAT32", "INT8")},
    "MUL": {
        0: ("FLOAT32", "FLOAT16", "BFLOAT16", "COMPLEX64", "INT8", "UINT8", "INT16", "INT32", "UINT32", "INT64"),
    },
}
# Operators whose results have the type that is stored for them, though the table does not say so.
_LEAVES_ITS_TYPE = ("READ_VARIABLE", "HASHTABLE_FIND")
# Operators that write as many bytes as their first input has, or what they look things up in, whatever type is stored.
_WRITES_ITS_TYPE = frozenset(
    {
        "SUM",
        "MEAN",
        "REDUCE_MAX",
        "REDUCE_MIN",
        "REDUCE_PROD",
        "REDUCE_ANY",
        "REDUCE_ALL",
        "BATCH_MATMUL",
        "EMBEDDING_LOOKUP",
        "MUL",
        "RESHAPE",
    }
)
# Of a transposed convolution: what it is given -> the types of its bias.
_BIAS_TYPES = {"FLOAT32": ("FLOAT32",), "UINT8": ("INT32",), "INT8": ("INT32",), "INT16": ("INT64", "INT32")}
_WIDTHS = {
    **dict.fromkeys(("FLOAT32", "INT32", "UINT32"), 4),
    **dict.fromkeys(("FLOAT16", "BFLOAT16", "INT16", "UINT16"), 2),
    **dict.fromkeys(("INT8", "UINT8", "BOOL"), 1),
    **dict.fromkeys(("INT64", "UINT64", "FLOAT64", "COMPLEX64"), 8),
    "COMPLEX128": 16,
    **dict.fromkeys(("INT4", "UINT4"), 0.5),
    "INT2": 0.25,
    "STRING": 0,  # texts are no numbers of any width
}
# Operator -> inputs that it writes: they must be variables.
_STATES = {"UNIDIRECTIONAL_SEQUENCE_LSTM": (18, 19), "SVDF": (4,), "RNN": (4,), "UNIDIRECTIONAL_SEQUENCE_RNN": (4,)}
# Inputs of it of which all are there or none: weights of the input gate, of peepholes, of a projection, of norms.
_LSTM_TOGETHER = ((1, 5), (9, 10, 11), (20, 21, 22, 23))


def types(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find element types that a kernel does not take, beside that of its first input."""
    given = _given(metagraph)
    for graph in metagraph.graphs:
        known = KernelTypes(graph, given)
        for number, node in enumerate(graph.nodes):
            kernel = _kernel(node)
            for what in _type_faults(node, kernel, known) if kernel is not None else _run_faults(node, known):
                yield Finding("error", operator(graph, number, node), what, ANEW, "operator-type")


def _given(metagraph: MetaGraph) -> dict[Value, str]:
    """Return the types of the inputs of decompositions: those that a composite operator has, whatever they say."""
    given: dict[Value, str] = {}
    for graph in metagraph.graphs:
        composites = [node for node in graph.nodes if node.op == "STABLEHLO_COMPOSITE"]
        if not composites:
            continue
        known = KernelTypes(graph)
        for node in composites:
            inner = [ref.graph for ref in node.function_refs if ref.graph is not None]
            for value, source in zip(inner[0].inputs if inner else (), node.inputs, strict=False):
                found = known.of(source)
                given[value] = found if given.get(value, found) == found else ""
    return given


def quantization(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find scales that a kernel needs and does not have, and zero points other than 0 where it wants 0."""
    for graph in metagraph.graphs:
        for number, node in enumerate(graph.nodes):
            kernel = _kernel(node)
            for what in _quantization_faults(node, kernel) if kernel is not None else ():
                yield Finding("error", operator(graph, number, node), what, ANEW, "operator-quantization")


def shapes(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find shapes that kernels refuse whatever the rest of the graph is."""
    for graph in metagraph.graphs:
        for number, node in enumerate(graph.nodes):
            for what in _shape_faults(node):
                yield Finding("error", operator(graph, number, node), what, ANEW, "operator-shape")


class KernelTypes:
    """The element types of the tensors of a subgraph, as an interpreter has them; empty where that is not known."""

    def __init__(self, graph: Graph, given: Mapping[Value, str] | None = None) -> None:
        self._made: dict[Value, str] = dict(given or {})
        for node in graph.nodes:
            kernel = _kernel(node)
            inputs = [self.of(value) for value in node.inputs]
            for place, value in enumerate(node.outputs):
                self._made[value] = _result(kernel, inputs, f"o{place}", value)

    def of(self, value: Value) -> str:
        """Return the type of a tensor, by the name that TFLite has for it."""
        return self._made[value] if value in self._made else stored_type(value)


def stored_type(value: Value) -> str:
    """Return the type that the file states, by the name that TFLite has for it."""
    return value.dtype.name.upper() if value.dtype is not None and not value.is_absent else ""


def _result(kernel: Builtin | None, inputs: Sequence[str], place: str, value: Value) -> str:
    """Return the type of what an operator yields: the one that its kernel gives it, or minds, or leaves."""
    if kernel is None:
        return ""
    if kernel.name in _LEAVES_ITS_TYPE:
        return stored_type(value)
    first = inputs[0] if inputs else ""
    made = kernel.made.get((first, place))
    if made is None:
        is_source = not inputs and bool(kernel.ran)  # it was asked with an input that it does not look at
        is_left = is_source or first in kernel.ran or (first, place) in kernel.refused
        return stored_type(value) if is_left else ""
    if made.startswith(SAME):
        number = int(made.removeprefix(SAME) or 0)
        return inputs[number] if number < len(inputs) else ""
    return "" if made == "?" else made


def _kernel(node: Node) -> Builtin | None:
    return None if is_custom(node) or node.op in RUNNERS else builtin(node.op)


def _places(node: Node) -> tuple[Places, Places]:
    inputs = [(str(place), value) for place, value in enumerate(node.inputs)]
    return inputs, [(f"o{place}", value) for place, value in enumerate(node.outputs)]


def _named(place: str) -> str:
    return f"output {place[1:]}" if place.startswith("o") else f"input {place}"


def _type_faults(node: Node, kernel: Builtin, known: KernelTypes) -> Iterator[str]:
    yield from _unlike(node, kernel, known)
    yield from _stated(node, known)
    first = known.of(node.inputs[0]) if node.inputs else ""
    if node.inputs and not first:
        return
    source = node.inputs[1] if node.op == "EMBEDDING_LOOKUP" and len(node.inputs) > 1 else None
    yield from _written(node, kernel, first, known.of(source) if source is not None else first)
    inputs, outputs = _places(node)
    for place, value in (*inputs, *outputs):
        found = known.of(value) if place in dict(inputs) else stored_type(value)
        if found and not value.is_absent and kernel.refuses(first, place, found):
            beside = "" if place == "0" or not first else f" beside a first input of {first.lower()}"
            yield f"its {_named(place)} is {found.lower()}, which its kernel does not take{beside}"


def _stated(node: Node, known: KernelTypes) -> Iterator[str]:
    """Find types of inputs, and states, of which the table says nothing."""
    for place, taken in _TAKEN.get(node.op, {}).items() if node.inputs else ():
        given = known.of(node.inputs[place]) or stored_type(node.inputs[place]) if place < len(node.inputs) else ""
        if given and given not in taken:
            yield f"its input {place} is {given.lower()}, not {' or '.join(taken).lower()}"
    if node.op == "TRANSPOSE_CONV" and len(node.inputs) > 2 and node.outputs:
        yield from _transposed(node, known.of(node.inputs[2]), known)
    if node.op == "UNIDIRECTIONAL_SEQUENCE_LSTM" and len(node.inputs) not in (20, 24):
        yield f"it has {len(node.inputs)} inputs, not 20 or 24"
    if node.op == "DENSIFY" and node.inputs and node.inputs[0].tensor is None and not node.inputs[0].is_absent:
        yield "its input 0 is no constant"
    for place in _STATES.get(node.op, ()):
        state = node.inputs[place] if place < len(node.inputs) else None
        if state is not None and not state.is_absent and not (state.extra and state.extra.get("is_variable")):
            yield f"its state, input {place}, is no variable"


def _transposed(node: Node, given: str, known: KernelTypes) -> Iterator[str]:
    """Hold the result and the bias of a transposed convolution to what it is given."""
    made, taken = stored_type(node.outputs[0]), _BIAS_TYPES.get(given, ())
    if made and given not in ("", made):
        yield f"its output 0 is {made.lower()}, its input 2 {given.lower()}"
    bias = known.of(node.inputs[3]) if len(node.inputs) > 3 and not node.inputs[3].is_absent else ""
    if bias and taken and bias not in taken:
        yield f"its bias is {bias.lower()}, not {' or '.join(taken).lower()}"


def _written(node: Node, kernel: Builtin, first: str, written: str) -> Iterator[str]:
    """Find results of another width than what is written, and inputs with which a kernel never ran."""
    made = stored_type(node.outputs[0]) if node.outputs and node.op in _WRITES_ITS_TYPE else written
    is_summed = (node.op, first, made) == ("BATCH_MATMUL", "INT8", "INT32")
    widths = _WIDTHS.get(made), _WIDTHS.get(written)
    is_short = node.op == "MUL" and (widths[0] or 0) < (widths[1] or 0)  # it reads no more than it writes
    if not (is_summed or is_short) and None not in widths and widths[0] != widths[1]:  # too much, or what was stays
        yield f"its output 0 is {made.lower()}, its kernel writes {written.lower()}"
    if node.op == "MUL" and made and made not in _TAKEN["MUL"][0]:
        yield f"its output 0 is {made.lower()}, which its kernel does not make"
    if node.op == "SOFTMAX" and first == "FLOAT32" and node.outputs:
        stored = stored_type(node.outputs[0])
        if stored not in ("", "FLOAT32", "INT32", "UINT32"):  # of the same width
            yield f"its output 0 is {stored.lower()}, not float32"
    if kernel.ran and first in _TRIED - kernel.ran and ("", "0") not in kernel.refused:
        yield f"its input 0 is {first.lower()}, which its kernel does not take"


def _run_faults(node: Node, known: KernelTypes) -> Iterator[str]:
    yield from _composed(node, known)
    for name, ref in node.attrs.items():
        inner = ref.graph if isinstance(ref, FunctionRef) and "cond_" in name else None
        if inner is not None and len(inner.outputs) == 1:
            made = KernelTypes(inner).of(inner.outputs[0].value)
            if made not in ("BOOL", ""):
                yield f"its {name} gives {made.lower()}, not bool"


def _composed(node: Node, known: KernelTypes) -> Iterator[str]:
    """Hold the outputs of a composite operator to what its decomposition yields: the bytes are copied."""
    inner = [ref.graph for ref in node.function_refs if ref.graph is not None]
    if node.op != "STABLEHLO_COMPOSITE" or not inner:
        return
    given = {value: known.of(source) for value, source in zip(inner[0].inputs, node.inputs, strict=False)}
    within = KernelTypes(inner[0], given)
    for place, (value, output) in enumerate(zip(node.outputs, inner[0].outputs, strict=False)):
        stored, made = stored_type(value), within.of(output.value)
        if stored and made and stored != made:
            yield f"its output {place} is {stored.lower()}, its decomposition yields {made.lower()}"


def _unlike(node: Node, kernel: Builtin, known: KernelTypes) -> Iterator[str]:
    """Find inputs of different types where one is wanted."""
    found = {
        place: known.of(node.inputs[place])
        for place in _ALIKE.get(node.op, sorted(kernel.same))
        if place < len(node.inputs)
    }
    types = {place: type for place, type in found.items() if type}
    first = next(iter(types), 0)
    for place, type in types.items():
        if type != types[first]:
            yield f"its input {place} is {type.lower()}, its input {first} {types[first].lower()}: they must be alike"


def _quantization_faults(node: Node, kernel: Builtin) -> Iterator[str]:
    inputs, outputs = _places(node)
    first = stored_type(node.inputs[0]) if node.inputs else ""
    scaled = any(_parameters(value).scale for _, value in (*inputs, *outputs))
    if not scaled and _wants_scales(node, kernel, first):
        yield f"it is given {first.lower()} and numbers of 8 or 16 bits, and none has a scale"
    for place, value in (*inputs, *outputs):
        found = _parameters(value)
        if stored_type(value) != first:
            continue  # what is known of them was asked for with tensors of one type
        if (first, place) in kernel.zero and any(found.zero_point):
            yield f"its {_named(place)} has the zero point {next(filter(None, found.zero_point))}, its kernel wants 0"
        is_lacking = not found.scale and found.scales is None and not found.custom
        if scaled and (first, place) in kernel.scaled and is_lacking and not value.is_absent:
            yield f"its {_named(place)} has no scale"
    if scaled and node.attrs.get("fused_activation_function", _NO_ACTIVATION) != _NO_ACTIVATION:
        for place, value in outputs:  # the bounds of the activation are divided by the scale
            if stored_type(value) in _QUANTIZED and not _parameters(value).scale:
                yield f"its {_named(place)} has no scale"
    yield from _bias_zero(node)


def _bias_zero(node: Node) -> Iterator[str]:
    yield from _bias_scale(node)
    yield from _result_scale(node)
    yield from _sum_scale(node)
    axis = _CHANNEL_AXIS.get(node.op)
    weights = _parameters(node.inputs[1]) if axis is not None and len(node.inputs) > 1 else Quantization()
    if len(weights.scale) > 1 and weights.axis != axis and stored_type(node.inputs[0]) in _QUANTIZED:
        yield f"the scales of its weights run along dimension {weights.axis}, not {axis}"
    bias = _BIASES.get(node.op, len(node.inputs))
    if bias < len(node.inputs) and stored_type(node.inputs[bias]) == "INT32":
        zero = next(filter(None, _parameters(node.inputs[bias]).zero_point), 0)
        if zero:
            yield f"its bias has the zero point {zero}"


def _result_scale(node: Node) -> Iterator[str]:
    """Hold the scale of a result to the one that its kernel is made for."""
    made = _parameters(node.outputs[0]) if node.outputs else Quantization()
    type = stored_type(node.outputs[0]) if node.outputs else ""
    scale, zero = _FIXED.get(node.op, {}).get(type, (0.0, 0))
    if scale and node.inputs and stored_type(node.inputs[0]) == type:
        found = made.scale[0] if made.scale else 0.0
        if not math.isclose(found, scale, rel_tol=1e-3) or [*made.zero_point[:1]] != [zero]:
            points = ", ".join(map(str, made.zero_point)) or "none"
            yield f"its result has the scale {found:g} and the zero point {points}; it wants {scale:g} and {zero}"
    given = _parameters(node.inputs[0]).scale if node.inputs else ()
    for value in node.outputs if node.op == "UNPACK" else ():
        if [*_parameters(value).scale] != [*given]:
            yield f"its input has the scales {[*given]}, one result {[*_parameters(value).scale]}"
    if node.op == "QUANTIZE" and node.outputs and not made.scale and made.scales is None:
        yield "its result has no scale"


def _sum_scale(node: Node) -> Iterator[str]:
    """Find sums whose scale is too small beside those of the inputs: their quotient must be below a bound.

    Where all are powers of 2, numbers of 16 bits are shifted: one input has the scale of the result, none a greater.
    """
    type = stored_type(node.inputs[0]) if node.op in ("ADD", "SUB") and len(node.inputs) > 1 else ""
    if type not in _QUANTIZED:
        return
    found = [_parameters(value).scale for value in (*node.inputs[:2], *node.outputs[:1])]
    if len(found) < 3 or not all(len(scales) == 1 and 0 < scales[0] < math.inf for scales in found):
        return
    largest, made = max(found[0][0], found[1][0]), found[2][0]
    are_powers = all(math.frexp(scales[0])[0] == 0.5 for scales in found)  # a power of 2 is exact
    if type == "INT16" and are_powers and node.attrs.get("pot_scale_int16", True):
        is_refused = largest != made
    else:  # of subtractions the kernel looks at one quotient alone
        is_refused = node.op == "ADD" and 2 * largest >= made * (1 << (15 if type == "INT16" else 20))
    if is_refused:
        yield f"its result has the scale {made:g}, its inputs one of {largest:g}"


def _bias_scale(node: Node) -> Iterator[str]:
    """Hold the scale of a bias to those of the product (`GetQuantizedConvolutionMultipler` in `kernel_util.cc`)."""
    if node.op != "FULLY_CONNECTED" or len(node.inputs) < 3 or stored_type(node.inputs[0]) not in ("INT8", "UINT8"):
        return
    found = [_parameters(value).scale for value in (*node.inputs[:3], *node.outputs[:1])]
    if len(found) < 4 or any(len(scales) != 1 for scales in found):
        return
    given, weights, bias, made = (scales[0] for scales in found)
    if made > 0 and not abs(given * weights - bias) / made <= _MOST_OFF:  # NaN too
        yield f"its bias has the scale {bias:g}, its input and weights make {given * weights:g}"


def _wants_scales(node: Node, kernel: Builtin, first: str) -> bool:
    if node.op == "DEPTHWISE_CONV_2D" and first == "FLOAT32" and stored_type(node.inputs[1]) == "INT8":
        return True  # a hybrid
    is_small = first in ("INT8", "UINT8")
    is_known = node.op in _SCALED | _SCALED_BYTES if is_small else node.op in _SCALED and first in _QUANTIZED
    is_wanted = first in kernel.bare or is_known
    return is_wanted and not any(_parameters(value).custom for value in (*node.inputs, *node.outputs))


def _parameters(value: Value) -> Quantization:
    found = value.extra.get("quantization") if value.extra and not value.is_absent else None
    return found if isinstance(found, Quantization) else Quantization()


def _shape_faults(node: Node) -> Iterator[str]:
    if node.op == "DENSIFY" and node.inputs and node.outputs:
        given, made = _dims(node.inputs[0]), _dims(node.outputs[0])
        if given is not None and made is not None and given != made:
            yield f"its output is stored as {list(made)}, what it unpacks is {list(given)}"
    if node.op == "UNIDIRECTIONAL_SEQUENCE_LSTM" and len(node.inputs) > _LSTM_STATES[-1]:
        yield from _lstm_faults(node)


def _lstm_faults(node: Node) -> Iterator[str]:
    """Hold weights, biases and states to each other, as `CheckInputTensorDimensions` of the kernel does."""
    for places in _LSTM_TOGETHER:
        there = [place for place in places if place < len(node.inputs) and not node.inputs[place].is_absent]
        wanted_here = [place for place in places if place != 9 or not node.inputs[1].is_absent]
        if there and there != [place for place in wanted_here if place < len(node.inputs)]:
            yield f"of its inputs {', '.join(map(str, places))} some are left out"
    given = _dims(node.inputs[0])
    if given is None or len(given) != 3:
        if given is not None:
            yield f"its input has {len(given)} dimensions, not time, batch and features"
        return
    batch = given[1] if node.attrs.get("time_major") else given[0]
    cells, outputs = (_dims(node.inputs[place]) for place in (_LSTM_WEIGHTS[-1], _LSTM_RECURRENT[-1]))
    if cells is None or outputs is None or len(cells) != 2 or len(outputs) != 2:
        yield "its weights have not 2 dimensions"
        return
    wanted: dict[int, tuple[int, ...]] = dict.fromkeys(_LSTM_WEIGHTS, (cells[0], given[2]))
    wanted |= dict.fromkeys(_LSTM_RECURRENT, (cells[0], outputs[1]))
    wanted |= dict.fromkeys(_LSTM_BIASES, (cells[0],))
    for place, dims in wanted.items():
        found = _dims(node.inputs[place])
        if found is not None and found != dims:
            yield f"its input {place} is {list(found)}, where {list(dims)} fits the others"
    for place, count in zip(_LSTM_STATES, (batch * outputs[1], batch * cells[0]), strict=True):
        found = _dims(node.inputs[place])
        if found is not None and math.prod(found) != count:
            yield f"its state {place} has {math.prod(found)} elements, where {count} fit the others"


def _dims(value: Value) -> tuple[int, ...] | None:
    """Return the stored dimensions of a tensor: interpreters take an unknown one for what is stored, 1."""
    return None if value.raw is None or value.is_absent else tuple(value.raw.table.scalars("shape"))
