"""What `TFLITE_METADATA` says as JSON, and JSON put in its place.

The JSON is that of FlatBuffers: fields by name, members of enums by name, the type of a union in `NAME_type`.
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from graphsurgeon.encoding.flatbuffer.write import Record
from graphsurgeon.errors import UsageError
from graphsurgeon.formats.tflite.support import NAME, root_of, schema
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from graphsurgeon.encoding.flatbuffer.read import Table
    from graphsurgeon.encoding.flatbuffer.schema import TableField, TableType

Json = dict[str, Any]
# What a reader must know to take it, by what is there: `metadata_version.cc` of the TFLite Support Library.
_VERSIONS = ("1.0.0", "1.0.1", "1.1.0", "1.2.0", "1.2.1", "1.3.0", "1.4.0", "1.4.1", "1.5.0")
_DEEPEST = 8


def to_json(table: Table, depth: int = _DEEPEST) -> Json:
    """Return the fields that a table has."""
    found: Json = {}
    for field in table.type.by_id.values() if table.type is not None and depth else ():
        value = table.get(field.name) if table.place_of(field) else None
        if value is None or _is_type_of_union(table.type, field):
            continue
        if field.kind == "union" and value.type is not None:
            found[f"{field.name}_type"] = value.type.name
        found[field.name] = _value(field, value, depth - 1)
    return found


def _is_type_of_union(type: TableType | None, field: TableField) -> bool:
    held = type.fields.get(field.name.removesuffix("_type")) if type is not None else None
    return held is not None and held.kind == "union" and held is not field


def _value(field: TableField, value: Any, depth: int) -> Any:
    if field.kind in ("table", "union"):
        return to_json(value, depth)
    if field.kind == "tables":
        return [to_json(one, depth) for one in value]
    if field.kind == "strings":
        return [one.decode("utf-8", "surrogateescape") for one in value]
    if field.kind == "string":
        return value.decode("utf-8", "surrogateescape")
    if field.kind == "scalars":
        return value.tolist()
    return schema().enum(field.enum).get(value, value) if field.enum else value


def stated(type: TableType, base: Table | None, fields: Mapping[str, Any], where: str = "") -> Record:
    """Return a table with these fields and no others that the schema knows; what is as it was is not written anew.

    Args:
        type: of the table.
        base: the table as it is, None for a new one.
        fields: as `to_json` gives them; null is as good as none.
        where: the table, for messages.

    Raises:
        UsageError: there is no such field, or its value is of another kind.
    """
    record = Record(type, base)
    for gone in type.by_id.values():
        is_kept = gone.name in fields or _is_type_of_union(type, gone)
        if base is not None and base.place_of(gone) and not is_kept:
            _state(record, gone, None, fields, where)
    for name, value in fields.items():
        if name in type.fields and _is_type_of_union(type, type.fields[name]):
            continue
        if name not in type.fields:
            known = ", ".join(one for one in type.fields if not one.endswith("_type"))
            raise UsageError(f"metadata {where or 'of the model'} has no field {name!r}", hint=f"there are {known}")
        _state(record, type.fields[name], value, fields, f"{where}.{name}" if where else name)
    return record


def _state(record: Record, field: TableField, value: Any, fields: Mapping[str, Any], where: str) -> None:
    name = field.name
    if value is None:
        if record.base is not None and record.base.place(name):
            record.changes |= {name: None, **({f"{name}_type": 0} if field.kind == "union" else {})}
        return
    if field.kind == "tables":
        _require(isinstance(value, list) and all(isinstance(one, Mapping) for one in value), where, "a list of objects")
        before = list(record.base.tables(name)) if record.base is not None else []
        inner = schema().table(field.type)
        pairs = [(before[number] if number < len(before) else None, one) for number, one in enumerate(value)]
        record.parts[name] = [stated(inner, old, one, f"{where}[{n}]") for n, (old, one) in enumerate(pairs)]
    elif field.kind in ("table", "union"):
        _require(isinstance(value, Mapping), where, "an object")
        _state_table(record, field, value, fields, where)
    else:
        record.set(name, _stored(field, value, where))


def _state_table(
    record: Record, field: TableField, value: Mapping[str, Any], fields: Mapping[str, Any], where: str
) -> None:
    old = record.base.get(field.name) if record.base is not None else None
    type_name = field.type
    if field.kind == "union":
        type_name = str(fields.get(f"{field.name}_type") or (old.type.name if old is not None and old.type else ""))
        numbers = {member: number for number, member in schema().unions[field.type].items()}
        _require(type_name in numbers, f"{where}_type", f"one of {', '.join(numbers)}")
        record.set(f"{field.name}_type", numbers[type_name])
    same = old is not None and old.type is not None and old.type.name == type_name
    inner = stated(schema().table(type_name), old if same else None, value, where)
    if inner.is_changed():
        record.changes[field.name] = inner


def _stored(field: TableField, value: Any, where: str) -> Any:
    """Return a value as a Record holds it."""
    if field.kind == "string":
        _require(isinstance(value, str), where, "a text")
        return value.encode("utf-8", "surrogateescape")
    if field.kind == "strings":
        _require(isinstance(value, list) and all(isinstance(one, str) for one in value), where, "a list of texts")
        return [one.encode("utf-8", "surrogateescape") for one in value]
    if field.enum and isinstance(value, str):
        numbers = {member: number for number, member in schema().enum(field.enum).items()}
        _require(value in numbers, where, f"one of {', '.join(numbers)}")
        return numbers[value]
    try:
        return array(field.code, value) if field.kind == "scalars" else array(field.code, [value])[0]
    except (TypeError, ValueError, OverflowError):
        what = "a list of numbers" if field.kind == "scalars" else "a number"
        raise UsageError(f"metadata {where}: {value!r} is no {what[2:]} of type {field.type}") from None


def _require(holds: bool, where: str, what: str) -> None:
    if not holds:
        raise UsageError(f"metadata {where}: {what} is needed")


def parser_version(said: Json) -> str:
    """Return the version that a reader must have to understand metadata, given as JSON."""
    needed = {0, *_needed_of_files(said)}
    for subgraph in said.get("subgraph_metadata") or ():
        needed |= set(_needed_of_files(subgraph))
        for side in ("input", "output"):
            units = subgraph.get(f"{side}_process_units")
            needed |= {2} if units is not None else set()
            needed |= {3} if subgraph.get(f"{side}_tensor_groups") is not None else set()
            for tensor in subgraph.get(f"{side}_tensor_metadata") or ():
                needed |= set(_needed_of_files(tensor)) | set(_needed_of_units(tensor.get("process_units") or ()))
                audio = (tensor.get("content") or {}).get("content_properties_type") == "AudioProperties"
                needed |= {5} if audio else set()
            needed |= set(_needed_of_units(units or ()))
        needed |= {8} if subgraph.get("custom_metadata") is not None else set()
    return _VERSIONS[max(needed)]


def _needed_of_files(holder: Json) -> list[int]:
    files = holder.get("associated_files") or ()
    types = {"VOCABULARY": 1, "SCANN_INDEX_FILE": 6}
    return [
        n for one in files for n in (types.get(str(one.get("type")), 0), 7 if one.get("version") is not None else 0)
    ]


def _needed_of_units(units: Sequence[Json]) -> list[int]:
    types = {"BertTokenizerOptions": 2, "SentencePieceTokenizerOptions": 2, "RegexTokenizerOptions": 4}
    return [types.get(str(unit.get("options_type")), 0) for unit in units]


def said_by(model: Model) -> Json:
    """Return what a TFLite model says of itself as JSON, empty if nothing."""
    collection = model.metagraphs[0].collections.get(NAME)
    value = collection.items[0].value if collection is not None and collection.items else b""
    return read_json(value.tobytes() if isinstance(value, Tensor) else value if isinstance(value, bytes) else b"")


def read_json(data: bytes) -> Json:
    """Return metadata as JSON, empty where the bytes are something else."""
    root = root_of(data)
    return to_json(root) if root is not None else {}
