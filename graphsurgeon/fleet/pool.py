"""Work on many items in several processes, of which any may die, or hang, without more harm than its own item.

The pools of the standard library do not survive that: one waits for ever for a worker that was killed, the other fails
all that is left. So each worker has a pipe of its own, holds one item at a time, and is replaced when it is gone.
"""

from __future__ import annotations

import gc
import multiprocessing
import signal
import sys
from collections import deque
from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import count
from multiprocessing.connection import Connection, wait
from time import monotonic
from typing import Any, NamedTuple

from graphsurgeon.errors import FileError, GraphSurgeonError

_FORKS = "fork" in multiprocessing.get_all_start_methods()
_PATIENCE = 5.0  # seconds between looks at the clock, where there is a limit


_MOST_MEMORY = 256 << 20  # bytes that a process may grow by before another takes its place: memory stays flat
_MOST_ITEMS = 1000  # of one process, where the system does not tell what it holds


class TooLongError(FileError):
    """An item took longer than it may."""


class TooMuchError(FileError):
    """An item needed more memory than it may."""


class DiedError(FileError):
    """The process that worked on an item is gone."""


class Answer(NamedTuple):
    """What became of one item: its result, or why there is none."""

    result: Any
    error: GraphSurgeonError | None


class ItemLimits(NamedTuple):
    """What one item may take.

    Attributes:
        seconds: how long; None for as long as it takes.
        memory: bytes that a process may allocate, where the system can hold it to that (Linux); None for any.
    """

    seconds: float | None = None
    memory: int | None = None


_NO_LIMITS = ItemLimits()


def in_processes(function: str, items: Sequence[Any], *, jobs: int, seconds: float | None = None) -> Iterator[Answer]:
    """Yield an answer for each item, in the order of the items, whatever the order of the work.

    Args:
        function: as `module:name`; it is called with an item and returns something that can be sent.
        items: what to work on; they must be sendable.
        jobs: how many processes.
        seconds: how long one item may take; None for as long as it takes.
    """
    answers: dict[int, Answer] = {}
    following = 0
    for number, answer in as_they_come(function, items, jobs=jobs, limits=ItemLimits(seconds)):
        answers[number] = answer
        while following in answers:
            yield answers.pop(following)
            following += 1


def as_they_come(
    function: str, items: Sequence[Any], *, jobs: int, limits: ItemLimits = _NO_LIMITS
) -> Iterator[tuple[int, Answer]]:
    """Yield the number of each item with its answer, as soon as there is one; see `in_processes`."""
    work = _Work(function, items, limits)
    try:
        for _ in range(max(1, min(jobs, len(items)))):
            work.start()
        done = 0
        while done < len(items):
            answers = work.step()
            done += len(answers)
            yield from answers.items()
    finally:
        work.stop()


class _Worker:
    """A process, its end of the pipe, and the item that it holds."""

    def __init__(self, function: str, others: Sequence[Connection], memory: int | None) -> None:
        # A new interpreter would look for its modules in the current folder first, where a stranger's models lie.
        context: Any = multiprocessing.get_context("fork" if _FORKS else "spawn")
        self.pipe, theirs = context.Pipe()
        inherited = [self.pipe, *others] if _FORKS else []
        self.process = context.Process(target=_serve, args=(function, theirs, inherited, memory), daemon=True)
        sys.stdout.flush()  # or the process would print once more what waits there
        self.process.start()
        theirs.close()
        self.item: int | None = None
        self.begun = 0.0

    def give(self, number: int, item: Any) -> None:
        self.item, self.begun = number, monotonic()
        self.pipe.send(item)

    def end(self) -> None:
        self.pipe.close()
        self.process.kill()
        self.process.join()


