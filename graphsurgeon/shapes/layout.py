"""Where batch, channels and spatial dimensions of an image lie, and what the attributes say about each axis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphsurgeon.shapes.context import InferenceContext
from graphsurgeon.shapes.dims import Dim, Dims, ShapeError


@dataclass(frozen=True)
class DataLayout:
    """The axes of an image in one data format, with strides, dilations and paddings per axis.

    Attributes:
        spatial: the axes of height and width (and depth before them).
        channel: the axis of the channels.
        is_vector: channels are split, four of them in a dimension at the end (NCHW_VECT_C).
    """

    spatial: tuple[int, ...]
    channel: int
    is_vector: bool
    strides: Sequence[int]
    dilations: Sequence[int]
    paddings: Sequence[int]

    @property
    def spatial_rank(self) -> int:
        """Number of spatial dimensions."""
        return len(self.spatial)

    def stride(self, axis: int) -> int:
        """Return the stride along an axis."""
        return _at(self.strides, axis, "strides")

    def dilation(self, axis: int) -> int:
        """Return the dilation along an axis."""
        return _at(self.dilations, axis, "dilations") if self.dilations else 1

    def pads(self, axis: int) -> tuple[int, int]:
        """Return the explicit padding before and after an axis."""
        if not self.paddings:
            return (0, 0)
        return (
            _at(self.paddings, 2 * axis, "explicit_paddings"),
            _at(self.paddings, 2 * axis + 1, "explicit_paddings"),
        )

    def put_together(self, batch: Dim, places: Sequence[Dim], channels: Dim) -> Dims:
        """Return the shape of an image in this format."""
        if self.is_vector:
            return (batch, channels // 4 if isinstance(channels, int) else None, *places, 4)
        return (batch, channels, *places) if self.channel == 1 else (batch, *places, channels)


def layout_of(context: InferenceContext, spatial: int, *, channels_first: bool | None = None) -> DataLayout:
    """Return the layout that `data_format`, `strides`, `dilations` and `explicit_paddings` of a node describe."""
    text = context.text_attr("data_format") or "N..C"
    is_vector = text.endswith("VECT_C")
    first = channels_first if channels_first is not None else text[:2] == "NC"
    axes = tuple(range(2, 2 + spatial)) if first else tuple(range(1, 1 + spatial))
    return DataLayout(
        spatial=axes,
        channel=1 if first else spatial + 1,
        is_vector=is_vector,
        strides=context.integers_attr("strides"),
        dilations=context.integers_attr("dilations"),
        paddings=context.integers_attr("explicit_paddings"),
    )


def _at(numbers: Sequence[int], axis: int, name: str) -> int:
    if axis >= len(numbers):
        raise ShapeError(f"{name} has {len(numbers)} numbers, too few")
    return numbers[axis]
