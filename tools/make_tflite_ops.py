"""Write what LiteRT's kernels ask of builtin operators: `graphsurgeon/ops/tflite.txt`.

Run it with a Python that has `ai-edge-litert` and `flatbuffers`. The interpreter is asked, with models of one
operator: which versions of it are registered, and with how many inputs and outputs its kernel goes on to look at
something else. A model may kill the interpreter or never end, so they are tried in processes of their own, each
model with a bound on its processor time. Which inputs may be left
out is stated below, from the kernels.

A line is `NAME version=MIN-MAX inputs=MIN-MAX outputs=MIN-MAX optional=INDEX,... FIRST,...:PLACE=TYPE,...`; a bound
that no kernel names is left out, so is a whole word. The last kind says which element types an input (or output, `o0`)
may have where the first input has one; after a `!` those that it may not have. The place `0` is the first input itself,
`@` stands for its type, `s0` for an output to which the kernel gives a type whatever is stored. `ran` names types of
the first input with which the kernel was seen to run, `zero` and `none` tensors that it does not take with a zero point
other than 0, or without a scale, `bare` types of the first input with which it wants scales, `same` inputs that must
have one type.
"""

from __future__ import annotations

import ast
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from tflite_types import EVERY, TYPES, minds_types, passes, words

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "graphsurgeon" / "ops" / "tflite.txt"
MOST_VERSIONS = 16
MOST_INPUTS = 8
MOST_OUTPUTS = 5
MANY = 30  # inputs: more than any operator but those that take any number checks for
RECURRENT = {"LSTM": 24, "UNIDIRECTIONAL_SEQUENCE_LSTM": 24, "BIDIRECTIONAL_SEQUENCE_LSTM": 48}
OPTIONAL = {
    "FULLY_CONNECTED": [2], "CONV_3D": [2], "TRANSPOSE_CONV": [3],
    "CONV_3D_TRANSPOSE": [3], "SVDF": [3], "BIDIRECTIONAL_SEQUENCE_RNN": [9, 10, 11],
    "LSTM": [1, 5, 9, 10, 11, 12, 16, 17, 20, 21, 22, 23],
    "UNIDIRECTIONAL_SEQUENCE_LSTM": [1, 5, 9, 10, 11, 12, 16, 17, 20, 21, 22, 23],
    "BIDIRECTIONAL_SEQUENCE_LSTM": [1, 5, 9, 10, 11, 12, 16, 17, 18, 22, 26, 27, 28, 29, 33, 34, *range(39, 48)],
}  # fmt: skip
# Operators with too many inputs to make up a model: one that has it, the weights, whose types have to be the same ones,
# and the biases, whose types are asked for.
LSTM = ROOT / "fixtures" / "tflite" / "lstm.tflite"
FIXTURES = {"UNIDIRECTIONAL_SEQUENCE_LSTM": (LSTM, range(1, 9), range(12, 16))}
COUNTED = {"PACK": "inputs", "SPLIT": "outputs", "SPLIT_V": "outputs", "UNPACK": "outputs"}  # the options say how many
LEAST = {
    "FULLY_CONNECTED": 2,
    "CONV_2D": 3,
    "DEPTHWISE_CONV_2D": 3,
}  # inputs; a kernel that asks for them only after it has looked at them
FLAT, FLAT_OPS = [1, 1], {"FULLY_CONNECTED", "RNN", "SVDF", "SELECT", "MATRIX_DIAG"}  # operators of matrices
# What inputs may be like where types are asked for.
SHAPES: tuple[list[int], ...] = ([1, 1, 1, 1], [4, 2], [4], [1], [], [1, 1], [0])
NUMBERS = {
    "strideH": 1, "strideW": 1, "strideD": 1, "dilationHFactor": 1, "dilationWFactor": 1, "dilationDFactor": 1,
    "filterHeight": 1, "filterWidth": 1, "depthMultiplier": 1, "blockSize": 1, "radius": 1, "tableId": 7,
    "keyDtype": 4, "valueDtype": 5,  # INT64 and STRING, of a table
}  # fmt: skip
NUMPY = {
    "FLOAT32",
    "FLOAT16",
    "INT32",
    "INT64",
    "INT16",
    "INT8",
    "UINT8",
    "UINT16",
    "UINT32",
    "UINT64",
    "FLOAT64",
    "BOOL",
}
COUNTS = re.compile(r"NumInputs|num_inputs|inputs->size|NumOutputs|num_outputs|outputs->size")
MOST_SECONDS, MOST_BYTES = 4, 8 << 30  # of processor and memory, for one model
MOST_CASES = 200  # models that one process tries


