"""Bundles for tests, laid out by hand as their own writers lay them out."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any

_SECTION = 16384


def task_of(members: Mapping[str, bytes], align: int = 4) -> bytes:
    """Return a bundle as MediaPipe's writer makes it: zeros before each local header, so that data is aligned."""
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        for name, data in members.items():
            at = held.seek(0, io.SEEK_END)
            held.write(bytes(align - (at + 30 + len(name)) % align))
            archive.start_dir = held.tell()
            archive.writestr(zipfile.ZipInfo(name), data)
    return held.getvalue()


def litertlm_of(sections: Sequence[tuple[str, int, bytes]]) -> bytes:
    """Return a `.litertlm` file: of each section the `model_type` (empty: it says none), its kind and its bytes."""
    import flatbuffers

    begins, at = [], _SECTION
    for _, _, data in sections:
        begins.append(at)
        at += len(data) + -len(data) % _SECTION
    builder = flatbuffers.Builder()
    items = [_items(builder, name) for name, _, _ in sections]
    objects = []
    for (_, kind, data), begin, item in zip(sections, begins, items, strict=True):
        builder.StartObject(4)
        builder.PrependUOffsetTRelativeSlot(0, item, 0)
        builder.PrependUint64Slot(1, begin, 0)
        builder.PrependUint64Slot(2, begin + len(data), 0)
        builder.PrependUint8Slot(3, kind, 0)
        objects.append(builder.EndObject())
    listed = _vector(builder, objects)
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, listed, 0)
    metadata = builder.EndObject()
    builder.StartObject(2)
    builder.PrependUOffsetTRelativeSlot(1, metadata, 0)
    builder.Finish(builder.EndObject())
    header = bytes(builder.Output())
    whole = b"LITERTLM" + struct.pack("<4I", 1, 7, 0, 0) + struct.pack("<Q", 32 + len(header)) + header
    for (_, _, data), begin in zip(sections, begins, strict=True):
        whole += bytes(begin - len(whole)) + data
    return whole


def _items(builder: Any, name: str) -> int:
    if not name:
        return 0
    text, key = builder.CreateString(name), builder.CreateString("model_type")
    builder.StartObject(1)
    builder.PrependUOffsetTRelativeSlot(0, text, 0)
    value = builder.EndObject()
    builder.StartObject(3)
    builder.PrependUOffsetTRelativeSlot(0, key, 0)
    builder.PrependUint8Slot(1, 9, 0)
    builder.PrependUOffsetTRelativeSlot(2, value, 0)
    return _vector(builder, [builder.EndObject()])


def _vector(builder: Any, offsets: Sequence[int]) -> int:
    builder.StartVector(4, len(offsets), 4)
    for offset in reversed(offsets):
        builder.PrependUOffsetTRelative(offset)
    return int(builder.EndVector())
