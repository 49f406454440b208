"""What `gs freeze` says of writes that it leaves out: whether the next call would have seen them."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.cli.conftest import GS
from tests.surgery.graphs import FLOAT, node, placeholder, read_variable, variable

KEPT = "stay as they are stored, where each call changed them for the next one"


def test_state_between_calls_is_told(gs: GS, tmp_path: Path) -> None:
    nodes = [
        variable("v"),
        placeholder("x", dims="2"),
        read_variable("r", "v"),
        node("y", "AddV2", "r", "x", **FLOAT),
        node("write", "AssignVariableOp", "v", "y", dtype="type: DT_FLOAT"),
        node("out", "Identity", "y", "^write", **FLOAT),
        variable("count"),
        node("step", "AssignAddVariableOp", "count", "x", dtype="type: DT_FLOAT"),
        node("other", "Relu", "x", "^step", **FLOAT),
    ]
    (tmp_path / "g.pbtxt").write_text("".join(nodes) + "versions { producer: 1500 }")
    np.savez(tmp_path / "w.npz", v=np.ones(2, "f4"), count=np.zeros(2, "f4"))
    assert gs("convert", tmp_path / "w.npz", tmp_path / "w.ckpt").status == 0
    common = ("freeze", tmp_path / "g.pbtxt", "--checkpoint", tmp_path / "w.ckpt", "--force", "-o", tmp_path / "o.pb")
    told = lines(gs(*common, "--outputs", "out").out)
    first = told.index("writes to variables left out, which no output of the same call sees")
    assert told[first + 1 : first + 4] == ["write (AssignVariableOp)", KEPT, "'v'"]
    told = lines(gs(*common, "--outputs", "other").out)
    first = told.index("writes to variables left out, which no output sees")
    assert told[first + 1] == "step (AssignAddVariableOp)"
    assert KEPT not in told


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines()]
