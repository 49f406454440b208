"""Rules about Keras models: which releases do not load one and why, names that a file cannot hold, code in layers."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.formats import registry
from graphsurgeon.formats.keras.mend import Mended, is_of_keras_3, mend
from graphsurgeon.formats.keras.rules import TARGETS, Target
from graphsurgeon.formats.keras.source import KerasSource
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.metagraph import MetaGraph

_MOST_NAMED = 4  # things in one note


def releases(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find what releases of Keras and TensorFlow refuse: a warning each, of releases older than the writer one note."""
    source = metagraph.raw
    if not isinstance(source, KerasSource):
        return
    written = _written_by(source)
    for target in TARGETS:
        if target == written:
            continue
        mended = mend(source.config, source.training, target, source.version)
        is_newer = TARGETS.index(target) < TARGETS.index(written)
        yield from _refused(mended, target) if is_newer else _noted(mended, target)


def lambdas(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find layers that are code of one version of Python."""
    for graph in metagraph.graphs:
        for node in graph.nodes:
            code = node.attrs.get("function")
            if node.op == "Lambda" and isinstance(code, bytes):
                what = f"it is {len(code):,} bytes of Python's own code, of one version of Python, which loading runs"
                hint = "load it only if you trust its source (Keras 3: safe_mode=False); a layer of its own is portable"
                yield Finding("warning", f"layer {node.name}", what, hint, "lambda")


def nested_names(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find layers whose names are folders of each other's weights: saving them ends in `name already exists`."""
    for graph in metagraph.graphs:
        names = {node.name for node in graph.nodes}
        for name in sorted(names):
            above = name.rpartition("/")[0]
            if above in names:
                what = f"its weights would lie among those of the layer {above!r}: Keras cannot save both in one .h5"
                yield Finding("warning", f"layer {name}", what, "give one of them another name", "nested-names")


def repeated_names(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find layers of one model that have one name: their weights lie in one group."""
    source = metagraph.raw
    config = source.config.get("config") if isinstance(source, KerasSource) else None
    layers = config.get("layers") if isinstance(config, dict) else config
    seen: dict[str, int] = {}
    for layer in layers if isinstance(layers, list) else ():
        inner = layer.get("config") if isinstance(layer, dict) else None
        name = inner.get("name") if isinstance(inner, dict) else None
        if isinstance(name, str):
            seen[name] = seen.get(name, 0) + 1
    for name, count in seen.items():
        if count > 1:
            what = f"{count} layers have this name; Keras refuses the model"
            yield Finding("error", f"layer {name}", what, "give each its own", "repeated-name")


def _written_by(source: KerasSource) -> Target:
    """Return the release that a file is of."""
    if is_of_keras_3(source.config, source.version):
        return "keras-3"
    return "tf-1.15" if source.version.startswith("1.") else "keras-2"


def _refused(mended: Mended, target: Target) -> Iterator[Finding]:
    """Yield a warning for each thing that a release refuses."""
    grouped: dict[tuple[str, str, str], list[str]] = {}
    for note in (*mended.changes, *mended.obstacles):
        grouped.setdefault((note.what, note.edit, note.since), []).append(note.where)
    for (what, edit, since), places in grouped.items():
        others = len(dict.fromkeys(places)) - 1
        where = places[0] + (f" and {others} more" if others else "")
        compiled = " when it compiles the model" if places[0] == "training_config" else ""
        text = f"{registry.KERAS.releases[target]} does not load {what}{compiled} ({since})"
        yield Finding("warning", where, text, _hint(mended, target, edit), target)


def _noted(mended: Mended, target: Target) -> Iterator[Finding]:
    """Yield one note for all that a release refuses."""
    notes = [*mended.obstacles, *mended.changes]
    if notes:
        whats = list(dict.fromkeys(f"{note.what} in {note.where}" for note in notes))
        more = f" and {len(whats) - _MOST_NAMED} more" if len(whats) > _MOST_NAMED else ""
        text = f"{registry.KERAS.releases[target]} does not load it: {', '.join(whats[:_MOST_NAMED])}{more}"
        yield Finding("note", "model", text, _hint(mended, target, notes[0].edit), target)


def _hint(mended: Mended, target: Target, edit: str) -> str:
    if not mended.obstacles:
        return f"gs convert --for {target} writes a file that it loads"
    return f"to mend by hand: {edit}" if edit else "the JSON alone cannot help"
