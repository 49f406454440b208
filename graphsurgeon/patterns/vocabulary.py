"""What the language has to know of a framework's ops: one record, asked by the matcher and by what builds nodes.

The matcher knows no op by name. Another framework's graphs become searchable by a record of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import cache

from graphsurgeon.model import format as formats
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import FunctionRef, Graph, Node, Value
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import IDENTITIES, PLAIN_CALLS, RESHAPES, VARIABLES
from graphsurgeon.ops.opdef import OpDef
from graphsurgeon.ops.tflite import builtin


@dataclass(frozen=True)
class Vocabulary:
    """The ops of a framework.

    Attributes:
        title: the framework, for messages.
        definition: gives the definition of an op, None if there is none.
        names: gives all ops there are; none where only the model tells.
        commutes: says whether the two inputs of a node may be exchanged.
        passing: ops that hand on what they read: input 0 as output 0, or each input as the output of that port.
        passing_by_port: those of them that have several.
        reshaping: ops behind which a constant is still one, with other shape or dtype, if their other inputs are.
        reads: ops that yield the value of a variable, given its handle.
        variables: ops that stand for a variable.
        call: gives the function whose results a node yields as they are.
        constant: gives the tensor that a value is, None if it is none.
    """

    title: str
    definition: Callable[[str], OpDef | None]
    names: Callable[[], Collection[str]]
    commutes: Callable[[Node], bool]
    passing: frozenset[str]
    passing_by_port: frozenset[str]
    reshaping: frozenset[str]
    reads: frozenset[str]
    variables: frozenset[str]
    call: Callable[[Node], Graph | None]
    constant: Callable[[Value], Tensor | None]
    operators: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def vocabulary_of(graph: Graph) -> Vocabulary:
    """Return the vocabulary that a graph is written in."""
    return _BY_NAME.get(graph.vocabulary) or _unknown(graph.vocabulary)


def owner_of(op: str) -> str:
    """Return the framework that has an op of this name, TensorFlow or TFLite; empty for neither."""
    if catalog.get(op) is not None:
        return TENSORFLOW.title
    return TFLITE.title if builtin(op) is not None else ""


def _called(node: Node) -> Graph | None:
    if node.callee is not None:
        return node.callee
    target = node.attrs.get("f") if node.op in PLAIN_CALLS else None
    return target.graph if isinstance(target, FunctionRef) else None


def _const(value: Value) -> Tensor | None:
    node = value.producer
    tensor = node.attrs.get("value") if node is not None and node.op == "Const" else None
    return tensor if isinstance(tensor, Tensor) else None


def _stored(value: Value) -> Tensor | None:
    return value.tensor if value.producer is None else None


def _stored_or_yielded(value: Value) -> Tensor | None:
    """Return the values of an initializer, or of a Constant node."""
    return value.tensor


# Beside what the catalog calls commutative. Add is not, since it joins strings too.
_COMMUTATIVE = frozenset({"Add", "Maximum", "Minimum"})


def _commutes(node: Node) -> bool:
    if node.op in _COMMUTATIVE:
        return node.attrs.get("T") is not STRING
    definition = catalog.of(node)
    return definition is not None and definition.is_commutative


_COMMUTATIVE_TFLITE = frozenset(
    {"ADD", "MUL", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE", "EQUAL", "NOT_EQUAL", "LOGICAL_AND", "LOGICAL_OR"}
)

TENSORFLOW = Vocabulary(
    title="TensorFlow",
    definition=catalog.get,
    names=catalog.names,
    commutes=_commutes,
    passing=IDENTITIES | {"IdentityN"},
    passing_by_port=frozenset({"IdentityN"}),
    reshaping=RESHAPES | {"Cast"},
    reads=frozenset({"ReadVariableOp"}),
    variables=VARIABLES,
    call=_called,
    constant=_const,
    operators={"+": ("AddV2", "Add"), "-": ("Sub",), "*": ("Mul",), "/": ("RealDiv", "Div"), "neg": ("Neg",)},
)

TFLITE = Vocabulary(
    title="TFLite",
    definition=lambda op: None,
    names=tuple,
    commutes=lambda node: node.op in _COMMUTATIVE_TFLITE,
    passing=frozenset(),
    passing_by_port=frozenset(),
    reshaping=frozenset({"RESHAPE", "SQUEEZE", "EXPAND_DIMS", "CAST"}),
    reads=frozenset({"READ_VARIABLE"}),
    variables=frozenset({"VAR_HANDLE"}),
    call=lambda node: None,
    constant=_stored,
    operators={"+": ("ADD",), "-": ("SUB",), "*": ("MUL",), "/": ("DIV",), "neg": ("NEG",)},
)

_COMMUTATIVE_ONNX = frozenset(
    {"Add", "Mul", "Max", "Min", "Sum", "Mean", "Equal", "And", "Or", "Xor", "BitwiseAnd", "BitwiseOr", "BitwiseXor"}
)

ONNX = Vocabulary(
    title="ONNX",
    definition=lambda op: None,
    names=tuple,
    commutes=lambda node: node.op in _COMMUTATIVE_ONNX,
    passing=frozenset({"Identity"}),
    passing_by_port=frozenset(),
    reshaping=frozenset({"Reshape", "Squeeze", "Unsqueeze", "Cast"}),
    reads=frozenset(),
    variables=frozenset(),
    call=lambda node: node.callee,
    constant=_stored_or_yielded,
    operators={"+": ("Add",), "-": ("Sub",), "*": ("Mul",), "/": ("Div",), "neg": ("Neg",)},
)
# Of Keras, MXNet, Caffe, Caffe2 and MMdnn: no two of them give one of these names to something else.
_COMMUTATIVE_OTHER = frozenset(
    {
        "Add", "Multiply", "Average", "Maximum", "Minimum", "elemwise_add", "elemwise_mul", "_Plus", "_Mul",
        "broadcast_add", "broadcast_mul", "Mul", "Sum",
    }
)  # fmt: skip
OTHER = Vocabulary(
    title="another framework",
    definition=lambda op: None,
    names=tuple,
    commutes=lambda node: node.op in _COMMUTATIVE_OTHER,
    passing=frozenset({"identity", "Identity", "_copy", "Copy"}),
    passing_by_port=frozenset(),
    reshaping=frozenset(),
    reads=frozenset(),
    variables=frozenset(),
    call=lambda node: node.callee,
    constant=_stored_or_yielded,
)
_BY_NAME = {formats.TENSORFLOW: TENSORFLOW, formats.TFLITE: TFLITE, formats.ONNX: ONNX}
_BY_NAME |= dict.fromkeys(formats.LAYERED, OTHER)


@cache
def _unknown(name: str) -> Vocabulary:
    """Return what is true of ops that nothing is known of: graphs of them are searched by op, edge, shape, constant."""
    nothing: frozenset[str] = frozenset()
    return Vocabulary(
        title=name,
        definition=lambda op: None,
        names=tuple,
        commutes=lambda node: False,
        passing=nothing,
        passing_by_port=nothing,
        reshaping=nothing,
        reads=nothing,
        variables=nothing,
        call=lambda node: None,
        constant=_stored,
    )
