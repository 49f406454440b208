"""Kinds of changes to a checkpoint: entries of the index, bytes of shards, the object graph, the `checkpoint` file.

The index is packed anew, with its checksums: what is changed is what it says.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.soundness_kinds import CHECKPOINT, drawn, kind_in
from graphsurgeon.disk.crc32c import mask
from graphsurgeon.disk.files import open_source
from graphsurgeon.encoding.sstable import SSTable, write_table
from graphsurgeon.formats import schema
from graphsurgeon.formats.checkpoint.bundle_payload import encode_strings

HEADER, OBJECTS, STATE = b"", b"_CHECKPOINTABLE_OBJECT_GRAPH", "checkpoint"


class Parts(NamedTuple):
    """A checkpoint in its parts.

    Attributes:
        entries: the index: key -> message; the header has the empty key.
        shards: name of a file -> its bytes.
        state: name of the `checkpoint` file -> its bytes; empty where there is none.
    """

    entries: dict[bytes, Any]
    shards: dict[str, bytes]
    state: dict[str, bytes]


def prefixes(folder: Path) -> list[Path]:
    """Return the prefixes of the checkpoints in a folder, or of a SavedModel's variables."""
    where = folder / "variables" if (folder / "saved_model.pb").exists() else folder
    return [path.with_suffix("") for path in sorted(where.glob("*.index")) if path.stem != path.name]


def parts(prefix: Path) -> Parts:
    """Read a checkpoint."""
    entry, header = schema.message("tensorflow.BundleEntryProto"), schema.message("tensorflow.BundleHeaderProto")
    table = SSTable(open_source(prefix.with_name(f"{prefix.name}.index")))
    entries = {key: (entry if key else header).FromString(value) for key, value in table}
    shards = {path.name: path.read_bytes() for path in sorted(prefix.parent.glob(f"{prefix.name}.data-*"))}
    state = prefix.with_name(STATE)
    return Parts(entries, shards, {STATE: state.read_bytes()} if state.exists() else {})


def write(found: Parts, prefix: Path) -> None:
    """Write a checkpoint; files that it no longer has go."""
    for path in prefix.parent.glob(f"{prefix.name}.data-*"):
        path.unlink()
    entries = sorted((key, message.SerializeToString()) for key, message in found.entries.items())
    prefix.with_name(f"{prefix.name}.index").write_bytes(write_table(entries))
    prefix.with_name(STATE).unlink(missing_ok=True)
    for name, data in (*found.shards.items(), *found.state.items()):
        prefix.with_name(name).write_bytes(data)


def _keys(found: Parts) -> list[bytes]:
    return [key for key in found.entries if key not in (HEADER, OBJECTS)]


@kind_in(CHECKPOINT)
def _entry_other(found: Parts, chance: random.Random) -> str | None:
    key = drawn(_keys(found), chance)
    if key is None:
        return None
    entry = found.entries[key]
    how = chance.choice(("dtype", "no dtype", "shape", "rank", "shard", "offset", "size", "checksum", "slice"))
    if how in ("dtype", "no dtype"):
        entry.dtype = 0 if how == "no dtype" else 1 if entry.dtype != 1 else 3
    elif how == "shape" and entry.shape.dim:
        entry.shape.dim[0].size += 1
    elif how == "rank":
        entry.shape.dim.add().size = 1
    elif how == "shard":
        entry.shard_id = 7
    elif how in ("offset", "size"):
        setattr(entry, how, getattr(entry, how) + chance.choice((1, 1 << 40)))
    elif how == "checksum":
        entry.crc32c ^= 1
    else:
        entry.slices.add().extent.add(start=0, length=1)
    return f"{key.decode(errors='replace')} {how}"


@kind_in(CHECKPOINT)
def _entry_missing(found: Parts, chance: random.Random) -> str | None:
    key = drawn(_keys(found), chance)
    if key is None:
        return None
    entry, how = found.entries.pop(key), chance.choice(("gone", "renamed"))
    if how == "renamed":
        found.entries[key + b"_other"] = entry
    return f"{key.decode(errors='replace')} {how}"


@kind_in(CHECKPOINT)
def _shard_bytes(found: Parts, chance: random.Random) -> str | None:
    name = drawn(sorted(found.shards), chance)
    if name is None or not found.shards[name]:
        return None
    data, how = found.shards[name], chance.choice(("short", "flipped", "empty", "gone", "longer"))
    place = chance.randrange(len(data))
    flipped = data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]
    changed = {"short": data[:-1], "flipped": flipped, "empty": b"", "longer": data + b"abc"}
    if how == "gone":
        del found.shards[name]
    else:
        found.shards[name] = changed[how]
    return f"{name} {how}"


@kind_in(CHECKPOINT)
def _header(found: Parts, chance: random.Random) -> str | None:
    header, how = found.entries.get(HEADER), chance.choice(("shards", "endianness", "version", "gone"))
    if header is None:
        return None
    if how == "shards":
        header.num_shards += 1
    elif how == "endianness":
        header.endianness = 1 - header.endianness
    elif how == "version":
        header.version.min_consumer = 99
    else:
        del found.entries[HEADER]
    return how


