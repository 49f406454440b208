"""What vocabulary files say; expected values are what TensorFlow's `InitializeTableFromTextFileV2` fills in."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.dtype import INT64, STRING
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Asset
from graphsurgeon.surgery.freeze import freeze
from graphsurgeon.surgery.freezing.table_contents import parse_text
from tests.surgery.graphs import constant, graph_model, node, placeholder

WORDS = b"a\nb\r\nc"
LINES = {"key_index": "i: -2", "value_index": "i: -1"}


def contents(tmp_path: Path, data: bytes, **attributes: str) -> dict[object, object]:
    model = graph_model(tmp_path, node("fill", "InitializeTableFromTextFileV2", "table", "file", **attributes))
    fill = model.metagraphs[0].graph.node("fill")
    assert fill is not None
    value_dtype = INT64 if attributes["value_index"] == "i: -1" else STRING
    key_dtype = INT64 if attributes["key_index"] == "i: -1" else STRING
    found = parse_text(Asset("words.txt", Mention.of(fill, "asset")), data, fill, key_dtype, value_dtype)
    return dict(zip(found.keys.items(), found.values.items(), strict=True))  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (LINES, {b"a": 0, b"b": 1, b"c": 2}),
        (LINES | {"offset": "i: 5"}, {b"a": 5, b"b": 6, b"c": 7}),
        (LINES | {"offset": "i: 1", "vocab_size": "i: 2"}, {b"a": 1, b"b": 2}),
        ({"key_index": "i: -1", "value_index": "i: -2", "offset": "i: 2"}, {2: b"a", 3: b"b", 4: b"c"}),
    ],
)
def test_lines_are_numbered_from_the_offset(
    attributes: dict[str, str], expected: dict[object, object], tmp_path: Path
) -> None:
    assert contents(tmp_path, WORDS, **attributes) == expected


def test_a_table_without_a_key_for_what_is_deleted_is_refused(tmp_path: Path) -> None:
    """`MutableDenseHashTableV2` has two inputs, the first version one: the op alone cannot be exchanged."""
    types = {"key_dtype": "type: DT_INT64", "value_dtype": "type: DT_FLOAT"}
    model = graph_model(
        tmp_path, placeholder("keys", "DT_INT64"), constant("empty", "int64_val: -1", "DT_INT64"),
        constant("default", "float_val: 0"), node("table", "MutableDenseHashTable", "empty", **types),
        node("found", "LookupTableFind", "table", "keys", "default", Tin="type: DT_INT64", Tout="type: DT_FLOAT"),
        values={},
    )  # fmt: skip
    with pytest.raises(UnsupportedError, match=r"table 'table' \(MutableDenseHashTable\) names no key"):
        freeze(model, outputs=["found"])
