"""`gs show`: what it prints, for people and for programs."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from tests.cli.conftest import GS

HEADER = {"schema", "format", "path", "bytes", "producer", "graphs", "variables", "assets"}
GRAPH = {"name", "tags", "nodes", "functions", "function_nodes", "ops", "inputs", "outputs", "signatures"}


def test_saved_model(gs: GS, fixtures_dir: Path) -> None:
    summary = gs("show", "savedmodel/linear", "--json").json
    assert summary.keys() >= HEADER
    assert (summary["schema"], summary["format"], summary["path"]) == (1, "saved_model", "savedmodel/linear")
    files = (fixtures_dir / "savedmodel" / "linear").rglob("*")
    assert summary["bytes"] == sum(path.stat().st_size for path in files if path.is_file())
    assert summary["producer"].items() >= {"tensorflow": "2.21.0", "graph_version": 2474, "description": None}.items()
    [graph] = summary["graphs"]
    assert graph.keys() >= GRAPH
    assert (graph["name"], graph["tags"]) == ("", ["serve"])
    assert graph["nodes"] + graph["function_nodes"] == sum(graph["ops"].values())
    signature = graph["signatures"]["serving_default"]
    assert signature["method"] == "tensorflow/serving/predict"
    x = {"name": "serving_default_x:0", "dtype": "float32", "shape": [None, 4]}
    assert signature["inputs"]["x"].items() >= x.items()
    assert signature["function"].startswith("__inference_signature_wrapper")
    assert [(fact["name"], fact["role"]) for fact in graph["inputs"]] == [
        ("serving_default_x:0", "feed"),
        ("saver_filename:0", "feed"),
    ]
    assert [fact["internal"] for fact in graph["inputs"]] == [False, True]
    assert graph["outputs"][0]["why"] == ["output output_0 of signature serving_default"]
    assert summary["variables"].items() >= {"count": 2, "bytes": 60, "slots": 0, "parameters": 15}.items()


def test_tag_sets(gs: GS) -> None:
    graphs = gs("show", "savedmodel/v1_tag_sets", "--json").json["graphs"]
    assert [graph["tags"] for graph in graphs] == [["train"], ["serve"], ["serve", "gpu"]]
    [graph] = gs("show", "savedmodel/v1_tag_sets", "--json", "--tags", "gpu,serve").json["graphs"]
    assert graph["tags"] == ["serve", "gpu"]
    missing = gs("show", "savedmodel/v1_tag_sets", "--tags", "tpu")
    assert missing.status == 2
    assert "there is --tags train, --tags serve, --tags serve,gpu" in missing.err


def test_what_runs_on_load(gs: GS) -> None:
    [graph] = gs("show", "savedmodel/table_asset", "--json").json["graphs"]
    steps = {(step["kind"], step["name"]) for step in graph["on_load"]}
    assert steps >= {("main_op", "NoOp"), ("table", "hash_table"), ("asset", "vocab.txt")}
    assert "restore" in {kind for kind, _ in steps}
    [old] = gs("show", "savedmodel/v1_table_legacy_init", "--json").json["graphs"]
    assert "legacy_init_op" in {step["kind"] for step in old["on_load"]}


def test_default_inputs(gs: GS) -> None:
    result = gs("show", "savedmodel/default_inputs", "--signature", "serving_default")
    assert result.status == 0
    assert "  default " in result.out
    defaults = gs("show", "savedmodel/default_inputs", "--json").json["graphs"][0]["signatures"]["serving_default"][
        "defaults"
    ]
    assert all(value.keys() == {"dtype", "shape", "values", "not_finite"} for value in defaults.values())
    assert defaults


def test_objects(gs: GS) -> None:
    [graph] = gs("show", "savedmodel/table_asset", "--json", "--objects").json["graphs"]
    objects = {child["name"]: child for child in graph["objects"]}
    assert objects["embedding"].items() >= {"kind": "variable", "dtype": "float32", "shape": [6, 3]}.items()
    assert objects["serve"]["kind"] == "function"
    assert objects["signatures"]["children"] == ["serving_default"]
    assert "tf.saved_model.load gives" in gs("show", "savedmodel/table_asset", "--objects").out


# What `saved_model_cli show --all` of TensorFlow 2.21 says: "Concrete Functions", "Callable with".
@pytest.mark.parametrize(
    ("model", "lines"),
    [
        ("no_signatures", {"__call__  x float32 [?,4]", "double    x float32 [?,4]"}),
        (
            "polymorphic",
            {
                f"call  #1['pair'][0] {dtype} [?], #1['pair'][1] {dtype} [?], #2={flag}"
                for dtype in ("float32", "int32")
                for flag in (True, False)
            },
        ),
    ],
)
def test_without_a_signature_the_functions_to_call_are_told(gs: GS, model: str, lines: set[str]) -> None:
    out = gs("show", f"savedmodel/{model}").out.splitlines()
    start = out.index("no signature; tf.saved_model.load gives these functions") + 1
    assert {line.strip() for line in out[start : start + len(lines)]} == lines
    assert out[start + len(lines)].startswith("ops")


@pytest.mark.parametrize("model", ["savedmodel/no_signatures", "savedmodel/polymorphic", "graphdef/linear.pb"])
def test_what_is_next_shows_something_of_the_models_own(gs: GS, model: str) -> None:
    command = shlex.split(gs("show", model).out.splitlines()[-1].removeprefix("next: "))
    assert command[0] == "gs"
    found = gs(*command[1:])
    assert (found.status, found.err) == (0, "")
    assert found.out
    assert not any(op in found.out for op in ("SaveV2", "RestoreV2", "traced_save", "PartitionedCall"))


def test_a_signature_says_enough_of_what_is_called(gs: GS) -> None:
    assert gs("show", "savedmodel/linear", "--json").json["graphs"][0]["callables"] == []


def test_unknown_signature_gets_the_candidates(gs: GS) -> None:
    result = gs("show", "savedmodel/several_signatures", "--signature", "nope")
    assert result.status == 2
    assert "there is __saved_model_init_op, " in result.err
    near = gs("show", "savedmodel/linear", "--signature", "serving_defualt")
    assert "did you mean 'serving_default'?" in near.err


def test_graph_without_signature_gets_likely_outputs(gs: GS) -> None:
    [graph] = gs("show", "graphdef/linear.pb", "--json").json["graphs"]
    assert graph["tags"] is None
    assert graph["signatures"] == {}
    best = graph["outputs"][0]
    assert (best["name"], best["dtype"], best["shape"]) == ("Identity:0", "float32", [None, 3])
    assert best["why"]


def test_meta_graph_is_shown_with_its_variables(gs: GS) -> None:
    summary = gs("show", "metagraph/face_resnet/model-1.meta", "--json").json
    assert summary["format"] == "meta_graph"
    assert summary["variables"]["count"] == 55
    assert summary["variables"]["slots"] == 21  # momentum of every trainable variable
    roles = {fact["name"]: fact["role"] for fact in summary["graphs"][0]["inputs"]}
    assert (roles["input_image:0"], roles["train_phase:0"]) == ("feed", "switch")


def test_iterator_is_an_input(gs: GS) -> None:
    inputs = gs("show", "metagraph/iterator.meta", "--json").json["graphs"][0]["inputs"]
    assert "iterator" in {fact["role"] for fact in inputs}


def test_checkpoint(gs: GS) -> None:
    summary = gs("show", "checkpoint/object_graph", "--json").json
    assert summary["format"] == "checkpoint"
    assert summary["graphs"] == []
    assert summary["producer"] == dict.fromkeys(("tensorflow", "graph_version", "min_consumer", "description"))


def test_variables_of_a_checkpoint_are_named(gs: GS) -> None:
    out = gs("show", "checkpoint/name_based").out
    own = [w for w in gs("weights", "checkpoint/name_based", "--json").json["weights"] if w["kind"] == "variable"]
    for weight in own:
        shape = str(weight["shape"]).replace(" ", "")
        assert [weight["dtype"], shape, weight["name"]] in [line.split() for line in out.splitlines()]
    largest = gs("show", "checkpoint/name_based", "--json").json["variables"]["largest"]
    assert {fact["name"] for fact in largest} == {weight["name"] for weight in own}


def test_index_without_its_data_is_shown(gs: GS) -> None:
    result = gs("show", "checkpoint/index_only", "--json")
    assert result.status == 0
    assert result.json["variables"]["count"] > 0


def test_tflite(gs: GS) -> None:
    summary = gs("show", "tflite/cnn_int8.tflite", "--json").json
    assert summary["variables"] is None
    [graph] = summary["graphs"]
    assert (graph["tags"], graph["functions"]) == (None, 0)
    tensor = graph["inputs"][0]
    assert tensor["quantization"].keys() == {"scale", "zero_point", "axis"}
    assert "index" in tensor
    assert graph["nodes"] == sum(graph["ops"].values())


def test_subgraphs_of_loops_and_branches_take_a_line_each(gs: GS) -> None:
    graphs = gs("show", "tflite/control_flow.tflite", "--json").json["graphs"]
    inner = [graph for graph in graphs[1:] if not graph["signatures"]]
    out = gs("show", "tflite/control_flow.tflite").out
    assert f"{len(inner)} subgraphs that no signature calls\n" in out
    assert all([line.split()[-1] for line in out.splitlines() if line].count(graph["name"]) == 1 for graph in inner)
    assert f"subgraph {inner[0]['name']}:" in gs("show", "tflite/control_flow.tflite", "--all").out


def test_every_subgraph_is_a_graph(gs: GS) -> None:
    graphs = gs("show", "tflite/control_flow.tflite", "--json").json["graphs"]
    assert [len(graph["signatures"]) for graph in graphs] == [1, *[0] * (len(graphs) - 1)]
    assert graphs[0]["ops"] == {"WHILE": 1}


def test_several_models_give_one_object_a_line(gs: GS) -> None:
    result = gs("show", "graphdef/linear.pb", "nowhere", "tflite/float.tflite", "--json")
    assert [json.loads(line)["format"] for line in result.out.splitlines()] == ["graph_def", "tflite"]
    assert (result.status, result.err) == (3, "gs: nowhere: no such file or folder\n")


@pytest.mark.parametrize(
    "model",
    ["savedmodel/linear", "savedmodel/keras_export", "savedmodel/v1_while", "graphdef/cnn.pb", "tflite/lstm.tflite"],
)
def test_one_signature_fits_forty_lines(gs: GS, model: str) -> None:
    lines = gs("show", model).out.splitlines()
    assert len(lines) <= 40
    assert lines[-1].startswith("next: gs ")


def test_all_shows_the_rest(gs: GS) -> None:
    short, whole = (gs("show", "savedmodel/table_asset", *more).out for more in ((), ("--all",)))
    assert "__saved_model_init_op" not in short
    assert "__saved_model_init_op" in whole
    assert "asset_path_initializer:0" in whole
    assert len(whole.splitlines()) > len(short.splitlines())


def test_unknown_ops_are_named(gs: GS) -> None:
    [graph] = gs("show", "graphdef/custom_op.pbtxt", "--json").json["graphs"]
    assert graph["unknown_ops"] == ["MyCompany>Postprocess", "TFLite_Detection_PostProcess"]
    assert "MyCompany>Postprocess, TFLite_Detection_PostProcess" in gs("show", "graphdef/custom_op.pbtxt").out


def test_model_text_is_never_markup(gs: GS) -> None:
    result = gs("show", "hostile/markup_names.pb", "--all")
    assert result.status == 0
    assert "\x1b" not in result.out


def test_missing_variables_are_said(gs: GS, tmp_path: Path) -> None:
    shutil.copytree("savedmodel/linear", tmp_path / "model")
    says = "note: its variables are missing: put the variables/ folder"
    assert says not in gs("show", tmp_path / "model").out
    shutil.rmtree(tmp_path / "model" / "variables")
    assert says in gs("show", tmp_path / "model").out
    shutil.copytree("savedmodel/linear/variables", tmp_path / "model" / "variables")
    assert says not in gs("show", tmp_path / "model").out


@pytest.mark.parametrize("model", ["savedmodel/captured_constants", "savedmodel/v1_text", "graphdef/linear.pb"])
def test_models_without_variables_miss_none(gs: GS, model: str) -> None:
    assert "variables are missing" not in gs("show", model).out
