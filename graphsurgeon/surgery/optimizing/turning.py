"""What of a node follows when the axes of its data come in another order, beside constants: masks, formats.

`order` is that of the transpose that goes: axis `a` of what the node reads is axis `order[a]` of what it will read.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.analysis.flow.attributes import attribute
from graphsurgeon.model.graph import AttrValue, Node
from graphsurgeon.ops.kinds import FORMATTED, POOLED_MOST

_KEPT_OF_ALL = ("new_axis_mask", "shrink_axis_mask", "ellipsis_mask")  # by these axes come and go
_BY_AXIS = ("begin_mask", "end_mask")
_LAST, _SECOND = b"NHWC", b"NCHW"  # of any rank: where the channels are
_LASTS = {_SECOND: _LAST, b"NCDHW": b"NDHWC"}
_LISTS = ("strides", "dilations", "ksize")  # a number for each axis


def turned_attributes(node: Node, order: Sequence[int], listed: int) -> dict[str, AttrValue] | None:
    """Return the attributes that a node has in the other order, None if it has no counterpart.

    Args:
        node: an op of `PERMUTED`, or one with a `data_format`.
        order: of the axes.
        listed: how many axes its constants name; StridedSlice may name the first ones alone.
    """
    if node.op == "StridedSlice":
        return _masks(node, order, listed)
    if node.op in FORMATTED or node.op in POOLED_MOST:
        return _channels_last(node, order)
    return _data_format(node, order) if node.op == "BiasAdd" else {}


def _masks(node: Node, order: Sequence[int], listed: int) -> dict[str, AttrValue] | None:
    if any(attribute(node, key) for key in _KEPT_OF_ALL):
        return None
    turned: dict[str, AttrValue] = {}
    for key in _BY_AXIS:
        mask = attribute(node, key)
        whole = [
            place >= listed or bool((mask if isinstance(mask, int) else 0) >> place & 1) for place in range(len(order))
        ]
        turned[key] = sum(1 << order[place] for place, is_whole in enumerate(whole) if is_whole)
    return turned


def _data_format(node: Node, order: Sequence[int]) -> dict[str, AttrValue] | None:
    """Return where the channels of a BiasAdd will be; only last is taken by every kernel, so they never go second."""
    is_second = attribute(node, "data_format") == _SECOND
    place = order[1 if is_second else -1]
    if place == len(order) - 1:
        return {"data_format": _LAST}
    return {"data_format": _SECOND} if is_second and place == 1 else None


def _channels_last(node: Node, order: Sequence[int]) -> dict[str, AttrValue] | None:
    """Return what a convolution, pool or batch norm says of axes once its channels come last; never the other way."""
    rank = len(order)
    last = _LASTS.get(attribute(node, "data_format"))  # type: ignore[arg-type]
    if last is None or list(order) != [0, rank - 1, *range(1, rank - 1)]:
        return None
    turned: dict[str, AttrValue] = {"data_format": last}
    for key in _LISTS:
        numbers = node.attrs.get(key)
        if isinstance(numbers, list) and numbers:
            if len(numbers) != rank:
                return None
            turned[key] = [numbers[order.index(axis)] for axis in range(rank)]
    pads = node.attrs.get("explicit_paddings")
    if isinstance(pads, list) and pads:
        if len(pads) != 2 * rank:
            return None
        turned["explicit_paddings"] = [pads[2 * order.index(axis) + end] for axis in range(rank) for end in (0, 1)]
    return turned


def order_left(axes: Sequence[int], order: Sequence[int]) -> tuple[int, ...]:
    """Return the order in which the axes that a reduction leaves stood, of what it leaves without the transpose."""
    gone = {axis % len(order) for axis in axes}
    left = [place for axis, place in enumerate(order) if axis not in gone]
    return tuple(sorted(left).index(place) for place in left)
