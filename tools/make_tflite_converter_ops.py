"""Write which TensorFlow ops the TFLite converter never takes: `graphsurgeon/ops/tflite_refused.txt`.

Run it with a Python that has TensorFlow. The converter is asked, with graphs of one op each, for several element types
and shapes, with placeholders and with constants behind the first input: an op that it takes once is taken, one that it
refuses each time it looks at it goes into the table. Ops for which no graph can be made up (lists without a length) are
not in it, nor what gives resources or variants, which it takes in company: of them nothing is known.
The converter may kill its process, so ops are tried in one of its own, which is begun anew behind such an op.

A line is `OP select` where the kernel of TensorFlow may stand in the file (`--select-tf-ops`), `OP none` where nothing
runs it.
"""

from __future__ import annotations

import itertools
import os
import re
import select
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "graphsurgeon" / "ops" / "tflite_refused.txt"
SHAPES: tuple[tuple[int, ...], ...] = ((2, 4), (4,), (), (1, 4, 4, 4))
CONSTANTS: tuple[tuple[int, ...], ...] = ((), (1,), (2, 4))
WORTH = ["unknown", "none", "select"]  # TensorFlow's kernels are for some element types only: one is enough
PLAIN = ("float32", "int32")  # types that constants are tried with
# Ops of training, data and machines of other kinds, which no frozen graph has: they are not asked about.
ELSEWHERE = re.compile(
    "Grad|Dataset|Iterator|Summary|Reader|Boosted|Sdca|Collective|Nccl|Debug|TPU|Xla|Cudnn|Queue|Stats|Embedding|"
    "Anonymous|Accumulator|Seed|Sampler|Minibatch|Coo|SparseCore|Backprop|Restore|Generator|Experimental|Session"
)
HANDLES = (20, 21)  # resource, variant
TYPES = ("float32", "int32", "string", "bool", "int64", "complex64")
PATIENCE = 40  # seconds without a word from the process
# Words of the converter's message: it looked at the op and has nothing for it.
SELECT, NONE = "TF Select ops:", "Custom ops:"


def main() -> None:
    """Write the table."""
    sys.path.insert(0, str(ROOT))
    if sys.argv[1:2] == ["--ask"]:
        _answer(sys.argv[2:])
        return
    from graphsurgeon.ops import catalog

    verdicts: dict[str, str] = {}
    waiting = sorted(op for op in catalog.names() if not ELSEWHERE.search(op))
    while waiting:
        for op, verdict in _asked(waiting):
            verdicts[op] = verdict
            print(op, verdict, flush=True)
        killed = next((op for op in waiting if op not in verdicts), None)
        waiting = [op for op in waiting if op not in verdicts and op != killed]
    lines = [f"# Made by tools/make_tflite_converter_ops.py from TensorFlow {version('tensorflow-cpu')}; do not edit."]
    lines += [f"{op} {verdict}" for op, verdict in sorted(verdicts.items()) if verdict in ("select", "none")]
    OUTPUT.write_text("\n".join(lines) + "\n", "utf-8")


