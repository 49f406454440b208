"""What all commands that change a model have in common: where the result goes, and what is told about it.

A command is a function from its own options to steps; `edit_command` adds MODEL's companions (`-o`,
`--in-place`, `--dry-run` ...), runs `edit.edit` and shows its report:

    @edit_command
    def rename(model: Model, pairs: ..., tags: Tags = None) -> Steps:
        return [("rename", {"names": ..., "tags": parse_tags(tags)})]

A recipe is made of such commands, a line each; `steps_of_line` gives the steps of one.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

import typer

from graphsurgeon.cli import output
from graphsurgeon.cli.common import Allow, AllowFiles, Json, Quiet, Verbose, parse_allowed
from graphsurgeon.edit import EditReport, Step, Where, edit
from graphsurgeon.errors import UsageError

if TYPE_CHECKING:
    from graphsurgeon.compare.equivalence import EquivalenceReport
    from graphsurgeon.model.model import Model as ModelFile

Steps = list[Step]


class Redirected(NamedTuple):
    """Steps of a command that decides itself where the result goes, or writes what is no model."""

    steps: Steps
    target: str | Path | None
    force_text: bool = False
    export: Callable[[Options], None] | None = None


_LONG_OUTPUT = "--output"  # what -o was called until 0.1; entries of a signature have that name too
_OUTPUTS = "--outputs"
_ONE_OUTPUT = "give one -o OUT; --outputs A,B names tensors"
_MARK = "is_edit"  # attribute of the commands made here
_collected: ContextVar[list[Step] | None] = ContextVar("collected", default=None)


class Options(NamedTuple):
    """What every edit is asked."""

    target: str | Path | None
    in_place: bool
    force: bool
    format: str | None
    link: bool
    dry_run: bool
    as_json: bool
    quiet: bool
    verbose: bool
    print_recipe: bool
    verify: bool
    allow: list[str] | None
    allow_files: bool


def edit_command(steps_of: Callable[..., Steps | Redirected], *, without: Collection[str] = ()) -> Callable[..., None]:
    """Make a command of a function that turns its options into steps; its parameter `model` is the path.

    Args:
        steps_of: what it does. A parameter `options` gets what every edit is asked.
        without: parameters of `_options` that the command does not have.
    """
    own = list(inspect.signature(steps_of, eval_str=True).parameters.values())
    flags = {flag for parameter in own for flag in _flags(parameter)}
    left_out = {*without, *(["long_target"] if _LONG_OUTPUT in flags else [])}
    shared = [p for p in inspect.signature(_options, eval_str=True).parameters.values() if p.name not in left_out]
    wants_options = any(parameter.name == "options" for parameter in own)
    own = [parameter for parameter in own if parameter.name != "options"]
    context = inspect.Parameter("context", inspect.Parameter.POSITIONAL_OR_KEYWORD, annotation=typer.Context)

    @wraps(steps_of)
    def command(context: typer.Context, **values: Any) -> None:
        options = _options(**{parameter.name: values[parameter.name] for parameter in shared})
        values = {parameter.name: values[parameter.name] for parameter in own}
        found = steps_of(**values, **({"options": options} if wants_options else {}))
        redirected = found if isinstance(found, Redirected) else Redirected(found, None)
        options = options._replace(target=redirected.target or options.target)
        collected = _collected.get()
        if collected is not None:
            if options.target or options.in_place or options.format or options.print_recipe:
                raise UsageError("where the result goes does not belong into a recipe", hint="say it to gs apply")
            collected += redirected.steps
        elif options.print_recipe:
            output.verbatim(_recipe_line(context, values["model"]))
        elif redirected.export is not None:
            redirected.export(options)
        else:
            confirm = _no_tensor(options.target) if _OUTPUTS in flags else None
            run_edit(values["model"], redirected.steps, options, confirm=confirm, force_text=redirected.force_text)

    names = {parameter.name for parameter in own}  # a command may want to know of a shared option, such as --json
    every = [*own, *(parameter for parameter in shared if parameter.name not in names)]
    keywords = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in every]
    command.__signature__ = inspect.Signature([context, *keywords])  # type: ignore[attr-defined]
    setattr(command, _MARK, True)
    return command


def is_step() -> bool:
    """Say whether a command is asked for its steps only, as a line of a recipe."""
    return _collected.get() is not None


def run_edit(
    model: Path,
    steps: Steps,
    options: Options,
    *,
    confirm: Callable[[ModelFile], None] | None = None,
    force_text: bool = False,
) -> None:
    """Run steps on a model and tell what was done.

    Args:
        model: its path.
        steps: what is done to it.
        options: where the result goes, and what is told.
        confirm: refuses a place that cannot be meant, given the model.
        force_text: read text of more than 64 MiB.

    Raises:
        GraphSurgeonError: why nothing was written.
        typer.Exit: with status 1, where the verifier disagrees.
    """
    verifier = _verifier(model, steps, options) if options.verify else None
    with output.progress_bar("writing", quiet=options.quiet or options.as_json) as progress:
        report = edit(
            model,
            steps,
            Where(options.target, options.in_place, options.force, options.format, options.link, confirm),
            force_text=force_text,
            dry_run=options.dry_run,
            verify=verifier,
            progress=progress,
        )
    show_edit(report, options)
    if report.verdict is not None and not report.verdict.agrees:
        raise typer.Exit(1)


def show_edit(report: EditReport, options: Options) -> None:
    """Print the report of an edit: as facts, or as JSON with the fields of a single step among its own."""
    if options.as_json:
        output.print_json(_edit_to_json(report))
    elif not options.quiet:
        from graphsurgeon.cli.text.edit import print_edit

        print_edit(report, verbose=options.verbose)


def steps_of_line(model: Path, words: Sequence[str]) -> Steps:
    """Return the steps of one line of a recipe: a command as it is typed, without `gs`, MODEL and `-o`.

    Raises:
        UsageError: there is no such edit, or its options are wrong.
    """
    from graphsurgeon.cli.app import COMMANDS, function_of, parse_command

    name, *arguments = words
    if name in COMMANDS and not hasattr(function_of(name), _MARK):
        raise UsageError(f"{name!r} is no edit, so it is no step of a recipe")
    with _collecting() as steps:
        parse_command(name, [str(model), *arguments])
    return steps


@contextmanager
def _collecting() -> Iterator[list[Step]]:
    steps: list[Step] = []
    token = _collected.set(steps)
    try:
        yield steps
    finally:
        _collected.reset(token)


def _options(
    target: Annotated[
        list[str] | None,
        typer.Option("--out", "-o", metavar="OUT", help="Where the result goes; its suffix decides the format."),
    ] = None,
    long_target: Annotated[list[str] | None, typer.Option(_LONG_OUTPUT, hidden=True)] = None,
    in_place: Annotated[bool, typer.Option("--in-place", help="Replace MODEL itself.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing model at OUT.")] = False,
    format: Annotated[
        str | None, typer.Option("--format", metavar="FORMAT", help="Format of OUT, whatever its suffix.")
    ] = None,
    link: Annotated[bool, typer.Option("--link", help="Hard-link unchanged files instead of copying them.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Report what would be done, write nothing.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Run MODEL and the result on the same inputs and compare.")
    ] = False,
    print_recipe: Annotated[
        bool, typer.Option("--print-recipe", help="Print this edit as a line for gs apply; do nothing.")
    ] = False,
    allow: Allow = None,
    allow_files: AllowFiles = False,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> Options:
    shown = (as_json, quiet, verbose, print_recipe)
    targets = [*(target or ()), *(long_target or ())]
    if len(targets) > 1:
        raise UsageError(f"the output is given {len(targets)} times: {', '.join(targets)}", hint=_ONE_OUTPUT)
    place = targets[0] if targets else None
    return Options(place, in_place, force, format, link, dry_run, *shown, verify, allow, allow_files)


def _no_tensor(target: str | Path | None) -> Callable[[ModelFile], None] | None:
    """Return what refuses an output whose name is that of a tensor or key, for a command that has `--outputs`."""
    name = str(target or "")
    if not name or Path(name).suffix or "/" in name or os.sep in name:
        return None

    def confirm(model: ModelFile) -> None:
        for metagraph in model.metagraphs:
            keys = {key for signature in metagraph.signatures.values() for key in signature.outputs}
            if name in keys or name.partition(":")[0] in {node.name for node in metagraph.graph.nodes}:
                what = f"-o {name} is where the result goes, and {name!r} is a {'key' if name in keys else 'tensor'}"
                hint = f"do you mean --outputs {name}? a folder of that name is ./{name}"
                raise UsageError(f"{what} of the model", path=model.path, hint=hint)

    return confirm


def _verifier(model: Path, steps: Steps, options: Options) -> Callable[[Path, Path], EquivalenceReport]:
    from graphsurgeon.bridges.verify import verifier
    from graphsurgeon.surgery import CHANGES_NUMBERS

    joined = [arguments for step, arguments in steps if step == "join" and arguments.get("as_tags") is None]
    if joined:
        from graphsurgeon.bridges.verify_join import join_verifier, parts_verifier

        if len(steps) > 1:
            return parts_verifier(steps, lambda now, part: _verifier(now, part, options))
        allowed = parse_allowed(options.allow, options.allow_files)
        return join_verifier(model, joined[0], allowed=allowed, tell=output.warn)
    given = {key: value for _, arguments in reversed(steps) for key, value in arguments.items() if value}
    parts = [(one.get("inputs") or (), one.get("outputs") or ()) for step, one in steps if step == "convert"]
    return verifier(
        model,
        tags=given.get("tags"),
        checkpoint=given.get("checkpoint"),
        set_values=given.get("set_values"),
        changes_numbers=any(operation in CHANGES_NUMBERS for operation, _ in steps),
        part=next((part for part in parts if any(part)), None),
        allowed=parse_allowed(options.allow, options.allow_files),
        tell=output.warn,
    )


def _flags(parameter: inspect.Parameter) -> tuple[str, ...]:
    """Return the option names of a parameter. In an annotation typer holds the first one as the default."""
    found = [item for item in getattr(parameter.annotation, "__metadata__", ()) if hasattr(item, "param_decls")]
    return tuple(str(name) for name in (found[0].default, *(found[0].param_decls or ()))) if found else ()


def _recipe_line(context: typer.Context, model: Path) -> str:
    import shlex

    flags = {option for parameter in context.command.params for option in parameter.opts}
    places = [
        parameter
        for parameter in context.command.params
        if parameter.name in ("target", "long_target", "format", "allow")
    ]
    valued = {option for parameter in places for option in parameter.opts}
    kept: list[str] = []
    beside = [str(model), context.params.get("place")]  # MODEL, and the OUT of convert
    words = iter(context.meta["arguments"])
    for word in words:
        option = word.partition("=")[0]
        if option in valued:
            if "=" not in word:
                next(words, None)
        elif word in beside:
            beside.remove(word)
        elif option not in _FLAGS & flags:
            kept.append(word)
    return shlex.join([context.info_name or "", *kept])


_FLAGS = {
    "--in-place", "--force", "--link", "--dry-run", "--json", "--quiet", "-q", "--verbose", "-v",
    "--print-recipe", "--allow-files",
}  # fmt: skip


def _edit_to_json(report: EditReport) -> dict[str, Any]:
    fields: dict[str, Any] = output.to_json(report)
    fields["verified"] = report.verdict.agrees if report.verdict is not None else None
    if [step.operation for step in report.steps] == ["convert"]:
        return fields  # it has always listed its steps
    steps = fields.pop("steps")
    if len(steps) > 1:
        return fields | {"steps": steps}
    own = steps[0]["report"] if steps else {}
    own = own if isinstance(own, dict) else {"result": own}
    notes = [*own.get("notes", ()), *fields["notes"]]
    return {**own, **fields, "notes": list(dict.fromkeys(notes)), "bytes": report.num_bytes}
