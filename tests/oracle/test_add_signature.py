"""Signatures that are added compute what the tensor computes, in both loaders, and leave the others alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import UnsupportedError, UsageError, read, write
from graphsurgeon.model import MetaGraph, Model, Value
from graphsurgeon.surgery.add_signature import add_signature, remove_signature
from tests.oracle import sessions

pytestmark = pytest.mark.tensorflow
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "savedmodel"
MODELS = sorted(path.parent for path in FIXTURES.rglob("saved_model.pb*"))
PLAIN = {"float32", "float64", "int32", "int64", "bool"}


def public(metagraph: MetaGraph) -> list[str]:
    return [key for key in metagraph.signatures if not key.startswith("__")]


def inner_values(model: Model, metagraph: MetaGraph) -> Iterator[Value]:
    """Yield a few tensors from the middle of the main graph, or of the functions it calls."""
    for graph in [*metagraph.functions.values(), metagraph.graph]:
        if "save" in graph.name or "restore" in graph.name:
            continue
        nodes = [node for node in graph.nodes if node.inputs and (node.output_dtypes() or [None])[0] is not None]
        nodes = [node for node in nodes if (node.output_dtypes() or ())[0].name in PLAIN and "save" not in node.name]
        yield from (node.output() for node in nodes[len(nodes) // 2 : len(nodes) // 2 + 2])


def in_both(path: Path, tags: list[str], keys: list[str]) -> dict[str, Any]:
    """Run signatures in a V1 session and through `tf.saved_model.load`; both must agree."""
    import tensorflow as tf

    results: dict[str, Any] = {}
    feeds: dict[str, Any] = {}
    with sessions.saved_model(path, tags, optimize=False) as source:
        for key in keys:
            inputs, outputs = source.signature(key)
            for arrays in sessions.candidates(inputs):
                try:
                    found = source.run(
                        {name: end.name for name, end in outputs.items()},
                        {inputs[name].name: array for name, array in arrays.items()},
                    )
                except (tf.errors.OpError, ValueError):
                    continue
                feeds[key], results[key] = arrays, found
                break
    loaded = tf.saved_model.load(str(path), tags=tags if len(read(path).metagraphs) > 1 else None)
    for key in results:
        arguments = {name: tf.constant(array) for name, array in feeds[key].items()}
        again = loaded.signatures[key](**arguments)
        for name, value in results[key].items():
            np.testing.assert_allclose(np.asarray(again[name]), np.asarray(value), rtol=1e-5, atol=1e-6, err_msg=name)
    return {key: (feeds[key], results[key]) for key in results}


def loads_as_it_is(path: Path, tags: list[str]) -> bool:
    import tensorflow as tf
    from tensorflow.python.ops.op_selector import UnliftableError

    try:
        in_both(path, tags, public(read(path).metagraphs[0]))
    except (tf.errors.OpError, ValueError, AttributeError, TypeError, KeyError, RuntimeError, UnliftableError):
        return False
    return True


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.name)
def test_inner_tensors_get_signatures(path: Path, tmp_path: Path) -> None:
    tags = read(path).metagraphs[0].tags or []
    if not loads_as_it_is(path, tags):
        pytest.skip("TensorFlow does not run this model as it is")
    added, refused = 0, []
    for number in range(6):
        model = read(path)
        metagraph = model.metagraphs[0]
        before = public(metagraph)
        values = list(inner_values(model, metagraph))
        if number >= len(values):
            break
        value = values[number]
        text = str(value)
        try:
            place = value.graph.name or "main"
            report = add_signature(model, {"added": text}, name="a_new_one", graph=place, tags=tags or ["none"])
        except (UnsupportedError, UsageError) as error:
            refused.append(str(error))
            continue
        out = tmp_path / str(number)
        write(model, out)
        results = in_both(out, tags, [*before, "a_new_one"])
        source = in_both(path, tags, before)
        for key in source:
            for name, array in source[key][1].items():
                assert sessions.close(array, results[key][1][name]), (key, name)
        assert report.in_object_graph == (metagraph.objects is not None)
        added += "a_new_one" in results
    if not added:
        pytest.skip(f"none of the tensors tried can be had: {refused}")


def test_a_removed_signature_is_gone_in_both_worlds(tmp_path: Path) -> None:
    import tensorflow as tf

    model = read(FIXTURES / "several_signatures")
    first, *others = public(model.metagraphs[0])
    remove_signature(model, [first])
    write(model, tmp_path / "out")
    assert first not in tf.saved_model.load(str(tmp_path / "out")).signatures
    assert set(in_both(tmp_path / "out", ["serve"], others)) == set(others)


def test_an_added_signature_survives_being_saved_again(tmp_path: Path) -> None:
    import tensorflow as tf

    model = read(FIXTURES / "nested_calls")
    middle = next(name for name in model.metagraphs[0].functions if "middle" in name)
    add_signature(model, {"zz": "Tanh", "aa": "hidden"}, name="extra", calls=[f"{middle}:StatefulPartitionedCall"])
    write(model, tmp_path / "out")
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    tf.saved_model.save(loaded, str(tmp_path / "again"), signatures=dict(loaded.signatures))
    x = tf.random.stateless_uniform([3, 4], seed=[1, 2])
    want = loaded.signatures["extra"](x)
    got = tf.saved_model.load(str(tmp_path / "again")).signatures["extra"](x)
    assert {key: value.shape for key, value in want.items()} == {key: value.shape for key, value in got.items()}
    for key in want:
        np.testing.assert_allclose(want[key], got[key], rtol=1e-5)


@pytest.mark.parametrize("source", ["graphdef/face_detector.pb", "metagraph/face_resnet/model-1.meta"])
def test_bare_graphs_become_models_that_serve(source: str, tmp_path: Path) -> None:
    import tensorflow as tf

    path = FIXTURES.parent / source
    model = read(path)
    wanted = {"box": "box", "prob": "prob"} if path.suffix == ".pb" else {"embedding": "E_BN2/Reshape_1"}
    add_signature(model, wanted)
    write(model, tmp_path / "out")
    shapes = {"input_image": (2, 16, 16, 3), "input": (16, 16, 3), "thresholds": (3,)}
    with sessions.saved_model(tmp_path / "out", ["serve"], optimize=False) as served:
        inputs, outputs = served.signature("serving_default")
        numbers = np.random.default_rng(0)
        arrays = {
            end.name: numbers.random(shapes.get(key, ())).astype(end.dtype.as_numpy_dtype)
            for key, end in inputs.items()
        }
        found = served.run({key: end.name for key, end in outputs.items()}, arrays)
    fetches = {key: f"{tensor}:0" for key, tensor in wanted.items()}
    if path.suffix == ".pb":
        want = sessions.run_graph_def(path, fetches, arrays, optimize=False)
    else:
        with sessions.meta_graph(path, optimize=False) as original:
            want = original.run(fetches, arrays)
    loaded = tf.saved_model.load(str(tmp_path / "out")).signatures["serving_default"]
    again = loaded(**{key: tf.constant(arrays[end.name]) for key, end in inputs.items()})
    for key in wanted:
        assert sessions.same_bits(want[key], found[key])
        assert sessions.close(want[key], again[key])


def test_a_reference_is_read_for_a_signature(tmp_path: Path) -> None:
    import tensorflow as tf

    model = read(FIXTURES / "v1_cond_batch_norm_ref")
    variable = next(node for node in model.metagraphs[0].graph.nodes if node.op == "VariableV2")
    name = variable.name
    add_signature(model, {"weight": name}, name="weights")
    write(model, tmp_path / "out")
    with sessions.saved_model(FIXTURES / "v1_cond_batch_norm_ref", ["serve"], optimize=False) as source:
        want = source.run({"weight": f"{name}:0"}, {})
    found = tf.saved_model.load(str(tmp_path / "out")).signatures["weights"]()
    assert sessions.same_bits(want["weight"], found["weight"])
