"""Tensors of a TFLite subgraph that nothing mentions."""

from __future__ import annotations

from collections.abc import Iterable

from graphsurgeon.model.graph import Graph, Value


def unused_tensors(place: Graph, also: Iterable[Value] = ()) -> list[Value]:
    """Return the tensors that neither operators, inputs and outputs, nor the description of such tensors mention.

    Args:
        place: the subgraph.
        also: tensors that others mention.
    """
    used: set[Value] = {*place.inputs, *(output.value for output in place.outputs), *also}
    for node in place.nodes:
        used.update((*node.inputs, *node.outputs))
        used.update(
            item for attr in node.attrs.values() if isinstance(attr, list) for item in attr if isinstance(item, Value)
        )
    described = [
        quantization for value in used if (quantization := (value.extra or {}).get("quantization")) is not None
    ]
    used.update(value for one in described for value in (one.scales, one.zero_points) if value is not None)
    return [value for value in place.values if value not in used]