class Way(NamedTuple):
    """A way to fill and to quantize the tensors of a model.

    Attributes:
        counts: inputs but the first are 0, 1, 2, ..., not zeros: axes, permutations.
        scale: of all tensors; 1, so that a bias has the product of the others.
        results: type -> scale and zero point of outputs, where kernels want fixed ones.
    """

    counts: bool = False
    scale: float = 1.0
    results: Mapping[str, tuple[float, int]] = MappingProxyType({})

    def of(self, type: str, is_output: bool) -> tuple[float, int]:
        """Return the scale and the zero point of a tensor."""
        return self.results.get(type, (self.scale, 0)) if is_output else (self.scale, 0)


WAYS = (
    Way(),
    Way(counts=True),
    Way(scale=0.5),  # comparisons multiply by it and want less than 1
    Way(results={"INT8": (1 / 256, -128), "UINT8": (1 / 256, 0), "INT16": (1 / 32768, 0)}),  # LOGISTIC, SOFTMAX
    Way(results={"INT8": (1 / 128, 0), "UINT8": (1 / 128, 128), "INT16": (1 / 32768, 0)}),  # TANH, L2_NORMALIZATION
    Way(scale=1 / 4096, results={"INT16": (1 / 32768, 0)}),
)
BEYOND = re.compile(r"Invalid tensor index \d+ \(not in \[0, (\d+)\)\)")
ANY = {"CALL", "CALL_ONCE", "CUSTOM", "DELEGATE", "IF", "PLACEHOLDER_FOR_GREATER_OP_CODES", "WHILE"}


def main() -> None:
    """Write the table, or the lines of the operators that are named."""
    sys.path.insert(0, str(ROOT))
    from graphsurgeon.formats.tflite.schema import operator_codes

    old = OUTPUT.read_text("utf-8").splitlines()
    lines = {line.split(" ")[0]: line for line in old[2:]}
    for name in sys.argv[1:] or operator_codes():
        found = [] if name in ANY - {"IF", "WHILE", "CALL_ONCE"} else list(_asked(name))
        lines[name] = " ".join([name, *found])
        print(lines[name], flush=True)
    head = [f"# Made by tools/make_tflite_ops.py from ai-edge-litert {version('ai-edge-litert')}; do not edit.",
            _types_asked(old[1] if sys.argv[1:] else "")]  # fmt: skip
    OUTPUT.write_text("\n".join([*head, *(lines[name] for name in operator_codes())]) + "\n", "utf-8")


def _types_asked(old: str) -> str:
    """Return the line that names the types: those of lines that stay as they were are what the old one says."""
    every = old.partition(": ")[2].partition(";")[0].split(",") if old else [*TYPES]
    later = [type for type in TYPES if type not in every]
    told = f"# Types that were asked for: {','.join(every)}"
    return f"{told}; where a line was made anew also {','.join(later)}" if later else told


def _asked(name: str) -> Iterator[str]:
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
    """Yield which types each tensor may have."""

    def asked(
        inputs: int, outputs: int, types: tuple[str, ...], shapes: tuple[int, ...], odd: tuple[int, str] = (-1, "")
    ) -> str:
        return _tried(name, number, inputs, outputs, types, shapes, odd)

    return _types_of_fixture(name) if name in FIXTURES else words(asked, TYPES, len(SHAPES))


def _bounds(word: str, counts: list[int], passes: Callable[[int], bool]) -> Iterator[str]:
    """Yield the least and the largest number that a kernel takes."""
    good = [n for n in counts if passes(n)]
    if good and good != counts:
        most = "" if good[-1] == MANY else str(good[-1])
        yield f"{word}={good[0]}-{most}"


