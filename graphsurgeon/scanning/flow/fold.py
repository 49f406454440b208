"""What ops on strings make of constants, so that a path that is put together from pieces is known all the same."""

from __future__ import annotations

import base64
import binascii
import itertools
import re
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from graphsurgeon.model.graph import Node

if TYPE_CHECKING:
    from graphsurgeon.scanning.flow.trace import Text

JOINING: dict[str, int | None] = {"StringJoin": None, "ShardedFilename": 1, "ShardedFilespec": 1, "ReduceJoin": 1}
SHARD = b"-?????-of-?????"  # what a shard's number becomes
_MOST = 64
_LONGEST = 1 << 20  # bytes of a text that is put together of alternatives
_LONGEST_PATTERN = 200  # characters of a regular expression that is tried
_LONGEST_REPEATED = 1024  # characters of a text that one with repetitions is tried on
_REPETITION = re.compile(rb"(?<!\\)[*+?{]")
_STRANGE = re.compile(
    rb"\)[*+?{]|\(\?|[*+?}][*+?{]|\\[^\W\ddswDSW]|[^\x09-\x7e]"
)  # not the same in RE2, or without end


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
    """Return a text with neighbouring constants as one.

    Raises:
        ValueError: it is too long to be a path.
    """
    if sum(len(part) for part in parts if isinstance(part, bytes)) > _LONGEST:
        raise ValueError("too long")
    found: list[object] = []
    for part in parts:
        if found and isinstance(part, bytes) and isinstance(found[-1], bytes):
            found[-1] += part
        else:
            found.append(part)
    return tuple(found)  # type: ignore[arg-type]


def fold(node: Node, texts: list[Text], others: Sequence[object]) -> list[bytes] | None:
    """Return what an op makes of each of the texts that its first input can be; None if it is not known.

    Args:
        node: the op.
        texts: of the first input.
        others: the other inputs, each bytes or a number, None if it is not known.
    """
    act = OF_ONE.get(node.op)
    constants = [text[0] if text else b"" for text in texts if len(text) <= 1]
    if act is None or len(constants) < len(texts):
        return None
    try:
        return [act(node, item, others) if isinstance(item, bytes) else _unknown() for item in constants]
    except UNKNOWN:
        return None


def _unknown() -> bytes:
    raise ValueError("no constant")


def _text(given: object) -> bytes:
    return given if isinstance(given, bytes) else _unknown()


def _number(given: object) -> int:
    if isinstance(given, bytes) or not hasattr(given, "__int__"):
        raise ValueError("no constant")
    return int(given)


def _format(node: Node, item: bytes, others: Sequence[object]) -> bytes:
    """Put texts into a template, each in quotes."""
    template, placeholder = node.attrs.get("template"), node.attrs.get("placeholder")
    template = template if isinstance(template, bytes) else b"%s"
    for text in (item, *map(_text, others)):
        if re.fullmatch(rb"[\x20-\x7e]*", text) is None or b'"' in text or b"\\" in text:
            return _unknown()
        template = template.replace(placeholder if isinstance(placeholder, bytes) else b"%s", b'"%s"' % text, 1)
    return template


def _substr(node: Node, item: bytes, others: Sequence[object]) -> bytes:
    if node.attrs.get("unit") == b"UTF8_CHAR" and not item.isascii():
        return _unknown()
    at, length = map(_number, others)
    return item[at : at + length] if at >= 0 else item[at:][:length]


def _decode(_: Node, item: bytes, __: object) -> bytes:
    return base64.urlsafe_b64decode(item + b"=" * (-len(item) % 4))


def _encode(node: Node, item: bytes, _: object) -> bytes:
    encoded = base64.urlsafe_b64encode(item)
    return encoded if node.attrs.get("pad") is True else encoded.rstrip(b"=")


def _regex(node: Node, item: bytes, others: Sequence[object]) -> bytes:
    given = others[:2] if node.op == "RegexReplace" else (node.attrs.get("pattern"), node.attrs.get("rewrite"))
    pattern, rewrite = map(_text, given)
    # A stranger's pattern may take Python for ever, where RE2 is linear: few repetitions, none of a group, short texts.
    repeated = len(_REPETITION.findall(pattern))
    if len(pattern) > _LONGEST_PATTERN or _STRANGE.search(pattern) or repeated > 2:
        return _unknown()
    if repeated and len(item) > _LONGEST_REPEATED:
        return _unknown()
    count = 1 if node.attrs.get("replace_global") is False else 0
    return re.sub(pattern, lambda found: _rewritten(found, rewrite), item, count=count, flags=re.DOTALL)


def _rewritten(found: re.Match[bytes], rewrite: bytes) -> bytes:
    r"""Return what takes the place of a match: `\0` is all of it, `\1` a group."""

    def one(escape: re.Match[bytes]) -> bytes:
        letter = escape[0][1:]
        return (found[int(letter)] or b"") if letter.isdigit() else letter

    return re.sub(rb"\\(.)", one, rewrite, flags=re.DOTALL)


OF_ONE: dict[str, Callable[[Node, bytes, Sequence[object]], bytes]] = {
    "StringLower": lambda node, item, _: item.lower(),
    "StringUpper": lambda node, item, _: item.upper(),
    "StringStrip": lambda node, item, _: item.strip(),
    "EncodeBase64": _encode,
    "DecodeBase64": _decode,
    "StringFormat": _format,
    "Substr": _substr,
    "StaticRegexReplace": _regex,
    "RegexReplace": _regex,
}
# What computing raises where the answer is not known.
UNKNOWN = (
    ValueError, TypeError, IndexError, KeyError, OverflowError, ArithmeticError, MemoryError, re.error, zlib.error,
)  # fmt: skip
assert issubclass(binascii.Error, ValueError)  # what base64 raises
assert issubclass(UnicodeError, ValueError)
