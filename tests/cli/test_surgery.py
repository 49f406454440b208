"""The commands that edit signatures, outputs, names and parts: what they print, and what they refuse, in one line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphsurgeon import read, write
from graphsurgeon.model.metagraph import MetaGraph
from tests.cli.conftest import GS

LINEAR = "graphdef/linear.pb"
CNN = "graphdef/cnn.pb"
EXPORT = "savedmodel/keras_export"
NESTED = "savedmodel/nested_calls"
FACE = "metagraph/face_resnet/model-1.meta"
FLOAT = "tflite/float.tflite"


def graph_of(path: Path) -> MetaGraph:
    return read(path).metagraphs[0]


def outputs_of(path: Path, key: str = "serving_default") -> dict[str, str]:
    entries = graph_of(path).signatures[key].outputs
    return {name: str(entry.mention.target) for name, entry in entries.items() if entry.mention is not None}


# -- rename --------------------------------------------------------------------------------------------


def test_rename_by_map_rule_and_scope(gs: GS, tmp_path: Path) -> None:
    (tmp_path / "names.json").write_text(json.dumps({"a=b": "c", "x": "image"}))
    refused = gs("rename", LINEAR, "--map", tmp_path / "names.json", "-o", tmp_path / "a.pb")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "the model has no node 'a=b'" in refused.err
    (tmp_path / "names.json").write_text(json.dumps({"x": "image"}))
    report = gs("rename", LINEAR, "--map", tmp_path / "names.json", "MatMul/=dense/", "-o", tmp_path / "a.pb", "--json")
    renamed = [(old, new) for _, old, new in report.json["renamed"]]
    assert renamed[0] == ("x", "image")
    assert ("MatMul/ReadVariableOp", "dense/ReadVariableOp") in renamed
    rule = gs("rename", LINEAR, "--regex", "s|^add(.*)|bias\\1|", "--dry-run", "--json").json
    assert ["", "add/ReadVariableOp", "bias/ReadVariableOp"] in rule["renamed"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nosuch=y"], "the model has no node 'nosuch'"),
        (["Matmul=y"], "did you mean"),
        (["x=y z"], "'y z' is no legal name of a node"),
        (["x=Identity"], "'Identity' would be there twice"),
        (["--regex", "s|(|x|"], "--regex"),
        (["--regex", "x"], "--regex"),
        (["x"], "OLD=NEW"),
        ([], "nothing to rename"),
        (["--what", "signatures", "serving_default=x"], "serving_default"),
        (["--what", "tags", "serve=x"], "this format has no tags"),
    ],
)
def test_names_that_are_refused(gs: GS, arguments: list[str], says: str) -> None:
    result = gs("rename", LINEAR, *arguments, "--dry-run")
    assert result.status in (2, 4)
    assert (result.out, result.err.count("\n")) == ("", 1)
    assert says in result.err


@pytest.mark.parametrize(
    ("model", "arguments", "instead"),
    [
        (EXPORT, ["probs=scores"], ["--what", "keys", "serving_default.probs=scores"]),
        (EXPORT, ["--what", "keys", "probs=scores"], ["--what", "keys", "serving_default.probs=scores"]),
        (EXPORT, ["serving_default=first"], ["--what", "signatures", "serving_default=first"]),
        (EXPORT, ["--what", "keys", "serving_default=first"], ["--what", "signatures", "serving_default=first"]),
        (EXPORT, ["--what", "signatures", "serve=prod"], ["--what", "signatures", "serve=prod"]),
    ],
)
def test_a_name_of_another_kind_is_told_with_what_renames_it(
    gs: GS, model: str, arguments: list[str], instead: list[str]
) -> None:
    result = gs("rename", model, *arguments, "--dry-run")
    if arguments != instead:
        assert (result.status, result.err.count("\n")) == (2, 1)
        assert result.err.rstrip().endswith(": " + " ".join(instead))
    assert gs("rename", model, *instead, "--dry-run").status == 0


def test_tags_are_no_list_with_doubles(gs: GS, tmp_path: Path) -> None:
    model = "savedmodel/v1_tag_sets"
    refused = gs("rename", model, "--what", "tags", "gpu=serve", "-o", tmp_path / "out")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    assert "tag 'serve' would be there twice; gpu=none drops tag 'gpu'" in refused.err
    taken = gs("rename", model, "--what", "tags", "gpu=none", "-o", tmp_path / "out")
    assert "another MetaGraph is already tagged serve" in taken.err
    assert gs("rename", model, "--what", "tags", "train=fit", "-o", tmp_path / "out").status == 0
    assert [one.tags for one in read(tmp_path / "out").metagraphs] == [["fit"], ["serve"], ["serve", "gpu"]]


def test_a_tag_can_be_dropped(gs: GS, tmp_path: Path) -> None:
    model = read("savedmodel/v1_text")
    model.metagraphs[0].tags = ["serve", "gpu"]
    write(model, tmp_path / "two")
    result = gs("rename", tmp_path / "two", "--what", "tags", "gpu=none", "-o", tmp_path / "out")
    assert result.status == 0, result.err
    assert graph_of(tmp_path / "out").tags == ["serve"]


def test_rename_what(gs: GS, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert gs("rename", EXPORT, "--what", "keys", "serving_default.probs=a", "-o", out).status == 0
    assert list(outputs_of(out)) == ["a", "embedding"]
    assert gs("rename", out, "--what", "signatures", "serving_default=predict", "--in-place").status == 0
    assert gs("rename", out, "--what", "tags", "serve=prod", "--in-place").status == 0
    assert gs("rename", out, "--what", "functions", "--prefix", "f_", "--in-place").status == 0
    assert gs("rename", out, "--what", "variables", "--prefix", "v_", "--in-place").status == 0
    model = read(out)
    assert model.metagraphs[0].tags == ["prod"]
    assert set(model.metagraphs[0].signatures) >= {"predict", "serve"}
    assert all(name.startswith("f_") for name in model.metagraphs[0].functions)
    assert model.checkpoint is not None
    assert all(key.startswith("v_") for key in model.checkpoint.variables)
    assert gs("check", out, "--checksums").status == 0


# -- add-output ----------------------------------------------------------------------------------------


def test_outputs_are_told_with_type_shape_and_signature(gs: GS, tmp_path: Path) -> None:
    pool = "functional_1/pool_1/Mean"
    result = gs("add-output", EXPORT, f"{pool}=a", "--signature", "serving_default", "-o", tmp_path / "out")
    assert result.out.splitlines()[:3] == [
        "1 output added",
        f"  a:0  yields  {pool}:0  float32  [?,4]",
        "  a:0: in signature serving_default; through 1 copied function",
    ]
    assert list(outputs_of(tmp_path / "out")) == ["a", "embedding", "probs"]
    report = gs("add-output", EXPORT, pool, "--dry-run", "--json").json
    (added,) = report["outputs"]
    assert (added["name"], added["dtype"], added["shape"]) == ("Mean:0", "float32", [None, 4])


def test_rewire_and_print(gs: GS, tmp_path: Path) -> None:
    assert gs("add-output", LINEAR, "add=logits", "--rewire", "-o", tmp_path / "a.pb").status == 0
    softmax = graph_of(tmp_path / "a.pb").graph.node("Softmax")
    assert softmax is not None
    assert [str(value) for value in softmax.inputs] == ["logits:0"]
    assert gs("add-output", LINEAR, "add=logits", "--print", "-o", tmp_path / "b.pb").status == 0
    assert graph_of(tmp_path / "b.pb").graph.op_counts["PrintV2"] == 1


def test_print_inside_functions(gs: GS, tmp_path: Path) -> None:
    """A print needs no way to the main graph: loop bodies are as good as any function."""
    done = gs("add-output", NESTED, "while/Tanh=seen", "--print", "-o", tmp_path / "out")
    (body,) = [one for one in graph_of(tmp_path / "out").functions.values() if one.node("seen") is not None]
    assert body.op_counts["PrintV2"] == 1
    assert body.node("while/Tanh").consumers == (body.node("seen/format"), body.node("seen"))  # type: ignore[union-attr]
    assert f"  seen:0  yields  while/Tanh:0  float32  [?,4]  in {body.name}\n" in done.out
    assert "  seen:0: 1 input of other nodes reads it now\n" in done.out
    assert graph_of(tmp_path / "out").graph.node("seen") is None


def test_the_ways_to_a_function_are_offered_as_options(gs: GS) -> None:
    refused = gs("add-output", NESTED, "hidden=h", "--dry-run")
    assert (refused.status, refused.err.count("\n")) == (2, 1)
    choices = refused.err.strip().partition("choose ")[2].split(", or ")
    assert len(choices) == 2
    for choice in choices:
        assert gs("add-output", NESTED, "hidden=h", *choice.split(), "--dry-run").status == 0


@pytest.mark.parametrize(
    ("model", "arguments", "status", "says"),
    [
        (LINEAR, ["nosuch=y"], 2, "nosuch"),
        (LINEAR, ["add=x"], 2, "the main graph already has a node 'x'; 'x_1' is free"),
        (LINEAR, ["add=y", "MatMul=y"], 2, "two outputs would be named 'y'"),
        (LINEAR, [], 2, "no tensor to add as an output"),
        (LINEAR, ["add=y", "--all"], 4, "TFLite models only"),
        (LINEAR, ["NoOp=y"], 2, "has no outputs"),
        (NESTED, ["while/Tanh=y"], 4, "runs function"),
        (NESTED, ["while:4=y"], 4, "is a resource, which cannot be fetched"),
        (EXPORT, ["functional_1/pool_1/Mean=probs", "--signature", "serving_default"], 2, "already has an output"),
        (EXPORT, ["functional_1/pool_1/Mean=y", "--rewire"], 4, "lies in a function"),
        (EXPORT, ["functional_1/pool_1/Mean=Identity", "--print"], 2, "314' already has a node 'Identity'; 'Identity_"),
        (EXPORT, ["functional_1/pool_1/Mean=y", "--print", "--signature", "serve"], 2, "adds no output to a signature"),
        (EXPORT, ["functional_1/pool_1/Mean=y", "--signature", "x"], 2, "x"),
        (FLOAT, ["MatMul=y"], 4, "is a constant"),
    ],
)
def test_outputs_that_are_refused(gs: GS, model: str, arguments: list[str], status: int, says: str) -> None:
    result = gs("add-output", model, *arguments, "--dry-run")
    assert (result.status, result.out, result.err.count("\n")) == (status, "", 1)
    assert says in result.err


# -- add-signature, remove-signature -------------------------------------------------------------------


def test_a_frozen_graph_becomes_versions_for_a_server(gs: GS, tmp_path: Path) -> None:
    models = tmp_path / "models" / "linear"
    for number in (1, 2):
        result = gs("add-signature", LINEAR, "--input", "x", "--output", "scores=Identity", "--serving-dir", models)
        assert result.status == 0
        assert f"wrote {models}/{number} " in result.out
        assert gs("check", models / str(number), "--serving").status == 0
    signature = graph_of(models / "2").signatures["serving_default"]
    assert (list(signature.inputs), list(signature.outputs)) == (["x"], ["scores"])
    request = gs("show", models, "--request")
    assert request.status == 0
    assert "[[0.0, 0.0, 0.0, 0.0]]" in request.out


def test_an_output_is_found_by_its_shape(gs: GS, tmp_path: Path) -> None:
    report = gs("add-signature", FACE, "--outputs-by-shape", "embedding=None,512", "-o", tmp_path / "out", "--json")
    assert report.json["outputs"]["embedding"]["shape"] == [None, 512]
    assert (tmp_path / "out" / "variables" / "variables.index").is_file()
    assert gs("add-signature", FACE, "--outputs-by-shape", "None,77", "-o", tmp_path / "no").status == 2


def test_a_signature_comes_and_goes(gs: GS, tmp_path: Path) -> None:
    tensor = outputs_of(Path(EXPORT))["probs"]
    added = gs("add-signature", EXPORT, "--name", "extra", "--output", f"p={tensor}", "-o", tmp_path / "added")
    assert added.status == 0
    assert outputs_of(tmp_path / "added", "extra") == {"p": tensor}
    diff = gs("diff", EXPORT, tmp_path / "added", "--json")
    assert diff.status == 1
    kinds = {(change["part"], change["kind"]) for change in diff.json["changes"]}
    added_parts = {(part, "added") for part in ("function", "signature", "object", "concrete function")}
    assert kinds <= added_parts | {("object", "changed")}  # the map of signatures has one more
    assert gs("remove-signature", tmp_path / "added", "extra", "--in-place").status == 0
    assert gs("diff", EXPORT, tmp_path / "added").status == 0


@pytest.mark.parametrize(
    ("model", "arguments", "says"),
    [
        (LINEAR, [], "a signature needs an output"),
        (LINEAR, ["--output", "nosuch"], "nosuch"),
        (
            FACE,
            ["--input", "input_image", "--output", "logits/MatMul"],
            "no input feeds; add --input train_phase",
        ),
        (LINEAR, ["--output", "Identity", "--method", "classify"], "its one input must have the key 'inputs'"),
        (LINEAR, ["--output", "Identity", "--input", "a=x", "--input", "b=x"], "are one tensor"),
        (EXPORT, ["--output", "StatefulPartitionedCall_1"], "there already is a signature 'serving_default'"),
        (NESTED, ["--output", "hidden", "--name", "n"], "2 ways lead to function"),
        (EXPORT, ["--output", "StatefulPartitionedCall", "--name", "n", "--input", "a-b=serve_image"], "no safe input"),
    ],
)
def test_signatures_that_are_refused(gs: GS, model: str, arguments: list[str], says: str) -> None:
    result = gs("add-signature", model, *arguments, "--dry-run")
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert says in result.err


def test_signatures_that_cannot_be_removed(gs: GS) -> None:
    unknown = gs("remove-signature", EXPORT, "nosuch", "--dry-run")
    assert (unknown.status, unknown.err.count("\n")) == (2, 1)
    internal = gs("remove-signature", "savedmodel/table_asset", "__saved_model_init_op", "--dry-run")
    assert internal.status == 2
    assert "loaders run" in internal.err


# -- extract -------------------------------------------------------------------------------------------


def test_a_part_is_told_with_its_ends(gs: GS, tmp_path: Path) -> None:
    cut = "functional_1/stem_relu_1/Relu=x"
    result = gs("extract", CNN, "--inputs", cut, "--outputs", "Identity=y", "-o", tmp_path / "part.pb")
    assert result.status == 0
    graph = graph_of(tmp_path / "part.pb").graph
    assert result.out.splitlines()[:3] == [
        f"58 -> {len(graph)} nodes",
        "  input   x:0  float32  [?,8,8,4]",
        "  output  y:0  float32  [?,5]",
    ]
    report = gs("extract", CNN, "--inputs", cut, "--outputs", "Identity=y", "--dry-run", "--json").json
    assert report["inputs"] == [{"name": "x:0", "dtype": "float32", "shape": [None, 8, 8, 4]}]
    assert report["nodes_after"] == len(graph_of(tmp_path / "part.pb").graph) < report["nodes_before"]


def test_a_part_of_a_function_and_of_tflite(gs: GS, tmp_path: Path) -> None:
    body = gs("extract", NESTED, "--outputs", "while/Tanh", "-o", tmp_path / "body")
    assert (body.status, body.err.count("\n")) == (4, 1)
    assert "a resource, from whoever calls it; choose inputs behind what reads it" in body.err
    cut = ["--inputs", "while/StatefulPartitionedCall=x"]
    assert gs("extract", NESTED, *cut, "--outputs", "while/Tanh=y", "-o", tmp_path / "body").status == 0
    assert [node.op for node in graph_of(tmp_path / "body").graph] == ["Placeholder", "Tanh", "Identity"]
    result = gs("extract", FLOAT, "--outputs", "MatMul;add=logits", "-o", tmp_path / "part.tflite")
    assert result.status == 0
    (output,) = graph_of(tmp_path / "part.tflite").graph.outputs
    assert output.value.name == "logits"


@pytest.mark.parametrize(
    ("model", "arguments", "status", "says"),
    [
        (LINEAR, [], 2, "nothing says what is to be kept"),
        (LINEAR, ["--outputs", "nosuch"], 2, "nosuch"),
        (LINEAR, ["--outputs", "add", "--inputs", "Softmax"], 2, "Softmax"),
        (LINEAR, ["--outputs", "add", "--match", "x"], 2, "patterns choose variables"),
        (LINEAR, ["--outputs", "add=a b"], 2, "no legal name"),
        ("checkpoint/name_based", ["--match", "nosuch"], 2, "no variable matches 'nosuch'"),
        ("checkpoint/name_based", [], 2, "give --match NAME"),
        ("checkpoint/v1/model.ckpt", ["--match", "*"], 4, "V1 checkpoint"),
        (FLOAT, ["--outputs", "MatMul"], 4, "is a constant"),
    ],
)
def test_parts_that_are_refused(gs: GS, model: str, arguments: list[str], status: int, says: str) -> None:
    result = gs("extract", model, *arguments, "--dry-run")
    assert (result.status, result.out, result.err.count("\n")) == (status, "", 1)
    assert says in result.err


# -- apply ---------------------------------------------------------------------------------------------


def test_a_recipe_does_what_its_steps_do_one_by_one(gs: GS, tmp_path: Path) -> None:
    steps = [
        ["rename", "--what", "keys", "serving_default.probs=scores"],
        ["add-output", "functional_1/pool_1/Mean=pooled features".replace(" ", "_"), "--signature", "serving_default"],
        ["remove-signature", "serve"],
    ]
    recipe, one_by_one = tmp_path / "recipe.txt", Path(EXPORT)
    lines = ["# what clients expect", ""]
    for number, (command, *arguments) in enumerate(steps):
        line = gs(command, EXPORT, *arguments, "--print-recipe")
        assert line.status == 0
        lines.append(line.out.strip())
        assert gs(command, one_by_one, *arguments, "-o", tmp_path / str(number)).status == 0
        one_by_one = tmp_path / str(number)
    recipe.write_text("\n".join(lines))
    result = gs("apply", recipe, EXPORT, "-o", tmp_path / "at once", "--json")
    assert [step["operation"] for step in result.json["steps"]] == ["rename", "add-output", "remove-signature"]
    assert gs("diff", one_by_one, tmp_path / "at once").status == 0
    assert gs("apply", recipe, EXPORT, "--dry-run").out.count("1 key renamed") == 1
    recipe.write_text("\n".join([*lines, lines[-1]]))
    again = gs("apply", recipe, EXPORT, "--dry-run")
    assert again.err.startswith(f"gs: {EXPORT}: step 4 (remove-signature): the model has no signature 'serve'")


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "the recipe has no steps"),
        ("# nothing\n", "the recipe has no steps"),
        ("rename 'x=y", "recipe.txt:1: No closing quotation"),
        ("\ngs rename x=y", "recipe.txt:2: write the step without 'gs'"),
        ("apply other.txt", "a recipe cannot apply another"),
        ("shw", "there is no command 'shw'"),
        ("show", "show"),
        ("rename x=y --nosuch", "--nosuch"),
        ("rename nosuch=y", "the model has no node 'nosuch'"),
    ],
)
def test_recipes_that_are_none(gs: GS, tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "recipe.txt").write_text(text)
    result = gs("apply", tmp_path / "recipe.txt", LINEAR, "-o", tmp_path / "out.pb")
    assert (result.status, result.out, result.err.count("\n")) == (2, "", 1)
    assert says in result.err
    assert not (tmp_path / "out.pb").exists()


def test_a_taken_signature_is_replaced_as_the_hint_says(gs: GS, tmp_path: Path) -> None:
    arguments = ("add-signature", "savedmodel/v1_text", "--output", "scores=y", "-o", tmp_path / "out")
    refused = gs(*arguments)
    assert "there already is a signature 'serving_default'; --replace replaces it" in refused.err
    assert gs(*arguments, "--replace").status == 0
    assert list(outputs_of(tmp_path / "out")) == ["scores"]


def test_which_of_several_metagraphs_was_taken_is_said(gs: GS, tmp_path: Path) -> None:
    taken = "the MetaGraph tagged serve, one of 3; --tags chooses train or serve,gpu"
    source = "savedmodel/v1_tag_sets"
    for command in (["freeze", source, "-o", tmp_path / "f.pb"], ["rename", source, "hidden=h", "-o", tmp_path / "r"]):
        assert taken in gs(*command, "--json").json["notes"]
        assert taken not in gs(*command, "--tags", "serve", "--force", "--json").json["notes"]
    assert taken not in gs("rename", source, "--what", "tags", "train=t", "-o", tmp_path / "t", "--json").json["notes"]


def test_strip_says_which_metagraphs_it_left_alone(gs: GS, tmp_path: Path) -> None:
    report = gs("strip", "savedmodel/v1_tag_sets", "-o", tmp_path / "s", "--json").json
    notes = str(report)
    assert "left as they are: MetaGraphs train; serve,gpu" in notes
