"""Protobuf files and messages, binary and text, with large values left on disk."""
