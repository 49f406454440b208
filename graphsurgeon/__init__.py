"""graphsurgeon: look into trained TensorFlow model files, operate on them, and write them back.

No TensorFlow is needed, and importing this package loads nothing but itself: what a call needs is
imported by the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsurgeon import moved
from graphsurgeon.errors import FileError, FormatError, GraphSurgeonError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from graphsurgeon import model, surgery
    from graphsurgeon.formats import read, write
    from graphsurgeon.scanning.scan import scan
    from graphsurgeon.shapes import infer_shapes

__version__ = "0.2.0"

__all__ = [
    "FileError",
    "FormatError",
    "GraphSurgeonError",
    "UnsupportedError",
    "UsageError",
    "infer_shapes",
    "model",
    "read",
    "scan",
    "surgery",
    "write",
]

_LAZY = {
    "read": "graphsurgeon.formats",
    "write": "graphsurgeon.formats",
    "infer_shapes": "graphsurgeon.shapes",
    "scan": "graphsurgeon.scanning.scan",
}
_MODULES = ("model", "surgery")


def __getattr__(name: str) -> object:
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"graphsurgeon.{name}")
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    raise AttributeError(f"module 'graphsurgeon' has no attribute {name!r}")


moved.install()
