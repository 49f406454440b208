"""Verify that two joined models compute what they compute one after the other."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.names import choose_metagraph
from graphsurgeon.bridges.child import require_extra, runtime_of
from graphsurgeon.bridges.guard import NOTHING, Allowed, Tell, require_allowed
from graphsurgeon.bridges.runner import run_calls
from graphsurgeon.compare.entries import Entry, Input, OneRun, Result, RunOutcome, entries, loaders_of
from graphsurgeon.compare.equivalence import EquivalenceReport, Tolerance
from graphsurgeon.compare.inputs import random_input
from graphsurgeon.compare.pairs import make_call
from graphsurgeon.disk.places import path_of
from graphsurgeon.edit import Step, edit
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats import read
from graphsurgeon.formats.savedmodel.folder import require_contained
from graphsurgeon.model.graph import Graph, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import UNKNOWN_RANK
from graphsurgeon.surgery.join import JoinReport, join


def join_verifier(
    source: str | os.PathLike[str],
    arguments: Mapping[str, Any],
    *,
    allowed: Allowed = NOTHING,
    tell: Tell | None = None,
) -> Callable[[Path, Path], EquivalenceReport]:
    """Return what an edit that joins two models is given to compare; says at once if it cannot.

    Args:
        source: the first model.
        arguments: of the step; `other` is the path of the second.
        allowed: what the models may reach outside themselves.
        tell: is told what they do there, before they are run.

    Raises:
        UnsupportedError: the extra is missing, or a model reaches outside itself.
    """
    for path, tags in ((source, arguments.get("tags")), (arguments["other"], arguments.get("other_tags"))):
        model = read(path)
        require_contained(model)
        require_extra(runtime_of(model.traits, path))
        metagraph = choose_metagraph(model, tags)
        outputs = [value for entry in entries(model, metagraph) for value in entry.outputs.values()]
        require_allowed(model, metagraph, outputs, allowed, tell)
    return lambda before, after: _verify(before, after, arguments, allowed)


def parts_verifier(
    steps: list[Step], verifier_of: Callable[[Path, list[Step]], Callable[[Path, Path], EquivalenceReport]]
) -> Callable[[Path, Path], EquivalenceReport]:
    """Return what an edit of several steps, one of which joins, is given to compare: part by part, on made models.

    A join is compared with one model behind the other, what comes before and behind it with what goes into it.

    Args:
        steps: all of them, in order.
        verifier_of: the model that some of them change, and these -> what compares it with what they make of it.
    """
    parts = _parts(steps)

    def compare(before: Path, after: Path) -> EquivalenceReport:
        reports: list[EquivalenceReport] = []
        with tempfile.TemporaryDirectory(prefix="gs-") as folder:
            now = before
            for number, part in enumerate(parts):
                made = after if number == len(parts) - 1 else Path(folder) / f"{number}{before.suffix}"
                if made is not after:
                    edit(now, part, output=made)
                reports.append(verifier_of(now, part)(now, made))
                now = made
        return EquivalenceReport(
            str(before),
            str(after),
            all(one.agrees for one in reports),
            [item for one in reports for item in one.outputs],
            [item for one in reports for item in one.skipped],
            next((one.first for one in reports if one.first is not None), None),
            notes=list(dict.fromkeys([_told(parts), *(note for one in reports for note in one.notes)])),
        )

    return compare


def _parts(steps: list[Step]) -> list[list[Step]]:
    """Return the steps with each join by itself."""
    parts: list[list[Step]] = []
    for step in steps:
        if parts and "join" not in (step[0], parts[-1][-1][0]):
            parts[-1].append(step)
        else:
            parts.append([step])
    return parts


def _told(parts: list[list[Step]]) -> str:
    return f"compared in {len(parts)} parts: {'; '.join(', '.join(str(name) for name, _ in part) for part in parts)}"


class _Parties:
    """The two models, and which tensor of which of them a tensor of the result is."""

    def __init__(self, before: Path, arguments: Mapping[str, Any]) -> None:
        models = read(before), read(arguments["other"])
        self.report: JoinReport = join(*models, **{key: one for key, one in arguments.items() if key != "other"})
        self.models = read(before), read(arguments["other"])
        self.metagraphs = (
            choose_metagraph(self.models[0], arguments.get("tags")),
            choose_metagraph(self.models[1], arguments.get("other_tags")),
        )
        self._old = {new: old for what, old, new in self.report.renamed if what in ("node", "tensor", "variable")}

    def of(self, name: str) -> tuple[int, Value]:
        """Return which model has a tensor of the result, and the tensor."""
        own = _find(self.metagraphs[0].graph, name)
        if own is not None:
            return 0, own
        node, colon, port = name.rpartition(":")
        old = self._old.get(name) or (f"{self._old[node]}{colon}{port}" if node in self._old else name)
        found = _find(self.metagraphs[1].graph, old)
        if found is None:
            raise UnsupportedError(f"{name} of the result is a tensor of neither model, so it cannot be verified")
        return 1, found

    def connected(self) -> list[tuple[Value, Value]]:
        """Return the tensors of the first model with those of the second that they take the place of."""
        pairs = [
            (_find(self.metagraphs[0].graph, source), _find(self.metagraphs[1].graph, target))
            for source, target in self.report.connected
        ]
        return [(source, target) for source, target in pairs if source is not None and target is not None]


def _find(graph: Graph, name: str) -> Value | None:
    if graph.kind == "subgraph":
        return next((value for value in graph.values if value.name == name), None)
    return graph.value(name)


def _verify(before: Path, after: Path, arguments: Mapping[str, Any], allowed: Allowed) -> EquivalenceReport:
    parties, result = _Parties(before, arguments), read(after)
    metagraph = choose_metagraph(result, arguments.get("tags"))
    entry = _entry(result, metagraph, parties.report)
    feeds = {key: random_input(one) for key, one in entry.inputs.items()}
    given = {parties.of(_name(one.value))[1]: feeds[key] for key, one in entry.inputs.items()}
    wanted = {key: parties.of(_name(value)) for key, value in entry.outputs.items()}
    found, error = _one_after_the_other(parties, given, wanted, allowed)
    if error:
        return EquivalenceReport(str(before), str(after), False, [], [(entry.key or "the graph", error)])
    names = {key: key for key in entry.outputs}
    calls = [make_call(loader, entry, feeds, names) for loader in loaders_of(result, metagraph, entry)]
    outputs, skipped = [], []
    for call, outcome in zip(calls, _run(result, metagraph, calls, allowed), strict=True):
        if outcome.error:
            skipped.append((f"{entry.key or 'the graph'}, {call.loader}", f"the result does not run: {outcome.error}"))
        outputs += [Tolerance().compare(call, entry.key, key, found[key], one) for key, one in outcome.results.items()]
    agrees = bool(outputs) and not skipped and all(one.agrees for one in outputs)
    return EquivalenceReport(f"{before}, then {arguments['other']}", str(after), agrees, outputs, skipped)


def _one_after_the_other(
    parties: _Parties, given: Mapping[Value, Any], wanted: Mapping[str, tuple[int, Value]], allowed: Allowed
) -> tuple[dict[str, Result], str]:
    """Return what the two models give for each output of the result, or why they do not run."""
    connected = parties.connected()
    known: dict[Value, Result] = {value: Result("", array) for value, array in given.items()}
    for side, passed in ((0, [source for source, _ in connected]), (1, [])):
        values = [value for place, value in wanted.values() if place == side] + passed
        asked = {str(number): value for number, value in enumerate(dict.fromkeys(values)) if value not in known}
        graph, metagraph, model = parties.metagraphs[side].graph, parties.metagraphs[side], parties.models[side]
        inputs = {str(n): value for n, value in enumerate(known) if value.graph is graph}
        entry = Entry(None, {key: Input(key, v, dtype_of(v), UNKNOWN_RANK) for key, v in inputs.items()}, asked)
        call = make_call(
            loaders_of(model, metagraph, entry)[0],
            entry,
            {key: known[value].array for key, value in inputs.items()},
            {key: key for key in asked},
        )
        outcome = _run(model, metagraph, [call], allowed)[0] if asked else RunOutcome({})
        if outcome.error:
            return {}, f"{model.path} does not run: {outcome.error}"
        known |= {asked[key]: one for key, one in outcome.results.items()}
        known |= {target: known[source] for source, target in connected if source in known}
    return {key: known[value] for key, (_, value) in wanted.items()}, ""


def _run(model: Model, metagraph: MetaGraph, calls: list[OneRun], allowed: Allowed) -> list[RunOutcome]:
    prefix = model.checkpoint.prefix if model.checkpoint is not None and model.traits.is_bare_graph else None
    tags = list(metagraph.tags) if metagraph.tags is not None else None
    return run_calls(path_of(model.path), calls, tags=tags, checkpoint=prefix, stand=allowed.stand)


def _entry(model: Model, metagraph: MetaGraph, report: JoinReport) -> Entry:
    """Return the way into the result that was made: its signature, else the graph."""
    found = entries(model, metagraph)
    if not found:
        raise UnsupportedError("the result has no outputs that could be compared", hint="--keep NAME names one")
    keys = {*report.inputs, *report.outputs}
    return next((one for one in found if {*one.inputs, *one.outputs} == keys), found[0])


def _name(value: Value) -> str:
    return str(value.name if value.graph.kind == "subgraph" else value)
