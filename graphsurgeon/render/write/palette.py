"""Colours of families of operations, light and dark.

Hues follow Okabe and Ito's palette, which people with any colour vision can tell apart; no meaning rests on
colour alone, since every box says what it is.
"""

from __future__ import annotations

INK = "#1b1f24"
PAPER = "#ffffff"

# family -> (fill, stroke) on light paper, (fill, stroke) on dark paper.
_COLORS = {
    "input": ("#d5ece4", "#00785a", "#0f3d31", "#3fc79f"),
    "output": ("#fbe3d2", "#b34700", "#4a2408", "#ff9a57"),
    "convolution": ("#d6e6f5", "#0063a8", "#12324d", "#6db4ee"),
    "dense": ("#fdeec6", "#a87400", "#453407", "#e8b53a"),
    "normalization": ("#eef3d3", "#6b7a1e", "#343a12", "#b9cc5c"),
    "activation": ("#f9dcea", "#a63d74", "#47192f", "#ec8fbd"),
    "pooling": ("#d9f0f7", "#1a7f9c", "#113944", "#66c7e2"),
    "math": ("#eceef1", "#67707b", "#2b3037", "#9aa5b1"),
    "reduction": ("#dde3f6", "#4a57a6", "#232a4d", "#98a4ee"),
    "layout": ("#efe6f7", "#7a4fa3", "#35234a", "#bd97e2"),
    "lookup": ("#f1e4d8", "#8a5a2b", "#40291a", "#d3a06d"),
    "recurrent": ("#e3f3d6", "#3f7d1e", "#203c12", "#8fd06a"),
    "control": ("#f4f4c9", "#85850f", "#3b3b10", "#d4d44b"),
    "quantize": ("#fde0dc", "#b5382a", "#4a1c17", "#f28b7f"),
    "text": ("#e0efe9", "#3d7d66", "#1d3a30", "#7fc7ac"),
    "weight": ("#f5f5f5", "#808080", "#2a2a2a", "#a0a0a0"),
    "scope": ("#f7f9fb", "#56606b", "#22272e", "#8b97a5"),
    "other": ("#f2efe9", "#77706a", "#302d29", "#aaa39b"),
}
FILLS = {family: colors[0] for family, colors in _COLORS.items()}
STROKES = {family: colors[1] for family, colors in _COLORS.items()}
DARK_FILLS = {family: colors[2] for family, colors in _COLORS.items()}
DARK_STROKES = {family: colors[3] for family, colors in _COLORS.items()}
DARK_INK = "#e9edf1"
DARK_PAPER = "#14171b"

LABELS = {
    "input": "input", "output": "output", "convolution": "convolution", "dense": "matrix product",
    "normalization": "normalization", "activation": "activation", "pooling": "pooling", "math": "arithmetic",
    "reduction": "reduction", "layout": "layout of data", "lookup": "lookup", "recurrent": "recurrence, state",
    "control": "control flow", "quantize": "quantization", "text": "text, input data", "weight": "constant, variable",
    "scope": "scope, closed", "other": "other",
}  # fmt: skip
MARKS = {
    "highlight": ("#d55e00", "#ff9a57"),
    "added": ("#00785a", "#3fc79f"),
    "removed": ("#b5382a", "#f28b7f"),
    "changed": ("#a87400", "#e8b53a"),
}
MARK_LABELS = {"highlight": "highlighted", "added": "added", "removed": "removed", "changed": "changed"}
EDGE_LABELS = {
    "quantized": "quantized", "shape": "shape only", "resource": "resource", "loop": "next turn",
    "condition": "chooses a branch", "control": "runs before", "removed": "was read",
}  # fmt: skip
