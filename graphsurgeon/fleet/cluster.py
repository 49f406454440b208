"""The rows of a catalog, made by the workers of a Dask cluster that see the same paths.

A task of Dask runs in a thread, where no time limit can be set, and a task that ends its worker takes others with it.
So a task starts a Python of its own, which works through a few models with the pool of `pool.py`: what hangs, dies or
needs too much ends a process of that pool, and costs its row.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any

from graphsurgeon.errors import FileError, UnsupportedError
from graphsurgeon.fleet.pool import Answer, DiedError, ItemLimits, as_they_come
from graphsurgeon.fleet.row import Row, Wanted, failed

_LEAST, _MOST = 16, 64  # models a task: starting a Python takes as long as forty small models
_SHARES = 4  # tasks for each worker, so that all end at about the same time
_PATIENCE = 10.0  # seconds to reach the scheduler


def on_cluster(
    scheduler: str, paths: Sequence[str], wanted: Wanted, limits: ItemLimits
) -> Iterator[tuple[int, Answer]]:
    """Yield the number of each path with its row, as they come from the workers.

    Raises:
        UnsupportedError: Dask is not installed, here or with another version of this package there.
        FileError: the scheduler cannot be reached.
    """
    try:
        from distributed import Client, as_completed
    except ImportError:
        raise UnsupportedError("--scheduler needs Dask", hint="pip install 'tf-graphsurgeon[fleet]'") from None
    try:
        client = Client(scheduler, timeout=_PATIENCE)
    except (OSError, ValueError) as error:  # no such address, nobody there
        hint = "give the address that `dask scheduler` says, such as tcp://host:8786"
        raise FileError(f"cannot reach the scheduler {scheduler}: {error}", hint=hint) from error
    with client:
        share = -(-len(paths) // (_SHARES * max(1, len(client.nthreads()))))
        size = min(_MOST, max(_LEAST, share))
        batches = [range(first, min(first + size, len(paths))) for first in range(0, len(paths), size)]
        tasks = {}
        for batch in batches:
            chosen = [os.path.abspath(paths[number]) for number in batch]  # a worker stands somewhere else
            # Not pure: a file that has changed is to be read again. No retries: what ends a worker ends the next one.
            task = client.submit(rows_of, chosen, asdict(wanted), limits, pure=False, retries=0)
            tasks[task] = batch
        for task in as_completed(tasks):
            rows = task.result() if task.status == "finished" else None
            for place, number in enumerate(tasks[task]):
                yield number, _answer(paths[number], None if rows is None else rows[place])
            task.release()


def rows_of(paths: Sequence[str], wanted: dict[str, Any], limits: ItemLimits) -> list[Row | None]:
    """Return the rows of some models, made in a process of its own; None where there is none. Runs in any thread."""
    # The child finds modules where this process does, but for the folder that it stands in, where models may lie.
    code = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import main; main()"
    command = [sys.executable, "-c", code, *filter(None, sys.path)]
    request = {"paths": list(paths), "wanted": wanted, "limits": list(limits)}
    made = subprocess.run(command, input=json.dumps(request).encode(), stdout=subprocess.PIPE, check=False)
    found = {}
    for line in made.stdout.splitlines():
        number, row = json.loads(line)
        found[number] = row
    return [found.get(number) for number in range(len(paths))]


def main() -> None:
    """Answer one request on the standard input, a row a line."""
    request = json.load(sys.stdin)
    wanted, limits, paths = Wanted(**request["wanted"]), ItemLimits(*request["limits"]), request["paths"]
    items = [(path, wanted) for path in paths]
    for number, answer in as_they_come("graphsurgeon.fleet.row:describe_item", items, jobs=1, limits=limits):
        row = answer.result if answer.error is None else failed(paths[number], answer.error)
        print(json.dumps([number, row]), flush=True)


def _answer(path: str, row: Row | None) -> Answer:
    if row is None:
        return Answer(None, DiedError("the worker that looked at it is gone"))
    return Answer({**row, "path": path}, None)
