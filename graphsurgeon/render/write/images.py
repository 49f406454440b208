"""Pixels and pages from SVG, by a converter that pip installs without anything else: the extra `pictures`."""

from __future__ import annotations

import re
from typing import Any

from graphsurgeon.errors import UnsupportedError

_LARGEST = 16000  # pixels along one side
_SHARP = 2.0  # pixels per unit, if there is room


def png_bytes(svg: str) -> bytes:
    """Return a PNG, two pixels to a unit unless it would be too large.

    Raises:
        UnsupportedError: the converter is not installed.
    """
    size = re.search(r'width="(\d+)" height="(\d+)"', svg)
    longest = max(map(int, size.groups())) if size else 1
    return bytes(_converter().svg_to_png(svg, scale=min(_SHARP, _LARGEST / longest)))


def pdf_bytes(svg: str) -> bytes:
    """Return a PDF of one page, with lines and text rather than pixels.

    Raises:
        UnsupportedError: the converter is not installed.
    """
    return bytes(_converter().svg_to_pdf(svg))


def _converter() -> Any:
    try:
        import vl_convert
    except ImportError as error:
        hint = "pip install 'tf-graphsurgeon[pictures]', or draw .svg, .html or .dot"
        raise UnsupportedError("PNG and PDF need the extra `pictures`", hint=hint) from error
    return vl_convert
