"""Every name of every model renamed: it loads where it did, computes the same numbers, and can be renamed back."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.compare.diff.diff import DiffReport
from graphsurgeon.compare.diff.files import difference
from graphsurgeon.edit import Step, edit
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats import read
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops import catalog
from graphsurgeon.surgery.rename import LEGAL_NODE
from tests.oracle import litert_views
from tests.oracle.conftest import Sources
from tests.oracle.places import (
    FIXTURES,
    corpus_models,
    corpus_saved_models,
    fixture_saved_models,
    parameters,
)
from tests.oracle.saved_models import Answer, ask_v1, ask_v2, same, same_array

SAVED_MODELS = parameters(fixture_saved_models(), corpus_saved_models())
Names = dict[str, dict[str, str]]  # signature -> key now -> key before


def tags_of(metagraph: MetaGraph) -> list[str]:
    return list(metagraph.tags or ()) or ["none"]


def node_steps(path: Path, **rule: str) -> list[Step]:
    steps: list[Step] = []
    for metagraph in read(path).metagraphs:
        steps.append(("rename", {**rule, "tags": tags_of(metagraph)}))
        if metagraph.functions and catalog.names().isdisjoint(metagraph.functions):
            steps.append(("rename", {**rule, "what": "functions", "tags": tags_of(metagraph)}))
    return steps


def without_fingerprint(report: DiffReport) -> list[object]:
    return [change for change in report.changes if change.part != "file" or change.name != "fingerprint.pb"]


def assert_same_answers(
    before: tuple[Answer, Answer], after: tuple[Answer, Answer], names: Names | None = None
) -> None:
    """Compare what both loaders say; names of keys that were changed are changed back."""
    for one, other in zip(before, after, strict=True):
        assert bool(one.error) == bool(other.error), other.error or one.error
        results = {
            signature: {(names or {}).get(signature, {}).get(key, key): value for key, value in arrays.items()}
            for signature, arrays in other.results.items()
        }
        assert same(one.results, results), (one.failures, other.failures)
        assert one.callables == other.callables
        assert one.variables == other.variables


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", SAVED_MODELS)
def test_every_node_and_function(path: Path, tmp_path: Path, sources: Sources) -> None:
    renamed, back = tmp_path / "renamed", tmp_path / "back"
    edit(path, node_steps(path, prefix="zz/"), output=renamed)
    assert_same_answers(sources.ask(path), (ask_v1(renamed), ask_v2(renamed)))
    kinds = {change.kind for change in difference(path, renamed).changes if change.part in ("node", "function")}
    assert kinds <= {"renamed"}
    edit(renamed, node_steps(renamed, strip_prefix="zz/"), output=back)
    assert without_fingerprint(difference(path, back)) == []


def renamed_keys(metagraph: MetaGraph) -> dict[str, dict[str, str]]:
    """Return new keys for every signature, in the opposite order of the old ones."""
    found = {}
    for signature in metagraph.signatures.values():
        keys = sorted({*signature.inputs, *signature.outputs})
        if keys and not signature.key.startswith("__saved_model"):
            found[signature.key] = {key: f"k{500 - number}" for number, key in enumerate(keys)}
    return found


def key_steps(path: Path, *, back: bool) -> tuple[list[Step], Names]:
    steps: list[Step] = []
    names: Names = {}
    source = read(path)
    for metagraph in source.metagraphs:
        pairs = {}
        for signature, keys in renamed_keys(metagraph).items():
            names.setdefault(signature, {}).update({new: old for old, new in keys.items()})
            for old, new in keys.items():
                pairs[f"{signature}.{new}" if back else f"{signature}.{old}"] = old if back else new
        if pairs:
            steps.append(("rename", {"names": pairs, "what": "keys", "tags": tags_of(metagraph)}))
    return steps, names


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", SAVED_MODELS)
def test_keys_of_signatures_in_another_order(path: Path, tmp_path: Path, sources: Sources) -> None:
    renamed, back = tmp_path / "renamed", tmp_path / "back"
    steps, names = key_steps(path, back=False)
    if not steps:
        pytest.skip("no signature")
    edit(path, steps, output=renamed)
    answers = ask_v1(renamed, names=names), ask_v2(renamed, names=names)
    assert_same_answers(sources.ask(path), answers, names)
    composite = {key for key, reason in answers[0].failures.items() if reason == "composite tensors"}
    for answer in answers:
        for signature, (inputs, outputs) in answer.keys.items():
            if signature not in composite:  # whose parts get names of their own
                assert {*inputs, *outputs} == set(names[signature])
    edit(renamed, key_steps(path, back=True)[0], output=back)
    assert without_fingerprint(difference(path, back)) == []


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", parameters(fixture_saved_models(), []))
def test_renamed_keys_survive_saving_by_tensorflow(path: Path, tmp_path: Path) -> None:
    again = tmp_path / "again"
    if not save_again(path, again):
        pytest.skip("TensorFlow cannot save the source again")
    steps, names = key_steps(path, back=False)
    edit(path, steps, output=tmp_path / "renamed")
    assert save_again(tmp_path / "renamed", tmp_path / "renamed again")
    before = ask_v1(again), ask_v2(again)
    result = tmp_path / "renamed again"
    assert_same_answers(before, (ask_v1(result, names=names), ask_v2(result, names=names)), names)


def save_again(path: Path, target: Path) -> bool:
    import tensorflow as tf

    try:
        loaded = tf.saved_model.load(str(path))
        signatures = {key: loaded.signatures[key] for key in loaded.signatures if not key.startswith("__saved_model")}
        tf.saved_model.save(loaded, str(target), signatures=signatures)
    except Exception:  # of many kinds: what counts is that it cannot
        return False
    return bool(signatures)


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", SAVED_MODELS)
def test_every_variable_and_signature(path: Path, tmp_path: Path, sources: Sources) -> None:
    source = read(path)
    if source.checkpoint is not None and source.checkpoint.version == 1:
        with pytest.raises(UnsupportedError):
            edit(path, [("rename", {"prefix": "zz/", "what": "variables"})], output=tmp_path / "renamed")
        return
    renamed, back = tmp_path / "renamed", tmp_path / "back"
    edit(path, both_steps(path, prefix="aa_"), output=renamed)
    before = sources.ask(path)
    after = ask_v1(renamed), ask_v2(renamed)
    for answer in after:
        answer.results = {key.removeprefix("aa_"): arrays for key, arrays in answer.results.items()}
    assert_same_answers(before, after)
    if source.checkpoint is not None:
        assert list(read(renamed).checkpoint.variables) == [f"aa_{key}" for key in source.checkpoint.variables]  # type: ignore[union-attr]
    edit(renamed, both_steps(renamed, strip_prefix="aa_"), output=back)
    assert without_fingerprint(difference(path, back)) == []


def both_steps(path: Path, **rule: str) -> list[Step]:
    source = read(path)
    steps: list[Step] = [
        ("rename", {**rule, "what": "signatures", "tags": tags_of(metagraph)})
        for metagraph in source.metagraphs
        if any(not key.startswith("__saved_model") for key in metagraph.signatures)
    ]
    if source.checkpoint is not None:
        steps.append(("rename", {**rule, "what": "variables"}))
    return steps


GRAPHS = parameters(
    sorted((FIXTURES / "graphdef").glob("*.pb*")), [path for path in corpus_models("graphdef") if path.is_file()]
)


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", GRAPHS)
def test_every_node_of_a_graph(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a graph with a saver writes `model.index` where it is run
    source = read(path)
    renamed = tmp_path / f"renamed{path.suffix}"
    edit(path, node_steps(path, prefix="zz/"), output=renamed)
    assert len(source.metagraphs[0].graph) == len(read(renamed).metagraphs[0].graph)
    before = run_graph(path, "", is_text=source.raw.is_text)
    after = run_graph(renamed, "zz/", is_text=source.raw.is_text)
    if before:  # else TensorFlow refuses the source; the reason may be one of its names
        assert before.keys() == after.keys()
        is_random = any(op.startswith("Random") for graph in source.graphs for op in graph.op_counts)
        assert is_random or all(same_array(before[name], after[name]) for name in before)
    if any(not LEGAL_NODE.fullmatch(node.name) for graph in source.graphs for node in graph.nodes):
        return
    back = tmp_path / f"back{path.suffix}"
    edit(renamed, node_steps(renamed, strip_prefix="zz/"), output=back)
    assert difference(path, back).equal


def run_graph(path: Path, prefix: str, *, is_text: bool) -> Mapping[str, Any]:
    """Compute what nothing else reads, with 0.5 for every placeholder; nothing where TensorFlow refuses the graph."""
    import tensorflow as tf

    data = tf.compat.v1.GraphDef()
    try:
        if is_text:
            from google.protobuf import text_format

            text_format.Parse(path.read_text("utf-8-sig"), data)
        else:
            data.ParseFromString(path.read_bytes())
        with tf.Graph().as_default() as graph, tf.compat.v1.Session(graph=graph) as session:
            tf.import_graph_def(data, name="")
            placeholders = [op.outputs[0] for op in graph.get_operations() if op.type == "Placeholder"]
            feeds = {
                # A factor of 1 would let the pyramid of a face detector grow for ever.
                tensor: np.full([d or 2 for d in tensor.shape.as_list()], 0.5).astype(tensor.dtype.as_numpy_dtype)
                for tensor in placeholders
                if tensor.dtype.is_floating or tensor.dtype.is_integer or tensor.dtype.is_bool
            }
            ends = [
                operation.outputs[0]
                for operation in graph.get_operations()
                if operation.outputs and not any(output.consumers() for output in operation.outputs)
                if operation.outputs[0].dtype not in (tf.resource, tf.variant) and operation.outputs[0] not in feeds
            ]
            found = session.run({tensor.name.removeprefix(prefix): tensor for tensor in ends}, feeds)
            return dict(found)
    except (ValueError, TypeError, tf.errors.OpError):
        return {}


@pytest.mark.litert
@pytest.mark.parametrize(
    "path",
    parameters(
        sorted((FIXTURES / "tflite").glob("*.tflite")),
        [path for path in corpus_models("tflite") if path.is_file()][:40],
    ),
)
def test_every_tensor_of_a_tflite_model(path: Path, tmp_path: Path) -> None:
    renamed, back = tmp_path / "renamed.tflite", tmp_path / "back.tflite"
    edit(path, [("rename", {"prefix": "zz/"})], output=renamed)
    views = litert_views.views([path, renamed], run=True)
    assert (path in views) == (renamed in views)
    edit(renamed, [("rename", {"strip_prefix": "zz/"})], output=back)
    assert difference(path, back).equal


@pytest.mark.tensorflow
@pytest.mark.parametrize(
    "path",
    parameters(
        [path for path in sorted((FIXTURES / "checkpoint").glob("*")) if list(path.glob("*.index"))],
        [],
    ),
)
def test_every_key_of_a_checkpoint(path: Path, tmp_path: Path) -> None:
    import tensorflow as tf

    source = read(path)
    assert source.checkpoint is not None
    if path.name == "index_only":
        pytest.skip("has no values")
    edit(path, [("rename", {"prefix": "zz/"})], output=tmp_path / "renamed")
    reader = tf.train.load_checkpoint(str(tmp_path / "renamed"))
    keys = {key for key in reader.get_variable_to_shape_map() if not key.startswith("_CHECKPOINTABLE")}
    assert keys == {f"zz/{key}" for key in source.checkpoint.variables}
    edit(tmp_path / "renamed", [("rename", {"strip_prefix": "zz/"})], output=tmp_path / "back")
    assert difference(path, tmp_path / "back").equal
    shutil.rmtree(tmp_path)


@pytest.mark.tensorflow
@pytest.mark.parametrize("names", [{"a-in": "zin"}, {"tok": "Z"}, {"a-in": "tok", "tok": "a_in"}], ids=str)
def test_input_keys_that_are_no_parameter_names(names: dict[str, str], tmp_path: Path) -> None:
    """TensorFlow makes `a_in` of `a-in` in the structured signature alone; all other places say `a-in`."""
    import tensorflow as tf

    specs = [tf.TensorSpec([3], name="a-in"), tf.TensorSpec([3], name="tok")]
    module = tf.Module()
    module.scale = tf.Variable(3.0)
    module.f = tf.function(lambda a, b: {"y": a * module.scale - b}, input_signature=specs)
    tf.saved_model.save(module, str(tmp_path / "model"), signatures=module.f)
    pairs = {f"serving_default.{old}": new for old, new in names.items()}
    edit(tmp_path / "model", [("rename", {"names": pairs, "what": "keys"})], output=tmp_path / "out")
    feeds = {names.get(key, key): tf.constant(data) for key, data in (("a-in", [1.0, 2.0, 3.0]), ("tok", [4.0] * 3))}
    loaded = tf.saved_model.load(str(tmp_path / "out"))
    keys = {name.replace("-", "_") for name in feeds}
    assert set(loaded.signatures["serving_default"].structured_input_signature[1]) == keys
    answers = loaded.signatures["serving_default"](**{name.replace("-", "_"): data for name, data in feeds.items()})
    assert answers["y"].numpy().tolist() == [-1.0, 2.0, 5.0]
    assert check(read(tmp_path / "out")) == []
