"""Where the LiteRT interpreter has put tensors, in a child process: asked for some tensors it aborts.

Run as a module with a path and the numbers of tensors; prints, as JSON, address and bytes by number.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]


def addresses(path: Path, tensors: Iterable[int]) -> dict[int, tuple[int, int]]:
    """Return address and bytes of some tensors of the first subgraph, without delegates and on one thread."""
    command = [sys.executable, "-m", "tests.oracle.litert_arena", str(path), *map(str, tensors)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=True)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return {int(number): (place[0], place[1]) for number, place in found.items()}


def _print(path: str, tensors: list[int]) -> None:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kind = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    interpreter = Interpreter(path, experimental_op_resolver_type=kind, num_threads=1)
    interpreter.allocate_tensors()
    found = {}
    for number in tensors:
        array = interpreter.tensor(number)()
        found[number] = (array.__array_interface__["data"][0], array.nbytes)
        del array
    print(json.dumps(found))


if __name__ == "__main__":
    _print(sys.argv[1], [int(text) for text in sys.argv[2:]])
