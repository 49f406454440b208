"""`gs weights`: variables and constants, their checksums, statistics and values; and their export."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import typer

from graphsurgeon.analysis.names import choose_graphs, choose_metagraph, natural
from graphsurgeon.analysis.patterns import matcher, suggest_name
from graphsurgeon.analysis.stored_weights.variables import names_of_variables
from graphsurgeon.analysis.stored_weights.weights import (
    Allowance,
    Statistics,
    Weight,
    checksum,
    is_small,
    list_weights,
    statistics,
)
from graphsurgeon.cli import output
from graphsurgeon.cli.common import All, GraphName, Jobs, Json, Models, Tags, parse_tags, split_list
from graphsurgeon.cli.many import for_each
from graphsurgeon.errors import FileError, UsageError
from graphsurgeon.model.model import Model as ModelFile


class Order(str, Enum):
    """Orders of a list of weights."""

    FILE = "file"
    NAME = "name"
    SIZE = "size"


@dataclass(frozen=True)
class Row(Weight):
    """A weight with what was computed from its values.

    Attributes:
        is_intact: whether the stored values match their stored checksum; None if none is stored.
        error: why the values cannot be read.
    """

    sha256: str | None = None
    is_intact: bool | None = None
    stats: Statistics | None = None
    error: str | None = None


def weights(
    models: Models,
    match: Annotated[
        list[str] | None,
        typer.Option("--match", metavar="PATTERN", help="Only names like this: a name, a glob, re:REGEX. Repeatable."),
    ] = None,
    sort: Annotated[
        Order | None,
        typer.Option("--sort", help="Order of the list; on a terminal by size, largest first, else as in the file."),
    ] = None,
    with_checksum: Annotated[
        bool, typer.Option("--checksum", help="SHA-256 of each weight; stored checksums are verified.")
    ] = False,
    stats: Annotated[bool, typer.Option("--stats", help="Smallest, largest, mean, deviation, zeros, NaN.")] = False,
    values: Annotated[str | None, typer.Option("--values", metavar="NAME", help="Print the values of one.")] = None,
    part: Annotated[
        str | None, typer.Option("--slice", metavar="SLICE", help="With --values: a part, such as 0,:5 as in numpy.")
    ] = None,
    export: Annotated[
        Path | None, typer.Option("--export", metavar="FILE", help="Write them to an .npz or .safetensors file.")
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing FILE.")] = False,
    dequantize: Annotated[bool, typer.Option("--dequantize", help="TFLite: real numbers for quantized ones.")] = False,
    everything: All = False,
    tags: Tags = None,
    graph: GraphName = None,
    jobs: Jobs = 1,
    as_json: Json = False,
) -> None:
    """List the weights: variables of the checkpoint and constants of the graphs.

    Values are read only for --checksum, --stats, --values and --export. Constants of fewer than 16 elements are
    listed with --all. A terminal gets the 20 largest under the names of the variables, and sums; a pipe all of them
    in file order. Several models are listed one after the other (with --json one object a line).

    Examples:
        gs weights model/ --sort size
        gs weights model.ckpt-1000 --match 'conv1/*' --stats
        gs weights model.ckpt-1000 --values conv1/weights --slice 0,0
        gs weights models/*.tflite --checksum --json -j 4
        gs weights model/ --export weights.npz
    """
    if len(models) > 1 and (values is not None or export is not None):
        raise UsageError("--values and --export are for one model", hint="give one model")
    options = {
        "match": match,
        "sort": sort,
        "with_checksum": with_checksum,
        "with_stats": stats,
        "values": values,
        "part": part,
        "export": export,
        "force": force,
        "dequantize": dequantize,
        "everything": everything,
        "tags": parse_tags(tags),
        "graph": graph,
        "as_json": as_json,
    }
    for_each(models, f"{__name__}:list_one", options, jobs=jobs)


def list_one(
    path: Path,
    *,
    match: list[str] | None,
    sort: Order | None,
    with_checksum: bool,
    with_stats: bool,
    values: str | None,
    part: str | None,
    export: Path | None,
    force: bool,
    dequantize: bool,
    everything: bool,
    tags: list[str] | None,
    graph: str | None,
    as_json: bool,
    among: bool,
) -> int:
    """List, print or export the weights of one model. Returns the exit status."""
    from graphsurgeon.cli.text import weights as weights_text
    from graphsurgeon.formats import read

    file = read(path)
    every = _list(file, tags, graph)
    with_small = everything or values is not None
    found = every if with_small else [weight for weight in every if not is_small(weight)]
    patterns = split_list(match, commas=not file.traits.has_free_names)
    chosen = _select(file, found, [values] if values is not None else patterns, every)
    chosen = [_dequantized(weight) for weight in chosen] if dequantize else chosen
    for_people = sys.stdout.isatty() and not as_json and export is None
    order = sort or (Order.SIZE if for_people else Order.FILE)
    chosen = sorted(chosen, key=_ORDERS[order]) if order is not Order.FILE else chosen
    if values is not None:
        weights_text.print_values(_only(chosen, values), part, as_json=as_json)
    elif export is not None:
        _require_intact(file, [])
        Allowance(sum(file.files.values())).take(sum(weight.tensor.nbytes for weight in chosen))
        weights_text.export(chosen, path, export, force=force, as_json=as_json)
    else:
        rows = _rows(file, chosen, with_checksum=with_checksum, with_stats=with_stats, quiet=as_json)
        weights_text.print_rows(
            rows, with_checksum=with_checksum, with_stats=with_stats, as_json=as_json, path=path if among else None,
            left_out=0 if patterns else len(every) - len(found), everything=everything,
        )  # fmt: skip
        _require_intact(file, rows)
    return 0


def _list(file: ModelFile, tags: Sequence[str] | None, graph: str | None) -> list[Weight]:
    metagraphs = file.metagraphs if tags is None else [choose_metagraph(file, tags)]
    return list_weights(file, metagraphs, lambda metagraph: choose_graphs(metagraph, graph), small=True)


def _select(file: ModelFile, weights: list[Weight], patterns: Sequence[str], every: Sequence[Weight]) -> list[Weight]:
    """Keep what one of the patterns matches, by the name in the file or any that the variable goes by.

    Args:
        file: the model.
        weights: among these.
        patterns: names, globs or `re:` expressions; none for all.
        every: the weights with those that are too small to be listed.

    Raises:
        UsageError: a pattern matches nothing.
    """
    if not patterns:
        return weights
    others = names_of_variables(file.checkpoint, file) if file.checkpoint is not None else {}
    called = [_names(weight, others) for weight in weights]
    names = set().union(*called)
    tests = []
    for pattern in patterns:
        test = matcher(pattern, names.__contains__)
        if not any(map(test, names)):
            known = set().union(*(_names(weight, others) for weight in every))
            among_small = any(map(test, known))
            hint = "--all takes small constants too" if among_small else suggest_name(pattern, sorted(known))
            raise UsageError(f"no weight matches {pattern!r}", hint=hint)
        tests.append(test)
    return [
        weight for weight, own in zip(weights, called, strict=True) if any(test(name) for test in tests for name in own)
    ]


def _names(weight: Weight, others: Mapping[str, Iterable[str]]) -> set[str]:
    names = {weight.name, *([weight.variable] if weight.variable else [])}
    if weight.index is not None:
        names.add(f"#{weight.index}")
    return names if weight.kind == "constant" else names.union(others.get(weight.name, ()))


def _only(weights: list[Weight], pattern: str) -> Weight:
    if len(weights) == 1:
        return weights[0]
    shown = ", ".join(_unique_name(weight, weights) for weight in weights[:8])
    more = f" and {len(weights) - 8} more" if len(weights) > 8 else ""
    raise UsageError(f"{len(weights)} weights match {pattern!r}", hint=f"name one of {shown}{more}")


def _unique_name(weight: Weight, among: Sequence[Weight]) -> str:
    if sum(other.name == weight.name for other in among) == 1:
        return weight.name
    return f"#{weight.index}" if weight.index is not None else f"{weight.name} (--graph {weight.graph or 'main'})"


def _dequantized(weight: Weight) -> Weight:
    from graphsurgeon.analysis.stored_weights.dequantize import dequantized

    tensor = dequantized(weight.tensor, weight.quantization)
    return replace(weight, tensor=tensor, dtype=tensor.dtype, bytes=tensor.nbytes)


_ORDERS: dict[Order, Callable[[Weight], Any]] = {
    Order.NAME: lambda weight: (natural(weight.name), weight.graph),
    Order.SIZE: lambda weight: (-weight.bytes, natural(weight.name), weight.graph),
}


def _rows(
    file: ModelFile, weights: Sequence[Weight], *, with_checksum: bool, with_stats: bool, quiet: bool
) -> list[Row]:
    rows = []
    total = sum(weight.bytes for weight in weights)
    done = 0
    allowance = Allowance(sum(file.files.values()))
    with output.progress_bar("reading", quiet=quiet or not (with_checksum or with_stats)) as progress:
        for weight in weights:
            rows.append(_row(file, weight, allowance, with_checksum=with_checksum, with_stats=with_stats))
            done += weight.bytes
            if progress is not None:
                progress(done, total)
    return rows


def _row(file: ModelFile, weight: Weight, allowance: Allowance, *, with_checksum: bool, with_stats: bool) -> Row:
    row = Row(**{name: getattr(weight, name) for name in weight.__dataclass_fields__})
    try:
        if with_checksum and _has_bytes(weight):
            row = replace(row, sha256=checksum(weight.tensor, allowance), is_intact=_is_intact(file, weight))
        if with_stats:
            row = replace(row, stats=statistics(weight.tensor, allowance))
    except FileError as error:
        row = replace(row, error=str(error))
    return row


def _require_intact(file: ModelFile, rows: Sequence[Row]) -> None:
    """Tell what could not be read, or is not what was stored, in one line: the list has been printed."""
    if file.unreadable:
        raise FileError(file.unreadable)
    bad = [row for row in rows if row.error is not None or row.is_intact is False]
    if bad:
        what = bad[0].error or f"the stored values of {bad[0].name!r} do not match their checksum"
        more = f" (and {len(bad) - 1} more)" if len(bad) > 1 else ""
        raise FileError(what + more, hint="restore the file from its source")


def _has_bytes(weight: Weight) -> bool:
    return weight.dtype.name not in ("resource", "variant")


def _is_intact(file: ModelFile, weight: Weight) -> bool | None:
    """Say whether stored values match their stored checksum; None where none is stored."""
    if file.checkpoint is None or weight.kind == "constant":
        return None
    from graphsurgeon.formats.checkpoint.find import verify_checksums

    return not verify_checksums(file.checkpoint, [weight.name])
