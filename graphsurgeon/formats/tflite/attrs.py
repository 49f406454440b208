"""Attributes of a TFLite operator: the fields of its options, and what `Operator` itself holds beside the edges.

Members of enums are names as bytes (`padding` is `b"SAME"`), element types are DTypes, subgraph indices are
FunctionRefs, so that they follow their subgraphs. An absent scalar shows its default; absent vectors and
strings are left out. `custom_options` are bytes, `intermediates` a list of the subgraph's tensors.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Mapping
from typing import TYPE_CHECKING

from graphsurgeon.disk.files import FileRange
from graphsurgeon.errors import UsageError
from graphsurgeon.formats.tflite.schema import dtype_number, dtype_of, schema
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, FunctionRef, Graph, Value

if TYPE_CHECKING:
    from graphsurgeon.encoding.flatbuffer.read import Table
    from graphsurgeon.encoding.flatbuffer.schema import TableField

OPTION_FIELDS = ("builtin_options", "builtin_options_2")
OPERATOR_FIELDS = ("custom_options", "custom_options_format", "mutating_variable_inputs", "intermediates")
_TENSOR_TYPES = "TensorType"


def decode(table: Table, subgraphs: list[Graph], graph: Graph) -> dict[str, AttrValue]:
    """Return the attributes of an operator.

    Args:
        table: the `Operator`.
        subgraphs: of the model, as it was read.
        graph: the subgraph that the operator is in.
    """
    found: dict[str, AttrValue] = {}
    for name in OPTION_FIELDS:
        options = table.get(name)
        if options is not None and options.type is not None:
            found.update(_fields(options, options.type.fields, subgraphs))
    assert table.type is not None
    present = {name: table.type.fields[name] for name in OPERATOR_FIELDS if table.place(name)}
    intermediates = present.pop("intermediates", None)
    found.update(_fields(table, present, subgraphs))
    if intermediates is not None:
        tensors = {value.raw.index: value for value in graph.values if is_of(value, table)}
        found["intermediates"] = [tensors.get(index, index) for index in table.scalars("intermediates")]
    large = large_custom_options(table)
    if large is not None:
        found["custom_options"] = large.read()
    return found


def is_of(value: Value, table: Table) -> bool:
    """Say whether a tensor was read from the same file as a table: others have numbers of their own."""
    return value.raw is not None and value.raw.table.image is table.image


def names_subgraphs(table: Table) -> bool:
    """Say whether the options of an operator can name subgraphs."""
    options = (table.get(name) for name in OPTION_FIELDS)
    return any(o and o.type and any(field.target == "SubGraph" for field in o.type.by_id.values()) for o in options)


def large_custom_options(table: Table) -> FileRange | None:
    """Return the custom options that lie behind the FlatBuffer, None if they do not, or if there is no such place."""
    offset, size = table.get("large_custom_options_offset"), table.get("large_custom_options_size")
    file = table.image.file
    is_there = offset > 1 and size and file is not None and offset + size <= file.size
    return FileRange(file, offset, size) if is_there and file is not None else None


def lower(field: TableField, value: AttrValue, subgraphs: Mapping[Graph, int]) -> object:
    """Return a value as it is stored in a field of the options: a number, bytes, an array, or None for nothing.

    Raises:
        UsageError: the field cannot hold it.
    """
    try:
        if value is None:
            return None
        if field.kind == "scalar":
            number = _number(field, value, subgraphs)
            struct.pack(f"<{field.code}", number)
            return number
        if field.kind == "scalars":
            items = list(value) if isinstance(value, (bytes, list)) else [value]
            return array("B" if field.code == "?" else field.code, (_number(field, item, subgraphs) for item in items))
        if field.kind == "string" and isinstance(value, bytes):
            return value
    except (OverflowError, TypeError, ValueError, struct.error) as error:
        raise UsageError(f"attribute {field.name} cannot be {value!r}: {error}") from error
    raise UsageError(f"attribute {field.name} cannot be {value!r}")


def _fields(table: Table, fields: Mapping[str, TableField], subgraphs: list[Graph]) -> dict[str, AttrValue]:
    found: dict[str, AttrValue] = {}
    for name, field in fields.items():
        value = table.get(name)
        if value is None or field.kind not in ("scalar", "scalars", "string"):
            continue
        if field.kind == "scalars" and field.type == "uint8" and not field.enum:
            found[name] = value.tobytes()
        elif field.kind == "scalars":
            found[name] = [_value(field, item, subgraphs) for item in value]
        else:
            found[name] = value if field.kind == "string" else _value(field, value, subgraphs)
    return found


def _value(field: TableField, number: int | float, subgraphs: list[Graph]) -> AttrValue:
    if field.code == "?":
        return bool(number)
    if isinstance(number, float):
        return number
    if field.target == "SubGraph":
        known = 0 <= number < len(subgraphs)
        return FunctionRef(subgraphs[number]) if known else FunctionRef(None, f"#{number}")
    if field.enum == _TENSOR_TYPES:
        return dtype_of(number)
    if field.enum:
        name = schema().enum(field.enum).get(number)
        return number if name is None else name.encode()
    return number


def _number(field: TableField, value: AttrValue, subgraphs: Mapping[Graph, int]) -> int | float:
    if isinstance(value, FunctionRef):
        if value.graph is None:
            return int(value.name.removeprefix("#"))
        if value.graph not in subgraphs:
            raise UsageError(f"attribute {field.name} names the subgraph {value.name!r}, which the model no longer has")
        return subgraphs[value.graph]
    if isinstance(value, DType):
        number = dtype_number(value)
        if number is None:
            raise UsageError(f"attribute {field.name}: TFLite has no element type {value}")
        return number
    if isinstance(value, bytes) and field.enum:
        numbers = {name.encode(): number for number, name in schema().enum(field.enum).items()}
        if value not in numbers:
            raise UsageError(f"attribute {field.name} is one of {', '.join(sorted(n.decode() for n in numbers))}")
        return numbers[value]
    if not isinstance(value, (int, float)):
        raise TypeError("a number is needed")
    return value if field.code in "fd" else int(value)
