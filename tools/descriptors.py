"""What the scripts that write message schemas share: descriptors without what no reader of messages needs."""

from __future__ import annotations

from google.protobuf import descriptor_pb2


def strip_file(file: descriptor_pb2.FileDescriptorProto) -> None:
    """Drop what no reader or writer of messages needs: options of other languages, JSON names, services."""
    for field in ("options", "source_code_info", "service", "public_dependency"):
        file.ClearField(field)
    for message in file.message_type:
        strip_message(message)
    for enum in file.enum_type:
        enum.options.ClearField("deprecated")


def strip_message(message: descriptor_pb2.DescriptorProto) -> None:
    """Drop JSON names and all options but `packed` and `map_entry`, here and in nested messages."""
    for field in message.field:
        field.ClearField("json_name")
        packed = field.options.packed if field.options.HasField("packed") else None
        field.ClearField("options")
        if packed is not None:
            field.options.packed = packed
    for nested in message.nested_type:
        strip_message(nested)
