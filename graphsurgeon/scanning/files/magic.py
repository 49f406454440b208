"""What bytes are that a system could execute, or that unpack themselves into code."""

from __future__ import annotations

import re

_PROGRAMS = (
    (b"\x7fELF", "a Linux program or library (ELF)"),
    (b"MZ", "a Windows program or library (PE)"),
    (b"\xca\xfe\xba\xbe", "a macOS or Java program"),
    (b"\xfe\xed\xfa\xce", "a macOS program (Mach-O)"),
    (b"\xfe\xed\xfa\xcf", "a macOS program (Mach-O)"),
    (b"\xce\xfa\xed\xfe", "a macOS program (Mach-O)"),
    (b"\xcf\xfa\xed\xfe", "a macOS program (Mach-O)"),
    (b"dex\n", "an Android program"),
    (b"\x00asm", "a WebAssembly program"),
)
_SCRIPT = re.compile(rb"#!\s*/")
_PICKLE = re.compile(rb"\x80[\x02-\x05][\x95c}\](\x8ac\x8c]")
HEAD = 64  # bytes that are enough to tell


def program(head: bytes) -> str | None:
    """Say what executable the first bytes begin; None for none."""
    for magic, what in _PROGRAMS:
        if head.startswith(magic) and (magic != b"MZ" or len(head) >= HEAD):
            return what
    if _SCRIPT.match(head):
        return "a script"
    return "a Python pickle" if is_pickle(head) else None


def is_pickle(head: bytes) -> bool:
    """Say whether bytes begin like a Python pickle of protocol 2 or later."""
    return _PICKLE.match(head) is not None
