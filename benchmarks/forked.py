"""A piece of work in a process that is forked for it: what hangs or crashes costs its own row only."""

from __future__ import annotations

import multiprocessing
import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def forked(work: Callable[[Path], tuple[str, str]], seconds: float) -> tuple[str, str]:
    """Return what work gives in a folder of its own, within so many seconds.

    TensorFlow, where it is imported already, need not start again.
    """
    ours, theirs = multiprocessing.Pipe(duplex=False)

    def run() -> None:
        with tempfile.TemporaryDirectory() as name:
            os.chdir(name)
            theirs.send(work(Path(name)))

    process = multiprocessing.get_context("fork").Process(target=run)
    process.start()
    theirs.close()
    found = ("took too long", "")
    if ours.poll(seconds):
        try:
            found = ours.recv()
        except EOFError:
            found = ("crashed", "")
    process.kill()
    process.join()
    return found
