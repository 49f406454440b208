"""Which models become TFLite models that compute the same: `gs convert`, beside TensorFlow's converter alone.

    nice python benchmarks/to_tflite.py [--alone] [FOLDER...]

A row is a model that TensorFlow runs with data that are made up for it: its default signature, or the likeliest outputs
of a graph without one. `equal` says that LiteRT gives what TensorFlow gives; anything else is why not. At the end come
the counts. With --alone the converter is given each SavedModel as it is, too. Each model has a process of its own,
which is forked from one that has TensorFlow, and some minutes.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.forked import forked
from graphsurgeon.bridges import child
from graphsurgeon.bridges.converting.convert import convert
from graphsurgeon.bridges.run import run
from graphsurgeon.bridges.verify import verify
from graphsurgeon.bridges.workers import worker
from graphsurgeon.compare.entries import Entry, entries
from graphsurgeon.disk.files import is_folder
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats import read
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model

EQUAL, NOT_RUN = "equal", "not run by TensorFlow"
SECONDS = 300  # that one model may take
LARGEST = 60 << 20  # bytes of a model
ENDS = (".pb", ".pbtxt", ".meta")
PREFERRED = ("serving_default", "predict", "default")


def main() -> None:
    """Try the models below the folders named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--alone", action="store_true", help="try the converter without our edits, too")
    options = parser.parse_args()
    import tensorflow  # noqa: F401  # once, before the forks

    child._run_child = carried_out_here
    ours: Counter[str] = Counter()
    alone: Counter[str] = Counter()
    for path, metagraph, entry in cases([folder.resolve() for folder in options.folders]):
        verdicts = forked(partial(verdicts_of, path, metagraph, entry, alone=options.alone), SECONDS)
        if verdicts[0] == NOT_RUN:
            continue
        ours[verdicts[0].partition(":")[0]] += 1
        if options.alone:
            alone[verdicts[1].partition(":")[0]] += 1
        print(path, entry.key, *verdicts, sep=" | ", flush=True)
    for name, counts in (("gs convert", ours), ("converter alone", alone)):
        told = ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common())
        print(f"{name}: {told} of {counts.total()}" if counts else "")


def verdicts_of(path: Path, metagraph: MetaGraph, entry: Entry, folder: Path, *, alone: bool) -> tuple[str, str]:
    """Return what comes of a model, and what of it without our edits."""
    verdict = with_edits(path, metagraph, entry, folder / "ours.tflite")
    if verdict != EQUAL and not runs(path, metagraph, entry):
        return NOT_RUN, ""
    return verdict, without(path, metagraph, entry, folder / "alone.tflite") if alone else ""


def carried_out_here(folder: Path, stand: Path | None) -> None:
    """Do what a child process would."""
    del stand
    os.environ |= {"TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    worker.main(folder)


def cases(folders: list[Path]) -> Iterator[tuple[Path, MetaGraph, Entry]]:
    """Yield each model once, with the part of it that is converted."""
    seen: set[object] = set()
    for path in (found for folder in folders for found in files(folder)):
        try:
            model = read(path)
            if model.traits.vocabulary != TENSORFLOW or sum(model.files.values()) > LARGEST:
                continue
            for metagraph in model.metagraphs[:1]:
                entry = chosen(model, metagraph)
                content = tuple(node.op for node in metagraph.graph.nodes), entry and entry.key
                if entry is not None and not entry.problem and content not in seen:
                    seen.add(content)
                    yield path, metagraph, entry
        except GraphSurgeonError:
            continue


def files(folder: Path) -> Iterator[Path]:
    """Yield what may be a model: folders of SavedModels, files of graphs."""
    for file in sorted(folder.rglob("*")):
        if file.name.startswith("saved_model.pb"):
            yield file.parent
        elif file.suffix in ENDS and not is_folder(file):
            yield file


def chosen(model: Model, metagraph: MetaGraph) -> Entry | None:
    """Return the default signature, else the first; of a graph without any its likely outputs."""
    found = {entry.key: entry for entry in entries(model, metagraph)}
    return next((found[key] for key in PREFERRED if key in found), next(iter(found.values()), None))


def runs(path: Path, metagraph: MetaGraph, entry: Entry) -> bool:
    """Say whether TensorFlow runs it."""
    outputs = [] if entry.key is not None else [str(value) for value in entry.outputs.values()]
    try:
        run(path, signature=entry.key, outputs=outputs, tags=metagraph.tags)
    except (GraphSurgeonError, ValueError):
        return False
    return True


def with_edits(path: Path, metagraph: MetaGraph, entry: Entry, target: Path) -> str:
    """Return what `gs convert` says."""
    outputs = [] if entry.key is not None else [str(value) for value in entry.outputs.values()]
    try:
        report = convert(path, target, signature=entry.key, outputs=outputs, tags=metagraph.tags, force=True)
    except GraphSurgeonError as error:
        return f"refused: {error.message}"
    return EQUAL if report.verified else f"differs: {report.problem}"


def without(path: Path, metagraph: MetaGraph, entry: Entry, target: Path) -> str:
    """Return what comes of a SavedModel that the converter is given as it is."""
    if entry.key is None:
        return "refused: no SavedModel"
    arguments = {
        "path": str(path.absolute()), "signature": entry.key, "tags": list(metagraph.tags or ()), "target": str(target),
        "quantize": "", "int8_io": False, "select": False,
    }  # fmt: skip
    answer = child.have_done("converting.tflite_job:convert", arguments)
    if answer["died"] or answer["error"]:
        return "refused: by the converter"
    try:
        report = verify(path, target, signatures=[entry.key], with_place=False)
    except GraphSurgeonError as error:
        return f"differs: {error.message}"
    return EQUAL if report.agrees else "differs:"


if __name__ == "__main__":
    main()
