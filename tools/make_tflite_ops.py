"""Write what LiteRT's kernels ask of builtin operators: `graphsurgeon/ops/tflite.txt`.

Run it with a Python that has `ai-edge-litert` and `flatbuffers`. The interpreter is asked, with models of one
operator: which versions of it are registered, and with how many inputs and outputs its kernel goes on to look at
something else. A model may kill the interpreter, so they are tried in a process of its own. Which inputs may be left
out is stated below, from the kernels.

A line is `NAME version=MIN-MAX inputs=MIN-MAX outputs=MIN-MAX optional=INDEX,... FIRST:PLACE=TYPE,...`; a bound that no
kernel names is left out, so is a whole word. The last kind says which element types an input (or output, `o0`) may have
where the first input has one.
"""

from __future__ import annotations

import ast
import os
import re
import resource
import sys
from collections.abc import Callable, Iterator
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "graphsurgeon" / "ops" / "tflite.txt"
MOST_VERSIONS = 16
MOST_INPUTS = 8
MOST_OUTPUTS = 5
MANY = 30  # inputs: more than any operator but those that take any number checks for
RECURRENT = {"LSTM": 24, "UNIDIRECTIONAL_SEQUENCE_LSTM": 24, "BIDIRECTIONAL_SEQUENCE_LSTM": 48}
OPTIONAL = {
    "CONV_2D": [2], "DEPTHWISE_CONV_2D": [2], "FULLY_CONNECTED": [2], "CONV_3D": [2], "TRANSPOSE_CONV": [3],
    "CONV_3D_TRANSPOSE": [3], "SVDF": [3], "BIDIRECTIONAL_SEQUENCE_RNN": [9, 10, 11],
    "LSTM": [1, 5, 9, 10, 11, 12, 16, 17, 20, 21, 22, 23],
    "UNIDIRECTIONAL_SEQUENCE_LSTM": [1, 5, 9, 10, 11, 12, 16, 17, 20, 21, 22, 23],
    "BIDIRECTIONAL_SEQUENCE_LSTM": [1, 5, 9, 10, 11, 12, 16, 17, 18, 22, 26, 27, 28, 29, 33, 34, *range(39, 48)],
}  # fmt: skip
COUNTED = {"PACK": "inputs", "SPLIT": "outputs", "SPLIT_V": "outputs", "UNPACK": "outputs"}  # the options say how many
LEAST = {"FULLY_CONNECTED": 2}  # inputs; a kernel that asks for them only after it has looked at them
FLAT, FLAT_OPS = [1, 1], {"FULLY_CONNECTED", "RNN", "SVDF", "SELECT", "MATRIX_DIAG"}  # operators of matrices
FIRST = ("FLOAT32", "INT32")
MINDS = re.compile(r"type|Type")
COUNTS = re.compile(r"NumInputs|num_inputs|inputs->size|NumOutputs|num_outputs|outputs->size")
ANY = {"CALL", "CALL_ONCE", "CUSTOM", "DELEGATE", "IF", "PLACEHOLDER_FOR_GREATER_OP_CODES", "WHILE"}


def main() -> None:
    """Write the table."""
    sys.path.insert(0, str(ROOT))
    from graphsurgeon.formats.tflite.schema import operator_codes

    lines = [f"# Made by tools/make_tflite_ops.py from ai-edge-litert {version('ai-edge-litert')}; do not edit."]
    for name in operator_codes():
        words = [] if name in ANY - {"IF", "WHILE", "CALL_ONCE"} else list(_words(name))
        lines.append(" ".join([name, *words]))
        print(lines[-1], flush=True)
    OUTPUT.write_text("\n".join(lines) + "\n", "utf-8")


def _words(name: str) -> Iterator[str]:
    versions: list[int] = []
    for v in range(MOST_VERSIONS):
        if "Didn't find op for" not in _tried(name, v, 1, 1):
            versions.append(v)
        elif v > (versions or [3])[-1]:  # they are registered from one version to another
            break
    if not versions:
        return
    yield f"version={versions[0]}-{versions[-1]}"
    if name not in ANY:
        counts = [*range(MOST_INPUTS + 1), *([RECURRENT[name]] if name in RECURRENT else []), MANY]
        counts = [n for n in counts if n >= LEAST.get(name, 0)]
        if COUNTED.get(name) != "inputs":
            yield from _bounds("inputs", counts, lambda n: _outcome(name, versions[-1], n, None))
        counts = [*range(MOST_OUTPUTS + 1), MANY]
        if COUNTED.get(name) != "outputs":
            yield from _bounds("outputs", counts, lambda n: _outcome(name, versions[-1], None, n))
        yield from _types(name, versions[-1])
    if name in OPTIONAL:
        yield f"optional={','.join(map(str, OPTIONAL[name]))}"


