"""How a report names what an op acts on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from graphsurgeon.scanning.flow.trace import Leaf, Text

_SHOWN = 4  # targets of one finding
_LONGEST = 500  # characters of a target


class ActsOn(NamedTuple):
    """One thing that an op acts on.

    Attributes:
        text: as a report says it.
        is_inside: an asset of the model, which lies in its folder.
        constant: the bytes, where the model holds them.
    """

    text: str
    is_inside: bool = False
    constant: bytes | None = None


def targets_of(texts: Iterable[Text], outside: Mapping[str, str]) -> list[ActsOn]:
    """Return what texts name.

    Args:
        texts: from the tracer.
        outside: assets whose names, or links, lead out of the model: name -> where to.
    """
    return list(dict.fromkeys(_target(text, outside) for text in texts))


def named(targets: Sequence[ActsOn]) -> str | None:
    """Return several targets as one text; None for none."""
    targets = [target for target in targets if not target.is_inside] or targets
    if not targets:
        return None
    shown = ", ".join(target.text for target in targets[:_SHOWN])
    return shown + (f" and {len(targets) - _SHOWN} more" if len(targets) > _SHOWN else "")


def readable(data: bytes) -> str:
    """Return bytes as text, with what is no text, and control characters, escaped."""
    text = data.decode("utf-8", "backslashreplace")
    text = "".join(letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in text)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _target(text: Text, outside: Mapping[str, str]) -> ActsOn:
    leaves = [part for part in text if isinstance(part, Leaf)]
    if not leaves:
        constant = b"".join(part for part in text if isinstance(part, bytes))
        return ActsOn(readable(constant), constant=constant)
    if len(text) == 1 and leaves[0].kind == "asset":
        name = leaves[0].name
        if name in outside:
            return ActsOn(outside[name], constant=outside[name].encode("utf-8", "surrogateescape"))
        return ActsOn(f"assets/{name}", is_inside=True)
    said = _said(leaves[0])
    before = b"".join(_leading(text))
    behind = [part for part in text[text.index(leaves[0]) + 1 :] if isinstance(part, bytes)]
    if before:
        said += f", behind {readable(before)!r}"
    if behind:
        said += f", followed by {readable(b''.join(behind))!r}"
    return ActsOn(said)


def _leading(text: Text) -> Iterable[bytes]:
    for part in text:
        if not isinstance(part, bytes):
            return
        yield part


def _said(leaf: Leaf) -> str:
    return {
        "caller": f"whatever the caller passes ({leaf.name})",
        "asset": f"the path of the asset {leaf.name}",
        "saver": "the name of the checkpoint that a loader passes",
        "variable": f"the value of the variable {leaf.name}",
        "computed": f"what the model computes ({leaf.name})",
    }[leaf.kind]
