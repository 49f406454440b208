"""Time and memory of edits of a large checkpoint, against a copy: `large_checkpoint.py [GB [EDIT...]]`.

The shards are sparse: their values are zeros that take no room on disk, and are read as any others.
"""

from __future__ import annotations

import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from graphsurgeon.formats import registry
from graphsurgeon.formats.writing import plan_write
from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.dtype import FLOAT32
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import FilledSource, Tensor

MB = 1 << 20
EDITS = {
    "rename": "rename {a} layer_0/=first/ -o {out}",
    "extract": "extract {a} --match layer_1* -o {out}",
    "merge": "merge {a} {b} --prefix b/ -o {out}",
    "average": "average {a} {b} -o {out}",
    "cast": "cast {a} --dtype bfloat16 -o {out}",
    "to .safetensors": "convert {a} {out}.safetensors",
}


def main() -> None:
    """Make two checkpoints, run every edit once, print a row each."""
    size = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with tempfile.TemporaryDirectory(dir=".") as name:
        folder = Path(name)
        paths = {"a": make(folder / "a.ckpt", size), "b": folder / "b.ckpt"}
        for file in folder.glob("a.ckpt.*"):
            os.link(file, folder / file.name.replace("a.ckpt", "b.ckpt"))
        print(f"{'edit':16} {'seconds':>8} {'peak MB':>8}")
        report("cp", ["cp", "--sparse=never", f"{paths['a']}.data-00000-of-00001", str(folder / "copy")])
        for edit, line in EDITS.items():
            if len(sys.argv) > 2 and edit not in sys.argv[2:]:
                continue
            words = line.format(**paths, out=folder / "out.ckpt").split()
            report(edit, [sys.executable, "-m", "graphsurgeon", *words, "-q"])
            for file in folder.glob("out.ckpt*"):
                file.unlink()


def make(prefix: Path, gigabytes: float) -> Path:
    """Write a checkpoint of layers of 64 MB; its zeros are cut out of the file afterwards."""
    count = round(gigabytes * 1000 / 64)
    variables = {}
    for number in range(count):
        key, shape = f"layer_{number}/kernel", Shape([4096, 4000])
        variables[key] = Variable(key, Tensor(FLOAT32, shape, FilledSource(b"\0" * 4, 4096 * 4000)))
    model = Model(registry.CHECKPOINT, str(prefix))
    model.checkpoint = Checkpoint(str(prefix), 2, variables)
    plan_write(model, prefix).write()
    subprocess.run(["fallocate", "--dig-holes", f"{prefix}.data-00000-of-00001"], check=False)
    return prefix


def report(what: str, command: list[str]) -> None:
    """Run a command and print its time and the most memory that it took."""
    start = time.perf_counter()
    child = os.posix_spawn("/usr/bin/env", ["/usr/bin/env", *command], dict(os.environ))
    _, status, usage = os.wait4(child, 0)
    seconds = time.perf_counter() - start
    done = "" if status == 0 else f"  failed: {os.waitstatus_to_exitcode(status)}"
    print(f"{what:16} {seconds:8.1f} {usage.ru_maxrss / 1024:8.0f}{done}", flush=True)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
