"""How the work of each command grows with the model: graphs of each shape at n and 4n.

    python benchmarks/scaling.py [--only SHAPE,SHAPE] [--seconds 30] [COMMAND...]

Printed is the exponent of CPU time, and that of memory, over the bytes of the file: 1 is linear. Above 1.15 of what
takes a second and more of the larger model, or 40 MB, is a fault. Each command runs in a process forked from one that
has everything imported, and what an empty graph costs is taken off.
"""

from __future__ import annotations

import argparse
import gc
import math
import os
import resource
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks.measure import FOLDER
from graphsurgeon import write
from graphsurgeon.cli.app import run
from graphsurgeon.formats import registry, schema
from graphsurgeon.model import Checkpoint, Model, Tensor, Variable
from graphsurgeon.model.dtype import FLOAT32

MOST = 1.15
SECONDS, MEGABYTES = 0.5, 40.0  # of the larger model; less is not told apart from chance
PLACE = FOLDER / "scaling"


class Spent(NamedTuple):
    """What a process took: CPU seconds, the largest resident set in MB, and how it ended (None: too late)."""

    seconds: float
    megabytes: float
    status: int | None


def main() -> None:
    """Measure every command on every shape and print the table; exit 1 if a command grows faster than the model."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commands", nargs="*", help="only these")
    parser.add_argument("--only", default="", help="shapes, separated by commas")
    parser.add_argument("--seconds", type=int, default=30, help="of CPU, for one command on the larger model")
    options = parser.parse_args()
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    chosen = options.only.split(",") if options.only else [*SHAPES, *CHECKPOINTS]
    faults = 0
    print(f"{'shape':12} {'command':14} {'n':>7} {'s at 4n':>8} {'exponent':>8} {'MB':>6} {'exponent':>8}")
    for shape in chosen:
        commands = CHECKPOINT_COMMANDS if shape in CHECKPOINTS else COMMANDS
        floor = made(shape, 1)
        for name, arguments in commands.items():
            if not options.commands or name in options.commands:
                faults += _compare(shape, name, arguments, floor, options.seconds)
    shutil.rmtree(PLACE)
    sys.exit(1 if faults else 0)


def _compare(shape: str, name: str, arguments: Sequence[str], floor: Path, most: int) -> bool:
    """Run a command on both sizes of a shape and print what it took; say whether that grows too fast."""
    count = (SHAPES.get(shape) or CHECKPOINTS[shape])[0]
    models = [floor, made(shape, count), made(shape, 4 * count)]
    base, small, large = (_spent(_filled(arguments, model), most) for model in models)
    grown = math.log(_size(models[2]) / _size(models[1]))
    if large.status not in (0, 1):
        what = "too late" if large.status is None else f"exit {large.status}"
        print(f"{shape:12} {name:14} {count:7} {large.seconds:8.2f} {what:>8}", flush=True)
        return large.status is None
    seconds = [max(one.seconds - base.seconds, 1e-3) for one in (small, large)]
    memory = [max(one.megabytes - base.megabytes, 1e-1) for one in (small, large)]
    time, space = (math.log(after / before) / grown for before, after in (seconds, memory))
    is_fault = (time > MOST and seconds[1] > SECONDS) or (space > MOST and memory[1] > MEGABYTES)
    print(
        f"{shape:12} {name:14} {count:7} {seconds[1]:8.2f} {time:8.2f} {memory[1]:6.0f} {space:8.2f}"
        + ("  FAULT" if is_fault else ""),
        flush=True,
    )
    return is_fault


def _spent(arguments: Sequence[str], most: int) -> Spent:
    gc.freeze()
    child = os.fork()
    if not child:
        resource.setrlimit(resource.RLIMIT_CPU, (most, most + 1))
        silent = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silent, 1)
        os.dup2(silent, 2)
        gc.set_threshold(100_000, 50, 100)
        status = 70
        try:
            status = run(arguments)
        finally:
            os._exit(status)
    _, status, usage = os.wait4(child, 0)
    code = os.waitstatus_to_exitcode(status)
    return Spent(usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, None if code < 0 else code)


def _filled(arguments: Sequence[str], model: Path) -> list[str]:
    for old in PLACE.glob("out*"):
        shutil.rmtree(old) if old.is_dir() else old.unlink()
    return [argument.format(model=model, place=PLACE) for argument in arguments]


def _size(model: Path) -> int:
    return sum(path.stat().st_size for path in model.parent.glob(f"{model.name}*"))


# -- what is run ---------------------------------------------------------------------------------------

COMMANDS = {
    "show": ["show", "{model}"],
    "outputs": ["outputs", "{model}"],
    "find-op": ["find", "{model}", "--op", "Relu"],
    "find-shape": ["find", "{model}", "--shape", "?,7"],
    "check": ["check", "{model}"],
    "weights": ["weights", "{model}"],
    "diff": ["diff", "{model}", "{model}"],
    "render": ["render", "{model}", "-o", "{place}/out.svg"],
    "rename": ["rename", "{model}", "--prefix", "p/", "-o", "{place}/out.pb"],
    "add-output": ["add-output", "{model}", "y=added", "-o", "{place}/out.pb"],
    "set-input": ["set-input", "{model}", "--shape", "x=2,4", "-o", "{place}/out.pb"],
    "add-signature": ["add-signature", "{model}", "--output", "y=y:0", "-o", "{place}/out"],
    "strip": ["strip", "{model}", "--outputs", "y", "-o", "{place}/out.pb"],
    "extract": ["extract", "{model}", "--outputs", "y", "-o", "{place}/out.pb"],
    "freeze": ["freeze", "{model}", "--outputs", "y", "-o", "{place}/out.pb"],
    "convert": ["convert", "{model}", "{place}/out"],
}
CHECKPOINT_COMMANDS = {
    "show": ["show", "{model}"],
    "weights": ["weights", "{model}", "--all"],
    "check": ["check", "{model}"],
    "diff": ["diff", "{model}", "{model}"],
    "rename": ["rename", "{model}", "--prefix", "p/", "-o", "{place}/out.ckpt"],
    "extract": ["extract", "{model}", "--match", "v*", "-o", "{place}/out.ckpt"],
    "convert": ["convert", "{model}", "{place}/out.safetensors"],
}


# -- what it is run on ---------------------------------------------------------------------------------


def made(shape: str, count: int) -> Path:
    """Return a model of so many parts of a shape, made when it is first asked for."""
    is_graph = shape in SHAPES
    path = PLACE / f"{shape}-{count}.{'pb' if is_graph else 'ckpt'}"
    if is_graph and not path.exists():
        graph = schema.message("tensorflow.GraphDef")()
        graph.versions.producer = 1500
        SHAPES[shape][1](graph, count)
        path.write_bytes(graph.SerializeToString())
    elif not is_graph and not Path(f"{path}.index").exists():
        CHECKPOINTS[shape][1](path, count)
    return path


def _node(graph: Any, name: str, op: str, *inputs: str, **attrs: int) -> str:
    node = (graph.node_def if hasattr(graph, "node_def") else graph.node).add(name=name, op=op, input=inputs)
    for key, value in attrs.items():
        if key in ("N", "num_split", "num"):
            node.attr[key].i = value
        else:
            node.attr[key].type = value
    if op == "Const":
        node.attr["value"].tensor.dtype = attrs["dtype"]
        node.attr["value"].tensor.tensor_shape.SetInParent()
    if op == "Placeholder":
        node.attr["shape"].shape.unknown_rank = True
    return name


def _relu(graph: Any, name: str, before: str) -> str:
    return _node(graph, name, "Relu", before, T=1)


def _chain(graph: Any, count: int, name: Callable[[int], str] = "n{}".format) -> None:
    before = _node(graph, "x", "Placeholder", dtype=1)
    for number in range(count):
        before = _relu(graph, name(number), before)
    _relu(graph, "y", before)


def _scopes(graph: Any, count: int) -> None:
    """Let each node lie a scope deeper than the one before."""
    _chain(graph, count, lambda number: "/".join(["s"] * number + ["n"]))


def _long_name(graph: Any, count: int) -> None:
    """Give one node a name of many scopes."""
    _chain(graph, 1, lambda _: "/".join(["s"] * count + ["n"]))


def _wide(graph: Any, count: int) -> None:
    _node(graph, "x", "Placeholder", dtype=1)
    for number in range(count):
        _relu(graph, f"n{number}", "x")
    _relu(graph, "y", "x")


def _joined(graph: Any, count: int) -> None:
    _node(graph, "x", "Placeholder", dtype=1)
    names = [_relu(graph, f"n{number}", "x") for number in range(count)]
    _node(graph, "y", "AddN", *names, T=1, N=count)


def _inputs(graph: Any, count: int) -> None:
    names = [_node(graph, "x" if not number else f"x{number}", "Placeholder", dtype=1) for number in range(count)]
    _node(graph, "y", "AddN", *names, T=1, N=count)


def _controls(graph: Any, count: int) -> None:
    _node(graph, "x", "Placeholder", dtype=1)
    names = [_relu(graph, f"n{number}", "x") for number in range(count)]
    _node(graph, "y", "Relu", "x", *(f"^{name}" for name in names), T=1)


def _split(graph: Any, count: int) -> None:
    _node(graph, "x", "Placeholder", dtype=1)
    _node(graph, "axis", "Const", dtype=3)
    _node(graph, "split", "Split", "axis", "x", T=1, num_split=count)
    for number in range(count):
        _relu(graph, f"n{number}", f"split:{number}")
    _relu(graph, "y", "split")


def _function(graph: Any, name: str, op: str, **attrs: int) -> None:
    function = graph.library.function.add()
    function.signature.name = name
    function.signature.input_arg.add(name="a", type=1)
    function.signature.output_arg.add(name="b", type=1)
    _node(function, "inner", op, "a", **attrs)
    function.ret["b"] = "inner:b:0" if op != "Relu" else "inner:activations:0"


def _functions(graph: Any, count: int) -> None:
    """Let a chain of nodes each call a function of its own."""
    before = _node(graph, "x", "Placeholder", dtype=1)
    for number in range(count):
        _function(graph, f"f{number}", "Relu", T=1)
        before = _node(graph, f"n{number}", f"f{number}", before)
    _relu(graph, "y", before)


def _one_function(graph: Any, count: int) -> None:
    before = _node(graph, "x", "Placeholder", dtype=1)
    _function(graph, "f", "Relu", T=1)
    for number in range(count):
        before = _node(graph, f"n{number}", "f", before)
    _relu(graph, "y", before)


def _blocks(graph: Any, count: int) -> None:
    _chain(graph, count, lambda number: f"block_{number // 5}/part_{number % 5}/relu")


def _variables(path: Path, count: int) -> None:
    variables = {f"v{n}": Variable(f"v{n}", Tensor.of(FLOAT32, [2], [0.5, 1.0])) for n in range(count)}
    model = Model(registry.CHECKPOINT, str(path))
    model.checkpoint = Checkpoint("memory", 2, variables)
    write(model, path)


SHAPES: dict[str, tuple[int, Callable[[Any, int], None]]] = {
    "chain": (4000, _chain),
    "blocks": (4000, _blocks),
    "wide": (4000, _wide),
    "joined": (4000, _joined),
    "inputs": (4000, _inputs),
    "controls": (4000, _controls),
    "split": (4000, _split),
    "functions": (1000, _functions),
    "one-function": (2000, _one_function),
    "scopes": (400, _scopes),
    "long-name": (20_000, _long_name),
}
CHECKPOINTS: dict[str, tuple[int, Callable[[Path, int], None]]] = {"variables": (5000, _variables)}


if __name__ == "__main__":
    main()
