"""What a reader found wrong without having to give up, as facts for `gs check` and for the notes of `gs show`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

RESTORE = "restore the file from its source"


@dataclass(frozen=True)
class Problem:
    """Something that is not as its format requires.

    Attributes:
        severity: "error": values or other programs are affected; "warning": unusual, but works; "note": a fact.
        where: the file, variable or entry.
        what: what was found.
        hint: what to do about it, empty if nothing can be done.
    """

    severity: Literal["error", "warning", "note"]
    where: str
    what: str
    hint: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"
