"""How reports become text and JSON."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import NamedTuple

import pytest

from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.cli import output
from graphsurgeon.errors import with_article
from graphsurgeon.model.dtype import FLOAT32, STRING
from graphsurgeon.model.quantization import Quantization
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("conv1/weights:0", "conv1/weights:0"),
        ("[bold]x[/bold]", "[bold]x[/bold]"),
        ("größe 画像", "größe 画像"),
        ("a\nb\tc\x1b[31m\x07\x9b", "a\\nb\\tc\\x1b[31m\\x07\\x9b"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("line\u2028break", "line\\u2028break"),
        (b"caf\xe9".decode("utf-8", "surrogateescape"), "caf\\xe9"),
        ("\ud800", "\\ud800"),
    ],
)
def test_escape(text: str, shown: str) -> None:
    assert output.escape(text) == shown


class Pair(NamedTuple):
    tensor: TensorFact
    why: list[str]


@dataclass(frozen=True)
class Report:
    name: str
    shape: Shape
    weight: float
    parts: tuple[float, ...]
    data: bytes


def test_fields_become_json() -> None:
    report = Report("a", Shape([None, 3]), math.nan, (1.5, math.inf, -math.inf), b"caf\xe9")
    assert output.to_json(report) == {
        "name": "a",
        "shape": [None, 3],
        "weight": None,
        "parts": [1.5, None, None],
        "data": "caf\\xe9",
    }


def test_tensor_stands_among_the_other_fields() -> None:
    fact = TensorFact("x:0", FLOAT32, Shape(None))
    assert output.to_json(Pair(fact, ["r"])) == {"name": "x:0", "dtype": "float32", "shape": None, "why": ["r"]}


def test_tflite_tensor_has_index_and_quantization() -> None:
    fact = TensorFact("x", FLOAT32, Shape([]), 3, Quantization((0.5,), (7,), 1))
    quantization = {"scale": [0.5], "zero_point": [7], "axis": 1}
    assert output.to_json(fact) == {
        "name": "x", "dtype": "float32", "shape": [], "index": 3, "quantization": quantization,
    }  # fmt: skip
    assert output.to_json(TensorFact("x", None, Shape([]), 3))["quantization"] is None


def test_values_of_a_small_tensor() -> None:
    tensor = Tensor.of(FLOAT32, [3], [1.5, math.nan, math.inf])
    assert output.to_json(tensor) == {
        "dtype": "float32", "shape": [3], "values": [1.5, None, None], "not_finite": 2,
    }  # fmt: skip
    assert output.to_json(Tensor.of(STRING, [1], [b"\xff"]))["values"] == ["\\xff"]
    assert output.to_json(Tensor.of(FLOAT32, [2000], [0.0] * 2000))["values"] is None


def test_print_json_is_one_object_with_its_schema(capsys: pytest.CaptureFixture[str]) -> None:
    output.print_json({"a": "\ud800", "b": "中"})
    assert json.loads(capsys.readouterr().out) == {"schema": 1, "a": "\\ud800", "b": "中"}


def test_table_in_a_pipe_is_plain_columns(capsys: pytest.CaptureFixture[str]) -> None:
    output.table([("a", 1, None), ("long name" * 20, 22, "x\n")], titles=("n", "m", "o"), align=["left", "right"])
    first, second = capsys.readouterr().out.splitlines()
    assert first == "a".ljust(180) + "   1"
    assert second == "long name" * 20 + "  22  x\\n"


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (14852, "14.9 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB"), (5 * 10**9, "5.0 GB")],
)
def test_size(count: int, shown: str) -> None:
    assert output.size(count) == shown


@pytest.mark.parametrize(
    ("count", "shown"), [(0, "0"), (999_999, "999,999"), (25_557_032, "25.6M"), (7 * 10**9, "7.0G")]
)
def test_number(count: int, shown: str) -> None:
    assert output.number(count) == shown


def test_plural() -> None:
    assert [output.plural(1, "node"), output.plural(2000, "node"), output.plural(2, "switch")] == [
        "1 node", "2,000 nodes", "2 switches",
    ]  # fmt: skip


def test_article() -> None:
    assert [with_article("ArgMax"), with_article("Softmax")] == ["an ArgMax", "a Softmax"]
