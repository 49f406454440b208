"""What a page is made of: its template, style sheet and scripts; and the constructs that pictures name."""

from __future__ import annotations

from pathlib import Path


def asset(name: str) -> str:
    """Return the text of a file of this package."""
    return (Path(__file__).parent / name).read_text("utf-8")
