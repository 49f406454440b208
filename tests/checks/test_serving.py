"""What TensorFlow Serving refuses: folders, tags, signatures; each rule finds its fault and nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.cli.app import run
from graphsurgeon.formats import read
from graphsurgeon.model.finding import Finding

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
FLOAT, STRING = "DT_FLOAT", "DT_STRING"


def placeholder(name: str, dtype: str = FLOAT) -> str:
    return f'node {{ name: "{name}" op: "Placeholder" attr {{ key: "dtype" value {{ type: {dtype} }} }} }}'


def identity(name: str, source: str, dtype: str = FLOAT) -> str:
    attr = f'attr {{ key: "T" value {{ type: {dtype} }} }}'
    return f'node {{ name: "{name}" op: "Identity" input: "{source}" {attr} }}'


def entry(side: str, key: str, tensor: str, dtype: str = FLOAT, dims: tuple[int, ...] | None = None) -> str:
    sizes = "unknown_rank: true" if dims is None else " ".join(f"dim {{ size: {dim} }}" for dim in dims)
    info = f'name: "{tensor}:0" dtype: {dtype} tensor_shape {{ {sizes} }}'
    return f'{side} {{ key: "{key}" value {{ {info} }} }}'


def signature(*entries: str, key: str = "serving_default", method: str = "predict") -> str:
    name = f'method_name: "tensorflow/serving/{method}"' if method else ""
    return f'signature_def {{ key: "{key}" value {{ {" ".join(entries)} {name} }} }}'


CONSTANT = (
    'node { name: "c" op: "Const" attr { key: "dtype" value { type: DT_FLOAT } } attr { key: "value"'
    " value { tensor { dtype: DT_FLOAT tensor_shape { } float_val: 1 } } } }"
)
GRAPH = placeholder("x") + identity("y", "x") + placeholder("s", STRING) + identity("t", "s", STRING) + CONSTANT
PREDICT = signature(entry("inputs", "x", "x"), entry("outputs", "y", "y"))
EXAMPLES = entry("inputs", "inputs", "s", STRING, (-1,))

# MetaGraph beside graph and tags -> rules of the errors and warnings
SIGNATURES: dict[str, list[str]] = {
    PREDICT: [],
    "": ["serving-signature"],
    signature(entry("inputs", "x", "x"), entry("outputs", "y", "y"), method=""): ["serving-method"],
    signature(entry("inputs", "x", "x"), entry("outputs", "y", "y"), method="custom"): ["serving-method"],
    signature(entry("outputs", "y", "y")): ["signature-unfed"],
    signature(entry("inputs", "x", "y"), entry("outputs", "y", "y")): [],
    signature(EXAMPLES, entry("outputs", "scores", "c", FLOAT, (-1, 3)), method="classify"): [],
    signature(EXAMPLES, entry("outputs", "classes", "t", STRING, (-1, 3)), method="classify"): [],
    signature(EXAMPLES, entry("outputs", "scores", "c", FLOAT, (-1,)), method="classify"): ["serving-method"],
    signature(EXAMPLES, entry("outputs", "classes", "c", FLOAT), method="classify"): ["serving-method"],
    signature(EXAMPLES, entry("outputs", "probs", "c", FLOAT), method="classify"): ["serving-method"],
    signature(entry("inputs", "x", "s", STRING), entry("outputs", "scores", "t"), method="classify"): [
        "serving-method"
    ],
    signature(EXAMPLES, entry("outputs", "outputs", "c", FLOAT, (-1, 1)), method="regress"): [],
    signature(EXAMPLES, entry("outputs", "outputs", "c", FLOAT, (-1, 2)), method="regress"): ["serving-method"],
    signature(EXAMPLES, entry("outputs", "y", "c", FLOAT, (-1,)), method="regress"): ["serving-method"],
    signature(entry("inputs", "inputs", "s", STRING, (-1, 2)), entry("outputs", "outputs", "c"), method="regress"): [
        "serving-method"
    ],
    signature(
        'inputs { key: "x" value { coo_sparse { values_tensor_name: "x:0" } dtype: DT_FLOAT } }',
        entry("outputs", "y", "y"),
    ): ["serving-composite"],
    PREDICT + 'collection_def { key: "legacy_init_op" value { node_list { value: "x" value: "y" } } }': [
        "serving-init"
    ],
    PREDICT + 'collection_def { key: "legacy_init_op" value { node_list { value: "y" } } }': [],
}


def model(folder: Path, graph: str, rest: str, tags: str = 'tags: "serve"') -> Path:
    folder.mkdir(parents=True)
    text = f"meta_graphs {{ meta_info_def {{ {tags} }} graph_def {{ {graph} }} {rest} }}"
    (folder / "saved_model.pbtxt").write_text(f"saved_model_schema_version: 1 {text}")
    return folder


OWN = ("serving-", "signature-unfed", "signature-variable")


def serving(path: Path) -> list[Finding]:
    return [finding for finding in check(read(path), serving=True) if finding.rule.startswith(OWN)]


def rules(path: Path) -> list[str]:
    return [finding.rule for finding in serving(path) if finding.severity != "note"]


@pytest.mark.parametrize(("rest", "wanted"), SIGNATURES.items(), ids=range(len(SIGNATURES)))
def test_signatures(rest: str, wanted: list[str], tmp_path: Path) -> None:
    assert rules(model(tmp_path / "name" / "1", GRAPH, rest)) == wanted


@pytest.mark.parametrize(
    ("tags", "wanted"),
    [('tags: "serve"', []), ("", ["serving-tags"]), ('tags: "serve" tags: "gpu"', ["serving-tags"])],
)
def test_tags(tags: str, wanted: list[str], tmp_path: Path) -> None:
    assert rules(model(tmp_path / "name" / "1", GRAPH, PREDICT, tags)) == wanted


@pytest.mark.parametrize(
    ("folder", "wanted"),
    [("1", []), ("00000123", []), ("20261121", []), ("v1", ["serving-layout"]), ("1.0", ["serving-layout"]),
     ("-1", ["serving-layout"]), ("99999999999999999999", ["serving-layout"])],
)  # fmt: skip
def test_folder_names(folder: str, wanted: list[str], tmp_path: Path) -> None:
    assert rules(model(tmp_path / "name" / folder, GRAPH, PREDICT)) == wanted


def test_the_highest_number_is_what_is_served(tmp_path: Path) -> None:
    first = model(tmp_path / "1", GRAPH, PREDICT)
    (tmp_path / "notes").mkdir()
    assert serving(first) == []
    second = model(tmp_path / "2", GRAPH, PREDICT)
    assert [(found.severity, found.rule) for found in serving(first)] == [("note", "serving-version")]
    assert serving(second) == serving(tmp_path) == []
    (tmp_path / "3").mkdir()
    assert rules(tmp_path) == ["serving-layout"]


def test_ops_that_the_server_lacks(tmp_path: Path) -> None:
    own = 'node { name: "z" op: "NobodysOp" input: "x" }'
    python = (
        'node { name: "p" op: "PyFunc" attr { key: "token" value { s: "t" } }'
        ' attr { key: "Tin" value { list { } } } attr { key: "Tout" value { list { } } } }'
    )
    found = serving(model(tmp_path / "name" / "1", GRAPH + own + python, PREDICT))
    assert [(finding.severity, finding.rule) for finding in found] == [
        ("error", "serving-op"), ("warning", "serving-python"),
    ]  # fmt: skip


def test_variables_need_a_saver(tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "savedmodel" / "linear", tmp_path / "1")
    assert rules(tmp_path) == []
    graph = read(tmp_path)
    graph.metagraphs[0].saver = None
    found = [finding.rule for finding in check(graph, serving=True) if finding.rule.startswith(OWN)]
    assert found == ["signature-variable", "serving-restore"]


@pytest.mark.parametrize(("name", "key"), [("keras_trained", "serving_default"), ("v1_missing_entries", "broken")])
def test_variables_that_a_session_does_not_restore(name: str, key: str, tmp_path: Path) -> None:
    shutil.copytree(FIXTURES / "savedmodel" / name, tmp_path / "1")
    found = serving(tmp_path)
    assert [(finding.rule, finding.where) for finding in found] == [("signature-variable", f"signature {key}")]


def test_notes_for_clients(tmp_path: Path) -> None:
    graph = 'node { name: "r" op: "NoOp" }' + GRAPH
    path = model(tmp_path / "name" / "1", graph, signature(entry("inputs", "x", "x"), key="other"))
    assert [(found.severity, found.rule) for found in serving(path)] == [("note", "serving-default")]


@pytest.mark.parametrize("name", ["graphdef/linear.pb", "tflite/float.tflite", "checkpoint/object_graph"])
def test_other_formats_are_not_served(name: str) -> None:
    assert rules(FIXTURES / name) == ["serving-format"]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = model(tmp_path / "detector", GRAPH, PREDICT)
    assert run(["check", str(path)]) == 0
    assert run(["check", str(path), "--serving"]) == 1
    assert "detector/1" in capsys.readouterr().out
    path.rename(tmp_path / "1")
    assert run(["check", str(tmp_path / "1"), "--serving"]) == 0
    assert run(["check", str(tmp_path / "nothing"), "--serving"]) == 3
    (tmp_path / "empty").mkdir()
    assert run(["check", str(tmp_path / "empty"), "--serving"]) == 2
