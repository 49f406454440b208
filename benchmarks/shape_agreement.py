"""How well inferred dtypes and shapes agree with TensorFlow's, model by model, as a table.

    python benchmarks/shape_agreement.py [--recorded] [--examples N] MODEL...

A model is a GraphDef, a MetaGraph or a SavedModel. Without `--recorded` the shapes that the files record for
nodes (`_output_shapes`) are removed first, on both sides, so that only inference is compared.

`equal` counts outputs whose shapes are the same, `more` those of which we know more than TensorFlow, `less`
those of which it knows more; `wrong` contradict each other.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.shapes.graph_oracle import Agreement, compare_graph, graph_defs, without_recorded_shapes

COLUMNS = ("equal", "more", "less", "wrong")
KINDS = os.environ.get("AGREEMENT_KINDS", "less,wrong").split(",")


def main() -> None:
    """Compare the models named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--recorded", action="store_true", help="keep the shapes that the files record")
    parser.add_argument("--examples", type=int, default=0, help="show so many outputs of each model that differ")
    options = parser.parse_args()
    total = Agreement()
    print(f"{'outputs':>8} {'dtype':>7} " + " ".join(f"{name:>7}" for name in COLUMNS) + "  model")
    for path in options.models:
        found = compare_model(path, recorded=options.recorded)
        if found is not None:
            total.add(found)
            print_row(str(path), found, options.examples)
    print_row("all", total, 0)


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


def print_row(name: str, found: Agreement, examples: int) -> None:
    """Print one line, and some outputs that differ."""
    counts = " ".join(f"{found.shapes[column]:>7}" for column in COLUMNS)
    print(f"{found.total:>8} {found.total - found.dtypes:>7} {counts}  {name}")
    shown = [example for example in found.examples if example[0] in KINDS]
    for verdict, op, (function, node, port), theirs, ours in shown[:examples]:
        where = f"{function}/{node}:{port}" if function else f"{node}:{port}"
        print(f"    {verdict}: {op} {where}: TensorFlow {theirs[0]} {theirs[1]}, ours {ours[0]} {ours[1]}")


if __name__ == "__main__":
    main()
