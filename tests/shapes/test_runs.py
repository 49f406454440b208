"""Every dimension that we name is what comes out when the graph is run, at two batch sizes and two image sizes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import graphsurgeon
from graphsurgeon.model import MetaGraph, Shape
from graphsurgeon.shapes import ShapeReport, infer_shapes

pytestmark = pytest.mark.tensorflow

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FROZEN = ("cnn.pb", "encoder.pb", "face_detector.pb", "frozen_train_phase.pb", "functional.pb", "lowered.pb")
SAVED = (
    "control_flow", "embedding", "keras_rnn", "keras_trained", "many_dtypes", "nested_calls", "v1_cond_batch_norm_ref",
    "v1_functions", "v1_keep_prob", "v1_loop_assign", "v1_partitioned", "v1_training_left", "v1_while",
)  # fmt: skip
SIZES = (2, 3)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", FROZEN)
def test_shapes_of_a_frozen_graph_hold(name: str, size: int) -> None:
    import tensorflow as tf

    metagraph = graphsurgeon.read(FIXTURES / "graphdef" / name).metagraphs[0]
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        graph_def = tf.compat.v1.GraphDef.FromString((FIXTURES / "graphdef" / name).read_bytes())
        tf.graph_util.import_graph_def(graph_def, name="")
        assert check(session, metagraph, infer_shapes(metagraph), size) > 5


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", SAVED)
def test_shapes_of_a_saved_model_hold(name: str, size: int) -> None:
    import tensorflow as tf

    path = FIXTURES / "savedmodel" / name
    metagraph = graphsurgeon.read(path).metagraphs[0]
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
        tf.compat.v1.saved_model.load(session, ["serve"], str(path))
        assert check(session, metagraph, infer_shapes(metagraph), size) > 2


def check(session: object, metagraph: MetaGraph, report: ShapeReport, size: int) -> int:
    """Run every value that can be fetched and compare its shape; return how many that were."""
    feeds = dict(fed(session.graph, size))
    values = {str(value): value for node in metagraph.graph.nodes for value in node.outputs}
    tensors = [session.graph.get_tensor_by_name(name) for name in values]
    checked = 0
    for tensor, made in fetched(session, [tensor for tensor in tensors if is_fetchable(tensor)], feeds):
        if 0 in made:
            continue  # kernels shape results without elements as they like
        checked += 1
        expected = report.shape(values[tensor.name])
        assert expected.is_compatible_with(made), f"{tensor.op.type} {tensor.name} is {made}, inferred as {expected}"
    return checked


def is_fetchable(tensor: object) -> bool:
    """Say whether a session returns a tensor's value."""
    import tensorflow as tf

    return tensor.dtype not in (tf.resource, tf.variant) and not tensor.dtype._is_ref_dtype


def fetched(session: object, tensors: list[object], feeds: dict[object, object]) -> Iterator[tuple[object, Shape]]:
    """Yield tensors with the shapes they have when they are run, without those that cannot be run with these feeds."""
    import numpy as np
    import tensorflow as tf

    try:
        found = session.run(tensors, feeds)
    except (tf.errors.OpError, ValueError, TypeError):
        half = len(tensors) // 2
        if half:
            yield from fetched(session, tensors[:half], feeds)
            yield from fetched(session, tensors[half:], feeds)
        return
    yield from ((tensor, Shape(np.shape(value))) for tensor, value in zip(tensors, found, strict=True))


def fed(graph: object, size: int) -> Iterator[tuple[object, object]]:
    """Yield a value for every placeholder; unknown dimensions are `size`, unknown ranks a scalar."""
    import numpy as np

    rng = np.random.default_rng(size)
    for op in graph.get_operations():
        if op.type != "Placeholder" or "saver_filename" in op.name:
            continue
        tensor = op.outputs[0]
        if not tensor.dtype.is_floating and not tensor.dtype.is_integer and not tensor.dtype.is_bool:
            continue
        shape = [] if tensor.shape.rank is None else [size if d is None else d for d in tensor.shape.as_list()]
        values = rng.random(shape) if tensor.dtype.is_floating else rng.integers(0, 2, shape)
        yield tensor, np.asarray(values, tensor.dtype.as_numpy_dtype)
