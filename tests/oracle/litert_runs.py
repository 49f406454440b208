"""What the LiteRT interpreter computes of TFLite files, in a child process: it aborts on some of them.

Run as a module with paths; each line of its output is one file's answer as JSON. Inputs are seeded by the index of
their tensor, so that models whose tensors have other names, or more outputs, get the same ones.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
Answer = dict[str, Any]


def runs(paths: Sequence[Path]) -> list[Answer]:
    """Return the answer for each file, in order; one with "error" where the interpreter refuses it or aborts."""
    found: list[Answer] = []
    while len(found) < len(paths):
        rest = paths[len(found) :]
        command = [sys.executable, "-m", "tests.oracle.litert_runs", *map(str, rest)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
        answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        found += answers
        if len(answers) < len(rest):
            found.append({"error": f"the interpreter ended with {done.returncode}"})
    return found


def _answer(path: str) -> Answer:
    return {
        "outputs": _invoked(path, preserve=False),  # what callers get
        "all": _invoked(path, preserve=True),  # what the interpreter itself sees of every tensor
        "signatures": {key: _called(path, key) for key in _interpreter(path).get_signature_list()},
    }


def _interpreter(path: str, *, preserve: bool = False) -> Any:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    return Interpreter(path, experimental_op_resolver_type=resolver, experimental_preserve_all_tensors=preserve)


def _invoked(path: str, *, preserve: bool) -> dict[str, str]:
    interpreter = _interpreter(path, preserve=preserve)
    interpreter.allocate_tensors()
    for item in interpreter.get_input_details():
        interpreter.set_tensor(item["index"], _value(item))
    interpreter.invoke()
    details = interpreter.get_tensor_details() if preserve else interpreter.get_output_details()
    found = {}
    for item in details:
        # A string tensor that was not computed ends the process.
        if preserve and item["dtype"] in (np.object_, np.bytes_, np.str_):
            continue
        try:
            found[str(item["index"])] = _hash(interpreter.get_tensor(item["index"]))
        except ValueError:  # not computed, or of a type that numpy does not have
            continue
    return found


def _called(path: str, key: str) -> dict[str, str] | None:
    runner = _interpreter(path).get_signature_runner(key)
    inputs = {name: _value(item) for name, item in runner.get_input_details().items()}
    try:
        return {name: _hash(value) for name, value in runner(**inputs).items()}
    except (RuntimeError, ValueError):
        return None


def _value(item: dict[str, Any]) -> Any:
    random = np.random.default_rng(item["index"])
    shape, dtype = item["shape"], item["dtype"]
    if dtype in (np.object_, np.bytes_, np.str_):
        return np.full(shape, b"text", dtype=object)
    if np.issubdtype(dtype, np.floating) or np.issubdtype(dtype, np.complexfloating):
        return random.random(shape).astype(dtype)
    return random.integers(0, 2, shape).astype(dtype)


def _hash(value: Any) -> str:
    array = np.asarray(value)
    data = repr(array.tolist()).encode() if array.dtype == object else array.tobytes()
    return f"{array.dtype.name} {list(array.shape)} {hashlib.sha256(data).hexdigest()[:24]}"


def main() -> None:
    """Answer for each path on the command line."""
    for path in sys.argv[1:]:
        try:
            answer = _answer(path)
        except (RuntimeError, ValueError) as error:
            answer = {"error": str(error)[:200]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
