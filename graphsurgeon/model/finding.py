"""What a check finds: in a file, in a checkpoint, in a graph, or while shapes are inferred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "needs", "warning", "note"]
RESTORE = "restore the file from its source"


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        severity: "error": a loader refuses the model, or part of it cannot be used; "needs": it loads only where
            something is installed that its runtime does not bring, and `what` says what; "warning": it loads, but
            probably not as meant; "note": good to know.
        where: the node, signature, variable or file.
        what: what was found.
        hint: what to do about it, empty if nothing can be done.
        rule: name of the rule, the same for all findings of one kind.
        graph: name of the function in which shapes contradict each other; empty for the main graph, and where
            `where` says all.
    """

    severity: Severity
    where: str
    what: str
    hint: str = ""
    rule: str = ""
    graph: str = ""

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"
