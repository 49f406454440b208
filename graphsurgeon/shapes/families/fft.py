"""Fourier transforms and audio."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn("FFT", "IFFT", "FFT2D", "IFFT2D", "FFT3D", "IFFT3D", "FFTND", "IFFTND", "RFFTND", "IRFFTND", "RiscFft")
def fft(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    rank = next((int(digit) for digit in context.node.op if digit.isdigit()), 1)
    return [context.dims(0) if context.node.op.endswith("ND") else context.at_least(0, rank)]


@shape_fn("RFFT", "RFFT2D", "RFFT3D")
def rfft(context: InferenceContext) -> Sequence[Result]:
    """Replace the last dimensions by the lengths in the second input, the last by half of it and one."""
    return [_resized(context, forward=True)]


@shape_fn("IRFFT", "IRFFT2D", "IRFFT3D")
def irfft(context: InferenceContext) -> Sequence[Result]:
    """Replace the last dimensions by the lengths in the second input."""
    return [_resized(context, forward=False)]


def _resized(context: InferenceContext, *, forward: bool) -> Dims | None:
    rank = next((int(digit) for digit in context.node.op if digit.isdigit()), 1)
    dims = context.at_least(0, rank)
    dim.merge_dim(context.with_rank(1, 1)[0], rank)
    if dims is None:
        return None
    items = context.items(1)
    lengths: list[Dim] = [item if isinstance(item, int) else None for item in items] if items else [None] * rank
    last = lengths[-1]
    if forward and isinstance(last, int):
        lengths[-1] = last // 2 + 1 if last else 0
    return (*dims[: len(dims) - rank], *lengths)


@shape_fn("BatchFFT", "BatchFFT2D", "BatchFFT3D", "BatchIFFT", "BatchIFFT2D", "BatchIFFT3D")
def batch_fft(context: InferenceContext) -> Sequence[Result]:
    """Nothing is known: TensorFlow has long removed the op."""
    return [context.dims(0)]


@shape_fn("AudioSpectrogram")
def audio_spectrogram(context: InferenceContext) -> Sequence[Result]:
    """Give channels, windows of `window_size` every `stride` samples, and frequencies."""
    samples, channels = context.with_rank(0, 2)
    window, stride = context.integer_attr("window_size"), context.integer_attr("stride")
    if stride <= 0 or window <= 1:
        raise dim.ShapeError(f"window_size {window} and stride {stride} must be positive")
    count: Dim = None
    if isinstance(samples, int):
        count = 0 if samples - window < 0 else 1 + (samples - window) // stride
    return [(channels, count, 1 + _next_power_of_two(window) // 2)]


def _next_power_of_two(value: int) -> int:
    return 1 << (value - 1).bit_length()


@shape_fn("Mfcc")
def mfcc(context: InferenceContext) -> Sequence[Result]:
    """Give `dct_coefficient_count` numbers per window of each channel."""
    channels, windows, _ = context.with_rank(0, 3)
    return [(channels, windows, context.integer_attr("dct_coefficient_count"))]


@shape_fn("DecodeWav")
def decode_wav(context: InferenceContext) -> Sequence[Result]:
    """Give `desired_samples` of `desired_channels`, each unknown where it is -1, and the sample rate."""
    context.with_rank(0, 0)
    samples, channels = context.integer_attr("desired_samples", -1), context.integer_attr("desired_channels", -1)
    return [(samples if samples >= 0 else None, channels if channels >= 0 else None), ()]


@shape_fn("EncodeWav")
def encode_wav(context: InferenceContext) -> Sequence[Result]:
    """Give a string."""
    return [()]


@shape_fn("AudioMicrofrontend")
def audio_microfrontend(context: InferenceContext) -> Sequence[Result]:
    """Give features per window; from `sample_rate`, `window_size`, `window_step`, `num_channels`, `left_context`..."""
    samples = context.with_rank(0, 1)[0]
    width = context.integer_attr("num_channels", 32)
    width *= 1 + context.integer_attr("left_context") + context.integer_attr("right_context")
    if not isinstance(samples, int):
        return [(None, width if width >= 0 else None)]
    rate, stride = context.integer_attr("sample_rate", 16000), context.integer_attr("frame_stride", 1)
    window = context.integer_attr("window_size", 25) * (rate // 1000)
    step = context.integer_attr("window_step", 10) * (rate // 1000)
    if width < 0 or stride <= 0 or step <= 0:
        return [(None, None)]
    frames = (samples - window) // step + 1 if samples >= window else 0
    return [(-(-frames // stride), width)]
