"""A protobuf file, binary or text, as a message with large values left on disk, and back to pieces."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from graphsurgeon.disk.files import Rope, SourceFile, rope_size
from graphsurgeon.encoding.protowire import MAX_DEPTH
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.protobuf import payloads as wire
from graphsurgeon.formats.graph.protobuf import utf8
from graphsurgeon.formats.graph.protobuf.payloads import Payload
from graphsurgeon.formats.graph.protobuf.printed_text import encode_printed
from graphsurgeon.formats.graph.protobuf.text_printer import print_message
from graphsurgeon.formats.graph.values.tensorproto import inline_payloads

MAX_MESSAGE = (1 << 31) - 1  # bytes; protobuf refuses larger messages to read and to write
SMALL_FILE = 4 << 20  # bytes of a file that is read as a whole
MAX_TEXT = 64 << 20  # bytes; text parses at about 2 MB/s


class ProtoFile:
    """A parsed file.

    Attributes:
        source: the file.
        message: the parsed message, large values marked instead of held.
        payloads: what the marks point to.
        is_text: whether the file is in text form.
        repairs: names that are no UTF-8, as they were made readable.
    """

    __slots__ = ("is_text", "message", "payloads", "repairs", "source")

    def __init__(
        self, source: SourceFile, message: Any, payloads: list[Payload], *, is_text: bool, repairs: Sequence[str] = ()
    ) -> None:
        self.source = source
        self.message = message
        self.payloads = payloads
        self.is_text = is_text
        self.repairs = list(repairs)

    @property
    def notes(self) -> list[str]:
        """What the user should know, one line each."""
        if not self.repairs:
            return []
        count = f"{len(self.repairs)} names are" if len(self.repairs) > 1 else "a name is"
        return [f"{count} no UTF-8 and shown with `?` for each bad byte: {', '.join(map(repr, self.repairs[:3]))}"]

    def require_whole(self) -> None:
        """Refuse to write anew what could not be read as it is.

        Raises:
            UnsupportedError: some names are no UTF-8.
        """
        if self.repairs:
            raise UnsupportedError(
                f"{len(self.repairs)} names in it are no UTF-8, the first {self.repairs[0]!r}: they would be lost",
                path=self.source.path,
                hint="fetch or write the file again",
            )


def read(source: SourceFile, type_name: str, *, is_text: bool, force_text: bool = False) -> ProtoFile:
    """Parse a file in the given form; see `parse_binary` and `parse_text`.

    Args:
        type_name: of the message: one of TensorFlow's, or with its package, `onnx.ModelProto`.
    """
    return parse_text(source, type_name, force=force_text) if is_text else parse_binary(source, type_name)


def lower(data: bytes, type_name: str, file: ProtoFile | None, payloads: list[Payload], *, is_text: bool) -> Rope:
    """Return the pieces of a serialized message: the very bytes of the file it was read from if it still says that.

    Args:
        data: the message, serialized deterministically. Compared as bytes: a NaN does not equal itself.
        type_name: of the message.
        file: what it was read from, None if it is new.
        payloads: where the values are that it marks.
        is_text: write text.
    """
    if file is not None and file.is_text == is_text and data == file.message.SerializeToString(deterministic=True):
        return [file.source.whole()]
    if file is not None:
        file.require_whole()
    return lower_text(data, type_name, payloads) if is_text else lower_binary(data, type_name, payloads)


def as_text(file: ProtoFile | None, text: bool | None) -> bool:
    """Decide the form to write: as asked, else as it was read, else binary."""
    return text if text is not None else bool(file and file.is_text)


def parse_binary(source: SourceFile, type_name: str) -> ProtoFile:
    """Parse a binary file.

    Raises:
        FormatError: it is no message of that type.
    """
    from google.protobuf.message import DecodeError

    payloads: list[Payload] = []
    message = schema.message(_full_name(type_name))()
    try:
        data = _read_small(source)
        if data is None:
            data = wire.reduce(source, type_name, payloads)
        message.ParseFromString(data)
    except DecodeError as error:
        wire.reduce(source, type_name, [])  # says at which byte, where the fault is in the structure
        repairs = _parse_repaired(message, data or b"")
        if not repairs:
            what = f"no valid {_short(type_name)} message ({_reason(error)}); the file is damaged or cut off"
            raise FormatError(what) from error
        return ProtoFile(source, message, payloads, is_text=False, repairs=repairs)
    return ProtoFile(source, message, payloads, is_text=False)


def _parse_repaired(message: Any, data: bytes) -> list[str]:
    """Parse what protobuf refused because of names that are no UTF-8; return these, none if that was not the reason."""
    from google.protobuf.message import DecodeError

    readable, repairs = utf8.repair(data, message.DESCRIPTOR)
    message.Clear()
    try:
        message.ParseFromString(readable)
    except DecodeError:
        return []
    return repairs


def parse_text(source: SourceFile, type_name: str, *, force: bool = False) -> ProtoFile:
    """Parse a text file.

    Args:
        force: read it even if it is so large that this takes minutes.

    Raises:
        FormatError: it is no text message of that type; with line and column.
        UnsupportedError: it is larger than 64 MiB.
    """
    from google.protobuf import text_format

    if source.size > MAX_TEXT and not force:
        raise UnsupportedError(
            f"{source.size >> 20} MB of text take about {source.size >> 21} seconds to parse",
            hint="add --force-text, or convert the model to binary where it was made",
        )
    data = source.read_at(0, source.size)
    text, repairs = utf8.readable_text(data)
    _check_nesting(text)
    message = schema.message(_full_name(type_name))()
    if _parse_printed(text, message):
        return ProtoFile(source, message, [], is_text=True, repairs=repairs)
    try:
        text_format.Parse(text, message, descriptor_pool=schema.pool(_full_name(type_name).partition(".")[0]))
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        decode_text(data)  # says at which byte, where that was the reason
        raise FormatError(f"no valid {_short(type_name)} in text form: {_reason(error)}") from error
    return ProtoFile(source, message, [], is_text=True, repairs=repairs)


def _parse_printed(text: str, message: Any) -> bool:
    """Fill a message from a text that is written as programs print it; say whether it was."""
    from google.protobuf.message import DecodeError

    data = encode_printed(text, message.DESCRIPTOR)
    if data is None:
        return False
    try:
        message.ParseFromString(data)
    except DecodeError:
        message.Clear()
        return False
    return True


def lower_binary(data: bytes, type_name: str, payloads: list[Payload]) -> Rope:
    """Return the pieces of a message in binary form.

    Raises:
        UnsupportedError: it would be larger than protobuf reads.
    """
    rope = wire.expand(data, type_name, payloads)
    if rope_size(rope) > MAX_MESSAGE:
        raise UnsupportedError(
            f"the result would have {rope_size(rope)} bytes, protobuf reads at most {MAX_MESSAGE}",
            hint="keep variables beside the graph: a SavedModel as target, in freezing with --keep-vars",
        )
    return rope


def lower_text(data: bytes, type_name: str, payloads: list[Payload]) -> Rope:
    """Return a message in text form, with all values in it."""
    message = schema.message(f"tensorflow.{type_name}").FromString(data)
    _inline(message, payloads)
    return [print_message(message).encode("utf-8", "surrogateescape")]


def decode_text(data: bytes) -> str:
    """Return the text of a file; bytes that are no UTF-8 are a fault of the file.

    Raises:
        FormatError: with the offset of the first bad byte.
    """
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise FormatError(f"no UTF-8 text at byte {error.start}") from error


def _full_name(type_name: str) -> str:
    """Return the name of a message with its package, which is TensorFlow's unless one is named."""
    return type_name if "." in type_name else f"tensorflow.{type_name}"


