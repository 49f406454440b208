"""Run calls in a process of its own, so that a crash of a runtime is a message and its memory is given back.

The process stands in a scratch folder and imports nothing from the folder that the user stands in.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from graphsurgeon.bridges.arrays import load_arrays, save_arrays
from graphsurgeon.compare.entries import OneRun, Result, RunOutcome
from graphsurgeon.disk.files import open_source
from graphsurgeon.disk.places import MemberPath, RemotePath, path_of
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.export import export_file
from graphsurgeon.model.format import ONNX, TENSORFLOW, Format

REQUEST, FEEDS, ANSWER, RESULTS = "request.json", "feeds.npz", "answer.json", "results.npz"
START = Path(__file__).with_name("workers") / "start.py"
STAND = "here"  # the folder that relative paths in a model lead to


class Need(NamedTuple):
    """What a runtime or a converter needs.

    Attributes:
        title: what messages call it.
        extra: that installs it.
        packages: groups, of each of which one package must be there.
    """

    title: str
    extra: str
    packages: tuple[tuple[str, ...], ...]


NEEDS = {  # runtimes, and extras of converters
    "tensorflow": Need("TensorFlow", "tensorflow", (("tensorflow",),)),
    "litert": Need("LiteRT", "litert", (("ai_edge_litert", "tensorflow"),)),
    "onnxruntime": Need("onnxruntime", "onnx", (("onnxruntime",),)),
    "openvino": Need("OpenVINO", "openvino", (("openvino",),)),
    "keras": Need("Keras and TensorFlow", "tensorflow", (("keras",), ("tensorflow",))),
    "tf2onnx": Need("tf2onnx and onnxruntime", "onnx", (("tf2onnx",), ("onnxruntime",))),
}
RUNTIMES = ("tensorflow", "litert", "onnxruntime", "openvino")  # that `--runtime` takes
_MOST_TOLD = 300  # characters of what a runtime says
_TRACE = re.compile(
    r"Detected at node '?([^' ]+)'? defined at \(most recent call last\):"
    r"(?: <stack traces unavailable>| File .*? Node: '[^']*'| Node: '[^']*')? ?"
)


def runtime_of(traits: Format, path: object, *, hint: str = "", wanted: str | None = None) -> str:
    """Return the runtime that runs a format's graphs: as they are, or written anew as a GraphDef.

    Args:
        traits: the format.
        path: of the model.
        hint: what else can be done with a model without graph.
        wanted: this one; without it the first of the format's that is installed, or the first.

    Raises:
        UnsupportedError: nothing here runs them, or not what is wanted.
        UsageError: there is no such runtime.
    """
    if wanted is not None and wanted not in RUNTIMES:
        raise UsageError(f"{wanted!r} is no runtime", hint=f"one of {', '.join(RUNTIMES)}")
    if isinstance(path, str | os.PathLike) and isinstance(path_of(path), RemotePath):
        raise UnsupportedError("a model is run from a disk of this machine", path=path, hint="copy it here first")
    if not traits.holds_graph:
        raise traits.refuse("has no graph to run", hint=hint).at(path)
    runtimes = traits.runtimes or (("tensorflow",) if traits.vocabulary == TENSORFLOW else ())
    if not runtimes:
        by_onnx = "gs convert MODEL net.onnx makes of it what onnxruntime runs" if ONNX in traits.becomes else ""
        raise traits.refuse("is not run here", hint=by_onnx).at(path)
    if wanted is None:
        return next((runtime for runtime in runtimes if is_installed(runtime)), runtimes[0])
    found = next((runtime for runtime in runtimes if is_meant(wanted, runtime)), None)
    if found is None:
        there = " or ".join(NEEDS[runtime].title for runtime in runtimes)
        raise traits.refuse(f"is not run by {NEEDS[wanted].title}", hint=f"it is by {there}").at(path)
    return found


def is_meant(wanted: str, runtime: str) -> bool:
    """Say whether a runtime is what is wanted: Keras files are run by what the extra tensorflow brings."""
    return wanted in (runtime, NEEDS[runtime].extra)


def is_installed(need: str) -> bool:
    """Say whether the packages of a runtime, or of a converter's extra, are there. Imports nothing."""
    return all(any(importlib.util.find_spec(package) for package in group) for group in NEEDS[need].packages)


def require_extra(need: str, what: str = "running this model") -> None:
    """Refuse to go on without the packages of a runtime, or of a converter's extra. Imports nothing.

    Args:
        need: a runtime, or an extra.
        what: needs it.

    Raises:
        UnsupportedError: with the extra's name.
    """
    if not is_installed(need):
        title, extra, groups = NEEDS[need]
        raise UnsupportedError(
            f"{what} needs {title}, which {'are' if len(groups) > 1 else 'is'} not installed",
            hint=f"install the extra: pip install 'tf-graphsurgeon[{extra}]'",
        )


def ask(
    runtime: str, source: dict[str, Any], calls: Sequence[OneRun], *, stand: Path | None = None
) -> list[RunOutcome]:
    """Run calls on a model in a child process.

    Args:
        runtime: one of `NEEDS`.
        source: where the model is and how to load it, see the worker of the runtime.
        calls: what to run.
        stand: the folder that the process stands in; a scratch folder of its own without one.

    Raises:
        UnsupportedError: the extra is missing, the runtime crashes, or it cannot load the model.
    """
    require_extra(runtime)
    with tempfile.TemporaryDirectory(prefix="gs-run-") as name:
        folder = Path(name)
        _write_request(folder, runtime, source, calls)
        died = _run_child(folder, stand)
        if died:
            raise UnsupportedError(f"the runtime {died[0]} while running it{died[1]}", path=source["path"])
        return _read_answer(folder, calls, str(source["path"]))


