"""Inside the child process: load a model with LiteRT and run calls on it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Found = tuple[dict[str, tuple[str, Any]], str]

_INDEX = re.compile(r"#(\d+)")


def run(source: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> Iterator[Found]:
    """Yield results by name, and why there are none, for each call.

    Args:
        source: "path", and "inside": whether tensors inside are fetched too, which takes more memory.
        calls: "signature", "feeds" (key or `#index` -> array and type), "fetches" (name -> key or `#index`).
    """
    interpreter = _interpreter(source["path"], inside=source["inside"])
    for call in calls:
        try:
            found = _run_signature(interpreter, call) if call["signature"] else _run_graph(interpreter, call)
            yield {name: (_type(array), array) for name, array in found.items()}, ""
        except Exception as error:  # noqa: PERF203  # whatever LiteRT raises is an answer
            yield {}, f"{type(error).__name__}: {error}"


def _interpreter(path: str, *, inside: bool) -> Any:
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ImportError:
        import tensorflow as tf

        Interpreter = tf.lite.Interpreter  # noqa: N806  # the name of the class
    return Interpreter(model_path=path, experimental_preserve_all_tensors=inside)


def _run_signature(interpreter: Any, call: Mapping[str, Any]) -> dict[str, Any]:
    runner = interpreter.get_signature_runner(call["signature"])
    details = runner.get_input_details()
    feeds = {name: _fitting(array, details[name]) for name, (array, _) in call["feeds"].items()}
    results = runner(**feeds)
    return {name: _plain(results[key]) for name, key in call["fetches"].items()}


def _run_graph(interpreter: Any, call: Mapping[str, Any]) -> dict[str, Any]:
    details = {detail["index"]: detail for detail in interpreter.get_input_details()}
    for name, (array, _) in call["feeds"].items():
        index = _index(name)
        if tuple(details[index]["shape"]) != array.shape:
            interpreter.resize_tensor_input(index, array.shape)
    interpreter.allocate_tensors()
    for name, (array, _) in call["feeds"].items():
        interpreter.set_tensor(_index(name), _fitting(array, details[_index(name)]))
    interpreter.invoke()
    return {name: _plain(interpreter.get_tensor(_index(tensor))) for name, tensor in call["fetches"].items()}


def _type(array: Any) -> str:
    return "string" if array.dtype.kind == "O" else str(array.dtype)


def _index(name: str) -> int:
    match = _INDEX.fullmatch(name)
    if match is None:
        raise ValueError(f"{name!r} is no index of a tensor")
    return int(match[1])


def _fitting(array: Any, detail: Mapping[str, Any]) -> Any:
    import numpy as np

    if array.dtype.kind == "O":
        return array
    return np.asarray(array, dtype=detail["dtype"], order="C")  # ascontiguousarray would make a list of a scalar


def _plain(array: Any) -> Any:
    import numpy as np

    return np.array(array, object) if array.dtype.kind in "SO" else np.array(array)