def _short(type_name: str) -> str:
    return type_name.rpartition(".")[2]


_NESTING = re.compile(r'"(?:\\.|[^"\\\n])*"|\'(?:\\.|[^\'\\\n])*\'|#[^\n]*|[{}<>]')


def _check_nesting(text: str) -> None:
    depth = 0
    for match in _NESTING.finditer(text):
        sign = match.group()
        if sign in "{<":
            depth += 1
            if depth > MAX_DEPTH:
                raise FormatError(f"messages are nested more than {MAX_DEPTH} deep at character {match.start()}")
        elif sign in "}>":
            depth -= 1


def _read_small(source: SourceFile) -> bytes | None:
    """Return a file that is so small that leaving its values on disk would cost more than reading them."""
    if source.size > SMALL_FILE:
        return None
    return source.read_at(0, source.size)


def _inline(message: Any, payloads: list[Payload]) -> None:
    """Read every marked value into the message, wherever a tensor can stand."""
    if message.DESCRIPTOR.name == "TensorProto":
        inline_payloads(message, payloads)
        return
    for field, value in message.ListFields():
        if field.message_type is None or field.message_type.name not in _HOLDERS:
            continue
        if field.message_type.GetOptions().map_entry:
            for key in value:
                if hasattr(value[key], "DESCRIPTOR"):
                    _inline(value[key], payloads)
        elif hasattr(value, "DESCRIPTOR"):
            _inline(value, payloads)
        else:
            for item in value:
                _inline(item, payloads)


# fmt: off
_HOLDERS = frozenset((
    "MetaGraphDef", "GraphDef", "FunctionDefLibrary", "FunctionDef", "NodeDef", "AttrEntry", "AttrValue", "ListValue",
    "NameAttrList", "TensorProto", "SignatureDef", "SignatureDefEntry", "DefaultsEntry",
))
# fmt: on


def _reason(error: BaseException) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
