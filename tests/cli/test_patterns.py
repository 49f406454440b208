"""`gs find --pattern`, `gs replace` and `gs optimize` as commands: what they print, and how they refuse."""

from __future__ import annotations

from pathlib import Path

from tests.cli.conftest import GS

CNN = "graphdef/cnn.pb"
NORM = "Relu(Add|AddV2(Mul(x, k), b))"


def test_find_pattern(gs: GS) -> None:
    assert gs("find", CNN, "--pattern", NORM, "--count").out == "1\n"
    (match,) = gs("find", CNN, "--pattern", NORM, "--json").json["matches"]
    assert set(match) == {"graph", "tags", "root", "nodes", "captures"}
    assert match["nodes"][-1] + ":0" == match["root"]
    assert match["captures"]["k"]["shape"] == [4]
    text = gs("find", CNN, "--pattern", NORM).out
    assert text.splitlines()[0].endswith("Relu:0  3 nodes")
    assert "float32  [4]" in text


def test_find_pattern_in_functions_and_subgraphs(gs: GS) -> None:
    result = gs("find", "savedmodel/keras_export", "--pattern", "BiasAdd(MatMul(x, weight(w)), _)", "--json")
    assert {match["graph"] for match in result.json["matches"]} == {"__inference___call___314"}
    (match,) = gs("find", "tflite/cnn_float.tflite", "--pattern", "CONV_2D(x, const(w), b?)", "--json").json["matches"]
    assert match["captures"]["w"]["shape"] == [4, 3, 3, 3]
    assert match["nodes"] == ["#0"]


def test_no_match_and_mistakes(gs: GS) -> None:
    nothing = gs("find", CNN, "--pattern", "Elu(x)")
    assert (nothing.status, nothing.out) == (1, "")
    wrong = gs("find", CNN, "--pattern", "Relu(Add(x y))")
    assert wrong.status == 2
    assert wrong.err.splitlines() == [
        "gs: column 12: ',' or ')' is missing in Add(",
        "  Relu(Add(x y))",
        "  " + " " * 11 + "^",
    ]
    both = gs("find", CNN, "--pattern", "Relu(x)", "--op", "Relu")
    assert both.status == 2
    assert "do not go together" in both.err


def test_replace(gs: GS, tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    report = gs("replace", CNN, "Relu(x) => Maximum(x, 0)", "-o", out, "--json").json
    assert report["rules"] == {"Relu(x) => Maximum(x, 0)": 1}
    assert gs("find", out, "--pattern", "Maximum(x, 0)", "--count").out == "1\n"
    nothing = gs("replace", CNN, "Elu(x) => x", "-o", tmp_path / "same.pb")
    assert nothing.status == 0
    assert "nothing matches" in nothing.out
    assert (tmp_path / "same.pb").read_bytes() == Path(CNN).read_bytes()


def test_replace_refuses(gs: GS, tmp_path: Path) -> None:
    out = tmp_path / "out.pb"
    for rule, message in (
        ("Relu(x) => Cast[DstT=f16](x)", "the replacement float16"),
        ("Relu(x) => Relu(Neg(x))", "would never end"),
        ("Relu(x)", "only finds"),
    ):
        result = gs("replace", CNN, rule, "-o", out)
        assert result.status in (2, 4)
        assert message in result.err
    assert not out.exists()
    assert gs("replace", CNN, "-o", out).status == 2
    assert "did you mean erfc-to-erf" in gs("replace", CNN, "--rule", "erfc", "-o", out).err


def test_rules_of_a_file_and_shipped_ones(gs: GS, tmp_path: Path) -> None:
    rules = tmp_path / "mine.rules"
    rules.write_text("# mine\nrule a: Relu(x) => Maximum(x, 0) ;\n")
    assert gs("replace", CNN, "--rules", rules, "--dry-run", "--json").json["rules"] == {"a": 1}
    rules.write_text("rule a: Relu(x => x ;\n")
    wrong = gs("replace", CNN, "--rules", rules, "--dry-run")
    assert f"gs: {rules}: column 16: " in wrong.err
    assert gs("replace", CNN, "--rules", tmp_path / "none.rules", "--dry-run").status == 3
    listed = gs("replace", "--list-rules").out
    assert "upsampling-to-conv-transpose" in listed
    assert "erfc-to-erf" in listed
    recipe = tmp_path / "recipe"
    recipe.write_text("replace 'Relu(x) => Maximum(x, 0)'\noptimize\n")
    assert gs("apply", recipe, CNN, "-o", tmp_path / "both.pb").status == 0


def test_optimize(gs: GS, tmp_path: Path) -> None:
    out, again = tmp_path / "out.pb", tmp_path / "again.pb"
    report = gs("optimize", CNN, "-o", out, "--json").json
    assert report["nodes_after"] < report["nodes_before"]
    assert gs("optimize", out, "-o", again, "--json").json["passes"] == {}
    assert "there is no pass" in gs("optimize", CNN, "--only", "x", "-o", again, "--force").err
    assert "fold" in gs("optimize", "--list-passes").out
    assert gs("optimize", "tflite/cnn_float16.tflite", "-o", tmp_path / "out.tflite", "--json").json["passes"]["fold"]


def test_replace_in_tflite(gs: GS, tmp_path: Path) -> None:
    model, out = "tflite/cnn_float.tflite", tmp_path / "out.tflite"
    assert gs("replace", model, "SOFTMAX(x) => LOG_SOFTMAX(x)", "-o", out).status == 0
    assert gs("find", out, "--pattern", "LOG_SOFTMAX(FULLY_CONNECTED(...))", "--count").out == "1\n"
    assert "would never end" in gs("replace", model, "SOFTMAX(x) => SOFTMAX(NEG(x))", "-o", out, "--force").err
    assert "not known" in gs("replace", model, "SOFTMAX(x) => NEG(MEAN(x))", "-o", out, "--force").err
