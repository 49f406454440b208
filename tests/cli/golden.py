"""What commands print, kept in `tests/cli/golden/`: on terminals of 80 and 120 columns in colour, and in a pipe.

    python -m tests.cli.golden          # writes the files anew; read the difference before it is committed

Every file holds one command. The escapes of a terminal stand as `\\e[`; paths are those of a folder with copies of
fixtures.
"""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import NamedTuple
from unittest import mock

FOLDER = Path(__file__).with_name("golden")
FIXTURES = Path(__file__).resolve().parents[2] / "fixtures"
MODELS = {
    "face": "metagraph/face_resnet",
    "export": "savedmodel/keras_export",
    "linear": "savedmodel/linear",
    "vocabulary": "savedmodel/table_asset",
    "cnn.pb": "graphdef/cnn.pb",
    "train_phase.pb": "graphdef/frozen_train_phase.pb",
    "cnn.tflite": "tflite/cnn_int8.tflite",
    "labels.tflite": "tflite/metadata.tflite",
    "training": "checkpoint/object_graph",
    "broken": "hostile/bad_signatures",
    "unfrozen": "graphdef/unfrozen",
}
CASES = {
    "show": ["show export", "show face/model-1.meta", "show cnn.tflite", "show training/ckpt-1",
             "show cnn.tflite --memory", "show cnn.pb --memory"],
    "find": ["find face/model-1.meta --shape ?,512", "find export --shape ?,5", "find cnn.pb --op Conv2D",
             "find face/model-1.meta --name resnet_v2/block1/unit_1/bottleneck_v2/preact/cond/Merge*",
             "find cnn.pb --pattern 'Relu(x)'", "find cnn.pb --name nothing"],
    "inputs": ["inputs face/model-1.meta", "inputs cnn.tflite"],
    "outputs": ["outputs face/model-1.meta", "outputs export"],
    "weights": ["weights export", "weights face/model-1.meta", "weights cnn.pb --stats", "weights cnn.tflite"],
    "check": ["check linear", "check broken", "check training/ckpt-2 --checkpoint training/ckpt-1",
              "check face/model-1.meta --checkpoint training/ckpt-1"],
    "scan": ["scan vocabulary --all", "scan linear cnn.pb"],
    "catalog": ["catalog cnn.pb cnn.tflite linear -o models.csv -j 1"],
    "diff": ["diff linear linear", "diff linear out/renamed", "diff training/ckpt-1 training/ckpt-2"],
    "rename": ["rename linear serving_default=predict --what signatures -o out/renamed --force"],
    "add-output": ["add-output export functional_1/pool_1/Mean=pooled --signature serving_default -o out/a --force"],
    "add-signature": ["add-signature face/model-1.meta --outputs-by-shape embedding=?,512 -o out/served --force"],
    "remove-signature": ["remove-signature export serve -o out/one --force"],
    "join": ["join cnn.pb train_phase.pb -o out/both.pb --force",
             "join cnn.tflite labels.tflite -o out/both.tflite --force"],
    "rewire": ["rewire cnn.pb functional_1/pointwise_1/BiasAdd=functional_1/depthwise_1/BiasAdd -o out/r.pb --force"],
    "set-weights": ["set-weights cnn.pb functional_1/probs_1/Cast/ReadVariableOp/resource=0.5 -o out/w.pb --force"],
    "average": ["average training/ckpt-1 training/ckpt-2 -o out/mean/model --force"],
    "cast": ["cast training/ckpt-1 --dtype bfloat16 --match 'model/*' -o out/cast/model --force"],
    "merge": ["merge training/ckpt-1 training/ckpt-2 --keep second -o out/both/model --force"],
    "extract": ["extract face/model-1.meta --outputs logits/MatMul -o out/part.meta --force",
                "extract training/ckpt-1 --match 'model/*' -o out/ck/model --force",
                "extract training/ckpt-1 --skip-damaged -o out/ck/model --force"],
    "freeze": ["freeze export -o out/frozen.pb --force", "freeze export -o out/frozen.pb --force --dry-run"],
    "optimize": ["optimize cnn.pb -o out/fast.pb --force"],
    "replace": ["replace cnn.pb 'Relu(x) => Relu6(x)' -o out/r.pb --force"],
    "strip": ["strip face/model-1.meta --outputs logits/MatMul -o out/s.meta --force"],
    "set-input": ["set-input face/model-1.meta --set train_phase=false -o out/i.meta --force",
                  "set-input face/model-1.meta --shape input_image=?,32,32,3 -o out/i.meta --force"],
    "set-output": ["set-output cnn.tflite --dtype probs=float32 -o out/o.tflite --force"],
    "metadata": ["metadata labels.tflite", "metadata cnn.tflite"],
    "attach-checkpoint": ["attach-checkpoint face/model-1.meta face/model-1 -o out/whole --force"],
    "render": ["render cnn.pb -o out/cnn.svg --force"],
    "apply": ["apply steps.txt export -o out/applied --force"],
    "convert": ["convert cnn.pb out/cnn.pbtxt --force", "convert training/ckpt-1 out/w.npz --force"],
    "errors": ["show nothing.pb", "find cnn.pb --graph no",
               "freeze face/model-1.meta --outputs logits/MatMull -o x.pb"],
}  # fmt: skip
REPORTS = "runs.txt"
RECIPE = "rename --what keys serving_default.probs=scores\nremove-signature serve\n"


class Seen(NamedTuple):
    """What was printed, to both streams in one."""

    text: str
    status: int


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class _Beside(io.StringIO):
    """Writes into another stream and is no terminal, so that no progress is drawn, which takes a clock."""

    def __init__(self, stream: io.StringIO) -> None:
        super().__init__()
        self.stream = stream

    def write(self, text: str) -> int:
        return self.stream.write(text)


