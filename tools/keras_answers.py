"""Ask Keras 3 and tf_keras which files of each other they load, as they are and mended: `fixtures/keras/answers.jsonl`.

    python tools/keras_answers.py PYTHON_WITH_KERAS_3 PYTHON_WITH_TF_KERAS

`make oracles` builds the two environments and runs this. A line for each model: the configuration, what the other
release says to it, and what it says to what `graphsurgeon.formats.keras.mend` makes of it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from graphsurgeon.disk.files import open_source
from graphsurgeon.encoding import hdf5
from graphsurgeon.encoding.hdf5.replace import replace_texts
from graphsurgeon.formats.keras.mend import mend
from graphsurgeon.formats.keras.rules import Target

ROOT = Path(__file__).parents[1]
ANSWERS = ROOT / "fixtures" / "keras" / "answers.jsonl"
PAIRS: tuple[tuple[str, str, Target], ...] = (("tf_keras", "keras", "keras-3"), ("keras", "tf_keras", "keras-2"))

# Run in the environment of the reader: a line of JSON for each file.
LOAD = """
import importlib, json, os, sys
from pathlib import Path
import numpy as np
keras = importlib.import_module(sys.argv[1])
print(json.dumps(keras.__version__))
if sys.argv[1] == "keras":
    keras.config.enable_unsafe_deserialization()
for path in sorted(Path(sys.argv[2]).glob("*.h5")):
    arrays = np.load(path.with_suffix(".npz"))
    answer = {"name": path.stem}
    try:
        model = keras.models.load_model(path)
        inputs = [arrays[key] for key in arrays.files if key[0] == "x"]
        found = model.predict(inputs if len(inputs) > 1 else inputs[0], verbose=0)
        found = found if isinstance(found, list) else [found]
        expected = [arrays[key] for key in arrays.files if key[0] == "y"]
        error = max(float(np.max(np.abs(a.astype("f8") - b.astype("f8")))) for a, b in zip(found, expected))
        answer["error"] = float(f"{error:.1e}")
    except Exception as error:
        answer["refused"] = type(error).__name__ + ": " + " ".join(str(error).split())[-200:]
    print(json.dumps(answer))
"""


def main(python_3: str, python_2: str) -> None:
    """Write the answers."""
    pythons = {"keras": python_3, "tf_keras": python_2}
    lines = []
    with tempfile.TemporaryDirectory() as scratch:
        for writer, reader, target in PAIRS:
            plain, mended = Path(scratch, writer), Path(scratch, f"{writer}-mended")
            plain.mkdir()
            mended.mkdir()
            subprocess.run([pythons[writer], ROOT / "tools" / "keras_zoo.py", writer, plain], check=True)
            entries = {path.stem: _mend(path, mended, target) for path in sorted(plain.glob("*.h5"))}
            version, as_is = ask(pythons[reader], reader, plain)
            _, after = ask(pythons[reader], reader, mended)
            writer_version = version_of(pythons[writer], writer)
            for name, entry in entries.items():
                head = {"name": name, "writer": f"{writer} {writer_version}", "reader": f"{reader} {version}"}
                lines.append({**head, "target": target, "as_is": as_is[name], "mended": after[name], **entry})
    ANSWERS.parent.mkdir(exist_ok=True)
    ANSWERS.write_text("".join(json.dumps(line, separators=(",", ":")) + "\n" for line in lines), "utf-8")


def _mend(path: Path, folder: Path, target: Target) -> dict[str, Any]:
    """Write what the rules make of a file; return its JSON, and what was made of it."""
    file = hdf5.open_file(open_source(path))
    config, training = (json.loads(file.root.text(key) or "null") for key in ("model_config", "training_config"))
    result = mend(config, training, target, file.root.text("keras_version"))
    texts = {"model_config": json.dumps(result.config)}
    if result.training is not None:
        texts["training_config"] = json.dumps(result.training)
    replaced = replace_texts(file.image, file.root, texts)
    data = bytearray(path.read_bytes())
    for at, patch in replaced.patches.items():
        data[at : at + len(patch)] = patch
    (folder / path.name).write_bytes(bytes(data) + replaced.appended)
    (folder / path.name).with_suffix(".npz").write_bytes(path.with_suffix(".npz").read_bytes())
    version = file.root.text("keras_version")
    return {
        "keras_version": version,
        "config": config,
        "training": training,
        "to_config": result.config,
        "to_training": result.training,
    }


def ask(python: str, package: str, folder: Path) -> tuple[str, dict[str, dict[str, Any]]]:
    """Return the reader's version, and what it says to each file."""
    command = [python, "-c", LOAD, package, str(folder)]
    output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    version, *answers = [json.loads(line) for line in output.splitlines() if line[:1] in ('"', "{")]
    return version, {answer.pop("name"): answer for answer in answers}


def version_of(python: str, package: str) -> str:
    """Return the version of a package in an environment."""
    code = f"import importlib.metadata as m; print(m.version({package!r}))"
    return subprocess.run([python, "-c", code], check=True, capture_output=True, text=True).stdout.strip()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
