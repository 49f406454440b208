"""FlatBuffers, read and written by a table of fields instead of generated classes."""
