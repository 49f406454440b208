"""Time and memory of processes, and the table that is printed of them."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path(tempfile.gettempdir()) / "graphsurgeon-benchmarks"
GS = [sys.executable, "-m", "graphsurgeon"]

MAKE = """
import sys, keras
model = getattr(keras.applications, sys.argv[1])(weights=None)
model.export(sys.argv[2], verbose=False)
"""


class Cost(NamedTuple):
    """What a process took: seconds from start to end, largest resident set in MB, CPU seconds."""

    seconds: float
    megabytes: float
    cpu: float = 0.0


class Row(NamedTuple):
    """One line of the table, and what is demanded of it.

    Attributes:
        faster, smaller: least ratios of the other to ours.
        slower_at_most: largest ratio of ours to the other.
        seconds_at_most, megabytes_at_most, cpu_at_most: largest of ours.
    """

    work: str
    ours: Cost
    other: Cost | None = None
    faster: float | None = None
    smaller: float | None = None
    slower_at_most: float | None = None
    seconds_at_most: float | None = None
    megabytes_at_most: float | None = None
    cpu_at_most: float | None = None


def run(command: Sequence[str | Path], *, allowed: Sequence[int] = (0,)) -> Cost:
    """Run a process to its end.

    Compiled modules are kept, as those of an installed package are; the first of several runs compiles them.
    """
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": str(FOLDER / "pycache")}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    process = subprocess.Popen(
        list(map(str, command)), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=ROOT, env=environment
    )
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode not in allowed:
        raise SystemExit(f"{' '.join(map(str, command))[:200]} failed:\n{errors.decode()}")
    megabytes = usage.ru_maxrss / (1 << 20 if sys.platform == "darwin" else 1 << 10)
    return Cost(seconds, megabytes, usage.ru_utime + usage.ru_stime)


def paired(ours: Sequence[str | Path], other: Sequence[str | Path], *, repeat: int) -> tuple[Cost, Cost]:
    """Run two commands in turn, so that both meet the same machine; return the best of each."""
    costs = [(run(ours), run(other)) for _ in range(repeat + 1)][1:]  # the first pair fills caches
    return _best(cost for cost, _ in costs), _best(cost for _, cost in costs)


def _best(costs: object) -> Cost:
    listed: list[Cost] = list(costs)  # type: ignore[call-overload]
    return Cost(*map(min, zip(*listed, strict=True)))


def keras_application(name: str = "ResNet50") -> Path:
    """Return the SavedModel of a Keras application with random weights, exported when it is first asked for."""
    model = FOLDER / name
    if not model.exists():
        FOLDER.mkdir(parents=True, exist_ok=True)
        run([sys.executable, "-c", MAKE, name, model])
    return model


def frozen(model: Path) -> Path:
    """Return the frozen graph of a SavedModel, made when it is first asked for."""
    target = model.with_suffix(".pb")
    if not target.exists():
        run([*GS, "freeze", model, "-o", target])
    return target


def best(command: Sequence[str | Path], *, repeat: int) -> Cost:
    """Run a command several times; return the best."""
    return _best([run(command) for _ in range(repeat + 1)][1:])


def anew(target: Path, command: Sequence[str | Path]) -> list[str | Path]:
    """Return a command that first removes what an earlier run wrote: giving its blocks back is not part of the work."""
    return ["sh", "-c", 'rm -f "$0"; exec "$@"', target, *command]


def print_table(rows: Sequence[Row]) -> bool:
    """Print rows and say whether all keep to what is demanded."""
    beside = f"{'other s':>8} {'MB':>5} {'faster':>7} {'smaller':>8}"
    print(f"{'work':54} {'ours s':>7} {'CPU s':>6} {'MB':>5} {beside}  demanded")
    kept = True
    for row in rows:
        met = list(_demands(row))
        kept &= all(ok for _, ok in met)
        verdict = ", ".join(text + ("" if ok else " MISSED") for text, ok in met)
        beside = f"{'':31}"
        if row.other is not None:
            faster, smaller = _ratios(row.ours, row.other)
            beside = f"{row.other.seconds:8.3f} {row.other.megabytes:5.0f} {faster:6.1f}x {smaller:7.1f}x"
        print(
            f"{row.work:54} {row.ours.seconds:7.3f} {row.ours.cpu:6.2f} {row.ours.megabytes:5.0f} {beside}  {verdict}",
            flush=True,
        )
    return kept


def _demands(row: Row) -> Iterator[tuple[str, bool]]:
    if row.other is not None:
        faster, smaller = _ratios(row.ours, row.other)
        if row.faster is not None:
            yield f"{row.faster}x faster", faster >= row.faster
        if row.smaller is not None:
            yield f"{row.smaller}x less memory", smaller >= row.smaller
        if row.slower_at_most is not None:
            yield f"at most {row.slower_at_most}x slower", 1 / faster <= row.slower_at_most
    if row.seconds_at_most is not None:
        yield f"at most {row.seconds_at_most:g} s", row.ours.seconds <= row.seconds_at_most
    if row.cpu_at_most is not None:
        yield f"at most {row.cpu_at_most:g} s of CPU", row.ours.cpu <= row.cpu_at_most
    if row.megabytes_at_most is not None:
        yield f"at most {row.megabytes_at_most:g} MB", row.ours.megabytes <= row.megabytes_at_most


def _ratios(ours: Cost, other: Cost) -> tuple[float, float]:
    return other.seconds / ours.seconds, other.megabytes / ours.megabytes
