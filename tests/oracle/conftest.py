"""Answers of the oracles, each asked once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.oracle.saved_models import Answer, ask_v1, ask_v2

Asked = dict[Path, tuple[Answer, Answer]]


class Sources:
    """What both loaders of TensorFlow say of models that do not change."""

    def __init__(self) -> None:
        self._asked: Asked = {}

    def ask(self, path: Path) -> tuple[Answer, Answer]:
        """Return the answers of the V1 and the V2 loader."""
        if path not in self._asked:
            self._asked[path] = ask_v1(path), ask_v2(path)
        return self._asked[path]


@pytest.fixture(scope="session")
def sources() -> Sources:
    """Remember what the loaders say of the source models."""
    return Sources()
