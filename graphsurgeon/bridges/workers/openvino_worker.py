"""Inside the child process: load a model with OpenVINO and run calls on it, in single precision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from graphsurgeon.bridges.workers.named import plain, said

Found = tuple[dict[str, tuple[str, Any]], str]
# Without the hint CPUs that compute in bfloat16 do so: results are 1e-2 off.
_PRECISE = {"INFERENCE_PRECISION_HINT": "f32"}


def run(source: Mapping[str, Any], calls: Sequence[Mapping[str, Any]]) -> Iterator[Found]:
    """Yield results by name, and why there are none, for each call.

    Args:
        source: "path".
        calls: "feeds" (name -> array and type), "fetches" (name -> name of a tensor, or key of the signature).
    """
    import openvino

    core = openvino.Core()
    for call in calls:
        try:
            yield _run(core, core.read_model(source["path"]), call), ""
        except Exception as error:  # noqa: PERF203  # whatever OpenVINO raises is an answer
            yield {}, said(error)


def _run(core: Any, model: Any, call: Mapping[str, Any]) -> dict[str, tuple[str, Any]]:
    names, fetched = list(call["fetches"]), list(call["fetches"].values())
    found = _ports(fetched, model.outputs)
    inside = [tensor for tensor, port in zip(fetched, found, strict=True) if port is None]
    if inside:
        model.add_outputs(inside)
        found = _ports(fetched, model.outputs)
    outputs = [model.outputs.index(port) for port in found]
    compiled = core.compile_model(model, "CPU", _PRECISE)
    fed = _ports(list(call["feeds"]), compiled.inputs)
    if None in fed:
        there = ", ".join(str(port.any_name) for port in compiled.inputs)
        raise ValueError(f"OpenVINO has no such input as each of {', '.join(call['feeds'])}; it has {there}")
    feeds = {port: array for port, (array, _) in zip(fed, call["feeds"].values(), strict=True)}
    results = compiled(feeds)
    return {name: plain(results[place]) for name, place in zip(names, outputs, strict=True)}


def _ports(names: Sequence[str], ports: Sequence[Any]) -> list[Any]:
    by_name = {name: port for port in ports for name in port.get_names()}
    return [by_name.get(name) for name in names]
