"""Which function infers what of which op, for one vocabulary: entered by decorators, loaded when first asked for."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Generic, TypeVar

Function = TypeVar("Function", bound=Callable[..., object])


class FunctionTable(Generic[Function]):
    """Functions by op, one each, of the modules below a package.

    Args:
        kind: what they are, for the message where an op has two.
        package: the package whose modules enter them.
    """

    def __init__(self, kind: str, package: str) -> None:
        self._kind = kind
        self._package = package
        self._functions: dict[str, Function] = {}
        self._loaded = False

    def enter(self, *ops: str) -> Callable[[Function], Function]:
        """Enter the decorated function for ops."""

        def decorate(function: Function) -> Function:
            for op in ops:
                assert op not in self._functions, f"two {self._kind} for {op}"
                self._functions[op] = function
            return function

        return decorate

    def by_op(self) -> dict[str, Function]:
        """Return all functions by op; the modules are imported at the first call."""
        if not self._loaded:
            self._loaded = True
            package = importlib.import_module(self._package)
            for module in pkgutil.iter_modules(package.__path__):
                importlib.import_module(f"{self._package}.{module.name}")
        return self._functions
