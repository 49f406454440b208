"""Inside the child process: load a model with onnxruntime and run calls on it. No library of custom ops is loaded."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphsurgeon.bridges.workers.named import plain, said

Found = tuple[dict[str, tuple[str, Any]], str]
_FATAL = 4  # of onnxruntime's severities: it says nothing; errors come as exceptions


def run(source: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> Iterator[Found]:
    """Yield results by name, and why there are none, for each call.

    Args:
        source: "path".
        calls: "feeds" (name -> array and type), "fetches" (name -> name of a tensor).
    """
    session = _session(source["path"])
    for call in calls:
        try:
            yield _run(_with(session, source["path"], call["fetches"].values()), call), ""
        except Exception as error:  # noqa: PERF203  # whatever onnxruntime raises is an answer
            yield {}, said(error)


def _session(model: Any) -> Any:
    import onnxruntime

    onnxruntime.set_default_logger_severity(_FATAL)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _with(session: Any, path: str, fetches: Any) -> Any:
    """Return a session that yields what is asked for: of a tensor inside, one of a copy that has it as an output."""
    inside = sorted(set(fetches) - {item.name for item in session.get_outputs()})
    if not inside:
        return session
    import onnx

    model = onnx.load(path)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inside)
    return _session(model.SerializeToString())


def _run(session: Any, call: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    feeds = {name: _fitting(array) for name, (array, _) in call["feeds"].items()}
    names = list(call["fetches"])
    results = session.run([call["fetches"][name] for name in names], feeds)
    # Sequences and maps, such as the probabilities of a classifier of scikit-learn, are no arrays.
    return {name: plain(result) for name, result in zip(names, results, strict=True) if hasattr(result, "dtype")}


def _fitting(array: Any) -> Any:
    """Return texts as onnxruntime takes them."""
    import numpy as np

    if array.dtype.kind != "O":
        return np.asarray(array, order="C")
    texts = np.empty(array.size, object)
    texts[:] = [bytes(item).decode("utf-8", "replace") for item in array.reshape(-1).tolist()]
    return texts.reshape(array.shape)
