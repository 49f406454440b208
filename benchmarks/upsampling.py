"""Keras networks that enlarge, by `gs replace` with transposed convolutions: what they compute and convert to, a table.

    nice python benchmarks/upsampling.py [--legacy] [--before] [--out TABLE.tsv] [NAME...]

U-Nets and generators of GANs with UpSampling2D: nearest and bilinear, factors 2, 3 and 4, even and odd sides, and sides
that are not known. Each is a SavedModel and a frozen graph; the rule `upsampling-to-conv-transpose` is applied to both,
and what comes of it is given to TensorFlow's converter to TFLite, to tf2onnx and to OpenVINO as it is. A cell is the
largest difference to what the network gave before in TensorFlow, in parts of the largest value, at two sizes of batch;
or why there is none. `--before` converts what was there before, too. `--legacy` takes tf-keras, the Keras of version 2.
NAME keeps what has it in its name.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")

import numpy as np

from benchmarks.forked import forked
from graphsurgeon.edit import edit
from graphsurgeon.formats import read
from graphsurgeon.patterns.rules import rule_set

SECONDS = 300  # that one network may take
GONE = {"ResizeNearestNeighbor", "ResizeBilinear", "Tile"}
BATCHES = (1, 3)
LARGEST = 1e-5  # difference, in parts of the largest value, that counts as equal
CONVERTED = ("TFLite", "ONNX", "OpenVINO")


@dataclass(frozen=True)
class Network:
    """One network.

    Attributes:
        kind: `unet` or `gan`.
        interpolation: `nearest` or `bilinear`.
        factor: by which it enlarges, each time.
        side: of what is enlarged first; None for one that is not known.
    """

    kind: str
    interpolation: str
    factor: int
    side: int | None

    @property
    def name(self) -> str:
        """Return what it is called in the table."""
        return f"{self.kind} {self.interpolation} x{self.factor} of {self.side or 'any'}"

    @property
    def feed(self) -> tuple[int, ...]:
        """Return the shape of an example."""
        if self.kind == "gan":
            return (8,)
        side = (self.side or 3) * self.factor
        return (side, side + self.factor * (self.side is None), 3)

    def build(self, keras: Any) -> Any:
        """Return the model."""
        keras.utils.set_random_seed(len(self.name) + self.factor)
        return _unet(self, keras) if self.kind == "unet" else _gan(self, keras)


def networks(*, legacy: bool) -> Iterator[Network]:
    """Yield every network; Keras 3 does not build bilinear ones of sides that are not known."""
    for kind in ("unet", "gan"):
        for interpolation in ("nearest", "bilinear"):
            for factor in (2, 3, 4):
                yield from (Network(kind, interpolation, factor, side) for side in (4, 5))
                if kind == "unet" and (legacy or interpolation == "nearest"):
                    yield Network(kind, interpolation, factor, None)


def _unet(network: Network, keras: Any) -> Any:
    layers, factor = keras.layers, network.factor
    side = network.side and network.side * factor
    inputs = keras.Input((side, side, 3))
    down = layers.Conv2D(4, 3, padding="same", activation="relu")(inputs)
    deep = layers.MaxPool2D(factor)(down)
    deep = layers.BatchNormalization()(layers.Conv2D(6, 3, padding="same")(deep))
    up = layers.UpSampling2D(factor, interpolation=network.interpolation)(layers.ReLU()(deep))
    outputs = layers.Conv2D(1, 1, activation="sigmoid")(layers.Concatenate()([up, down]))
    return keras.Model(inputs, outputs)


def _gan(network: Network, keras: Any) -> Any:
    layers, side = keras.layers, network.side
    inputs = keras.Input((8,))
    x = layers.Reshape((side, side, 4))(layers.Dense(side * side * 4)(inputs))
    for channels in (4, 3):
        x = layers.UpSampling2D(network.factor, interpolation=network.interpolation)(layers.LeakyReLU()(x))
        x = layers.BatchNormalization()(layers.Conv2D(channels, 3, padding="same")(x))
    return keras.Model(inputs, layers.Activation("tanh")(x))


def main() -> None:
    """Build, replace, convert and compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--legacy", action="store_true", help="tf-keras instead of Keras")
    parser.add_argument("--before", action="store_true", help="convert what was there before, too")
    parser.add_argument("--out", type=Path, help="write the table there, too")
    parser.add_argument("names", nargs="*", help="only these")
    options = parser.parse_args()
    import tensorflow  # noqa: F401  # once, before the forks

    rows = []
    for network in networks(legacy=options.legacy):
        if not options.names or any(name in network.name for name in options.names):
            work = partial(_measured, network, legacy=options.legacy, before=options.before)
            status, text = forked(work, SECONDS)
            rows += text.splitlines() if status == "done" else [f"{network.name}\t{status}"]
            print("\n".join(rows[-2:] if status == "done" else rows[-1:]), flush=True)
    columns = [f"{name}{when}" for name in CONVERTED for when in ([" before", ""] if options.before else [""])]
    if options.out:
        options.out.write_text("\n".join(["\t".join(("network", "TensorFlow", *columns)), *rows, ""]), "utf-8")
    good = sum(_is_equal(cell) for row in rows for cell in row.split("\t")[1:])
    print(f"{good} of {len(rows) * (1 + len(columns))} cells are within {LARGEST} of the largest value")


def _is_equal(cell: str) -> bool:
    try:
        return float(cell) <= LARGEST
    except ValueError:
        return False


