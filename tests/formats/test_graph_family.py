"""GraphDef, functions and MetaGraphs as graphs: both input syntaxes, and what a rename touches."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read, surgery, write
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph import metagraph as lowering
from graphsurgeon.formats.graph.mention_sites import MENTION_SITES
from graphsurgeon.model import FunctionRef, Model, Tensor
from graphsurgeon.model.mention import Mention

GRAPH = """
node { name: "x" op: "Placeholder" attr { key: "dtype" value { type: DT_FLOAT } } }
node { name: "s" op: "Split" input: "axis" input: "x" attr { key: "num_split" value { i: 2 } }
       attr { key: "T" value { type: DT_FLOAT } } }
node { name: "axis" op: "Const" attr { key: "dtype" value { type: DT_INT32 } }
       attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape {} int_val: 0 } } } }
node { name: "y" op: "AddV2" input: "s" input: "s:1" input: "^x" input: "^ghost"
       attr { key: "T" value { type: DT_FLOAT } }
       attr { key: "_class" value { list { s: "loc:@s" } } } }
node { name: "call" op: "PartitionedCall" input: "y:0"
       attr { key: "f" value { func { name: "f" } } }
       attr { key: "Tin" value { list { type: DT_FLOAT } } }
       attr { key: "Tout" value { list { type: DT_FLOAT } } } }
