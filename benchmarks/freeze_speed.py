"""Time and memory of `gs freeze` on a Keras application with random weights, beside TensorFlow's way to a frozen graph.

    python benchmarks/freeze_speed.py [--application ResNet50] [--folder DIR] [--repeat 3]

TensorFlow: load, `convert_variables_to_constants_v2`, write. Both run in processes of their own, so what is measured is
what a user waits for; peak memory is the largest resident set. The two results are compared on a random input.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

MAKE = """
import sys, keras
model = getattr(keras.applications, sys.argv[1])(weights=None)
model.export(sys.argv[2], verbose=False)
"""
TENSORFLOW = """
import sys
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
loaded = tf.saved_model.load(sys.argv[1])
frozen = convert_variables_to_constants_v2(loaded.signatures["serving_default"])
with open(sys.argv[2], "wb") as file:
    file.write(frozen.graph.as_graph_def().SerializeToString())
"""


def main() -> None:
    """Build the model if need be, time both, compare the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--application", default="ResNet50")
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()) / "graphsurgeon-benchmarks")
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    model = options.folder / options.application
    if not model.exists():
        run([sys.executable, "-c", MAKE, options.application, str(model)])
    ours, theirs = options.folder / "ours.pb", options.folder / "tensorflow.pb"
    command = [sys.executable, "-m", "graphsurgeon", "freeze", str(model), "-o", str(ours), "--force", "--json"]
    first = best(command, options.repeat)
    second = best([sys.executable, "-c", TENSORFLOW, str(model), str(theirs)], 1)
    print(f"{'':24} {'seconds':>8} {'peak MB':>8} {'file MB':>8}")
    for name, (seconds, peak, _), file in (("gs freeze", first, ours), ("TensorFlow", second, theirs)):
        print(f"{name:24} {seconds:8.2f} {peak / 1024:8.0f} {file.stat().st_size / 1e6:8.1f}")
    print(f"{'ratio':24} {second[0] / first[0]:8.1f} {second[1] / first[1]:8.1f}")
    print("same numbers:", same_numbers(ours, theirs, json.loads(first[2])))


def best(command: list[str], repeat: int) -> tuple[float, int, str]:
    """Return the shortest time of some runs in seconds, its peak memory in KiB, and what was printed."""
    return min((run(command) for _ in range(repeat)), key=lambda result: result[0])


def run(command: list[str]) -> tuple[float, int, str]:
    """Run a process to its end."""
    # Compiled modules are kept, as those of an installed package are; the first of several runs compiles them.
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(Path(tempfile.gettempdir()) / "graphsurgeon-pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT, text=True, env=environment
    )
    printed, errors = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    if status:
        raise SystemExit(f"{' '.join(command)[:200]} failed:\n{errors}")
    return seconds, usage.ru_maxrss, printed


def same_numbers(ours: Path, theirs: Path, report: dict[str, dict[str, str]]) -> bool:
    """Run both graphs once on the same input, TensorFlow's optimizer off."""
    import numpy as np
    import tensorflow as tf

    from tests.oracle.sessions import run_graph_def, same_bits

    graph = tf.compat.v1.GraphDef.FromString(theirs.read_bytes())
    (placeholder,) = [node for node in graph.node if node.op == "Placeholder"]
    shape = [2 if dim.size < 0 else dim.size for dim in placeholder.attr["shape"].shape.dim]
    image = np.random.RandomState(0).rand(*shape).astype("float32")
    (feed,), (fetch,) = report["feeds"].values(), report["fetches"].values()
    one = run_graph_def(ours, {"y": fetch}, {feed: image}, optimize=False)["y"]
    last = "Identity:0"
    other = run_graph_def(theirs, {"y": last}, {f"{placeholder.name}:0": image}, optimize=False)["y"]
    return same_bits(one, other)


if __name__ == "__main__":
    main()