def _measured(network: Network, folder: Path, *, legacy: bool, before: bool) -> tuple[str, str]:
    """Return the two rows of a network: as a SavedModel, and frozen."""
    import keras

    if legacy:
        import tf_keras as keras
    model = network.build(keras)
    saved, frozen = folder / "saved", folder / "frozen.pb"
    model.export(str(saved))
    edit(saved, [("freeze", {})], output=frozen)
    feeds = [np.random.default_rng(batch).normal(size=(batch, *network.feed)).astype("f4") for batch in BATCHES]
    expected = [_in_tensorflow(saved)(feed) for feed in feeds]
    rows = []
    for path in (saved, frozen):
        after = path.with_name(f"after{path.suffix}")
        steps = [("replace", {"rules": list(rule_set("upsampling-to-conv-transpose").rules)})]
        edit(path, steps, output=after)
        ops = {node.op for graph in read(after).metagraphs[0].graphs for node in graph.nodes}
        cells = [_cell(_in_tensorflow, after, feeds, expected)]
        for way in (_in_litert, _in_onnxruntime, _in_openvino):
            cells += [_cell(way, each, feeds, expected) for each in ([path, after] if before else [after])]
        left = f" (left: {', '.join(sorted(GONE & ops))})" if GONE & ops else ""
        rows.append("\t".join([f"{network.name}, {'frozen' if path is frozen else 'SavedModel'}{left}", *cells]))
    return "done", "\n".join(rows)


Run = Callable[[Any], Any]


def _cell(way: Callable[[Path], Run], path: Path, feeds: Sequence[Any], expected: Sequence[Any]) -> str:
    """Return the largest difference in parts of the largest value, or why there is none."""
    try:
        run = way(path)
        found = [run(feed) for feed in feeds]
    except Exception as error:  # whatever a converter raises is an answer
        return f"{type(error).__name__}: {str(error).strip().splitlines()[0][:120]}"
    if any(one.shape != other.shape for one, other in zip(found, expected, strict=True)):
        return f"shape {found[0].shape} instead of {expected[0].shape}"
    pairs = zip(found, expected, strict=True)
    return f"{max(float(np.abs(one - other).max() / np.abs(other).max()) for one, other in pairs):.1e}"


def _graph(path: Path) -> tuple[Any, str, str]:
    """Return a frozen graph, what goes in, and what comes out."""
    import tensorflow as tf

    graph = read(path).graph
    (source,) = (node.name for node in graph.nodes if node.op == "Placeholder")
    (end,) = (node.name for node in graph.nodes if not node.consumers and node.inputs)
    return tf.compat.v1.GraphDef.FromString(path.read_bytes()), f"{source}:0", f"{end}:0"


def _function(path: Path) -> Any:
    """Return what TensorFlow's loader of either form gives: a function of one tensor."""
    import tensorflow as tf

    if path.is_dir():
        return tf.saved_model.load(str(path)).signatures["serving_default"]
    graph_def, source, end = _graph(path)
    wrapped = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph_def, name=""), [])
    return wrapped.prune(source, end)


def _in_tensorflow(path: Path) -> Run:
    import tensorflow as tf

    function = _function(path)

    def run(feed: Any) -> Any:
        found = function(tf.constant(feed)) if not path.is_dir() else function(**_fed(function, tf.constant(feed)))
        return _single(found).numpy()

    return run


def _fed(function: Any, feed: Any) -> Mapping[str, Any]:
    return dict.fromkeys(function.structured_input_signature[1], feed)


def _single(found: Any) -> Any:
    (one,) = found.values() if isinstance(found, Mapping) else [found]
    return one


def _in_litert(path: Path) -> Run:
    import tensorflow as tf
    from ai_edge_litert.interpreter import Interpreter

    if path.is_dir():
        converter = tf.lite.TFLiteConverter.from_saved_model(str(path))
    else:
        converter = tf.lite.TFLiteConverter.from_concrete_functions([_function(path)])
    content = converter.convert()

    def run(feed: Any) -> Any:
        interpreter = Interpreter(model_content=content)
        number = interpreter.get_input_details()[0]["index"]
        interpreter.resize_tensor_input(number, feed.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(number, feed)
        interpreter.invoke()
        return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])

    return run


def _in_onnxruntime(path: Path) -> Run:
    import onnxruntime
    from tf2onnx import convert

    if path.is_dir():
        made = path.with_suffix(".onnx")
        _tf2onnx_of_saved(path, made)
        content = made.read_bytes()
    else:
        graph_def, source, end = _graph(path)
        content = convert.from_graph_def(graph_def, input_names=[source], output_names=[end])[0].SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return lambda feed: session.run(None, {session.get_inputs()[0].name: feed})[0]


def _tf2onnx_of_saved(path: Path, made: Path) -> None:
    from tf2onnx import tf_loader
    from tf2onnx.convert import _convert_common

    graph, inputs, outputs, *more = tf_loader.from_saved_model(
        str(path), None, None, return_tensors_to_rename=True, return_initialized_tables=True
    )
    _convert_common(
        graph, name="upsampling", input_names=inputs, output_names=outputs, tensors_to_rename=more[-1],
        output_path=str(made),
    )  # fmt: skip


def _in_openvino(path: Path) -> Run:
    import openvino

    compiled = openvino.Core().compile_model(
        openvino.convert_model(str(path)), "CPU", {"INFERENCE_PRECISION_HINT": "f32"}
    )
    return lambda feed: compiled([feed])[0]


if __name__ == "__main__":
    main()
