"""Write the fields of Caffe's and MMdnn's messages, taken from the descriptors that the package mmdnn ships.

    python tools/make_caffe_schema.py FOLDER

FOLDER is where the wheel of mmdnn was unpacked. Its modules are read, not imported: they are of an older protobuf.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

SCHEMA = Path(__file__).parents[1] / "graphsurgeon" / "formats" / "schema"
SOURCES = {
    "caffe": "mmdnn/conversion/caffe/caffe_pb2.py",
    "mmdnn": "mmdnn/conversion/common/IR/graph_pb2.py",
}
LEFT_OUT = {"SolverParameter", "SolverState", "Datum", "BlobProtoVector"}  # of training, in no file of a net
HEAD = "# Made by tools/make_caffe_schema.py from the descriptors in the package mmdnn 0.3.1; do not edit."
KINDS = {
    FieldDescriptorProto.TYPE_DOUBLE: "d", FieldDescriptorProto.TYPE_FLOAT: "f", FieldDescriptorProto.TYPE_INT64: "i",
    FieldDescriptorProto.TYPE_INT32: "i", FieldDescriptorProto.TYPE_UINT64: "u", FieldDescriptorProto.TYPE_UINT32: "u",
    FieldDescriptorProto.TYPE_BOOL: "b", FieldDescriptorProto.TYPE_STRING: "s", FieldDescriptorProto.TYPE_BYTES: "B",
    FieldDescriptorProto.TYPE_MESSAGE: "m", FieldDescriptorProto.TYPE_ENUM: "e",
}  # fmt: skip


def main(folder: Path) -> None:
    """Write both tables."""
    for name, module in SOURCES.items():
        file = descriptor(folder / module)
        (SCHEMA / f"{name}.txt").write_text("\n".join([HEAD, *lines(file)]) + "\n", "utf-8")


def descriptor(module: Path) -> FileDescriptorProto:
    """Return the descriptor that a generated module carries as bytes."""
    for node in ast.walk(ast.parse(module.read_text("utf-8"))):
        for keyword in node.keywords if isinstance(node, ast.Call) else ():
            if keyword.arg == "serialized_pb":
                value = keyword.value
                while isinstance(value, ast.Call):
                    value = value.args[0]
                assert isinstance(value, ast.Constant)
                data = value.value
                return FileDescriptorProto.FromString(data if isinstance(data, bytes) else str(data).encode("latin-1"))
    raise SystemExit(f"{module} carries no descriptor")


def lines(file: FileDescriptorProto) -> Iterator[str]:
    """Yield the lines of a table."""
    package = f"{file.package}." if file.package else ""
    for message in file.message_type:
        if message.name not in LEFT_OUT:
            yield from message_lines(message, "", package)
    for enum in file.enum_type:
        yield from enum_lines(enum, "")


def message_lines(message: DescriptorProto, prefix: str, package: str) -> Iterator[str]:
    """Yield the lines of a message and those inside it."""
    name = prefix + message.name
    yield f"message {name}"
    for field in message.field:
        of = field.type_name.lstrip(".").removeprefix(package)
        yield f"{field.number} {field.name} {KINDS[field.type]}" + (f":{of}" if of else "")
    for inner in message.nested_type:
        yield from message_lines(inner, f"{name}.", package)
    for enum in message.enum_type:
        yield from enum_lines(enum, f"{name}.")


def enum_lines(enum: EnumDescriptorProto, prefix: str) -> Iterator[str]:
    """Yield the lines of an enum."""
    yield f"enum {prefix}{enum.name}"
    for value in enum.value:
        yield f"{value.number} {value.name}"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
