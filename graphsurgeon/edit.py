"""The one way a file is changed: read once, run steps, check, write atomically, read back.

Commands, recipes and the Python interface all come through here. A step is an operation of
`surgery.OPERATIONS` (or any function of a Model) with its keyword arguments.
"""

from __future__ import annotations

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypedDict

from graphsurgeon.disk.atomic import Inspect, scratch_folder
from graphsurgeon.disk.files import Progress, exists, is_file
from graphsurgeon.disk.places import RemotePath, path_of
from graphsurgeon.errors import GraphSurgeonError, UnsupportedError, UsageError
from graphsurgeon.formats import read
from graphsurgeon.formats.arrays.values import read_values
from graphsurgeon.formats.checkpoint.find import read_checkpoint
from graphsurgeon.formats.target import EXISTS, named_format, own_place, resolve
from graphsurgeon.formats.writing import WritePlan, plan_write
from graphsurgeon.model.calls import as_steps, require_fields
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.collector import collector_seldom
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.format import Format
from graphsurgeon.model.model import Model

if TYPE_CHECKING:
    from typing_extensions import Unpack

Operation: TypeAlias = str | Callable[..., Any]
Step: TypeAlias = tuple[Operation, Mapping[str, Any]]

_VARIABLES = "variables"  # their place in an outline
_MISSING = {"asset-missing": "error"}
# Nodes from which on a walk of the garbage collector pays, and those that an edit left alone are not looked at again.
_LARGE = 20_000


class Verdict(Protocol):
    """What a verifier says of source and result."""

    @property
    def agrees(self) -> bool:
        """Say whether both compute the same."""


Verifier: TypeAlias = Callable[[Path, Path], Verdict]


@dataclass(frozen=True)
class StepReport:
    """What one step did: the name of the operation and what it returned."""

    operation: str
    report: object


@dataclass(frozen=True)
class EditReport:
    """What an edit did, or would do.

    Attributes:
        source: the model that was read.
        output: what was written (or would be): a file, a folder, the prefix of a checkpoint.
        format: its format.
        written: whether it was written; not in a dry run, nor in place where the verifier disagrees.
        steps: what each step did.
        files: bytes of each file of the output.
        notes: what the user should know, one line each.
        warnings: findings of the check that the source did not have.
        verdict: what the verifier says, None without one.
        member: where in the output the model is, if that is a bundle, of which the rest is as it was.
    """

    source: str
    output: str
    format: str
    written: bool
    steps: tuple[StepReport, ...]
    files: dict[str, int]
    notes: tuple[str, ...] = ()
    warnings: tuple[Finding, ...] = ()
    verdict: Verdict | None = None
    member: str = ""

    @property
    def num_bytes(self) -> int:
        """Bytes of the output."""
        return sum(self.files.values())


class WhereFields(TypedDict, total=False):
    """The fields of `Where`, as keyword arguments."""

    output: str | os.PathLike[str] | None
    in_place: bool
    force: bool
    format: str | None
    link: bool


@dataclass(frozen=True)
class Where:
    """Where an edit goes, and how.

    Attributes:
        output: file, folder or prefix; None with `in_place`. Its name decides the format.
        in_place: replace the source.
        force: replace an existing model of the same kind.
        format: overrides the name of the output.
        link: hard-link unchanged files of a folder instead of copying them.
        confirm: called with the model that was read; raises where the place cannot be meant.
    """

    output: str | os.PathLike[str] | None = None
    in_place: bool = False
    force: bool = False
    format: str | None = None
    link: bool = False
    confirm: Callable[[Model], None] | None = None


def edit(
    path: str | os.PathLike[str],
    steps: Iterable[Step],
    where: Where | None = None,
    *,
    dry_run: bool = False,
    force_text: bool = False,
    verify: Verifier | None = None,
    progress: Progress | None = None,
    **fields: Unpack[WhereFields],
) -> EditReport:
    """Change a model file.

    Args:
        path: the model.
        steps: operations with their keyword arguments, in order.
        where: where the result goes; or its fields as keyword arguments: `output=`, `in_place=`, `force=`,
            `format=`, `link=`.
        dry_run: do everything but write.
        force_text: read text protobufs of more than 64 MiB.
        verify: called with source and result; in place the source is replaced only if they agree.
        progress: called with the bytes written and the bytes in all.
        **fields: the fields of `where`.

    Raises:
        GraphSurgeonError: by its subclass, why nothing was written.
    """
    require_fields("edit", WhereFields.__annotations__, fields)
    steps, where = as_steps(steps), replace(where or Where(), **fields)
    place = path_of(where.output) if where.output is not None else None
    one = partial(_edit, path, steps, dry_run=dry_run, force_text=force_text, verify=verify, progress=progress)
    with collector_seldom():
        return _onto_store(one, where, place) if isinstance(place, RemotePath) else one(where)


