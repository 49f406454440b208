"""What the LiteRT interpreter says of TFLite files, computed in a child process: it aborts on some of them.

Run as a module with paths; each line of its output is one file's answer as JSON.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
BATCH = 40
STRINGS = (np.object_, np.bytes_, np.str_)


def views(paths: Sequence[Path], *, run: bool = False) -> dict[Path, dict[str, Any]]:
    """Return what the interpreter says of each file that it does not abort on.

    Args:
        paths: the files.
        run: also run the first signature, or the main subgraph, on seeded inputs.
    """
    found: dict[Path, dict[str, Any]] = {}
    waiting = list(paths)
    while waiting:
        batch, waiting = waiting[:BATCH], waiting[BATCH:]
        answers = list(_ask(batch, run=run))
        found.update(zip(batch, answers, strict=False))
        waiting = batch[len(answers) + 1 :] + waiting  # without the one that it aborted on
    return {path: view for path, view in found.items() if "error" not in view}


def _ask(paths: Sequence[Path], *, run: bool) -> Iterator[dict[str, Any]]:
    command = [sys.executable, "-m", "tests.oracle.litert_views", str(int(run)), *map(str, paths)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=600, check=False)
    for line in answer.stdout.splitlines():
        if line.startswith("{"):
            yield json.loads(line)


def _view(path: str, *, run: bool) -> dict[str, Any]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(path, experimental_op_resolver_type=resolver, experimental_preserve_all_tensors=True)
    view: dict[str, Any] = {
        "tensors": [_tensor(item) for item in interpreter.get_tensor_details()],
        "inputs": [item["index"] for item in interpreter.get_input_details()],
        "outputs": [item["index"] for item in interpreter.get_output_details()],
        "signatures": interpreter.get_signature_list(),
    }
    try:
        interpreter.allocate_tensors()
        view["ops"] = [
            [op["op_name"], op["inputs"].tolist(), op["outputs"].tolist()] for op in interpreter._get_ops_details()
        ]
        indices = [tensor["index"] for tensor in view["tensors"]]  # without what kernels add when they prepare
        view["values"] = _values(interpreter, indices)
        if run:
            view["results"] = _results(interpreter, indices)
    except (RuntimeError, ValueError) as error:  # custom operators, Flex: there is no kernel here
        view["unprepared"] = str(error)[:200]
    return view


def _tensor(item: dict[str, Any]) -> dict[str, Any]:
    quantization = item["quantization_parameters"]
    return {
        "index": item["index"],
        "name": item["name"],
        "dtype": item["dtype"].__name__,
        "shape": item["shape"].tolist(),
        "signature": item["shape_signature"].tolist(),
        "scales": quantization["scales"].tolist(),
        "zero_points": quantization["zero_points"].tolist(),
        "axis": quantization["quantized_dimension"],
    }


def _values(interpreter: Any, indices: Sequence[int]) -> dict[str, str]:
    found = {}
    for item in interpreter.get_tensor_details():
        if item["index"] not in indices or item["dtype"] in STRINGS:  # a string not computed yet ends the process
            continue
        try:
            value = interpreter.get_tensor(item["index"])
        except ValueError:  # not computed yet, or of a type that numpy does not have
            continue
        found[str(item["index"])] = hashlib.sha256(value.tobytes()).hexdigest()
    return found


def _results(interpreter: Any, indices: Sequence[int]) -> dict[str, str]:
    random = np.random.default_rng(7)
    for item in interpreter.get_input_details():
        shape = item["shape"]
        if item["dtype"] in STRINGS:
            continue
        if np.issubdtype(item["dtype"], np.floating):
            value = random.random(shape)
        else:
            value = random.integers(0, 2, shape)
        interpreter.set_tensor(item["index"], value.astype(item["dtype"]))
    interpreter.invoke()
    return _values(interpreter, indices)


def main() -> None:
    """Answer for each path on the command line."""
    for path in sys.argv[2:]:
        try:
            answer = _view(path, run=sys.argv[1] == "1")
        except (RuntimeError, ValueError) as error:
            answer = {"error": str(error)[:200]}
        print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    main()
