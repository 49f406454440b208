"""Python pickles: which functions they call when they are loaded. They are read op by op, never unpickled."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase
from functools import cache
from pathlib import Path

from graphsurgeon.scanning.files.pickle_stack import COMPUTED, asked_for
from graphsurgeon.scanning.finding import Severity, Threat

RUNNERS = {
    "os", "posix", "nt", "subprocess", "sys", "builtins", "__builtin__", "runpy", "importlib", "socket", "shutil",
    "pty", "commands", "webbrowser", "ctypes", "marshal", "code", "codeop", "types", "operator", "functools", "pip",
    "requests", "urllib.request", "http.client", "ftplib", "smtplib", "asyncio", "multiprocessing", "platform",
    "timeit", "pickle", "_pickle", "cPickle", "dill", "cloudpickle", "joblib", "bdb", "pdb", "cProfile", "profile",
    "trace", "imp", "zipimport", "pkgutil", "_posixsubprocess", "_osx_support", "pydoc", "doctest", "ensurepip", "venv",
    "numpy.testing", "torch.hub",
}  # fmt: skip


def threats(data: bytes, where: str) -> Iterator[Threat]:
    """Yield what a pickle would do when somebody loads it.

    Args:
        data: that begins with a pickle; others may follow.
        where: its place, for findings.
    """
    names, problem = asked_for(data)
    bad = [name for name in names if not _is_harmless(name)]
    what = "a Python pickle: loading it runs code that it names"
    if bad:
        target = ", ".join(bad[:4]) + (f" and {len(bad) - 4} more" if len(bad) > 4 else "")
        severity: Severity = "critical" if any(map(_runs_programs, bad)) else "high"
        yield Threat(severity, None, what, where, "load", target, "pickle")
    elif not problem:
        yield Threat(
            "info", None, "a Python pickle that makes arrays and containers only", where, "load", None, "pickle"
        )
    if problem:
        yield Threat(
            "medium", None, f"a Python pickle that could not be looked into: {problem}", where, "load", None, "unseen"
        )


def is_one(data: bytes) -> bool:
    """Say whether bytes without a mark, as the oldest protocols write them, are a pickle that asks for something."""
    names, problem = asked_for(data)
    return bool(names) and not problem


def _runs_programs(name: str) -> bool:
    """Say whether a name is of a module that runs whatever it is told to, or one that the pickle computes."""
    module, _, attribute = name.partition(" ")
    if name == COMPUTED or ("." in attribute and module in _known()):  # `numpy load.__globals__`
        return True
    parts = module.split(".")
    return any(".".join(parts[:length]) in RUNNERS for length in range(1, len(parts) + 1))


def _is_harmless(name: str) -> bool:
    """Say whether a name is in the table of what makes arrays and containers (`pickle_names.tsv`)."""
    module, _, attribute = name.partition(" ")
    if not attribute.isidentifier():  # `load.__globals__` goes on from what it names
        return False
    return any(
        fnmatchcase(attribute, pattern)
        for known, patterns in _known().items()
        if fnmatchcase(module, known)
        for pattern in patterns
    )


@cache
def _known() -> dict[str, list[str]]:
    lines = Path(__file__).with_name("pickle_names.tsv").read_text("utf-8").splitlines()[1:]
    return {module: names.split(",") for module, names in (line.split("\t") for line in lines)}
