"""Ask MediaPipe Tasks which models it takes that gs has described or changed: `fixtures/mediapipe/answers.json`.

    python tools/mediapipe_answers.py PYTHON_WITH_MEDIAPIPE fixtures/mediapipe/answers.json

Each model is made of `fixtures/tflite/cnn_float.tflite` by the steps in `CASES`, and asked for in a process of its own:
MediaPipe dies of some. An answer holds for the bytes whose SHA-256 stands beside it.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from graphsurgeon.edit import edit

SOURCE = Path(__file__).resolve().parents[1] / "fixtures" / "tflite" / "cnn_float.tflite"
LABELS = b"a\nb\nc\nd\ne\n"
ONE = ("extract", {"outputs": {"StatefulPartitionedCall:1": "probs"}})
DESCRIBED = ("metadata", {"labels": {"probs": ("labels.txt", LABELS)}, "norm": {"": [127.5, 127.5]}})
SCALE = {"scale": 1 / 128, "zero_point": 128}
SIGNED = {"scale": 1 / 128, "zero_point": 0}

CASES: dict[str, list[tuple[str, dict[str, Any]]]] = {
    "not described": [ONE],
    "described": [ONE, DESCRIBED],
    "described and taken away": [ONE, DESCRIBED, ("metadata", {"remove": True})],
    "labels alone": [ONE, ("metadata", {"labels": {"probs": ("labels.txt", LABELS)}})],
    "too few labels": [ONE, ("metadata", {"labels": {"probs": ("labels.txt", b"a\nb\n")}, "norm": {"": [0, 1]}})],
    "normalization by channel": [ONE, DESCRIBED, ("metadata", {"norm": {"": [1, 2, 3, 4, 5, 6]}})],
    "two outputs": [DESCRIBED],
    "one output more": [ONE, DESCRIBED, ("add-output", {"outputs": {"Relu;depthwise": "inner"}})],
    "renamed": [ONE, DESCRIBED, ("rename", {"names": {"probs": "scores"}})],
    "any batch": [ONE, DESCRIBED, ("set-input", {"shapes": {"image": [None, 8, 8, 3]}, "fix_reshapes": True})],
    "batch of two": [ONE, DESCRIBED, ("set-input", {"shapes": {"image": [2, 8, 8, 3]}, "fix_reshapes": True})],
    "uint8 input": [ONE, DESCRIBED, ("set-input", {"dtypes": {"image": "uint8"}, **SCALE})],
    "int8 input": [ONE, DESCRIBED, ("set-input", {"dtypes": {"image": "int8"}, **SIGNED})],
    "uint8 output": [ONE, DESCRIBED, ("set-output", {"dtypes": {"probs": "uint8"}, "scale": 1 / 256, "zero_point": 0})],
    "int8 output": [ONE, DESCRIBED, ("set-output", {"dtypes": {"probs": "int8"}, "scale": 1 / 256, "zero_point": 0})],
    "one of two outputs uint8": [
        DESCRIBED, ("set-output", {"dtypes": {"probs": "uint8"}, "scale": 1 / 256, "zero_point": 0}),
    ],
    "optimized": [ONE, DESCRIBED, ("optimize", {})],
}  # fmt: skip

_ASK = """
import json, sys
import numpy as np
import mediapipe as mp
from mediapipe.tasks.python import BaseOptions, vision
try:
    base = BaseOptions(model_asset_path=sys.argv[1])
    task = vision.ImageClassifier.create_from_options(vision.ImageClassifierOptions(base_options=base, max_results=5))
    found = task.classify(mp.Image(image_format=mp.ImageFormat.SRGB, data=np.zeros((8, 8, 3), np.uint8)))
    answer = {"labels": sorted(str(one.category_name) for one in found.classifications[-1].categories)}
except Exception as error:
    answer = {"refused": str(error).split("; RET_CHECK")[0][:300]}
print(json.dumps({**answer, "version": mp.__version__}))
"""


def made(case: str, folder: Path) -> tuple[Path, list[str]]:
    """Make the model of a case; return its path and what the edit said."""
    path = folder / "model.tflite"
    report = edit(SOURCE, CASES[case], output=path, force=True)
    notes = [*report.notes, *(note for step in report.steps for note in getattr(step.report, "notes", ()))]
    return path, [*notes, *(finding.what for finding in report.warnings)]


def answer(python: str, path: Path) -> dict[str, Any]:
    """Return what MediaPipe says of a model."""
    done = subprocess.run([python, "-c", _ASK, str(path)], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"refused": f"the process ends with {done.returncode}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main(python: str, target: str) -> None:
    """Ask about all cases, and write the answers."""
    answers: dict[str, dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as name:
        for case in CASES:
            path, _ = made(case, Path(name))
            said = answer(python, path)
            answers[case] = {"sha256": hashlib.sha256(path.read_bytes()).hexdigest(), **said}
    version = next(said.pop("version") for said in answers.values() if "version" in said)
    for said in answers.values():
        said.pop("version", None)
    Path(target).parent.mkdir(exist_ok=True)
    Path(target).write_text(json.dumps({"mediapipe": version, "answers": answers}, indent=1) + "\n", "utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
