"""How much work something is: calls of functions, which no busy machine changes."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import count
from types import FrameType


@contextmanager
def at_most(calls: int) -> Iterator[None]:
    """Fail as soon as more functions, of Python or C, have been called.

    Work inside one call of C is not seen: bound the bytes that it is given as well.
    """
    left = calls
    before = sys.getprofile()

    def called(frame: FrameType, event: str, argument: object) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            sys.setprofile(before)
            raise AssertionError(f"more than {calls} calls")

    sys.setprofile(called)
    try:
        yield
    finally:
        sys.setprofile(before)


_FEW = 4  # one in so many of like things is counted, for counting takes as long again
_asked = count()


def bounded(calls: int) -> AbstractContextManager[None]:
    """Return `at_most` for one in a few of many like things, such as damaged copies of a file."""
    return nullcontext() if next(_asked) % _FEW else at_most(calls)
