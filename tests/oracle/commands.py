"""Run a command in this process and read its JSON."""

from __future__ import annotations

import contextlib
import io
import json
from typing import Any

from graphsurgeon.cli.app import run


def ask(*arguments: object) -> Any:
    """Return the JSON object that a command prints."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run([*map(str, arguments), "--json"])
    assert status == 0, err.getvalue()
    return json.loads(out.getvalue())
