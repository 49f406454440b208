"""Inner tensors made outputs: they yield what TensorFlow itself computes there, and nothing else changes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon import surgery
from graphsurgeon.analysis.flow.attributes import dtype_of
from graphsurgeon.analysis.flow.calls import Call, nodes_inside, reached_functions
from graphsurgeon.compare.diff.files import difference
from graphsurgeon.edit import edit
from graphsurgeon.errors import GraphSurgeonError, UnsupportedError, UsageError
from graphsurgeon.formats import read
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.traversal import upstream
from graphsurgeon.surgery.moves.signatures.signature_function import find_wrapper
from tests.oracle.conftest import Sources
from tests.oracle.places import FIXTURES, corpus_saved_models, fixture_saved_models, parameters
from tests.oracle.saved_models import Answer, ask_v1, ask_v2, feed, same_array
from tests.oracle.test_rename import save_again

MOST = 8  # tensors of one signature that are tried
PLAIN = ("float", "int", "bool", "string", "uint")
SAVED_MODELS = parameters(fixture_saved_models(), corpus_saved_models())


class Place:
    """A tensor inside a signature: its function, its name there, and the calls on the way from the wrapper."""

    def __init__(self, node: Node, calls: Sequence[str]) -> None:
        self.graph = node.graph
        self.node = node.name
        self.calls = list(calls)

    @property
    def path(self) -> str:
        """Name of the node where TensorFlow has inlined the calls."""
        return "/".join([*self.calls, self.node])


def places(metagraph: MetaGraph, wrapper: Graph) -> list[Place]:
    """Return tensors behind plain calls from a wrapper, well spread, whose names no other function that runs has."""
    names = Counter(node.name for graph in reached_functions([metagraph.graph]) for node in graph.nodes)
    found = []
    for node, call in nodes_inside(wrapper):
        is_alone = names[node.name] == 1 and metagraph.graph.node(node.name) is None
        if is_alone and has_plain_output(node) and node.op not in ("Const", "Placeholder", "Identity"):
            found.append(Place(node, [step.node.name for step in reversed(list(stack(call)))]))
    return found[:: max(1, len(found) // MOST)][:MOST]


def stack(call: Call | None) -> Iterator[Call]:
    while call is not None:
        yield call
        call = call.outer


def has_plain_output(node: Node) -> bool:
    dtype = dtype_of(node.output())
    return dtype is not None and dtype.name.startswith(PLAIN) and not dtype.is_ref


def inner_values(path: Path, key: str, wanted: Sequence[Place]) -> dict[str, Any]:
    """Compute inner tensors from TensorFlow's own frozen, inlined copy of a signature; those that it still has."""
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    loaded = tf.saved_model.load(str(path))
    function = loaded.signatures[key]
    try:
        frozen = convert_variables_to_constants_v2(function, lower_control_flow=False)
    except (ValueError, tf.errors.OpError):  # one of the models that TensorFlow cannot freeze
        return {}
    names = {operation.name for operation in frozen.graph.get_operations()}
    there = {place.path: f"{place.path}:0" for place in wanted if place.path in names}
    specs = {spec.name: (name, spec) for name, spec in function.structured_input_signature[1].items()}
    feeds = {}
    for tensor in frozen.inputs:
        if tensor.dtype == tf.resource or tensor.name.partition(":")[0] not in specs:
            return {}  # a table, which is empty here
        name, spec = specs[tensor.name.partition(":")[0]]
        shape = None if spec.shape.rank is None else spec.shape.as_list()
        feeds[tensor.name] = feed(name, spec.dtype, shape)
    with tf.compat.v1.Session(graph=frozen.graph) as session:
        try:
            found: dict[str, Any] = session.run(there, feeds)
        except (ValueError, tf.errors.OpError):  # data that the model parses need another form
            return {}
    return found


def add_all(path: Path, key: str, wanted: Sequence[Place], target: Path) -> dict[str, str]:
    """Add what can be added to the signature, half of it in one step, half in another; return path -> output key."""
    added: dict[str, str] = {}
    halves: tuple[dict[str, str], dict[str, str]] = ({}, {})
    for number, place in enumerate(wanted):
        try:
            surgery.add_output(read(path), {place.node: f"added_{number}"}, signature=key)
        except (UnsupportedError, UsageError):
            continue
        added[place.path] = halves[number % 2][place.node] = f"added_{number}"
    steps = [("add-output", {"outputs": half, "signature": key}) for half in halves if half]
    if steps:
        edit(path, steps, output=target)
    return added


