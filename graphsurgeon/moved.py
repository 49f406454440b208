"""Modules under the names that they had: an import of one warns once and gives the module of today.

A name that a documented page has shown stays importable; `MOVED` is the whole list.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader
from importlib.machinery import ModuleSpec
from types import ModuleType

# Name until version 0.1 -> name of today. A package that is no more is there for the names below it.
MOVED = {"graphsurgeon.verify.structure": "graphsurgeon.checks.check"}
_PACKAGES = {name.rpartition(".")[0] for name in MOVED}


def install() -> None:
    """Let imports find the moved names, after every other way to find a module has failed."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


class _Finder:
    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname in _PACKAGES:
            return ModuleSpec(fullname, _Loader(), is_package=True)
        return ModuleSpec(fullname, _Loader()) if fullname in MOVED else None


class _Loader(Loader):
    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return None

    def exec_module(self, module: ModuleType) -> None:
        if module.__name__ not in MOVED:
            return
        new = MOVED[module.__name__]
        warnings.warn(f"{module.__name__} is {new} now", DeprecationWarning, stacklevel=2)
        vars(module).update({name: item for name, item in vars(import_module(new)).items() if name[:2] != "__"})
