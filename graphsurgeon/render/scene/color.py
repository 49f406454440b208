"""Boxes coloured by a number or a kind instead of by their family of ops: parameters, dtypes, numbers of one's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from math import isfinite, log10

from graphsurgeon.render.scene.boxes import count_text
from graphsurgeon.render.scene.scene import Box, NodeName, Scene
from graphsurgeon.render.write.palette import KINDS, SCALE

PARAMETERS, DTYPE, MACS = "params", "dtype", "macs"
_UNCOLORED = ("input", "output")
_BLANK = "scope"  # the family of boxes that have no number: neutral
_WIDE = 100.0  # largest to smallest number, from which on a scale counts in powers

Measure = Callable[[Box], "float | str | None"]


def parameters(box: Box) -> float | None:
    """Return the parameters of a box, of all the equal blocks that it stands for; None for none."""
    return float(box.parameters * box.count) or None


def macs(work: Mapping[NodeName, int]) -> Measure:
    """Return what sums multiplications over the nodes of a box; None for none."""

    def measure(box: Box) -> float | None:
        return float(sum(work.get(node, 0) for node in box.nodes)) or None

    return measure


def own_numbers(numbers: Mapping[str, float | str]) -> Measure:
    """Return what sums given numbers over the nodes of a box; of words the most frequent one counts."""

    def measure(box: Box) -> float | str | None:
        found = [numbers[node.name] for node in box.nodes if node.name in numbers]
        words = [one for one in found if isinstance(one, str)]
        if words:
            return Counter(words).most_common(1)[0][0]
        return sum(one for one in found if not isinstance(one, str)) if found else None

    return measure


def colored(scene: Scene, measure: Measure, unit: str = "") -> Scene:
    """Return a scene whose boxes have the colours of what is measured of them, with the scale in its legend.

    Args:
        scene: as it was composed.
        measure: gives the number or word of a box; None leaves it neutral.
        unit: of the numbers, in the singular.
    """
    values = {box.id: measure(box) for box in scene.boxes if box.kind not in _UNCOLORED}
    numbers = [value for value in values.values() if isinstance(value, float | int) and isfinite(value)]
    words = [word for word, _ in Counter(v for v in values.values() if isinstance(v, str)).most_common()]
    step, scale = _scale(numbers, unit)
    kinds = {word: f"kind{min(number, len(KINDS) - 1)}" for number, word in enumerate(words)}

    def family(box: Box) -> str:
        value = values.get(box.id)
        if box.kind in _UNCOLORED:
            return box.family
        if value is None:
            return _BLANK
        return kinds[value] if isinstance(value, str) else step(value)

    return replace(
        scene,
        boxes=[replace(box, family=family(box)) for box in scene.boxes],
        colors={**scale, **_named(kinds)},
    )


def _named(kinds: Mapping[str, str]) -> dict[str, str]:
    texts: dict[str, str] = {}
    for word, color in kinds.items():
        texts[color] = f"{texts[color]}, {word}" if color in texts else word
    return texts


def _scale(numbers: Sequence[float], unit: str) -> tuple[Callable[[float], str], dict[str, str]]:
    """Return what gives a number its colour, and the legend: equal steps, of wide ranges in powers of ten."""
    if not numbers:
        return lambda number: _BLANK, {}
    low, high = min(numbers), max(numbers)
    is_wide = low > 0 and high / low > _WIDE
    first, last = (log10(low), log10(high)) if is_wide else (low, high)
    width = (last - first) / len(SCALE) or 1.0

    def step(number: float) -> str:
        if not isfinite(number):
            return _BLANK
        at = log10(number) if is_wide else number
        return SCALE[min(int((at - first) / width), len(SCALE) - 1)]

    def border(place: int) -> float:
        at = first + place * width
        return float(10**at) if is_wide else at

    if low == high:
        return step, {SCALE[0]: _number(low, unit)}
    texts = {color: f"{_number(border(n))} to {_number(border(n + 1), unit)}" for n, color in enumerate(SCALE)}
    return step, texts


def _number(number: float, unit: str = "") -> str:
    if abs(number) >= 1000:
        return (
            count_text(round(number), unit).removesuffix(" s") if unit else count_text(round(number), "").rstrip(" s")
        )
    return f"{number:.3g} {unit}s".rstrip() if unit else f"{number:.3g}"
