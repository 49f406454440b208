"""What of a node follows when the axes of its data come in another order, beside constants: masks, formats.

`order` is that of the transpose that goes: axis `a` of what the node reads is axis `order[a]` of what it will read.
"""

from __future__ import annotations

from collections.abc import Sequence

from graphsurgeon.analysis.flow.attributes import attribute
from graphsurgeon.model.graph import AttrValue, Node

_KEPT_OF_ALL = ("new_axis_mask", "shrink_axis_mask", "ellipsis_mask")  # by these axes come and go
_BY_AXIS = ("begin_mask", "end_mask")
_LAST, _SECOND = b"NHWC", b"NCHW"  # of any rank: where the channels are


def turned_attributes(node: Node, order: Sequence[int], listed: int) -> dict[str, AttrValue] | None:
    """Return the attributes that a node has in the other order, None if it has no counterpart.

    Args:
        node: an op of `PERMUTED`.
        order: of the axes.
        listed: how many axes its constants name; StridedSlice may name the first ones alone.
    """
    if node.op == "StridedSlice":
        return _masks(node, order, listed)
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


def keeps_order(axes: Sequence[int], order: Sequence[int]) -> bool:
    """Say whether the axes that a reduction leaves come in the same order with and without the transpose."""
    gone = {axis % len(order) for axis in axes}
    left = [place for axis, place in enumerate(order) if axis not in gone]
    return left == sorted(left)
