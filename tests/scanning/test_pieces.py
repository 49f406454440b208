"""Paths in pieces: whatever puts constants together, the finding names what comes of it."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable

import pytest

from graphsurgeon.model.dtype import BOOL, INT32, INT64, STRING, DType
from graphsurgeon.model.graph import AttrValue, Output, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from tests.scanning.build import Made

PATH = b"/etc/passwd"
LETTERS = [bytes([letter]) for letter in PATH]


def ints(made: Made, *items: int, dtype: DType = INT32) -> Value:
    return made.number(*items, dtype=dtype)


def one(made: Made, item: int) -> Value:
    return made.add("Const", (), {"dtype": INT32, "value": Tensor.of(INT32, [], [item])}).output()


def of(op: str, port: int = 0, **attrs: AttrValue) -> Callable[..., Callable[[Made], Value]]:
    """Return what makes a maker of an op's output from its inputs: values, or texts of a constant."""

    def of_inputs(*inputs: object) -> Callable[[Made], Value]:
        def make(made: Made) -> Value:
            values = [given(made) if callable(given) else made.text(*given) for given in inputs]  # type: ignore[misc]
            return made.add(op, values, attrs).output(port)

        return make

    return of_inputs


def numbers(*items: int, dtype: DType = INT32) -> Callable[[Made], Value]:
    return lambda made: ints(made, *items, dtype=dtype)


def number(item: int) -> Callable[[Made], Value]:
    return lambda made: one(made, item)


PIECES: list[tuple[str, Callable[[Made], Value]]] = [
    ("join", of("StringJoin", N=2, separator=b"/")([b"/etc"], [b"passwd"])),
    ("letters", of("ReduceJoin", separator=b"")(LETTERS, numbers(0))),
    ("reversed", of("ReduceJoin", separator=b"")(of("ReverseV2", T=STRING)(LETTERS[::-1], numbers(0)), numbers(0))),
    ("segments", of("UnsortedSegmentJoin", separator=b"")([b"/etc/", b"passwd"], numbers(0, 0), number(1))),
    ("concat", of("ReduceJoin")(of("ConcatV2", N=2, T=STRING)([b"/e", b"tc"], [b"/", b"passwd"], number(0)),
                                numbers(0))),
    ("fill", of("Fill", T=STRING)(numbers(2), [PATH])),
    ("first", of("StaticRegexReplace", pattern=b"x", rewrite=b"e", replace_global=False)([b"/xtc/passwd"])),
    ("class", of("StaticRegexReplace", pattern=b"[0-9]", rewrite=b"", replace_global=True)([b"/e9tc/p8asswd"])),
    ("groups", of("StaticRegexReplace", pattern=b"(.*) (.*)", rewrite=rb"\2/\1")([b"passwd /etc"])),
    ("regex", of("RegexReplace")([b"/etc:passwd"], [b":"], [b"/"])),
    ("base64", of("DecodeBase64")([base64.urlsafe_b64encode(PATH).rstrip(b"=")])),
    ("slice", of("Substr", T=INT32, unit=b"BYTE")([b"xx" + PATH + b"y"],
                                                   of("Sub", T=INT32)(number(4), number(2)), number(11))),
    ("element", of("StridedSlice", T=STRING, Index=INT32, shrink_axis_mask=1)([b"a", PATH], numbers(1), numbers(2),
                                                                              numbers(1))),
    ("gathered", of("GatherV2", Tparams=STRING)([b"a", PATH, b"c"], number(1), number(0))),
    ("lower", of("StringLower")([b"/ETC/passwd"])),
    ("points", of("UnicodeEncode", output_encoding=b"UTF-8")(numbers(*PATH), numbers(0, 11, dtype=INT64))),
    ("unpacked", of("DecodeCompressed", compression_type=b"ZLIB")([zlib.compress(PATH)])),
    ("chosen", of("SelectV2", T=STRING)(of("Less", T=INT32)(number(1), number(2)), [PATH], [b"/other"])),
]  # fmt: skip


