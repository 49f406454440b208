"""Which function makes nodes of TensorFlow from an op of ONNX, and which versions of the op it knows.

A lowering function takes a `Builder` and a `Source` (one node with what its inputs have become) and returns what its
outputs become: one Operand, or a list of them, None for one that nobody can have. It raises `LoweringError` for what
it does not do. A version of an op is the version of its domain from which on it is so (`ops/onnx.py`): one that is not
listed is refused by name, never read as an older one.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeAlias

from graphsurgeon.errors import UnsupportedError

if TYPE_CHECKING:
    from graphsurgeon.lowering.builder import Builder
    from graphsurgeon.lowering.operand import Operand
    from graphsurgeon.lowering.source import Source

Result: TypeAlias = "Operand | Sequence[Operand | None]"
LoweringFn: TypeAlias = "Callable[[Builder, Source], Result]"

_FAMILIES = "graphsurgeon.lowering.families"
_functions: dict[tuple[str, int], LoweringFn] = {}
_loaded: list[bool] = []


class LoweringError(UnsupportedError):
    """What a lowering function does not do: an attribute, a shape, a type. The walk adds the node's name."""


def require_few(count: int, most: int, what: str) -> None:
    """Refuse what a few bytes of a file may ask for: more nodes or constants than any network has.

    Raises:
        LoweringError: there are more than that.
    """
    if count > most:
        raise LoweringError(f"{count:,} {what}, and {most:,} are the most that are written out")


def lowers(op: str, *versions: int) -> Callable[[LoweringFn], LoweringFn]:
    """Enter the decorated function for an op of ONNX in some versions of it; may stand several times.

    Args:
        op: named as in ONNX's text form.
        versions: of the op's domain, those from which on the op is as the function takes it.
    """

    def decorate(function: LoweringFn) -> LoweringFn:
        for version in versions:
            assert (op, version) not in _functions, f"two lowering functions for {op} {version}"
            _functions[op, version] = function
        return function

    return decorate


def lowering_functions() -> dict[tuple[str, int], LoweringFn]:
    """Return all functions by op and version; the families are imported at the first call."""
    if not _loaded:
        _loaded.append(True)
        package = importlib.import_module(_FAMILIES)
        for module in pkgutil.iter_modules(package.__path__):
            importlib.import_module(f"{_FAMILIES}.{module.name}")
    return _functions