@contextlib.contextmanager
def folder_of_models() -> Iterator[None]:
    """Stand in a folder with copies of a few fixtures."""
    before = os.getcwd()
    with tempfile.TemporaryDirectory() as made:
        for name, place in MODELS.items():
            source = FIXTURES / place
            (shutil.copytree if source.is_dir() else shutil.copy)(source, Path(made) / name)
        (Path(made) / "steps.txt").write_text(RECIPE)
        (Path(made) / "out").mkdir()
        os.chdir(made)
        try:
            see("rename linear serving_default=predict --what signatures -o out/renamed")
            yield
        finally:
            os.chdir(before)


def see(command: str, *, columns: int | None = None, colour: bool = True) -> Seen:
    """Run a command in this process.

    Args:
        command: as it is typed, without `gs`.
        columns: of a terminal; None for a pipe.
        colour: whether the terminal has colours.
    """
    from graphsurgeon.cli.app import run

    with _standing(columns, colour=colour, errors_too=command in CASES["errors"]) as stream:
        status = run(shlex.split(command))
    return Seen(stream.getvalue(), status)


@contextlib.contextmanager
def _standing(columns: int | None, *, colour: bool, errors_too: bool = False) -> Iterator[io.StringIO]:
    """Let a stream stand for both of the process, as a terminal of so many columns or as a pipe."""
    stream = _Terminal() if columns else io.StringIO()
    beside = stream if errors_too else _Beside(stream)
    environment = {"TERM": "xterm-256color" if colour else "dumb", "COLUMNS": str(columns or 80)}
    with (
        mock.patch.dict(os.environ, environment),
        contextlib.redirect_stdout(stream),
        contextlib.redirect_stderr(beside),
    ):
        for name in ("NO_COLOR", "FORCE_COLOR", "COLORTERM", "GS_DEBUG"):
            os.environ.pop(name, None)
        yield stream


@cache
def golden(name: str) -> str:
    """Return what the file of a command holds: each of its cases in all three ways."""
    parts = []
    for command in CASES[name]:
        for title, columns in (("80 columns", 80), ("120 columns", 120), ("a pipe", None)):
            seen = see(command, columns=columns)
            shown = seen.text.replace("\x1b", "\\e")
            parts.append(f"===== {title}: gs {command}\n{shown}===== status {seen.status}\n")
    return "\n".join(parts)


def reports() -> str:
    """Return what `gs run` and `gs verify` print of made-up reports: they need a runtime, their text does not."""
    from graphsurgeon.bridges.run import ArraySummary, RunReport
    from graphsurgeon.cli.text.run import print_equivalence, print_run
    from graphsurgeon.compare.equivalence import ComparedOutput, ComparedTensor, EquivalenceReport
    from graphsurgeon.model.shape import Shape

    image = ArraySummary("image", "float32", Shape([2, 8, 8, 3]), 0.0018446, 0.98735, 0.505395, 0,
                         [0.308452, 0.0175688, 0.0107234, 0.6129, 0.598774, 0.904262, 0.478059, 0.933879])  # fmt: skip
    words = ArraySummary("words", "string", Shape([1]), values=[b"a word"])
    loss = ArraySummary("loss", "float32", Shape([3]), 0.5, 0.5, 0.5, 2, [0.5, float("nan"), float("inf")])
    ran = RunReport("model", "serving_default", "object", [image], [words, loss], {})
    same = ComparedOutput("serving_default", "object", "probs", True, True, 6)
    apart = ComparedOutput("serving_default", "object", "loss", False, False, 3, 2, 0.25)
    near = ComparedOutput(None, "session", "logits/MatMul:0", True, False, 8, 0, 1e-7)
    equal = EquivalenceReport("a", "b", True, [same, near], [], None)
    differs = EquivalenceReport("a", "b", False, [same, apart], [("words", "strings of random bytes")], "block1/Relu:0")
    coarse = ComparedOutput(
        "serving_default", "interpreter", "probs", True, False, 5, 0, 0.02, mean=0.003, range=0.8, step=0.004, steps=16
    )
    far = replace(coarse, name="boxes", agrees=False, different=1, largest=0.3, step=None, steps=None)
    inside = [
        ComparedTensor("conv/Relu", "conv/Relu", "CONV_2D", True, True),
        ComparedTensor("mean", "mean;1", "MEAN", True, False, 0.002, 0.5),
        ComparedTensor("boxes", "boxes", "FULLY_CONNECTED", False, False, 0.3, 0.8),
    ]
    walked = EquivalenceReport("a", "b", False, [coarse, far], [], "boxes", tensors=inside)
    printed = {"run": lambda: print_run(ran), "verify, equal": lambda: print_equivalence(equal),
               "verify, different": lambda: print_equivalence(differs),
               "verify, tensors inside": lambda: print_equivalence(walked)}  # fmt: skip
    parts = []
    for name, show in printed.items():
        for title, columns in (("80 columns", 80), ("120 columns", 120), ("a pipe", None)):
            with _standing(columns, colour=True) as stream:
                show()
            parts.append(f"===== {title}: {name}\n{stream.getvalue()}".replace("\x1b", "\\e"))
    return "\n".join(parts)


def main() -> None:
    """Write all files."""
    FOLDER.mkdir(exist_ok=True)
    with folder_of_models():
        for name in CASES:
            (FOLDER / f"{name}.txt").write_text(golden(name), "utf-8")
    (FOLDER / REPORTS).write_text(reports(), "utf-8")


if __name__ == "__main__":
    main()
