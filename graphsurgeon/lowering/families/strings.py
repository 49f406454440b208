"""Strings, and bits as other types. Source: the pages of the operators."""

from __future__ import annotations

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers
from graphsurgeon.model.dtype import INT64, STRING


@lowers("BitCast", 26)
def bit_cast(b: Builder, node: Source) -> Operand:
    """The same bits as another type of the same width."""
    dtype = node.dtype("to")
    if dtype is None or dtype.bits != node[0].dtype.bits or dtype.name == "bool" or node[0].dtype.name == "bool":
        raise LoweringError(f"the bits of {node[0].dtype} as {dtype}")
    return b.op("Bitcast", node[0], type=dtype)


@lowers("StringConcat", 20)
def string_concat(b: Builder, node: Source) -> Operand:
    """Strings one behind the other, element by element."""
    return b.op("Add", node[0], node[1])


@lowers("RegexFullMatch", 20)
def regex_full_match(b: Builder, node: Source) -> Operand:
    """Whether a pattern of RE2 fits the whole."""
    return b.op("StaticRegexFullMatch", node[0], pattern=node.text("pattern"))


@lowers("StringNormalizer", 10)
def string_normalizer(b: Builder, node: Source) -> Operand:
    """Strings in lower or upper case; words that are to be left out are not known here."""
    if node.texts("stopwords"):
        raise LoweringError("words that are left out")
    action = node.text("case_change_action", "NONE")
    if action == "NONE":
        return node[0]
    return b.op("StringLower" if action == "LOWER" else "StringUpper", node[0], encoding=b"utf-8")


@lowers("StringSplit", 20)
def string_split(b: Builder, node: Source) -> list[Operand]:
    """Each string in parts, in rows that end with empty strings; and how many parts there are."""
    x, most = b.plain(node[0]), node.integer("maxsplit", -1)
    if most == 0:
        raise LoweringError("a split into one part")
    delimiter, flat = node.text("delimiter"), b.reshape(x, [-1])
    indices, values, shape = b.ops("StringSplitV2", flat, b.constant(delimiter, STRING), maxsplit=max(most, -1))
    row = b.op("StridedSlice", indices, [0, 0], [0, 1], [1, 1], end_mask=1, shrink_axis_mask=2)
    # Between spaces there is no empty part, but TensorFlow adds one where a text ends with the last split.
    is_part = b.op("NotEqual", values, b.constant("", STRING)) if not delimiter else b.op("OnesLike", row)
    counts = b.op("UnsortedSegmentSum", b.cast(is_part, INT64), row, b.op("Size", flat, out_type=INT64))
    width = b.op("Maximum", b.op("Max", counts, [0]), b.constant(0, INT64))  # of no strings there is no largest
    rows = b.op("SparseToDense", indices, shape, values, b.constant("", STRING))
    size = b.op("Pack", b.constant(-1, INT64), width, axis=0)
    parts = b.op("Slice", rows, b.constant([0, 0], INT64), size)
    ends = b.shape_of(x)
    whole = b.op("ConcatV2", ends, b.op("ExpandDims", width, 0), 0)
    return [b.reshape(parts, whole), b.reshape(counts, ends)]
