"""What kind of thing an op is, for a picture: its family (a colour), and whether it only hands a value on.

TensorFlow's and TFLite's names are compared without case and underscores, so that `Conv2D` and `CONV_2D` are one.
"""

from __future__ import annotations

import re
from functools import cache

from graphsurgeon.model.format import OF_VOCABULARY
from graphsurgeon.ops import catalog, kinds
from graphsurgeon.render.scene import frameworks

WEIGHTS = kinds.CONSTANTS | kinds.VARIABLES | {"VAR_HANDLE"}
INPUTS = kinds.PLACEHOLDERS | {"Input"}
# What hands its first input on: the value is the same, or the same but for a check.
PASSING = kinds.FIRST_INPUT | {"READ_VARIABLE", "OptimizationBarrier"}
_SHAPE_SOURCES = kinds.SHAPE_SOURCES | {"SHAPE", "RANK"}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SHAPE_STEPS = kinds.SHAPE_STEPS | _words(
    """ADD SUB MUL FLOOR_DIV DIV MAXIMUM MINIMUM REDUCE_PROD CAST STRIDED_SLICE SLICE PACK CONCATENATION GATHER
    EXPAND_DIMS SQUEEZE RESHAPE RANGE UNPACK SELECT SELECT_V2 FILL BROADCAST_ARGS"""
)

# family -> what the normalized name of an op begins with; the longest that fits counts.
_STEMS = {
    "quantize": "quantize dequantize fakequant requantiz uniformquantize uniformdequantize",
    "convolution": """conv depthwiseconv transposeconv dilation2d deconv quantizedconv fusedconv fusedresize
        fuseddepthwise quantizeddepthwise""",
    "normalization": "fusedbatchnorm batchnorm lrn l2norm layernorm instancenorm localresponse",
    "dense": """matmul batchmatmul fullyconnected einsum sparsematmul sparsetensordense quantizedmatmul fusedmatmul
        batchfunction svdf xladot""",
    "activation": """relu elu selu leakyrelu prelu tanh sigmoid logistic softmax logsoftmax softplus softsign gelu
        hardswish swish erf""",
    "pooling": "maxpool avgpool averagepool fractional l2pool",
    "recurrent": """lstm blocklstm gru rnn cudnn unidirectional bidirectional tensorlist tensorarray emptytensorlist
        stack assign resourceapply resourcescatter scatter scatterndupdate scatterndadd scatterndsub scatterndmax
        scatterndmin varisinit variable varhandle readvariable destroyresource""",
    "lookup": """gather resourcegather embedding lookuptable hashtable mutablehash mutabledense initializetable onehot
        anonymous scatternd tensorscatter sparsetodense""",
    "control": """switch refswitch merge refmerge while if case loopcond enter exit nextiteration noop assert
        partitionedcall stateful stateless print callonce remotecall symbolicgradient""",
    "layout": """reshape transpose squeeze expanddims concat pack unpack split slice stridedslice tile pad mirrorpad
        shape size rank fill range broadcast batchtospace spacetobatch spacetodepth depthtospace reverse roll boolean
        dynamic unique where resize crop extract identity zeros ones diag matrix""",
    "reduction": """mean sum max min prod all any arg topk cum segment unsorted reduce count bincount nonmax
        combinednonmax ctc""",
    "input": "placeholder input",
    "text": """string regex decode encode parse asstring substr unicode utf static iterator dataset reader readfile
        queue fifo""",
    "weight": "const",
}
_FAMILIES = {stem: family for family, stems in _STEMS.items() for stem in stems.split()}
# Elementwise functions, TensorFlow's and TFLite's, normalized.
_MATH = _words(
    """add addv2 addn accumulatenv2 sub mul mulnonan div realdiv truncatediv divnonan xdivy floordiv floormod mod neg
    abs square sqrt rsqrt squareddifference exp expm1 log log1p pow sin cos tan asin acos atan atan2 sinh cosh sign
    floor ceil round rint reciprocal inv maximum minimum equal notequal less lessequal greater greaterequal logicaland
    logicalor logicalnot cast bitcast select selectv2 clipbyvalue isnan isinf isfinite biasadd biasaddv1 complex real
    imag conj angle bitwiseand bitwiseor bitwisexor leftshift rightshift invert zeroslike oneslike"""
)
# Between a value and its normalized, activated or shifted form: one dynamic input, drawn with what they follow.
_POINTWISE_FAMILIES = frozenset({"activation", "normalization", "math"})
_PRODUCTS = frozenset({"convolution", "dense", "recurrent"})
FAMILIES = (
    "input", "output", "convolution", "dense", "normalization", "activation", "pooling", "math", "reduction", "layout",
    "lookup", "recurrent", "control", "quantize", "text", "weight", "scope", "other",
)  # fmt: skip


@cache
def family(op: str) -> str:
    """Return the family of an op, "other" if it is of none."""
    vocabulary, mark, name = op.partition(OF_VOCABULARY)
    if mark:  # the name may be one of TensorFlow's, and mean something else
        return frameworks.family(vocabulary, name)
    name = _normalized(op)
    if name in _MATH:
        return "math"
    stems = (name[:length] for length in range(len(name), 0, -1))
    return next((_FAMILIES[stem] for stem in stems if stem in _FAMILIES), "other")


@cache
def is_pointwise(op: str) -> bool:
    """Say whether an op maps every element (or channel) of its one dynamic input: bias, normalization, activation."""
    return family(op) in _POINTWISE_FAMILIES


@cache
def is_product(op: str) -> bool:
    """Say whether an op is what layers are built around: a convolution, a matrix product, a recurrence."""
    return family(op) in _PRODUCTS


@cache
def is_stateful(op: str) -> bool:
    """Say whether running an op twice may differ; of an op that nobody knows it must be feared."""
    if OF_VOCABULARY in op:
        return family(op) == "other"
    definition = catalog.get(op)
    if definition is not None:
        return definition.is_stateful
    name = _normalized(op)
    return not (op.isupper() and op != "CUSTOM") or "random" in name or "call" in name or "hashtable" in name


def is_shape_source(op: str) -> bool:
    """Say whether an op yields the shape of its input rather than its elements."""
    return op in _SHAPE_SOURCES


def is_shape_step(op: str) -> bool:
    """Say whether an op may stand between a shape and what uses it."""
    return op in _SHAPE_STEPS


def _normalized(op: str) -> str:
    return re.sub(r"[^a-z0-9]", "", op.rpartition(">")[2].lower())
