"""Families of ops of other frameworks, for the colours of a picture: layers have much the same names everywhere.

Only frameworks that are listed here are known; what `Conv` means in another one nobody can say.
"""

from __future__ import annotations

import re

# family -> what the normalized name of an op begins with; the longest that fits counts.
_STEMS = {
    "convolution": "conv deconv depthwiseconv separableconv qlinearconv deformconv deformableconv spatialconv",
    "dense": """dense gemm matmul batchmatmul qlinearmatmul fullyconnected innerproduct linear dotgeneral einsum
        multiheadattention attention""",
    "normalization": """batchnorm spatialbn instancenorm layernorm groupnorm unitnorm rmsnorm lpnorm l2norm lrn
        localresponse meanvariance""",
    "activation": """relu prelu leakyrelu elu selu celu gelu sigmoid hardsigmoid tanh softmax logsoftmax softplus
        softsign swish mish hardswish thresholdedrelu activation logistic""",
    "pooling": """pool maxpool averagepool globalmaxpool globalaveragepool lppool globallppool maxroipool roi
        reducewindow""",
    "recurrent": "lstm gru rnn simplernn bidirectional",
    "lookup": "embedding gather scatter onehot",
    "layout": """reshape flatten transpose permute squeeze unsqueeze expanddims expand concat split slice tile pad
        zeropadding crop upsampl resize spacetodepth depthtospace constantofshape stack swapaxis broadcast repeatvector
        identity reverse""",
    "reduction": "reduce argmax argmin topk cumsum",
    "quantize": "quantize dequantize dynamicquantize uniformquantize uniformdequantize",
}
_FAMILIES = {stem: family for family, stems in _STEMS.items() for stem in stems.split()}
# Whole names, normalized.
_NAMES = {
    "math": """add sub subtract mul multiply div divide pow power exp log sqrt rsqrt abs neg max min sum mean maximum
        minimum average eltwise elemwiseadd elemwisesub elemwisemul elemwisediv broadcastadd broadcastsub broadcastmul
        broadcastdiv plusscalar mulscalar clip floor ceil round sign equal greater less not and or xor where cast erf
        select compare convert""",
    "dense": "dot fc",
    "control": "if loop scan while case call foreach",
    "layout": "shape size",
    "input": "input inputlayer data datainput null",
    "weight": "constant",
}
_WHOLE = {name: family for family, names in _NAMES.items() for name in names.split()}
# framework -> what it means otherwise
_FRAMEWORKS: dict[str, dict[str, str]] = {
    "onnx": {},
    "keras": {},
    "mxnet": dict.fromkeys(("max", "min", "sum", "mean", "prod"), "reduction"),
    "caffe": {"scale": "normalization", "bias": "math"},
    "caffe2": {},
    "mmdnn": {"scale": "normalization"},
    "stablehlo": {},
}


def family(vocabulary: str, op: str) -> str:
    """Return the family of an op of another framework; "other" if it is of none, or the framework is not known."""
    meant = _FRAMEWORKS.get(vocabulary)
    if meant is None or "." in op:  # of another domain of ONNX, a dialect
        return "other"
    name = re.sub(r"[^a-z0-9]", "", op.lower())
    found = meant.get(name) or _WHOLE.get(name)
    stems = (name[:length] for length in range(len(name), 0, -1))
    return found or next((_FAMILIES[stem] for stem in stems if stem in _FAMILIES), "other")
