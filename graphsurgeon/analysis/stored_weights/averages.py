"""Moving averages of weights that a training keeps beside them in a checkpoint, and whose averages they are.

Who writes them, and how they are told:

- `tf.train.ExponentialMovingAverage`: `X/ExponentialMovingAverage` beside `X`, or a last name that its `name=` gave.
- Keras 3 with `use_ema`: the optimizer's list `_model_variables_moving_average`, in order of `_trainable_variables`.
- tf_keras with `use_ema`: the same list, its variables named `average/X` (behind the optimizer's name).
- tf_addons' MovingAverage and SWA: the slot `average` of a variable.

A name alone proves nothing: the weight must be there, with the same dtype and shape. Statistics of normalizations
(`moving_mean`, Sonnet's `exponential_moving_average/average`) have no such partner.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.objects import ObjectGraph, ObjectNode

_LAST = re.compile(r"(exponential_?moving_?average|(.*_)?(ema|moving_average|average|avg))(_\d+)?", re.IGNORECASE)
_LIST = "_model_variables_moving_average"
_TRAINED = "_trainable_variables"
_SLOT = "average"


def moving_averages(checkpoint: Checkpoint) -> dict[str, str]:
    """Return key of a weight -> key of its moving average, in file order. Reads the object graph, no values."""
    variables = checkpoint.variables
    found: dict[str, str] = {}
    for weight, average in (*_by_name(checkpoint), *_by_object(checkpoint)):
        if weight not in variables or average not in variables or weight == average:
            continue
        one, other = variables[weight].tensor, variables[average].tensor
        if one.dtype is other.dtype and one.shape == other.shape:
            found.setdefault(weight, average)
    return {key: found[key] for key in variables if key in found}


def _by_name(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    for key in checkpoint.variables:
        owner, _, last = key.rpartition("/")
        if owner and _LAST.fullmatch(last):
            yield owner, key


def _by_object(checkpoint: Checkpoint) -> Iterator[tuple[str, str]]:
    objects = checkpoint.objects
    if objects is None:
        return
    for node in objects.nodes:
        for original, name, slot in node.slots:
            if name == _SLOT:
                yield from _keys(checkpoint, original, slot)
        averages = node.child(_LIST)
        if averages is not None:
            yield from _of_optimizer(checkpoint, objects, node, averages)


def _of_optimizer(
    checkpoint: Checkpoint, objects: ObjectGraph, optimizer: ObjectNode, averages: ObjectNode
) -> Iterator[tuple[str, str]]:
    trained = optimizer.child(_TRAINED)
    if trained is not None:
        for place, average in averages.children:
            weight = trained.child(place)
            if weight is not None:
                yield from _keys(checkpoint, weight, average)
        return
    named = {full: node for node in objects.nodes for _, full, _ in node.attributes if full}
    for _, average in averages.children:
        for _, full, _ in average.attributes:
            _, mark, name = f"/{full}".partition("/average/")
            if mark and name in named:
                yield from _keys(checkpoint, named[name], average)


def _keys(checkpoint: Checkpoint, weight: ObjectNode, average: ObjectNode) -> Iterator[tuple[str, str]]:
    return zip(checkpoint.keys_of(weight), checkpoint.keys_of(average), strict=False)
