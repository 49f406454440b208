"""The table of ops, against the catalog here and against TensorFlow's registry."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from types import ModuleType

import pytest

from graphsurgeon.ops import catalog
from graphsurgeon.scanning.table import ACTS, OpRule, known_packages, rules
from tests.conftest import ROOT


@pytest.fixture(scope="module")
def check() -> ModuleType:
    spec = importlib.util.spec_from_file_location("check_scan_ops", ROOT / "tools/check_scan_ops.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_op_of_the_catalog_was_judged(check: ModuleType) -> None:
    harmless = set(check.HARMLESS.read_text().split())
    table = rules()
    assert catalog.names() - table.keys() - harmless == set()
    assert harmless - catalog.names() == set()
    assert {op for op, rule in table.items() if not rule.package} - catalog.names() == set()


def test_arguments_of_the_table_are_those_of_the_ops() -> None:
    for op, rule in rules().items():
        opdef = catalog.get(op)
        if opdef is not None:
            assert set(rule.inputs) <= {argument.name for argument in opdef.inputs}, op
            assert set(rule.attrs) <= set(opdef.attrs), op


def test_what_acts_says_what_it_does() -> None:
    assert all(rule.what and "\t" not in rule.what for rule in rules().values())
    assert {rule.kind for rule in rules().values()} >= ACTS
    assert all(known_packages().values())


def test_a_new_op_and_a_changed_one_are_told(check: ModuleType) -> None:
    table = {
        "Known": OpRule("Known", "read", ("path",), (), "reads"),
        "Gone": OpRule("Gone", "read", (), (), "reads"),
        "Elsewhere": OpRule("Elsewhere", "read", ("path",), (), "reads", package="other"),
    }
    known = {"Known": ({"filename"}, set(), False), "WriteAnyFile": (set(), set(), True), "Add": (set(), set(), True)}
    assert check.faults(known, table, {"Add", "Sub"}) == [
        "WriteAnyFile: nobody has judged it, whose name asks for a second look",
        "Sub: judged, but TensorFlow has no such op",
        "Known: has no input 'path'",
        "Known: lacks a CPU kernel, the table says otherwise",
        "Gone: in the table, but TensorFlow has no such op",
    ]


@pytest.mark.tensorflow
def test_the_table_is_in_step_with_the_registry() -> None:
    """In a process of its own: other libraries register ops of theirs when they are loaded."""
    script = [sys.executable, str(ROOT / "tools/check_scan_ops.py")]
    done = subprocess.run(script, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
