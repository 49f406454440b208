"""Try every command on changed models: no internal error, no work without a bound, no write outside the target.

    python tools/fuzz.py --cases 100000
    python tools/fuzz.py --case 4711 --keep /tmp/case     # one again, its files kept

A case is a number, which chooses a fixture, the changes of one of its files (`mutations.py`) and a command. It runs in
a process of its own, bounded in CPU seconds and memory; every file that it opens for writing, makes, moves or removes
is looked at when it does so. `run` and `verify` are not among the commands: they start a runtime.
Each fault is one line: number, what is wrong, the command. The exit status says whether there was any.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import io
import os
import pkgutil
import random
import resource
import shlex
import shutil
import signal
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
FIXTURES = ROOT / "fixtures"
SECONDS = 10  # of CPU
MEMORY = 500 << 20  # bytes resident beyond what a command without any model has
ADDRESSES = 8 << 30  # bytes of address space: what is asked for and never touched costs nothing
INTERNAL_ERROR, WROTE_OUTSIDE = 70, 99
TEMPORARY = "temporary"  # the folder, in that of a case, for files that a command needs while it works
LARGEST = 3 << 20  # bytes of a fixture
# Audited event -> places of the paths it changes among its arguments, and of the open folders they are relative to.
CHANGING = {
    "os.mkdir": ((0,), (2,)),
    "os.rename": ((0, 1), (2, 3)),
    "os.remove": ((0,), (1,)),
    "os.rmdir": ((0,), (1,)),
    "os.link": ((1,), (3,)),
    "os.symlink": ((1,), (2,)),
    "os.chmod": ((0,), (2,)),
}

# Words in capitals are filled in; a word that the model has nothing for makes the case take another command.
COMMANDS = """
show MODEL
show MODEL --json --all
show MODEL --request
show MODEL --functions --objects --ops
find MODEL --op * --json
find MODEL --shape ?,...
find MODEL --consumers-of NODE --depth 3
find MODEL --pattern Add(x,y)
inputs MODEL
outputs MODEL --json
weights MODEL --all --checksum --stats
weights MODEL --values VARIABLE
weights MODEL --export TARGET.npz
weights MODEL --export TARGET.safetensors --all --dequantize
check MODEL --checksums --serving
scan MODEL --json
diff MODEL ORIGINAL
diff MODEL ORIGINAL --render TARGET.html
rename MODEL NODE=zz -o TARGET
rename MODEL --regex s|^(.*)$|zz/\\1| -o TARGET
rename MODEL --what variables --prefix p/ -o TARGET
rename MODEL --what keys KEY=zz -o TARGET
rename MODEL --what signatures SIGNATURE=zz --in-place
add-output MODEL NODE=zz -o TARGET
add-output MODEL NODE=zz --in-place
add-signature MODEL --name zz --output y=NODE -o TARGET
add-signature MODEL --name zz --input x=NODE --output y=NODE -o TARGET
remove-signature MODEL SIGNATURE -o TARGET
extract MODEL --outputs NODE -o TARGET
extract MODEL --inputs NODE --outputs NODE -o TARGET
extract MODEL --match * -o TARGET
extract MODEL --match VARIABLE -o TARGET
extract MODEL --signature SIGNATURE -o TARGET
freeze MODEL -o TARGET.pb
freeze MODEL --outputs NODE -o TARGET
freeze MODEL --keep-functions --keep-names -o TARGET.pbtxt
optimize MODEL --only all -o TARGET
replace MODEL RULE -o TARGET
strip MODEL -o TARGET
strip MODEL --inference --in-place
strip MODEL --outputs NODE -o TARGET
set-input MODEL --shape INPUT=2,? -o TARGET
set-input MODEL --shape INPUT=?,5 --allow-contradictions --fix-reshapes -o TARGET
set-input MODEL --dtype INPUT=uint8 -o TARGET
set-input MODEL --set INPUT=false -o TARGET
set-output MODEL --dtype KEY=uint8 --scale 0.1 --zero-point 3 -o TARGET
metadata MODEL
metadata MODEL --norm 127.5,127.5 -o TARGET
metadata MODEL --extract TARGET
convert MODEL TARGET
convert MODEL TARGET.pbtxt
convert MODEL TARGET.pb
convert MODEL TARGET.meta
convert MODEL TARGET/ --format logdir
convert MODEL TARGET.npz
convert MODEL TARGET.ckpt
render MODEL -o TARGET.svg
render MODEL -o TARGET.html --all
render MODEL -o TARGET.dot --focus NODE
render MODEL -o TARGET.svg --signature SIGNATURE
""".strip().splitlines()


class Case(NamedTuple):
    """What is tried: a changed copy of a model, and a command."""

    number: int
    model: Path
    original: Path
    words: list[str]
    target: Path


class Outcome(NamedTuple):
    """How a case ended.

    Attributes:
        status: exit status, negative for a signal.
        seconds: of CPU.
        memory: bytes, the most that was resident.
        said: what was printed.
    """

    status: int
    seconds: float
    memory: int
    said: str


def main() -> int:
    """Run the cases that the arguments ask for; print a line for each fault."""
    options = _options()
    sys.path.insert(0, str(ROOT))
    _load_everything()
    with tempfile.TemporaryDirectory() as name:
        base = run(["show", "--help"], Path(name), Path(name), [])
    numbers = [options.case] if options.case is not None else range(options.first, options.first + options.cases)
    faults = 0
    for number in numbers:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(options.keep or name)
            folder.mkdir(exist_ok=True)
            case = make(number, folder)
            fault, said = judge(case, folder, base.memory)
            if fault or options.case is not None:
                print(number, fault or "no fault", shlex.join(case.words), said[-300:], sep="\t", flush=True)
            faults += fault is not None
    print(f"{len(numbers)} cases, {faults} faults")
    return bool(faults)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--cases", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="this case alone, and what it says")
    parser.add_argument("--keep", help="the folder in which files of the case stay")
    return parser.parse_args()


def _load_everything() -> None:
    """Import once what the processes of all cases would import again, and keep their collectors from looking at it."""
    import numpy  # noqa: F401

    import graphsurgeon
    from graphsurgeon.cli import app

    for name in app.COMMANDS:
        app.function_of(name)
    for module in pkgutil.walk_packages(graphsurgeon.__path__, "graphsurgeon."):
        if not module.name.startswith(("graphsurgeon.adapters", "graphsurgeon.bridges", "graphsurgeon.__main__")):
            import_module(module.name)
    gc.freeze()


def make(number: int, folder: Path) -> Case:
    """Make the files of a case."""
    chance = random.Random(number)
    original = chance.choice(_models())
    model = folder / "models" / original.name
    model.parent.mkdir(exist_ok=True)
    if original.is_dir():
        shutil.copytree(original, model)
    else:
        shutil.copyfile(original, model)
    _change(model, chance)
    target = folder / "out" / "result"
    target.parent.mkdir()
    words = _fill(_names(original), model, original, target, chance)
    return Case(number, model, original, words, target)


@cache
def _models() -> list[Path]:
    folders = [
        path for path in sorted(FIXTURES.iterdir()) if path.is_dir() and path.name not in ("make", "__pycache__")
    ]
    found = [
        path for folder in folders for path in sorted(folder.iterdir()) if path.name not in ("foreign", "misnamed")
    ]
    foreign = FIXTURES / "hostile" / "foreign"
    return [path for path in [*found, *sorted(foreign.iterdir())] if _size(path) < LARGEST]


def _size(path: Path) -> int:
    return sum(file.stat().st_size for file in _files(path))


def _files(path: Path) -> list[Path]:
    return [file for file in sorted(path.rglob("*")) if file.is_file()] if path.is_dir() else [path]


def _change(model: Path, chance: random.Random) -> None:
    import mutations

    files = _files(model)
    structure = [file for file in files if ".data-" not in file.name and file.parent.name != "assets"]
    file = chance.choice(structure if structure and chance.random() < 0.9 else files)
    data = mutations.mutated(file, chance)
    file.unlink()
    file.write_bytes(data)


def _names(original: Path) -> dict[str, list[str]]:
    """Return what words of a command stand for, from the model as it was."""
    from graphsurgeon.errors import GraphSurgeonError
    from graphsurgeon.formats import read

    try:
        model = read(original)
    except GraphSurgeonError:
        return {}
    values = [value.name or "" for graph in model.graphs for value in graph.values]
    with contextlib.suppress(GraphSurgeonError):  # of a hostile model
        values += [str(value) for graph in model.graphs for node in graph.nodes for value in node.outputs]
    signatures = [signature for metagraph in model.metagraphs for signature in metagraph.signatures.items()]
    inputs = [value.name or "" for graph in model.graphs[:1] for value in graph.inputs]
    placeholders = [node.name for graph in model.graphs for node in graph.nodes if node.op == "Placeholder"]
    return {
        "NODE": values + [node.name for graph in model.graphs for node in graph.nodes],
        "SIGNATURE": [key for key, _ in signatures],
        "KEY": [key for _, signature in signatures for key in (*signature.inputs, *signature.outputs)],
        "INPUT": inputs + placeholders + [key for _, signature in signatures for key in signature.inputs],
        "VARIABLE": [] if model.checkpoint is None else list(model.checkpoint.variables),
    }


def _fill(names: dict[str, list[str]], model: Path, original: Path, target: Path, chance: random.Random) -> list[str]:
    from graphsurgeon.patterns.rules import rule_names as rules

    place = str(model.relative_to(model.parents[1]))
    known = {**names, "MODEL": [place], "ORIGINAL": [str(original)]}
    for _ in range(100):
        words = chance.choice(COMMANDS).split()
        filled = [_filled(word, known, chance) for word in words]
        if None not in filled:
            end = str(target.relative_to(target.parents[1]))
            rule = ["--rule", chance.choice(list(rules()))]
            found = [word.replace("TARGET", end) for word in filled if word is not None]
            return [part for word in found for part in (rule if word == "RULE" else [word])]
    raise AssertionError("no command fits")


def _filled(word: str, names: dict[str, list[str]], chance: random.Random) -> str | None:
    for name, choices in names.items():
        if name in word.replace("=", " ").split():
            return word.replace(name, chance.choice(choices)) if choices else None
    capitals = ("NODE", "SIGNATURE", "KEY", "INPUT", "VARIABLE")
    return None if set(word.replace("=", " ").split()) & set(capitals) else word


def judge(case: Case, folder: Path, base: int) -> tuple[str | None, str]:
    """Run a case; return what is wrong with it, and what was printed."""
    before = _contents(case.model)
    allowed = [case.target.parent] + ([case.model, case.model.parent] if "--in-place" in case.words else [])
    end = run(case.words, folder, folder, allowed)
    if end.status in (INTERNAL_ERROR, WROTE_OUTSIDE) or end.status < 0:
        return f"exit status {end.status}", end.said
    if "Warning" in end.said:
        return "a warning of a library", end.said
    if end.seconds > SECONDS or end.memory - base > MEMORY:
        return f"{end.seconds:.1f} s, {(end.memory - base) >> 20} MB", end.said
    if end.status in (1, 2, 3, 4) and "--in-place" in case.words and _contents(case.model) != before:
        return "refused, and the model has changed", end.said
    if "--in-place" not in case.words and _contents(case.model) != before:
        return "the source has changed", end.said
    if [*(folder / TEMPORARY).iterdir(), *folder.rglob("*.gs-*"), *folder.rglob("*.part")]:
        return "something is left behind", end.said
    return None, end.said


def _contents(path: Path) -> dict[Path, bytes]:
    return {file: file.read_bytes() for file in _files(path)}


def run(words: Sequence[str], folder: Path, scratch: Path, allowed: Sequence[Path]) -> Outcome:
    """Run one command in a process of its own, bounded, that may write below some folders alone."""
    said, temporary = scratch / "said.txt", scratch / TEMPORARY
    temporary.mkdir(exist_ok=True)
    child = os.fork()
    if not child:
        tempfile.tempdir = str(temporary)
        _run(words, folder, said, [*allowed, temporary])
    _, status, usage = os.wait4(child, 0)
    text = said.read_text("utf-8", "replace") if said.exists() else ""
    memory = usage.ru_maxrss << (0 if sys.platform == "darwin" else 10)
    return Outcome(os.waitstatus_to_exitcode(status), usage.ru_utime + usage.ru_stime, memory, text)


def _run(words: Sequence[str], folder: Path, said: Path, allowed: Sequence[Path]) -> None:
    from graphsurgeon.cli import app

    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS + 2, SECONDS + 2))
    resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGXCPU, signal.SIG_DFL)
    os.environ.update(GS_DEBUG="1", NO_COLOR="1", COLUMNS="200")
    os.chdir(folder)
    gc.set_threshold(app.COLLECT_AFTER)
    stream = io.TextIOWrapper(said.open("wb"), "utf-8", write_through=True)
    sys.stdout = sys.stderr = stream
    sys.dont_write_bytecode = True
    _watch([str(path.resolve()) for path in allowed], stream.fileno())
    status = app.run(list(words))
    stream.flush()
    os._exit(status)


def _watch(allowed: list[str], descriptor: int) -> None:
    """End the process where it writes, makes, moves or removes something elsewhere."""

    def look(event: str, arguments: tuple[Any, ...]) -> None:
        for path in _changed(event, arguments):
            if not _is_below(path, allowed):
                os.write(descriptor, f"\nwrote outside: {event} {path}\n".encode("utf-8", "replace"))
                os._exit(WROTE_OUTSIDE)

    sys.addaudithook(look)


def _changed(event: str, arguments: tuple[Any, ...]) -> list[str]:
    """Return the paths that an audited event changes."""
    if event == "open":
        path, mode, flags = arguments
        if isinstance(path, str | bytes | os.PathLike) and os.path.isdir(path):
            return []  # of a folder only a file without a name is made, which is gone when it is closed
        writes = flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT) if isinstance(flags, int) else "w" in (mode or "")
        return [os.fsdecode(path)] if writes and isinstance(path, str | bytes | os.PathLike) else []
    if event not in CHANGING:
        return [event] if event in ("os.system", "socket.connect") else []
    paths, folders = CHANGING[event]
    return [_full(arguments[path], arguments[folder]) for path, folder in zip(paths, folders, strict=True)]


def _full(path: Any, folder: int) -> str:
    """Return a path that is relative to an open folder, where it is."""
    name = os.fsdecode(path)
    return name if folder == -1 else os.path.join(os.readlink(f"/proc/self/fd/{folder}"), name)


def _is_below(path: str, allowed: list[str]) -> bool:
    full = os.path.realpath(path)
    return full == os.devnull or any(full == folder or full.startswith(folder + os.sep) for folder in allowed)


if __name__ == "__main__":
    sys.exit(main())