def _outcome(name: str, number: int, inputs: int | None, outputs: int | None) -> bool:
    """Say whether a number of inputs (or outputs) is what the kernel takes, whatever the other number is.

    A kernel that asks for a tensor beyond the last one says how many there are: more are tried of the other side.
    """
    others = [1, 2, 3, 4, 5, 24, 48] if outputs is not None else [1, 2, 0, 3, 4]
    for other in others:
        said = _tried(name, number, other if inputs is None else inputs, other if outputs is None else outputs)
        wrong = "Input" if inputs is not None else "Output"
        beyond = BEYOND.search(said)
        if beyond:
            counts = {"in": other if inputs is None else inputs, "out": other if outputs is None else outputs}
            short = [side for side, count in counts.items() if count == int(beyond[1])]
            if short == ["in" if inputs is not None else "out"]:
                return False
            continue
        if said != "died" and not (COUNTS.search(said) and wrong.lower() in said.lower()):
            if COUNTS.search(said):
                continue  # it was the other number: nothing is known of this one
            return True
    return False


class Worker:
    """A child that tries models; another takes its place where one kills it, or does not end, and after a while.

    What kills it is asked again in a fresh child: it may have been what an earlier model did to the memory.
    """

    def __init__(self) -> None:
        self.ask: Any = None
        self.pid = self.count = 0

    def told(self, *model: object) -> str:
        """Return what the interpreter says of a model: nothing, an error, or `died`."""
        said = self._asked(model)
        if said is None and self.count > 1:
            self._end()
            said = self._asked(model)
        if said is None or self.count >= MOST_CASES:
            self._end()
        return "died" if said is None else said

    def _asked(self, model: tuple[object, ...]) -> str | None:
        if self.ask is None:
            self._start()
        self.count += 1
        self.ask.write(repr(model) + "\n")
        self.ask.flush()
        line = self.answer.readline()
        return str(ast.literal_eval(line)) if line else None

    def _end(self) -> None:
        self.ask.close()
        self.answer.close()
        os.waitpid(self.pid, 0)
        self.ask = None

    def _start(self) -> None:
        (asked, ask), (answer, answered) = os.pipe(), os.pipe()
        self.pid, self.count = os.fork(), 0
        if self.pid == 0:
            os.close(ask)
            os.close(answer)
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
            resource.setrlimit(resource.RLIMIT_AS, (MOST_BYTES, MOST_BYTES))
            with os.fdopen(asked) as lines, os.fdopen(answered, "w") as out:
                for line in lines:
                    seconds = int(time.process_time()) + MOST_SECONDS
                    resource.setrlimit(resource.RLIMIT_CPU, (seconds, resource.RLIM_INFINITY))
                    out.write(repr(_answered(ast.literal_eval(line))[:4000]) + "\n")
                    out.flush()
            os._exit(0)
        os.close(asked)
        os.close(answered)
        self.ask, self.answer = os.fdopen(ask, "w"), os.fdopen(answer)


WORKER = Worker()


@cache
def _told(*model: object) -> str:
    return WORKER.told(*model)


def _answered(asked: tuple[Any, ...]) -> str:
    return _said_of(asked[0], 0, (), WAYS[0]) if len(asked) == 1 else _answer(*asked)


def _types_of_fixture(name: str) -> Iterator[str]:
    """Yield which types the tensors of an operator may have that needs more than a model of one shape: one by one."""
    from ai_edge_litert import schema_py_generated as objects

    path, weights, biases = FIXTURES[name]
    data = path.read_bytes()
    operator = objects.ModelT.InitFromPackedBuf(data).subgraphs[0].operators[0]
    refused: dict[int, list[str]] = {}
    for place in (*weights, *biases):
        told = {type: _told(_retyped(objects, data, int(operator.inputs[place]), type)) for type in TYPES}
        refused[place] = [type for type, said in told.items() if said and said != "died" and "type" in said]
    yield f"same={','.join(str(place) for place in weights if len(refused[place]) == len(TYPES) - 1)}"
    for place in biases:
        if refused[place]:
            yield f"FLOAT32:{place}=!{','.join(refused[place])}"