def assert_kept(before: Answer, after: Answer) -> None:
    """Check that what was there computes the same numbers, and root functions are still there."""
    assert bool(before.error) == bool(after.error), after.error
    assert before.results.keys() == after.results.keys(), after.failures
    for key, arrays in before.results.items():
        assert all(same_array(value, after.results[key][name]) for name, value in arrays.items())
    assert before.callables == after.callables


def public(metagraph: MetaGraph) -> list[Signature]:
    return [signature for key, signature in metagraph.signatures.items() if not key.startswith("__saved_model")]


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", SAVED_MODELS)
def test_inner_tensors_in_a_signature(path: Path, tmp_path: Path, sources: Sources) -> None:
    metagraph = read(path).metagraphs[0]
    before = sources.ask(path)
    if metagraph.objects is None or before[1].error:
        pytest.skip("not a model that tf.saved_model.load reads through its object graph")
    keys = [signature.key for signature in public(metagraph) if signature.key in before[1].results]
    compared = sum(add_and_compare(path, metagraph, key, tmp_path / f"out{n}", before) for n, key in enumerate(keys))
    if not compared:
        pytest.skip("no inner tensor to compare")


def add_and_compare(path: Path, metagraph: MetaGraph, key: str, target: Path, before: tuple[Answer, Answer]) -> int:
    """Add inner tensors to a signature; return how many could be compared with what TensorFlow computes."""
    try:
        wrapper = find_wrapper(metagraph, key)
    except UnsupportedError:
        return 0
    wanted = places(metagraph, wrapper.function) if wrapper is not None else []
    added = add_all(path, key, wanted, target)
    if not added:
        return 0
    after = ask_v1(target), ask_v2(target)
    for one, other in zip(before, after, strict=True):
        assert_kept(one, other)
    alone = ask_v1(target, only=key), ask_v2(target, only=key)
    truth = inner_values(path, key, [place for place in wanted if place.path in added])
    for place, value in truth.items():
        for answer in alone:
            if key in answer.results:
                assert_close(answer.results[key][added[place]], value, place)
    changed = {change.part for change in difference(path, target).changes}
    assert changed <= {"node", "function", "signature", "object", "concrete function", "file", "gradient"}
    return len(truth)


def assert_close(one: Any, other: Any, what: str) -> None:
    one, other = np.asarray(one), np.asarray(other)
    assert one.shape == other.shape, what
    if one.dtype.kind in "OS":
        assert (one.astype(object) == other.astype(object)).all(), what
    else:
        np.testing.assert_allclose(one.astype("f8"), other.astype("f8"), rtol=1e-5, atol=1e-6, err_msg=what)


@pytest.mark.tensorflow
@pytest.mark.parametrize("name", ["nested_calls", "custom_gradient", "keras_export"])
def test_it_survives_saving_by_tensorflow(name: str, tmp_path: Path) -> None:
    path = FIXTURES / "savedmodel" / name
    metagraph = read(path).metagraphs[0]
    signature = public(metagraph)[0]
    wrapper = find_wrapper(metagraph, signature.key)
    assert wrapper is not None
    added = add_all(path, signature.key, places(metagraph, wrapper.function)[-2:], tmp_path / "out")
    assert added
    assert save_again(tmp_path / "out", tmp_path / "again")
    before, after = ask_v2(tmp_path / "out"), ask_v2(tmp_path / "again")
    assert set(added.values()) <= set(after.results[signature.key])
    for key, arrays in before.results.items():
        assert all(same_array(value, after.results[key][name]) for name, value in arrays.items())


@pytest.mark.tensorflow
def test_gradients_stay(tmp_path: Path) -> None:
    import tensorflow as tf

    path = FIXTURES / "savedmodel" / "custom_gradient"
    metagraph = read(path).metagraphs[0]
    (signature,) = public(metagraph)
    wrapper = find_wrapper(metagraph, signature.key)
    assert wrapper is not None
    assert add_all(path, signature.key, places(metagraph, wrapper.function), tmp_path / "out")

    def gradient(model: Path) -> Any:
        loaded = tf.saved_model.load(str(model))
        function = loaded.signatures[signature.key]
        ((name, spec),) = function.structured_input_signature[1].items()
        x = tf.constant(feed(name, spec.dtype, spec.shape.as_list()))
        with tf.GradientTape() as tape:
            tape.watch(x)
            results = function(**{name: x})
            total = tf.reduce_sum(results[sorted(signature.outputs)[0]])
        return tape.gradient(total, x).numpy()

    assert same_array(gradient(path), gradient(tmp_path / "out"))


