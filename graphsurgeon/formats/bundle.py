"""Bundles: files that hold models and what belongs to them. What is in one is told; a path that goes on leads into it.

The ways in are in `disk/bundles/`. Here is what the members are, which are models, and how one that was changed goes
back.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from graphsurgeon.disk.bundles.inside import bundle_at, with_member
from graphsurgeon.disk.files import Rope, SourceFile, open_source
from graphsurgeon.disk.places import MemberPath, bundle_folder
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats import registry
from graphsurgeon.formats.recognise import locate, search
from graphsurgeon.formats.recognise.foreign import FOREIGN
from graphsurgeon.model.model import Model, ModelMember

_MOST_TOLD = 1000  # members whose kind is looked for
_MOST_LOOKED = 1 << 28  # bytes that are unpacked for it, of all members together
_KNOWN_NAMES = {  # of sections of a `.litertlm`, and of a language model's `.task`: what cannot be seen in the bytes
    "sp_tokenizer": "SentencePiece tokenizer",
    "TOKENIZER_MODEL": "tokenizer",
    "METADATA": "settings of the language model",
    "llm_metadata": "settings of the language model",
    "hf_tokenizer_zlib": "Hugging Face tokenizer, compressed",
    "weights": "weights of the model of that type",
}


def read(path: Path) -> Model:
    """Read what is in a bundle; no member is read as a model.

    Raises:
        FormatError: the bundle is damaged, or made to harm.
    """
    file = open_source(path)
    model = Model(registry.BUNDLE, str(path))
    model.files = {str(path): file.size}
    model.members = list(_told(path))
    return model


def models_in(path: Path) -> list[Path]:
    """Return the models in a bundle, in folders and bundles within it too, sorted."""
    found: list[Path] = []
    level: list[Path] = [bundle_folder(path)]
    while level:
        below: list[Path] = []
        for folder in level:
            listed = search.models_in(folder)
            found += listed.models
            below += listed.folders
        level = below
    return sorted(found)


def put_back(place: Path, content: Rope) -> Rope:
    """Return the bundle on disk with other bytes for the member at a place.

    Raises:
        UnsupportedError: such a member is not replaced.
    """
    assert isinstance(place, MemberPath)
    return with_member(place, content)


def _told(path: Path) -> Iterator[ModelMember]:
    folder, left = bundle_folder(path), _MOST_LOOKED
    bundle = bundle_at(folder)
    for number, member in enumerate(bundle.members.values()):
        place = folder / member.name
        left -= 0 if member.is_stored else member.size
        what, format = member.problem, None
        if not member.problem and number < _MOST_TOLD and left >= 0:
            what, format = _what(bundle.member_file(member, place), member.name)
        yield ModelMember(member.name, str(place), member.size, what, format)


def _what(file: SourceFile, name: str) -> tuple[str, str | None]:
    """Return what a member is, in words, and the format of a model."""
    try:
        kind = locate.kind(file) if file.size else "empty"
    except GraphSurgeonError as error:
        return error.message, None
    known = _KNOWN_NAMES.get(name.split("/")[-1].partition(".")[0])
    record = registry.of_kind(kind)
    if record is not None and not (known and kind in locate.BESIDE):
        return record.title, record.name
    if kind in FOREIGN and not known:
        what = FOREIGN[kind][0]
        return what.removeprefix("a ").removeprefix("an "), None
    return known or {"text": "text", "empty": "empty", None: ""}.get(kind, kind or ""), None
