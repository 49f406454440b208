"""The answer of training graphs as people have them: the value that they would name is ranked first."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import graphsurgeon
from graphsurgeon.analysis.candidates import likely_inputs, likely_outputs
from graphsurgeon.model import MetaGraph, Shape
from graphsurgeon.shapes import infer_shapes

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return what builds a training graph as TensorFlow 1 did, and its path."""
    import tensorflow as tf

    from tests.analysis import training_graphs

    folder = tmp_path_factory.mktemp("training")

    def build(name: str) -> Path:
        path = folder / f"{name}.meta"
        if not path.exists():
            with tf.Graph().as_default(), training_graphs.old_behavior():
                getattr(training_graphs, name)()
                training_graphs.export(path)
        return path

    return build


def read(path: Path) -> MetaGraph:
    return graphsurgeon.read(path).metagraphs[0]


def test_the_embedding_of_a_face_network_of_fifty_layers(exported: Callable[[str], Path]) -> None:
    path = exported("face_embedding")
    metagraph = read(path)
    names = [node.name for node in metagraph.graph.nodes]
    assert len(names) > 4046
    assert all(name.startswith("save/") for name in names[-5:])
    command = [sys.executable, "-m", "graphsurgeon", "outputs", path, "--shape", "None,512", "--json"]
    outputs = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)["outputs"]
    assert outputs[0]["name"] == "E_BN2/Reshape_1:0"
    assert outputs[0]["shape"] == [None, 512]
    roles = {str(candidate.value): candidate.role for candidate in likely_inputs(metagraph)}
    assert next(iter(roles)) == "input_image:0"
    assert roles["train_phase:0"] == roles["train_phase_last:0"] == "switch"


ANSWERS = {
    "adversarial": ("discriminator_1/Sigmoid:0", "discriminator/Sigmoid:0", "generator/Tanh:0"),
    "autoencoder": ("Sigmoid_1:0",),
    "bert_classifier": ("loss/Softmax:0", "loss/LogSoftmax:0"),
    "digits": ("fc2/BiasAdd:0",),
    "recurrent_tagger": ("logits:0",),
    "regression": ("Add:0",),
    "segmentation": ("prediction:0",),
}


@pytest.mark.parametrize("name", sorted(ANSWERS))
def test_the_answer_comes_first(name: str, exported: Callable[[str], Path]) -> None:
    metagraph = read(exported(name))
    found = [str(candidate.value) for candidate in likely_outputs(metagraph, infer_shapes(metagraph))]
    assert tuple(found[: len(ANSWERS[name])]) == ANSWERS[name]


def test_shapes_of_the_face_network_are_those_of_tensorflow(exported: Callable[[str], Path]) -> None:
    import tensorflow as tf

    path = exported("face_embedding")
    metagraph = read(path)
    report = infer_shapes(metagraph)
    with tf.Graph().as_default() as graph:
        tf.compat.v1.train.import_meta_graph(str(path))
    for operation in graph.get_operations():
        node = metagraph.graph.node(operation.name)
        assert node is not None
        for port, tensor in enumerate(operation.outputs):
            ours = report.shape(node.output(port))
            theirs = Shape(None if tensor.shape.rank is None else tensor.shape.as_list())
            assert ours == theirs or (ours.is_compatible_with(theirs) and ours.dims is not None), tensor.name
    assert not report.findings
    assert not report.uninferred
