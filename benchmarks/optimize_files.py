"""What `gs optimize` makes of model files: do they load, compute the same, and stay the same the second time? A table.

    nice python benchmarks/optimize_files.py [--each] [--largest KB] [--out TABLE.tsv] FOLDER...

Every SavedModel, GraphDef and TFLite model in the folders is optimized by the passes that run by default, and with
`--only all`; with --each by every pass by itself, too. TensorFlow (its own optimizer off) or LiteRT runs what was
there and what came of it on the same data, SavedModels by both loaders: `bit`, `close` (1e-5), DIFFERS; `loads` where
nothing can be run, `random` where no two runs agree. AGAIN says that a second run changes something. Each model has a
process of its own, forked from one that has TensorFlow.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

from benchmarks.forked import forked
from benchmarks.to_tflite import carried_out_here
from graphsurgeon import read, write
from graphsurgeon.bridges import child
from graphsurgeon.bridges.fold import with_tensorflow
from graphsurgeon.bridges.verify import verify
from graphsurgeon.compare.equivalence import Tolerance
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.surgery.optimize import ALL, PASSES, optimize

SECONDS = 300  # that one model may take
ENDS = (".pb", ".pbtxt", ".tflite")
BIT, CLOSE, DIFFERS, SAME, AGAIN = "bit", "close", "DIFFERS", "same", "AGAIN"
LOADERS = ("objects", "session", "graph")
LOADS, NOT_RUN, RANDOM = "loads", "not-run", "random"
WITHIN = Tolerance(rtol=1e-5, atol=1e-6)


def main() -> None:
    """Optimize every model and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--each", action="store_true", help="every pass by itself, too")
    parser.add_argument("--largest", type=int, default=4096, help="kB of a model that is tried")
    parser.add_argument("--out", type=Path, help="write the table there, too")
    options = parser.parse_args()
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"disable_meta_optimizer": True})
    child._run_child = carried_out_here
    ways = ["default", ALL, *(PASSES if options.each else ())]
    counts: Counter[str] = Counter()
    rows = []
    for path in files([folder.resolve() for folder in options.folders], options.largest << 10):
        status, text = forked(partial(tried, path, ways), SECONDS)
        cells = text.split("\t") if status == "done" else [status]
        counts.update(cell.split()[-1] for cell in cells)
        counts[AGAIN] += sum(AGAIN in cell for cell in cells)
        rows.append("\t".join([str(path), *cells]))
        print(rows[-1], flush=True)
    if options.out:
        options.out.write_text("\n".join(["\t".join(("model", *ways)), *rows, ""]), "utf-8")
    print(f"{len(rows)} models:", ", ".join(f"{count} {verdict}" for verdict, count in counts.most_common()))


def files(folders: Sequence[Path], largest: int) -> Iterator[Path]:
    """Yield what may be a model: folders of SavedModels, graphs, TFLite models; equal files once."""
    seen: set[int] = set()
    for folder in folders:
        for file in sorted(folder.rglob("*")):
            is_saved = file.name in ("saved_model.pb", "saved_model.pbtxt")
            if not (file.suffix in ENDS and file.is_file()) or (file.name.startswith("saved_model") and not is_saved):
                continue
            size = sum(one.stat().st_size for one in ([file] if not is_saved else file.parent.rglob("*")))
            content = hash(file.read_bytes()) if size <= largest else 0
            if size <= largest and content not in seen:
                seen.add(content)
                yield file.parent if is_saved else file


def tried(path: Path, ways: Sequence[str], folder: Path) -> tuple[str, str]:
    """Return what each way of optimizing comes to: nodes before and after, and how the numbers compare."""
    try:
        return "done", "\t".join([_one(path, way, folder) for way in ways])
    except GraphSurgeonError as error:
        return f"not read: {error.message}"[:150].replace("\t", " "), ""


def _one(path: Path, way: str, folder: Path) -> str:
    model = read(path)
    target = folder / f"{way}{'' if model.traits.is_servable else path.suffix}"
    only = None if way == "default" else [way]
    report = optimize(model, only=only, compute=with_tensorflow)
    nodes = f"{report.nodes_before} {report.nodes_after}"
    if not report.passes:
        return f"{nodes} {SAME}"
    write(model, target, force=True)
    again = optimize(read(target), only=only, compute=with_tensorflow).passes
    left = f" {AGAIN}:{','.join(again)}" if again else ""
    return f"{nodes}{left} {_compared(path, target)}"


def _compared(before: Path, after: Path) -> str:
    for verdict, tolerance in ((BIT, Tolerance(rtol=0, atol=0)), (CLOSE, WITHIN)):
        try:
            found = verify(before, after, tolerance=tolerance, with_place=False)
        except GraphSurgeonError:
            return _loaded(before, after)
        if found.agrees:
            return verdict
        if not found.outputs:
            return _loaded(before, after)
    is_random = not verify(before, before, tolerance=WITHIN, with_place=False).agrees
    return RANDOM if is_random else DIFFERS


def _loaded(before: Path, after: Path) -> str:
    """Say whether a model that is not run loads wherever its source did."""
    there = {way for way in LOADERS if _loads(before, way)}
    if not there:
        return NOT_RUN
    return LOADS if all(_loads(after, way) for way in there) else DIFFERS


def _loads(path: Path, way: str) -> bool:
    """Say whether TensorFlow loads a model: as objects, into a session, or a graph into a graph."""
    import tensorflow as tf
    from google.protobuf import text_format

    graph = tf.compat.v1.GraphDef()
    try:
        if way == "objects":
            tf.saved_model.load(str(path))
        elif way == "session":
            with tf.Graph().as_default(), tf.compat.v1.Session() as session:
                tf.compat.v1.saved_model.load(session, list(read(path).metagraphs[0].tags), str(path))
        else:
            content = path.read_bytes()
            is_text = content[:1].isalpha() or path.suffix == ".pbtxt"
            graph = text_format.Parse(content, graph) if is_text else graph.FromString(content)
            with tf.Graph().as_default():
                tf.import_graph_def(graph, name="")
    except Exception:  # whatever TensorFlow raises
        return False
    return True


if __name__ == "__main__":
    main()