def _asked(ops: list[str]) -> Iterator[tuple[str, str]]:
    """Yield op and verdict until the process ends, or says nothing for a while, which ends it."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": "-1"}
    command = [sys.executable, __file__, "--ask", *ops]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        while select.select([process.stdout], [], [], PATIENCE)[0]:
            words = process.stdout.readline().split()
            if not words:
                break
            if len(words) == 2 and words[0] in ops:
                yield words[0], words[1]
        process.kill()


def _answer(ops: list[str]) -> None:
    import tensorflow as tf

    tf.get_logger().setLevel("ERROR")
    for op in ops:
        print(f"{op} {_verdict(op)}", flush=True)


def _verdict(op: str) -> str:
    found = "unknown"
    for function in _functions(op):
        said = _converted(function)
        if said == "taken":
            return said
        found = max(found, said, key=WORTH.index) if said in WORTH else found
    return found


def _converted(function: Any) -> str:
    import tensorflow as tf

    try:
        tf.lite.TFLiteConverter.from_concrete_functions([function]).convert()
    except Exception as error:  # whatever it raises is an answer
        text = str(error)
        return "select" if SELECT in text else "none" if NONE in text else "failed"
    return "taken"


def _functions(op: str) -> Iterator[Any]:
    """Yield functions of one op, for types and shapes that TensorFlow takes."""
    import tensorflow as tf

    from graphsurgeon.ops import catalog

    raw = getattr(tf.raw_ops, op, None)
    definition = catalog.get(op)
    if raw is None or definition is None or not definition.outputs:
        return
    if any(arg.type in HANDLES for arg in (*definition.inputs, *definition.outputs)):
        return
    plain = [arg for arg in definition.inputs if not arg.is_ref and not arg.type_list_attr]
    if len(plain) != len(definition.inputs):
        return
    free = {arg.type_attr for arg in plain if arg.type_attr}
    for dtype, shape in itertools.product(TYPES if free else TYPES[:1], SHAPES if plain else SHAPES[:1]):
        attrs = _attrs(definition, dtype)
        if attrs is None:
            continue
        specs = [
            tf.TensorSpec(shape, _type(arg, attrs, dtype)) for arg in plain for _ in range(2 if arg.number_attr else 1)
        ]
        for constants in (None, *CONSTANTS) if len(specs) > 1 and dtype in PLAIN else (None,):
            try:
                yield _traced(raw, plain, specs, attrs, constants)
            except Exception:  # noqa: PERF203  TensorFlow takes no such op
                continue


def _traced(
    raw: Any, plain: list[Any], specs: list[Any], attrs: dict[str, Any], constants: tuple[int, ...] | None
) -> Any:
    """Trace a function of one op; with constants of a shape in the place of all inputs but the first."""
    import tensorflow as tf

    fed = specs if constants is None else specs[:1]

    def call(*values: Any) -> Any:
        rest = [
            tf.cast(tf.fill(constants or (), place + 1), spec.dtype) for place, spec in enumerate(specs[len(fed) :])
        ]
        left = [*values, *rest]
        named = {arg.name: [left.pop(0), left.pop(0)] if arg.number_attr else left.pop(0) for arg in plain}
        inferred = {arg.type_attr for arg in plain} | {arg.number_attr for arg in plain}
        results = raw(**named, **{name: value for name, value in attrs.items() if name not in inferred})
        return list(results) if isinstance(results, (tuple, list)) else results

    return tf.function(call).get_concrete_function(*fed)


def _type(arg: Any, attrs: dict[str, Any], dtype: str) -> Any:
    import tensorflow as tf

    return tf.as_dtype(attrs.get(arg.type_attr, dtype)) if arg.type_attr else tf.as_dtype(arg.type)


def _attrs(definition: Any, dtype: str) -> dict[str, Any] | None:
    """Return attributes for an element type, None where the op does not take it."""
    chosen: dict[str, Any] = {}
    for name, attr in definition.attrs.items():
        if attr.has_default and attr.type != "type":
            continue
        if attr.type == "type":
            allowed = [kind.name for kind in attr.allowed or ()]
            if attr.has_default and (not allowed or dtype not in allowed):
                continue
            if allowed and dtype not in allowed:
                return None
            chosen[name] = dtype
        elif attr.type in _MADE_UP:
            allowed = list(attr.allowed or ())
            chosen[name] = allowed[0].decode() if allowed else _MADE_UP[attr.type]
        else:
            return None
    return chosen


_MADE_UP: dict[str, Any] = {
    "int": 2, "float": 0.5, "bool": False, "string": "a", "list(int)": [1, 1, 1, 1], "shape": [2], "list(float)": [0.5],
}  # fmt: skip


if __name__ == "__main__":
    main()
