"""Modules are found under the names that they had, and say so once."""

from __future__ import annotations

import importlib
import sys

import pytest

from graphsurgeon.moved import MOVED


@pytest.mark.parametrize("old", MOVED)
def test_moved_module_is_the_one_of_today(old: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, old, raising=False)
    with pytest.warns(DeprecationWarning, match=MOVED[old]):
        module = importlib.import_module(old)
    today = importlib.import_module(MOVED[old])
    assert {name: getattr(module, name) for name in vars(today) if name[:1] != "_"} == {
        name: item for name, item in vars(today).items() if name[:1] != "_"
    }
    importlib.import_module(old)  # a second import is silent: warnings are errors here


def test_no_other_name_is_taken() -> None:
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module("graphsurgeon.verify.other")
