"""Time and memory of `gs freeze`: on a Keras application beside TensorFlow's way, and on variables up to 2 GB.

    python benchmarks/freeze_speed.py [--application ResNet50] [--repeat 3] [--large]

TensorFlow: load, `convert_variables_to_constants_v2`, write. Every process is measured from start to end. The two
results are compared on a random input. `--large` freezes a `.meta` with variables of 1.9 GB, beside the same graph
with 1 MB, and one of 2.2 GB, which must be refused; it takes 6 GB of disk, given back at the end.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import FOLDER, GS, ROOT, Row, anew, best, keras_application, print_table, run

TENSORFLOW = """
import sys
import tensorflow as tf
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
loaded = tf.saved_model.load(sys.argv[1])
frozen = convert_variables_to_constants_v2(loaded.signatures["serving_default"])
with open(sys.argv[2], "wb") as file:
    file.write(frozen.graph.as_graph_def().SerializeToString())
"""
# Twenty layers whose variables have so many bytes in all.
LARGE = """
import sys
import tensorflow as tf
v1, columns = tf.compat.v1, int(sys.argv[2]) // 20 // 4 // 256
with tf.Graph().as_default(), v1.Session() as session:
    x = v1.placeholder(tf.float32, [None, 256], name="x")
    layers = [x @ v1.get_variable(f"layer_{i}", [256, columns]) for i in range(20)]
    tf.identity(tf.add_n([tf.reduce_sum(layer, 1) for layer in layers]), name="y")
    session.run(v1.global_variables_initializer())
    v1.train.Saver().save(session, sys.argv[1])
"""
KEPT = 1_900_000_000
REFUSED = 2_200_000_000


def main() -> None:
    """Build the models if need be, time both, compare the results."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--application", default="ResNet50")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--large", action="store_true", help="freeze variables of 1.9 GB, too")
    options = parser.parse_args()
    rows = [row_of_application(options.application, options.repeat), *(large_rows() if options.large else ())]
    kept = print_table(rows)
    # Last: what this process holds then would count as the memory of those that it starts.
    print("same numbers:", same_numbers(FOLDER / "ours.pb", FOLDER / "tensorflow.pb"))
    raise SystemExit(not kept)


def row_of_application(name: str, repeat: int) -> Row:
    """Freeze an application, every checksum verified, beside TensorFlow."""
    model, ours, theirs = keras_application(name), FOLDER / "ours.pb", FOLDER / "tensorflow.pb"
    first = best(anew(ours, [*GS, "freeze", model, "-o", ours, "-q"]), repeat=repeat)
    second = best(anew(theirs, [sys.executable, "-c", TENSORFLOW, model, theirs]), repeat=1)
    return Row(f"gs freeze, {name}, {ours.stat().st_size / 1e6:.1f} MB", first, second, faster=20, smaller=25)


def large_rows() -> Iterator[Row]:
    """Freeze variables of 1.9 GB and of 1 MB in one graph; see that 2.2 GB are refused and leave nothing behind."""
    with tempfile.TemporaryDirectory() as folder:
        small, large, over = (made(Path(folder), count) for count in (1_000_000, KEPT, REFUSED))
        frozen = Path(folder, "frozen.pb")
        line = ["--outputs", "y", "-o", frozen, "--force", "-q"]
        other = best([*GS, "freeze", small, *line], repeat=1)
        cost = best([*GS, "freeze", large, *line], repeat=1)
        size = frozen.stat().st_size / 1e9
        yield Row(f"gs freeze, result of {size:.2f} GB beside 1 MB", cost, other, megabytes_at_most=80)
        frozen.unlink()
        said = run([*GS, "freeze", over, *line], allowed=(4,))
        assert not frozen.exists()
        yield Row("gs freeze, result over 2 GB refused", said, seconds_at_most=2, megabytes_at_most=80)


def made(folder: Path, count: int) -> Path:
    """Return a `.meta` beside a checkpoint of so many bytes."""
    run([sys.executable, "-c", LARGE, folder / f"model-{count}", str(count)])
    return folder / f"model-{count}.meta"


def same_numbers(ours: Path, theirs: Path) -> bool:
    """Run both graphs once on the same input, TensorFlow's optimizer off."""
    import numpy as np
    import tensorflow as tf

    from tests.oracle.sessions import run_graph_def, same_bits

    results = []
    for path, fetch in ((ours, None), (theirs, "Identity:0")):
        graph = tf.compat.v1.GraphDef.FromString(path.read_bytes())
        (placeholder,) = [node for node in graph.node if node.op == "Placeholder"]
        shape = [2 if dim.size < 0 else dim.size for dim in placeholder.attr["shape"].shape.dim]
        image = np.random.RandomState(0).rand(*shape).astype("float32")
        fed = {f"{placeholder.name}:0": image}
        results.append(run_graph_def(path, {"y": fetch or _likely(path)}, fed, optimize=False)["y"])
    return same_bits(*results)


def _likely(path: Path) -> str:
    """Return the likeliest output of a frozen graph."""
    printed = subprocess.run([*GS, "outputs", str(path), "--json"], capture_output=True, check=True, cwd=ROOT).stdout
    return str(json.loads(printed)["outputs"][0]["name"])


if __name__ == "__main__":
    main()
