"""Which models become ONNX that computes the same: `gs convert MODEL out.onnx`, as a table.

    nice python benchmarks/to_onnx.py [--largest MB] [--every N] [--out TABLE.tsv] FOLDER...

Every SavedModel and GraphDef in the folders is converted in a process of its own. `equal` is a file that onnxruntime
loads and that gave what TensorFlow gives at every size of batch that the model runs with. Models that TensorFlow does
not run with made-up inputs do not count; where a model is refused before it is run, `gs run` says whether they do. At
the end the counts.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats import registry
from graphsurgeon.formats.recognise.locate import locate

SECONDS = 240  # that one model may take
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
    done = gs("convert", str(model), str(target), "--json")
    if done is None:
        return "took too long", ""
    if done.returncode == 0:
        return ("equal" if target.exists() else "NOTHING WRITTEN"), ""
    if target.exists():
        return "WRITTEN ALTHOUGH NOT EQUAL", ""
    why = json.loads(done.stdout)["problem"] if done.returncode == 1 else done.stderr.strip().splitlines()[-1]
    if any(words in why for words in NOT_RUN):
        return "not run by TensorFlow", why
    if done.returncode != 1 or "differ" not in why:
        ran = gs("run", str(model), "--json")
        if ran is None or ran.returncode:
            return "not run by TensorFlow", why
    return ("refused" if done.returncode != 1 else "no"), why


def gs(*arguments: str) -> subprocess.CompletedProcess[str] | None:
    """Run a command; None where it takes too long."""
    try:
        return subprocess.run(
            [sys.executable, "-m", "graphsurgeon", *arguments],
            capture_output=True, text=True, timeout=SECONDS, check=False,
        )  # fmt: skip
    except subprocess.TimeoutExpired:
        return None


def main() -> None:
    """Print a row a model, and the counts."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--largest", type=int, default=64, help="MB of a model")
    parser.add_argument("--every", type=int, default=1, help="take one model of so many")
    parser.add_argument("--out", type=Path, help="the rows, as they come")
    options = parser.parse_args()
    counts: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as name:
        for model in list(models(options.folders, options.largest))[:: options.every]:
            start = time.perf_counter()
            result, why = outcome(model, Path(name))
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
