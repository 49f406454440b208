"""Inside the child process: load a Keras file with Keras and run calls on it. No code of a Lambda layer is run."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphsurgeon.bridges.workers.named import placed, plain, said

Found = tuple[dict[str, tuple[str, Any]], str]


def run(source: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> Iterator[Found]:
    """Yield results by name, and why there are none, for each call.

    Args:
        source: "path".
        calls: "feeds" (name -> array and type), "fetches" (name -> an output, or a layer).
    """
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    model = keras.saving.load_model(source["path"], compile=False, safe_mode=True)
    for call in calls:
        try:
            yield _run(model, call), ""
        except Exception as error:  # noqa: PERF203  # whatever Keras raises is an answer
            yield {}, said(error)


def _run(model: Any, call: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    import keras
    import numpy as np

    arrays = [array for array, _ in call["feeds"].values()]
    if not getattr(model, "inputs", None):
        model(*arrays, training=False)  # builds it
    inputs = placed(list(call["feeds"]), model.inputs, {place: [x.name] for place, x in enumerate(model.inputs)})
    if None in inputs:
        there = ", ".join(str(each.name) for each in model.inputs)
        raise ValueError(f"Keras has no such input as each of {', '.join(call['feeds'])}; it has {there}")
    outputs = _outputs(model, list(call["fetches"].values()))
    inner = keras.Model(model.inputs, outputs)
    by_place = {id(each): array for each, array in zip(inputs, arrays, strict=True)}
    results = inner([by_place[id(each)] for each in model.inputs], training=False)
    results = results if isinstance(results, list | tuple) else [results]  # of one output Keras returns it alone
    return {name: plain(np.asarray(result)) for name, result in zip(call["fetches"], results, strict=True)}


def _outputs(model: Any, names: Sequence[str]) -> list[Any]:
    """Return outputs by their names, which Keras takes from layers, or what layers inside yield."""
    named = dict(zip(getattr(model, "output_names", ()), model.outputs, strict=False))
    layers = {layer.name: layer for layer in model.layers}
    if not {*named, *layers} & set(names) and len(names) == len(model.outputs):
        return list(model.outputs)
    return [named[name] if name in named else layers[name].output for name in names]
