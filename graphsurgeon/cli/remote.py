"""What every command that reads models has for those behind URLs."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from typer.core import TyperOption

from graphsurgeon.disk.places import RemotePath, path_of

_READ = frozenset(("model", "models", "paths", "before"))  # arguments that are models


def model_path(text: str) -> Path:
    """Return the path of a model that a command is given; of one behind a URL the user is told what takes long."""
    path = path_of(text)
    if isinstance(path, RemotePath):
        from graphsurgeon.cli import output
        from graphsurgeon.disk.remote import SETTINGS

        SETTINGS.tell = output.warn
    return path


def remote_options(params: Sequence[Any]) -> list[Any]:
    """Return the options that a command with such parameters gets beside them."""
    if not any(param.name in _READ for param in params):
        return []
    taken = {option for param in params for option in param.opts}
    options = [("--download", _download, "Fetch whole what a server gives no parts of, however large.")]
    if "--verbose" not in taken and "-v" not in taken:
        options.append(("--verbose", _nothing, "Say how much was fetched of what lies behind a URL."))
    return [
        TyperOption(
            param_decls=[name, "-v"] if name == "--verbose" else [name],
            is_flag=True,
            default=False,
            expose_value=False,
            callback=act,
            help=text,
        )
        for name, act, text in options
    ]


def tell_traffic(arguments: Sequence[str]) -> None:
    """Say how much was fetched, where anything was and the user asked for it."""
    if "graphsurgeon.disk.stores" not in sys.modules or not {"-v", "--verbose"} & set(arguments):
        return
    from graphsurgeon.cli import output
    from graphsurgeon.disk.remote import report

    if said := report():
        output.warn(said)


def _download(context: Any, option: Any, is_wanted: bool) -> bool:
    if is_wanted:
        from graphsurgeon.disk.remote import SETTINGS

        SETTINGS.download = True
    return is_wanted


def _nothing(context: Any, option: Any, is_wanted: bool) -> bool:
    return is_wanted
