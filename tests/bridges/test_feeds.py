"""Data for inputs: words, literals, files and pictures; what does not fit is said."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphsurgeon import FileError, FormatError, UsageError, read
from graphsurgeon.bridges.feeds import make_feed, parse_feeds
from graphsurgeon.compare.entries import Input
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.shape import Shape


@pytest.fixture
def entry(fixtures_dir: Path) -> Input:
    value = read(fixtures_dir / "graphdef" / "linear.pb").graphs[0].value("x:0")
    assert value is not None
    return Input("x", value, DType.of(1), Shape([None, 4]))


def typed(entry: Input, number: int, *dims: int | None) -> Input:
    return Input(entry.name, entry.value, DType.of(number), Shape(dims))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["x=1", "y=ones"], {"x": "1", "y": "ones"}),
        (["a=b=[1, 2]"], {"a=b": "[1, 2]"}),
        (["x=@p=q.npy"], {"x": "@p=q.npy"}),
        (["x=a=b"], {"x": "a=b"}),
    ],
)
def test_pairs_are_cut_at_a_known_name(texts: list[str], expected: dict[str, str]) -> None:
    assert parse_feeds(texts, ["x", "y", "a=b"]) == expected


@pytest.mark.parametrize("text", ["x", "=1"])
def test_what_is_no_pair(text: str) -> None:
    with pytest.raises(UsageError, match="NAME=DATA"):
        parse_feeds([text], ["x"])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("ones", np.ones((2, 4))),
        ("zeros", np.zeros((2, 4))),
        ("0.5", np.full((2, 4), 0.5)),
        ("nan", np.full((2, 4), np.nan)),
        ("1,2,3,4", [[1, 2, 3, 4]]),
        ("[[1, 2, 3, 4], [5, 6, 7, 8]]", [[1, 2, 3, 4], [5, 6, 7, 8]]),
        (np.arange(4), [[0, 1, 2, 3]]),
    ],
)
def test_words_and_literals(entry: Input, data: object, expected: object) -> None:
    array = make_feed(entry, data)
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, np.array(expected, "f4"))


def test_random_depends_on_name_and_seed_only(entry: Input) -> None:
    first = make_feed(entry, "random", seed=1)
    assert first.shape == (2, 4)
    np.testing.assert_array_equal(first, make_feed(entry, "random", seed=1))
    assert not np.array_equal(first, make_feed(entry, "random", seed=2))
    assert make_feed(entry, "random", shape=Shape([7, 4])).shape == (7, 4)


@pytest.mark.parametrize("data", ["[1, 2, 3]", "word", "[[1, 2], [3]]"])
def test_data_that_do_not_fit(entry: Input, data: str) -> None:
    with pytest.raises(UsageError, match="input 'x'"):
        make_feed(entry, data)


def test_texts(entry: Input) -> None:
    words = typed(entry, 7, None)
    assert make_feed(words, "hello").tolist() == [b"hello"] * 2
    assert make_feed(words, '["a", "b,c"]').tolist() == [b"a", b"b,c"]
    assert make_feed(words, "12").tolist() == [b"12"] * 2


def test_arrays_in_files(entry: Input, tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(8).reshape(2, 4))
    np.savez(tmp_path / "b.npz", x=np.ones((1, 4)), other=np.zeros((1, 4)))
    np.savez(tmp_path / "one.npz", anything=np.full((3, 4), 3))
    assert make_feed(entry, f"@{tmp_path}/a.npy").tolist() == [[0, 1, 2, 3], [4, 5, 6, 7]]
    assert make_feed(entry, f"@{tmp_path}/b.npz").tolist() == [[1, 1, 1, 1]]
    assert make_feed(entry, f"@{tmp_path}/b.npz:other").tolist() == [[0, 0, 0, 0]]
    assert make_feed(entry, f"@{tmp_path}/one.npz").shape == (3, 4)
    assert parse_feeds([f"@{tmp_path}/b.npz"], ["x", "y"]) == {"x": f"@{tmp_path}/b.npz:x"}
    with pytest.raises(UsageError, match="no array 'z'"):
        make_feed(entry, f"@{tmp_path}/b.npz:z")


def test_files_that_are_none(entry: Input, tmp_path: Path) -> None:
    (tmp_path / "bad.npy").write_bytes(b"no array")
    (tmp_path / "data.bin").write_bytes(b"1234")
    np.save(tmp_path / "pickled.npy", np.array([{}], object), allow_pickle=True)
    with pytest.raises(FileError):
        make_feed(entry, f"@{tmp_path}/none.npy")
    for name in ("bad.npy", "pickled.npy"):
        with pytest.raises(FormatError, match="no arrays of numbers"):
            make_feed(entry, f"@{tmp_path}/{name}")
    with pytest.raises(UsageError, match="holds no numbers"):
        make_feed(entry, f"@{tmp_path}/data.bin")


def test_pictures(entry: Input, tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.arange(48, dtype=np.uint8).reshape(4, 4, 3)
    path = tmp_path / "cat.png"
    image.fromarray(pixels).save(path)
    np.testing.assert_array_equal(make_feed(typed(entry, 1, None, None, None, 3), f"@{path}"), pixels[np.newaxis])
    np.testing.assert_array_equal(make_feed(typed(entry, 4, 4, 4, 3), f"@{path}"), pixels)
    assert make_feed(typed(entry, 4, 1, 8, 6, 3), f"@{path}").shape == (1, 8, 6, 3)
    assert make_feed(typed(entry, 4, 1, 4, 4, 1), f"@{path}").shape == (1, 4, 4, 1)
    assert make_feed(typed(entry, 7, None), f"@{path}").tolist()[0].startswith(b"\x89PNG")
    (tmp_path / "bad.png").write_bytes(b"no picture")
    with pytest.raises(FileError, match="no picture that can be read"):
        make_feed(typed(entry, 4, 1, 4, 4, 3), f"@{tmp_path}/bad.png")
