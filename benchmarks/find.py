"""The budget of `gs find --shape` on a frozen Keras ResNet50, beside importing it into TensorFlow and asking there.

python benchmarks/find.py [--repeat 3]
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import GS, Row, frozen, keras_application, paired, print_table

TENSORFLOW = """
import sys
import tensorflow as tf
graph_def = tf.compat.v1.GraphDef.FromString(open(sys.argv[1], "rb").read())
with tf.Graph().as_default() as graph:
    tf.import_graph_def(graph_def, name="")
for operation in graph.get_operations():
    for output in operation.outputs:
        if output.shape.rank == 2 and output.shape.as_list()[1] == 1000:
            print(output.name, output.dtype.name, output.shape)
"""


def main() -> None:
    """Freeze the model if need be, run the pair, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    options = parser.parse_args()
    graph = frozen(keras_application())
    pair = paired(
        [*GS, "find", graph, "--shape", "?,1000"], [sys.executable, "-c", TENSORFLOW, graph], repeat=options.repeat
    )
    row = Row("gs find --shape, frozen ResNet50; TensorFlow", *pair, faster=20)
    sys.exit(0 if print_table([row]) else 1)


if __name__ == "__main__":
    main()
