"""Which models become ONNX that computes the same: `gs convert MODEL out.onnx`, as a table.

    nice python benchmarks/to_onnx.py [--largest MB] [--every N] [--out TABLE.tsv] FOLDER...

Every SavedModel and GraphDef in the folders is converted, in a process of its own that is forked from one that has
TensorFlow, which takes seconds where `gs` takes a minute on a busy machine. `equal` is a file that onnxruntime loads
and that gave what TensorFlow gives at every size of batch that the model runs with. Models that TensorFlow does not run
with made-up inputs, or that have none, do not count; where a model is refused before it is run, a run says whether they
do. At the end the counts.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.forked import forked
from graphsurgeon.bridges import child, runner
from graphsurgeon.bridges.converting import to_onnx
from graphsurgeon.bridges.converting.convert import convert
from graphsurgeon.bridges.run import run
from graphsurgeon.compare.entries import OneRun, Result, RunOutcome
from graphsurgeon.errors import GraphSurgeonError, UnsupportedError
from graphsurgeon.formats import registry
from graphsurgeon.formats.recognise.locate import locate

SECONDS = 240  # that one model may take
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
NOT_RUN = ("the first model does not run", "nothing says what comes out", "reaches outside itself")


def models(folders: Sequence[Path], largest: int) -> Iterator[Path]:
    """Yield the graphs of TensorFlow below some folders, small enough."""
    for folder in folders:
        for path in sorted(folder.rglob("*.pb*")):
            place = path.parent if path.name in registry.SAVED_MODEL.entries else path
            try:
                is_graph = locate(place).traits in (registry.SAVED_MODEL, registry.GRAPH_DEF)
            except (GraphSurgeonError, OSError):
                continue
            size = sum(file.stat().st_size for file in ([place] if place.is_file() else place.rglob("*")))
            if is_graph and size <= largest << 20:
                yield place


def outcome(model: Path, folder: Path) -> tuple[str, str]:
    """Return what became of a model, and why."""
    target = folder / "out.onnx"
    target.unlink(missing_ok=True)
    try:
        report = convert(model, target)
    except GraphSurgeonError as error:
        if "nothing goes into it" in str(error):
            return "not run by TensorFlow", str(error)
        return ("refused" if runs(model) else "not run by TensorFlow"), str(error)
    if report.written != target.exists() or bool(report.problem) == report.written:
        return "WRITTEN ALTHOUGH NOT EQUAL", report.problem
    if not report.problem:
        return "equal", ""
    if any(words in report.problem for words in NOT_RUN) or ("differ" not in report.problem and not runs(model)):
        return "not run by TensorFlow", report.problem
    return "no", report.problem


def runs(model: Path) -> bool:
    """Say whether TensorFlow runs a model with inputs that are made up for it."""
    try:
        return bool(run(model).results)
    except GraphSurgeonError:
        return False


def ask_here(runtime: str, source: dict[str, Any], calls: Sequence[OneRun], **_: object) -> list[RunOutcome]:
    """Do what the child process of a run does, here: this process is forked for each model, TensorFlow being there."""
    worker = import_module(f"graphsurgeon.bridges.workers.{runtime}_worker")
    asked = [
        {
            "loader": call.loader, "signature": call.signature, "fetches": dict(call.fetches),
            "feeds": {name: (array, call.dtypes.get(name)) for name, array in call.feeds.items()},
        }
        for call in calls
    ]  # fmt: skip
    try:
        found = list(worker.run(source, asked))
    except Exception as error:
        message = f"the runtime cannot load it: {child.shortened(f'{type(error).__name__}: {error}')}"
        raise UnsupportedError(message, path=source["path"]) from error
    return [
        RunOutcome({name: Result(*result) for name, result in results.items()}, child.shortened(error))
        for results, error in found
    ]


def main() -> None:
    """Print a row a model, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--largest", type=int, default=64, help="MB of a model")
    parser.add_argument("--every", type=int, default=1, help="take one model of so many")
    parser.add_argument("--out", type=Path, help="the rows, as they come")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    import tensorflow  # noqa: F401  # once, before the forks
    import tf2onnx.convert  # noqa: F401

    for module in (to_onnx, runner):
        module.ask = ask_here
    for model in list(models([folder.resolve() for folder in options.folders], options.largest))[:: options.every]:
        start = time.perf_counter()
        result, why = forked(partial(outcome, model), SECONDS)
        counts[result] += 1
        row = f"{result}\t{time.perf_counter() - start:.0f}\t{model}\t{why}"
        print(row, flush=True)
        if options.out is not None:
            with options.out.open("a") as file:
                file.write(row + "\n")
    ran = sum(count for result, count in counts.items() if result != "not run by TensorFlow")
    print(f"{counts['equal']} of {ran} that TensorFlow runs are equal; {dict(counts)}")


if __name__ == "__main__":
    main()
