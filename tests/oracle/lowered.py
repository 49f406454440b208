"""Networks of ONNX that gs has made TensorFlow's, run in a session and compared with what they should give."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from graphsurgeon.disk.files import rope_chunks
from graphsurgeon.formats import read, registry
from graphsurgeon.formats.graph import file as graph_file
from graphsurgeon.surgery.convert import ConvertReport, convert

FLOAT_TOLERANCE = 1e-4  # of the largest value
TOLERANCES = {"float16": 2e-3, "bfloat16": 8e-3}  # one unit in the last place


class LoweredModel:
    """A network of ONNX as one of TensorFlow.

    Attributes:
        inputs, outputs: names in the source, in its order.
        report: what was told.
        model: the result.
    """

    def __init__(self, path: Path, **options: Any) -> None:
        self.model = read(path)
        self.inputs = [value.name or "" for value in self.model.graph.inputs]
        self.outputs = [output.name for output in self.model.graph.outputs]
        self.report: ConvertReport = convert(self.model, format=registry.SAVED_MODEL, **options)

    def run(self, feeds: Mapping[str, Any]) -> list[Any]:
        """Return the outputs, with their axes in the order of the source, for inputs in that order."""
        import tensorflow as tf

        v1 = tf.compat.v1
        message = v1.GraphDef()
        [rope] = graph_file.lower(self.model).values()
        message.ParseFromString(b"".join(rope_chunks(rope)))
        graph = tf.Graph()
        with graph.as_default():
            tf.import_graph_def(message, name="")
        signature = self.model.metagraphs[0].signatures["serving_default"]
        given = {}
        for entry, name in zip(signature.inputs.values(), self.inputs, strict=True):
            assert entry.mention is not None
            order = self.report.turned.get(name)
            array = np.asarray(feeds[name])
            given[entry.mention.text] = _as_bytes(array if order is None else array.transpose(order))
        fetches = [entry.mention.text for entry in signature.outputs.values() if entry.mention is not None]
        config = v1.ConfigProto(intra_op_parallelism_threads=1, inter_op_parallelism_threads=1)
        with v1.Session(graph=graph, config=config) as session:
            found = session.run(fetches, given)
        return [self._in_order(name, array) for name, array in zip(self.outputs, found, strict=True)]

    def _in_order(self, name: str, array: Any) -> Any:
        order = self.report.turned.get(name)
        return array if order is None else np.transpose(array, np.argsort(order))


def _as_bytes(array: Any) -> Any:
    if array.dtype.kind not in "OSU":
        return array
    items = [item if isinstance(item, bytes) else str(item).encode() for item in array.ravel()]
    return np.array(items, object).reshape(array.shape)


def difference(got: Any, want: Any) -> str:
    """Return how two arrays differ, empty where they are equal within the tolerance of their type."""
    got, want = np.asarray(got), np.asarray(want)
    if got.shape != want.shape:
        return f"shape {got.shape} instead of {want.shape}"
    if want.dtype.kind in "OSU":
        return "" if _texts(got) == _texts(want) else "other strings"
    if got.dtype != want.dtype:
        return f"type {got.dtype} instead of {want.dtype}"
    tolerance = TOLERANCES.get(want.dtype.name, FLOAT_TOLERANCE)
    if want.dtype.kind in "iub":
        return "" if (got == want).all() else f"{int((got != want).sum())} of {want.size} elements"
    one, other = (array.astype("complex128" if array.dtype.kind == "c" else "float64") for array in (got, want))
    finite = np.isfinite(other)
    if (finite != np.isfinite(one)).any() or not np.array_equal(one[~finite], other[~finite], equal_nan=True):
        return "infinities and NaN at other places"
    if not finite.any():
        return ""
    most, largest = np.abs(one - other)[finite].max(), np.abs(other)[finite].max()
    return "" if most <= tolerance * largest or most < 1e-7 else f"{most:.3g} where the largest is {largest:.3g}"


def _texts(array: Any) -> list[str]:
    return [item.decode() if isinstance(item, bytes) else str(item) for item in array.ravel().tolist()]


def first_difference(got: Sequence[Any], want: Sequence[Any]) -> str:
    """Return how the first pair of arrays that is not equal differs, empty where all are."""
    if len(got) < len(want):
        return f"{len(got)} outputs instead of {len(want)}"
    return next((found for one, other in zip(got, want, strict=False) if (found := difference(one, other))), "")
