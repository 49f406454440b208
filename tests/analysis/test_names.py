"""What is proposed where a name does not exist."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.analysis.names import find_node, find_value, suggestion
from graphsurgeon.errors import UsageError
from graphsurgeon.model import Value

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"


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


def test_keys_of_signatures_are_names_of_tensors() -> None:
    metagraph = read(FIXTURES / "savedmodel" / "linear").metagraphs[0]
    call = metagraph.signatures["serving_default"].outputs["output_0"].mention
    assert call is not None
    assert find_value(metagraph, "output_0") is call.target
    assert find_value(metagraph, "key:output_0") is call.target
    with pytest.raises(UsageError, match="no signature has a key 'output_1'") as error:
        find_value(metagraph, "key:output_1")
    assert "output_0" in error.value.hint
    target = call.target
    assert isinstance(target, Value)
    assert target.producer is not None
    metagraph.graph.rename({target.producer: "x"})
    assert find_value(metagraph, "x") is call.target
    placeholder = metagraph.signatures["serving_default"].inputs["x"].mention
    assert placeholder is not None
    assert find_value(metagraph, "key:x") is placeholder.target


def test_a_key_of_several_signatures_is_the_default_ones_or_nobodys() -> None:
    metagraph = read(FIXTURES / "savedmodel" / "several_signatures").metagraphs[0]
    signatures = metagraph.signatures
    for key in ("decode", "__saved_model_init_op"):
        del signatures[key]
    default = signatures.pop("serving_default")
    with pytest.raises(UsageError, match="different tensors 'code'") as error:  # the first one is nobody's choice
        find_value(metagraph, "key:code")
    assert "StatefulPartitionedCall_1:0 of signature embed or StatefulPartitionedCall_2:0 of signature encode" in (
        error.value.hint
    )
    default.outputs["code"] = signatures["encode"].outputs["code"]
    signatures["serving_default"] = default
    assert str(find_value(metagraph, "key:code")) == "StatefulPartitionedCall_2:0"
