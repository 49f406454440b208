"""`gs rename`."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from graphsurgeon.cli.common import GraphName, Model, Tags, parse_tags, read_map, split_pair
from graphsurgeon.cli.edit_command import Steps, edit_command


class What(str, Enum):
    """Kinds of names."""

    nodes = "nodes"
    functions = "functions"
    variables = "variables"
    signatures = "signatures"
    keys = "keys"
    tags = "tags"
    state = "state"


@edit_command
def rename(
    model: Model,
    pairs: Annotated[
        list[str] | None,
        typer.Argument(metavar="OLD=NEW...", help="Names; with / at the end of both, scopes.", show_default=False),
    ] = None,
    what: Annotated[
        What | None, typer.Option("--what", help="Which names; nodes by default, of a checkpoint variables.")
    ] = None,
    regex: Annotated[
        list[str] | None,
        typer.Option("--regex", metavar="s|PATTERN|NEW|", help="Substitute in every name; any sign for |. Repeatable."),
    ] = None,
    mapping: Annotated[
        Path | None, typer.Option("--map", metavar="FILE", help='Pairs as JSON: {"old": "new"}.')
    ] = None,
    prefix: Annotated[str, typer.Option("--prefix", metavar="TEXT", help="Put before every name.")] = "",
    strip_prefix: Annotated[
        str, typer.Option("--strip-prefix", metavar="TEXT", help="Cut from every name that begins so.")
    ] = "",
    ema: Annotated[
        bool, typer.Option("--ema", help="Weights and their moving averages change places; twice puts them back.")
    ] = False,
    graph: GraphName = None,
    tags: Tags = None,
) -> Steps:
    """Rename nodes, scopes, functions, variables, signatures, their keys, or tags; every mention follows.

    Of a TFLite model tensors are renamed. Renaming nodes leaves checkpoint keys alone; --what variables renames
    keys, nodes and objects together, so that the model still restores. A tag renamed to `none` is dropped. --what state
    lets the file `checkpoint` beside a checkpoint name what is there, as after a folder was moved.

    Examples:
      gs rename frozen.pb input:0=image prob/Softmax=prob -o renamed.pb
      gs rename model/ --what keys serving_default.output_0=scores -o out/
      gs rename model/ --regex "s|^while/|loop/|" -o out/
      gs rename train/ --what state --in-place
      gs rename model.ckpt-1000 --strip-prefix tower_0/ -o plain.ckpt
      gs rename model.ckpt-1000 --ema -o averaged.ckpt
    """
    names = {**(read_map(mapping) if mapping is not None else {}), **dict(map(split_pair, pairs or ()))}
    arguments = {
        "names": names,
        "what": what.value if what is not None else None,
        "regex": regex or [],
        "prefix": prefix,
        "strip_prefix": strip_prefix,
        "ema": ema,
        "graph": graph,
        "tags": parse_tags(tags),
    }
    return [("rename", arguments)]
