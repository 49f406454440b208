"""Is a bundle whole? Sizes of shards, places of entries, checksums: as facts, for reports and for `gs check`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graphsurgeon.disk.files import Progress, SourceFile, can_list, folder_names, is_file
from graphsurgeon.errors import FileError, FormatError
from graphsurgeon.formats.checkpoint.bundle_read import Bundle, BundleEntry, BundleSource
from graphsurgeon.formats.checkpoint.slices import SlicedSource, slice_shape
from graphsurgeon.model.checkpoint import OBJECT_GRAPH_KEY, Checkpoint
from graphsurgeon.model.finding import RESTORE, Finding

_MOST_ASKED = 1000  # shards that a server, which cannot be listed, is asked for


@dataclass(frozen=True)
class Shard:
    """One data file of a bundle.

    Attributes:
        number: its place among the shards.
        name: file name.
        size: bytes; None if the file is missing or cannot be read.
        needed: bytes up to the end of the last entry in it.
        entries: number of stored entries in it.
    """

    number: int
    name: str
    size: int | None
    needed: int
    entries: int


def shards(bundle: Bundle) -> list[Shard]:
    """Return the shards that entries lie in, or that are there, in order."""
    stored: dict[int, list[BundleEntry]] = {number: [] for number in _present(bundle)}
    for entry in _stored_entries(bundle):
        if 0 <= entry.shard < bundle.num_shards:
            stored.setdefault(entry.shard, []).append(entry)
    found = []
    for number, entries in sorted(stored.items()):
        needed = max((entry.offset + entry.size for entry in entries), default=0)
        found.append(Shard(number, bundle.shard_name(number), _size(bundle, number), needed, len(entries)))
    return found


def source_files(bundle: Bundle) -> list[SourceFile]:
    """Return the index and the shards that are there and readable."""
    return [bundle.index, *(bundle.shard(number) for number in _present(bundle) if _size(bundle, number) is not None)]


def problems(checkpoint: Checkpoint) -> list[Finding]:
    """Return what is wrong with index, shard sizes and object graph. Reads no values but the object graph."""
    bundle: Bundle = checkpoint.raw
    objects = list(_object_problems(checkpoint))
    found = [*bundle.problems, *_shard_problems(bundle), *_entry_problems(bundle), *_slice_problems(bundle), *objects]
    return list(dict.fromkeys(found))


def verify_checksums(
    checkpoint: Checkpoint, keys: Iterable[str] | None, progress: Progress | None = None
) -> list[Finding]:
    """Compare stored values with their checksums; return what does not match. Reads the shards in file order."""
    sources = sorted(_sources(checkpoint, keys), key=lambda source: (source.entry.shard, source.entry.offset))
    total = sum(max(source.entry.size, 0) for source in sources)
    found, done = [], 0
    for source in sources:
        try:
            if source.checksum() != source.entry.checksum:
                what = f"the {source.entry.size} bytes at byte {source.entry.offset} do not match their checksum"
                found.append(Finding("error", source.entry.label, what, RESTORE))
        except FileError as error:
            is_told = source.entry.slice_of is not None and not source.has_its_size
            found.append(Finding("warning" if is_told else "error", source.entry.label, str(error), RESTORE))
        done += max(source.entry.size, 0)
        if progress is not None:
            progress(done, total)
    return found


def damaged(checkpoint: Checkpoint, progress: Progress | None = None) -> dict[str, str]:
    """Return key -> what is wrong with each variable whose values cannot be trusted. Reads all values.

    That is what is cut off or missing, does not match its checksum, overlaps with another, or is there twice.

    Raises:
        FormatError: the index itself is damaged: names and places may be wrong.
    """
    bundle: Bundle = checkpoint.raw
    if bundle.is_damaged:
        what = "blocks of the index do not match their checksums: names and places of all values may be wrong"
        raise FormatError(what, path=bundle.index.path, hint=RESTORE)
    found = dict.fromkeys(bundle.lost, "it is there twice, or its entry makes no sense")
    for entry, other in overlaps(bundle):
        found[entry.label] = f"its bytes overlap with those of {other.label}"
        found[other.label] = f"its bytes overlap with those of {entry.label}"
    total = sum(variable.tensor.nbytes for variable in checkpoint.variables.values())
    done = 0
    for key, variable in checkpoint.variables.items():
        source = variable.tensor.source
        try:
            if isinstance(source, BundleSource | SlicedSource):
                source.verify()
        except FileError as error:
            found.setdefault(key, error.message.removeprefix(f"{key}: "))
        parts = [part.source for part in source.slices] if isinstance(source, SlicedSource) else []
        for part in parts:  # what overlaps is found by the keys of slices
            where = part.entry.label if isinstance(part, BundleSource) else ""
            if where in found:
                found.setdefault(key, found[where])
        done += variable.tensor.nbytes
        if progress is not None:
            progress(done, total)
    return {key: found[key] for key in [*checkpoint.variables, *bundle.lost] if key in found}


def overlaps(bundle: Bundle) -> list[tuple[BundleEntry, BundleEntry]]:
    """Return entries over some of the same bytes, each with the one that it overlaps; the same range may be meant."""
    found = []
    furthest: BundleEntry | None = None
    stored = [entry for entry in _stored_entries(bundle) if entry.size > 0]
    for entry in sorted(stored, key=lambda entry: (entry.shard, entry.offset, -entry.size)):
        is_new_shard = furthest is None or furthest.shard != entry.shard
        if furthest is None or is_new_shard or entry.offset >= furthest.offset + furthest.size:
            furthest = entry
            continue
        if (entry.offset, entry.size) != (furthest.offset, furthest.size):
            found.append((entry, furthest))
        if entry.offset + entry.size > furthest.offset + furthest.size:
            furthest = entry
    return found


def _sources(checkpoint: Checkpoint, keys: Iterable[str] | None) -> Iterator[BundleSource]:
    if keys is None and isinstance(checkpoint.raw, Bundle):
        yield from (BundleSource(checkpoint.raw, entry) for entry in _stored_entries(checkpoint.raw))
        return
    for key in checkpoint.variables if keys is None else keys:
        source = checkpoint.variables[key].tensor.source
        parts = [part.source for part in source.slices] if isinstance(source, SlicedSource) else [source]
        yield from (part for part in parts if isinstance(part, BundleSource))


def _stored_entries(bundle: Bundle) -> Iterator[BundleEntry]:
    return (entry for entry in bundle.entries.values() if not entry.slices)


def _present(bundle: Bundle) -> list[int]:
    """Return the numbers of the shards in the folder, which is looked at because a header may claim any number."""
    if not can_list(bundle.folder):
        named = sorted({entry.shard for entry in _stored_entries(bundle)})[:_MOST_ASKED]
        return [number for number in named if is_file(bundle.folder / bundle.shard_name(number))]
    numbers = []
    for name in folder_names(bundle.folder):
        number = name.removeprefix(f"{bundle.basename}.data-")[:5]
        if (
            number.isascii()
            and number.isdigit()
            and int(number) < bundle.num_shards
            and name == bundle.shard_name(int(number))
        ):
            numbers.append(int(number))
    return numbers


def _size(bundle: Bundle, number: int) -> int | None:
    try:
        return bundle.shard(number).size
    except FileError:
        return None


def _shard_problems(bundle: Bundle) -> Iterator[Finding]:
    for shard in shards(bundle):
        if shard.size is None:
            yield Finding("error", shard.name, *_why_unreadable(bundle, shard))
        elif shard.size < shard.needed:
            what = f"ends at byte {shard.size}, its entries reach to byte {shard.needed}"
            yield Finding("error", shard.name, what, "the file is cut off: " + RESTORE)
        elif shard.size > shard.needed:
            yield Finding("note", shard.name, f"{shard.size - shard.needed} bytes follow its last entry")


def _why_unreadable(bundle: Bundle, shard: Shard) -> tuple[str, str]:
    try:
        bundle.shard(shard.number)
    except FormatError as error:  # a link that leads outside
        return error.message, error.hint
    except FileError:
        pass
    return f"is missing or unreadable; it holds {shard.entries} entries", "add the file"


def _entry_problems(bundle: Bundle) -> Iterator[Finding]:
    last: BundleEntry | None = None
    for entry in sorted(_stored_entries(bundle), key=lambda entry: (entry.shard, entry.offset, entry.size)):
        where = entry.label
        expected = entry.expected_size
        if not 0 <= entry.shard < bundle.num_shards:
            yield Finding("error", where, f"lies in shard {entry.shard} of {bundle.num_shards}", RESTORE)
        elif not entry.dtype.number or entry.dtype.name == f"dtype_{entry.dtype.number}":
            yield Finding("error", where, f"its dtype is {entry.dtype.number}, which there is not", RESTORE)
        elif entry.offset < 0 or entry.size < 0:
            yield Finding("error", where, f"{entry.size} bytes at byte {entry.offset} cannot be", RESTORE)
        elif expected is not None and entry.size != expected and entry.slice_of is None:
            what = f"{entry.size} bytes stored, {entry.dtype} of shape {entry.shape} takes {expected}"
            yield Finding("error", where, what, RESTORE)
        if entry.slice_of is None and not _is_text(entry.key):
            yield Finding("error", where, "its name is no UTF-8, which Python's readers cannot list", RESTORE)
        is_same = last is not None and (entry.shard, entry.offset, entry.size) == (last.shard, last.offset, last.size)
        if last is not None and is_same and entry.size > 0:
            yield Finding("warning", where, f"has the same bytes as {last.label}")
        last = entry
    for entry, other in overlaps(bundle):
        yield Finding("error", entry.label, f"its bytes overlap with those of {other.label}", RESTORE)


def _is_text(key: bytes) -> bool:
    try:
        key.decode()
    except UnicodeDecodeError:
        return False
    return True


def _slice_problems(bundle: Bundle) -> Iterator[Finding]:
    for entry in bundle.entries.values():
        for extents, part in bundle.slices(entry) if entry.slices else ():
            where = entry.label
            if part is None:
                yield Finding("error", where, f"its slice at {[start for start, _ in extents]} is missing", RESTORE)
                continue
            wanted = slice_shape(extents)
            if part.dtype is not entry.dtype or part.shape != wanted:
                what = f"a slice of it is {part.dtype} {part.shape}, {entry.dtype} {wanted} is asked for"
                # Readers take as many bytes as its place wants, and look at no shape of it (`GetSliceValue`).
                takes = (wanted.num_elements or 0) * part.dtype.itemsize if part.dtype.bits else None
                is_taken = part.dtype is entry.dtype and part.size == takes
                yield Finding("warning" if is_taken else "error", where, what, RESTORE)
        if entry.slices and not _is_covered(entry, bundle):
            what = f"its slices do not make up its shape, {entry.shape}"
            yield Finding("error", entry.label, what, RESTORE)
    for part in bundle.orphans():
        what = "is a slice of a variable that does not list it"
        if _is_text(part.key):
            yield Finding("warning", part.label, what)
        else:  # it is listed as a variable then, by a key that holds places as bytes
            yield Finding("error", part.label, f"{what}: Python's readers cannot list its name", RESTORE)


def _is_covered(entry: BundleEntry, bundle: Bundle) -> bool:
    """Say whether slices hold as many elements as their whole has, where they say how many that is."""
    counts = [slice_shape(extents).num_elements for extents, _ in bundle.slices(entry)]
    known = [count for count in counts if count is not None]
    whole = entry.shape.num_elements
    return whole is None or len(known) < len(entry.slices) or sum(known) >= whole


def _object_problems(checkpoint: Checkpoint) -> Iterator[Finding]:
    objects = checkpoint.objects
    named = {key: node for node in objects.nodes for _, _, key in node.attributes} if objects is not None else {}
    for key in named.keys() - checkpoint.variables.keys():
        if not any(name.startswith(key) for name in checkpoint.variables):  # tables are saved in parts
            yield Finding("error", OBJECT_GRAPH_KEY, f"names the key {key!r}, which is not there")
    if objects is not None and any(child.kind == "missing" for node in objects.nodes for _, child in node.children):
        yield Finding("error", OBJECT_GRAPH_KEY, "names objects that are not there")
