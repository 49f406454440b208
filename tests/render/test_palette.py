"""Colours can be told apart by people with any colour vision, and in grey, and ink can be read on them."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import Any

import numpy as np
import pytest

from graphsurgeon.render.scene.families import FAMILIES
from graphsurgeon.render.write import palette

# Machado, Oliveira, Fernandes: A Physiologically-based Model for Simulation of Color Vision Deficiency (2009),
# severity 1.0; on linear RGB.
VISIONS = {
    "any": np.eye(3),
    "protan": np.array(
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]
    ),
    "deutan": np.array(
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]
    ),
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
COLORS = sorted(set(palette.GROUPS.values()))


def linear(color: str) -> Any:
    rgb = np.array([int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)])
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def lab(rgb: Any) -> Any:
    t = (TO_XYZ @ np.clip(rgb, 0, 1)) / (TO_XYZ @ np.ones(3))
    f = np.where(t > 216 / 24389, np.cbrt(t), (24389 / 27 * t + 16) / 116)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def contrast(one: str, other: str) -> float:
    low, high = sorted(float(TO_XYZ[1] @ linear(color)) for color in (one, other))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("vision", VISIONS)
def test_families_are_far_apart(vision: str) -> None:
    seen = {color: lab(VISIONS[vision] @ linear(palette.FILLS[color])) for color in COLORS}
    assert len(seen) == 9
    for one, other in combinations(seen, 2):
        assert np.linalg.norm(seen[one] - seen[other]) >= 10, (one, other)


def test_families_are_apart_in_grey() -> None:
    lightness = sorted(lab(linear(palette.FILLS[color]))[0] for color in COLORS)
    assert min(np.diff(lightness)) >= 3.5


def test_every_family_has_a_colour_and_a_place_in_the_legend() -> None:
    assert set(FAMILIES) == set(palette.GROUPS)
    assert set(palette.GROUPS.values()) == set(palette.LABELS)
    assert list(palette.legend({"pooling", "input"})) == ["ends", "reduction"]


def test_ink_is_legible_on_every_colour() -> None:
    for family, fill in palette.FILLS.items():
        assert contrast(fill, palette.INK) >= 4.5, family
    for family, fill in palette.DARK_FILLS.items():
        assert contrast(fill, palette.DARK_INK) >= 4.5, family


def test_a_scale_gets_darker() -> None:
    lightness = [lab(linear(palette.FILLS[step]))[0] for step in palette.SCALE]
    assert all(later < before - 5 for before, later in pairwise(lightness))