def _onto_store(one: Callable[[Where], EditReport], where: Where, place: RemotePath) -> EditReport:
    """Write a model of one file here, read it back and verify it; only then it is put where it goes.

    Raises:
        UsageError: the place is taken, or takes no files.
        UnsupportedError: the model is a folder or several files, which no store takes in one step.
    """
    from tempfile import TemporaryDirectory

    from graphsurgeon.disk import remote

    remote.require_place(place)
    if exists(place) and not (where.force and is_file(place)):
        raise UsageError("there is something already", path=place, hint=EXISTS)
    with TemporaryDirectory(prefix="gs-") as folder:
        here = Path(folder) / place.name
        report = one(replace(where, output=here, force=False))
        if list(report.files) not in ([""], [str(here)], [here.name]):
            what = "a model of several files would be there in part for a while"
            raise UnsupportedError(what, path=place, hint="write to a local folder, and copy it there")
        if report.written:
            remote.put(place, here)
    return replace(report, output=str(place), files={str(place): report.num_bytes})


def _edit(
    path: str | os.PathLike[str],
    steps: Iterable[Step],
    where: Where,
    *,
    dry_run: bool,
    force_text: bool,
    verify: Verifier | None,
    progress: Progress | None,
) -> EditReport:
    if (where.output is None) != where.in_place and not (dry_run and where.output is None):
        raise UsageError("an edit needs one output", path=path, hint="give -o OUT, or --in-place to replace the model")
    model = read(path, force_text=force_text)
    if where.confirm is not None:
        where.confirm(model)
    steps = _to_the_place(model, steps, where)
    sources = partial(_sources, path, steps, force_text=force_text)
    loaded = _loaded_as(model)
    reports = _run_all(model, steps)
    added = _fill_in(model, where, steps, reports)
    is_other = loaded != _loaded_as(model)
    warnings, faults = _require_sound(model, sources, path, is_other=is_other)
    plan = _plan(model, where)
    source = path_of(model.path)
    done = _Done([*model.notes, *added, *faults], reports, warnings, plan)
    if dry_run:
        return done.report(path, written=False)
    verdict = None
    if verify is not None and where.in_place:
        verdict = _verdict_before(model, plan, verify)
        if not verdict.agrees:
            return done.report(path, written=False, verdict=verdict)
    inspect = _read_back(model, plan, sources)
    is_large = sum(map(len, model.graphs)) > _LARGE
    del model
    if is_large:
        gc.collect()  # nodes and values refer to each other: before the result is read, the source makes room
    plan.write(link=where.link, inspect=inspect, progress=progress)
    if verify is not None and verdict is None:
        verdict = verify(source, plan.target.place)
    return done.report(path, written=True, verdict=verdict)


@dataclass(frozen=True)
class _Done:
    notes: list[str]
    steps: tuple[StepReport, ...]
    warnings: tuple[Finding, ...]
    plan: WritePlan

    def report(self, path: str | os.PathLike[str], *, written: bool, verdict: Verdict | None = None) -> EditReport:
        result = self.plan.report()
        return EditReport(
            os.fspath(path),
            result.path,
            result.format,
            written,
            self.steps,
            result.files,
            tuple(dict.fromkeys([*self.notes, *result.notes])),
            self.warnings,
            verdict,
            result.member,
        )


def _to_the_place(model: Model, steps: Iterable[Step], where: Where) -> list[Step]:
    """Return the steps; what changes the container and says no format takes that of the place.

    Only of a network of another framework this decides what is done: others are what they are in any container.
    """
    format = named_format(where.output, where.format) if model.traits.becomes and where.output is not None else None
    if format is None:
        return list(steps)
    return [(step, {"format": format, **said} if step == "convert" else said) for step, said in steps]


def _run_all(model: Model, steps: Sequence[Step]) -> tuple[StepReport, ...]:
    """Run the steps; an error in one of several says in which."""
    done: list[StepReport] = []
    operation: Operation = ""
    try:
        for operation, arguments in steps:
            done.append(_run(model, operation, arguments))
    except GraphSurgeonError as error:
        if len(steps) > 1:
            error.message = f"step {len(done) + 1} ({_name(operation)}): {error.message}"
        raise
    return tuple(done)


def _name(operation: Operation) -> str:
    return operation if isinstance(operation, str) else getattr(operation, "__name__", "step")


