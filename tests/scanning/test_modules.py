"""Which native functions compiled modules call, in every form that they are stored in."""

from __future__ import annotations

from pathlib import Path

import pytest

from graphsurgeon.errors import FormatError, UnsupportedError
from graphsurgeon.formats.stablehlo.calls import calls_of
from tests.scanning.build import Made

FOLDER = Path(__file__).with_name("modules")
MODULES = sorted(FOLDER.glob("*.mlir*"))


def called(module: bytes) -> Made:
    made = Made()
    made.signature("steal", {"y": made.add("XlaCallModule", [], {"module": module, "Sout": [], "Tout": []})})
    return made


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.name)
def test_targets_are_found_in_every_form(path: Path) -> None:
    expected = set() if path.name.startswith("none") else {"Sharding", "evil_target"}
    assert calls_of(path.read_bytes()) == (expected, True)


def test_what_nobody_knows_is_high_and_what_is_known_is_harmless() -> None:
    made = called((FOLDER / "both.1.13.0.mlirbc").read_bytes())
    assert made.only() == ("high", "XlaCallModule", "signature:steal", "evil_target")
    harmless = [threat.target for threat in made.threats(but_info=False) if threat.severity == "info"]
    assert harmless == ["Sharding"]
    assert called((FOLDER / "none.1.13.0.mlirbc").read_bytes()).threats(but_info=False) == []


def test_a_module_that_cannot_be_read_is_told() -> None:
    data = (FOLDER / "both.1.13.0.mlirbc").read_bytes()
    severity, op, when, target = called(data[: len(data) // 2]).only()
    assert (severity, op, when, target) == ("medium", "XlaCallModule", "signature:steal", None)
    assert called(b"module { custom_call }").only()[0] == "high"


def test_damage_is_an_error_and_nothing_else() -> None:
    for path in MODULES:
        data = path.read_bytes()
        places = range(4, len(data), 3)
        changed = [is_read(data[:at] + bytes([data[at] ^ 0x55]) + data[at + 1 :]) for at in places]
        is_text = path.suffix == ".mlir"
        assert {*changed} == ({True} if is_text else {True, False})
        assert {is_read(data[:at]) for at in places} == {is_text}


def is_read(data: bytes) -> bool:
    try:
        calls_of(data)
    except (FormatError, UnsupportedError):
        return False
    return True


def test_functions_that_a_module_calls_back_are_judged() -> None:
    from graphsurgeon.model.dtype import STRING
    from graphsurgeon.model.graph import FunctionRef, Output

    made = Made()
    function = made.function("back")
    value = made.read(made.text(b"/etc/passwd"))
    function.outputs = [Output("y", value, STRING)]
    made.main()
    attrs = {"module": b"module {}", "function_list": [FunctionRef(function)], "Sout": [], "Tout": []}
    made.signature("steal", {"y": made.add("XlaCallModule", [], attrs)})
    assert made.only() == ("high", "ReadFile", "signature:steal", "/etc/passwd")
