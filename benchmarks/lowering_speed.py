"""What converting a ResNet50 and a BERT of ONNX takes, with random weights: CPU seconds and memory of `gs convert`.

python -m benchmarks.lowering_speed
"""

from __future__ import annotations

import resource
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.measure import run

_RNG = np.random.default_rng(0)


class Net:
    """Nodes and weights of a model that is made."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.weights: list[Any] = []

    def add(self, op: str, *inputs: str, **attrs: Any) -> str:
        """Add a node; return what it yields."""
        from onnx import helper

        name = f"t{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, inputs, [name], name=f"{op}_{len(self.nodes)}", **attrs))
        return name

    def weight(self, *dims: int) -> str:
        """Add random numbers; return their name."""
        return self.constant(_RNG.standard_normal(dims, "f4") * 0.02)

    def constant(self, array: Any) -> str:
        """Add a constant; return its name."""
        from onnx import numpy_helper

        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(array), name))
        return name

    def save(self, path: Path, inputs: Sequence[Any], output: str) -> Path:
        """Write the model."""
        import onnx
        from onnx import TensorProto, helper

        ends = [helper.make_tensor_value_info(output, TensorProto.FLOAT, None)]
        graph = helper.make_graph(self.nodes, "net", list(inputs), ends, self.weights)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
        return path


def resnet50(path: Path) -> Path:
    """Write a ResNet50: 53 convolutions, a batch norm behind each."""
    from onnx import TensorProto, helper

    net = Net()

    def conv(x: str, into: int, out: int, size: int, stride: int = 1) -> str:
        pads = [size // 2] * 4
        made = net.add("Conv", x, net.weight(out, into, size, size), pads=pads, strides=[stride] * 2)
        return net.add("BatchNormalization", made, *(net.constant(np.ones(out, "f4")) for _ in range(4)))

    x = net.add("Relu", conv("x", 3, 64, 7, 2))
    x, width = net.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1]), 64
    for inner, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            stride = 2 if block == 0 and inner > 64 else 1
            y = net.add("Relu", conv(x, width, inner, 1))
            y = conv(net.add("Relu", conv(y, inner, inner, 3, stride)), inner, 4 * inner, 1)
            x = conv(x, width, 4 * inner, 1, stride) if block == 0 else x
            x, width = net.add("Relu", net.add("Add", y, x)), 4 * inner
    flat = net.add("Flatten", net.add("GlobalAveragePool", x))
    last = net.add("Gemm", flat, net.weight(1000, 2048), net.weight(1000), transB=1)
    return net.save(path, [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, 224, 224])], last)


def bert(path: Path, layers: int = 12, width: int = 768, heads: int = 12) -> Path:
    """Write a BERT of the base size, in the ops of PyTorch's exporter."""
    from onnx import TensorProto, helper

    net = Net()
    ints = [net.constant(np.array(dims, "i8")) for dims in ([0, 0, heads, width // heads], [0, 0, width])]
    root = net.constant(np.array(np.sqrt(width // heads), "f4"))

    def dense(x: str, into: int, out: int) -> str:
        return net.add("Add", net.add("MatMul", x, net.weight(into, out)), net.weight(out))

    def normed(x: str) -> str:
        return net.add("LayerNormalization", x, net.weight(width), net.weight(width), axis=-1)

    x = normed(net.add("Gather", net.weight(30522, width), "tokens"))
    for _ in range(layers):
        q, k, v = (net.add("Reshape", dense(x, width, width), ints[0]) for _ in range(3))
        scores = net.add(
            "MatMul", net.add("Transpose", q, perm=[0, 2, 1, 3]), net.add("Transpose", k, perm=[0, 2, 3, 1])
        )
        weights = net.add("Softmax", net.add("Div", scores, root), axis=-1)
        found = net.add("MatMul", weights, net.add("Transpose", v, perm=[0, 2, 1, 3]))
        found = net.add("Reshape", net.add("Transpose", found, perm=[0, 2, 1, 3]), ints[1])
        x = normed(net.add("Add", x, dense(found, width, width)))
        x = normed(net.add("Add", x, dense(_gelu(net, dense(x, width, 4 * width)), 4 * width, width)))
    return net.save(path, [helper.make_tensor_value_info("tokens", TensorProto.INT64, ["n", "length"])], x)


def _gelu(net: Net, x: str) -> str:
    two, one, half = (net.constant(np.array(value, "f4")) for value in (np.sqrt(2), 1, 0.5))
    bent = net.add("Add", net.add("Erf", net.add("Div", x, two)), one)
    return net.add("Mul", net.add("Mul", x, bent), half)


def main() -> None:
    """Print a row for each; models are made in processes of their own, whose memory would count for what they start."""
    if len(sys.argv) == 3:
        MODELS[sys.argv[1]](Path(sys.argv[2]))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for model in MODELS:
            path = folder / f"{model}.onnx"
            run([sys.executable, "-m", "benchmarks.lowering_speed", model, path])
            command = [sys.executable, "-m", "graphsurgeon", "convert", path, folder / model, "--force", "-q"]
            times, memory = [], 0.0
            for _ in range(3):
                before = resource.getrusage(resource.RUSAGE_CHILDREN)
                memory = run(command).megabytes
                after = resource.getrusage(resource.RUSAGE_CHILDREN)
                times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
            size = path.stat().st_size / 1e6
            print(f"{model:10} {size:4.0f} MB: {min(times):.2f} s of CPU, {memory:.0f} MB of memory")
            path.unlink()


MODELS = {"resnet50": resnet50, "bert": bert}

if __name__ == "__main__":
    main()
