"""The oracle in a process of its own: TensorFlow's shape functions may crash on the instances that we make."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import NamedTuple

from tests.shapes import op_hints
from tests.shapes.op_cases import draw, repaired

REPAIRS = 6
MOST_DRAWN = 100
TIMEOUT = 120

assert op_hints  # fills the tables of op_cases


class Verdict(NamedTuple):
    """How an instance compares: `equal`, `more`, `less`, `wrong`, `dtype`, `none`, `refused`; `crash` of TensorFlow."""

    op: str
    verdict: str
    text: str


class OracleProcess:
    """Answers for many ops at a time; started anew when TensorFlow crashes."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def compare(self, ops: Sequence[str], count: int) -> list[Verdict]:
        """Draw instances of ops, repair each a few times if TensorFlow refuses it, and compare `count` that it accepts.

        Where TensorFlow crashes, the ops before are lost with the one it crashed on, which is named.
        """
        if self._process is None:
            self._start()
        self._pipe.send((list(ops), count))
        op = "?"
        try:
            while self._pipe.poll(TIMEOUT):
                answer = self._pipe.recv()
                if isinstance(answer, list):
                    return [Verdict(*row) for row in answer]
                op = answer
        except (EOFError, ConnectionResetError):
            pass
        self.stop()
        return [Verdict(op, "crash", "TensorFlow crashed or hung")]

    def stop(self) -> None:
        """End the process."""
        if self._process is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._process = None

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()


def _serve(pipe: Connection) -> None:
    """Answer until the pipe is closed: the name of each op when its turn comes, and all verdicts at the end."""
    from tests.shapes.oracle import OpOracle

    while True:
        try:
            ops, count = pipe.recv()
        except EOFError:
            return
        oracle = OpOracle()
        for op in ops:
            pipe.send(op)
            ask_about(oracle, op, count)
        pipe.send([tuple(verdict) for verdict in verdicts(oracle)])


def ask_about(oracle: object, op: str, count: int) -> None:
    """Draw instances of an op until TensorFlow has accepted a number of them, or has refused too many."""
    accepted = 0
    for seed in range(MOST_DRAWN):
        rng = random.Random(f"{op} {seed}")
        case = draw(op, rng)
        theirs, message = oracle.ask(case)
        for _ in range(REPAIRS):
            if theirs is not None or not repaired(case, message, rng):
                break
            theirs, message = oracle.ask(case)
        oracle.keep(case, theirs, message)
        accepted += theirs is not None
        if accepted == count:
            return


def verdicts(oracle: object) -> list[Verdict]:
    """Compare what was asked."""
    return [
        Verdict(case.op, found.verdict, f"{case}\nTensorFlow {found.theirs}{found.message}\nours {found.ours}")
        for case, found in oracle.comparisons()
    ]
