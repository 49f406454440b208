"""Text protobuf against protobuf's own parser and printer: the quick ways say the same, or leave it to them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from google.protobuf import text_format
from hypothesis import given
from hypothesis import strategies as st

from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.protobuf.printed_text import encode_printed
from graphsurgeon.formats.graph.protobuf.text_printer import print_message
from tests import work

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
TYPES = {".pb": "GraphDef", ".meta": "MetaGraphDef"}
FILES = sorted(path for suffix in TYPES for path in FIXTURES.glob(f"*/**/*{suffix}") if path.stat().st_size < 1 << 13)


def new(type_name: str, data: bytes = b"") -> Any:
    return schema.message(f"tensorflow.{type_name}").FromString(data)


def parsed(text: str, type_name: str = "GraphDef") -> bytes | None:
    """Return what protobuf's parser makes of a text, None if it refuses it."""
    message = new(type_name)
    try:
        text_format.Parse(text, message, descriptor_pool=schema.pool())
    except (text_format.ParseError, UnicodeDecodeError):
        return None
    return bytes(message.SerializeToString(deterministic=True))


def quick(text: str, type_name: str = "GraphDef") -> bytes | None:
    data = encode_printed(text, new(type_name).DESCRIPTOR)
    return None if data is None else bytes(new(type_name, data).SerializeToString(deterministic=True))


def messages() -> list[tuple[str, bytes]]:
    found = []
    for path in FILES:
        type_name = "SavedModel" if path.name == "saved_model.pb" else TYPES[path.suffix]
        try:
            found.append((type_name, bytes(new(type_name, path.read_bytes()).SerializeToString())))
        except Exception:
            continue
    return found


def test_texts_are_those_of_protobuf() -> None:
    quick_ones = 0
    for type_name, data in messages():
        message = new(type_name, data)
        text = text_format.MessageToString(message, descriptor_pool=schema.pool())
        assert print_message(message) == text
        found = quick(text, type_name)
        quick_ones += found is not None
        assert found in (None, parsed(text, type_name))
    assert quick_ones > 10


def attr(value: str) -> str:
    return f'node {{\n attr {{\n key: "T"\n value {{\n {value}\n }}\n }}\n}}\n'


@pytest.mark.parametrize(
    "text",
    [
        'node { name: "a" }',
        'node {\n name: "a"\n name: "b"\n}',
        "node {\n name: 'a'\n}",
        'node {\n input: ["a", "b"]\n}',
        'node {\n name: "a" # remark\n}',
        'node {\n name: "a"\n "b"\n}',
        "node {\n unknown: 1\n}",
        "node {\n",
        "}\n",
        "version: 0x10\n",
        "version: 4294967296\n",
        "version: 1.0\n",
        attr("type: DT_NOTHING"),
        attr("i: 1\n f: 2"),
        attr("f: 1.5f"),
        attr("b: t"),
    ],
)
def test_what_may_be_meant_otherwise_is_left_to_protobuf(text: str) -> None:
    assert encode_printed(text, new("GraphDef").DESCRIPTOR) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# a remark\n\nversions {\r\n  producer: 21\r\n}\r\n",
        'node{\n name: "a \\"b\\" \\n \\303\\244 {"\n input: "#"\n}\n',
        attr("i: -1") + attr("i: -9223372036854775808"),
        attr("f: 1e999"),
        attr("list {\n f: -inf\n f: nan\n f: 1e-45\n f: 3.4028235e+38\n }"),
        'node {\n name: "é"\n}',
    ],
)
def test_what_is_printed_otherwise_too_is_the_same(text: str) -> None:
    assert quick(text) is not None
    assert quick(text) == parsed(text)


@given(st.text(max_size=12), st.binary(max_size=12), st.integers(-(1 << 63), (1 << 63) - 1), st.floats(width=32))
def test_any_node_comes_back(name: str, data: bytes, number: int, real: float) -> None:
    graph = new("GraphDef")
    node = graph.node.add(name=name, op=name[::-1], input=[name, "^x"], device=name[:3])
    node.attr["s"].s, node.attr["i"].i, node.attr["f"].f = data, number, real
    node.attr["l"].list.s.extend([data, b""])
    graph.library.function.add().node_def.add().CopyFrom(node)
    text = text_format.MessageToString(graph, descriptor_pool=schema.pool())
    assert print_message(graph) == text
    assert quick(text) in (None, parsed(text))


def test_attributes_of_many_nodes_are_printed_once() -> None:
    def graph(count: int) -> Any:
        made = new("GraphDef")
        for number in range(count):
            made.node.add(name=f"n{number}", op="Relu").attr["T"].type = 1
        return made

    large = graph(400)
    print_message(graph(1))
    with work.at_most(400 * 75):  # protobuf takes some 700 for each, calls and returns
        print_message(large)
