"""What two joined TFLite models say of themselves as one: each entry stays with its tensor, each file with its name."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from itertools import count
from typing import TYPE_CHECKING, NamedTuple

from graphsurgeon.formats.tflite import support
from graphsurgeon.formats.tflite.describe import Json, parser_version, read_json, stated
from graphsurgeon.formats.tflite.described import bytes_now, called, describe, entry_of
from graphsurgeon.formats.tflite.set_metadata import blank
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.node import Value

if TYPE_CHECKING:
    from graphsurgeon.encoding.appended_zip import AppendedZip
    from graphsurgeon.formats.tflite.read import TfliteModelSource

_FILES = frozenset({"associated_files", "vocab_file", "sentencePiece_model"})  # lists of `AssociatedFile`


class Told(NamedTuple):
    """What a model says of itself.

    Attributes:
        said: as JSON; empty if nothing.
        sides: "input" and "output" -> the tensors that the lists run parallel to.
        archive, files: where the files are that it names; those that are to be added.
    """

    said: Json
    sides: dict[str, list[Value]]
    archive: AppendedZip | None
    files: Mapping[str, bytes]

    @property
    def names(self) -> set[str]:
        """The names of the files."""
        return {*(self.archive.names if self.archive is not None else ()), *self.files}

    def content(self, name: str) -> bytes | None:
        """Return the bytes of a file, None if there is none of the name.

        Raises:
            FormatError: it is damaged.
        """
        if name in self.files:
            return self.files[name]
        return self.archive.content(name) if self.archive is not None and name in self.archive.names else None


def told_by(metagraph: MetaGraph) -> Told:
    """Return what a model says of its inputs and outputs of today."""
    source: TfliteModelSource = metagraph.raw  # type: ignore[assignment]
    item = entry_of(metagraph)
    files = item.value.files if item is not None and isinstance(item.value, support.Described) else {}
    graph = metagraph.graph
    sides = {"input": list(graph.inputs), "output": [output.value for output in graph.outputs]}
    return Told(read_json(bytes_now(metagraph)), sides, source.archive, files)


def join_metadata(theirs: Told, now: Mapping[Value, Value], metagraph: MetaGraph, prefix: str) -> list[str]:
    """Let a model that has taken in another one say what both have said.

    Args:
        theirs: what the second one said before it was taken apart.
        now: tensor of the second one -> where it is in the first one.
        metagraph: changed in place; its inputs and outputs are those of both.
        prefix: before names of files and tensors of the second that the first has too.

    Returns:
        Notes on what has another name now, or is left out.

    Raises:
        FormatError: a file of the second one is damaged.
    """
    base = bytes_now(metagraph)
    ours = told_by(metagraph)
    if not theirs.said:
        return _unnamed(theirs, set())
    if base and not ours.said:
        return [
            f"metadata of the second model ({support.NAME}) is left out: the first one has other bytes in its place"
        ]
    said = ours.said or blank(metagraph, metagraph.graph)
    said["subgraph_metadata"] = said.get("subgraph_metadata") or [{}]
    subgraph = said["subgraph_metadata"][0]
    other: Json = next(iter(theirs.said.get("subgraph_metadata") or ()), {})
    renamed, files = _set_files_apart(theirs, ours, prefix)
    for side in support.SIDES:
        _join_side(metagraph, subgraph, other, side, theirs.sides[side], now, prefix)
    notes = _join_rest(said, theirs.said, subgraph, other)
    names = {file.get("name") for file in _named(said)}
    notes += [f"{old} of the second model is {new}" for old, new in renamed.items() if old != new and new in names]
    said["min_parser_version"] = parser_version(said)
    type_ = support.schema().table("ModelMetadata")
    described = support.Described(support.packed(stated(type_, support.root_of(base), said)))
    described.files = {name: data for name, data in files.items() if name in names}
    describe(metagraph, described)
    return notes + _unnamed(theirs, set(renamed))


def _join_side(
    metagraph: MetaGraph,
    subgraph: Json,
    other: Json,
    side: str,
    stood: list[Value],
    now: Mapping[Value, Value],
    prefix: str,
) -> None:
    """Put the entries of the second model to its tensors that are inputs or outputs still, and their groups behind."""
    field, groups = f"{side}_tensor_metadata", f"{side}_tensor_groups"
    graph = metagraph.graph
    values = graph.inputs if side == "input" else [output.value for output in graph.outputs]
    theirs = dict(zip((now[value] for value in stood), other.get(field) or (), strict=False))
    kept = {place: theirs[value] for place, value in enumerate(values) if value in theirs}
    if kept or field in subgraph:
        entries = subgraph.setdefault(field, [])
        entries += [{"name": called(metagraph, value, f"{side}s")} for value in values[len(entries) :]]
        own = {entry.get("name") for place, entry in enumerate(entries) if place not in kept}
        names = {entry.get("name"): _free(entry.get("name"), own, prefix) for entry in kept.values()}
        for place, entry in kept.items():
            entries[place] = {**entry, "name": names[entry["name"]]} if "name" in entry else entry
        _join_groups(subgraph, other, groups, names, prefix)
    units = f"{side}_process_units"
    if kept and other.get(units):
        subgraph[units] = [*(subgraph.get(units) or ()), *other[units]]


def _join_groups(subgraph: Json, other: Json, field: str, names: Mapping[str | None, str | None], prefix: str) -> None:
    own = {group.get("name") for group in subgraph.get(field) or ()}
    for group in other.get(field) or ():
        members = [names[name] for name in group.get("tensor_names") or () if name in names]
        if members:
            called = {"name": _free(group["name"], own, prefix)} if "name" in group else {}
            subgraph.setdefault(field, []).append({**group, **called, "tensor_names": members})


def _join_rest(said: Json, theirs: Json, subgraph: Json, other: Json) -> list[str]:
    """Put together what is said of models and subgraphs as wholes; return notes on what is said of one alone."""
    left = []
    for ours, added in ((said, theirs), (subgraph, other)):
        for key, value in added.items():
            if isinstance(value, str) and key != "min_parser_version":
                left += [key] if ours.setdefault(key, value) != value else []
        known = ours.get("associated_files") or []
        more = [file for file in added.get("associated_files") or () if file not in known]
        if more:
            ours["associated_files"] = [*known, *more]
    own = subgraph.get("custom_metadata") or []
    names = {one.get("name") for one in own}
    more = [one for one in other.get("custom_metadata") or () if one.get("name") not in names]
    if more:
        subgraph["custom_metadata"] = [*own, *more]
    same = [one for one in other.get("custom_metadata") or () if one not in own and one not in more]
    left += [str(one.get("name")) for one in same]
    what = ", ".join(dict.fromkeys(left))
    return (
        [f"{support.NAME} says as the first model does: {what}; what the second one says is left out"] if left else []
    )


def _set_files_apart(theirs: Told, ours: Told, prefix: str) -> tuple[dict[str, str], dict[str, bytes]]:
    """Give files of the second model that the first has too, with other bytes, another name, wherever one names them.

    Returns:
        Name of each file that the second names -> its name in the result; and name -> bytes of those to be added.
    """
    taken, renamed, added = ours.names | theirs.names, dict[str, str](), dict[str, bytes]()
    for file in _named(theirs.said):
        name = str(file.get("name") or "")
        if name and name not in renamed:
            data = theirs.content(name)
            is_free = name not in ours.names or (data is not None and ours.content(name) == data)
            renamed[name] = name if is_free else str(_free(name, taken, prefix))
            taken.add(renamed[name])
            if data is not None and renamed[name] not in ours.names:
                added[renamed[name]] = data
        if name:
            file["name"] = renamed[name]
    return renamed, added


def _named(said: object) -> Iterator[Json]:
    """Yield each mention of a file."""
    if isinstance(said, dict):
        for key, value in said.items():
            if key in _FILES:
                yield from value
            else:
                yield from _named(value)
    elif isinstance(said, list):
        for value in said:
            yield from _named(value)


def _unnamed(theirs: Told, known: Collection[str]) -> list[str]:
    left = [name for name in sorted(theirs.names) if name not in known]
    return (
        [f"files of the second model that its metadata does not name are left out: {', '.join(left)}"] if left else []
    )


def _free(name: str | None, taken: Collection[str | None], prefix: str) -> str | None:
    """Return a name that is not taken: itself, else with the prefix, as names of assets get it."""
    if name not in taken or name is None:
        return name
    folder, slash, last = name.rpartition("/")
    tries = (f"{folder}{slash}{prefix}{number or ''}_{last}" for number in count())
    return next(one for one in tries if one not in taken)
