"""Every row of docs/extending.md, tried: one is added in memory, and help, pages and behaviour know it."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import pytest
from google.protobuf import text_format

from graphsurgeon import read, surgery
from graphsurgeon.bridges.converting.request import ConversionReport, Request
from graphsurgeon.bridges.converting.table import Converter, registered
from graphsurgeon.checks import check as checks
from graphsurgeon.cli import app
from graphsurgeon.cli.common import Json
from graphsurgeon.cli.common import Model as ModelPath
from graphsurgeon.cli.edit_command import Steps, edit_command
from graphsurgeon.formats import registry, schema
from graphsurgeon.formats.graph.mention_sites import MENTION_SITES
from graphsurgeon.formats.recognise import foreign
from graphsurgeon.formats.recognise.foreign import FOREIGN
from graphsurgeon.lowering.builder import Builder
from graphsurgeon.lowering.caffe import TABLE
from graphsurgeon.lowering.layout import each
from graphsurgeon.lowering.operand import Operand
from graphsurgeon.lowering.source import Source
from graphsurgeon.lowering.table import lowering_functions, lowers
from graphsurgeon.lowering.to_onnx.layers import SourceLayer
from graphsurgeon.lowering.to_onnx.net import Net
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.patterns import rules as shipped
from graphsurgeon.scanning.table import OpRule
from graphsurgeon.scanning.table import rules as op_rules
from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.registry import shape_fn, shape_functions
from graphsurgeon.surgery.stripping.kinds import KINDS, Kind, When
from graphsurgeon.surgery.stripping.work import StripWork
from tests import test_house, test_pages
from tests.formats import toy
from tests.formats.onnx import models as onnx_models

ROOT = Path(__file__).resolve().parents[1]
EXTENDING = (ROOT / "docs" / "extending.md").read_text("utf-8")
GRAPH = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } }
       attr { key: "shape" value { shape { dim { size: 2 } dim { size: 3 } } } } }
node { name: "y" op: "Shout" input: "x" attr { key: "_loud" value { b: true } } }
"""
TYPE = '"T" value { type: DT_FLOAT }'

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def gs(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command beside `g.pbtxt`; return its status and what it prints."""
    (tmp_path / "g.pbtxt").write_text(GRAPH)
    monkeypatch.chdir(tmp_path)

    def call(*words: str) -> tuple[int, str]:
        capsys.readouterr()
        status = app.run(list(words))
        return status, "".join(capsys.readouterr())

    return call


def command(monkeypatch: pytest.MonkeyPatch, name: str, function: Callable[..., None]) -> None:
    """Add a command as its module and its line in `cli/app.py` do."""
    module = ModuleType(f"added_{name}")
    vars(module)[name] = function
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(app.COMMANDS, name, f"{module.__name__}:{name}")


@dataclass(frozen=True)
class Shouted:
    """What shouting did."""

    shouted: int


def test_an_edit(gs: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def shout(model: Model, *, suffix: str) -> Shouted:
        nodes = list(model.metagraphs[0].graph.nodes)
        for node in nodes:
            node.name = node.name.upper() + suffix
        return Shouted(len(nodes))

    @edit_command
    def shout_command(model: ModelPath, suffix: str = "!") -> Steps:
        """Write all names in capitals.

        Examples:
          gs shout m.pb -o out.pb
        """
        return [("shout", {"suffix": suffix})]

    operation = ModuleType("added_operation")
    vars(operation)["shout"] = shout
    monkeypatch.setitem(sys.modules, "added_operation", operation)
    monkeypatch.setitem(surgery.OPERATIONS, "shout", "added_operation:shout")
    command(monkeypatch, "shout", shout_command)
    assert "Write all names in capitals" in gs("--help")[1]
    help_text = gs("shout", "--help")[1]
    assert all(text in help_text for text in ("--suffix", "--in-place", "--dry-run", "--verify", "gs shout m.pb"))
    assert "shout" in test_pages.commands_missing(test_pages.README)
    assert "shout" in test_pages.commands_missing(test_pages.CLI)
    status, out = gs("shout", "g.pbtxt", "--suffix", "_now", "-o", "out.pbtxt", "--json")
    assert (status, json.loads(out)["shouted"]) == (0, 2)
    Path("recipe").write_text("shout --suffix _then\n")
    assert gs("apply", "recipe", "g.pbtxt", "-o", "again.pbtxt")[0] == 0
    names = [[node.name for node in read(path).metagraphs[0].graph.nodes] for path in ("out.pbtxt", "again.pbtxt")]
    assert names == [["X_now", "Y_now"], ["X_then", "Y_then"]]


def test_a_command_that_only_looks(gs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def listen(model: ModelPath, as_json: Json = False) -> None:
        """Print the names of all nodes."""
        print(*(node.name for node in read(model).metagraphs[0].graph.nodes))

    command(monkeypatch, "listen", listen)
    assert "Print the names of all nodes" in gs("--help")[1]
    assert "listen" in test_pages.commands_missing(test_pages.README)
    assert "listen" in test_pages.commands_missing(test_pages.CLI)
    assert gs("listen", "g.pbtxt") == (0, "x y\n")
    Path("recipe").write_text("listen\n")
    assert "is no edit" in gs("apply", "recipe", "g.pbtxt", "-o", "out.pbtxt")[1]


def test_a_shape_function(gs: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def shout(context: InferenceContext) -> list[list[int]]:
        return [[7, 9]]

    (tmp_path / "g.pbtxt").write_text(GRAPH.replace('"Shout"', '"Relu"').replace('"_loud" value { b: true }', TYPE))
    monkeypatch.delitem(shape_functions(), "Relu")  # an op that TensorFlow defines, and nobody infers
    assert json.loads(gs("find", "g.pbtxt", "--op", "Relu", "--json")[1])["values"][0]["shape"] is None
    shape_fn("Relu")(shout)
    assert json.loads(gs("find", "g.pbtxt", "--op", "Relu", "--json")[1])["values"][0]["shape"] == [7, 9]
    assert "y:0" in gs("find", "g.pbtxt", "--shape", "7,9")[1]


def test_a_check(gs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def loud(metagraph: MetaGraph) -> Iterator[Finding]:
        for node in metagraph.graph.nodes:
            if "_loud" in node.attrs:
                yield Finding("error", f"node {node.name!r}", "it is loud", "speak lower")

    monkeypatch.setitem(checks.RULES, TENSORFLOW, (*checks.RULES[TENSORFLOW], loud))
    status, out = gs("check", "g.pbtxt", "--json")
    assert status == 1
    assert "it is loud" in [finding["what"] for finding in json.loads(out)["findings"]]


def test_a_format(gs: Run) -> None:
    """Its own tests are `tests/formats/test_registry.py`; here the pages."""
    with registry.registered(toy.with_everything()):
        Path("m.toy").write_text('{"toy": ""}')
        assert gs("show", "m.toy")[1].startswith("frozen Toy model")
        assert "toy" in test_pages.formats_missing(test_pages.FORMATS)


def test_a_format_that_is_only_named(gs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FOREIGN, "echo", ("an Echo model", "listen to it"))
    monkeypatch.setattr(foreign, "_MAGIC", ((0, b"ECHO", "echo"), *foreign._MAGIC))
    Path("m.echo").write_bytes(b"ECHO...")
    status, said = gs("show", "m.echo")
    assert (status, "an Echo model" in said, "listen to it" in said) == (4, True, True)


def test_a_kind_of_strip(gs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def quieten(work: StripWork) -> None:
        for node in work.metagraph.graph.nodes:
            if "_loud" in node.attrs:
                del node.attrs["_loud"]
                work.note("noise", node, "it is loud", "_loud")

    monkeypatch.setitem(KINDS, "noise", Kind("noise", "what is loud", step=quieten))
    monkeypatch.setitem(KINDS, "hush", Kind("hush", "what is never asked for", When.NAMED))
    said = " ".join(gs("strip", "--help")[1].split())
    assert "internals, noise; with --inference" in said
    assert re.search(r"where --only names it recorded-shapes, [a-z, ]*hush\.", said)
    assert test_pages.kinds_missing(test_pages.CLI) == {"noise", "hush"}
    status, out = gs("strip", "g.pbtxt", "--outputs", "y", "-o", "out.pbtxt", "--json")
    assert (status, json.loads(out)["kinds"]) == (0, {"noise": 1})
    assert '"_loud"' not in Path("out.pbtxt").read_text()
    assert gs("strip", "g.pbtxt", "--outputs", "y", "--keep", "noise", "-o", "kept.pbtxt")[0] == 0
    assert '"_loud"' in Path("kept.pbtxt").read_text()


def test_a_kind_of_strip_by_op(gs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KINDS, "noise", Kind("noise", "what shouts", why="shouts", owns=lambda op: op == "Shout"))
    _, out = gs("strip", "g.pbtxt", "--outputs", "x", "-o", "out.pbtxt", "--json")
    assert [(one["kind"], one["name"], one["why"]) for one in json.loads(out)["removed"]] == [("noise", "y", "shouts")]


def test_a_set_of_ops(tmp_path: Path) -> None:
    """A name that `ops/kinds.py` gains is known wherever the set is asked for; a second spelling of it is found."""
    (tmp_path / "g.pbtxt").write_text(GRAPH.replace("Placeholder", "Ear"))
    code = """
import sys
from graphsurgeon.ops import kinds
if sys.argv[1] == "with":
    kinds.MUST_BE_FED |= {"Ear"}
    kinds.PLACEHOLDERS |= {"Ear"}
from graphsurgeon.cli.app import run
run(["inputs", "g.pbtxt"])
"""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    said = [
        subprocess.run(
            [sys.executable, "-c", code, word],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for word in ("with", "without")
    ]
    assert ["x:0" in text for text in said] == [True, False]
    assert list(test_house.op_sets(ast.parse("EARS = {'Placeholder', 'PlaceholderV2', 'PlaceholderWithDefault'}")))


def test_a_rule_of_replace(gs: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "whisper.rules").write_text('# Lower voices.\nrule whisper "exact": "Shout"(x) => Relu(x) ;\n')
    monkeypatch.setattr(shipped, "__file__", str(tmp_path / "__init__.py"))
    assert "whisper" in gs("replace", "g.pbtxt", "--list-rules")[1]
    assert test_pages.rules_missing(test_pages.PATTERNS) == {"whisper"}
    assert gs("replace", "g.pbtxt", "--rule", "whisper", "-o", "out.pbtxt")[0] == 0
    assert [node.op for node in read("out.pbtxt").metagraphs[0].graph.nodes] == ["Placeholder", "Relu"]


def test_an_op_that_scan_judges(gs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(op_rules(), "Shout", OpRule("Shout", "network", ("0",), (), "tells the neighbours"))
    found = json.loads(gs("scan", "g.pbtxt", "--json")[1])["findings"]
    assert [(one["op"], one["kind"]) for one in found] == [("Shout", "network")]
    assert "tells the neighbours" in found[0]["what"]


def test_a_field_that_mentions_a_node(gs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its entry a field keeps the old name through a rename; with it, it follows."""
    variable = schema.message("tensorflow.VariableDef")(variable_name="y:0", snapshot_name="x:0")
    meta = schema.message("tensorflow.MetaGraphDef")(collection_def={"variables": {}})
    text_format.Parse(GRAPH, meta.graph_def)
    meta.collection_def["variables"].bytes_list.value.append(variable.SerializeToString())
    Path("m.meta").write_bytes(meta.SerializeToString())
    sites = dict(MENTION_SITES["VariableDef"])
    snapshots = []
    for entries in ({key: sites[key] for key in sites if key != "snapshot_name"}, sites):
        monkeypatch.setitem(MENTION_SITES, "VariableDef", entries)
        assert gs("rename", "m.meta", "x=ear", "y=mouth", "-o", "out.meta", "--force")[0] == 0
        collections = meta.FromString(Path("out.meta").read_bytes()).collection_def
        variable = variable.FromString(collections["variables"].bytes_list.value[0])
        assert variable.variable_name == "mouth:0"
        snapshots.append(variable.snapshot_name)
    assert snapshots == ["x:0", "ear:0"]


def test_an_op_of_onnx_that_becomes_tensorflows(gs: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    nodes = [onnx_models.node("Relu", ["x"], ["y"])]
    ends = [onnx_models.value(name, [2, 3]) for name in "xy"]
    onnx_models.save(tmp_path, onnx_models.model(onnx_models.graph(nodes, ends[:1], ends[1:])))
    monkeypatch.delitem(lowering_functions(), ("Relu", 14))
    status, said = gs("convert", "model.onnx", "out.pb")
    assert (status, "Relu" in said) == (4, True)

    @lowers("Relu", 14)
    def relu(b: Builder, node: Source) -> Operand:
        return each(b, "Softplus", node[0])

    assert gs("convert", "model.onnx", "out.pb")[0] == 0
    assert "Softplus" in [node.op for node in read("out.pb").metagraphs[0].graph.nodes]


def test_a_layer_of_caffe_that_becomes_onnxs(gs: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    def shout(net: Net, layer: SourceLayer) -> Value:
        return net.add("Softplus", layer[0])

    layer = 'layer { name: "s" type: "Shout" bottom: "x" top: "y" }'
    text = 'name: "n" input: "x" input_dim: 1 input_dim: 3 input_dim: 2 input_dim: 2 ' + layer
    Path("net.prototxt").write_text(text)
    status, said = gs("convert", "net.prototxt", "out.pb")
    assert (status, "Shout" in said) == (4, True)
    monkeypatch.setitem(TABLE.functions(), "Shout", shout)  # type: ignore[arg-type]
    assert gs("convert", "net.prototxt", "out.pb")[0] == 0
    assert "Softplus" in [node.op for node in read("out.pb").metagraphs[0].graph.nodes]


def test_a_way_out(gs: Run) -> None:
    def answer(request: Request) -> ConversionReport:
        request.target.write_text("ECHO")
        path, output = str(request.path), str(request.target)
        return ConversionReport(path=path, output=output, format="echo", written=True, verified=True)

    record = Converter(
        name="echo",
        title="an Echo model",
        suffixes=frozenset((".echo",)),
        sources=frozenset((TENSORFLOW,)),
        extras=(),
        function=answer,
        settings={},
    )
    with registered(record):
        assert test_pages.ways_missing(test_pages.CLI) == {"echo"}
        status, said = gs("convert", "g.pbtxt", "out.echo")
    assert (status, Path("out.echo").read_text()) == (0, "ECHO"), said
    assert gs("convert", "g.pbtxt", "other.echo")[0] != 0


HELD = {
    "an op of ONNX that becomes TensorFlow's": [test_an_op_of_onnx_that_becomes_tensorflows],
    "a layer of MXNet or Caffe that becomes ONNX's": [test_a_layer_of_caffe_that_becomes_onnxs],
    "a way out, to another framework": [test_a_way_out],
    "an edit": [test_an_edit],
    "a command that only looks": [test_a_command_that_only_looks],
    "a shape function": [test_a_shape_function],
    "a check": [test_a_check],
    "a format": [test_a_format],
    "a format that is only named": [test_a_format_that_is_only_named],
    "a kind of `gs strip`": [test_a_kind_of_strip, test_a_kind_of_strip_by_op],
    "a set of ops": [test_a_set_of_ops],
    "a rule of `gs replace`": [test_a_rule_of_replace],
    "an op that `gs scan` judges": [test_an_op_that_scan_judges],
    "a field that mentions a node": [test_a_field_that_mentions_a_node],
}


def test_every_addition_of_the_page_is_tried() -> None:
    told = [row[0] for row in test_pages.rows(EXTENDING)]
    start = told.index("addition") + 1
    untried = [text for text in told[start:] if not any(text.startswith(name) for name in HELD)]
    assert (untried, [name for name in HELD if not any(text.startswith(name) for text in told)]) == ([], [])