@pytest.mark.tensorflow
@pytest.mark.parametrize("path", SAVED_MODELS)
def test_tensors_of_the_main_graph(path: Path, tmp_path: Path, sources: Sources) -> None:
    import tensorflow as tf

    metagraph = read(path).metagraphs[0]
    tags = list(metagraph.tags or ())
    before = sources.ask(path)[0]
    if before.error or not before.results:
        pytest.skip("the V1 loader runs nothing of it")
    key = sorted(before.results)[0]
    signature = metagraph.signatures[key]
    roots = [entry.mention.node for entry in signature.outputs.values() if entry.mention is not None]
    nodes = [node for node in upstream([node for node in roots if node is not None]) if has_plain_output(node)]
    added = {}
    steps: list[Any] = []
    for number, node in enumerate(nodes[:: max(1, len(nodes) // MOST)][:MOST]):
        step = {"outputs": {node.name: f"added_{number}"}, "tags": tags or ["none"]}
        try:
            surgery.add_output(read(path), **step)  # type: ignore[arg-type]
        except (UnsupportedError, UsageError):
            continue
        steps.append(("add-output", step))
        added[node.name] = f"added_{number}"
    if not steps:
        pytest.skip("no tensor to fetch")
    edit(path, steps, output=tmp_path / "out")
    assert_kept(before, ask_v1(tmp_path / "out", tags))
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        loaded = tf.compat.v1.saved_model.load(session, tags, str(tmp_path / "out"))
        feeds = {}
        for name, info in loaded.signature_def[key].inputs.items():
            shape = None if info.tensor_shape.unknown_rank else [dim.size for dim in info.tensor_shape.dim]
            feeds[info.name] = feed(name, tf.dtypes.as_dtype(info.dtype), shape)
        try:
            pairs = session.run({old: (f"{old}:0", f"{new}:0") for old, new in added.items()}, feeds)
        except (tf.errors.OpError, ValueError):  # parsed strings need other data, which the comparison above has
            return
    assert all(same_array(old, new) for old, new in pairs.values())


@pytest.mark.litert
@pytest.mark.filterwarnings("ignore:.*experimental_preserve_all_tensors")
@pytest.mark.parametrize(
    "path",
    sorted((FIXTURES / "tflite").glob("*.tflite")),
    ids=lambda path: path.stem,
)
def test_every_tensor_of_a_tflite_model(path: Path, tmp_path: Path) -> None:
    from ai_edge_litert.interpreter import Interpreter

    target = tmp_path / "all.tflite"
    source = read(path)
    try:
        edit(path, [("add-output", {"outputs": {}, "all_tensors": True})], output=target)
    except GraphSurgeonError:
        assert source.metagraphs[0].graph.nodes == () or path.stem == "variables"
        return
    try:
        one = Interpreter(model_path=str(path), experimental_preserve_all_tensors=True)
        one.allocate_tensors()
    except (RuntimeError, ValueError):
        pytest.skip("LiteRT does not run it")
    other = Interpreter(model_path=str(target))
    for interpreter in (one, other):
        interpreter.allocate_tensors()
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], data(detail))
        interpreter.invoke()
    originals = {detail["index"] for detail in one.get_output_details()}
    outputs = {detail["index"] for detail in other.get_output_details()}
    assert originals <= outputs
    compared = 0
    for index in outputs:
        try:
            expected = one.get_tensor(index)
        except ValueError:  # an inner tensor that LiteRT keeps nothing of
            continue
        assert same_array(expected, other.get_tensor(index))
        compared += 1
    assert compared


def data(detail: dict[str, Any]) -> Any:
    random = np.random.default_rng(7)
    if detail["dtype"] in (np.bytes_, np.object_):
        return np.full(detail["shape"], b"word", object)
    if detail["dtype"] is np.float32:
        return random.random(detail["shape"], np.float32)
    return random.integers(0, 2, detail["shape"]).astype(detail["dtype"])


@pytest.mark.tensorflow
def test_tensors_of_functions_and_loops_are_printed(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    source = FIXTURES / "savedmodel" / "nested_calls"
    edit(source, [("add-output", {"outputs": {"while/Tanh": "seen"}, "print_values": True})], output=tmp_path / "out")
    before = ask_v1(source), ask_v2(source)
    for ask, answer in zip((ask_v1, ask_v2), before, strict=True):
        capfd.readouterr()
        after = ask(tmp_path / "out")
        assert "seen: [[" in capfd.readouterr().err
        assert not after.error
        for signature, results in answer.results.items():
            assert all(same_array(after.results[signature][key], array) for key, array in results.items())