node { name: "native" op: "f" input: "call" }
node { name: "lost" op: "Relu" input: "nowhere:3" attr { key: "T" value { type: DT_FLOAT } } }
library { function {
  signature { name: "f" input_arg { name: "a" type: DT_FLOAT } output_arg { name: "o" type: DT_FLOAT } }
  node_def { name: "axis" op: "Const" attr { key: "dtype" value { type: DT_INT32 } }
             attr { key: "value" value { tensor { dtype: DT_INT32 tensor_shape {} int_val: 0 } } } }
  node_def { name: "parts" op: "Split" input: "axis:output:0" input: "a" attr { key: "num_split" value { i: 2 } }
             attr { key: "T" value { type: DT_FLOAT } } }
  node_def { name: "sum" op: "AddN" input: "parts:output" attr { key: "N" value { i: 2 } }
             attr { key: "T" value { type: DT_FLOAT } } }
  node_def { name: "unknown" op: "Mystery" input: "parts:output:1" }
  node_def { name: "last" op: "Relu" input: "unknown:stuff:2" input: "^a" attr { key: "T" value { type: DT_FLOAT } } }
  ret { key: "o" value: "sum:sum:0" }
} }
versions { producer: 1000 }
"""


@pytest.fixture
def model(tmp_path: Path) -> Model:
    (tmp_path / "g.pbtxt").write_text(GRAPH)
    return read(tmp_path / "g.pbtxt")


def lowered(model: Model) -> object:
    return schema.message("tensorflow.GraphDef").FromString(lowering.serialize_graph_def(model.metagraphs[0]))


def inputs(node_defs: object) -> dict[str, list[str]]:
    return {node.name: list(node.input) for node in node_defs}  # type: ignore[attr-defined]


def test_lifting_and_lowering_changes_nothing(model: Model) -> None:
    for graph in model.graphs:
        assert len(graph.nodes) in (5, 7)
    assert lowered(model) == model.raw.message


def test_graph_syntax(model: Model) -> None:
    graph = model.graphs[0]
    y, split = graph.node("y"), graph.node("s")
    assert y is not None
    assert split is not None
    assert y.inputs == (split.output(0), split.output(1))
    assert [node.name for node in y.controls] == ["x"]
    assert graph.dangling_controls == [(y, "^ghost")]
    lost = graph.node("lost")
    assert lost is not None
    assert lost.inputs[0].is_dangling
    assert [str(value) for value in split.outputs] == ["s:0", "s:1"]


def test_function_syntax(model: Model) -> None:
    function = model.metagraphs[0].functions["f"]
    parts, total, last = (function.node(name) for name in ("parts", "sum", "last"))
    assert parts is not None
    assert total is not None
    assert last is not None
    assert parts.inputs[1] is function.inputs[0]
    assert total.inputs == (parts.output(0), parts.output(1))  # `parts:output` stands for the whole list
    assert last.inputs[0].port == "stuff:2"
    assert function.outputs[0].value is total.output(0)


def test_calls_know_their_function(model: Model) -> None:
    graph, function = model.graphs[0], model.metagraphs[0].functions["f"]
    call, native = graph.node("call"), graph.node("native")
    assert call is not None
    assert native is not None
    assert call.functions == [function]
    assert native.callee is function
    assert [dtype.name for dtype in native.output_dtypes() or ()] == ["float32"]


def test_renamed_nodes_are_spelled_anew_everywhere(model: Model) -> None:
    graph, function = model.graphs
    graph.rename({node: f"n/{node.name}" for node in graph.nodes})
    function.rename({node: f"m/{node.name}" for node in function.nodes})
    model.metagraphs[0].rename_functions({function: "g"})
    message = lowered(model)
    assert inputs(message.node) == {  # type: ignore[attr-defined]
        "n/x": [],
        "n/s": ["n/axis", "n/x"],
        "n/axis": [],
        "n/y": ["n/s", "n/s:1", "^n/x", "^ghost"],
        "n/call": ["n/y:0"],
        "n/native": ["n/call"],
        "n/lost": ["nowhere:3"],
    }
    assert message.node[3].attr["_class"].list.s == [b"loc:@n/s"]  # type: ignore[attr-defined]
    assert message.node[4].attr["f"].func.name == "g"  # type: ignore[attr-defined]
    assert message.node[5].op == "g"  # type: ignore[attr-defined]
    [body] = message.library.function  # type: ignore[attr-defined]
    assert body.signature.name == "g"
    assert inputs(body.node_def) == {
        "m/axis": [],
        "m/parts": ["m/axis:output:0", "a"],
        "m/sum": ["m/parts:output"],
        "m/unknown": ["m/parts:output:1"],
        "m/last": ["m/unknown:stuff:2", "^a"],
    }
    assert dict(body.ret) == {"o": "m/sum:sum:0"}


def test_rewired_inputs_keep_the_spelling_of_the_others(model: Model) -> None:
    graph = model.graphs[0]
    y, call = graph.node("y"), graph.node("call")
    assert y is not None
    assert call is not None
    y.set_input(0, call.output())
    assert inputs(lowered(model).node)["y"] == ["call", "s:1", "^x", "^ghost"]  # type: ignore[attr-defined]


def test_attributes_write_through(model: Model) -> None:
    graph = model.graphs[0]
    split, call = graph.node("s"), graph.node("call")
    assert split is not None
    assert call is not None
    assert split.attrs["num_split"] == 2
    split.attrs["num_split"] = 3
    del split.attrs["T"]
    target = call.attrs["f"]
    assert isinstance(target, FunctionRef)
    call.attrs["weights"] = Tensor.of(split.graph.nodes[0].attrs["dtype"], [2], [1.5, -2.0])  # type: ignore[arg-type]
    message = lowered(model)
    attrs = message.node[1].attr  # type: ignore[attr-defined]
    assert attrs["num_split"].i == 3
    assert "T" not in attrs
    assert message.node[4].attr["weights"].tensor.tensor_content == b"\0\0\xc0\x3f\0\0\0\xc0"  # type: ignore[attr-defined]
    assert model.raw.message.node[1].attr["num_split"].i == 2  # what was read is never altered


def test_arguments_and_results_change_together(model: Model) -> None:
    function = model.metagraphs[0].functions["f"]
    parts = function.node("parts")
    assert parts is not None
    function.inputs[0].name = "data"
    function.outputs[0].value = parts.output(1)
    [body] = lowered(model).library.function  # type: ignore[attr-defined]
    assert [arg.name for arg in body.signature.input_arg] == ["data"]
    assert inputs(body.node_def)["parts"] == ["axis:output:0", "data"]
    assert inputs(body.node_def)["last"] == ["unknown:stuff:2", "^data"]
    assert dict(body.ret) == {"o": "parts:output:1"}


def test_a_changed_graph_reads_back(model: Model, tmp_path: Path) -> None:
    graph = model.graphs[0]
    graph.add_node("Identity", "out", [graph.nodes[0].output()], {"T": graph.nodes[0].attrs["dtype"]})
    write(model, tmp_path / "out.pb")
    again = read(tmp_path / "out.pb")
    node = again.graphs[0].node("out")
    assert node is not None
    assert str(node.inputs[0]) == "x:0"


def test_a_mention_of_an_argument_follows_it(model: Model) -> None:
    function = model.metagraphs[0].functions["f"]
    captured = Mention("tensor", "a:0", function, "tensor captured from f")
    assert captured.target is function.inputs[0]
    twin = function.clone("g").inputs[0]
    assert Mention.of(twin, "tensor captured from g").text == "a:0"
    function.inputs[0].name = "data"
    assert captured.text == "data:0"
    assert Mention("node", "a", function, "").target is None
    function.inputs = []
    assert Mention("tensor", "a:0", function, "").target is None


def test_what_a_call_waits_for_has_an_order() -> None:
    """Maps of a message come in another order in every process; what is made of one must not."""
    graph_def = schema.message("tensorflow.GraphDef")()
    function = graph_def.library.function.add()
    function.signature.name = "f"
    for number in range(20):
        function.node_def.add(name=f"node_{number:02}", op="NoOp")
        function.control_ret[f"end_{number:02}"] = f"node_{number:02}"
    [lifted] = lowering.lift_graph_def(graph_def, []).functions.values()
    assert list(lifted.control_outputs) == [f"end_{number:02}" for number in range(20)]


def test_an_alias_follows_its_function(tmp_path: Path) -> None:
    from google.protobuf import text_format

    meta = schema.message("tensorflow.MetaGraphDef")()
    text_format.Parse(GRAPH, meta.graph_def)
    meta.meta_info_def.tags.append("serve")
    meta.meta_info_def.function_aliases.update({"f": "serve", "gone": "train"})
    (tmp_path / "a.meta").write_bytes(meta.SerializeToString())
    model = read(tmp_path / "a.meta")
    metagraph = model.metagraphs[0]
    metagraph.rename_functions({metagraph.functions["f"]: "g"})
    written = meta.FromString(lowering.serialize_metagraph(metagraph))
    assert dict(written.meta_info_def.function_aliases) == {"g": "serve", "gone": "train"}


def test_a_resource_keeps_its_name_when_its_node_gets_another(tmp_path: Path) -> None:
    """An empty `shared_name` stands for the name of the node, but for that of a `VarHandleOp`."""
    handle = 'node {{ name: "{0}" op: "VariableV2" attr {{ key: "dtype" value {{ type: DT_FLOAT }} }}{1} }}'
    shared = ' attr { key: "shared_name" value { s: "own" } }'
    (tmp_path / "v.pbtxt").write_text(handle.format("a", "") + handle.format("b", shared))
    model = read(tmp_path / "v.pbtxt")
    surgery.rename(model, {"a": "x", "b": "y"})
    nodes = {node.name: node.attrs["shared_name"] for node in model.metagraphs[0].graph.nodes}
    assert nodes == {"x": b"a", "y": b"own"}


# Texts and messages that name no node: a file, a context, types, how a variable is cut.
NO_MENTIONS = {
    "TensorInfo": {"tensor_shape"},
    "CompositeTensor": {"type_spec"},
    "AssetFileDef": {"filename"},
    "VariableDef": {"save_slice_info_def"},
    "CondContextDef": {"context_name"},
    "WhileContextDef": {"context_name"},
}


@pytest.mark.parametrize("name", MENTION_SITES)
def test_every_text_of_a_message_is_a_mention_or_known_to_be_none(name: str) -> None:
    outer = "TensorInfo." if name in ("CooSparse", "CompositeTensor") else ""
    fields = schema.message(f"tensorflow.{outer}{name}").DESCRIPTOR.fields
    told = {field.name for field in fields if field.type in (field.TYPE_STRING, field.TYPE_MESSAGE)}
    assert told - NO_MENTIONS.get(name, set()) == set(MENTION_SITES[name])