def _retyped(objects: Any, data: bytes, index: int, type: str) -> bytes:
    """Return a model whose tensor is of another type; what is stored for it becomes zeros, of any width."""
    model = objects.ModelT.InitFromPackedBuf(data)
    tensor = model.subgraphs[0].tensors[index]
    buffer, tensor.type = model.buffers[tensor.buffer], _number(type)
    if buffer.data is not None and len(buffer.data):
        buffer.data = [0] * 16 * len(buffer.data)
    return _finished(model)


def _finished(model: Any) -> bytes:
    import flatbuffers

    builder = flatbuffers.Builder(1024)
    builder.ForceDefaults(True)  # a type of 0 has its byte too
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tried(
    name: str,
    number: int,
    inputs: int,
    outputs: int,
    types: tuple[str, ...] = (),
    shapes: tuple[int, ...] = (),
    odd: tuple[int, str] = (-1, ""),
) -> str:
    """Return what the interpreter says of a model of one operator, which is run where types are asked for.

    All tensors are quantized then, with the zero point 0, but for an odd one: that has another zero point ("zero") or
    no parameters ("none"). Where one way to fill and to quantize them does not pass, the others are tried.
    """
    said = _told(name, number, inputs, outputs, types, shapes, odd, 0)
    if not types or passes(said) or minds_types(said):
        return said
    others = (_told(name, number, inputs, outputs, types, shapes, odd, way) for way in range(1, len(WAYS)))
    return next(filter(passes, others), said)


def _answer(
    name: str,
    number: int,
    inputs: int,
    outputs: int,
    types: tuple[str, ...],
    shapes: tuple[int, ...],
    odd: tuple[int, str],
    way: int,
) -> str:
    data, places = _packed(name, number, inputs, outputs, shapes, types, odd, way)
    for place, type in zip(places, types, strict=False):
        data[place] = _number(type)
    return _said_of(bytes(data), inputs, types, WAYS[way])


def _said_of(data: bytes, inputs: int, types: tuple[str, ...], way: Way) -> str:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        resolver = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES
        interpreter = Interpreter(model_content=data, experimental_op_resolver_type=resolver)
        interpreter.allocate_tensors()
        return _run(interpreter, inputs, types, way) if types else ""
    except (RuntimeError, ValueError, MemoryError) as error:
        return str(error) or "an error"


def _run(interpreter: Any, inputs: int, types: tuple[str, ...], way: Way) -> str:
    """Run a model; return `made TYPE,...` where its kernel gave outputs other types than the file says."""
    for index, type in enumerate(types[:inputs]):
        detail = interpreter._get_tensor_details(index, 0)
        if type in (*NUMPY, "STRING") and detail["sparsity_parameters"] == {}:
            interpreter.set_tensor(index, _filled(detail, type, way.counts and index > 0))
    made = [_made(interpreter, index, types[index]) for index in range(inputs, len(types))]
    interpreter.invoke()
    return f"made {','.join(made)}" if any(made) else ""


def _filled(detail: Any, type: str, counts: bool) -> Any:
    """Return zeros for an input, or 0, 1, 2, ...; letters for texts."""
    import numpy as np

    if type == "STRING":
        return np.full(detail["shape"], b"a", object)
    numbers = np.arange(int(np.prod(detail["shape"]))) if counts else np.zeros(int(np.prod(detail["shape"])))
    return numbers.reshape(detail["shape"]).astype(detail["dtype"])


def _made(interpreter: Any, index: int, stored: str) -> str:
    """Return the type that a kernel gave a tensor, empty where it is the stored one or one that numpy lacks."""
    import numpy as np

    found = str(np.dtype(interpreter._get_tensor_details(index, 0)["dtype"])).upper() if stored in NUMPY else stored
    return "" if found == stored else found