def _run(model: Model, operation: Operation, arguments: Mapping[str, Any]) -> StepReport:
    if not isinstance(operation, str):
        return StepReport(_name(operation), operation(model, **arguments))
    from graphsurgeon import surgery

    try:
        module, _, function = surgery.OPERATIONS[operation].partition(":")
    except KeyError:
        known = ", ".join(surgery.OPERATIONS)
        raise UsageError(f"there is no operation {operation!r}", hint=f"one of {known}") from None
    return StepReport(operation, getattr(import_module(module), function)(model, **_opened(arguments)))


def _opened(arguments: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return arguments with what they name in the place of its name: operations read no files and know no formats."""
    opened = dict(arguments)
    if isinstance(opened.get("checkpoint"), str | os.PathLike):
        opened["checkpoint"] = _checkpoint(opened["checkpoint"])
    if opened.get("checkpoints"):
        opened["checkpoints"] = [
            _checkpoint(one) if isinstance(one, str | os.PathLike) else one for one in opened["checkpoints"]
        ]
    for name in ("params", "source", "other"):
        if isinstance(opened.get(name), str | os.PathLike):
            opened[name] = read(opened[name])
    if isinstance(opened.get("values"), Mapping):
        opened["values"] = {name: _value(name, value) for name, value in opened["values"].items()}
    if isinstance(opened.get("format"), str):
        opened["format"] = named_format("", opened["format"])
    return opened


def _checkpoint(path: str | os.PathLike[str]) -> Checkpoint:
    """Read a checkpoint, or another file of variables alone, such as an `.npz`.

    Raises:
        UsageError: it is a model of another kind.
    """
    try:
        return read_checkpoint(path)
    except GraphSurgeonError as error:
        try:
            model = read(path)
        except UnsupportedError as known:
            raise known from None  # it says what the file is
        except GraphSurgeonError:
            raise error from None
        if model.checkpoint is not None and not model.metagraphs:
            return model.checkpoint
        hint = "gs convert MODEL weights.ckpt --format checkpoint takes its variables" if model.checkpoint else ""
        raise UsageError(f"it is {model.traits.a_title}, no checkpoint", path=path, hint=hint) from None


def _value(name: str, value: object) -> object:
    """Return a value of a weight; in the place of `@FILE` what the file holds."""
    return read_values(value[1:], name) if isinstance(value, str) and value.startswith("@") else value


def _fill_in(model: Model, where: Where, steps: Iterable[Step], reports: Iterable[StepReport]) -> list[str]:
    """Give what becomes a SavedModel what loaders want of one, whichever steps made it; return notes on it."""
    from graphsurgeon.surgery import COMPLETING
    from graphsurgeon.surgery.complete import complete, signature_wanted

    if (steps := list(steps)) and steps[-1][0] in COMPLETING:
        return []
    place, is_own = _place(model, where)
    if not resolve(model, place, format=where.format, in_place=is_own).traits.is_servable:
        return []
    told = {note for step in reports for note in getattr(step.report, "notes", ())}
    tags = next((arguments["tags"] for _, arguments in steps if arguments.get("tags") is not None), None)
    wanted = signature_wanted(model, str(place), [step.report for step in reports])
    return [note for note in (*complete(model, tags=tags).notes, *wanted) if note not in told]


def _sources(path: str | os.PathLike[str], steps: Sequence[Step], *, force_text: bool) -> list[Model]:
    """Read what was read anew: the model, and those that steps bring into it. What was a fault there is no new one."""
    others = [arguments.get("other") for _, arguments in steps]
    return [read(path, force_text=force_text), *(read(one) for one in others if isinstance(one, str | os.PathLike))]


def _loaded_as(model: Model) -> list[tuple[bool, object]]:
    """Return what decides how loaders look at every node: whether they make objects, and the version of the graph."""
    return [
        (bool(metagraph.objects and metagraph.objects.nodes), metagraph.producer.get("graph_version"))
        for metagraph in model.metagraphs
    ]


def _require_sound(
    model: Model, read_sources: Callable[[], list[Model]], path: str | os.PathLike[str], *, is_other: bool
) -> tuple[tuple[Finding, ...], list[str]]:
    """Return the findings that the source did not have, and a note on errors that it had and the result has still.

    Faults that the source had are no reason to refuse: the source is checked too, but only if the result has any. In
    a large graph, a node that the edit has left as it was is looked at by itself only where loaders look at the result
    in another way.
    """
    from graphsurgeon.checks.check import check, is_refused

    is_large = sum(map(len, model.graphs)) > _LARGE
    findings = check(model, shapes=False, only_changed=is_large and not is_other)
    if all(finding.severity == "note" for finding in findings):
        return (), []
    findings = check(model, shapes=False)
    before = [finding for source in read_sources() for finding in check(source, shapes=False)]
    new = _new(findings, before)
    errors = [finding for finding in new if is_refused(finding)]
    if errors:
        raise _unsound(errors, path)
    old = [finding for finding in findings if finding.severity == "error" and finding not in new]
    return tuple(finding for finding in new if finding.severity != "note"), _told(old)


def _unsound(errors: list[Finding], path: object) -> UnsupportedError:
    first, more = errors[0], f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
    return UnsupportedError(
        f"the result would not be sound: {first.where}: {first.what}{more}", path=path, hint=first.hint
    )


def _told(old: list[Finding]) -> list[str]:
    """Say that the source is not sound, and that this edit has left it so."""
    if not old:
        return []
    more = f" (and {len(old) - 1} more: gs check)" if len(old) > 1 else ""
    return [f"not sound, as in the source: {old[0].where}: {old[0].what}{more}; {old[0].hint}"]


def _new(after: list[Finding], before: list[Finding]) -> list[Finding]:
    """Return the findings of rules that find more than before: names may have changed, so places do not compare."""
    had = Counter((finding.rule, finding.severity) for finding in before)
    has = Counter((finding.rule, finding.severity) for finding in after)
    known = {(finding.rule, finding.where, finding.what) for finding in before}
    return [
        finding
        for finding in after
        if has[finding.rule, finding.severity] > had[finding.rule, finding.severity]
        and (finding.rule, finding.where, finding.what) not in known
    ]


def _plan(model: Model, where: Where) -> WritePlan:
    """Lower the model for its place."""
    place, is_own = _place(model, where)
    return plan_write(model, place, format=where.format, force=where.force, in_place=is_own)


def _place(model: Model, where: Where) -> tuple[str | os.PathLike[str], bool]:
    """Return where the result goes, and whether that is where the source is, as in a dry run without an output."""
    if where.output is None:
        return own_place(model), True
    return where.output, where.in_place


def _verdict_before(model: Model, plan: WritePlan, verify: Verifier) -> Verdict:
    """Write beside the source, and let the verifier compare."""
    source = path_of(model.path)
    with scratch_folder(source) as folder:
        trial = plan_write(model, folder / own_place(model).name, format=plan.target.format)
        trial.write(link=True)
        return verify(source, trial.target.path)


def _read_back(model: Model, plan: WritePlan, read_sources: Callable[[], list[Model]]) -> Inspect:
    """Return what reads a result before it takes its place, and refuses one that is not what was meant."""
    meant = _outline(model, plan.target.traits)
    if plan.is_one_file:  # what lies beside it in its place is not beside the temporary file
        meant.pop(_VARIABLES, None)
    path = plan.target.path
    hint = "please report this; nothing was replaced, the source is as it was"

    def inspect(complete: Path) -> None:
        try:
            result = read(plan.target.within(complete))
            written = _outline(result)
        except GraphSurgeonError as error:
            what = f"what was written does not read back: {error.message}"
            raise GraphSurgeonError(what, path=path, hint=hint) from error
        different = [place for place in meant if written.get(place) != meant[place]]
        if different:
            raise GraphSurgeonError(
                f"what was written does not read back as meant: {different[0]}: {written.get(different[0])}"
                f" instead of {meant[different[0]]}",
                path=path,
                hint=hint,
            )
        _require_whole(result, read_sources, path)

    return inspect


def _require_whole(result: Model, read_sources: Callable[[], list[Model]], path: Path) -> None:
    """Refuse files that do not belong together, unless those of the source did not either."""
    from graphsurgeon.checks.saved.files import of_model

    # A missing asset that nothing reads on load is a warning of a model that is found, and no model to write.
    errors = [finding for finding in of_model(result) if "error" in (finding.severity, _MISSING.get(finding.rule))]
    new = _new(errors, [one for source in read_sources() for one in of_model(source)]) if errors else []
    if new:
        raise _unsound(new, path)


def _outline(model: Model, traits: Format | None = None) -> dict[str, object]:
    """Return what can be compared without looking at values: ops, signatures and variables by place."""
    outline: dict[str, object] = {}
    for number, metagraph in enumerate(model.metagraphs):
        for graph in metagraph.graphs:
            outline[f"graph {number}/{graph.name}"] = graph.op_counts
        if traits is None or traits.holds_signatures:
            outline[f"signatures {number}"] = sorted(signature.key for signature in metagraph.signatures.values())
    if model.checkpoint is not None and (traits is None or traits.variables == "inside"):
        outline[_VARIABLES] = {
            key: (variable.tensor.dtype, variable.tensor.shape) for key, variable in model.checkpoint.variables.items()
        }
    return outline
