"""What is proposed where a name does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.analysis.names import find_node, suggestion
from graphsurgeon.errors import UsageError


@pytest.mark.parametrize(
    ("nodes", "name", "hint"),
    [
        ({"y": "Softmax", "Softmax_w": "VariableV2"}, "Softmax", "did you mean 'y'?"),
        ({"Softmax_w": "VariableV2", "net/Softmax": "Softmax"}, "Softmax", "did you mean 'net/Softmax'?"),
        ({"dense/w": "VarHandleOp", "dense/w/Read": "ReadVariableOp", "dense/Mul": "Mul"}, "dense", "'dense/Mul'?"),
        ({"dense/w": "VarHandleOp"}, "dense", "did you mean 'dense/w'?"),
    ],
)
def test_nodes_that_compute_are_proposed_before_variables(
    tmp_path: Path, nodes: dict[str, str], name: str, hint: str
) -> None:
    text = "".join(f'node {{ name: "{node}" op: "{op}" }}\n' for node, op in nodes.items())
    (tmp_path / "g.pbtxt").write_text(text)
    metagraph = read(tmp_path / "g.pbtxt").metagraphs[0]
    with pytest.raises(UsageError) as error:
        find_node(metagraph, name)
    assert error.value.hint.endswith(hint)


def test_a_last_part_is_nearer_than_a_shorter_name_around_it() -> None:
    assert suggestion("probs", ["probs2x", "a/very/long/scope/probs"]).startswith(
        "did you mean 'a/very/long/scope/probs'"
    )
