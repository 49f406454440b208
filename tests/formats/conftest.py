"""Checkpoints made from their parts, for the tests of checkpoint files."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from graphsurgeon.disk import crc32c as crc
from graphsurgeon.disk.atomic import write_group
from graphsurgeon.disk.files import Rope
from graphsurgeon.encoding.sstable import write_table
from graphsurgeon.formats import schema

MakeBundle = Callable[..., Path]
WriteFiles = Callable[[Path, Mapping[str, Rope]], None]


@pytest.fixture
def make_bundle(tmp_path: Path) -> MakeBundle:
    """A function that writes a bundle and returns its prefix.

    Its first argument maps keys to (dtype number, dims, stored bytes), or to a dict of `BundleEntryProto` fields
    that are set as they are; values are laid out in one shard, in the order given.
    """

    def make(entries: Mapping[bytes | str, Any], *, name: str = "model", big_endian: bool = False) -> Path:
        data = b""
        rows: dict[bytes, bytes] = {}
        for key, entry in entries.items():
            message = schema.message("tensorflow.BundleEntryProto")()
            if not isinstance(entry, dict):
                dtype, dims, stored = entry
                entry = {"dtype": dtype, "dims": dims, "offset": len(data), "size": len(stored)}
                entry["crc32c"] = crc.mask(crc.crc32c(stored))
                data += stored
            fill_entry(message, entry)
            rows[key if isinstance(key, bytes) else key.encode()] = message.SerializeToString()
        header = b"\x08\x01" + (b"\x10\x01" if big_endian else b"") + b"\x1a\x02\x08\x01"
        index = write_table([(b"", header), *sorted(rows.items())])
        (tmp_path / f"{name}.index").write_bytes(index)
        (tmp_path / f"{name}.data-00000-of-00001").write_bytes(data)
        return tmp_path / name

    return make


def fill_entry(message: Any, fields: dict[str, Any]) -> None:
    for field, value in fields.items():
        if field == "dims":
            message.shape.SetInParent()
            for dim in value:
                message.shape.dim.add().size = dim
        elif field == "slices":
            for extents in value:
                part = message.slices.add()
                for start, length in extents:
                    extent = part.extent.add()
                    extent.start = start
                    if length >= 0:
                        extent.length = length
        else:
            setattr(message, field, value)


@pytest.fixture
def write_files() -> WriteFiles:
    """A function that writes lowered files into a folder."""

    def write(folder: Path, files: Mapping[str, Rope]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        write_group(folder, dict(files), name="checkpoint")

    return write


@pytest.fixture
def floats() -> Callable[..., bytes]:
    """A function that packs little-endian float32 numbers."""
    return lambda *values: struct.pack(f"<{len(values)}f", *values)
