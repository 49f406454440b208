"""What the project wants of its speed, in one table: `make bench`.

    python benchmarks/budgets.py [--repeat 3] [--only TEXT]

Against a peer, where TensorFlow is installed, wall time of pairs run in turn counts; else CPU seconds, the best of
several runs. They mean something on a quiet machine only. Models are made when they are first asked for.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import find, freeze_speed, large_graph, scaling, show
from benchmarks.measure import FOLDER, GS, ROOT, Row, best, frozen, keras_application, paired, print_table

NODES, MILLION, VARIABLES, FUNCTIONS = 100_000, 1_000_000, 200_000, 4_000
MODELS = 440  # as many as one call is given, of the fixtures, over and over


def main() -> None:
    """Measure every row whose title has the text in it, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--only", default="", help="rows with this text in their titles")
    options = parser.parse_args()
    FOLDER.mkdir(parents=True, exist_ok=True)
    rows = [row(options.repeat) for title, row in _rows() if options.only in title]
    sys.exit(0 if print_table(rows) else 1)


def _rows() -> Iterator[tuple[str, Callable[[int], Row]]]:
    if importlib.util.find_spec("tensorflow") is not None:
        yield "show ResNet50", _show
        yield "freeze ResNet50", _freeze
        yield "find ResNet50", _find
    for name, seconds in LARGE.items():
        yield f"{name} {NODES}", lambda repeat, name=name, seconds=seconds: _large(name, NODES, seconds, None, repeat)
    for name in ("show", "find --op"):
        yield f"{name} {MILLION}", lambda repeat, name=name: _large(name, MILLION, 8, 1200, 1)
    yield "rename variables", _variables
    yield "rename functions", _functions
    yield "show many", _many


def _show(repeat: int) -> Row:
    model = keras_application()
    pair = paired([*GS, "show", model, "--json"], [*show.CLI, "show", "--dir", model, "--all"], repeat=repeat)
    return Row("gs show --json, Keras ResNet50; saved_model_cli", *pair, faster=40, smaller=17)


def _freeze(repeat: int) -> Row:
    return freeze_speed.row_of_application("ResNet50", repeat)._replace(faster=25, smaller=34)


def _find(repeat: int) -> Row:
    graph = frozen(keras_application())
    theirs = [sys.executable, "-c", find.TENSORFLOW, graph]
    pair = paired([*GS, "find", graph, "--shape", "?,1000"], theirs, repeat=repeat)
    return Row("gs find --shape, frozen ResNet50; TensorFlow", *pair, faster=30)


# CPU seconds of each command on 100,000 nodes. {last}, {middle}: nodes of the chain; {out}: what is written.
LARGE = {
    "show": 0.8,
    "find --op": 0.8,
    "check": 1.8,
    "rename": 1.8,
    "add-output": 1.8,
    "set-input": 2.5,
    "add-signature": 2.5,
    "extract": 2.5,
    "strip": 2.5,
    "freeze": 2.5,
    "diff": 2.5,
    "to .pbtxt": 6,
    "from .pbtxt": 6,
    "render": 3.5,
}
COMMANDS = {
    "show": "show {model} --json",
    "find --op": "find {model} --op Relu --count",
    "check": "check {model}",
    "rename": "rename {model} --prefix p/ -o {out}.pb -q",
    "add-output": "add-output {model} {middle}=features -o {out}.pb -q",
    "set-input": "set-input {model} --shape x=2,8 -o {out}.pb -q",
    "add-signature": "add-signature {model} --output y={last}:0 -o {out} -q",
    "extract": "extract {model} --inputs {middle} --outputs {last} -o {out}.pb -q",
    "strip": "strip {model} --outputs {last} -o {out}.pb -q",
    "freeze": "freeze {model} --outputs {last} -o {out}.pb -q",
    "diff": "diff {model} {model}",
    "to .pbtxt": "convert {model} {out}.pbtxt -q",
    "from .pbtxt": "convert {text} {out}.pb -q",
    "render": "render {model} -o {out}.svg -q",
}


def _large(name: str, count: int, seconds: float, megabytes: float | None, repeat: int) -> Row:
    model, out = large_graph.graph_def(count), FOLDER / "written"
    blocks = count // 5
    names = {"middle": f"block_{blocks // 2}/relu", "last": f"block_{blocks - 1}/relu"}
    text = FOLDER / f"nodes-{count}.pbtxt"
    if name == "from .pbtxt" and not text.exists():
        best([*GS, "convert", model, text, "-q"], repeat=0)
    command = [word.format(model=model, out=out, text=text, **names) for word in COMMANDS[name].split()]
    cost = best(_fresh(command), repeat=repeat)
    return Row(f"gs {name}, {count:,} nodes", cost, cpu_at_most=seconds, megabytes_at_most=megabytes)


def _fresh(command: list[str]) -> list[str | Path]:
    """Return a command of `gs` before which what an earlier run wrote is removed."""
    return ["sh", "-c", 'rm -rf "$0"*; exec "$@"', FOLDER / "written", *GS, *command]


def _variables(repeat: int) -> Row:
    model = _made("variables", VARIABLES)
    cost = best(_fresh(["rename", str(model), "--prefix", "p/", "-o", f"{FOLDER}/written.ckpt", "-q"]), repeat=repeat)
    return Row(f"gs rename, {VARIABLES:,} variables", cost, cpu_at_most=5)


def _functions(repeat: int) -> Row:
    model = _made("functions", FUNCTIONS)
    cost = best(_fresh(["rename", str(model), "--prefix", "p/", "-o", f"{FOLDER}/written.pb", "-q"]), repeat=repeat)
    return Row(f"gs rename, {FUNCTIONS:,} functions", cost, cpu_at_most=0.6)


def _made(shape: str, count: int) -> Path:
    scaling.PLACE.mkdir(parents=True, exist_ok=True)
    return scaling.made(shape, count)


def _many(repeat: int) -> Row:
    """Show many models in one call, on two processes; each fixture comes as often as it takes."""
    kinds = ("graphdef/*.pb", "tflite/*.tflite", "savedmodel/*")
    found = sorted(path for kind in kinds for path in (ROOT / "fixtures").glob(kind))
    models = [found[number % len(found)] for number in range(MODELS)]
    cost = best([*GS, "show", *models, "--json", "-j", "2"], repeat=repeat)
    return Row(f"gs show --json, {MODELS} models in one call", cost, seconds_at_most=MODELS / 150)


if __name__ == "__main__":
    main()