@kind_in(CHECKPOINT)
def _object_graph(found: Parts, chance: random.Random) -> str | None:
    entry = found.entries.get(OBJECTS)
    if entry is None:
        return None
    name = next((name for name in found.shards if f".data-{entry.shard_id:05d}-" in name), "")
    stored = found.shards.get(name, b"")[entry.offset : entry.offset + entry.size]
    graph = object_message(stored)
    if graph is None:
        return None
    edges = [edge for node in graph.nodes for edge in node.children]
    values = [value for node in graph.nodes for value in node.attributes]
    how = chance.choice(("edge id", "edge name", "key", "no value", "gone"))
    if how == "gone" or not edges or not values:
        del found.entries[OBJECTS]
        return "gone"
    edge, value = chance.choice(edges), chance.choice(values)
    if how.startswith("edge"):
        setattr(edge, *(("node_id", 9999) if how == "edge id" else ("local_name", "other")))
    elif how == "key":
        value.checkpoint_key = "no_such"
    else:
        value.name = "OTHER"
    put_objects(found, name, entry, graph.SerializeToString())
    return f"{how} {edge.local_name if how.startswith('edge') else value.full_name}"


def object_message(stored: bytes) -> Any | None:
    """Return the message that a string tensor of one element holds: its length, a checksum of that, its bytes."""
    length = place = 0
    for place, byte in enumerate(stored[:10]):
        length |= (byte & 127) << (7 * place)
        if byte < 128:
            break
    start = place + 1 + 4
    message = schema.message("tensorflow.TrackableObjectGraph")
    return message.FromString(stored[start:]) if len(stored) == start + length else None


def put_objects(found: Parts, name: str, entry: Any, data: bytes) -> None:
    """Write the object graph behind everything else, with the checksums that TensorFlow wants."""
    stored, checksum = encode_strings([data], big_endian=False)
    entry.offset, entry.size, entry.crc32c = len(found.shards[name]), len(stored), mask(checksum)
    found.shards[name] += stored


@kind_in(CHECKPOINT)
def _state_file(found: Parts, chance: random.Random) -> str | None:
    if not found.state:
        return None
    how = chance.choice(("nowhere", "garbage", "empty", "absolute", "gone"))
    texts = {"nowhere": b'model_checkpoint_path: "no_such-7"\n', "garbage": b"\xff\xff{{", "empty": b""}
    texts["absolute"] = b'model_checkpoint_path: "/no/such/folder/model-7"\n'
    if how == "gone":
        found.state.clear()
    else:
        found.state[STATE] = texts[how]
    return how


@kind_in(CHECKPOINT)
def _entry_swapped(found: Parts, chance: random.Random) -> str | None:
    """Give a key what another one has, or what lies where another one does."""
    keys = _keys(found)
    one, other = drawn(keys, chance), drawn(keys, chance)
    if one is None or other is None or one == other:
        return None
    how = chance.choice(("entry", "place", "shape", "dtype"))
    mine, theirs = found.entries[one], found.entries[other]
    if how == "entry":
        mine.CopyFrom(theirs)
    elif how == "place":
        mine.offset, mine.shard_id = theirs.offset, theirs.shard_id
    elif how == "shape":
        mine.shape.CopyFrom(theirs.shape)
    else:
        mine.dtype = theirs.dtype
    return f"{one.decode(errors='replace')} has the {how} of {other.decode(errors='replace')}"


@kind_in(CHECKPOINT)
def _entry_more(found: Parts, chance: random.Random) -> str | None:
    """Add an entry that nothing asks for, or one that cannot be."""
    key = drawn(_keys(found), chance)
    if key is None:
        return None
    how = chance.choice(("copy", "empty", "numberless"))
    entry = found.entries.setdefault(b"more" if how != "numberless" else b"\xff\xfe", type(found.entries[key])())
    if how != "empty":
        entry.CopyFrom(found.entries[key])
    return how


@kind_in(CHECKPOINT)
def _shape_fields(found: Parts, chance: random.Random) -> str | None:
    key = drawn(_keys(found), chance)
    if key is None:
        return None
    shape, how = found.entries[key].shape, chance.choice(("unknown rank", "minus", "turned", "merged", "gone"))
    sizes = [dim.size for dim in shape.dim]
    if how == "unknown rank":
        shape.unknown_rank = True
    elif how == "gone":
        found.entries[key].ClearField("shape")
    elif sizes:
        del shape.dim[:]
        count = 1
        for size in sizes:
            count *= size
        changed = {"minus": [-1, *sizes[1:]], "turned": sizes[::-1], "merged": [count]}
        for size in changed[how]:
            shape.dim.add().size = size
    return f"{key.decode(errors='replace')} {how}"


@kind_in(CHECKPOINT)
def _shard_names(found: Parts, chance: random.Random) -> str | None:
    name = drawn(sorted(found.shards), chance)
    if name is None:
        return None
    how = chance.choice(("other count", "other number", "more"))
    head, tail = name[: name.rindex("-of-")], name[name.rindex("-of-") :]
    if how == "more":
        found.shards[f"{head}-of-00009"] = b"abc"
    elif how == "other count":
        found.shards[f"{head}-of-00009"] = found.shards.pop(name)
    else:
        found.shards[f"{head[:-5]}00007{tail}"] = found.shards.pop(name)
    return how


@kind_in(CHECKPOINT)
def _harmless(found: Parts, chance: random.Random) -> str | None:
    name = drawn(sorted(found.shards), chance)
    if name is None:
        return None
    found.shards[name] += b"\0" * 16
    return "bytes behind"
