"""What `graphsurgeon` offers: each name is there, also after every module was imported; no module takes its place."""

from __future__ import annotations

import subprocess
import sys
import threading

import pytest

import graphsurgeon
from graphsurgeon.errors import UsageError

EVERYTHING = """
import importlib, pkgutil
import graphsurgeon
for module in pkgutil.walk_packages(graphsurgeon.__path__, "graphsurgeon."):
    if not module.name.endswith(("__main__", "workers.start", "workers.worker", "adapters.main")):
        importlib.import_module(module.name)
functions = ["check", "diff", "find", "infer_shapes", "read", "scan", "summarize", "write"]
model = graphsurgeon.read("fixtures/graphdef/linear.pb")
assert not graphsurgeon.check(model)
assert graphsurgeon.find(model, shape="?,3")
assert not graphsurgeon.diff(model, model).changes
assert graphsurgeon.summarize(model).graphs
assert not graphsurgeon.scan("fixtures/graphdef/linear.pb").findings
assert graphsurgeon.surgery.freeze(model, outputs="Softmax").fetches
print(*(name for name in functions if not callable(getattr(graphsurgeon, name))))
"""


def test_functions_stay_functions_whatever_is_imported() -> None:
    done = subprocess.run([sys.executable, "-c", EVERYTHING], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (0, ""), done.stderr


def test_every_public_name_is_listed_and_there() -> None:
    assert set(graphsurgeon.__all__) <= set(dir(graphsurgeon))
    assert all(getattr(graphsurgeon, name) is not None for name in graphsurgeon.__all__)


def test_find_refuses_a_path() -> None:
    with pytest.raises(UsageError, match=r"find takes a model first, not 'model\.pb'"):
        graphsurgeon.find("model.pb", op="Relu")  # type: ignore[arg-type]


def test_the_program_runs_outside_the_main_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    from graphsurgeon.cli import app

    statuses: list[object] = []
    monkeypatch.setattr(sys, "argv", ["gs", "--version"])
    monkeypatch.setattr("gc.freeze", lambda: None)
    monkeypatch.setattr("gc.set_threshold", lambda *_: None)

    def run() -> None:
        try:
            app.main()
        except SystemExit as stop:
            statuses.append(stop.code)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert statuses == [0]
