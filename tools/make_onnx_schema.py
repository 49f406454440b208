"""Write what is known of ONNX as data: its messages, and its op definitions.

Run it with a Python that has the onnx package; it rewrites `graphsurgeon/formats/schema/onnx.binpb` and
`graphsurgeon/ops/onnx.txt.zlib`. The messages are ONNX's own with proto3 in place of proto2, as ONNX publishes them
too: the same bytes, and strings that are no UTF-8 are noticed while parsing.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import onnx
from descriptors import strip_file
from google.protobuf import descriptor_pb2
from onnx import defs

PACKAGE = Path(__file__).parents[1] / "graphsurgeon"
MESSAGES = PACKAGE / "formats" / "schema" / "onnx.binpb"
OPS = PACKAGE / "ops" / "onnx.txt.zlib"


def main() -> None:
    """Write both."""
    write_messages()
    write_ops()


def write_messages() -> None:
    """Strip the descriptor and write it as a set of one file."""
    file = descriptor_pb2.FileDescriptorProto()
    onnx.ModelProto.DESCRIPTOR.file.CopyToProto(file)
    strip_file(file)
    file.syntax = "proto3"
    schema = descriptor_pb2.FileDescriptorSet(file=[file])
    MESSAGES.write_bytes(schema.SerializeToString(deterministic=True))
    print(f"{MESSAGES.name}: {MESSAGES.stat().st_size} bytes, onnx {onnx.__version__}")


def write_ops() -> None:
    """Write one line per op and version: domain, name, version, flags, inputs, outputs, attributes."""
    schemas = sorted(defs.get_all_schemas_with_history(), key=lambda s: (s.domain, s.name, s.since_version))
    lines = [line_of(schema) for schema in schemas]
    OPS.write_bytes(zlib.compress("\n".join(lines).encode(), 9))
    print(f"{OPS.name}: {len(lines)} definitions, {OPS.stat().st_size} bytes")


def line_of(schema: Any) -> str:
    """Return a definition: arguments with `?` for optional and `*` for variadic, attributes with their types."""
    flags = "deprecated" if schema.deprecated else ""
    attributes = [
        f"{attribute.name}{'!' if attribute.required else ''}={attribute.type.name.lower()}"
        for _, attribute in sorted(schema.attributes.items())
    ]
    counts = f"{schema.min_input}-{schema.max_input}>{schema.min_output}-{schema.max_output}"
    parts = (
        schema.domain, schema.name, schema.since_version, flags, counts,
        " ".join(map(argument, schema.inputs)), " ".join(map(argument, schema.outputs)), " ".join(attributes),
    )  # fmt: skip
    return "\t".join(map(str, parts))


def argument(parameter: Any) -> str:
    """Return the name of an input or output, `?` behind it if it may be left out, `*` if it may repeat."""
    kinds = defs.OpSchema.FormalParameterOption
    return str(parameter.name) + {kinds.Optional: "?", kinds.Variadic: "*"}.get(parameter.option, "")


if __name__ == "__main__":
    main()
