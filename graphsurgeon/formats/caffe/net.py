"""How a net of Caffe or Caffe2 is opened: one message in either form, and its weights in a file beside it."""

from __future__ import annotations

from pathlib import Path

from graphsurgeon.disk.files import SourceFile, is_file, open_source
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats.protolike import NamedFields, decode, load_table, parse_text
from graphsurgeon.model.format import Format
from graphsurgeon.model.model import Model

MOST_TEXT = 16 << 20  # bytes of a text, which takes a second for each MB


class NetFile:
    """A file of a net, and the model that it becomes.

    Args:
        path: the file.
        record: its format, whose name is that of the schema's table.
        message: what the file holds.
        is_text: it is the text form.
        force_text: read it even if it is so large that this takes minutes.

    Attributes:
        model: without a graph as yet.
        source: the file.
    """

    def __init__(self, path: Path, record: Format, message: str, *, is_text: bool, force_text: bool) -> None:
        self.source = open_source(path)
        self.model = Model(record, str(path))
        self.model.files = {str(path): self.source.size}
        self._record, self._message = record, message
        self._is_text, self._force_text = is_text, force_text

    def net(self) -> NamedFields:
        """Return the net.

        Raises:
            FormatError: it is none.
            UnsupportedError: it is a text of more than 16 MiB, and not to be read all the same.
        """
        return self._read(self.source, is_text=self._is_text)

    def weights_beside(self, path: Path, *, is_text: bool) -> tuple[NamedFields, SourceFile] | None:
        """Return the net in another file that holds the weights, and that file, which is the model's then; or None."""
        if not is_file(path):
            return None
        other = open_source(path)
        found = self._read(other, is_text=is_text)
        self.model.files[str(path)] = other.size
        self.model.notes.append(f"the weights are those of {path.name}, which lies beside it")
        return found, other

    def _read(self, source: SourceFile, *, is_text: bool) -> NamedFields:
        if not is_text:
            with source.view() as view:
                return decode(view, self._message, load_table(self._record.name))
        if source.size > MOST_TEXT and not self._force_text:
            what = f"{source.size >> 20} MB of text take about {source.size >> 20} seconds to read"
            raise UnsupportedError(what, path=source.path, hint="add --force-text, or give the binary form")
        return parse_text(source.read_at(0, source.size).decode("utf-8-sig", "surrogateescape"))
