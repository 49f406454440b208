"""The child process: reads a request from a folder, has a runtime carry it out, writes the answer beside it."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphsurgeon.bridges.arrays import load_arrays, save_arrays
from graphsurgeon.bridges.child import ANSWER, FEEDS, REQUEST, RESULTS

if TYPE_CHECKING:
    from collections.abc import Mapping

    Answer = dict[str, Any]


def main(folder: Path) -> None:
    """Carry out the request in a folder."""
    request = json.loads((folder / REQUEST).read_text("utf-8"))
    arrays = load_arrays(folder / FEEDS)
    if "job" in request:
        (folder / ANSWER).write_text(json.dumps(_job(request["job"], request["arguments"], arrays)), "utf-8")
        return
    for call in request["calls"]:
        call["feeds"] = {name: (arrays[feed["array"]], feed["dtype"]) for name, feed in call["feeds"].items()}
    results: dict[str, Any] = {}
    calls: list[Answer] = []
    error = ""
    try:
        runtime = _runtime(request["runtime"])
        for number, (found, failure) in enumerate(runtime(request["source"], request["calls"])):
            calls.append({"error": failure, "results": _kept(found, number, results)})
    except Exception as failure:  # whatever a runtime raises is an answer
        error = f"{type(failure).__name__}: {failure}"
    if results:
        save_arrays(folder / RESULTS, results)
    (folder / ANSWER).write_text(json.dumps({"error": error, "calls": calls}), "utf-8")


def _job(job: str, arguments: Mapping[str, Any], arrays: Mapping[str, Any]) -> Answer:
    module, _, function = job.partition(":")
    try:
        return {"error": "", **getattr(import_module(f"graphsurgeon.bridges.{module}"), function)(arguments, arrays)}
    except Exception as failure:  # whatever a library raises is an answer
        return {"error": f"{type(failure).__name__}: {failure}"}


def _runtime(name: str) -> Any:
    from importlib import import_module

    return import_module(f"graphsurgeon.bridges.workers.{name}_worker").run


def _kept(found: Mapping[str, tuple[str, Any]], number: int, results: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Put arrays aside under numbers; return which is which."""
    places = {}
    for place, (name, (dtype, array)) in enumerate(found.items()):
        results[f"{number}.{place}"] = array
        places[name] = {"array": f"{number}.{place}", "dtype": dtype}
    return places
