"""`gs check` beside the loaders, on mutants of models that still parse: a table of where they disagree, by kind.

    python benchmarks/soundness.py --seed N [--count 1000] [--jobs 2] [--keep FOLDER] [--kind TEXT]... [MODEL...]

The models are the fixtures, or what is named: GraphDefs (`.pb`), `.meta` files, SavedModel folders, `.tflite` files,
folders with a checkpoint. `--kind` takes the kinds alone in whose names the text is. Stored values are read
(`gs check --checksums`), since loaders read them.
Each unchanged model is judged first: a stage counts only where it passes, and so does a run. TensorFlow and LiteRT run
in processes of their own; one that dies costs one mutant. A signal is a refusal, a run that does not end is none.

Answers are written down as they come, the table every hundred mutants. `--keep` leaves both and the mutants; a second
run with the same seed and count goes on where the first one was cut, and takes what is there.

`silent` counts mutants that a loader or a run refuses and of which check says nothing it did not say before, or warns
only; `needs` those that lack a library; `false` those that check calls an error and every loader and run takes.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))


from benchmarks import (
    soundness_bodies,
    soundness_graphs,
    soundness_interpreters,
    soundness_metagraphs,
    soundness_objects,
    soundness_operators,
    soundness_tflite,
)
from benchmarks import soundness_checkpoints as checkpoints
from benchmarks.soundness_kinds import CHECKPOINT, GRAPH, META, TFLITE, Change
from graphsurgeon.checks.check import check
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.fleet.pool import in_processes
from graphsurgeon.formats import read, schema
from tests.oracle import tflite_objects

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
_ENTERED = (  # modules that enter kinds of changes as they are imported
    soundness_bodies,
    soundness_graphs,
    soundness_interpreters,
    soundness_metagraphs,
    soundness_objects,
    soundness_operators,
    soundness_tflite,
)
TABLES: dict[str, dict[str, Change]] = {"graph": GRAPH, "meta": META, "tflite": TFLITE, "checkpoint": CHECKPOINT}
SUFFIXES = (".pb", ".meta", ".tflite")
_MOST_BYTES = 4 << 20  # of a model: larger ones take the oracles too long
_SECONDS = 100.0  # for all that the loaders do with one model
_PARTIAL = "v1 values"  # a stage that says of many sound models that sessions fill but a part of their variables
_SLICE = 100  # mutants after which the table is shown


class Mutant(NamedTuple):
    """One changed model: where it came from, what was changed, where it lies."""

    source: Path
    kind: str
    changed: str
    path: Path


class Outcome(NamedTuple):
    """What was said of a mutant: by check the worst new severity, by the loaders the first refusal.

    `is_whole` says that the unchanged model passes every stage and that all were judged: else nobody knows what the
    change would have done.
    """

    mutant: Mutant
    said: str
    refusal: str
    is_whole: bool


def main() -> None:
    """Make mutants, ask all, print the table and each disagreement."""
    options = _options()
    folder = Path(options.keep or tempfile.mkdtemp())
    folder.mkdir(parents=True, exist_ok=True)
    try:
        models = list(_models(options.models))
        mutants = list(_mutants(models, options.count, options.seed, folder, options.kind))
        models = [model for model in models if any(mutant.source == model for mutant in mutants)]
        _preload(models)
        print(f"seed {options.seed}: {len(mutants)} mutants of {len(models)} models", flush=True)
        outcomes: list[Outcome] = []
        for outcome in _judged(models, mutants, options.jobs, folder / "answers.jsonl"):
            outcomes.append(outcome)
            if len(outcomes) % _SLICE == 0 or len(outcomes) == len(mutants):
                (folder / "table.md").write_text(_report(outcomes))
        print(_report(outcomes))
    finally:
        if not options.keep:
            shutil.rmtree(folder)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--kind", action="append", default=[])
    parser.add_argument("--keep")
    return parser.parse_args()


def _preload(models: Sequence[Path]) -> None:
    """Import the oracles once, before processes are made by forking: a new one costs nothing then."""
    from importlib import import_module

    wanted = ["tensorflow"] if any(model.suffix != ".tflite" for model in models) else []
    for name in ("benchmarks.soundness_judges", *wanted, "ai_edge_litert.interpreter"):
        import_module(name)


def _models(named: Sequence[Path]) -> Iterator[Path]:
    for path in named or sorted(FIXTURES.glob("*/*")):
        if path.is_dir():
            is_model = (path / "saved_model.pb").exists() or checkpoints.prefixes(path)
            if is_model and path.parent.name != "hostile":
                yield path
        elif path.suffix in SUFFIXES and path.parent.name != "hostile" and path.stat().st_size <= _MOST_BYTES:
            yield path


def _mutants(models: Sequence[Path], count: int, seed: int, folder: Path, wanted: Sequence[str]) -> Iterator[Mutant]:
    """Make mutants, each kind as often as the others: a kind is drawn first, then a model that has it."""
    chance = random.Random(seed)
    made = 0
    kinds = [(group, name) for group, table in TABLES.items() for name in table]
    kinds = [kind for kind in kinds if not wanted or any(text in ": ".join(kind) for text in wanted)]
    for turn in range(40 * count):
        group, name = kinds[turn % len(kinds)]
        suitable = [model for model in models if _suits(group, model)]
        if made == count:
            return
        if not suitable:
            continue
        source = chance.choice(suitable)
        found = _changed(source, group, name, chance)
        if found is not None:
            made += 1
            path = _place(folder / f"{made:05}", source, found[1])
            if name == "state_file":
                path = path.parent
            yield Mutant(source, f"{group}: {name.replace('_', ' ')}", found[0], path)


def _suits(group: str, model: Path) -> bool:
    if group == "checkpoint":
        return model.is_dir() and len(checkpoints.prefixes(model)) == 1
    if model.is_dir() and not (model / "saved_model.pb").exists():
        return False
    if group == "tflite":
        return model.suffix == ".tflite"
    return model.suffix != ".tflite" and (group == "graph" or model.suffix != ".pb")


def _changed(
    source: Path, group: str, name: str, chance: random.Random
) -> tuple[str, bytes | checkpoints.Parts] | None:
    table = TABLES[group]
    if group == "checkpoint":
        found = checkpoints.parts(checkpoints.prefixes(source)[0])
        what = table[name](found, chance)
        return None if what is None else (what, found)
    if group == "tflite":
        tree = tflite_objects.model(source.read_bytes())
        what = table[name](tree, chance)
        return None if what is None else (what, tflite_objects.pack(tree))
    root, graph, meta = _parsed(source)
    what = table[name](graph if group == "graph" else meta, chance)
    return None if what is None else (what, root.SerializeToString())


def _parsed(source: Path) -> tuple[Any, Any, Any]:
    """Return the message of a file, and the GraphDef and MetaGraphDef in it."""
    if source.is_dir():
        root = schema.message("tensorflow.SavedModel").FromString((source / "saved_model.pb").read_bytes())
        return root, root.meta_graphs[0].graph_def, root.meta_graphs[0]
    if source.suffix == ".meta":
        root = schema.message("tensorflow.MetaGraphDef").FromString(source.read_bytes())
        return root, root.graph_def, root
    root = schema.message("tensorflow.GraphDef").FromString(source.read_bytes())
    return root, root, None


def _place(folder: Path, source: Path, data: bytes | checkpoints.Parts) -> Path:
    """Write a mutant; return the path that is given to loaders and to check: of a checkpoint alone its prefix."""
    folder.mkdir(exist_ok=True)
    target = folder / source.name
    if source.is_dir():
        shutil.copytree(source, target, dirs_exist_ok=True)
    if isinstance(data, checkpoints.Parts):
        prefix = checkpoints.prefixes(target)[0]
        checkpoints.write(data, prefix)
        return target if (target / "saved_model.pb").exists() else prefix
    if source.is_dir():
        (target / "saved_model.pb").write_bytes(data)
        return target
    if source.suffix == ".meta":
        for beside in source.parent.glob(f"{source.stem}.*"):
            shutil.copy(beside, folder)
    target.write_bytes(data)
    return target


def _judged(models: Sequence[Path], mutants: Sequence[Mutant], jobs: int, kept: Path) -> Iterator[Outcome]:
    """Ask the loaders, then check; what the unchanged model does not pass is left out, what check says of it too.

    A checkpoint by itself is judged by its prefix, and by its folder where the `checkpoint` file was changed.
    """
    starts = [checkpoints.prefixes(model)[0] if _is_checkpoint(model) else model for model in models]
    paths = [*starts, *(model for model in models if _is_checkpoint(model)), *(mutant.path for mutant in mutants)]
    answers = _answers([os.fspath(path) for path in paths], jobs, kept)
    unchanged = paths[: len(paths) - len(mutants)]
    before = {path: next(answers) for path in unchanged}
    known: dict[Path, Counter[tuple[str, str]]] = {}
    of_model = dict(zip(models, starts, strict=True))
    for mutant, answer in zip(mutants, answers, strict=True):
        source = mutant.source if "state file" in mutant.kind else of_model[mutant.source]
        if source not in known:
            known[source] = _findings(source)
        refusal = _refusal(before[source], answer)
        is_lost = bool(before[source].keys() - answer.keys())  # a function that is not there is not called
        is_passed = not any(text for stage, text in before[source].items() if stage != _PARTIAL)
        is_whole = is_passed and "process" not in answer and not is_lost
        yield Outcome(mutant, _said(known[source], _findings(mutant.path)), refusal, is_whole)


def _is_checkpoint(model: Path) -> bool:
    return model.is_dir() and not (model / "saved_model.pb").exists()


def _answers(items: Sequence[str], jobs: int, kept: Path) -> Iterator[dict[str, str]]:
    """Yield what the loaders say of each file, from an earlier run as far as it came."""
    found = [json.loads(line) for line in kept.read_text().splitlines()] if kept.exists() else []
    yield from found[: len(items)]
    with kept.open("a") as log:
        judge = "benchmarks.soundness_judges:judge"
        rest = in_processes(judge, items[len(found) :], jobs=jobs, seconds=_SECONDS)
        for number, answer in enumerate(rest, len(found)):
            if answer.error is not None and "within" not in str(answer.error):
                # What was looked at before may have left harm: a death counts if it comes again in a new process.
                (answer,) = in_processes(judge, [items[number]], jobs=1, seconds=_SECONDS)
            said = answer.result if answer.error is None else {"process": str(answer.error)}
            log.write(json.dumps(said) + "\n")
            log.flush()
            yield said


def _refusal(before: dict[str, str], answer: dict[str, str]) -> str:
    """Return the first refusal at a stage that the unchanged model passes; one that does not end is none."""
    if "process" in before:
        return ""
    if "process" in answer:
        return "" if "within" in answer["process"] else answer["process"]
    return next((f"{stage}: {text}" for stage, text in answer.items() if text and not before.get(stage, "-")), "")


def _findings(path: Path) -> Counter[tuple[str, str]]:
    try:
        return Counter((finding.severity, finding.rule) for finding in check(read(path), checksums=True))
    except GraphSurgeonError as error:
        return Counter([("error", f"read: {error}")])


def _said(before: Counter[tuple[str, str]], after: Counter[tuple[str, str]]) -> str:
    new = {severity for severity, _ in after - before}
    return next((severity for severity in ("error", "needs", "warning") if severity in new), "silent")


def _report(outcomes: Sequence[Outcome]) -> str:
    """Return the table, and each disagreement."""
    kinds = sorted({outcome.mutant.kind for outcome in outcomes})
    rows = {kind: Counter(_column(one) for one in outcomes if one.mutant.kind == kind) for kind in kinds}
    columns = ("refused", "error", "needs", "silent", "taken", "false")
    lines = [f"| kind | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    total: Counter[str] = Counter()
    for kind, found in rows.items():
        found["refused"] = found["error"] + found["needs"] + found["silent"]
        total += found
        lines.append(f"| {kind} | {' | '.join(str(found[column]) for column in columns)} |")
    lines += [f"| all | {' | '.join(str(total[column]) for column in columns)} |", ""]
    for outcome in outcomes:
        if _column(outcome) in ("silent", "false"):
            mutant = outcome.mutant
            told = f"{_column(outcome)} ({outcome.said}) {mutant.kind}: {mutant.source.name}: {mutant.changed}"
            lines.append(f"{told} [{mutant.path}] | {outcome.refusal}")
    return "\n".join(lines) + "\n"


def _column(outcome: Outcome) -> str:
    if outcome.refusal:
        return outcome.said if outcome.said in ("error", "needs") else "silent"
    return "false" if outcome.said == "error" and outcome.is_whole else "taken"


if __name__ == "__main__":
    main()
