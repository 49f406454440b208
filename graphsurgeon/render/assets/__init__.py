"""What a page is made of: its template, style sheet and scripts, and the layout library with its licence.

`dagre.min.js` is the file of the package `@dagrejs/dagre` 3.1.3 as published; `dagre.LICENSE` is its licence, which
goes into every page with it.
"""

from __future__ import annotations

from pathlib import Path

_LICENSED = {"dagre.min.js": "dagre.LICENSE"}


def asset(name: str) -> str:
    """Return the text of a file of this package, a library's with its licence on top."""
    text = _read(name)
    if name in _LICENSED:
        # The reference to a source map would make developer tools ask for a file that no page has.
        code = "\n".join(line for line in text.splitlines() if not line.startswith("//# sourceMappingURL"))
        return f"/*! dagre, with graphlib\n{_read(_LICENSED[name]).strip()}\n*/\n{code}"
    return text


def _read(name: str) -> str:
    return (Path(__file__).parent / name).read_text("utf-8")
