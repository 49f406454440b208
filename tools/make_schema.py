"""Write the message schema: one FileDescriptorSet, taken from an installed TensorFlow.

Run it with a Python that has TensorFlow; it rewrites `graphsurgeon/formats/schema/messages.binpb`.
Only what decides bytes and text form is kept: names, numbers, types, `packed`, map entries, oneofs.
"""

from __future__ import annotations

import importlib
import mmap
from collections.abc import Iterator
from pathlib import Path

import tensorflow
from descriptors import strip_file
from google.protobuf import descriptor_pb2
from google.protobuf.descriptor import FileDescriptor

OUTPUT = Path(__file__).parents[1] / "graphsurgeon" / "formats" / "schema" / "messages.binpb"

ROOTS = (
    "tensorflow.core.framework.graph_debug_info_pb2",
    "tensorflow.core.framework.summary_pb2",
    "tensorflow.core.framework.variable_pb2",
    "tensorflow.core.protobuf.composite_tensor_variant_pb2",
    "tensorflow.core.protobuf.control_flow_pb2",
    "tensorflow.core.protobuf.fingerprint_pb2",
    "tensorflow.core.protobuf.meta_graph_pb2",
    "tensorflow.core.protobuf.queue_runner_pb2",
    "tensorflow.core.protobuf.saved_model_pb2",
    "tensorflow.core.protobuf.saved_object_graph_pb2",
    "tensorflow.core.protobuf.saver_pb2",
    "tensorflow.core.protobuf.struct_pb2",
    "tensorflow.core.protobuf.tensor_bundle_pb2",
    "tensorflow.core.protobuf.trackable_object_graph_pb2",
    "tensorflow.core.util.event_pb2",
    "tensorflow.core.util.saved_tensor_slice_pb2",
    "tensorflow.python.training.checkpoint_state_pb2",
)

# Used by TensorFlow's C++ only, so the Python package has no module for them: read from its library.
LIBRARY = "libtensorflow_framework.so.2"
LIBRARY_FILES = ("tensorflow/tools/proto_splitter/versions.proto", "tensorflow/tools/proto_splitter/chunk.proto")


def main() -> None:
    """Collect, strip and write the schema."""
    files: dict[str, descriptor_pb2.FileDescriptorProto] = {}
    for module in ROOTS:
        collect(importlib.import_module(module).DESCRIPTOR, files)
    library = Path(tensorflow.__file__).parent / LIBRARY
    files.update((name, file_in_library(library, name)) for name in LIBRARY_FILES)
    for file in files.values():
        strip_file(file)
    schema = descriptor_pb2.FileDescriptorSet(file=files.values())
    OUTPUT.write_bytes(schema.SerializeToString(deterministic=True))
    print(f"{OUTPUT.name}: {len(files)} files, {OUTPUT.stat().st_size} bytes, TensorFlow {tensorflow.__version__}")


def collect(file: FileDescriptor, files: dict[str, descriptor_pb2.FileDescriptorProto]) -> None:
    """Add a file after those it imports, each once: the order in which a pool takes them."""
    if file.name in files:
        return
    for dependency in file.dependencies:
        collect(dependency, files)
    files[file.name] = descriptor_pb2.FileDescriptorProto()
    file.CopyToProto(files[file.name])


def file_in_library(library: Path, name: str) -> descriptor_pb2.FileDescriptorProto:
    """Find the serialized descriptor that every generated C++ file carries."""
    start_mark = b"\x0a" + bytes([len(name)]) + name.encode() + b"\x12"  # field 1, the name; then field 2, the package
    with library.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        start = data.find(start_mark)
        if start < 0:
            raise SystemExit(f"{library}: no descriptor of {name}")
        *_, end = field_ends(data, start)
        return descriptor_pb2.FileDescriptorProto.FromString(data[start:end])


def field_ends(data: mmap.mmap, position: int) -> Iterator[int]:
    """Yield the end of each length-delimited field, up to the zero byte that ends the C++ literal."""
    while data[position] & 7 == 2:
        length, shift, position = 0, 0, position + 1
        while True:
            length |= (data[position] & 0x7F) << shift
            shift, position = shift + 7, position + 1
            if data[position - 1] < 0x80:
                break
        position += length
        yield position


if __name__ == "__main__":
    main()
