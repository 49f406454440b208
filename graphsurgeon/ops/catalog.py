"""The op definitions of TensorFlow, from a compressed `OpList` that `tools/make_ops.py` writes.

The index of names is made on first use (a few ms); an op is decoded when it is first asked for.
"""

from __future__ import annotations

import zlib
from collections.abc import KeysView
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from graphsurgeon.encoding import protowire
from graphsurgeon.model.format import TENSORFLOW, TFLITE
from graphsurgeon.ops.decode import decode
from graphsurgeon.ops.opdef import OpDef

if TYPE_CHECKING:
    from graphsurgeon.model.graph import Node

__all__ = ["decode", "get", "names", "of"]


@cache
def get(name: str) -> OpDef | None:
    """Return the definition of an op, `None` if TensorFlow has no op of that name."""
    data = _serialized().get(name)
    return None if data is None else decode(data)


def of(node: Node) -> OpDef | None:
    """Return the definition of a node's op, as the vocabulary of its graph has it; `None` if TensorFlow has none.

    A name alone says nothing: 83 ops of ONNX are called as ops of TensorFlow are, and most of them mean something else.
    TFLite's names are never those of TensorFlow, and its graphs restated in TensorFlow's ops have these.
    """
    return get(node.op) if node.graph.vocabulary in (TENSORFLOW, TFLITE) else None


def names() -> KeysView[str]:
    """Return all op names, as a view with fast membership tests; decodes nothing."""
    return _serialized().keys()


@cache
def _serialized() -> dict[str, bytes]:
    op_list = zlib.decompress(Path(__file__).with_name("ops.binpb.zlib").read_bytes())
    # The name is the first field of every op, and shorter than 128 bytes: the script that writes the file sees to both.
    return {str(op[2 : 2 + op[1]], "ascii"): op for op in protowire.messages(op_list)}
