"""The budget of graphs with many nodes: edits of 100,000 nodes in time and memory that grow with the nodes.

    python benchmarks/large_graph.py [--repeat 2] [--nodes 100000] [COMMAND...]

Every edit ends with the check of what it is about to write, and reads what it has written, which is part of the time.
Demanded are 5 s, 3 KB a node above 40 MB, and that a quarter of the nodes takes at least an eighth of the time.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import FOLDER, GS, Row, anew, best, print_table
from benchmarks.models import node
from graphsurgeon.formats import schema

SECONDS = 5.0
BASE, EACH = 40.0, 3e-3  # MB, and MB a node


def main() -> None:
    """Make the graphs if need be, run the commands, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", help="only these")
    parser.add_argument("--repeat", type=int, default=2)
    parser.add_argument("--nodes", type=int, default=100_000)
    options = parser.parse_args()
    large, small = graph_def(options.nodes), graph_def(options.nodes // 4)
    rows, linear = [], True
    for name in options.commands or EDITS:
        target = FOLDER / "edited.pb"
        costs = [
            best(anew(target, [*GS, *_command(name, path, count), "-o", target, "-q"]), repeat=options.repeat)
            for path, count in ((small, options.nodes // 4), (large, options.nodes))
        ]
        linear &= costs[1].seconds < 8 * costs[0].seconds
        for cost, count in zip(costs, (options.nodes // 4, options.nodes), strict=True):
            most = BASE + EACH * count
            rows.append(Row(f"gs {name}, {count:,} nodes", cost, seconds_at_most=SECONDS, megabytes_at_most=most))
    (FOLDER / "edited.pb").unlink(missing_ok=True)
    sys.exit(0 if print_table(rows) and linear else 1)


# Options of each edit; {last} is the last node of the chain, {middle} one in its middle, {first} the first.
EDITS = {
    "rename": ["--prefix", "p/"],
    "add-output": ["{middle}=features"],
    "extract": ["--inputs", "{middle}", "--outputs", "{last}"],
    "strip": ["--outputs", "{last}"],
}


def _command(name: str, path: Path, count: int) -> list[str | Path]:
    blocks = count // 5
    names = {"middle": f"block_{blocks // 2}/relu", "last": f"block_{blocks - 1}/relu"}
    return [name, path, *(option.format(**names) for option in EDITS[name])]


def graph_def(count: int) -> Path:
    """Make a graph of blocks of five nodes, with what real ones have: devices, colocation, control edges, shapes."""
    path = FOLDER / f"nodes-{count}.pb"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(node("x", "Placeholder", dtype=1))
            before = "x"
            for number in range(count // 5):
                file.writelines(_block(number, before))
                before = f"block_{number}/relu"
    return path


def _block(number: int, before: str) -> Iterator[bytes]:
    scope = f"block_{number}"
    weights = schema.message("tensorflow.TensorProto")(dtype=1, tensor_content=bytes(range(32)))
    weights.tensor_shape.dim.add().size = 8
    yield node(f"{scope}/bias", "Const", dtype=1, value=weights, device="/device:CPU:0")
    yield node(f"{scope}/bias/read", "Identity", [f"{scope}/bias"], T=1, colocated=f"{scope}/bias")
    yield node(f"{scope}/add", "AddV2", [before, f"{scope}/bias/read"], T=1, shape=(-1, 8))
    yield node(f"{scope}/checked", "Identity", [f"{scope}/add", f"^{scope}/bias/read"], T=1, shape=(-1, 8))
    yield node(f"{scope}/relu", "Relu", [f"{scope}/checked"], T=1, shape=(-1, 8))


if __name__ == "__main__":
    main()
