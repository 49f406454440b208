"""Model files parsed with TensorFlow's own message classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.oracle.places import FIXTURES, PROTOBUFS, corpus_models


def graph_files() -> list[Path]:
    """Return the GraphDef and MetaGraphDef fixtures."""
    files = [path for folder in ("graphdef", "metagraph") for path in (FIXTURES / folder).rglob("*")]
    return sorted(path for path in files if path.suffix in (".pb", ".pbtxt", ".meta"))


def corpus_graph_files() -> list[Path]:
    """Return the GraphDefs and MetaGraphDefs of the collection."""
    return corpus_models("graphdef", "metagraph")


def meta_graphs(path: Path) -> list[Any]:
    """Return the MetaGraphDefs of a file or SavedModel folder; a GraphDef gets an empty one around it."""
    from tensorflow.core.framework.graph_pb2 import GraphDef
    from tensorflow.core.protobuf.meta_graph_pb2 import MetaGraphDef
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    if path.is_dir():
        file = next(path / name for name in PROTOBUFS if (path / name).is_file())
        return list(_parse(SavedModel, file).meta_graphs)
    if path.suffix == ".meta":
        return [_parse(MetaGraphDef, path)]
    meta_graph = MetaGraphDef()
    meta_graph.graph_def.CopyFrom(_parse(GraphDef, path))
    return [meta_graph]


def _parse(message: Any, path: Path) -> Any:
    from google.protobuf import text_format
    from google.protobuf.message import DecodeError

    data = path.read_bytes()
    try:
        return message.FromString(data)
    except DecodeError as error:
        try:
            return text_format.Parse(data.decode(), message())
        except (UnicodeDecodeError, text_format.ParseError):
            pytest.skip(f"TensorFlow cannot parse it: {error}")
