"""The budget of pictures: a graph of 2,000 nodes in 3 s, folded and with every node drawn; one of 100,000 in 10 s.

    python benchmarks/render.py [--repeat 3]

`ported` is laid out by the port of dot that pip installs, as on a machine without Graphviz.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import FOLDER, GS, Row, best, print_table
from benchmarks.models import node, scalar

BLOCK = 20  # nodes of a block
EVERY_NODE = ["--all", "--depth", "9"]
# Nodes, suffix, options, whether Graphviz is hidden, seconds at most.
WORK = [
    (2_000, ".svg", [], False, 3.0),
    (2_000, ".svg", [], True, 3.0),
    (2_000, ".svg", EVERY_NODE, False, 3.0),
    (2_000, ".svg", EVERY_NODE, True, 3.0),
    (2_000, ".html", [], False, 3.0),
    (100_000, ".svg", [], False, 10.0),
    (100_000, ".html", [], False, 10.0),
]


def main() -> None:
    """Make the graphs if need be, draw them, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    alone = ["env", f"PATH={Path(sys.executable).parent}"]
    rows = []
    for nodes, suffix, extra, is_ported, seconds in WORK:
        target = FOLDER / f"picture{suffix}"
        call = [*GS, "render", graph_def(nodes), "-o", target, "--force", "-q", *extra]
        title = f"gs render {' '.join([*extra, f'-o x{suffix}'])}, {nodes:,} nodes{', ported' if is_ported else ''}"
        rows.append(
            Row(title, best([*alone, *call] if is_ported else call, repeat=options.repeat), seconds_at_most=seconds)
        )
    sys.exit(0 if print_table(rows) else 1)


def graph_def(count: int) -> Path:
    """Make a network of blocks of three kinds, each with two branches and a sum, in numbered scopes within stages."""
    path = FOLDER / f"blocks-{count}.pb"
    if not path.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        with path.open("wb") as file:
            file.write(node("x", "Placeholder", dtype=1))
            before = "x"
            for number in range(count // BLOCK):
                scope = f"stage_{number // 8}/block_{number % 8}"
                file.writelines(_block(scope, before, long_branch=number % 3 + 2))
                before = f"{scope}/out"
    return path


def _block(scope: str, before: str, *, long_branch: int) -> Iterator[bytes]:
    """Yield `BLOCK` nodes: a branch of layers of four nodes each, a shortcut that fills up, and their sum."""
    value = before
    for layer in range(long_branch):
        name = f"{scope}/layer_{layer}"
        yield node(f"{name}/bias", "Const", dtype=3, value=scalar(layer))
        yield node(f"{name}/cast", "Cast", [f"{name}/bias"], SrcT=3, DstT=1)
        yield node(f"{name}/add", "AddV2", [value, f"{name}/cast"], T=1)
        yield node(f"{name}/relu", "Relu", [f"{name}/add"], T=1)
        value = f"{name}/relu"
    shortcut = before
    for step in range(BLOCK - 1 - 4 * long_branch):
        yield node(f"{scope}/shortcut/step_{step}", "Tanh", [shortcut], T=1)
        shortcut = f"{scope}/shortcut/step_{step}"
    yield node(f"{scope}/out", "AddV2", [value, shortcut], T=1)


if __name__ == "__main__":
    main()
