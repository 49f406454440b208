"""What is stripped loads where its source did and computes the same, to the bit with TensorFlow's optimizer off."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.edit import edit
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats import read
from graphsurgeon.surgery.strip import StripReport
from tests.oracle import sessions, strip_models
from tests.oracle.conftest import Sources
from tests.oracle.litert_runs import runs
from tests.oracle.saved_models import ask_v1, ask_v2, feed, same

pytestmark = [
    pytest.mark.tensorflow,
    pytest.mark.filterwarnings("default"),  # the oracle warns about everything old
]

DROPOUTS = (
    "branch", "branch function", "loop", "loop function", "middle", "middle fed", "middle keep", "old", "old default",
    "old fed", "stateless", "v1", "v1 fed", "v2", "v2 fed", "v2 noise shape",
)  # fmt: skip
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


def folders() -> list[tuple[Path, list[str]]]:
    """Return every SavedModel with the tags of each MetaGraph."""
    files = sorted((FIXTURES / "savedmodel").rglob("saved_model.pb*"))
    return [(file.parent, metagraph.tags or []) for file in files for metagraph in read(file.parent).metagraphs]


def strip(path: Path, output: Path, **options: Any) -> StripReport:
    report = edit(path, [("strip", options)], output=output, format="saved_model").steps[0].report
    assert isinstance(report, StripReport)
    return report


def results(path: Path, tags: list[str], feeds: dict[str, Any]) -> dict[str, Any]:
    """Run all signatures with the optimizer off, each with the first inputs that it takes, or with given ones."""
    import tensorflow as tf

    found: dict[str, Any] = {}
    with sessions.saved_model(path, tags, optimize=False) as model:
        for key in sorted(model.meta_graph.signature_def):
            if key.startswith("__saved_model"):
                continue
            inputs, outputs = model.signature(key)
            fetches = {name: endpoint.name for name, endpoint in outputs.items()}
            given = [feeds[key]] if key in feeds else sessions.candidates(inputs, model.session.graph)
            for candidate in given:
                try:
                    fed = {inputs[name].name: value for name, value in candidate.items()}
                    found[key] = model.run(fetches, fed)
                except (tf.errors.OpError, ValueError):
                    continue
                feeds[key] = candidate
                break
    return found


@pytest.mark.parametrize(("path", "tags"), [pytest.param(*case, id=f"{case[0].name}-{case[1]}") for case in folders()])
def test_same_numbers(path: Path, tags: list[str], tmp_path: Path, sources: Sources) -> None:
    report = strip(path, tmp_path / "stripped", tags=tags or ["none"])
    feeds: dict[str, Any] = {}
    before, after = results(path, tags, feeds), results(tmp_path / "stripped", tags, feeds)
    assert before.keys() == after.keys()
    for key, expected in before.items():
        differing = [name for name in expected if not sessions.same_bits(expected[name], after[key][name])]
        assert differing == [], key
    for source, answer in zip(
        sources.ask(path), (ask_v1(tmp_path / "stripped"), ask_v2(tmp_path / "stripped")), strict=True
    ):
        if "add_slot" in source.error:  # slots of optimizers that only Keras 2 knows: without them it loads
            assert (answer.error, answer.failures) == ("", {})
            continue
        assert (answer.error, answer.keys, answer.callables) == (source.error, source.keys, source.callables)
        assert answer.variables == source.variables or (report.variables and answer.variables < source.variables)
        assert answer.results.keys() == source.results.keys()
        assert same(source.results, answer.results)


def run_and_save(path: Path, fetch: str, feeds: dict[str, Any], saved: Path) -> Any:
    """Fetch a tensor of a `.meta` with its variables; its saver must be able to save them."""
    with sessions.meta_graph(path, optimize=False) as model:
        saver = model.session.graph.get_operation_by_name("save/restore_all")
        assert saver is not None
        model.session.run("save/control_dependency:0", {"save/Const:0": str(saved)})
        return model.run({"y": fetch}, feeds)["y"]


def test_a_training_graph(tmp_path: Path) -> None:
    import tensorflow as tf

    source = FIXTURES / "metagraph" / "face_resnet" / "model-1.meta"
    target = tmp_path / "stripped" / "model.meta"
    target.parent.mkdir()
    report: Any = edit(source, [("strip", {"outputs": ["E_BN2/Reshape_1"]})], output=target).steps[0].report
    assert {"gradients", "optimizers", "summaries"} <= report.kinds.keys()
    ops = set(read(target).metagraphs[0].graph.op_counts)
    assert not {op for op in ops if "Grad" in op or op.startswith("Apply") or op.endswith("Summary")}
    stored = [{key for key, _ in tf.train.list_variables(str(path.with_suffix("")))} for path in (source, target)]
    assert len(stored[0]) - report.variables == len(stored[1]) == 32
    image = np.random.default_rng(0).random((2, 16, 16, 3), np.float32)
    feeds = {"input_image:0": image, "train_phase:0": False, "train_phase_last:0": False}
    expected = run_and_save(source, "E_BN2/Reshape_1:0", feeds, tmp_path / "before")
    assert sessions.same_bits(expected, run_and_save(target, "E_BN2/Reshape_1:0", feeds, tmp_path / "after"))
    assert {key for key, _ in tf.train.list_variables(str(tmp_path / "after"))} == stored[1]


def test_a_training_graph_loses_its_pipeline(tmp_path: Path) -> None:
    source = FIXTURES / "metagraph" / "training_text" / "model.meta"
    report: Any = edit(source, [("strip", {"outputs": ["kernel"]})], output=tmp_path / "m.meta").steps[0].report
    assert {"gradients", "optimizers", "summaries", "queues"} <= report.kinds.keys()
    assert "queue_runners" not in read(tmp_path / "m.meta").metagraphs[0].collections
    with sessions.meta_graph(source, optimize=False) as model:
        expected = model.run({"y": "kernel:0"}, {})
    with sessions.meta_graph(tmp_path / "m.meta", optimize=False) as model:
        assert sessions.same_bits(expected["y"], model.run({"y": "kernel:0"}, {})["y"])


def test_a_checkpoint_restores_without_what_training_kept(tmp_path: Path) -> None:
    import tensorflow as tf

    source = FIXTURES / "checkpoint" / "object_graph" / "ckpt-2"
    report: Any = edit(source, [("strip", {})], output=tmp_path / "ckpt", format="checkpoint").steps[0].report
    assert report.kinds == {"optimizers": 6, "internals": 1}
    before, after = (dict(tf.train.list_variables(str(path))) for path in (source, tmp_path / "ckpt"))
    gone = {key for key in before if "OPTIMIZER_SLOT" in key or "optimizer" in key or "save_counter" in key}
    assert before.keys() - after.keys() == {one.name for one in report.removed} <= gone
    for key in after:
        if key != "_CHECKPOINTABLE_OBJECT_GRAPH":
            values = [tf.train.load_variable(str(path), key) for path in (source, tmp_path / "ckpt")]
            assert sessions.same_bits(*values)


@pytest.mark.parametrize(
    ("name", "kinds", "left"), [("keras2_trained", {"optimizers", "metrics"}, 8), ("keras_trained", {"optimizers"}, 4)]
)
def test_optimizers_leave_objects_saver_and_checkpoint_together(
    name: str, kinds: set[str], left: int, tmp_path: Path
) -> None:
    import tensorflow as tf

    path, target = FIXTURES / "savedmodel" / name, tmp_path / "stripped"
    report = strip(path, target, only=["optimizers", "metrics"])
    assert report.kinds.keys() == kinds
    shapes = dict(tf.train.list_variables(str(target / "variables" / "variables")))
    assert len(shapes.keys() - {"_CHECKPOINTABLE_OBJECT_GRAPH"}) == left
    known = {(finding.rule, finding.where) for finding in check(read(path))}
    found = [finding for finding in check(read(target)) if finding.severity != "note"]
    assert not [finding for finding in found if (finding.rule, finding.where) not in known]
    with sessions.saved_model(target, ["serve"], optimize=False) as model:
        saver = model.meta_graph.saver_def
        model.session.run(saver.save_tensor_name, {saver.filename_tensor_name: str(tmp_path / "again")})
    assert dict(tf.train.list_variables(str(tmp_path / "again"))) == shapes
    loaded = tf.saved_model.load(str(target))
    root = tf.train.Checkpoint(**{one: getattr(loaded, one) for one in ("_layers", "layer-0") if hasattr(loaded, one)})
    for prefix in (target / "variables" / "variables", tmp_path / "again"):
        root.restore(str(prefix)).assert_nontrivial_match()
    assert strip(target, tmp_path / "twice", only=["optimizers", "metrics"]).removed == ()


def test_a_training_step_keeps_its_optimizer(tmp_path: Path) -> None:
    import tensorflow as tf

    class Trained(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable([2.0, 3.0])
            self.optimizer = tf.Module()
            self.optimizer.learning_rate = tf.Variable(0.5)
            self.optimizer.iterations = tf.Variable(0)
            self.optimizer.moments = [tf.Variable([0.0, 0.0])]

        @tf.function(input_signature=[tf.TensorSpec([2], tf.float32)])
        def step(self, x: Any) -> Any:
            moment = self.optimizer.moments[0]
            moment.assign(0.9 * moment + x)
            self.w.assign_sub(self.optimizer.learning_rate * moment)
            return self.w.read_value()

        @tf.function(input_signature=[tf.TensorSpec([2], tf.float32)])
        def predict(self, x: Any) -> Any:
            return self.w * x

    module = Trained()
    both = {"serving_default": module.predict, "train": module.step}
    tf.saved_model.save(module, str(tmp_path / "trains"), signatures=both)
    report = strip(tmp_path / "trains", tmp_path / "kept")
    assert not report.variables
    assert "optimizer (optimizers) stays: function" in report.notes[0]
    x = tf.constant([1.0, 2.0])
    steps = [tf.saved_model.load(str(tmp_path / one)).signatures["train"](x) for one in ("trains", "kept")]
    assert sessions.same_bits(*(next(iter(step.values())).numpy() for step in steps))

    class Predicts(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w, self.optimizer = module.w, module.optimizer

        predict = Trained.predict

    tf.saved_model.save(Predicts(), str(tmp_path / "predicts"))
    report = strip(tmp_path / "predicts", tmp_path / "stripped")
    assert report.variables == 3
    assert tf.saved_model.load(str(tmp_path / "stripped")).predict(x).numpy().tolist() == [2.0, 6.0]


@pytest.mark.parametrize("name", sorted(DROPOUTS))
def test_dropout_becomes_the_identity(name: str, tmp_path: Path) -> None:
    strip_models.save_graph(tmp_path / "g.pb", strip_models.dropouts()[name])
    report: Any = edit(tmp_path / "g.pb", [("strip", {"outputs": ["y"]})], output=tmp_path / "s.pb").steps[0].report
    assert "dropout" in report.kinds
    graphs = read(tmp_path / "s.pb").metagraphs[0].graphs
    assert not [op for graph in graphs for op in graph.op_counts if "Random" in op]
    inputs = {node.name for node in graphs[0].nodes}
    feeds = {"x:0": strip_models.BATCH} | ({"rate:0": np.float32(0.5)} if "rate" in inputs else {})
    found = sessions.run_graph_def(tmp_path / "s.pb", {"y": "y:0"}, feeds, optimize=False)["y"]
    assert sessions.same_bits(found, strip_models.BATCH)
    again: Any = edit(tmp_path / "s.pb", [("strip", {"outputs": ["y"]})], output=tmp_path / "t.pb").steps[0].report
    assert again.removed == ()


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize(
    ("names", "update"),
    [
        (("moving_mean", "moving_variance"), "train"),
        (("moving_mean", "moving_variance"), "wait"),
        (("moving_mean", "moving_variance"), ""),
        (("first", "second"), "train"),
    ],
)
def test_batch_norms_infer(resource: bool, names: tuple[str, str], update: str, tmp_path: Path) -> None:
    expected = strip_models.save_batch_norm(tmp_path, resource=resource, names=names, update=update)
    (tmp_path / "s").mkdir()
    step = ("strip", {"outputs": ["y"], "inference": True})
    report: Any = edit(tmp_path / "model.meta", [step], output=tmp_path / "s" / "model.meta").steps[0].report
    assert report.notes == ()
    ops = read(tmp_path / "s" / "model.meta").metagraphs[0].graph.op_counts
    assert not {"AssignSub", "AssignSubVariableOp", "FusedBatchNormGradV3", "ScalarSummary"} & ops.keys()
    with sessions.meta_graph(tmp_path / "s" / "model.meta", optimize=False) as model:
        assert sessions.same_bits(model.run({"y": "y:0"}, {"x:0": strip_models.IMAGES})["y"], expected)


@pytest.mark.parametrize("resource", [False, True])
@pytest.mark.parametrize("update", ["train", "wait"])
def test_batch_norms_in_single_ops_infer(resource: bool, update: str, tmp_path: Path) -> None:
    expected = strip_models.save_batch_norm(tmp_path, resource=resource, update=update, fused=False)
    (tmp_path / "s").mkdir()
    step = ("strip", {"outputs": ["y"], "inference": True})
    edit(tmp_path / "model.meta", [step], output=tmp_path / "s" / "model.meta")
    ops = read(tmp_path / "s" / "model.meta").metagraphs[0].graph.op_counts
    assert not {"AssignSub", "AssignSubVariableOp", "Mean", "SquaredDifference", "ScalarSummary"} & ops.keys()
    with sessions.meta_graph(tmp_path / "s" / "model.meta", optimize=False) as model:
        assert sessions.same_bits(model.run({"y": "y:0"}, {"x:0": strip_models.IMAGES})["y"], expected)


def test_batch_norms_of_keras_infer(tmp_path: Path) -> None:
    expected = strip_models.save_keras_batch_norm(tmp_path / "model")
    edit(tmp_path / "model", [("strip", {"inference": True})], output=tmp_path / "s")
    served = [one for name, one in read(tmp_path / "s").metagraphs[0].functions.items() if "restore" not in name]
    assert not {"AssignVariableOp", "Mean"} & {op for function in served for op in function.op_counts}
    import tensorflow as tf

    loaded = tf.saved_model.load(str(tmp_path / "s"))
    found = loaded.signatures["serving_default"](x=tf.constant(strip_models.IMAGES))["y"]
    assert sessions.close(found.numpy(), expected)


def test_a_batch_norm_is_left_and_named(tmp_path: Path) -> None:
    strip_models.save_batch_norm(tmp_path, resource=True, names=("first", "second"), update="")
    step = ("strip", {"outputs": ["y"], "inference": True})
    report: Any = edit(tmp_path / "model.meta", [step], output=tmp_path / "s.meta").steps[0].report
    assert "stays in training form: its moving statistics were not found" in report.notes[0]
    assert "batch-norms" not in report.kinds


def test_a_training_graph_with_everything(tmp_path: Path) -> None:
    import tensorflow as tf

    strip_models.save_estimator_like(tmp_path)
    source, target = tmp_path / "model.meta", tmp_path / "s" / "model.meta"
    target.parent.mkdir()
    step = ("strip", {"outputs": ["y", "x"]})
    kinds = edit(source, [("strip", {"outputs": ["y", "x"], "keep": ["dropout"]})], output=tmp_path / "k.meta")
    report: Any = edit(source, [step], output=target).steps[0].report
    assert kinds.steps[0].report.kinds.keys() == report.kinds.keys() - {"dropout"}  # type: ignore[attr-defined]
    wanted = {"gradients", "optimizers", "savers", "summaries", "metrics", "assertions", "prints", "dropout"}
    assert wanted - {"savers"} <= report.kinds.keys()
    stored = {key for key, _ in tf.train.list_variables(str(target.with_suffix("")))}
    assert stored == {"w1", "w2"}
    assert not [finding for finding in check(read(target)) if finding.severity != "note"]
    with sessions.meta_graph(target, optimize=False) as model:
        w1, w2 = (tf.train.load_variable(str(target.with_suffix("")), name) for name in ("w1", "w2"))
        found = model.run({"y": "y:0"}, {"x:0": strip_models.BATCH})["y"]
        expected = model.session.run(tf.nn.softmax(tf.matmul(tf.nn.relu(tf.matmul(strip_models.BATCH, w1)), w2)))
    assert sessions.same_bits(found, expected)


def test_summaries_checks_and_prints_leave_functions(tmp_path: Path) -> None:
    import tensorflow as tf

    class Chatty(tf.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.w = tf.Variable([2.0, 3.0])

        @tf.function(input_signature=[tf.TensorSpec([2], tf.float32)])
        def f(self, x: Any) -> Any:
            writer = tf.raw_ops.SummaryWriter(shared_name="log")
            tf.raw_ops.CreateSummaryFileWriter(
                writer=writer, logdir=str(tmp_path / "log"), max_queue=1, flush_millis=10, filename_suffix=""
            )
            tf.raw_ops.WriteScalarSummary(writer=writer, step=1, tag="sum", value=tf.reduce_sum(x))
            tf.print("x", x)
            tf.debugging.assert_greater(tf.reduce_sum(x), -1e9)
            return tf.debugging.check_numerics(self.w * x, "y")

    tf.saved_model.save(module := Chatty(), str(tmp_path / "m"), signatures=module.f)
    report = strip(tmp_path / "m", tmp_path / "s")
    assert {"summaries", "prints", "assertions"} <= report.kinds.keys()
    ops = {op for graph in read(tmp_path / "s").metagraphs[0].graphs for op in graph.op_counts}
    assert not ops & {"WriteScalarSummary", "WriteSummary", "PrintV2", "Assert", "CheckNumerics", "CheckNumericsV2"}
    x = tf.constant([1.0, 2.0])
    loaded = [tf.saved_model.load(str(tmp_path / one)) for one in ("m", "s")]
    answers = [one.f(x).numpy().tolist() for one in loaded]
    assert answers == [[2.0, 6.0], [2.0, 6.0]]


def test_what_the_tools_of_tensorflow_lose_is_kept(tmp_path: Path) -> None:
    """`remove_training_nodes`, `strip_unused` and `optimize_for_inference` lose functions, versions, order or data."""
    import tensorflow as tf
    from tensorflow.python.framework.graph_util import remove_training_nodes
    from tensorflow.python.tools import optimize_for_inference_lib, strip_unused_lib

    v1 = tf.compat.v1

    @tf.function(input_signature=[tf.TensorSpec([None, 6], tf.float32)])
    def twice(x: Any) -> Any:
        return tf.identity(x) * 2.0

    def build(x: Any) -> Any:
        checked = v1.check_numerics(tf.identity(x), "x")
        first, second = tf.split(tf.identity(checked), 2, axis=1)
        return tf.concat([second, tf.identity(first)], 1) + twice(checked)

    strip_models.save_graph(tmp_path / "g.pb", build)
    source = v1.GraphDef.FromString((tmp_path / "g.pb").read_bytes())
    feeds, fetches = {"x:0": strip_models.BATCH}, {"y": "y:0"}
    expected = sessions.run_graph_def(tmp_path / "g.pb", fetches, feeds, optimize=False)["y"]
    edit(tmp_path / "g.pb", [("strip", {"outputs": ["y"]})], output=tmp_path / "ours.pb")
    ours = v1.GraphDef.FromString((tmp_path / "ours.pb").read_bytes())
    assert (len(ours.library.function), ours.versions) == (len(source.library.function), source.versions)
    assert sessions.same_bits(
        sessions.run_graph_def(tmp_path / "ours.pb", fetches, feeds, optimize=False)["y"], expected
    )
    assert "CheckNumerics" not in {node.op for node in ours.node}
    floats = tf.float32.as_datatype_enum
    tools: list[Callable[[Any], Any]] = [
        lambda graph: remove_training_nodes(graph, protected_nodes=["y"]),
        lambda graph: strip_unused_lib.strip_unused(graph, ["x"], ["y"], floats),
        lambda graph: optimize_for_inference_lib.optimize_for_inference(graph, ["x"], ["y"], floats),
    ]

    def run(tool: Callable[[Any], Any]) -> Any:
        graph = tool(v1.GraphDef.FromString((tmp_path / "g.pb").read_bytes()))
        assert (graph.versions, len(graph.library.function)) == (source.versions, 1)
        (tmp_path / "theirs.pb").write_bytes(graph.SerializeToString())
        return sessions.run_graph_def(tmp_path / "theirs.pb", fetches, feeds, optimize=False)

    for tool in tools:
        with pytest.raises((IndexError, AssertionError, tf.errors.OpError)):
            run(tool)


def _feeds(graph: Any, rows: int) -> dict[str, Any]:
    """Make the same inputs for the placeholders of a graph, whatever else it has."""
    import tensorflow as tf

    found: dict[str, Any] = {}
    for operation in graph.get_operations():
        if operation.type.startswith("Placeholder"):
            (value,) = operation.outputs
            dims = value.shape.as_list() if value.shape.rank is not None else [rows]
            random = feed(operation.name, value.dtype, dims, rows)
            found[value.name] = np.zeros_like(random) if value.dtype == tf.bool else random
    return found


def _answers(path: Path, outputs: tuple[str, ...], rows: int, feeds: dict[str, Any]) -> list[Any]:
    """Import a GraphDef and fetch tensors; fills `feeds` where they are empty."""
    import tensorflow as tf
    from google.protobuf import text_format

    graph_def = tf.compat.v1.GraphDef()
    if path.suffix == ".pbtxt":
        text_format.Parse(path.read_text(), graph_def)
    else:
        graph_def.ParseFromString(path.read_bytes())
    config = sessions.session_config(optimize=False)
    with tf.Graph().as_default() as graph, tf.compat.v1.Session(config=config) as session:
        tf.import_graph_def(graph_def, name="")
        feeds.update(feeds or _feeds(graph, rows))
        there = {operation.name for operation in graph.get_operations()}
        fed = {name: value for name, value in feeds.items() if name.partition(":")[0] in there}
        return session.run(list(outputs), fed)  # type: ignore[no-any-return]


@pytest.mark.corpus
def test_graphs_of_others(corpus: Path, tmp_path: Path) -> None:
    """Frozen graphs compute the same, stripped twice they lose nothing more, and the check finds nothing new."""
    import tensorflow as tf
    from google.protobuf.message import DecodeError

    compared = 0
    for path in sorted(corpus.rglob("*.pb*")):
        if path.stem == "saved_model" or path.stat().st_size > 30 << 20:
            continue
        target, again = tmp_path / "s.pb", tmp_path / "t.pb"
        try:
            if read(path).format != "graph_def":
                continue
            first: Any = edit(path, [("strip", {})], output=target, force=True).steps[0].report
        except GraphSurgeonError:
            continue
        step = ("strip", {"outputs": list(first.outputs)})
        second: Any = edit(target, [step], output=again, force=True).steps[0].report
        assert second.removed == (), path
        for rows in (1, 2):
            feeds: dict[str, Any] = {}
            try:
                expected = _answers(path, first.outputs, rows, feeds)
                repeated = _answers(path, first.outputs, rows, feeds)
            except (tf.errors.OpError, ValueError, TypeError, RuntimeError, DecodeError):
                continue  # a custom op, a shape that we cannot guess
            found = _answers(target, first.outputs, rows, feeds)
            if all(map(sessions.same_bits, expected, repeated)):  # not drawn at random
                assert all(map(sessions.same_bits, expected, found)), path
                compared += 1
            break
    assert compared > 15


@pytest.mark.corpus
def test_saved_models_of_others(corpus: Path, tmp_path: Path) -> None:
    """Both loaders say of the stripped model what they say of the source."""
    compared = 0
    for number, file in enumerate(sorted(corpus.rglob("saved_model.pb*"))):
        path, target = file.parent, tmp_path / f"s{number}"
        try:
            strip(path, target)
        except GraphSurgeonError:
            continue
        for ask in (ask_v1, ask_v2):
            source, answer = ask(path), ask(target)
            if source.error:
                continue
            assert (answer.error, answer.keys) == ("", source.keys), path
            assert {*source.callables} - {*answer.callables} <= {"restore"}, path  # where nothing is left to restore
            assert all(same({key: found}, {key: answer.results[key]}) for key, found in source.results.items()), path
            compared += len(source.results)
        assert strip(target, tmp_path / f"t{number}").removed == (), path
    assert compared > 80


@pytest.mark.litert
def test_tflite_models_compute_the_same(tmp_path: Path) -> None:
    pairs = []
    for path in sorted((FIXTURES / "tflite").glob("*.tflite")):
        target = tmp_path / path.name
        report: Any = edit(path, [("strip", {})], output=target).steps[0].report
        if report.removed:
            pairs.append((path, target))
            assert edit(target, [("strip", {})], output=tmp_path / f"again-{path.name}").steps[0].report.removed == ()  # type: ignore[attr-defined]
    assert {path.name for path, _ in pairs} >= {"shared_buffers.tflite", "quantized_forms.tflite"}
    answers = runs([path for pair in pairs for path in pair])
    for before, after in zip(answers[::2], answers[1::2], strict=True):
        assert before.get("error") == after.get("error")
        assert before.get("outputs") == after.get("outputs")
        assert before.get("signatures") == after.get("signatures")
