"""Names in which a bit has flipped: the rest of the file is still shown, and nothing is written anew."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon import read
from graphsurgeon.edit import edit
from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats import schema
from graphsurgeon.formats.graph.protobuf import utf8


def test_only_bad_strings_change() -> None:
    message = schema.message("tensorflow.NodeDef")(name="größe", op="Conv2D")
    message.attr["data"].s = b"\xff\xfe"
    data = message.SerializeToString().replace("ö".encode(), b"\xc3\x36")
    readable, repairs = utf8.repair(data, message.DESCRIPTOR)
    assert len(readable) == len(data)
    assert repairs == ["gr?6ße"]
    parsed = type(message).FromString(readable)
    assert (parsed.name, parsed.op, parsed.attr["data"].s) == ("gr?6ße", "Conv2D", b"\xff\xfe")


def test_sound_messages_and_other_bytes_stay() -> None:
    message = schema.message("tensorflow.NodeDef")(name="a", input=["b:1", "^c"])
    data = message.SerializeToString()
    assert utf8.repair(data, message.DESCRIPTOR) == (data, [])
    for other in (b"\x0a\x7fabc", b"\xff" * 20, b"\x0b\x0b"):
        assert utf8.repair(other, message.DESCRIPTOR) == (other, [])


@pytest.mark.parametrize("name", ["graphdef/linear.pb", "graphdef/linear.pbtxt"])
def test_flipped_bit_in_a_name(name: str, fixtures_dir: Path, tmp_path: Path) -> None:
    source = fixtures_dir / name
    damaged = tmp_path / source.name
    damaged.write_bytes(source.read_bytes().replace(b"MatMul", b"M\xe1tMul", 1))
    model = read(damaged)
    assert model.metagraphs[0].graph.op_counts.keys() & {"MatMul", "M?tMul"}
    assert "no UTF-8" in model.notes[0]
    assert "M?tMul" in model.notes[0]
    with pytest.raises(UnsupportedError, match=r"no UTF-8, the first .*they would be lost"):
        edit(damaged, [("rename", {"names": {"x": "image"}})], output=tmp_path / f"out{source.suffix}")


def test_text_that_is_no_message_tells_the_byte(fixtures_dir: Path, tmp_path: Path) -> None:
    damaged = tmp_path / "x.pbtxt"
    text = (fixtures_dir / "graphdef" / "linear.pbtxt").read_bytes()
    damaged.write_bytes(text.replace(b"op:", b"\xe1p:", 1))
    with pytest.raises(FormatError, match=f"no UTF-8 text at byte {text.index(b'op:')}"):
        read(damaged)
