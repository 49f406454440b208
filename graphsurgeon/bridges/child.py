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
from typing import Any

from graphsurgeon.bridges.arrays import load_arrays, save_arrays
from graphsurgeon.compare.entries import OneRun, Result, RunOutcome
from graphsurgeon.disk.places import RemotePath, path_of
from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.format import TENSORFLOW, Format

REQUEST, FEEDS, ANSWER, RESULTS = "request.json", "feeds.npz", "answer.json", "results.npz"
START = Path(__file__).with_name("start.py")
STAND = "here"  # the folder that relative paths in a model lead to
# Extra -> what messages call it, and the packages that it stands for: groups of which one package each must be there.
EXTRAS: dict[str, tuple[str, tuple[tuple[str, ...], ...]]] = {
    "tensorflow": ("TensorFlow", (("tensorflow",),)),
    "litert": ("LiteRT", (("ai_edge_litert", "tensorflow"),)),
    "onnx": ("tf2onnx and onnxruntime", (("tf2onnx",), ("onnxruntime",))),
}
_MOST_TOLD = 300  # characters of what a runtime says
_TRACE = re.compile(
    r"Detected at node '?([^' ]+)'? defined at \(most recent call last\):"
    r"(?: <stack traces unavailable>| File .*? Node: '[^']*'| Node: '[^']*')? ?"
)


def runtime_of(traits: Format, path: object, *, hint: str = "") -> str:
    """Return the runtime that runs a format's graphs: as they are, or written anew as a GraphDef.

    Raises:
        UnsupportedError: nothing here runs them.
    """
    if isinstance(path, str | os.PathLike) and isinstance(path_of(path), RemotePath):
        raise UnsupportedError("a model is run from a disk of this machine", path=path, hint="download it first")
    if not traits.holds_graph:
        raise traits.refuse("has no graph to run", hint=hint).at(path)
    if not traits.runtime and traits.vocabulary != TENSORFLOW:
        raise traits.refuse("is not run here").at(path)
    return traits.runtime or "tensorflow"


def require_extra(extra: str, what: str = "running this model") -> None:
    """Refuse to go on without the packages of an extra. Imports nothing.

    Args:
        extra: its name.
        what: needs it.

    Raises:
        UnsupportedError: with the extra's name.
    """
    title, groups = EXTRAS[extra]
    if not all(any(importlib.util.find_spec(package) for package in group) for group in groups):
        verb = "are" if len(groups) > 1 else "is"
        raise UnsupportedError(
            f"{what} needs {title}, which {verb} not installed",
            hint=f"install the extra: pip install 'tf-graphsurgeon[{extra}]'",
        )


def ask(
    runtime: str, source: dict[str, Any], calls: Sequence[OneRun], *, stand: Path | None = None
) -> list[RunOutcome]:
    """Run calls on a model in a child process.

    Args:
        runtime: "tensorflow" or "litert".
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
        if stand is None:
            stand = folder / STAND
            stand.mkdir()
        process = subprocess.run(
            [sys.executable, os.path.abspath(START), name],
            env=_environment(os.environ),
            cwd=stand,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            check=False,
        )
        if not (folder / ANSWER).exists():
            raise UnsupportedError(_death(process.returncode, process.stderr), path=source["path"])
        return _read_answer(folder, calls, str(source["path"]))


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
    request = {"runtime": runtime, "source": _absolute(source), "calls": requests}
    (folder / REQUEST).write_text(json.dumps(request), "utf-8")


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


def _death(status: int, said: bytes) -> str:
    lines = said.decode("utf-8", "backslashreplace").strip().splitlines()
    last = f": {shortened(lines[-1])}" if lines else ""
    if status < 0:
        try:
            name = signal.Signals(-status).name
        except ValueError:
            name = f"signal {-status}"
        return f"the runtime crashed ({name}) while running it{last}"
    return f"the runtime ended with status {status}{last}"
