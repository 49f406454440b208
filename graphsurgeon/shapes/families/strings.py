"""String ops."""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.shapes import dims as dim
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dims
from graphsurgeon.shapes.registry import Result, shape_fn


@shape_fn(
    "AsString", "DecodeBase64", "DecodeCompressed", "DecodeJSONExample", "EncodeBase64", "RegexFullMatch",
    "RegexReplace", "StaticRegexFullMatch", "StaticRegexReplace", "StringLength", "StringLower", "StringStrip",
    "StringToHashBucket", "StringToHashBucketFast", "StringToHashBucketStrong", "StringToNumber", "StringUpper",
    "UnicodeScript", "UnicodeTranscode", "_TensorToHashBucketFast",
)  # fmt: skip
def each(context: InferenceContext) -> Sequence[Result]:
    """Give one result per string."""
    return [context.dims(0)]


@shape_fn("StringJoin")
def string_join(context: InferenceContext) -> Sequence[Result]:
    """Give the shape that all inputs but scalars share."""
    shared: Dims | None = None
    if all(fact.dims == () for fact in context.inputs):
        return [()]
    for fact in context.inputs:
        shared = dim.merge(shared, fact.dims) if fact.dims != () else shared
    return [shared]


@shape_fn("Substr")
def substr(context: InferenceContext) -> Sequence[Result]:
    """Broadcast strings with positions and lengths, which have one shape."""
    places = dim.merge(context.dims(1), context.dims(2))
    return [dim.broadcast(context.dims(0), places)]


@shape_fn("StringSplit", "StringSplitV2")
def string_split(context: InferenceContext) -> Sequence[Result]:
    """Give a sparse matrix of the parts."""
    context.with_rank(0, 1)
    return [(None, 2), (None,), (2,)]


@shape_fn("StringFormat")
def string_format(context: InferenceContext) -> Sequence[Result]:
    """Give a scalar; the template has a place for each input (`StringFormat` of string_ops.cc)."""
    template, mark = context.attr("template"), context.attr("placeholder")
    if isinstance(template, bytes) and isinstance(mark, bytes):
        places = template.count(mark) if mark else -1
        if places != len(context.inputs):
            raise dim.ShapeError(f"its template has another number of places than its {len(context.inputs)} inputs")
    return [()]


@shape_fn("ShardedFilename", "ShardedFilespec", "ReadFile", "SerializeTensor")
def one_string(context: InferenceContext) -> Sequence[Result]:
    """Give a string."""
    return [()]


@shape_fn("StringNGrams")
def string_n_grams(context: InferenceContext) -> Sequence[Result]:
    """Give all n-grams, and where those of each row begin."""
    context.with_rank(0, 1)
    return [(None,), context.with_rank(1, 1)]


@shape_fn("UnicodeDecode", "UnicodeDecodeWithOffsets")
def unicode_decode(context: InferenceContext) -> Sequence[Result]:
    """Give where the characters of each string begin, and the characters (with their positions)."""
    dims = context.dims(0)
    return [(dim.add(dim.product(dims), 1) if dims is not None else None,), (None,), (None,)][: context.num_outputs]


@shape_fn("UnicodeEncode")
def unicode_encode(context: InferenceContext) -> Sequence[Result]:
    """Give one string per row."""
    return [(dim.subtract(context.with_rank(1, 1)[0], 1),)]


@shape_fn("Fingerprint")
def fingerprint(context: InferenceContext) -> Sequence[Result]:
    """Give the bytes of a hash per row: 8 of farmhash64."""
    dims, method = context.at_least(0, 1), context.items(1)
    context.with_rank(1, 0)
    return [(None if dims is None else dims[0], None if method is None else 8)]


@shape_fn("MatchingFiles")
def matching_files(context: InferenceContext) -> Sequence[Result]:
    """Give the names of the files."""
    return [(None,)]
