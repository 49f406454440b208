"""The oracle in a process of its own: TensorFlow's shape functions may crash on the instances that we make."""

from __future__ import annotations

import multiprocessing
import random
from multiprocessing.connection import Connection
from typing import NamedTuple

from tests.shapes import op_hints
from tests.shapes.op_cases import draw, repaired

REPAIRS = 6
TIMEOUT = 60

assert op_hints  # fills the tables of op_cases


class Verdict(NamedTuple):
    """How an instance compares: `equal`, `more`, `less`, `wrong`, `dtype`, `none`, `refused`; `crash` of TensorFlow."""

    verdict: str
    text: str


class OracleProcess:
    """Answers for one instance at a time; started anew when TensorFlow crashes."""

    def __init__(self) -> None:
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def compare(self, op: str, seed: int) -> Verdict:
        """Draw an instance of an op, repair it a few times if TensorFlow refuses it, and compare."""
        if self._process is None:
            self._start()
        self._pipe.send((op, seed))
        try:
            if self._pipe.poll(TIMEOUT):
                return Verdict(*self._pipe.recv())
        except (EOFError, ConnectionResetError):
            pass
        self.stop()
        return Verdict("crash", op)

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
    while True:
        try:
            op, seed = pipe.recv()
        except EOFError:
            return
        pipe.send(tuple(compare_one(op, seed)))


def compare_one(op: str, seed: int) -> Verdict:
    """Draw, repair and compare an instance in this process."""
    from tests.shapes.oracle import compare_op

    rng = random.Random(f"{op} {seed}")
    case = draw(op, rng)
    comparison = compare_op(case)
    for _ in range(REPAIRS):
        if comparison.theirs is not None or not repaired(case, comparison.message, rng):
            break
        comparison = compare_op(case)
    return Verdict(comparison.verdict, f"{case}\nTensorFlow {comparison.theirs}\nours {comparison.ours}")
