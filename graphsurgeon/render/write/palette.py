"""Colours of families of operations, light and dark, and of numbers.

Eight colours and a neutral one. They are apart in lightness, so that they can be told apart in grey, and their distance
in CIELAB is at least 10 for people with any colour vision, by the simulation of Machado, Oliveira and Fernandes (2009);
`tests/render/test_palette.py` computes both. No meaning rests on colour alone: every box says what it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

INK = "#1b1f24"
PAPER = "#ffffff"

# colour -> (fill, stroke) on light paper, (fill, stroke) on dark paper; light fills from light to dark.
_COLORS = {
    "neutral": ("#f2f4f6", "#5c646b", "#262a2f", "#a9b2b9"),
    "ends": ("#c3f6cb", "#1e7239", "#213a26", "#7ac088"),
    "layout": ("#e2dbf1", "#685d85", "#373243", "#b6abd2"),
    "convolution": ("#acd2f7", "#006aa3", "#17374f", "#72b7ef"),
    "shaping": ("#e5b3cd", "#974876", "#4a2b3c", "#e69ac3"),
    "dense": ("#e1ad4e", "#805d13", "#41321a", "#d3aa68"),
    "reduction": ("#77b5ad", "#007369", "#053c37", "#54c2b6"),
    "data": ("#ba9889", "#8c553e", "#492e23", "#dda48c"),
    "control": ("#939259", "#646713", "#36361a", "#b5b469"),
}
# family -> its colour
GROUPS = {
    "input": "ends", "output": "ends", "convolution": "convolution", "dense": "dense", "normalization": "shaping",
    "activation": "shaping", "pooling": "reduction", "reduction": "reduction", "layout": "layout", "lookup": "data",
    "text": "data", "quantize": "data", "recurrent": "control", "control": "control", "math": "neutral",
    "weight": "neutral", "scope": "neutral", "other": "neutral",
}  # fmt: skip
LABELS = {
    "ends": "input, output", "convolution": "convolution", "dense": "matrix product",
    "shaping": "normalization, activation", "reduction": "pooling, reduction", "layout": "layout of data",
    "data": "lookup, text, quantization", "control": "control flow, recurrence",
    "neutral": "arithmetic, closed scope, other",
}  # fmt: skip
# Numbers, from few to many: one hue, darker and darker, with ink that can be read on each.
_SCALE = (
    ("#f1f5fb", "#5f7088", "#1d2630", "#7f93ac"), ("#d3e3f4", "#4b6f9c", "#1f3348", "#84a9d6"),
    ("#abcdeb", "#35689e", "#20415f", "#8cb9e6"), ("#7db0dd", "#1f5c99", "#21507a", "#97c7f0"),
    ("#5b97cd", "#0c4a86", "#235f95", "#a5d3f7"),
)  # fmt: skip
SCALE = tuple(f"scale{number}" for number in range(len(_SCALE)))
# Kinds that are no families, as dtypes: the colours that are farthest apart first.
KINDS = ("convolution", "dense", "reduction", "shaping", "layout", "data", "control", "ends")
_ALL = {
    **_COLORS,
    **{family: _COLORS[group] for family, group in GROUPS.items()},
    **dict(zip(SCALE, _SCALE, strict=True)),
    **{f"kind{number}": _COLORS[group] for number, group in enumerate(KINDS)},
}
FILLS = {family: colors[0] for family, colors in _ALL.items()}
STROKES = {family: colors[1] for family, colors in _ALL.items()}
DARK_FILLS = {family: colors[2] for family, colors in _ALL.items()}
DARK_STROKES = {family: colors[3] for family, colors in _ALL.items()}
DARK_INK = "#e9edf1"
DARK_PAPER = "#14171b"

MARKS = {
    "highlight": ("#d55e00", "#ff9a57"),
    "added": ("#00785a", "#3fc79f"),
    "removed": ("#b5382a", "#f28b7f"),
    "changed": ("#a87400", "#e8b53a"),
    "frozen": ("#0063a8", "#6db4ee"),
    "renamed": ("#7a4fa3", "#c3a1e8"),
}
MARK_LABELS = {
    "highlight": "highlighted", "added": "added", "removed": "removed", "changed": "changed",
    "frozen": "frozen: variables made constants", "renamed": "renamed",
}  # fmt: skip
EDGE_LABELS = {
    "quantized": "quantized", "shape": "shape only", "resource": "resource", "loop": "next turn",
    "condition": "chooses a branch", "control": "runs before", "removed": "was read",
}  # fmt: skip


def legend(families: Collection[str], own: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return the colours that some families have, with what they stand for, in the order of the legend.

    Args:
        families: that are drawn.
        own: what colours stand for that are no families: family -> text.
    """
    used = {GROUPS.get(family, family) for family in families}
    return {color: text for color, text in {**LABELS, **(own or {})}.items() if color in used}
