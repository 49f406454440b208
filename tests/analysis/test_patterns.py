"""Patterns that select names."""

from __future__ import annotations

import pytest

from graphsurgeon.analysis.patterns import matcher

NAMES = ("a[0]", "a0", "new\nline", "v[b]\n", "C:\\dir", "scope/op")


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("a[0]", ["a[0]", "a0"]),
        ("scope*", ["scope/op"]),
        ("new\nline", ["new\nline"]),
        (r"new\nline", ["new\nline"]),
        (r"v[b]\n", ["v[b]\n"]),
        (r"C:\dir", ["C:\\dir"]),
        ("re:^[av]", ["a[0]", "a0", "v[b]\n"]),
    ],
)
def test_names_match_as_they_are_and_as_they_are_shown(pattern: str, matched: list[str]) -> None:
    assert list(filter(matcher(pattern), NAMES)) == matched
