"""Damaged copies of a file, and what every reader must make of them: an answer or one of our errors."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

from graphsurgeon.analysis.stored_weights.weights import list_weights
from graphsurgeon.analysis.summary import summarize
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model.model import Model

MOST_READ = 8 << 20  # bytes of one tensor that are read: a damaged shape claims more


def damaged(data: bytes, count: int, *, seed: int = 0) -> Iterator[bytes]:
    """Yield copies that are cut off, have bits flipped, or bytes set to the ends of their range."""
    chance = random.Random(seed)
    for number in range(count):
        copy = bytearray(data)
        if number % 4 == 0:
            yield bytes(copy[: chance.randrange(len(copy))])
            continue
        for _ in range(chance.choice((1, 1, 2, 8))):
            at = chance.randrange(len(copy))
            copy[at] = chance.choice((0, 255, copy[at] ^ (1 << chance.randrange(8)), chance.randrange(256)))
        yield bytes(copy)


def survives(read: Callable[[Path], Model], path: Path, copies: Iterator[bytes]) -> tuple[int, int]:
    """Read every copy, all its facts and small values; return how many gave an answer, how many an error of ours."""
    answers = errors = 0
    for copy in copies:
        path.write_bytes(copy)
        try:
            look_at(read(path))
            answers += 1
        except GraphSurgeonError as error:
            errors += "\n" not in str(error)  # else it counts as neither
    return answers, errors


def look_at(model: Model) -> None:
    """Ask a model for everything that the commands ask for."""
    summarize(model)
    for weight in list_weights(model, model.metagraphs, lambda metagraph: metagraph.graphs, small=True):
        if weight.bytes <= MOST_READ:
            try:
                weight.tensor.tobytes()
            except GraphSurgeonError:
                continue
