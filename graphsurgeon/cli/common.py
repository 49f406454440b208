"""Options that several commands share, each with one meaning, and the ways in which names are listed and paired."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from graphsurgeon.cli.remote import model_path
from graphsurgeon.errors import FormatError, UsageError

if TYPE_CHECKING:
    from graphsurgeon.bridges.guard import Allowed

Model = Annotated[
    Path,
    typer.Argument(
        metavar="MODEL",
        help="A file, a folder, or the prefix of a checkpoint; here or behind a URL.",
        show_default=False,
        parser=model_path,
    ),
]
Models = Annotated[
    list[Path],
    typer.Argument(
        metavar="MODEL...",
        help="Files, folders, or prefixes of checkpoints; here or behind URLs.",
        show_default=False,
        parser=model_path,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Tags = Annotated[
    str | None,
    typer.Option("--tags", metavar="A,B", help="The MetaGraph with exactly these tags; `none` for no tags."),
]
Assets = Annotated[
    list[str] | None,
    typer.Option("--asset", metavar="NAME=FILE", help="A vocabulary file that the graph of a .meta reads."),
]
GraphName = Annotated[
    str | None,
    typer.Option("--graph", metavar="NAME", help="One function or subgraph: a name, a glob, or `main`."),
]
All = Annotated[bool, typer.Option("--all", help="Show everything.")]
Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more: reasons, and what was left alone.")]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        "--allow", metavar="OP[:PATH]", help="Let a model that is run do this outside itself; a glob may be a path."
    ),
]
AllowFiles = Annotated[bool, typer.Option("--allow-files", help="Let a model that is run use any file.")]
Jobs = Annotated[int, typer.Option("-j", "--jobs", metavar="N", min=1, help="Look at so many models at once.")]
_T = TypeVar("_T")
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]


def expanding(**groups: Callable[..., Any]) -> Callable[[Callable[..., _T]], Callable[..., _T]]:
    """Give a command groups of options: a parameter becomes those of a function, and gets what the function returns.

    @expanding(filters=filter_options)
    def find(model: Model, filters: Filters, ...) -> None: ...
    """

    def expand(function: Callable[..., _T]) -> Callable[..., _T]:
        parameters: list[inspect.Parameter] = []
        for parameter in inspect.signature(function, eval_str=True).parameters.values():
            group = groups.get(parameter.name)
            own = [parameter] if group is None else inspect.signature(group, eval_str=True).parameters.values()
            parameters += [each.replace(kind=inspect.Parameter.KEYWORD_ONLY) for each in own]

        @wraps(function)
        def command(**values: Any) -> _T:
            for name, group in groups.items():
                values[name] = group(**{option: values.pop(option) for option in inspect.signature(group).parameters})
            return function(**values)

        command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
        return command

    return expand


def parse_allowed(allow: Iterable[str] | None, allow_files: bool) -> Allowed:
    """Return what `--allow` and `--allow-files` let a model do."""
    from graphsurgeon.bridges.guard import Allowed

    return Allowed(tuple(allow or ()), allow_files)


def split_list(values: Iterable[str] | None, *, commas: bool = True) -> list[str]:
    """Return the items of an option that may be repeated and hold several items between commas.

    Args:
        values: what was given.
        commas: False for TFLite tensors, whose names hold commas.
    """
    items = [item for value in values or () for item in (value.split(",") if commas else (value,))]
    return [item.strip() if commas else item for item in items if item.strip()]


def split_pairs(values: Iterable[str] | None) -> list[str]:
    """Return the `A=B` of an option that may be repeated and hold several between commas.

    What holds no `=` is part of the value before it: `x=1,2,y=3` is `x=1,2` and `y=3`.
    """
    pairs = []
    for value in values or ():
        first, *others = re.split(r',(?=[^,=\[\]"]+=)', value)
        while others and "=" not in first:  # a TFLite tensor's name holds a comma
            first = f"{first},{others.pop(0)}"
        pairs += [first, *others]
    return pairs


def split_pair(text: str, what: str = "OLD=NEW") -> tuple[str, str]:
    """Cut `A=B` at the last `=`.

    Raises:
        UsageError: there is none, or nothing before it.
    """
    left, sign, right = text.rpartition("=")
    if not sign or not left:
        first, _, second = what.rpartition("=")
        hint = f"such as {text}={second}" if text and not sign else "names with `=` at the end go into --map FILE"
        if second == "SHAPE" and not sign and text:  # a shape alone, or a colon for the sign
            hint = f"such as {text.replace(':', '=', 1) if ':' in text else f'{first}={text}'}"
        raise UsageError(f"{text!r} is not of the form {what}", hint=hint)
    return left, right


def has_free_names(path: Path) -> bool:
    """Say whether names of a model's tensors may hold commas, as in a TFLite file.

    Raises:
        FileError: there is no such model.
    """
    from graphsurgeon.formats.recognise.locate import locate

    return locate(path).traits.has_free_names


def read_map(path: Path) -> dict[str, str]:
    """Return the pairs of a JSON file, for names that cannot be written as `A=B`.

    Raises:
        FileError: the file is missing, unreadable or no JSON.
        UsageError: it is no object of texts.
    """
    pairs = read_json(path)
    if not all(isinstance(new, str) for new in pairs.values()):
        raise UsageError('is not of the form {"old": "new"}', path=path)
    return pairs


def write_map(pairs: Mapping[str, str], path: Path, *, sources: Iterable[Path], force: bool) -> None:
    """Write pairs as `read_map` reads them.

    Args:
        pairs: old -> new.
        path: the file.
        sources: the models that it is made from, as they were named.
        force: replace an existing file.

    Raises:
        UsageError: the file exists, or belongs to a model that is read.
        FileError: it cannot be written.
    """
    import json

    from graphsurgeon.export import export_file

    text = json.dumps(dict(pairs), indent=2, ensure_ascii=False) + "\n"
    export_file(path, [text.encode("utf-8", "surrogateescape")], sources=sources, force=force)


def read_json(path: Path) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Raises:
        FileError: the file is missing, unreadable or no JSON.
        UsageError: it holds something else.
    """
    import json

    from graphsurgeon.disk.files import open_source

    source = open_source(path)
    try:
        found = json.loads(source.read_at(0, source.size))
    except UnicodeDecodeError as error:
        raise FormatError(f"no JSON: byte {error.start} is no text", path=path) from error
    except (ValueError, RecursionError) as error:
        raise FormatError(f"no JSON: {error}", path=path) from error
    if not isinstance(found, dict):
        raise UsageError("is no JSON object", path=path)
    return found


def parse_tags(text: str | None) -> list[str] | None:
    """Return the tags of `--tags`; None if it was not given."""
    return None if text is None else split_list([text])


def parse_assets(values: Iterable[str] | None) -> dict[str, str]:
    """Return name of an asset -> file, of `--asset`."""
    return dict(split_pair(text, "NAME=FILE") for text in values or ())
