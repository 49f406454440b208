"""Convert a model for another framework: the function behind `gs convert MODEL out.onnx`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

from graphsurgeon.bridges.converting.request import ConversionReport, Request
from graphsurgeon.bridges.converting.table import converter_for, converters
from graphsurgeon.disk.places import path_of
from graphsurgeon.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from typing_extensions import Unpack

    from graphsurgeon.bridges.guard import Allowed, Tell


class Settings(TypedDict, total=False):
    """The fields of `Request` beside `path` and `target`, as keyword arguments."""

    inputs: Sequence[str]
    outputs: Sequence[str]
    signature: str | None
    set_values: Mapping[str, object]
    tags: Sequence[str] | None
    checkpoint: Path | None
    verify: bool
    seed: int
    force: bool
    dry_run: bool
    allowed: Allowed
    tell: Tell | None
    settings: Mapping[str, Any]


def convert(
    path: str | os.PathLike[str],
    target: str | os.PathLike[str],
    *,
    format: str | None = None,
    **settings: Unpack[Settings],
) -> ConversionReport:
    """Convert a model for another framework, load the result, and compare what both compute.

    Args:
        path: the model.
        target: where it goes; its suffix decides what it becomes.
        format: overrides the suffix.
        **settings: the fields of `Request`.

    Raises:
        UnsupportedError: an extra is missing, or the model has what the target cannot have.
        UsageError: a name does not exist, or the target is to stay as it is.
    """
    way = converter_for(path_of(path), Path(target), format)
    if way is None:
        there = ", ".join(sorted(suffix for each in converters() for suffix in each.suffixes if suffix))
        raise UsageError(
            "no converter makes that", path=target, hint=f"there is {there}; graphsurgeon.edit changes containers"
        )
    return way.carry_out(Request(path=path_of(path), target=Path(target), **settings))
