"""The TFLite schema: operator names, their options, and TensorFlow's element types for TFLite's."""

from __future__ import annotations

from functools import cache

from graphsurgeon.encoding.flatbuffer.schema import Schema
from graphsurgeon.formats.schema import tflite_tables
from graphsurgeon.model.dtype import DType

CUSTOM = "CUSTOM"
PLACEHOLDER = 127  # what the old one-byte operator code says of a code that does not fit it
UNKNOWN_OPERATOR = "BUILTIN_"  # prefix of a builtin operator newer than the schema; its number follows


@cache
def schema() -> Schema:
    """Return the schema of TFLite models, conversion metadata included."""
    return Schema(tflite_tables())


def operator_name(code: int) -> str:
    """Return the name of a builtin operator."""
    return schema().enum("BuiltinOperator").get(code) or f"{UNKNOWN_OPERATOR}{code}"


@cache
def operator_codes() -> dict[str, int]:
    """Return name -> code of the builtin operators."""
    return {name: code for code, name in schema().enum("BuiltinOperator").items()}


@cache
def option_tables() -> dict[str, str]:
    """Return name of a builtin operator -> name of its table of options, for those that have one."""
    return {name: words[0] for name, words in schema().words("operator").items()}


@cache
def option_unions() -> dict[str, tuple[str, int]]:
    """Return name of a table of options -> (field of `Operator` that holds it, number in its union)."""
    fields = schema().table("Operator").fields
    return {
        table: (name, number)
        for name in ("builtin_options", "builtin_options_2")
        for number, table in schema().unions[fields[name].type].items()
    }


@cache
def dtypes() -> dict[int, DType]:
    """Return TFLite's number of an element type -> the type."""
    return {number: DType.named(name) for number, name in schema().enum("TensorType").items()}


def dtype_of(number: int) -> DType:
    """Return the element type with a TFLite number; one that the schema does not know has no name of its own."""
    return dtypes().get(number) or DType.of(-1 - number)


def dtype_number(dtype: DType) -> int | None:
    """Return TFLite's number of an element type, None if TFLite has no such type."""
    known = next((number for number, other in dtypes().items() if other is dtype), None)
    return -1 - dtype.number if known is None and dtype.number < 0 else known
