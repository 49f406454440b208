"""What a node says of itself beside its attributes; gradients, lists, results: what importers refuse is an error."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.checks.check import check
from graphsurgeon.formats import read

DTYPE = 'attr { key: "dtype" value { type: DT_FLOAT } }'
T = 'attr { key: "T" value { type: DT_FLOAT } }'
X = f'node {{ name: "x" op: "Placeholder" {DTYPE} }}'
RULES = (
    "device", "colocation", "input-order", "illegal-name", "missing-function", "repeated-gradient", "list-length",
    "result-type", "no-op-name", "constant",
)  # fmt: skip


def device(text: str) -> str:
    return f'node {{ name: "n" op: "NoOp" device: "{text}" }}'


def colocated(value: str) -> str:
    return f'node {{ name: "n" op: "NoOp" attr {{ key: "_class" value {{ {value} }} }} }}'


def gradients(*names: str) -> str:
    entries = " ".join(f'gradient {{ function_name: "f" gradient_func: "{name}" }}' for name in names)
    functions = " ".join(f'function {{ signature {{ name: "{name}" }} }}' for name in ("f", "g"))
    return f"{X} library {{ {functions} {entries} }}"


def convolution(strides: int) -> str:
    attrs = f'{T} attr {{ key: "padding" value {{ s: "SAME" }} }}'
    steps = f'attr {{ key: "strides" value {{ list {{ {"i: 1 " * strides} }} }} }}'
    return f'{X} node {{ name: "c" op: "Conv2D" input: "x" input: "x" {attrs} {steps} }}'


def constant(shape: str, values: str) -> str:
    tensor = f"tensor {{ dtype: DT_FLOAT tensor_shape {{ {shape} }} {values} }}"
    return f'node {{ name: "c" op: "Const" {DTYPE} attr {{ key: "value" value {{ {tensor} }} }} }}'


REFUSED = {
    **dict.fromkeys(
        map(device, ("not a device", "/cpu:x", "/job:a/b", "/xpu:0", "/replica:x", "/task:1:2", "/cpu:0/gpu:1")),
        "device",
    ),
    **dict.fromkeys(map(colocated, ('s: "loc:@n"', "i: 3", "b: true", "list { i: 108 }", "shape { }")), "colocation"),
    f'{X} node {{ name: "y" op: "Relu" input: "^x" input: "x" {T} }}': "input-order",
    f'{X} node {{ name: "y" op: "" }}': "no-op-name",
    gradients("no_such"): "missing-function",
    gradients("g", "f"): "repeated-gradient",
    convolution(3): "list-length",
    convolution(5): "list-length",
}
TAKEN = [
    *map(device, ("cpu", "/gpu:0", "/device:XPU:0", "/tpu:0", "/job:a", "/cpu:*", "//cpu:0", "/job:a/job:b", "/GPU")),
    *map(colocated, ('s: ""', "list { }", 'list { s: "loc:@n" }')),
    f'{X} node {{ name: "y" op: "Relu" input: "x" input: "^x" {T} }}',
    gradients("g"),
    convolution(4),
    constant("unknown_rank: true", "float_val: 1"),
    constant("unknown_rank: true dim { size: 2 }", "float_val: 1"),
]


def found(folder: Path, text: str) -> list[str]:
    path = folder / "g.pbtxt"
    path.write_text(text)
    findings = check(read(path), shapes=False)
    return [finding.rule for finding in findings if finding.rule in RULES and finding.severity == "error"]


@pytest.mark.parametrize("text", REFUSED)
def test_refused(tmp_path: Path, text: str) -> None:
    assert REFUSED[text] in found(tmp_path, text)


@pytest.mark.parametrize("text", TAKEN)
def test_taken(tmp_path: Path, text: str) -> None:
    assert found(tmp_path, text) == []


@pytest.mark.parametrize(("name", "rule"), [("a b", "illegal-name"), ("$", "illegal-name"), ("_r", ""), ("r/", "")])
@pytest.mark.parametrize("is_called", [True, False])
def test_names_inside_functions_count_where_a_run_comes(tmp_path: Path, name: str, rule: str, is_called: bool) -> None:
    call = 'node { name: "y" op: "f" }' if is_called else ""
    node = f'node_def {{ name: "{name}" op: "NoOp" }}'
    text = f'{X} {call} library {{ function {{ signature {{ name: "f" }} {node} }} }}'
    assert found(tmp_path, text) == ([rule] if rule and is_called else [])


def test_a_result_of_another_type_than_is_declared(tmp_path: Path) -> None:
    signature = 'signature { name: "f" input_arg { name: "a" type: DT_FLOAT } output_arg { name: "o" type: DT_INT32 } }'
    library = f'library {{ function {{ {signature} ret {{ key: "o" value: "a" }} }} }}'
    assert found(tmp_path, f'{X} node {{ name: "y" op: "f" input: "x" }} {library}') == ["result-type"]


def test_what_needs_a_library_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "g.pbtxt"
    path.write_text(f'{X} node {{ name: "y" op: "TFText>WhitespaceTokenize" }}')
    (finding,) = check(read(path))
    assert (finding.severity, finding.what.split(":")[0]) == ("needs", "needs TensorFlow Text")


@pytest.mark.tensorflow
@pytest.mark.parametrize("text", [*REFUSED, *TAKEN])
def test_tensorflow_agrees(text: str) -> None:
    import tensorflow as tf
    from google.protobuf import text_format

    graph = text_format.Parse(text, tf.compat.v1.GraphDef())
    with tf.Graph().as_default():
        if text in REFUSED:
            with pytest.raises((ValueError, TypeError)):
                tf.import_graph_def(graph, name="")
        else:
            tf.import_graph_def(graph, name="")
