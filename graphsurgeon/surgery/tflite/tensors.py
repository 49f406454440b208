"""Tensors of a TFLite subgraph: those that nothing mentions, and names that would be there twice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from graphsurgeon.errors import UsageError
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


def require_distinct(staying: Iterable[Value], names: Mapping[Value, str]) -> None:
    """Refuse new names that would be there twice: people and interpreters find tensors by name.

    Args:
        staying: the tensors that the subgraph will have.
        names: tensor -> new name.

    Raises:
        UsageError: two tensors would have one name.
    """
    taken = {value.name: value for value in staying if value not in names}
    for value, name in names.items():
        if name in taken:
            other = f"#{taken[name].port}" if taken[name] not in names else "another new one"
            raise UsageError(f"there already is a tensor {name!r} ({other})", hint="choose another name")
        taken[name] = value
