"""Rules that look at one node of each kind find what they find at every node; those of an edit look at readers too."""

from __future__ import annotations

from pathlib import Path

from graphsurgeon import read
from graphsurgeon.checks.check import KIND_RULES, NODE_RULES, check
from graphsurgeon.checks.places import every_node
from graphsurgeon.formats.graph.alike import one_of_a_kind, stated
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.model import Model

FLOAT = 'attr { key: "T" value { type: DT_FLOAT } }'
BROKEN = 'attr { key: "T" value { i: 3 } }'


def _node(name: str, op: str, *inputs: str, rest: str = "") -> str:
    reads = " ".join(f'input: "{one}"' for one in inputs)
    return f'node {{ name: "{name}" op: "{op}" {reads} {rest} }}\n'


def _read(tmp_path: Path, text: str) -> Model:
    (tmp_path / "g.pbtxt").write_text(text)
    return read(tmp_path / "g.pbtxt")


X = _node("x", "Placeholder", rest='attr { key: "dtype" value { type: DT_FLOAT } }')


def test_one_node_of_each_kind_is_looked_at(tmp_path: Path) -> None:
    placed = 'device: "/cpu:0"'
    colocated = 'attr { key: "_class" value { list { s: "loc:@x" } } }'
    text = X + "".join(_node(f"a{number}", "Relu", "x", rest=FLOAT) for number in range(3))
    text += _node("b", "Relu", "x", rest=FLOAT + placed) + _node("c", "Relu6", "x", rest=FLOAT)
    text += _node("d", "Relu", rest=FLOAT) + _node("e", "Relu", "x", rest=BROKEN)
    text += "".join(_node(f"f{number}", "Relu", "x", rest=FLOAT + colocated) for number in range(2))
    graph = _read(tmp_path, text).metagraphs[0].graph
    assert [node.name for node in one_of_a_kind(graph.nodes)] == ["x", "a0", "b", "c", "d", "e", "f0", "f1"]
    for name in ("f0", "f1"):
        del graph.node(name).attrs["_class"]  # type: ignore[union-attr]  # now they are as a0
    graph.node("a1").attrs["T"] = DType.named("int32")  # type: ignore[union-attr]
    graph.node("a2").op = "Elu"  # type: ignore[union-attr]
    assert [node.name for node in one_of_a_kind(graph.nodes)] == ["x", "a0", "a1", "a2", "b", "c", "d", "e"]


def test_a_fault_of_many_alike_is_told_of_each(tmp_path: Path) -> None:
    text = X + "".join(_node(f"n{number}", "Relu", "x", rest=BROKEN if number % 2 else FLOAT) for number in range(8))
    model = _read(tmp_path, text)
    found = [finding.where for finding in check(model, shapes=False) if finding.rule == "attribute-kind"]
    assert found == ["node n1", "node n3", "node n5", "node n7"]


def test_every_rule_of_kinds_is_a_rule_of_nodes_and_finds_the_same_at_one_of_each_kind(tmp_path: Path) -> None:
    assert set(NODE_RULES) > KIND_RULES
    faults = [
        'device: "/device:CPU:x"',
        'attr { key: "T" value { type: DT_INVALID } }',
        'attr { key: "_class" value { i: 1 } }',
        'attr { key: "_output_shapes" value { list { } } }',
        'attr { key: "f" value { func { } } }',
    ]
    text = X + "".join(_node(f"n{number}", "Relu", "x", rest=fault + FLOAT) for number, fault in enumerate(faults * 2))
    metagraph = _read(tmp_path, text).metagraphs[0]
    for rule in KIND_RULES:
        found = {finding.what for finding in rule(metagraph, every_node)}
        assert {finding.what for finding in rule(metagraph, lambda graph: one_of_a_kind(graph.nodes))} == found


def test_what_reads_a_changed_node_is_looked_at_after_an_edit(tmp_path: Path) -> None:
    text = (
        X + _node("a", "Relu", "x", rest=FLOAT) + _node("b", "Relu", "a", rest=FLOAT) + _node("c", "Relu", rest=FLOAT)
    )
    model = _read(tmp_path, text)
    node = model.graph.node("x")
    assert node is not None
    assert [finding.where for finding in check(model, shapes=False) if finding.rule == "input-count"] == ["node c"]
    assert check(model, shapes=False, only_changed=True) == []
    node.attrs["dtype"] = DType.named("int32")
    found = check(model, shapes=False, only_changed=True)
    assert [(finding.where, finding.rule) for finding in found] == [("node a", "input-type")]


def test_what_nodes_state_is_told_in_bytes_only_where_bytes_tell_it(tmp_path: Path) -> None:
    calls = 'attr { key: "f" value { func { name: "g" } } }'
    names = 'attr { key: "_class" value { list { s: "loc:@x" } } }'
    text = X + "".join(_node(name, "Relu", "x", rest=FLOAT) for name in "abc")
    text += _node("d", "Relu", "x", rest=FLOAT + calls) + _node("e", "Relu", "x", rest=FLOAT + names)
    graph = _read(tmp_path, text).metagraphs[0].graph
    nodes = {node.name: node for node in graph.nodes}
    nodes["c"].attrs["T"] = DType.named("int32")
    assert stated(nodes["a"]) == stated(nodes["b"]) != stated(nodes["c"])
    nodes["c"].attrs["T"] = DType.named("float32")
    assert stated(nodes["a"]) == stated(nodes["c"])
    new = graph.add_node("Relu", "new", [nodes["a"]])
    assert [stated(node) for node in (nodes["d"], nodes["e"], new)] == [None, None, None]
