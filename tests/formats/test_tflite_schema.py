"""The schema table against the module that LiteRT's package generates from the real schema."""

from __future__ import annotations

import re
from typing import Any

import pytest

from graphsurgeon.encoding.flatbuffer.schema import TableField
from graphsurgeon.formats.tflite.schema import dtype_number, dtype_of, operator_codes, option_tables, schema
from graphsurgeon.model.dtype import DType
from tests.oracle import tflite_objects

pytestmark = pytest.mark.litert

TABLES = [name for name in schema().words("table") if not name.startswith("Old")]
CONVERSION = {"Environment", "SparsityBlockSize", "ConversionOptions", "ConversionMetadata"}  # of another schema
SLOTS = {"bool": "Bool", "string": "UOffsetTRelative"}


def camel(name: str) -> str:
    return "".join(part.title() if part.islower() else part for part in re.split(r"_", name))


def slot_kind(field: TableField) -> str:
    return field.type.title() if field.kind == "scalar" else "UOffsetTRelative"


@pytest.mark.parametrize("name", [name for name in TABLES if name not in CONVERSION])
def test_fields_have_the_ids_types_and_defaults_of_the_generated_builder(name: str) -> None:
    generated = tflite_objects.generated()
    calls: list[tuple[Any, ...]] = []

    class Builder:
        def __getattr__(self, method: str) -> Any:
            return lambda *arguments: calls.append((method, *arguments))

    table = schema().table(name)
    deprecated = {"new_height", "new_width"} if name == "ResizeBilinearOptions" else {"deprecated_tag"}
    fields = [field for field in table.by_id.values() if field.name not in deprecated]
    for field in fields:
        getattr(generated, f"{name}Add{camel(field.name)}")(Builder(), 1)
    expected = [(f"Prepend{slot_kind(field)}Slot", field.id, 1, field.default or 0) for field in fields]
    assert calls == expected
    getattr(generated, f"{name}Start")(Builder())
    assert calls[-1] == ("StartObject", max(table.by_id, default=-1) + 1)


@pytest.mark.parametrize(
    "name", [*schema().unions, "BuiltinOperator", "TensorType", "Padding", "ActivationFunctionType"]
)
def test_enums_and_unions_have_the_generated_members(name: str) -> None:
    members = {key: value for key, value in vars(getattr(tflite_objects.generated(), name)).items() if key[0] != "_"}
    ours = schema().unions[name] if name in schema().unions else schema().enum(name)
    assert {value: key for key, value in ours.items()} == {
        k: v for k, v in members.items() if name not in schema().unions or v
    }


def test_every_table_of_the_generated_module_is_there() -> None:
    names = {name for name in vars(tflite_objects.generated()) if re.fullmatch(r"\w+Start", name)}
    assert {name.removesuffix("Start") for name in names} == set(TABLES) - CONVERSION


def test_every_option_table_belongs_to_an_operator() -> None:
    held = {
        table
        for members in (schema().unions["BuiltinOptions"], schema().unions["BuiltinOptions2"])
        for table in members.values()
    }
    assert held == set(option_tables().values())
    assert set(option_tables()) <= set(operator_codes())


@pytest.mark.tensorflow
def test_element_types_are_tensorflow_s() -> None:
    import tensorflow as tf

    for name, number in vars(tflite_objects.generated().TensorType).items():
        if name[0] != "_":
            assert tf.as_dtype(name.lower()).name == dtype_of(number).name
            assert dtype_number(dtype_of(number)) == number


def test_an_element_type_newer_than_the_schema_keeps_its_number() -> None:
    newer = dtype_of(77)
    assert newer.bits == 0
    assert dtype_number(newer) == 77
    assert dtype_number(DType.named("qint8")) is None
