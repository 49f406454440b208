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
            yield _run(_with(session, source["path"], call), call), ""
        except Exception as error:  # noqa: PERF203  # whatever onnxruntime raises is an answer
            yield {}, said(error)


def _session(model: Any) -> Any:
    import onnxruntime

    onnxruntime.set_default_logger_severity(_FATAL)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = _FATAL
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _with(session: Any, path: str, call: Mapping[str, Any]) -> Any:
    """Return a session that takes and yields what is asked for: of tensors inside, one of a copy with other ends."""
    fetches = call["fetches"].values()
    inside = sorted(set(fetches) - {item.name for item in session.get_outputs()})
    fed = {name: array for name, (array, _) in call["feeds"].items() if name not in _inputs_of(session)}
    if not (inside or fed):
        return session
    import onnx

    model = onnx.load(path)
    model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in inside)
    if fed:
        _cut(model.graph, fed, set(fetches))
    return _session(model.SerializeToString())


def _inputs_of(session: Any) -> set[str]:
    return {item.name for item in (*session.get_inputs(), *session.get_overridable_initializers())}


def _cut(graph: Any, fed: Mapping[str, Any], fetches: set[str]) -> None:
    """Leave a graph what tensors need, down to others that are fed instead of computed."""
    import onnx

    needed, kept = set(fetches), []
    for node in reversed(graph.node):
        made = set(node.output) - fed.keys()
        if made & needed:
            kept.append(node)
            needed |= _read(node)
    for node in kept:
        node.output[:] = [f"{name} (not read)" if name in fed else name for name in node.output]
    ends = [one for one in graph.output if one.name in fetches]
    inputs = [one for one in graph.input if one.name in needed and one.name not in fed]
    types = {name: onnx.helper.np_dtype_to_tensor_dtype(array.dtype) for name, array in fed.items()}
    inputs += [onnx.helper.make_tensor_value_info(name, dtype, None) for name, dtype in types.items()]
    for field, items in (("node", reversed(kept)), ("output", ends), ("input", inputs)):
        items = list(items)
        graph.ClearField(field)
        getattr(graph, field).extend(items)
    inner = [info for info in graph.value_info if info.name not in fed]
    graph.ClearField("value_info")
    graph.value_info.extend(inner)


def _read(node: Any) -> set[str]:
    """Return the names that a node reads, those that its bodies take from outside among them."""
    bodies = [body for one in node.attribute for body in ([one.g] if one.HasField("g") else one.graphs)]
    inner = [name for body in bodies for each in body.node for name in _read(each)]
    return {*node.input, *inner, *(one.name for body in bodies for one in body.output)}


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
