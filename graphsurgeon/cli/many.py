"""One command over many models: in the order they were given, in several processes if so asked, the worst status."""

from __future__ import annotations

import gc
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stderr, redirect_stdout
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

import typer

from graphsurgeon.cli import output
from graphsurgeon.errors import GraphSurgeonError


class _Said(NamedTuple):
    """What a command printed about one model, in another process, and the status that it ended with."""

    out: str
    error: str
    status: int


def for_each(models: Sequence[Path], act: str, options: Mapping[str, Any], *, jobs: int = 1) -> None:
    """Do the same with each model; of several, an error in one is told and the others follow.

    Args:
        models: where they lie.
        act: as `module:function`; called with a path, `among=` whether it is one of several, and the options; it
            prints what there is to say and returns an exit status.
        options: what the user asked for; they can be sent to another process.
        jobs: how many processes; what is printed does not depend on it.

    Raises:
        GraphSurgeonError: of a single model.
        typer.Exit: the worst status, unless it is 0.
    """
    if len(models) == 1:
        try:
            status = _function(act)(models[0], among=False, **options)
        except GraphSurgeonError as error:
            raise error.at(models[0]) from error.__cause__
    elif jobs == 1:
        status = max(_status(act, path, options) for path in models)
    else:
        status = max(_in_processes(models, act, options, jobs))
    if status:
        raise typer.Exit(status)


def answer(item: tuple[str, Path, Mapping[str, Any], bool]) -> _Said:
    """Do it with one model in a process of its own, and return what was printed."""
    act, path, options, on_terminal = item
    out, error = _Captured(on_terminal), io.StringIO()
    with redirect_stdout(out), redirect_stderr(error):
        status = _status(act, path, options)
    return _Said(out.getvalue(), error.getvalue(), status)


def _in_processes(models: Sequence[Path], act: str, options: Mapping[str, Any], jobs: int) -> Iterator[int]:
    from graphsurgeon.fleet.pool import in_processes

    items = [(act, path, options, sys.stdout.isatty()) for path in models]
    for path, (said, error) in zip(models, in_processes(f"{__name__}:answer", items, jobs=jobs), strict=True):
        if error is not None:  # the process is gone
            output.warn(str(error.at(path)))
            yield error.exit_code
            continue
        sys.stdout.write(said.out)
        sys.stdout.flush()  # or errors would stand before what was printed earlier
        sys.stderr.write(said.error)
        yield said.status


def _status(act: str, path: Path, options: Mapping[str, Any]) -> int:
    try:
        return int(_function(act)(path, among=True, **options))
    except GraphSurgeonError as error:
        output.warn(str(error.at(path)))
        return error.exit_code
    finally:
        gc.collect()  # nodes and graphs hold each other; without it memory follows the number of models
        gc.freeze()  # what is left are modules and tables: to go through them for each model was a third of the time


def _function(act: str) -> Any:
    module, _, name = act.partition(":")
    return getattr(import_module(module), name)


class _Captured(io.StringIO):
    """Takes what is printed for a terminal, or a pipe, as if it were there."""

    def __init__(self, on_terminal: bool) -> None:
        super().__init__()
        self.on_terminal = on_terminal

    def isatty(self) -> bool:
        return self.on_terminal
