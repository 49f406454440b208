"""Messages as data: classes built at run time from one FileDescriptorSet per framework.

`messages.binpb` (TensorFlow) is made by `tools/make_schema.py`, `onnx.binpb` by `tools/make_onnx_schema.py`. The
classes live in private descriptor pools, so they clash neither with the framework in the same process nor with a
protobuf of another version. Nothing is read, and protobuf is not imported, before the first class is asked for.

No field is ours: what a file says is never taken for something that the reader says.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsurgeon.encoding import protowire
from graphsurgeon.errors import FormatError

if TYPE_CHECKING:
    from google.protobuf.descriptor_pool import DescriptorPool

__all__ = ["field_table", "message", "parse", "pool", "tflite_tables", "vhlo_table"]

_SETS = {"tensorflow": "messages.binpb", "onnx": "onnx.binpb"}  # package of the messages -> file


@cache
def message(full_name: str) -> Any:
    """Return the message class of a full name such as `tensorflow.SavedModel`.

    Raises:
        KeyError: The schema has no such message.
    """
    return _class_of(pool(full_name.partition(".")[0]).FindMessageTypeByName(full_name))


@cache
def _upb() -> Any:
    """Return protobuf's implementation in C, None where another one is used.

    `message_factory` and `descriptor_pool` lead to it too, but import the implementation in Python beside it first:
    a seventh of the time and a tenth of the memory of `gs show`.
    """
    from google.protobuf.internal import api_implementation

    if api_implementation.Type() != "upb":
        return None
    from google._upb import _message

    return _message


def _class_of(descriptor: Any) -> Any:
    upb = _upb()
    if upb is None:
        from google.protobuf import message_factory

        return message_factory.GetMessageClass(descriptor)
    from google.protobuf.message import Message

    return upb.MessageMeta(descriptor.name, (Message,), {"DESCRIPTOR": descriptor, "__module__": None})


def parse(full_name: str, data: bytes) -> Any:
    """Return the message of a full name that serialized bytes hold.

    Raises:
        FormatError: the bytes are no such message.
    """
    from google.protobuf.message import DecodeError

    parsed = message(full_name)()
    try:
        parsed.ParseFromString(data)
    except DecodeError as error:
        raise FormatError(f"{len(data)} bytes are no valid {full_name.rpartition('.')[2]} message") from error
    return parsed


def pool(package: str = "tensorflow") -> DescriptorPool:
    """Return the private descriptor pool of a framework, with every file of its schema in it."""
    return _pool(package if package in _SETS else "tensorflow")  # which brings protobuf's own messages along


@cache
def _pool(package: str) -> DescriptorPool:
    upb = _upb()
    if upb is None:
        from google.protobuf import descriptor_pool

        private = descriptor_pool.DescriptorPool()
    else:
        private = upb.DescriptorPool()
    # Split by hand: 8 ms less than parsing the set and handing its files over as messages.
    for file in protowire.messages(Path(__file__).with_name(_SETS[package]).read_bytes()):
        private.AddSerializedFile(file)
    return private


def field_table(name: str) -> str:
    """Return a table of another framework: `caffe.txt`, `caffe2.txt`, `mmdnn.txt`, `keras_rules.tsv`."""
    return Path(__file__).with_name(name).read_text("utf-8")


def tflite_tables(name: str = "tflite") -> str:
    """Return the schema of TFLite (or of its metadata, `tflite_metadata`) as `encoding/flatbuffer/schema.py` reads it.

    `tflite.txt` is made by `tools/make_tflite_schema.py`.
    """
    return Path(__file__).with_name(f"{name}.txt").read_text("utf-8")


def vhlo_table() -> str:
    """Return what is known of the ops of VHLO: the order of their properties, and since when they are there."""
    return Path(__file__).with_name("vhlo.txt").read_text("utf-8")
