"""Encodings of bytes that several formats use: protobuf fields, SSTables, snappy, FlatBuffers. No word of models."""
