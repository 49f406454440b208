"""The budget of edits on large weights: renaming and adding a signature on 1 GB, beside `cp` and `sync`.

    python benchmarks/edit.py [--repeat 3] [--gigabytes 1] [--folder DIR]

The file is made of random bytes, so that nothing can be skipped; it and the copies take three times its size in DIR.
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import FOLDER, GS, Row, paired, print_table
from benchmarks.models import const_head, node, scalar

LAYERS = 400  # of five nodes each
BLOCK = 1 << 22


def main() -> None:
    """Make the file if need be, run the pairs, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--gigabytes", type=float, default=1.0)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    options = parser.parse_args()
    source = graph_def(int(options.gigabytes * 1e9), options.folder)
    copy, target, served = (options.folder / name for name in ("copy.pb", "renamed.pb", "served"))
    by_cp = [*_after_removing(copy), "sh", "-c", 'cp "$0" "$1" && sync "$1"', source, copy]
    output = f"layer_{LAYERS - 1}/sum"
    edits = {
        "rename --prefix": [*_after_removing(target), *GS, "rename", source, "--prefix", "p/", "-o", target, "-q"],
        "rename A=B": [*_after_removing(target), *GS, "rename", source, "layer_0/read=first", "-o", target, "-q"],
        "add-signature": [
            *_after_removing(served),
            *GS,
            "add-signature",
            source,
            "--output",
            output,
            "-o",
            served,
            "-q",
        ],
    }
    rows = []
    for name, command in edits.items():
        title = f"gs {name}, GraphDef of {options.gigabytes:g} GB; cp, sync"
        pair = paired(command, by_cp, repeat=options.repeat)
        rows.append(Row(title, *pair, slower_at_most=2, megabytes_at_most=80))
    _remove(copy, target, served)
    sys.exit(0 if print_table(rows) else 1)


def graph_def(size: int, folder: Path) -> Path:
    """Make a frozen graph of 2,000 nodes whose constants hold `size` random bytes."""
    path = folder / f"random-{size}.pb"
    if path.exists():
        return path
    folder.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        file.write(node("x", "Placeholder", dtype=1))
        before = "x"
        for number in range(LAYERS):
            scope = f"layer_{number}"
            length = size // LAYERS // 4 * 4
            file.write(const_head(f"{scope}/weights", length))
            for start in range(0, length, BLOCK):
                file.write(os.urandom(min(BLOCK, length - start)))
            file.write(node(f"{scope}/axes", "Const", dtype=3, value=scalar(0)))
            file.write(node(f"{scope}/read", "Identity", [f"{scope}/weights"], T=1))
            file.write(node(f"{scope}/total", "Sum", [f"{scope}/read", f"{scope}/axes"], T=1, Tidx=3))
            file.write(node(f"{scope}/sum", "AddV2", [before, f"{scope}/total"], T=1))
            before = f"{scope}/sum"
    return path


def _after_removing(path: Path) -> list[str | Path]:
    return ["sh", "-c", 'rm -rf "$0"; exec "$@"', path]


def _remove(*paths: Path) -> None:
    import shutil

    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
