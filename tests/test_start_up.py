"""What is loaded when: start-up time is a promise, and so is working without TensorFlow."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HEAVY = (
    "tensorflow", "keras", "ai_edge_litert", "onnx", "h5py", "numpy", "rich", "pygments", "pydantic", "flatbuffers",
    "tflite", "asyncio",
    "google.protobuf.text_format",  # which comes with protobuf's implementation in Python
)  # fmt: skip

RUN = """
import json, sys
from graphsurgeon.cli.app import main
sys.argv = ["gs", *sys.argv[1:]]
try:
    main()
except SystemExit as stop:
    status = stop.code or 0
else:
    status = 0
print(json.dumps({"status": status, "modules": sorted(sys.modules)}), file=sys.stderr)
"""

BLOCK = """
import sys
class Block:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("tensorflow", "keras", "ai_edge_litert", "flatbuffers", "tflite", "h5py"):
            raise AssertionError(f"{name} was imported")
sys.meta_path.insert(0, Block())
"""


def loaded(*arguments: str) -> set[str]:
    """Run one command in a process of its own and return the modules that it loaded."""
    done = subprocess.run([sys.executable, "-c", RUN, *arguments], capture_output=True, text=True, check=False)
    report = json.loads(done.stderr.splitlines()[-1])
    assert report["status"] == 0, done.stderr
    return set(report["modules"])


def test_import_is_light() -> None:
    code = "import sys, graphsurgeon; print(*sys.modules)"
    modules = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert set(modules) & {*HEAVY, "google.protobuf", "typer", "click"} == set()


MODELS = ["savedmodel/linear", "graphdef/linear.pb", "metagraph/face_resnet/model-1.meta"]
COMMANDS = [
    *((command, model) for command in ("show", "find --op *") for model in MODELS),
    ("show --json", MODELS[0]), ("find --json --shape ...", MODELS[0]),
]  # fmt: skip


@pytest.mark.parametrize(("command", "model"), COMMANDS)
def test_command_loads_nothing_heavy(command: str, model: str, fixtures_dir: Path) -> None:
    name, *options = command.split()
    modules = loaded(name, str(fixtures_dir / model), *options)
    assert modules & set(HEAVY) == set()


@pytest.mark.parametrize("command", ["weights", "check"])  # the others load none of it, see above
def test_works_with_tensorflow_blocked(command: str, fixtures_dir: Path) -> None:
    for model in MODELS:
        arguments = [command, str(fixtures_dir / model)]
        done = subprocess.run(
            [sys.executable, "-c", BLOCK + RUN, *arguments], capture_output=True, text=True, check=False
        )
        report = json.loads(done.stderr.splitlines()[-1])
        assert report["status"] == 0, (arguments, done.stderr)
        assert done.stdout
