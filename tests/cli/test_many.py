"""Many models in one call: a line of JSON each, the worst status, and the same output from any number of processes."""

from __future__ import annotations

import json

import pytest

from tests.cli.conftest import GS

pytestmark = pytest.mark.processes

MODELS = ("savedmodel/linear", "hostile/bad_signatures", "hostile/bad_signatures/nothing", "tflite/cnn_float.tflite")


@pytest.mark.parametrize("command", ["show", "check", "weights"])
@pytest.mark.parametrize("options", [(), ("--json",)])
def test_processes_change_nothing(gs: GS, command: str, options: tuple[str, ...]) -> None:
    alone, together = gs(command, *MODELS, *options), gs(command, *MODELS, *options, "-j", "3")
    assert alone.status == together.status == 3
    assert alone.out == together.out != ""
    assert alone.err == together.err
    assert alone.err.count("\n") == 1
    if options:
        paths = [json.loads(line)["path"] for line in alone.out.splitlines()]
        assert [path.split("/")[-1] for path in paths] == ["linear", "bad_signatures", "cnn_float.tflite"]


def test_the_status_is_the_worst(gs: GS) -> None:
    assert gs("check", "savedmodel/linear", "hostile/bad_signatures", "-q").status == 1
    assert gs("check", "hostile/bad_signatures", "nothing", "-q", "-j", "2").status == 3


def test_what_is_for_one_model_is_refused(gs: GS) -> None:
    refused = gs("weights", *MODELS, "--export", "out.npz")
    assert (refused.status, refused.out) == (2, "")
    assert "give one model" in refused.err
