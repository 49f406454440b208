"""Options that say what data a run gets, the same for `run` and `verify`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

import typer

from graphsurgeon.cli.filters import parse_assumptions
from graphsurgeon.model.shape import Shape

Feeds = Annotated[
    list[str] | None,
    typer.Option("--feed", metavar="NAME=DATA", help="ones, zeros, random, a number, a JSON list, @FILE. Repeatable."),
]
Assume = Annotated[
    list[str] | None,
    typer.Option("--assume", metavar="NAME=SHAPE", help="Size of made data, such as x=1,224,224,3. Repeatable."),
]
RuntimeName = Annotated[
    str | None,
    typer.Option("--runtime", metavar="NAME", help="tensorflow, litert, onnxruntime or openvino; else the usual one."),
]
Seed = Annotated[int, typer.Option("--seed", help="Of random data.")]


def parse_shapes(texts: Iterable[str] | None, option: str = "--assume") -> dict[str, Shape]:
    """Return the shapes of `--assume`, or of the option named, by input.

    Raises:
        UsageError: a text is not of the form NAME=SHAPE.
    """
    found = parse_assumptions(list(texts or ()), option)
    return {str(name): shape if isinstance(shape, Shape) else Shape(shape) for name, shape in found.items()}
