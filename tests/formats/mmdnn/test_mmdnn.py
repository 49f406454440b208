"""MMdnn's graphs and weights; the weights against numpy, which unpickles them, and pickles that want to do harm."""

from __future__ import annotations

import io
import json
import os
import pickle  # noqa: TID251  # makes the files
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats import read as read_any
from graphsurgeon.formats.mmdnn.file import read
from graphsurgeon.model import Shape
from tests.formats.damage import damaged, survives

WEIGHTS: dict[str, Any] = {
    "conv": {"weights": np.random.default_rng(0).random((3, 3, 2, 4), "f4"), "bias": np.arange(4, dtype=">f8")},
    "fc": {"weights": np.asfortranarray(np.arange(6, dtype="i4").reshape(2, 3)), "scale": np.float32(2.5)},
    "many": [np.ones(2, "f2"), np.zeros((0, 3))],
}


def npy(path: Path, value: Any, protocol: int = 3) -> Path:
    """Write a `.npy` file as numpy does, in any protocol of pickles."""
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "|O", "fortran_order": False, "shape": ()})
    holder = np.empty((), object)
    holder[()] = value
    path.write_bytes(header.getvalue() + pickle.dumps(holder, protocol))
    return path


def flat(prefix: str, value: Any) -> dict[str, np.ndarray]:
    if isinstance(value, dict | list):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        return {key: array for name, inner in pairs for key, array in flat(f"{prefix}/{name}", inner).items()}
    return {prefix.removeprefix("/"): np.asarray(value)}


@pytest.mark.parametrize("protocol", range(5))  # 5 was there after MMdnn, and numpy's save does not use it
def test_weights_are_what_numpy_reads(tmp_path: Path, protocol: int) -> None:
    path = npy(tmp_path / "w.npy", OrderedDict(WEIGHTS), protocol)
    theirs = flat("", np.load(path, allow_pickle=True).item())
    checkpoint = read(path).checkpoint
    assert checkpoint is not None
    assert set(checkpoint.variables) == set(theirs)
    for key, value in theirs.items():
        ours = checkpoint.variables[key].tensor
        assert ours.shape.to_json() == list(value.shape)
        assert np.array_equal(ours.numpy(), value), key


class Harm:
    def __init__(self, call: Any, *arguments: Any) -> None:
        self._reduced = (call, arguments)

    def __reduce__(self) -> Any:
        return self._reduced


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize(
    "harm",
    [
        Harm(os.system, "touch harmed"),
        Harm(eval, "open('harmed', 'w')"),
        Harm(open, "harmed", "w"),
        Harm(np.save, "harmed", 1),
    ],
)
def test_nothing_is_called(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: int, harm: Any) -> None:
    monkeypatch.chdir(tmp_path)
    path = npy(tmp_path / "w.npy", {"a": harm}, protocol)
    with pytest.raises(UnsupportedError, match="nothing of it was run"):
        read(path)
    assert [item.name for item in tmp_path.iterdir()] == ["w.npy"]


@pytest.mark.parametrize(
    "program",
    [
        b"cnumpy\nload\n.",
        b"cnumpy.core.multiarray\n_reconstruct\n(tR}b.",
        b"}" + b"(" * 50 + b"u.",
        b"X\xff\xff\xff\xff.",
        b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"l.",
        b"I12x\n.",
        b"h\x05.",
        b"]q\0h\0a.",
        b"]q\0(" + b"h\0" * 1000 + b"e.",
        b"N",
    ],
)
def test_programs_that_make_no_array(tmp_path: Path, program: bytes) -> None:
    path = npy(tmp_path / "w.npy", {})
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b"\n") + 1] + program)
    try:
        found = read(path)
    except (FormatError, UnsupportedError):
        return
    assert found.checkpoint is not None
    assert not found.checkpoint.variables


def graph() -> dict[str, Any]:
    shape = {"dim": [{"size": "-1"}, {"size": "8"}]}
    outputs = {"list": {"shape": [shape, shape]}}
    return {
        "node": [
            {"name": "sum", "op": "Add", "input": ["conv", "conv:1"]},
            {"name": "conv", "op": "Conv", "input": ["x"], "attr": {
                "_output_shapes": outputs, "kernel_shape": {"list": {"i": ["3", "3"]}}, "use_bias": {"b": True},
                "auto_pad": {"s": "U0FNRQ=="}, "epsilon": {"f": 0.5}}},
            {"name": "x", "op": "DataInput", "attr": {"shape": {"shape": shape}, "_output_shapes": {
                "list": {"shape": [shape]}}}},
        ]
    }  # fmt: skip


def test_a_graph_with_the_weights_beside_it(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(json.dumps(graph()))
    npy(tmp_path / "net.npy", WEIGHTS)
    model = read(tmp_path / "net.json")
    assert [(n.name, n.op, [str(v) for v in n.inputs]) for n in model.graph.nodes] == [
        ("x", "DataInput", []),
        ("conv", "Conv", ["x", "conv/weights", "conv/bias"]),
        ("sum", "Add", ["conv", "conv:1"]),
    ]
    assert [(str(v), v.shape) for v in model.graph.inputs] == [("x", Shape([None, 8]))]
    assert dict(model.graph.nodes[1].attrs) == {
        "kernel_shape": [3, 3], "use_bias": True, "auto_pad": b"SAME", "epsilon": 0.5,
    }  # fmt: skip


def test_a_long_graph_is_recognised(tmp_path: Path) -> None:
    nodes = [{"name": f"n{i}", "op": "Relu", "input": [f"n{i - 1}" if i else "x"], "attr": {}} for i in range(6000)]
    (tmp_path / "net.json").write_text(json.dumps({"node": [*nodes, *graph()["node"][2:]]}))
    assert (tmp_path / "net.json").stat().st_size > 256 << 10
    assert len(read_any(tmp_path / "net.json").graph.nodes) == 6001


def test_weights_that_cannot_be_read_leave_the_graph(tmp_path: Path) -> None:
    (tmp_path / "net.json").write_text(json.dumps(graph()))
    npy(tmp_path / "net.npy", {"conv": Harm(os.system, "true")})
    model = read(tmp_path / "net.json")
    assert len(model.graph.nodes) == 3
    assert "cannot be read" in model.notes[0]


def test_damaged_files_end_in_an_error_of_ours(tmp_path: Path) -> None:
    path = npy(tmp_path / "w.npy", {"a": {"weights": np.ones((2, 2), "f4")}})
    header, _, program = path.read_bytes().partition(b"\n")
    for head, data in ((header + b"\n", program), (b"", json.dumps(graph()).encode())):
        answers, errors = survives(read, tmp_path / "x", (head + copy for copy in damaged(data, 250)))
        assert answers > 5
        assert errors > 5
