"""Patterns in a graph of 100,000 nodes: seconds to find them beyond reading, and to replace a thousand.

    python benchmarks/patterns.py [--blocks 4350]

The graph is made in memory: blocks of a LayerNorm in single ops, a dense layer, activations. Demanded are 1 s to find a
pattern and 3 s for a thousand replacements, in processor time, the inference of shapes included.
"""

from __future__ import annotations

import argparse
import gc
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from graphsurgeon.formats import registry
from graphsurgeon.model import DType, MetaGraph, Model, Shape, Tensor
from graphsurgeon.model.graph import AttrValue, Value
from graphsurgeon.patterns import parse_pattern
from graphsurgeon.patterns.match import Matcher
from graphsurgeon.patterns.subject import Subject
from graphsurgeon.surgery import replace

FLOAT, INT = DType.named("float32"), DType.named("int32")
FIND_SECONDS, REPLACE_SECONDS = 1.0, 3.0
LAYER_NORM = (
    "Add|AddV2(Mul(x, s=Mul(Rsqrt(Add|AddV2(Mean(SquaredDifference(x, mu=Mean(x, a)), a), const(e))), const(g))), "
    "(Sub(const(b), Mul(mu, s)) or Add|AddV2(Mul(Neg(mu), s), const(b))))"
)
PATTERNS = (
    LAYER_NORM,
    "Mul(x, Sigmoid(x))",
    "Relu(BiasAdd(MatMul(x, const(w)), const(b)))",
    "AddV2(Relu(Tanh(x)), Sigmoid(Neg(x)))",
    "AddV2(_, _)",
)


def main() -> None:
    """Time the patterns and the replacements; exit with 1 if one takes too long."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--blocks", type=int, default=4350)
    options = parser.parse_args()
    gc.set_threshold(100_000)  # as the command sets it
    metagraph = Blocks(options.blocks).metagraph
    print(f"{len(metagraph.graph):,} nodes")
    is_met = True
    for pattern in PATTERNS:
        start = time.process_time()
        found = Matcher(parse_pattern(pattern), Subject(metagraph)).find()
        seconds = time.process_time() - start
        is_met &= seconds < FIND_SECONDS
        print(f"{seconds:6.2f} s  {len(found.matches):7,} matches  {pattern[:60]}")
    model = Model(registry.GRAPH_DEF, "memory")
    model.metagraphs = [metagraph]
    start = time.process_time()
    report = replace(model, [f"{LAYER_NORM} => Softmax(x)"], limit=1000)
    seconds = time.process_time() - start
    is_met &= seconds < REPLACE_SECONDS
    print(f"{seconds:6.2f} s  {len(report.replaced):7,} replacements")
    sys.exit(0 if is_met else 1)


class Blocks:
    """A chain of blocks of 25 nodes."""

    def __init__(self, count: int) -> None:
        self.metagraph = MetaGraph()
        self._number = 0
        value = self._op("Placeholder", dtype=FLOAT, shape=Shape([None, 16]))
        for _ in range(count):
            value = self._block(value)

    def _block(self, x: Value) -> Value:
        axis = self._const([1], [1], INT)
        mean = self._op("Mean", x, axis, keep_dims=True, Tidx=INT)
        variance = self._op("Mean", self._op("SquaredDifference", x, mean), axis, keep_dims=True, Tidx=INT)
        scale = self._op("Rsqrt", self._op("AddV2", variance, self._const([1e-3], [])))
        scale = self._op("Mul", scale, self._const([1.0] * 16, [16]))
        shift = self._op("Sub", self._const([0.5] * 16, [16]), self._op("Mul", mean, scale))
        y = self._op("AddV2", self._op("Mul", x, scale), shift)
        y = self._op("MatMul", y, self._const([0.1] * 256, [16, 16]))
        y = self._op("Relu", self._op("BiasAdd", y, self._const([0.1] * 16, [16])))
        z = self._op("AddV2", self._op("Relu", self._op("Tanh", y)), self._op("Sigmoid", self._op("Neg", y)))
        return self._op("AddV2", x, z)

    def _op(self, op: str, *inputs: Value, **attrs: AttrValue) -> Value:
        self._number += 1
        name = f"block{self._number // 25}/{op}_{self._number}"
        return self.metagraph.graph.add_node(op, name, inputs, attrs).output()

    def _const(self, items: list[float], dims: list[int], dtype: DType = FLOAT) -> Value:
        return self._op("Const", dtype=dtype, value=Tensor.of(dtype, dims, items))


if __name__ == "__main__":
    main()
