"""Random ops: most give the shape that an input spells."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn(
    "RandomStandardNormal", "RandomUniform", "RandomUniformInt", "TruncatedNormal", "ParameterizedTruncatedNormal",
    "StatelessRandomBinomial", "StatelessRandomNormal", "StatelessRandomNormalV2", "StatelessRandomPoisson",
    "StatelessRandomUniform", "StatelessRandomUniformFullInt", "StatelessRandomUniformFullIntV2",
    "StatelessRandomUniformInt", "StatelessRandomUniformIntV2", "StatelessRandomUniformV2", "StatelessTruncatedNormal",
    "StatelessTruncatedNormalV2", "StatelessRandomGammaV2", "StatelessRandomGammaV3",
    "StatelessParameterizedTruncatedNormal", "NonDeterministicInts", "RiscRandomUniform",
)  # fmt: skip
def spelled_first(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the first input spells."""
    return [context.vector_of(0)]


@shape_fn("StatefulStandardNormal")
def spelled_second(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the second input spells."""
    return [context.vector_of(1)]


@shape_fn(
    "StatefulStandardNormalV2", "StatefulTruncatedNormal", "StatefulUniform", "StatefulUniformFullInt",
    "StatefulUniformInt", "StatefulRandomBinomial",
)  # fmt: skip
def spelled_third(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the third input spells."""
    return [context.vector_of(2)]


@shape_fn("RandomGamma", "RandomPoisson", "RandomPoissonV2")
def with_parameters(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that the first input spells, for each element of the second."""
    shape, parameters = context.shape_of(0), context.dims(1)
    return [None if shape is None or parameters is None else (*shape, *parameters)]


@shape_fn("RandomGammaGrad")
def gamma_grad(context: InferenceContext) -> Sequence[Result]:
    """Broadcast the two operands."""
    return [dim.broadcast(context.dims(0), context.dims(1))]


@shape_fn("Multinomial", "StatelessMultinomial")
def multinomial(context: InferenceContext) -> Sequence[Result]:
    """Give as many draws per row of the first input as the second says."""
    context.with_rank(1, 0)
    return [(context.with_rank(0, 2)[0], context.number(1))]


@shape_fn("RandomShuffle", "StatelessShuffle")
def shuffle(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the input."""
    return [context.dims(0)]


@shape_fn("RandomIndexShuffle")
def index_shuffle(context: InferenceContext) -> Sequence[Result]:
    """Give a place per index; index, seed and bound may each be a scalar or a vector."""
    index, seed, bound = context.dims(0), context.dims(1), context.dims(2)
    lengths = [d[0] for d, rank in ((index, 1), (seed, 2), (bound, 1)) if d is not None and len(d) == rank]
    if not lengths and (index is None or seed is None or bound is None):
        return [None]
    shared: dim.Dim = None
    for length in lengths:
        shared = dim.merge_dim(shared, length)
    return [(shared,) if lengths else ()]


@shape_fn("RandomCrop")
def random_crop(context: InferenceContext) -> Sequence[Result]:
    """Give an image of the height and width that the second input says."""
    image, size = context.with_rank(0, 3), context.shape_of(1)
    if size is None or context.items(1) is None:
        return [(None, None, image[2])]
    return [(*size, image[2])]


@shape_fn("StatelessRandomGetKeyCounter", "StatelessRandomGetKeyCounterAlg", "StatelessRandomGetAlg", "RngReadAndSkip")
def generator_state(context: InferenceContext) -> Sequence[Result]:
    """Give key (1), counter (2) and algorithm (scalar) of a generator."""
    state: dict[str, list[Dims]] = {
        "StatelessRandomGetKeyCounter": [(1,), (2,)],
        "StatelessRandomGetKeyCounterAlg": [(1,), (2,), ()],
        "StatelessRandomGetAlg": [()],
        "RngReadAndSkip": [(3,)],
    }
    return list(state[context.node.op])


@shape_fn("SobolSample")
def sobol_sample(context: InferenceContext) -> Sequence[Result]:
    """Give as many points as the second input says, of as many dimensions as the first says."""
    return [(context.number(1), context.number(0))]


@shape_fn("StochasticCastToInt")
def stochastic_cast(context: InferenceContext) -> Sequence[Result]:
    """Give the shape of the first input."""
    return [context.dims(0)]


@shape_fn("GenerateVocabRemapping")
def vocab_remapping(context: InferenceContext) -> Sequence[Result]:
    """Give `num_new_vocab` old places, and how many there are."""
    return [(context.integer_attr("num_new_vocab"),), ()]


@shape_fn("LoadAndRemapMatrix")
def load_and_remap_matrix(context: InferenceContext) -> Sequence[Result]:
    """Give a matrix of `num_rows` and `num_cols`."""
    return [(context.integer_attr("num_rows"), context.integer_attr("num_cols"))]


@shape_fn("Skipgram")
def skipgram(context: InferenceContext) -> Sequence[Result]:
    """Give words, counts, progress, and `batch_size` examples with their labels."""
    batch = context.integer_attr("batch_size")
    return [(None,), (None,), (), (), (), (batch,), (batch,)]
