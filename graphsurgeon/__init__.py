"""graphsurgeon: look into trained TensorFlow model files, operate on them, and write them back.

No TensorFlow is needed, and importing this package loads nothing but itself: what a call needs is
imported by the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphsurgeon import moved
from graphsurgeon.errors import FileError, FormatError, GraphSurgeonError, UnsupportedError, UsageError

if TYPE_CHECKING:
    from graphsurgeon import edit, model, surgery
    from graphsurgeon.analysis.find import find
    from graphsurgeon.analysis.summary import summarize
    from graphsurgeon.checks.check import check
    from graphsurgeon.compare.diff.diff import diff
    from graphsurgeon.fleet.catalog import catalog
    from graphsurgeon.formats import new_model, read, write
    from graphsurgeon.scanning.scan import scan
    from graphsurgeon.shapes import infer_shapes

__version__ = "0.2.0"

__all__ = [
    "FileError",
    "FormatError",
    "GraphSurgeonError",
    "UnsupportedError",
    "UsageError",
    "catalog",
    "check",
    "diff",
    "edit",
    "find",
    "infer_shapes",
    "model",
    "new_model",
    "read",
    "scan",
    "summarize",
    "surgery",
    "write",
]

# Public name -> the module that has it, imported when it is first asked for.
_LAZY = {
    "catalog": "graphsurgeon.fleet.catalog",
    "check": "graphsurgeon.checks.check",
    "diff": "graphsurgeon.compare.diff.diff",
    "find": "graphsurgeon.analysis.find",
    "infer_shapes": "graphsurgeon.shapes",
    "new_model": "graphsurgeon.formats",
    "read": "graphsurgeon.formats",
    "scan": "graphsurgeon.scanning.scan",
    "summarize": "graphsurgeon.analysis.summary",
    "write": "graphsurgeon.formats",
}
_MODULES = ("edit", "model", "surgery")


def __getattr__(name: str) -> object:
    import importlib

    if name in _MODULES:
        return importlib.import_module(f"graphsurgeon.{name}")
    if name in _LAZY:
        return getattr(importlib.import_module(_LAZY[name]), name)
    from graphsurgeon.model.spellings import UnknownNameError

    raise UnknownNameError("graphsurgeon", name, __all__)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


moved.install()