@cache
def _packed(
    name: str,
    number: int,
    inputs: int,
    outputs: int,
    shapes: tuple[int, ...],
    types: tuple[str, ...],
    odd: tuple[int, str],
    way: int,
) -> tuple[bytearray, list[int]]:
    """Return a model, and where in it the types of its tensors stand, for the caller to change in place."""
    from ai_edge_litert import schema_py_generated as objects

    from graphsurgeon.formats.tflite.schema import operator_codes, option_tables, option_unions

    is_for_types = bool(types)
    code, operator, graph, model = objects.OperatorCodeT(), objects.OperatorT(), objects.SubGraphT(), objects.ModelT()
    code.builtinCode, code.version = operator_codes()[name], number
    code.deprecatedBuiltinCode = min(code.builtinCode, 127)
    shape = FLAT if name in FLAT_OPS else SHAPES[0]
    dims = [shape, *(SHAPES[n] for n in shapes[1:]), *[shape] * outputs] if shapes else [shape] * (inputs + outputs)
    graph.tensors = [_tensor(objects, index, one) for index, one in enumerate(dims)]
    for index, type in enumerate(types):
        if odd not in ((index, "none"), (EVERY, "none")):
            scale, zero = WAYS[way].of(type, index >= inputs)
            _quantize(objects, graph.tensors[index], scale, zero + 3 * (odd == (index, "zero")))
    buffers = [objects.BufferT()]
    if name == "DENSIFY" and is_for_types and inputs == 1:
        buffers.append(_sparse(objects, graph.tensors[0]))
    graph.inputs, graph.outputs = list(range(inputs)), list(range(inputs, inputs + outputs))
    operator.inputs, operator.outputs = list(graph.inputs), list(graph.outputs)
    graph.inputs = graph.inputs if len(buffers) == 1 else []
    if name in option_tables():
        field, member = option_unions()[option_tables()[name]]
        attribute = "builtinOptions2" if field.endswith("2") else "builtinOptions"
        options = getattr(objects, f"{option_tables()[name]}T")()
        counts = {"numSplits": outputs, "valuesCount": inputs, "num": outputs}
        for key, value in {**NUMBERS, **counts}.items() if is_for_types else ():
            if hasattr(options, key):
                setattr(options, key, value)
        setattr(operator, attribute, options)
        setattr(operator, f"{attribute}Type", member)
    graph.operators = [operator]
    model.version, model.operatorCodes, model.subgraphs, model.buffers = 3, [code], [graph], buffers
    data = bytearray(_finished(model))
    tables = [objects.Model.GetRootAs(data).Subgraphs(0).Tensors(n)._tab for n in range(inputs + outputs)]
    return data, [table.Pos + table.Offset(6) for table in tables]  # 6: the second field of Tensor


def _tensor(objects: Any, index: int, shape: list[int]) -> Any:
    tensor = objects.TensorT()
    tensor.name, tensor.shape, tensor.type = f"t{index}", shape, 0
    return tensor


def _quantize(objects: Any, tensor: Any, scale: float, zero: int) -> None:
    tensor.quantization = objects.QuantizationParametersT()
    tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero]


def _sparse(objects: Any, tensor: Any) -> Any:
    """Make a tensor a sparse constant of one number, and return its buffer."""
    buffer, tensor.buffer, tensor.sparsity = objects.BufferT(), 1, objects.SparsityParametersT()
    buffer.data = [0] * 16
    tensor.sparsity.traversalOrder, tensor.sparsity.dimMetadata = list(range(len(tensor.shape))), []
    for _ in tensor.shape:
        level = objects.DimensionMetadataT()
        level.format, level.denseSize = 0, 1
        tensor.sparsity.dimMetadata.append(level)
    return buffer


@cache
def _number(type: str) -> int:
    from graphsurgeon.formats.tflite.schema import schema

    return next(number for number, name in schema().enum("TensorType").items() if name == type)


if __name__ == "__main__":
    if os.environ.get("MALLOC_PERTURB_") != "255":  # what kernels read that nobody wrote is 0, each time
        os.environ["MALLOC_PERTURB_"] = "255"
        os.execv(sys.executable, [sys.executable, *sys.argv])
    import ai_edge_litert.interpreter  # noqa: F401  # once, before the forks

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