@pytest.mark.parametrize(("name", "make"), PIECES, ids=[name for name, _ in PIECES])
def test_a_path_in_pieces_is_named(name: str, make: Callable[[Made], Value]) -> None:
    made = Made()
    made.signature("steal", {"y": made.read(make(made))})
    assert made.only() == ("high", "ReadFile", "signature:steal", "/etc/passwd")


def test_numbers_and_splits() -> None:
    made = Made()
    number = made.add("AsString", [one(made, 7)], {"T": INT32}).output()
    made.signature("a", {"y": made.read(made.add("StringJoin", [made.text(b"/tmp/"), number], {"N": 2}).output())})
    split = made.add("StringSplitV2", [made.text(b"/a /b"), made.text(b" ")], {"maxsplit": -1})
    made.signature("b", {"y": made.read(split.output(1))})
    assert [(threat.when, threat.target) for threat in made.threats()] == [
        ("signature:a", "/tmp/7"), ("signature:b", "/a, /b"),
    ]  # fmt: skip


def test_pieces_that_a_call_passes() -> None:
    made = Made()
    function = made.function("joined", STRING, STRING)
    pair = made.add("Pack", function.inputs[::-1], {"N": 2, "T": STRING}).output()
    joined = made.add("ReduceJoin", [pair, ints(made, 0)], {"separator": b""}).output()
    function.outputs = [Output("y", joined, STRING)]
    made.main()
    path = made.call(function, [made.text(b"passwd"), made.text(b"/etc/")]).output()
    made.signature("steal", {"y": made.read(path)})
    assert made.only()[3] == "/etc/passwd"


def test_parts_whose_order_is_not_known_are_not_guessed() -> None:
    made = Made()
    pair = made.add("Pack", [made.text(b"passwd"), made.placeholder("x")], {"N": 2, "T": STRING}).output()
    turned = made.add("ReverseV2", [pair, ints(made, 0)], {"T": STRING}).output()
    joined = made.add("ReduceJoin", [turned, ints(made, 0)], {"separator": b""}).output()
    made.signature("steal", {"y": made.read(joined)})
    assert made.only()[3] == "what the model computes (ReduceJoin)"


@pytest.mark.parametrize("pattern", [b"(a*)*b", b"(a|a)+$", b"a*a*a*b", rb"\pL", b"a++"])
def test_patterns_without_end_are_not_tried(pattern: bytes) -> None:
    made = Made()
    attrs: dict[str, AttrValue] = {"pattern": pattern, "rewrite": b"", "replace_global": True}
    made.signature("steal", {"y": made.read(made.add("StaticRegexReplace", [made.text(b"a" * 1000)], attrs).output())})
    assert made.only()[3] == "what the model computes (StaticRegexReplace)"


def test_texts_that_grow_without_bound_are_not_made() -> None:
    made = Made()
    text = made.text(b"a" * 1000)
    for _ in range(60):
        text = made.add("StringJoin", [text, text], {"N": 2, "separator": b""}).output()
    made.signature("steal", {"y": made.read(text)})
    severity, _, when, _ = made.only()
    assert (severity, when) == ("high", "signature:steal")


def test_a_variable_of_tensorflow_1_is_followed() -> None:
    made = Made()
    variable = made.add("VariableV2", (), {"dtype": STRING, "shape": Shape([])})
    made.on_load(made.add("Assign", [variable.output(), made.text(PATH)], {"T": STRING}))
    made.signature("steal", {"y": made.read(variable.output())})
    assert made.only() == ("high", "ReadFile", "signature:steal", "/etc/passwd")


def test_both_branches_count_where_the_condition_is_open() -> None:
    made = Made()
    inputs = [made.placeholder("c", BOOL), made.text(PATH), made.text(b"/etc/shadow")]
    made.signature("steal", {"y": made.read(made.add("SelectV2", inputs, {"T": STRING}).output())})
    assert made.only()[3] == "/etc/passwd, /etc/shadow"
