"""Inside the child process: Keras loads one of its files, exports it as a SavedModel, and both compute."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

UNKNOWN = (2, 8)  # sizes of an unknown batch, and of other unknown dimensions
PICTURE = 64  # of the sides of a picture


def export(arguments: Mapping[str, Any], arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Load, export, load the export, and give the results of both on seeded data.

    Args:
        arguments: "path", "target" (a folder to come), "seed", "verify", "results" (an `.npz` to come).
        arrays: none.

    Returns:
        "names" of the outputs, "problem" where they could not be computed.
    """
    del arrays
    os.environ["KERAS_BACKEND"] = "tensorflow"
    import keras

    model = keras.models.load_model(arguments["path"], compile=False, safe_mode=True)
    model.export(arguments["target"], format="tf_saved_model", verbose=False)
    if not arguments["verify"]:
        return {"names": [], "problem": ""}
    try:
        feeds = [_data(spec, arguments["seed"] + place) for place, spec in enumerate(_flat(model.inputs))]
    except (AttributeError, ValueError, TypeError) as error:
        return {"names": [], "problem": f"no data can be made for its inputs: {error}"}
    return _computed(model, feeds, arguments)


def _computed(model: Any, feeds: Sequence[Any], arguments: Mapping[str, Any]) -> dict[str, Any]:
    import numpy as np
    import tensorflow as tf

    from graphsurgeon.bridges.arrays import save_arrays

    given = [tf.constant(feed) for feed in feeds]
    packed = tf.nest.pack_sequence_as(getattr(model, "_inputs_struct", model.inputs), given)
    ours = _flat(model(packed if len(given) > 1 else given[0], training=False))
    loaded = tf.saved_model.load(arguments["target"])  # its variables live as long as it does
    theirs = _flat(_served(loaded.serve, packed, given))
    names = [str(name) for name in getattr(model, "output_names", [])]
    if len(names) != len(ours):
        names = [f"output_{place}" for place in range(len(ours))]
    results = {f"{place}.0": np.asarray(value) for place, value in enumerate(ours)}
    results |= {f"{place}.1": np.asarray(value) for place, value in enumerate(theirs)}
    save_arrays(Path(arguments["results"]), results)
    return {"names": names, "problem": "" if len(ours) == len(theirs) else "the export has other outputs"}


def _served(serve: Any, packed: Any, given: Sequence[Any]) -> Any:
    """Call the export; Keras gives it the structure of the inputs, or a list, or the only input itself."""
    try:
        return serve(packed)
    except (TypeError, ValueError):
        try:
            return serve(list(given))
        except (TypeError, ValueError):
            return serve(*given)


def _flat(values: Any) -> list[Any]:
    import tensorflow as tf

    return list(tf.nest.flatten(values))


def _data(spec: Any, seed: int) -> Any:
    """Return numbers from 0 to 1, small integers, or words, of the shape of an input."""
    import numpy as np

    shape = tuple(spec.shape)
    inner = PICTURE if len(shape) == 4 else UNKNOWN[1]
    dims = [(UNKNOWN[0] if place == 0 else inner) if dim is None else dim for place, dim in enumerate(shape)]
    random = np.random.default_rng(seed)
    kind = str(spec.dtype)
    if kind == "string":
        return np.full(dims, b"alpha", object)
    if "float" in kind:
        return random.random(dims).astype("float32" if kind == "bfloat16" else kind)
    return random.integers(0, 2, dims).astype(kind)
