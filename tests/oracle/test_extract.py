"""Parts of models: a head yields what the whole yields there, a tail goes on from it to the same results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.edit import edit
from graphsurgeon.errors import FileError, UnsupportedError, UsageError
from graphsurgeon.formats import read
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops.kinds import VARIABLES
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.surgery.moves.signatures.signature_function import find_wrapper
from tests.oracle.conftest import Sources
from tests.oracle.places import FIXTURES, corpus_saved_models, fixture_saved_models, parameters
from tests.oracle.saved_models import ask_v1, ask_v2, feed, same_array
from tests.oracle.test_add_output import Place, assert_close, inner_values, places, public

MOST = 4  # tensors of one signature that are tried
REFUSALS = (UnsupportedError, UsageError)


def cut(path: Path, target: Path, outputs: dict[str, str], inputs: dict[str, str] | None = None) -> bool:
    """Extract; False where that is refused, which is allowed for tensors that cannot be cut."""
    try:
        edit(path, [("extract", {"outputs": outputs, "inputs": inputs or {}})], output=target)
    except REFUSALS:
        return False
    return True


def wanted_places(metagraph: MetaGraph, key: str) -> list[Place]:
    try:
        wrapper = find_wrapper(metagraph, key)
    except UnsupportedError:
        return []
    return places(metagraph, wrapper.function)[::2][:MOST] if wrapper is not None else []


def signatures(path: Path, sources: Sources) -> Iterator[tuple[MetaGraph, str]]:
    """Yield the signatures that the loader of TensorFlow 2 runs through the object graph."""
    metagraph = read(path).metagraphs[0]
    answer = sources.ask(path)[1]
    if metagraph.objects is not None and not answer.error:
        for signature in public(metagraph):
            if signature.key in answer.results:
                yield metagraph, signature.key


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", parameters(fixture_saved_models(), corpus_saved_models()))
def test_heads_end_inside_functions(path: Path, tmp_path: Path, sources: Sources) -> None:
    compared = 0
    for metagraph, key in signatures(path, sources):
        wanted = wanted_places(metagraph, key)
        truth = inner_values(path, key, wanted) if wanted else {}
        for number, place in enumerate(place for place in wanted if place.path in truth):
            target = tmp_path / f"{len(key)}_{number}"
            if not cut(path, target, {place.node: "result"}):
                continue
            assert_lean(target)
            for answer in (ask_v1(target), ask_v2(target)):
                assert not answer.error
                if "serving_default" in answer.results:
                    assert_close(answer.results["serving_default"]["result"], truth[place.path], place.path)
                    compared += 1
    if not compared:
        pytest.skip("no inner tensor to compare")


def assert_lean(path: Path) -> None:
    """Check that functions and variables that nothing needs are gone, and what is there is whole."""
    model = read(path)
    (metagraph,) = model.metagraphs
    assert set(metagraph.functions.values()) == set(reached_functions([metagraph.graph]))
    assert metagraph.objects is None
    variables = [node for node in metagraph.graph.nodes if node.op in VARIABLES]
    stored = len(model.checkpoint.variables) if model.checkpoint is not None else 0
    assert stored <= len(variables)
    assert bool(stored) == (path / "variables" / "variables.index").exists()


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", parameters(fixture_saved_models(), corpus_saved_models()))
def test_tails_begin_inside_functions(path: Path, tmp_path: Path, sources: Sources) -> None:
    compared = 0
    for metagraph, key in signatures(path, sources):
        wanted = wanted_places(metagraph, key)
        truth = inner_values(path, key, wanted) if wanted else {}
        ends = {entry.mention.text: name for name, entry in metagraph.signatures[key].outputs.items() if entry.mention}
        before = ask_v1(path, only=key)
        for number, place in enumerate(place for place in wanted if place.path in truth):
            target = tmp_path / f"{len(key)}_{number}"
            names = {text: f"result_{count}" for count, text in enumerate(ends)}
            if not cut(path, target, names, {place.node: "begin"}) or key not in before.results:
                continue
            if set(read(target).metagraphs[0].signatures["serving_default"].inputs) != {"begin"}:
                continue  # inputs with a default, which the whole was not left to
            found = run_tail(target, truth[place.path], list(names.values()))
            for text, name in names.items():
                assert_close(found[name], before.results[key][ends[text]], f"{place.path} {ends[text]}")
            compared += 1
    if not compared:
        pytest.skip("no part that one inner tensor is enough for")


def run_tail(path: Path, value: Any, names: list[str]) -> dict[str, Any]:
    import tensorflow as tf

    v1 = tf.compat.v1
    with v1.Session(graph=tf.Graph()) as session:
        v1.saved_model.load(session, ["serve"], str(path))
        placeholder = session.graph.get_tensor_by_name("begin:0")
        assert placeholder.shape.is_compatible_with(np.shape(value))
        found: dict[str, Any] = session.run({name: f"{name}:0" for name in names}, {placeholder: value})
        return found


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", parameters(fixture_saved_models(), corpus_saved_models()))
def test_whole_signatures_of_tf1(path: Path, tmp_path: Path, sources: Sources) -> None:
    metagraph = read(path).metagraphs[0]
    before = sources.ask(path)[0]
    if metagraph.objects is not None or before.error:
        pytest.skip("not a TF1 model that loads")
    keys = [key for key in sorted(before.results) if not before.failures.get(key)]
    compared = 0
    for number, key in enumerate(keys[:MOST]):
        signature = metagraph.signatures[key]
        outputs = {entry.mention.text: "" for entry in signature.outputs.values() if entry.mention is not None}
        inputs = {entry.mention.text: "" for entry in signature.inputs.values() if entry.mention is not None}
        target = tmp_path / str(number)
        try:
            edit(path, [("extract", {"outputs": outputs, "inputs": inputs, "tags": tags(metagraph)})], output=target)
        except (*REFUSALS, FileError):
            continue
        alone, after = ask_v1(path, only=key), ask_v1(target)
        assert not after.error
        if key in alone.results and "serving_default" in after.results:
            expected = sorted(alone.results[key].items())
            found = after.results["serving_default"]
            assert len(found) == len(set(outputs))
            assert all(any(same_array(value, other) for other in found.values()) for _, value in expected)
            compared += 1
    if not compared:
        pytest.skip("nothing that could be extracted and run")


def tags(metagraph: MetaGraph) -> list[str]:
    return list(metagraph.tags or ()) or ["none"]


@pytest.mark.tensorflow
def test_the_body_of_a_loop_by_itself(tmp_path: Path) -> None:
    import tensorflow as tf

    path = FIXTURES / "graphdef" / "functional.pb"
    metagraph = read(path).metagraphs[0]
    body = next(graph for name, graph in metagraph.functions.items() if "while_body" in name)
    place, output = next((p, o) for p, o in enumerate(body.outputs) if o.value.producer is not None)
    target = tmp_path / "body.pb"
    edit(path, [("extract", {"outputs": {str(output.value): "result"}, "graph": body.name})], output=target)
    whole = tf.compat.v1.GraphDef.FromString(path.read_bytes())
    del whole.node[:]
    call = whole.node.add(name="call", op="PartitionedCall")
    call.attr["f"].func.name = body.name
    call.attr["Tout"].list.type.extend(output.dtype.number for output in body.outputs)
    feeds, shapes = {}, infer_shapes(metagraph)
    for value in body.inputs:
        node = whole.node.add(name=f"in/{value.name}", op="Placeholder")
        node.attr["dtype"].type = value.dtype.number
        call.input.append(node.name)
        call.attr["Tin"].list.type.append(value.dtype.number)
        shape = list(shapes.shape(value) or ())
        feeds[value.name] = feed(str(value.name), tf.as_dtype(value.dtype.name), shape, unknown=4)
    expected = run_graph_def(whole, f"call:{place}", {f"in/{name}:0": array for name, array in feeds.items()})
    part = tf.compat.v1.GraphDef.FromString(target.read_bytes())
    names = {node.name for node in part.node if node.op == "Placeholder"}
    found = run_graph_def(part, "result:0", {f"{name}:0": array for name, array in feeds.items() if name in names})
    assert same_array(found, expected)


def run_graph_def(graph_def: Any, fetch: str, feeds: dict[str, Any]) -> Any:
    import tensorflow as tf

    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        tf.import_graph_def(graph_def, name="")
        return session.run(fetch, feeds)


def litert(path: Path, *, inside: bool = False) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(
        model_path=str(path), experimental_op_resolver_type=resolver, experimental_preserve_all_tensors=inside
    )
    interpreter.allocate_tensors()
    return interpreter


@pytest.mark.litert
@pytest.mark.parametrize(
    "name", ["cnn_float", "cnn_float16", "cnn_int8", "dynamic_range", "float", "lstm", "composite"]
)
def test_head_and_tail_of_a_tflite_model(name: str, tmp_path: Path) -> None:
    path = FIXTURES / "tflite" / f"{name}.tflite"
    graph = read(path).metagraphs[0].graph
    whole = litert(path, inside=True)
    data = {detail["index"]: sample(detail) for detail in whole.get_input_details()}
    for index, array in data.items():
        whole.set_tensor(index, array)
    whole.invoke()
    results = [whole.get_tensor(output.value.port) for output in graph.outputs]
    compared = 0
    for value in [value for node in graph.nodes for value in node.outputs if value.dtype and value.dtype.bits]:
        inner = whole.get_tensor(value.port)
        head, tail = tmp_path / f"{value.port}_head.tflite", tmp_path / f"{value.port}_tail.tflite"
        if cut(path, head, {f"#{value.port}": "result"}):
            (found,) = run_tflite(head, [data[detail["index"]] for detail in used_inputs(head, whole)])
            assert same_array(found, inner), value
            compared += 1
        ends = {f"#{output.value.port}": "" for output in graph.outputs}
        if cut(path, tail, ends, {f"#{value.port}": "begin"}):
            assert all(map(same_array, run_tflite(tail, [inner]), results)), value
            compared += 1
    assert compared


def used_inputs(path: Path, whole: Any) -> list[Any]:
    """Return the details of the inputs of the whole that a part still has, in the part's order."""
    by_name = {detail["name"]: detail for detail in whole.get_input_details()}
    return [by_name[value.name] for value in read(path).metagraphs[0].graph.inputs]


def run_tflite(path: Path, arrays: list[Any]) -> list[Any]:
    interpreter = litert(path)
    for detail, array in zip(interpreter.get_input_details(), arrays, strict=True):
        interpreter.set_tensor(detail["index"], array)
    interpreter.invoke()
    return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]


def sample(detail: dict[str, Any]) -> Any:
    random = np.random.default_rng(detail["index"])
    if detail["dtype"] is np.float32:
        return random.random(detail["shape"], np.float32)
    return random.integers(0, 100, detail["shape"]).astype(detail["dtype"])
