"""What a check finds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Severity = Literal["error", "warning", "note"]


@dataclass(frozen=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        severity: "error": a loader refuses the model, or part of it cannot be used; "warning": it loads, but
            probably not as meant; "note": good to know.
        where: the node, signature, variable or file.
        what: what was found.
        hint: what to do about it.
        rule: name of the rule, the same for all findings of one kind.
    """

    severity: Severity
    where: str
    what: str
    hint: str
    rule: str
