"""Every command on changed models: no internal error, no work without a bound, no write outside the target."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parents[1] / "tools" / "fuzz.py"
CASES = 30  # in each of ten processes


@pytest.mark.processes
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of processes, and paths of open folders")
@pytest.mark.parametrize("part", range(10))
def test_no_case_has_a_fault(part: int) -> None:
    command = [sys.executable, "-X", "faulthandler", str(TOOL), "--first", str(part * CASES), "--cases", str(CASES)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    ended = f"ended with status {done.returncode}\n{done.stdout}{done.stderr}"
    assert done.stdout == f"{CASES} cases, 0 faults\n", ended
    assert done.returncode == 0, ended
