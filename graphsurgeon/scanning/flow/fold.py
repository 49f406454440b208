"""What ops on strings make of constants, so that a path that is put together from pieces is known all the same."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from graphsurgeon.model.graph import Node
from graphsurgeon.model.tensor import Tensor

if TYPE_CHECKING:
    from graphsurgeon.scanning.flow.trace import Text

JOINING: dict[str, int | None] = {"StringJoin": None, "ShardedFilename": 1, "ShardedFilespec": 1, "ReduceJoin": 1}
SHARD = b"-?????-of-?????"  # what a shard's number becomes
_MOST = 64
_LONGEST_PATTERN = 200  # characters of a regular expression that is tried


def product(node: Node, inputs: Sequence[list[Text]]) -> list[Text]:
    """Return every way to join one text of each input."""
    if node.op.startswith("Sharded"):
        return [joined([*text, SHARD]) for text in inputs[0]]
    separator = node.attrs.get("separator")
    between = (separator,) if isinstance(separator, bytes) and separator else ()
    if node.op == "ReduceJoin":
        inputs = [[text] for text in inputs[0]]
    found: list[Text] = []
    for row in itertools.islice(itertools.product(*inputs), _MOST):
        parts = [part for number, text in enumerate(row) for part in ((*between, *text) if number else text)]
        found.append(joined(parts))
    return found


def joined(parts: Sequence[object]) -> Text:
    """Return a text with neighbouring constants as one."""
    found: list[object] = []
    for part in parts:
        if found and isinstance(part, bytes) and isinstance(found[-1], bytes):
            found[-1] += part
        else:
            found.append(part)
    return tuple(found)  # type: ignore[arg-type]


def fold(node: Node, inputs: Sequence[list[Text]]) -> list[bytes] | None:
    """Return what an op on constants yields, None if it is not known or they are no constants."""
    act = _FOLDS.get(node.op)
    if act is None or not inputs:
        return None
    constants = [text[0] if text else b"" for text in inputs[0]]
    if not all(isinstance(item, bytes) for item in constants) or any(len(text) > 1 for text in inputs[0]):
        return None
    try:
        return [act(node, item, inputs) for item in constants if isinstance(item, bytes)]
    except (ValueError, re.error, UnicodeError, IndexError):
        return None


def _format(node: Node, item: bytes, inputs: Sequence[list[Text]]) -> bytes:
    template, placeholder = node.attrs.get("template"), node.attrs.get("placeholder")
    template = template if isinstance(template, bytes) else b"%s"
    for texts in inputs:
        if len(texts) != 1 or len(texts[0]) != 1 or not isinstance(texts[0][0], bytes):
            raise ValueError("no constant")
        template = template.replace(placeholder if isinstance(placeholder, bytes) else b"%s", texts[0][0], 1)
    return template


def _substr(node: Node, item: bytes, _: object) -> bytes:
    at, length = (_number(node, place) for place in (1, 2))
    return item[at : at + length] if at >= 0 else item[at:][:length]


def _number(node: Node, place: int) -> int:
    producer = node.inputs[place].producer
    tensor = producer.attrs.get("value") if producer is not None and producer.op == "Const" else None
    if not isinstance(tensor, Tensor) or tensor.num_elements != 1:
        raise ValueError("no constant")
    return int(tensor.items()[0])


def _decode(_: Node, item: bytes, __: object) -> bytes:
    return base64.urlsafe_b64decode(item + b"=" * (-len(item) % 4))


def _regex(node: Node, item: bytes, inputs: Sequence[list[Text]]) -> bytes:
    pattern: object = node.attrs.get("pattern")
    rewrite: object = node.attrs.get("rewrite")
    if node.op == "RegexReplace":
        pattern, rewrite = (texts[0][0] if len(texts) == 1 and texts[0] else None for texts in inputs[1:3])
    if not isinstance(pattern, bytes) or not isinstance(rewrite, bytes):
        raise ValueError("no constant")
    # A stranger's pattern may take Python for ever, where RE2 is linear: only plain texts are replaced.
    if len(pattern) > _LONGEST_PATTERN or re.escape(pattern) != pattern or b"\\" in rewrite:
        raise ValueError("no plain text")
    return item.replace(pattern, rewrite)


_FOLDS = {
    "StringLower": lambda node, item, _: item.lower(),
    "StringUpper": lambda node, item, _: item.upper(),
    "StringStrip": lambda node, item, _: item.strip(),
    "EncodeBase64": lambda node, item, _: base64.urlsafe_b64encode(item).rstrip(b"="),
    "DecodeBase64": _decode,
    "StringFormat": _format,
    "Substr": _substr,
    "StaticRegexReplace": _regex,
    "RegexReplace": _regex,
}
assert issubclass(binascii.Error, ValueError)  # what base64 raises
