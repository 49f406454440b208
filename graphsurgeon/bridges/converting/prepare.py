"""Prepare a model for a converter by our own edits: what it computes stays, and each edit is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.bridges.converting.cases import NestReport, nest_cases
from graphsurgeon.bridges.converting.lists import ListsReport, has_lists, static_lists
from graphsurgeon.bridges.converting.request import Request
from graphsurgeon.bridges.guard import require_allowed
from graphsurgeon.compare.entries import Entry, Input, entries
from graphsurgeon.edit import Step, edit
from graphsurgeon.errors import UnsupportedError, plural
from graphsurgeon.formats import read
from graphsurgeon.formats.savedmodel.folder import require_contained
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.patterns.rules import rule_set
from graphsurgeon.surgery.freeze import FreezeReport
from graphsurgeon.surgery.replace import ReplaceReport

_MOST_NAMED = 6


@dataclass(frozen=True)
class Prepared:
    """A frozen SavedModel of one signature, made for a converter.

    Attributes:
        path: its folder.
        model, metagraph, entry: as read back.
        steps: what was done, a line each.
    """

    path: Path
    model: Model
    metagraph: MetaGraph
    entry: Entry
    steps: tuple[str, ...]

    @property
    def free(self) -> dict[str, Input]:
        """The inputs whose batch may be any, by key."""
        return {
            name: item for name, item in self.entry.inputs.items() if item.shape.dims and item.shape.dims[0] is None
        }


def prepare(
    request: Request, folder: Path, *, rules: Sequence[str], batch: int | None = None, lists: bool = False
) -> Prepared:
    """Freeze what is asked for, apply rules, and set the batch.

    Args:
        request: the model, and what of it.
        folder: where the prepared one goes.
        rules: names of shipped rules.
        batch: that inputs whose batch is free get.
        lists: whether the converter takes no lists of tensors but of static shapes.

    Raises:
        UnsupportedError: the model cannot be frozen, reaches outside itself, or keeps state where results are compared.
        UsageError: a name does not exist.
    """
    _require_allowed(request)
    steps: list[Step] = [("attach-checkpoint", {"checkpoint": request.checkpoint})] if request.checkpoint else []
    wanted = {
        "outputs": list(request.outputs) or None,
        "inputs": list(request.inputs) or None,
        "signature": request.signature,
        "set_values": dict(request.set_values),
        "tags": request.tags,
        "no_lowering": True,
    }
    replaced = [rule for name in rules for rule in rule_set(name).rules]
    steps += [("freeze", wanted), (nest_cases, {}), (one_key_each, {}), ("replace", {"rules": replaced})]
    report = edit(request.path, steps, output=f"{folder}/")
    _require_stateless(request, [step.report for step in report.steps])
    told = [line for step in report.steps for line in _told(step.report)]
    prepared = _read_back(folder, told)
    later: list[Step] = []
    if batch is not None and prepared.free:
        shapes = {name: Shape([batch, *(item.shape.dims or ())[1:]]) for name, item in prepared.free.items()}
        later.append(("set-input", {"shapes": shapes}))
        told.append(f"set the batch of {', '.join(shapes)} to {batch}")
    if lists and has_lists(prepared.model):
        later.append((static_lists, {}))
    if not later:
        return prepared
    report = edit(folder, later, in_place=True)
    return _read_back(folder, [*told, *(line for step in report.steps for line in _told(step.report))])


def _require_allowed(request: Request) -> None:
    model = read(request.path)
    require_contained(model)
    if model.metagraphs:
        metagraph = choose_metagraph(model, request.tags)
        chosen = [entry for entry in entries(model, metagraph) if request.signature in (None, entry.key)]
        outputs = [value for entry in chosen for value in entry.outputs.values()]
        require_allowed(model, metagraph, outputs, request.allowed, request.tell)


@dataclass(frozen=True)
class KeysReport:
    """Keys of inputs that went, each with the one that stays for the tensor."""

    dropped: dict[str, str]


def one_key_each(model: Model) -> KeysReport:
    """Leave each input of a signature one key: a converter takes a tensor once."""
    dropped = {}
    for signature in model.metagraphs[0].signatures.values():
        known: dict[object, str] = {}
        for key, entry in list(signature.inputs.items()):
            target = entry.mention.target if entry.mention is not None else key
            if known.setdefault(target, key) != key:
                del signature.inputs[key]
                dropped[key] = known[target]
    return KeysReport(dropped)


def _told(report: object) -> list[str]:
    if isinstance(report, KeysReport):
        return [f"left out input {key!r}, which is {kept!r} again" for key, kept in report.dropped.items()]
    if isinstance(report, FreezeReport):
        what = f"froze {plural(report.variables, 'variable')}; {plural(report.nodes_after, 'node')} remain"
        return [f"{what} of {report.nodes_before:,}", *report.notes]
    if isinstance(report, NestReport | ListsReport):
        return report.told()
    if isinstance(report, ReplaceReport):
        return [f"rule {rule}: {plural(count, 'replacement')}" for rule, count in report.rules.items() if count]
    return []


def _require_stateless(request: Request, reports: Sequence[object]) -> None:
    """Refuse what keeps state from call to call, as stateful layers do: each call would start anew.

    Raises:
        UnsupportedError: names the variables.
    """
    held = [name for report in reports if isinstance(report, FreezeReport) for name in report.state]
    if held and request.verify:
        more = f", {plural(len(held) - _MOST_NAMED, 'more variable')}" if len(held) > _MOST_NAMED else ""
        what = f"outputs read what the call before has written to {', '.join(held[:_MOST_NAMED])}{more}"
        hint = "--no-verify converts it all the same: every call starts anew"
        raise UnsupportedError(what, path=request.path, hint=hint)


def _read_back(folder: Path, steps: Sequence[str]) -> Prepared:
    model = read(folder)
    (metagraph,) = model.metagraphs
    (entry,) = entries(model, metagraph)
    if entry.problem:
        raise UnsupportedError(f"signature {entry.key!r} cannot be converted: {entry.problem}")
    return Prepared(folder, model, metagraph, entry, tuple(steps))
