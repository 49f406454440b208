"""Python pickles: which functions they call when they are loaded. They are read op by op, never unpickled."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

from graphsurgeon.encoding.pickle_ops import instructions
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.scanning.finding import Threat

_MOST_OPS = 1_000_000
# What may name a module or a function for `STACK_GLOBAL`.
_TEXTS = frozenset({
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8", "PERSID",
})  # fmt: skip
# Modules whose functions make arrays and containers, and can do nothing else.
_HARMLESS = (
    "torch", "numpy", "numpy.core.multiarray", "numpy._core.multiarray", "numpy.core.numeric", "numpy._core.numeric",
    "numpy.dtypes", "collections", "_codecs", "copyreg", "argparse", "ml_dtypes",
)  # fmt: skip
_HARMLESS_NAMES = {"builtins": {"set", "frozenset", "dict", "list", "tuple", "bytearray", "complex", "slice", "range"}}
_HARMLESS_NAMES["__builtin__"] = _HARMLESS_NAMES["builtins"]
_ONLY = {"torch": ("torch._utils", "torch.storage", "torch._tensor", "torch.nn.modules", "torch.serialization")}
RUNNERS = {
    "os", "posix", "nt", "subprocess", "sys", "builtins", "__builtin__", "runpy", "importlib", "socket", "shutil",
    "pty", "commands", "webbrowser", "ctypes", "marshal", "code", "codeop", "types", "operator", "functools", "pip",
    "requests", "urllib.request", "http.client", "ftplib", "smtplib", "asyncio", "multiprocessing", "platform",
    "timeit",
}  # fmt: skip


def threats(data: bytes, where: str) -> Iterator[Threat]:
    """Yield what a pickle would do when somebody loads it.

    Args:
        data: that begins with a pickle.
        where: its place, for findings.
    """
    names, problem = _called(data)
    bad = [name for name in names if not _is_harmless(name)]
    worst = [name for name in bad if name.partition(" ")[0].split(".")[0] in RUNNERS or name.split(" ")[0] in RUNNERS]
    what = "a Python pickle: loading it runs code that it names"
    if bad:
        target = ", ".join(bad[:4]) + (f" and {len(bad) - 4} more" if len(bad) > 4 else "")
        yield Threat("critical" if worst else "high", None, what, where, "load", target, "pickle")
    elif not problem:
        yield Threat(
            "info", None, "a Python pickle that makes arrays and containers only", where, "load", None, "pickle"
        )
    if problem:
        yield Threat(
            "medium", None, f"a Python pickle that could not be looked into: {problem}", where, "load", None, "unseen"
        )


def _called(data: bytes) -> tuple[list[str], str]:
    """Return `module name` of each global that a pickle asks for, and why it could not be read to its end."""
    found: list[str] = []
    strings: list[str] = []
    try:
        for number, (name, argument, _) in enumerate(instructions(data)):
            if number > _MOST_OPS:
                return found, f"it has more than {_MOST_OPS} instructions"
            if name in ("GLOBAL", "INST"):
                found.append(" ".join(argument))
            elif name == "STACK_GLOBAL":
                found.append(" ".join(strings[-2:]) if len(strings) >= 2 else "a computed name")
            elif name in _TEXTS:
                strings.append(_text(name, argument))
            elif name in ("BINGET", "LONG_BINGET", "GET"):
                strings.append("a remembered name")
            elif name in ("EXT1", "EXT2", "EXT4"):
                found.append("a registered extension")
    except (FormatError, UnsupportedError) as error:
        return found, error.message
    return list(dict.fromkeys(found)), ""


def _text(name: str, argument: str | bytes) -> str:
    """Return what an instruction pushes as text; what older protocols wrote as bytes is text to Python 3."""
    if isinstance(argument, str):
        return argument
    if name == "UNICODE":
        return argument.decode("raw-unicode-escape", "replace")
    if name == "STRING":  # with quotes around it, and escapes
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes that mean nothing
            return argument.strip()[1:-1].decode("unicode-escape", "replace")
    return argument.decode("latin-1")


def _is_harmless(name: str) -> bool:
    module, _, attribute = name.partition(" ")
    if module in _HARMLESS_NAMES:
        return attribute in _HARMLESS_NAMES[module]
    if module == "torch":
        return attribute.endswith(("Storage", "Size", "device", "dtype")) or (
            attribute.islower() and len(attribute) < 12
        )
    return module in _HARMLESS or module.startswith(_ONLY["torch"])
