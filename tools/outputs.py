"""Record what every command prints and writes for every model below some folders, to compare two versions of the code.

    python tools/outputs.py fixtures ../shared/corpus > before.tsv
    ...change something...
    python tools/outputs.py fixtures ../shared/corpus > after.tsv
    diff before.tsv after.tsv

A line is: command, model, exit status, checksum of stdout and stderr, checksum of what was written. Paths are relative
and no time is printed, so two lines differ only if the answer does. `--only show,find` takes some commands.
"""

from __future__ import annotations

import hashlib
import io
import os
import resource
import shutil
import signal
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

SUFFIXES = {".pb", ".pbtxt", ".meta", ".tflite", ".index"}
PARTS = ("saved_model.", "variables.", "fingerprint.", "keras_metadata.")  # of a SavedModel, looked at as a whole
SECONDS = 60  # of CPU for one command

COMMANDS = {
    "show": ["show", "MODEL"],
    "show-json": ["show", "MODEL", "--json"],
    "find": ["find", "MODEL", "--op", "*", "--json"],
    "inputs": ["inputs", "MODEL"],
    "outputs": ["outputs", "MODEL", "--json"],
    "weights": ["weights", "MODEL", "--json", "--all", "--checksum"],
    "check": ["check", "MODEL", "--json"],
    "diff": ["diff", "MODEL", "MODEL", "--json"],
    "rename": ["rename", "MODEL", "--regex", "s|^(.*)$|zz/\\1|", "-o", "OUT", "--json"],
    "freeze": ["freeze", "MODEL", "-o", "OUT.pb", "--json"],
    "strip": ["strip", "MODEL", "-o", "OUT", "--json"],
    "strip-inference": ["strip", "MODEL", "--inference", "-o", "OUT", "--json"],
    "convert": ["convert", "MODEL", "OUT", "--json"],
    "convert-text": ["convert", "MODEL", "OUT.pbtxt", "--json"],
    "render": ["render", "MODEL", "-o", "OUT.svg"],
    "render-html": ["render", "MODEL", "-o", "OUT.html", "--all"],
}


def main() -> None:
    """Print a line for each command and model."""
    arguments = sys.argv[1:]
    only = None
    if arguments[:1] == ["--only"]:
        only = arguments[1].split(",")
        arguments = arguments[2:]
    from graphsurgeon.cli import app

    for name in app.COMMANDS:
        app.function_of(name)  # what a child would import again for every model
    import numpy  # noqa: F401  # likewise

    for model in models([Path(argument) for argument in arguments]):
        for name, words in COMMANDS.items():
            if only is None or name in only:
                print(name, model, *answer(app, model, words), sep="\t", flush=True)


def models(places: list[Path]) -> Iterator[Path]:
    """Yield what looks like a model: files by suffix, folders that hold a SavedModel or a checkpoint."""
    for place in places:
        for folder, _, files in sorted(os.walk(place)):
            names = sorted(files)
            if any(name.startswith("saved_model.") for name in names):
                yield Path(folder)
            for name in names:
                if Path(name).suffix in SUFFIXES and not name.startswith(PARTS):
                    yield Path(folder, name)


def answer(app: object, model: Path, words: list[str]) -> tuple[str, str, str]:
    """Run one command in a process of its own and return its status and two checksums."""
    with tempfile.TemporaryDirectory() as name:
        out = Path(name, "out")
        said = Path(name, "said")
        child = os.fork()
        if not child:
            filled = [word.replace("MODEL", str(model.resolve())).replace("OUT", "out/result") for word in words]
            _run(app, filled, out, said)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        text = said.read_bytes() if said.exists() else b""
        text = text.replace(str(model.resolve()).encode(), b"MODEL").replace(name.encode(), b"")
        return str(status), hashlib.sha256(text).hexdigest()[:12], _digest(out)


def _run(app: object, arguments: list[str], out: Path, said: Path) -> None:
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    out.mkdir()
    os.chdir(out.parent)
    stream = io.TextIOWrapper(said.open("wb"), "utf-8", write_through=True)
    sys.stdout = sys.stderr = stream
    status = app.run(arguments)  # type: ignore[attr-defined]
    stream.flush()
    os._exit(status)


def _digest(folder: Path) -> str:
    found = hashlib.sha256()
    for path in sorted(folder.rglob("*")) if folder.exists() else []:
        found.update(str(path.relative_to(folder)).encode())
        if path.is_file():
            found.update(path.read_bytes())
    shutil.rmtree(folder, ignore_errors=True)
    return found.hexdigest()[:12]


if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
    main()
