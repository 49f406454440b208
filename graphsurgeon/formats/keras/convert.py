"""A Keras file for another release: the JSON is written anew, every other byte stays."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, cast

from graphsurgeon.disk.files import FileRange, Rope, SourceFile, open_source
from graphsurgeon.disk.places import path_of
from graphsurgeon.encoding import hdf5
from graphsurgeon.encoding.hdf5.replace import replace_texts
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats.keras.archive import FileWindow
from graphsurgeon.formats.keras.mend import Mended, mend
from graphsurgeon.formats.keras.rules import Target
from graphsurgeon.formats.keras.source import KerasSource
from graphsurgeon.model.model import Model

_MOST_NAMED = 3  # layers in a message


def lower_for(model: Model, release: str) -> tuple[Rope, Mended]:
    """Return the pieces of the file as a release loads it, and what was changed.

    Args:
        model: a Keras model in HDF5, or an architecture in JSON.
        release: one of `registry.KERAS.releases`.

    Raises:
        UnsupportedError: the file is none of these, or holds what the release has no words for; layers are named.
    """
    source = model.metagraphs[0].raw if model.metagraphs else None
    if not isinstance(source, KerasSource):
        raise UnsupportedError("holds weights alone, which every release reads", path=model.path)
    name = model.traits.releases[release]
    mended = mend(source.config, source.training, cast(Target, release), source.version)
    if mended.obstacles:
        named = "; ".join(f"{one.where}: {one.what} ({one.since})" for one in mended.obstacles[:_MOST_NAMED])
        more = len(mended.obstacles) - _MOST_NAMED
        what = f"no change of the JSON makes it the same model in {name}: {named}" + (
            f"; {more} more" if more > 0 else ""
        )
        raise UnsupportedError(what, path=model.path, hint="build the model anew there and load its weights")
    return _rope(model, source, mended), mended


def _rope(model: Model, source: KerasSource, mended: Mended) -> Rope:
    file = open_source(path_of(model.path))
    if not isinstance(model.raw, hdf5.File):
        return [_json_text(file, source, mended)]
    window = model.raw.image.source
    if not isinstance(window, FileWindow) or window.start:
        what = "is an archive of Keras 3, which no older release reads"
        raise UnsupportedError(what, path=model.path, hint="load it in Keras 3, save it as .h5 and convert that")
    texts = {}
    if mended.config != source.config:
        texts["model_config"] = _with(model.raw.root.text("model_config"), mended.config)
    if mended.training is not None and mended.training != source.training:
        texts["training_config"] = json.dumps(mended.training)
    if not texts:
        return [file.whole()]
    replaced = replace_texts(model.raw.image, model.raw.root, texts)
    return [*_patched(file, replaced.patches), replaced.appended]


def _json_text(file: SourceFile, source: KerasSource, mended: Mended) -> bytes:
    return _with(file.whole().read().decode("utf-8"), mended.config).encode("utf-8")


def _with(text: str, config: Mapping[str, Any]) -> str:
    """Return JSON with another model in it: the whole, or what stands beside the version."""
    whole = json.loads(text)
    whole = json.loads(whole) if isinstance(whole, str) else whole
    return json.dumps({**whole, "model_config": config} if "model_config" in whole else config)


def _patched(file: SourceFile, patches: Mapping[int, bytes]) -> Rope:
    """Return the file with other bytes in some places."""
    rope: Rope = []
    at = 0
    for start, patch in sorted(patches.items()):
        rope += [FileRange(file, at, start - at), patch]
        at = start + len(patch)
    return [*rope, FileRange(file, at, file.size - at)]
