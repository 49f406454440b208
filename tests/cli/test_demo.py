"""`tools/demo.sh`, which `make demo` runs, ends well and leaves what it tells of."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.processes
@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_the_demo_tells_its_story(tmp_path: Path) -> None:
    gs = tmp_path / "gs"
    gs.write_text(f'#!/bin/sh\nexec {sys.executable} -m graphsurgeon "$@"\n')
    gs.chmod(0o755)
    for name in ("fixtures", "tools"):
        (tmp_path / name).symlink_to(ROOT / name)
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        ["bash", "tools/demo.sh", str(gs)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    told = [line for line in done.stdout.splitlines() if line.startswith("# ")]
    assert len(told) >= 8
    assert told[-1] == "# Where to go on"
    assert all(
        (tmp_path / "demo" / name).exists() for name in ("face.pb", "small.pb", "face/1", "face.svg", "face.html")
    )
