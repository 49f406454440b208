"""How well inferred dtypes and shapes agree with TensorFlow's, group by group of models, as a table.

    python benchmarks/shape_agreement.py [--recorded] [--build-keras] [--examples N] [MODEL_OR_FOLDER...]

A model is a GraphDef, a MetaGraph or a SavedModel; a folder is a group, all models in it but those made to be broken.
`--build-keras` adds Keras Applications and other architectures with random weights, built in a temporary folder (some
minutes, 2 GB; `--keep FOLDER` keeps them for the next time).
Without `--recorded` the shapes that the files record for nodes (`_output_shapes`) are removed first, on both sides, so
that only inference is compared.

`dtype` counts outputs whose dtypes are the same, `equal` those whose shapes are, `more` those of which we know more
than TensorFlow, `less` those of which it knows more; `wrong` contradict each other.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import architectures
from tests.shapes.graph_oracle import Agreement, compare_graph, graph_defs, without_recorded_shapes

COLUMNS = ("equal", "more", "less", "wrong")
BROKEN = "hostile"  # the folder of files that are made to be refused


def main() -> None:
    """Compare the models named on the command line, and those that are built."""
    options = _options()
    groups = {str(path): list(models_in(path)) for path in options.models}
    with tempfile.TemporaryDirectory() as temporary:
        if options.build_keras:
            built = list(architectures.build_all(options.keep or Path(temporary)))
            groups["Keras, SavedModel"], groups["Keras, frozen"] = built[::2], built[1::2]
        table = [(name, *compare_group(models, options)) for name, models in groups.items()]
    print(f"\n{'models':>8} {HEADER}  group")
    for name, count, found in table:
        print(f"{count:>8} {row(found)}  {name}")
    total = Agreement()
    for _, _, found in table:
        total.add(found)
    print(f"{sum(count for _, count, _ in table):>8} {row(total)}  all")


HEADER = f"{'outputs':>8} {'dtype':>7} " + " ".join(f"{name:>7}" for name in COLUMNS)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--recorded", action="store_true", help="keep the shapes that the files record")
    parser.add_argument("--build-keras", action="store_true", help="build architectures, and compare them too")
    parser.add_argument("--keep", type=Path, help="where to build them, or where they are from the last time")
    parser.add_argument("--examples", type=int, default=0, help="show so many outputs of each model that differ")
    parser.add_argument("--kinds", default="less,wrong", help="which of them: less, wrong, more")
    return parser.parse_args()


def models_in(path: Path) -> Iterator[Path]:
    """Yield a model, or all models in a folder."""
    if path.is_file() or list(path.glob("saved_model.pb*")):
        yield path
        return
    for file in sorted(path.rglob("*")):
        if BROKEN in file.parts or not file.is_file():
            continue
        if file.name in ("saved_model.pb", "saved_model.pbtxt"):
            yield file.parent
        elif file.suffix in (".pb", ".pbtxt", ".meta") and file.name != "fingerprint.pb":
            yield file


def compare_group(models: list[Path], options: argparse.Namespace) -> tuple[int, Agreement]:
    """Compare models and print a line for each; return how many TensorFlow imports, and their sum."""
    print(f"\n{HEADER}  model")
    total, count = Agreement(), 0
    for path in models:
        found = compare_model(path, recorded=options.recorded)
        if found is not None:
            count += 1
            total.add(found)
            print(f"{row(found)}  {path}", flush=True)
            print_examples(found, options.examples, options.kinds.split(","))
    return count, total


def compare_model(path: Path, *, recorded: bool) -> Agreement | None:
    """Compare every MetaGraph of a model; None if TensorFlow refuses it."""
    found = Agreement()
    try:
        for graph_def in graph_defs(path):
            found.add(compare_graph(graph_def if recorded else without_recorded_shapes(graph_def)))
    except Exception as error:  # whatever TensorFlow raises for a graph that it cannot import
        print(f"{'-':>8} {'':>39}  {path}: TensorFlow: {str(error).splitlines()[0][:90]}")
        return None
    return found


def row(found: Agreement) -> str:
    """Return the numbers of a line of the table."""
    counts = " ".join(f"{found.shapes[column]:>7}" for column in COLUMNS)
    return f"{found.total:>8} {found.total - found.dtypes:>7} {counts}"


def print_examples(found: Agreement, count: int, kinds: list[str]) -> None:
    """Print some outputs that differ."""
    shown = [example for example in found.examples if example[0] in kinds]
    for verdict, op, (function, node, port), theirs, ours in shown[:count]:
        where = f"{function}/{node}:{port}" if function else f"{node}:{port}"
        print(f"    {verdict}: {op} {where}: TensorFlow {theirs[0]} {theirs[1]}, ours {ours[0]} {ours[1]}")


if __name__ == "__main__":
    main()
