"""What people type at first: one line says what to do, and nothing is written."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from tests.cli.conftest import GS

L = "graphdef/linear.pb"
# What is typed -> what the line says.
MISTAKES = {
    "shwo graphdef/linear.pb": "did you mean 'show'?",
    "help freeze": "gs COMMAND --help",
    f"show {L[:-3]}": "did you mean graphdef/linear.pb or graphdef/linear.pbtxt?",
    "show graphdef/linear.PB": "did you mean graphdef/linear.pb",
    "show graphdef": "the folder holds 12 models; give one of",
    f"freeze {L} --output Softmax -o OUT/a.pb": "--outputs A,B names tensors",
    f"freeze {L} --output_node_names Softmax -o OUT/a.pb": "it is --outputs here",
    f"freeze {L} -o OUT/a.pb Softmax": "--outputs Softmax, if that is meant",
    f"freeze Softmax {L} -o OUT/a.pb": f"MODEL comes first: gs freeze {L}",
    f"freeze {L} --outputs Softmax OUT/a.pb": "-o OUT/a.pb is where the result goes",
    f"freeze {L} --outputs ^Softmax -o OUT/a.pb": "did you mean 'Softmax'?",
    f"freeze {L} --outputs 'Soft*' -o OUT/a.pb": "did you mean 'Softmax'?",
    f"freeze {L} --outputs softmax -o OUT/a.pb": "did you mean 'Softmax'?",
    f"freeze {L} --outputs Softmax": "give -o OUT, or --in-place",
    f"freeze {L} --outputs Softmax -o": "Option '-o' requires an argument",
    f"freeze {L} --outputs Softmax -o {L}": "--in-place to replace the model",
    f"freeze {L} --outputs Softmax --in-place -o OUT/a.pb": "give -o OUT, or --in-place",
    f"freeze {L} --outputs Softmax:3 -o OUT/a.pb": "has 1 output, so there is no 'Softmax:3'",
    f"freeze {L} --outputs NoOp -o OUT/a.pb": "has no outputs",
    "freeze savedmodel/linear --signature_def serving_default -o OUT/a.pb": "it is --signature here",
    "freeze savedmodel/v1_tag_sets --tag serve -o OUT/a.pb": "it is --tags here",
    "freeze savedmodel/linear/variables -o OUT/a.pb": "a checkpoint holds variables and no graph",
    "freeze savedmodel/linear -o OUT/a.txt": "use OUT/a.txt/ for a folder of that name, or --format saved_model",
    f"rename {L} Softmax probs -o OUT/a.pb": "such as Softmax=NEW",
    f"rename Softmax=probs {L} -o OUT/a.pb": f"MODEL comes first: gs rename {L} Softmax=probs",
    f"rename {L} Softmax=probs:0 -o OUT/a.pb": "no legal name of a node",
    f"rename {L} Softmax=add -o OUT/a.pb": "'add' would be there twice",
    f"rename {L} --regex 's/Soft/Hard' -o OUT/a.pb": "s|PATTERN|REPLACEMENT|",
    f"rename {L} --map {L} -o OUT/a.pb": "no JSON: byte 47 is no text",
    f"rename {L} --from Softmax -o OUT/a.pb": "gs rename MODEL OLD=NEW",
    f"set-input {L} --shape x=1x4 -o OUT/a.pb": "write a shape as 1,224,224,3",
    f"set-input {L} --shape x:1,4 -o OUT/a.pb": "such as x=1,4",
    f"set-input {L} --shape 1,4 -o OUT/a.pb": "such as NAME=1,4",
    f"set-input {L} --shape x 1,4 -o OUT/a.pb": "1,4 is too much: set-input takes MODEL",
    f"set-input {L} --input-shapes x=1,4 -o OUT/a.pb": "it is --shape here",
    f"set-input {L} x=1,4 -o OUT/a.pb": "--shape x=1,4, if that is meant",
    f"set-input {L} --dtype x=flaot32 -o OUT/a.pb": "did you mean 'float32'",
    f"set-input {L} --set x=abc -o OUT/a.pb": "'x' is float32, which cannot hold 'abc'",
    f"extract {L} --input x --outputs Softmax -o OUT/a.pb": "it is --inputs here",
    f"extract {L} --from x --to Softmax -o OUT/a.pb": "it is --inputs here",
    f"extract {L} --inputs Softmax --outputs x -o OUT/a.pb": "leave it out of --inputs",
    f"add-output {L} --outputs Softmax=p -o OUT/a.pb": "gs add-output MODEL TENSOR=NAME",
    f"add-output {L} -o OUT/a.pb": "give TENSOR=NAME",
    f"add-signature {L} --outputs Softmax -o OUT/a": "--output KEY=TENSOR, once for each",
    f"convert {L}": "gs convert MODEL OUT",
    f"convert {L} OUT/a.pbtxt OUT/b.pbtxt": "convert takes MODEL OUT",
    f"convert {L} {L}": "--in-place to replace the model",
    f"convert {L} --to pbtxt": "the suffix of OUT says what is written",
    f"strip {L} --kinds devices -o OUT/a.pb": "it is --only here",
    f"strip {L} --except devices -o OUT/a.pb": "it is --keep here",
    f"strip {L} --only device -o OUT/a.pb": "did you mean 'devices'?",
    f"find {L} Softmax": "--name Softmax, if that is meant",
    f"find {L} --ops Softmax": "it is --op here",
    f"find {L} --shape 1x3": "'1x3' is no dimension",
    f"find {L} --type float32": "it is --dtype here",
    f"diff {L}": "Missing argument 'B'",
    f"render {L} OUT/a.svg": "-o OUT/a.svg is where the result goes",
    f"render {L} -o OUT/a.gif": "end it in .svg",
    f"apply {L} steps.txt -o OUT/a.pb": "the recipe comes first",
    f"set-weights {L} MatMul/ReadVariableOp/resource=w.npy -o OUT/a.pb": "@w.npy is what a file holds",
    f"set-weights {L} MatMul/ReadVariableOp/resource -o OUT/a.pb": "is not of the form NAME=VALUE",
    f"optimize {L} --passes fold -o OUT/a.pb": "it is --only here",
    f"optimize {L} --only foldd -o OUT/a.pb": "did you mean 'fold'?",
    f"strip {L} --overwrite -o OUT/a.pb": "it is --force here",
    "remove-signature savedmodel/linear nosuch -o OUT/a": "there is --signature serving_default",
    "average checkpoint/name_based graphdef/linear.pb -o OUT/a.ckpt": "it is a GraphDef, no checkpoint",
}  # fmt: skip


@pytest.mark.parametrize("typed", MISTAKES)
def test_one_line_says_what_to_do(typed: str, gs: GS, tmp_path: Path) -> None:
    result = gs(*(word.replace("OUT", str(tmp_path)) for word in shlex.split(typed)))
    assert result.status in (2, 3, 4)
    assert result.err.count("\n") == 1
    assert MISTAKES[typed].replace("OUT/", f"{tmp_path}/") in result.err
    assert list(tmp_path.iterdir()) == []
