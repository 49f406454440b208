"""Protobuf messages of other frameworks, from a table of their fields, in binary and in text form.

Both forms become the same `Message`: a dict of lists. Fields that the table does not have are kept, under their names
in text form and as `field_N` in binary: forks of Caffe add layers of their own. Long lists of numbers stay in the file.
"""

from graphsurgeon.formats.protolike.binary import decode
from graphsurgeon.formats.protolike.message import Bulk, FieldTable, NamedFields, load_table
from graphsurgeon.formats.protolike.text import parse_text

__all__ = ["Bulk", "FieldTable", "NamedFields", "decode", "load_table", "parse_text"]
