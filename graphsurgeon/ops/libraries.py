"""Which package brings an operation that its runtime does not have by itself.

Names of ops are those that the packages register: `REGISTER_OP` in their sources for TensorFlow, and the names that
their kernels are registered by for LiteRT.
"""

from __future__ import annotations

from graphsurgeon.ops.kinds import _words

# What the names of a package's ops begin with.
_PREFIXES = {
    "Addons>": "TensorFlow Addons",
    "Horovod": "Horovod",
    "IO>": "TensorFlow I/O",
    "SimpleML": "TensorFlow Decision Forests",
    "TFRA>": "TensorFlow Recommenders Addons",
    "TFText>": "TensorFlow Text",
    "TRTEngine": "a TensorFlow built with TensorRT",
}
_TEXT = "TensorFlow Text"
_NAMES = {
    **dict.fromkeys(_words(
        "CaseFoldUTF8 NormalizeUTF8 NormalizeUTF8WithOffsetsMap RegexSplitWithOffsets SentencepieceDetokenizeOp"
        " SentencepieceOp SentencepieceTokenizeOp SentencepieceTokenizeWithOffsetsOp SentencepieceVocabSizeOp"
        " SentencepieceIdToStringOp SentencepieceStringToIdOp SplitMergeTokenizeWithOffsets"
        " UnicodeScriptTokenizeWithOffsets WhitespaceTokenizeWithOffsets WordpieceTokenizeWithOffsets WordshapeOp"
    ), _TEXT),
    **dict.fromkeys(_words("CreateTRTResourceHandle GetCalibrationDataOp InitializeTRTResource"),
                    "a TensorFlow built with TensorRT"),
    "NeuronOp": "TensorFlow Neuron",
}  # fmt: skip

# What LiteRT's own resolver registers by name (`register.cc`): nothing has to be added for these.
BUILT_IN_CUSTOM = frozenset({"AudioSpectrogram", "Mfcc", "NumericVerify", "TFLite_Detection_PostProcess"})
_LITERT = {
    **dict.fromkeys(_words(
        "Convolution2DTransposeBias Landmarks2TransformMatrix MaxPoolingWithArgmax2D MaxUnpooling2D"
        " TransformLandmarks TransformTensorBilinear"
    ), "MediaPipe"),
    "TFSentencepieceTokenizeOp": _TEXT,
    "edgetpu-custom-op": "the Edge TPU runtime",
}  # fmt: skip


def tensorflow_library(op: str) -> str:
    """Return the package that registers an op with TensorFlow, empty if none is known to."""
    return _NAMES.get(op) or next((name for prefix, name in _PREFIXES.items() if op.startswith(prefix)), "")


def litert_library(op: str) -> str:
    """Return what registers a custom operator with LiteRT, empty if nothing is known to."""
    if op.startswith("Flex"):
        return "the Flex delegate (select TensorFlow ops)"
    return _LITERT.get(op) or (_TEXT if op.startswith("TFText>") else "")
