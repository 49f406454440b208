"""What a TFLite model computes, where no interpreter refuses it: what is in the file, or what was in memory.

An interpreter does not see that operators read what is computed behind them, or write more than a tensor holds. Each
counts as a refusal here: another answer for the same inputs, and bytes behind a tensor that have changed.
"""

from __future__ import annotations

import contextlib
from typing import Any

# What is fed, one after the other: each comes after itself and after others.
_NUMBERS = (0, 1, 1, 2, 2, 0, 0)
_PERTURB, _MMAP_THRESHOLD = -6, -3  # of `mallopt`
_ALIGNED = 64  # bytes: where tensors begin; what lies between the end of one and that belongs to nobody


def judge(verdict: dict[str, str], path: str) -> None:
    """Enter the stages `values` and `memory` for a file that nothing has refused so far."""
    for stage, look in (("values", _same_values), ("memory", _own_memory)):
        if not any(verdict.values()):
            verdict[stage] = ""
            try:
                look(path)
            except BaseException as error:
                verdict[stage] = f"{type(error).__name__}: {error}".replace("\n", " ")[:160]


def fed(detail: Any, number: int = 0) -> Any:
    """Return zeros for an input, or another number in every second place; of texts, without which it dies, `a`.

    With the number 2 floats are drawn from -1 to 1.
    """
    import numpy as np

    if detail["dtype"] in (np.bytes_, np.object_):
        return np.full(detail["shape"], b"a", object)
    value = np.zeros(detail["shape"], detail["dtype"])
    if number == 2 and value.dtype.kind == "f":
        return np.random.default_rng(number).uniform(-1, 1, value.shape).astype(value.dtype)
    value.reshape(-1)[::2] = min(number, 1)
    return value


def _same_values(path: str) -> None:
    """Run a model again, with other bytes in memory that nobody has written, and after runs with other inputs."""
    import ctypes

    import numpy as np

    libc = ctypes.CDLL(None)
    libc.mallopt(_MMAP_THRESHOLD, 1 << 30)
    found: dict[int, list[Any]] = {}
    for byte in (0x55, 0xAA):
        libc.mallopt(_PERTURB, byte)
        made = _allocated(path)
        for number in _NUMBERS:
            found.setdefault(number, []).append(_attempt(made, number))
    libc.mallopt(_PERTURB, 0)
    for first, *others in found.values():
        for other in others:
            for value, again in zip(first or (), other or (), strict=False):
                np.testing.assert_array_equal(value, again, "what it computes is what was in memory")


def _allocated(path: str, **more: Any) -> Any:
    from ai_edge_litert import interpreter as litert

    plain = litert.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
    made = litert.Interpreter(model_path=path, experimental_op_resolver_type=plain, **more)
    made.allocate_tensors()
    return made


def _attempt(interpreter: Any, number: int) -> list[Any] | None:
    """Run a model; return None where it does not take the number: an index, a size."""
    with contextlib.suppress(RuntimeError, ValueError):
        for detail in interpreter.get_input_details():
            interpreter.set_tensor(detail["index"], fed(detail, number))
        interpreter.invoke()
        return [interpreter.get_tensor(detail["index"]) for detail in interpreter.get_output_details()]
    return None


def _own_memory(path: str) -> None:
    """Look at what lies behind each tensor before and after a run, where all tensors have memory of their own."""
    import ctypes

    made = _allocated(path, experimental_preserve_all_tensors=True)
    places = _places(made)
    begins = sorted(begin for begin, _ in places.values())
    behind = {}
    for index, (_, end) in places.items():
        bound = min([one for one in begins if one >= end] + [-(-end // _ALIGNED) * _ALIGNED])
        if bound > end:
            behind[index] = end, bound - end
    before = {index: ctypes.string_at(*place) for index, place in behind.items()}
    _attempt(made, 1)
    now = _places(made)
    for index, place in behind.items():
        if now.get(index) == places[index] and ctypes.string_at(*place) != before[index]:
            raise ValueError(f"something is written behind tensor {index}")


def _places(interpreter: Any) -> dict[int, tuple[int, int]]:
    """Return where tensors of the first subgraph begin and end that operators write; no view is left of them."""
    import numpy as np

    written = {int(index) for one in interpreter._get_ops_details() for index in one["outputs"] if index >= 0}
    found = {}
    for index in sorted(written):
        with contextlib.suppress(RuntimeError, ValueError):
            view = interpreter.tensor(index)()
            if isinstance(view, np.ndarray):  # of one number it is a copy
                found[index] = view.ctypes.data, view.ctypes.data + view.nbytes
    return found