def have_done(job: str, arguments: Mapping[str, Any], arrays: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Have a function do something in a child process: what a library of others is asked for besides running a model.

    Args:
        job: "module:function" below `graphsurgeon.bridges`; it takes the arguments and the arrays.
        arguments: that JSON can hold.
        arrays: by name.

    Returns:
        what the function returns, under "error" what it raised (empty if nothing), under "died" how the process ended
        instead of answering.
    """
    with tempfile.TemporaryDirectory(prefix="gs-run-") as name:
        folder = Path(name)
        save_arrays(folder / FEEDS, dict(arrays or {}))
        (folder / REQUEST).write_text(json.dumps({"job": job, "arguments": dict(arguments)}), "utf-8")
        died = _run_child(folder, None)
        if died:
            return {"error": "", "died": "".join(died)}
        answer: dict[str, Any] = json.loads((folder / ANSWER).read_text("utf-8"))
        return {"died": "", **answer}


def _run_child(folder: Path, stand: Path | None) -> tuple[str, str] | None:
    """Have the process carry out the request in a folder; return how it ended and what it said, if not with an answer.

    Args:
        folder: with the request.
        stand: the folder that the process stands in; a scratch folder of its own without one.
    """
    if stand is None:
        stand = folder / STAND
        stand.mkdir()
    process = subprocess.run(
        [sys.executable, os.path.abspath(START), str(folder)],
        env=_environment(os.environ),
        cwd=stand,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        check=False,
    )
    return None if (folder / ANSWER).exists() else _death(process.returncode, process.stderr)


def _environment(ours: Mapping[str, str]) -> dict[str, str]:
    """Let the child import nothing from where it stands, and TensorFlow be quiet and leave the GPU alone.

    An empty entry of PYTHONPATH stands for the current folder, a relative one for a folder in it; Python takes
    `sitecustomize` from there before any program begins.
    """
    quiet = {"TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore", "CUDA_VISIBLE_DEVICES": "-1"}
    entries = ours.get("PYTHONPATH", "").split(os.pathsep)
    paths = os.pathsep.join(entry for entry in entries if os.path.isabs(entry))
    environment = {**ours, **quiet, "PYTHONSAFEPATH": "1", "PYTHONPATH": paths}
    return {name: value for name, value in environment.items() if name != "PYTHONPATH" or value}


def _write_request(folder: Path, runtime: str, source: dict[str, Any], calls: Sequence[OneRun]) -> None:
    arrays = {}
    requests = []
    for number, call in enumerate(calls):
        feeds = {}
        for place, (name, array) in enumerate(call.feeds.items()):
            feeds[name] = {"array": f"{number}.{place}", "dtype": call.dtypes.get(name)}
            arrays[f"{number}.{place}"] = array
        requests.append(
            {"loader": call.loader, "signature": call.signature, "feeds": feeds, "fetches": dict(call.fetches)}
        )
    save_arrays(folder / FEEDS, arrays)
    request = {"runtime": runtime, "source": _absolute(_on_disk(source, folder)), "calls": requests}
    (folder / REQUEST).write_text(json.dumps(request), "utf-8")


def _on_disk(source: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Take a model out of the bundle that it lies in: runtimes read files."""
    path = path_of(source["path"])
    if not isinstance(path, MemberPath):
        return source
    taken = folder / "taken.model"
    export_file(taken, [open_source(path).whole()], sources=())
    return {**source, "path": str(taken)}


def _absolute(source: dict[str, Any]) -> dict[str, Any]:
    """Write paths so that they name the same files wherever the child stands."""
    paths = {key: os.path.join(os.getcwd(), source[key]) for key in ("path", "checkpoint") if source.get(key)}
    return {**source, **paths}


def _read_answer(folder: Path, calls: Sequence[OneRun], path: str) -> list[RunOutcome]:
    answer = json.loads((folder / ANSWER).read_text("utf-8"))
    if answer["error"]:
        raise UnsupportedError(f"the runtime cannot load it: {shortened(answer['error'])}", path=path)
    arrays = load_arrays(folder / RESULTS) if (folder / RESULTS).exists() else {}
    outcomes = []
    for item, call in zip(answer["calls"], calls, strict=True):
        found = item["results"]
        results = {
            name: Result(found[name]["dtype"], arrays[found[name]["array"]]) for name in call.fetches if name in found
        }
        outcomes.append(RunOutcome(results, shortened(item["error"])))
    return outcomes


def shortened(text: str) -> str:
    """Return what a runtime says in one line, without the traces that are of use to its developers only."""
    line = " ".join(text.split())
    line = _TRACE.sub(lambda match: f"at node {match[1]}: ", line)
    for mark in (" Original stack trace", " [[", " [Op:"):
        line = line.partition(mark)[0]
    return line if len(line) <= _MOST_TOLD else f"{line[:_MOST_TOLD]}..."


def _death(status: int, said: bytes) -> tuple[str, str]:
    lines = said.decode("utf-8", "backslashreplace").strip().splitlines()
    last = f": {shortened(lines[-1])}" if lines else ""
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"crashed ({name})", last
    return f"ended with status {status}", last
