"""Strings, and bits as other types. Source: the pages of the operators."""

from __future__ import annotations

from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import LoweringError, lowers


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