def _types(name: str, number: int) -> Iterator[str]:
    """Yield which types each tensor may have, for first inputs of some types, where the kernel minds."""
    from graphsurgeon.formats.tflite.schema import schema

    every = [t for t in schema().enum("TensorType").values() if t not in ("RESOURCE", "VARIANT", "STRING")]
    for inputs, outputs in ((n, m) for m in (1, 2) for n in (1, 2, 3, 4) if n >= LEAST.get(name, 0)):
        if "died" in (said := _tried(name, number, inputs, outputs)) or COUNTS.search(said):
            continue
        for first in FIRST:
            told = {types: _tried(name, number, inputs, outputs, types) for types in _bases(first, inputs, outputs)}
            clean = [types for types, said in told.items() if not MINDS.search(said)]
            for place in range(1, inputs + outputs) if clean else ():
                base = clean[0]
                tried = [(t, (*base[:place], t, *base[place + 1 :])) for t in every]
                said_of = {t: _tried(name, number, inputs, outputs, types) for t, types in tried}
                good = [t for t, said in said_of.items() if said == "died" or not MINDS.search(said)]
                if good != every:
                    where = str(place) if place < inputs else f"o{place - inputs}"
                    yield f"{first}:{where}={','.join(good)}"
        return


def _bases(first: str, inputs: int, outputs: int) -> Iterator[tuple[str, ...]]:
    for others in (first, "INT32"):
        for results in (first, "INT32", "BOOL"):
            yield (first, *[others] * (inputs - 1), *[results] * outputs)


def _bounds(word: str, counts: list[int], passes: Callable[[int], bool]) -> Iterator[str]:
    """Yield the least and the largest number that a kernel takes."""
    good = [n for n in counts if passes(n)]
    if good and good != counts:
        most = "" if good[-1] == MANY else str(good[-1])
        yield f"{word}={good[0]}-{most}"


def _outcome(name: str, number: int, inputs: int | None, outputs: int | None) -> bool:
    """Say whether a number of inputs (or outputs) is what the kernel takes, whatever the other number is."""
    others = [1, 2, 3, 4, 5, 24, 48] if outputs is not None else [1, 2, 0, 3, 4]
    for other in others:
        said = _tried(name, number, other if inputs is None else inputs, other if outputs is None else outputs)
        wrong = "Input" if inputs is not None else "Output"
        if said != "died" and not (COUNTS.search(said) and wrong.lower() in said.lower()):
            if COUNTS.search(said):
                continue  # it was the other number: nothing is known of this one
            return True
    return False


class Worker:
    """A child that tries models; another takes its place where a model kills it."""

    def __init__(self) -> None:
        self.ask: Any = None

    def tried(self, *model: object) -> str:
        """Return what the interpreter says of a model: nothing, an error, or `died`."""
        if self.ask is None:
            self._start()
        self.ask.write(repr(model) + "\n")
        self.ask.flush()
        answer = self.answer.readline()
        if answer:
            return str(ast.literal_eval(answer))
        os.waitpid(self.pid, 0)
        self.ask = None
        return "died"

    def _start(self) -> None:
        (asked, ask), (answer, answered) = os.pipe(), os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(ask)
            os.close(answer)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            with os.fdopen(asked) as lines, os.fdopen(answered, "w") as out:
                for line in lines:
                    out.write(repr(_said(_model(*ast.literal_eval(line)))[:4000]) + "\n")
                    out.flush()
            os._exit(0)
        os.close(asked)
        os.close(answered)
        self.ask, self.answer = os.fdopen(ask, "w"), os.fdopen(answer)


WORKER = Worker()


@cache
def _tried(name: str, number: int, inputs: int, outputs: int, types: tuple[str, ...] = ()) -> str:
    """Return what the interpreter says of a model of one operator."""
    return WORKER.tried(name, number, inputs, outputs, types)


def _said(data: bytes) -> str:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        Interpreter(model_content=data, experimental_op_resolver_type=resolver).allocate_tensors()
    except (RuntimeError, ValueError) as error:
        return str(error)
    return ""


def _model(name: str, number: int, inputs: int, outputs: int, types: tuple[str, ...]) -> bytes:
    import flatbuffers
    from ai_edge_litert import schema_py_generated as objects

    from graphsurgeon.formats.tflite.schema import operator_codes, option_tables, option_unions

    code, operator, graph, model = objects.OperatorCodeT(), objects.OperatorT(), objects.SubGraphT(), objects.ModelT()
    code.builtinCode, code.version = operator_codes()[name], number
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    shape = FLAT if name in FLAT_OPS else [1, 1, 1, 1]
    types = types or ("FLOAT32",) * (inputs + outputs)
    graph.tensors = [_tensor(objects, index, type, shape) for index, type in enumerate(types)]
    graph.inputs, graph.outputs = list(range(inputs)), list(range(inputs, inputs + outputs))
    operator.inputs, operator.outputs = list(graph.inputs), list(graph.outputs)
    if name in option_tables():
        field, member = option_unions()[option_tables()[name]]
        attribute = "builtinOptions2" if field.endswith("2") else "builtinOptions"
        setattr(operator, attribute, getattr(objects, f"{option_tables()[name]}T")())
        setattr(operator, f"{attribute}Type", member)
    graph.operators = [operator]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], [objects.BufferT()]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensor(objects: Any, index: int, type: str, shape: list[int]) -> Any:
    tensor = objects.TensorT()
    tensor.name, tensor.shape, tensor.type = f"t{index}", shape, _number(type)
    return tensor


def _number(type: str) -> int:
    from graphsurgeon.formats.tflite.schema import schema

    return next(number for number, name in schema().enum("TensorType").items() if name == type)


if __name__ == "__main__":
    import ai_edge_litert.interpreter  # noqa: F401  # once, before the forks

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
