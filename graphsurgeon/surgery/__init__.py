"""Operations on a model, one per file. Each checks everything first, then changes all or nothing; none does I/O.

`surgery.rename(model, ...)` and so on: the modules are imported when they are first used.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from graphsurgeon.model.spellings import UnknownNameError

if TYPE_CHECKING:
    from graphsurgeon.surgery.add_output import add_output
    from graphsurgeon.surgery.add_signature import add_signature, remove_signature
    from graphsurgeon.surgery.attach_checkpoint import attach_checkpoint
    from graphsurgeon.surgery.average import average
    from graphsurgeon.surgery.cast import cast
    from graphsurgeon.surgery.convert import convert
    from graphsurgeon.surgery.extract import extract
    from graphsurgeon.surgery.freeze import freeze
    from graphsurgeon.surgery.join import join
    from graphsurgeon.surgery.merge import merge
    from graphsurgeon.surgery.optimize import optimize
    from graphsurgeon.surgery.rename import rename
    from graphsurgeon.surgery.replace import replace
    from graphsurgeon.surgery.rewire import rewire
    from graphsurgeon.surgery.set_input import set_input
    from graphsurgeon.surgery.set_weights import set_weights
    from graphsurgeon.surgery.strip import strip
    from graphsurgeon.surgery.tflite.set_types import set_output

# Name of the operation, as on the command line and in recipes -> "module:function".
OPERATIONS: dict[str, str] = {
    "add-output": "graphsurgeon.surgery.add_output:add_output",
    "add-signature": "graphsurgeon.surgery.add_signature:add_signature",
    "freeze": "graphsurgeon.surgery.freeze:freeze",
    "set-input": "graphsurgeon.surgery.set_input:set_input",
    "remove-signature": "graphsurgeon.surgery.add_signature:remove_signature",
    "attach-checkpoint": "graphsurgeon.surgery.attach_checkpoint:attach_checkpoint",
    "average": "graphsurgeon.surgery.average:average",
    "cast": "graphsurgeon.surgery.cast:cast",
    "merge": "graphsurgeon.surgery.merge:merge",
    "convert": "graphsurgeon.surgery.convert:convert",
    "extract": "graphsurgeon.surgery.extract:extract",
    "join": "graphsurgeon.surgery.join:join",
    "optimize": "graphsurgeon.surgery.optimize:optimize",
    "replace": "graphsurgeon.surgery.replace:replace",
    "set-output": "graphsurgeon.surgery.tflite.set_types:set_output",
    "set-weights": "graphsurgeon.surgery.set_weights:set_weights",
    "metadata": "graphsurgeon.formats.tflite.set_metadata:set_metadata",
    "rename": "graphsurgeon.surgery.rename:rename",
    "rewire": "graphsurgeon.surgery.rewire:rewire",
    "strip": "graphsurgeon.surgery.strip:strip",
}

# Operations that give a bare graph what a SavedModel needs, as `complete` does.
COMPLETING = ("add-signature",)

# Operations after which a model is meant to compute other numbers.
CHANGES_NUMBERS = frozenset({"set-weights"})

__all__ = [
    "CHANGES_NUMBERS",
    "COMPLETING",
    "OPERATIONS",
    "add_output",
    "add_signature",
    "attach_checkpoint",
    "average",
    "cast",
    "convert",
    "extract",
    "freeze",
    "join",
    "merge",
    "optimize",
    "remove_signature",
    "rename",
    "replace",
    "rewire",
    "set_input",
    "set_output",
    "set_weights",
    "strip",
]

_BY_FUNCTION = {place.partition(":")[2]: place for place in OPERATIONS.values()}


class _Operations(ModuleType):
    """A module on which `rename` is the function, also after its submodule `rename` was imported."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _BY_FUNCTION and isinstance(value, ModuleType):
            value = getattr(value, name)
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Operations


def __getattr__(name: str) -> Any:
    if name not in _BY_FUNCTION:
        raise UnknownNameError(__name__, name, __all__)
    module, _, function = _BY_FUNCTION[name].partition(":")
    return getattr(import_module(module), function)
