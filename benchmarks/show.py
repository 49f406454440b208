"""The budgets of `gs show`: beside `saved_model_cli`, and with large weights beside small ones.

    python benchmarks/show.py [--repeat 5] [--gigabytes-graph 1] [--gigabytes-checkpoint 5]

Needs TensorFlow, to make the Keras model once and for `saved_model_cli`. The large files are sparse: their values
are zeros that take no room on disk, and are not read.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import FOLDER, GS, Row, keras_application, paired, print_table
from benchmarks.models import const_head
from graphsurgeon.encoding import sstable
from graphsurgeon.formats import schema

CLI = [sys.executable, "-c", "from tensorflow.python.tools.saved_model_cli import main; main()"]
WEIGHTS = 200  # constants, or variables, of the made-up models


def main() -> None:
    """Make what is missing, run the pairs, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--gigabytes-graph", type=float, default=1.0)
    parser.add_argument("--gigabytes-checkpoint", type=float, default=5.0)
    options = parser.parse_args()
    repeat = options.repeat
    model = keras_application()
    rows = [
        Row(
            "gs show --json, Keras ResNet50; saved_model_cli",
            *paired([*GS, "show", model, "--json"], [*CLI, "show", "--dir", model, "--all"], repeat=min(repeat, 3)),
            faster=30, smaller=15,
        ),
    ]  # fmt: skip
    sizes = (("GraphDef", options.gigabytes_graph, graph_def), ("checkpoint", options.gigabytes_checkpoint, checkpoint))
    for title, gigabytes, make in sizes:
        large, small = make(int(gigabytes * 1e9)), make(10**6)
        pair = paired([*GS, "show", large, "--json"], [*GS, "show", small, "--json"], repeat=repeat)
        rows.append(Row(f"gs show, {title} of {gigabytes:g} GB; of 1 MB", *pair, slower_at_most=2))
    sys.exit(0 if print_table(rows) else 1)


def graph_def(size: int, weights: int = WEIGHTS) -> Path:
    """Make a frozen graph whose constants take `size` bytes."""
    path = FOLDER / (f"frozen-{size}.pb" if weights == WEIGHTS else f"frozen-{size}-{weights}.pb")
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            for number in range(weights):
                length = size // weights // 4 * 4
                head = const_head(f"layer_{number}/weights", length)
                file.write(head)
                file.seek(length, 1)
            file.truncate(file.tell())
    return path


def checkpoint(size: int) -> Path:
    """Make a checkpoint whose variables take `size` bytes; its checksums are wrong, as nobody computes them."""
    folder = FOLDER / f"checkpoint-{size}"
    if not folder.exists():
        folder.mkdir(parents=True)
        length = size // WEIGHTS // 4 * 4
        header = schema.message("tensorflow.BundleHeaderProto")(num_shards=1)
        header.version.producer = 1
        entries = [(b"", header.SerializeToString())]
        for number in range(WEIGHTS):
            entry = schema.message("tensorflow.BundleEntryProto")(dtype=1, offset=number * length, size=length)
            entry.shape.dim.add().size = length // 4
            entries.append((f"layer_{number:03}/weights".encode(), entry.SerializeToString()))
        (folder / "model.index").write_bytes(sstable.write_table(entries))
        with (folder / "model.data-00000-of-00001").open("wb") as file:
            file.truncate(length * WEIGHTS)
    return folder / "model"


if __name__ == "__main__":
    main()