class _Work:
    def __init__(self, function: str, items: Sequence[Any], limits: ItemLimits) -> None:
        self.function = function
        self.items = items
        self.seconds = limits.seconds
        self.memory = limits.memory
        self.waiting = deque(range(len(items)))
        self.workers: list[_Worker] = []

    def start(self) -> None:
        worker = _Worker(self.function, [other.pipe for other in self.workers], self.memory)
        self.workers.append(worker)
        self._feed(worker)

    def stop(self) -> None:
        for worker in self.workers:
            worker.end()

    def step(self) -> dict[int, Answer]:
        """Wait until something happens, and return the answers that came of it."""
        handles: list[Any] = [worker.pipe for worker in self.workers]
        ready = wait(handles, timeout=_PATIENCE if self.seconds is not None else None)
        found: dict[int, Answer] = {}
        for worker in list(self.workers):
            if worker.pipe in ready:
                found.update(self._hear(worker))
            elif self.seconds is not None and worker.item is not None and monotonic() - worker.begun > self.seconds:
                found[worker.item] = Answer(None, TooLongError(f"gave no answer within {self.seconds:g} seconds"))
                self._replace(worker)
        return found

    def _hear(self, worker: _Worker) -> dict[int, Answer]:
        number = worker.item
        try:
            *told, is_last = worker.pipe.recv()
        except (EOFError, OSError):  # the process is gone
            worker.process.join()
            answer = Answer(None, DiedError(f"the process that looked at it {_end(worker.process.exitcode)}"))
            self._replace(worker)
        else:
            answer = Answer(*told)
            self._replace(worker) if is_last else self._feed(worker)
        return {number: answer} if number is not None else {}

    def _replace(self, worker: _Worker) -> None:
        worker.end()
        self.workers.remove(worker)
        if self.waiting:
            self.start()

    def _feed(self, worker: _Worker) -> None:
        if self.waiting:
            number = self.waiting.popleft()
            worker.give(number, self.items[number])
        else:
            worker.end()
            self.workers.remove(worker)


def _end(status: int | None) -> str:
    if status is not None and status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"


def _serve(function: str, pipe: Connection, inherited: Sequence[Connection], memory: int | None) -> None:
    """Answer items until the other end closes the pipe; that end must be nowhere else, or it would never close."""
    for other in inherited:
        other.close()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends this process
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    _limit(memory)
    module, _, name = function.partition(":")
    answer_all(getattr(import_module(module), name), pipe, memory)


def answer_all(act: Any, pipe: Connection, memory: int | None) -> None:
    """Answer items until the other end closes the pipe. What they leave behind is not kept.

    Args:
        act: is called with each item.
        pipe: gives items, and takes (result, error, whether it is the last answer of this process).
        memory: bytes that the process may take, for what is told of it.
    """
    begun_with = _held()  # of a process that was forked, what the parent holds
    for number in count(1):
        try:
            item = pipe.recv()
        except (EOFError, OSError):
            return
        answer = _answered(act, item, memory)
        gc.collect()  # nodes and graphs hold each other: without it the process grows to twice the size
        gc.freeze()  # modules and tables stay: the next collection looks at the next model alone
        is_last = number >= _MOST_ITEMS or _held() - begun_with > _MOST_MEMORY
        pipe.send((*answer, is_last))


def _answered(act: Any, item: Any, memory: int | None) -> Answer:
    try:
        return Answer(act(item), None)
    except GraphSurgeonError as error:
        error.__traceback__ = error.__context__ = error.__cause__ = None  # its frames would keep the model
        return Answer(None, error)
    except MemoryError:
        most = f"more than the {memory >> 20} MiB that it may take" if memory else "more memory than there is"
        return Answer(None, TooMuchError(f"needs {most}"))
    except RecursionError:
        return Answer(None, TooMuchError("is nested too deep"))


def _limit(memory: int | None) -> None:
    """Hold the process to what it may allocate: its data, not its maps, for files are mapped whole."""
    if memory is None or not sys.platform.startswith("linux"):
        return
    import resource

    resource.setrlimit(resource.RLIMIT_DATA, (memory, memory))


def _held() -> int:
    """Return the most bytes that this process has held, 0 where the system does not tell."""
    if sys.platform == "win32":
        return 0
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
