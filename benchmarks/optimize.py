"""Nodes that `gs optimize` leaves, beside TensorFlow's grappler and `optimize_for_inference`, on frozen models.

    python benchmarks/optimize.py [--trained] FOLDER [NAME...]

FOLDER gets the models of `architectures.py` unless they are there. Grappler runs with function, constant folding,
arithmetic, dependency, common subexpressions and pruning; remapping and layout are off, since what they make loads
nowhere else. Every node that nobody reads is a fetch. With --trained, constants of equal numbers, as networks have them
that were never trained, become random ones, which do not merge. Demanded are at most 1.1 times the nodes that grappler
leaves.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.architectures import build_all
from graphsurgeon import read, write
from graphsurgeon.surgery.optimize import ASKED_FOR, PASSES, optimize

AT_MOST = 1.1
LEAST = 8  # numbers of a vector that training would have changed


def main() -> None:
    """Optimize every model both ways and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("names", nargs="*", help="only these")
    parser.add_argument("--trained", action="store_true", help="no constants of equal numbers")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    is_met = True
    print(f"{'model':24}{'before':>8}{'exact':>8}{'close':>8}{'all':>8}{'s':>7}{'grappler':>10}{'s':>7}{'ratio':>7}")
    for path in build_all(options.folder, options.names):
        if path.suffix == ".pb":
            is_met &= _compare(_trained(path) if options.trained else path)
    sys.exit(0 if is_met else 1)


def _trained(path: Path) -> Path:
    """Return a copy of a frozen graph in which no vector of floats has the same number everywhere."""
    import numpy as np
    import tensorflow as tf

    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    random = np.random.default_rng(0)
    for node in graph_def.node:
        if node.op == "Const":
            array = tf.make_ndarray(node.attr["value"].tensor)
            if array.dtype == np.float32 and array.size >= LEAST and array.min() == array.max():
                new = random.uniform(0.5, 1.5, array.shape).astype("f4")
                node.attr["value"].tensor.CopyFrom(tf.make_tensor_proto(new))
    target = path.with_suffix(".trained.pb")
    target.write_bytes(graph_def.SerializeToString())
    return target


def _compare(path: Path) -> bool:
    start = time.perf_counter()
    model = read(path)
    exact = optimize(model).nodes_after
    ours = time.perf_counter() - start
    close = optimize(read(path), only=[*(name for name in PASSES if name not in ASKED_FOR), "fold-close"]).nodes_after
    model = read(path)
    report = optimize(model, only=["all"])
    write(model, path.with_suffix(".optimized.pb"), force=True)
    start = time.perf_counter()
    theirs = _grappler(path)
    seconds = time.perf_counter() - start
    ratio = report.nodes_after / theirs
    print(
        f"{path.stem:24}{report.nodes_before:8,}{exact:8,}{close:8,}{report.nodes_after:8,}{ours:7.1f}{theirs:10,}"
        f"{seconds:7.1f}{ratio:7.2f}"
    )
    return ratio <= AT_MOST


def _grappler(path: Path) -> int:
    """Return how many nodes grappler leaves."""
    import tensorflow as tf
    from tensorflow.core.protobuf import config_pb2, meta_graph_pb2, rewriter_config_pb2
    from tensorflow.python.grappler import tf_optimizer

    graph_def = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    with tf.Graph().as_default() as graph:
        tf.import_graph_def(graph_def, name="")
        meta = tf.compat.v1.train.export_meta_graph(graph_def=graph_def, graph=graph)
    fetched = meta_graph_pb2.CollectionDef()
    fetched.node_list.value.extend(_ends(graph_def))
    meta.collection_def["train_op"].CopyFrom(fetched)
    config = config_pb2.ConfigProto()
    rewrites: Any = config.graph_options.rewrite_options
    off = rewriter_config_pb2.RewriterConfig.OFF
    rewrites.remapping = rewrites.layout_optimizer = off
    rewrites.min_graph_nodes = -1
    return len(tf_optimizer.OptimizeGraph(config, meta).node)


def _ends(graph_def: Any) -> list[str]:
    read_nodes = {text.removeprefix("^").partition(":")[0] for node in graph_def.node for text in node.input}
    return [node.name for node in graph_def.node if node.name not in read_nodes and node.op not in ("Const", "NoOp")]


if __name__ == "__main__":
    main()
