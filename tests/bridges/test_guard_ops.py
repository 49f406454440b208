"""Every op that reaches outside is found before a run, wherever a graph has it run, and is allowed by name alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.bridges.guard import NOTHING, Allowed, require_allowed
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.ops import catalog
from graphsurgeon.scanning import table
from graphsurgeon.scanning.table import ACTS, FILES
from tests.surgery.graphs import node, placeholder

PATH = "file:///etc/secret"
VALUES = {
    "type": "type: DT_FLOAT", "int": "i: 1", "bool": "b: true", "string": f's: "{PATH}"', "shape": "shape { }",
    "float": "f: 1", "func": 'func { name: "same" }', "list(type)": "list { type: DT_FLOAT }",
    "list(shape)": "list { shape { } }", "list(string)": f'list {{ s: "{PATH}" }}', "list(int)": "list { i: 1 }",
    "list(func)": 'list { func { name: "same" } }', "tensor": "tensor { dtype: DT_FLOAT tensor_shape { } }",
}  # fmt: skip
# Of these a run is refused for what they hold, which their own tests build.
BY_CONTENT = {"XlaCallModule"}
RULES = {op: rule for op, rule in table.rules().items() if rule.kind in ACTS and op not in BY_CONTENT}

TYPES = {"Tin": "list { type: DT_FLOAT }", "Tout": "list { type: DT_FLOAT }"}
OF_DATA = {"output_types": "list { type: DT_FLOAT }", "output_shapes": "list { shape { } }"}
F, SAME = 'func { name: "f" }', 'func { name: "same" }'
# What runs the function `f`; `y` is fetched.
RUNS = {
    "call": node("y", "StatefulPartitionedCall", "x", f=F, **TYPES),
    "op": node("y", "f", "x"),
    "if": node("y", "If", "x", "x", then_branch=F, else_branch=SAME, Tcond="type: DT_FLOAT", **TYPES),
    "while": node("y", "While", "x", body=F, cond=SAME, T="list { type: DT_FLOAT }"),
    "case": node("y", "Case", "x", "x", branches='list { func { name: "same" } func { name: "f" } }', **TYPES),
    "data": node("d", "TensorDataset", "x", Toutput_types="list { type: DT_FLOAT }", output_shapes="list { shape { } }")
    + node("m", "MapDataset", "d", f=F, Targuments="list { }", **OF_DATA)
    + node("y", "DatasetToSingleElement", "m", **OF_DATA),
    "xla": node("y", "XlaCallModule", "x", module='s: "ML"', version="i: 9", Sout="list { shape { } }",
                function_list='list { func { name: "f" } }', **TYPES),
    "gradient": node("y", "SymbolicGradient", "x", "x", f=F, **TYPES),
    "batch": node("y", "BatchFunction", "x", f=F, Tcaptured="list { }", **TYPES),
    "each": node("y", "MapDefun", "x", f=F, **TYPES),
    "own op": node("y", "MyOwnOp", "x", f=F),
}  # fmt: skip


def bad(op: str, source: str) -> str:
    """Write a node of an op: all its inputs are a path, and so are its texts."""
    opdef = catalog.get(op)
    attrs = {attr.name: VALUES[attr.type] for attr in opdef.attrs.values() if attr.type in VALUES} if opdef else {}
    if "debug_ops_spec" in attrs:  # an op, an address, and whether it is open
        attrs["debug_ops_spec"] = f'list {{ s: "DebugIdentity;{PATH};0" }}'
    return node("bad", op, *[source for _ in (opdef.inputs if opdef else ())], **attrs)


def path_node() -> str:
    value = f'tensor {{ dtype: DT_STRING tensor_shape {{ }} string_val: "{PATH}" }}'
    return node("p", "Const", dtype="type: DT_STRING", value=value)


def graph(op: str, way: str) -> str:
    same = (
        'function { signature { name: "same" input_arg { name: "a" type: DT_FLOAT } output_arg { name: "o" type:'
        ' DT_FLOAT } } ret { key: "o" value: "a" } }'
    )
    if way == "main":
        return path_node() + bad(op, "p") + node("y", "NoOp", "^bad") + f"library {{ {same} }}"
    body = "".join(f"node_def{text[4:]}" for text in (path_node(), bad(op, "p:output:0")))
    function = same.replace('"same"', '"f"').replace("} ret", f'is_stateful: true control_output: "c" }} {body} ret', 1)
    function = function[:-1] + ' control_ret { key: "c" value: "bad" } }'
    return placeholder("x") + RUNS[way] + f"library {{ {same} {function} }}"


@pytest.mark.parametrize("way", ["main", *RUNS])
def test_what_reaches_out_is_refused_and_allowed_by_name(way: str, tmp_path: Path) -> None:
    wrong = []
    first = {rule.kind: op for op, rule in reversed(RULES.items())}
    tried = RULES if way in ("main", "call") else {op: RULES[op] for op in first.values()}
    for op, rule in tried.items():
        (tmp_path / "g.pbtxt").write_text(graph(op, way) + "versions { producer: 1500 }")
        model = read(tmp_path / "g.pbtxt")
        (metagraph,) = model.metagraphs
        outputs = [model.graph["y"].output()]

        def is_refused(allowed: Allowed) -> bool:
            try:
                require_allowed(model, metagraph, outputs, allowed)  # noqa: B023
            except UnsupportedError as error:
                return f"{op} " in str(error)  # noqa: B023
            return False

        is_file = rule.kind in FILES or rule.kind == "debug"  # whose address is that of a file here
        expected = [True, True, False, not is_file]
        asked = [NOTHING, Allowed(("Other", f"{op}:/another")), Allowed((op,)), Allowed(files=True)]
        if [is_refused(allowed) for allowed in asked] != expected:
            wrong.append(op)
    assert wrong == []
