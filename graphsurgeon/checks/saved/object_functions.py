"""Rules about the functions of an object graph: whether what is said of their arguments is what they take.

Facts are of TensorFlow 2.21's `function_deserialization.py` and `load.py`: a function is made from its name, from the
structures of its arguments and results, and from the objects that it captures, which are passed behind the arguments.
"""

from __future__ import annotations

import keyword
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from graphsurgeon.formats.graph.objectgraph import FunctionSpec, flat_components, function_spec, is_unsaid
from graphsurgeon.model.dtype import RESOURCE, STRING, DType
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.objects import ConcreteFunction, ObjectNode, TensorSpec
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.tensor import Tensor

_HINT = "take the model from its source, or save it anew"
_PLAIN = (bool, int, float, str, bytes, Shape, DType)  # values that are no tensors


class _Leaf(NamedTuple):
    """A tensor that a structure holds; no dtype where the vocabulary has no words for it."""

    dtype: DType | None
    shape: Shape


def object_functions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find functions whose structures, captures or specifications are not those of what they run."""
    objects = metagraph.objects
    if objects is None:
        return
    entries = {entry.function: entry for entry in objects.concrete_functions}
    named = {function for node in objects.nodes for function in node.functions}
    for function, entry in entries.items():
        if isinstance(function, Graph):
            where = f"object graph, function {function.name}"
            for what in _faults(entry, function):
                yield Finding("error", where, what, _HINT, "object-function")
            for what in _of_calls(entry, function):  # gradients are there too, which nobody calls by these
                severity: Severity = "error" if function in named else "warning"
                yield Finding(severity, where, what, _HINT, "object-function")
            for what in _of_results(entry, function):  # packed as they come: `TensorSpec.from_tensors`
                yield Finding("warning", where, what, _HINT, "object-function")
    for number, node in enumerate(objects.nodes):
        spec = function_spec(node)
        if spec is not None:
            alone = entries.get(node.functions[0]) if len(node.functions) == 1 else None
            for what in _spec_faults(spec, alone):
                yield Finding("error", f"object {number}", what, _HINT, "object-function")


def _faults(entry: ConcreteFunction, function: Graph) -> Iterator[str]:
    if not _is_said(entry):
        return
    yield from _unnameable(entry.input_signature)
    arguments, results = _flat(entry.input_signature), _flat(entry.output_signature)
    if arguments is _UNSAID or results is _UNSAID:
        yield "a part of its structure is not said"
    for noun, leaves in (("arguments", arguments), ("results", results)):
        for number, leaf in enumerate(leaves or ()):
            if leaf.dtype is not None and not leaf.dtype.number:
                yield f"number {number} of its {noun} has no dtype"
    if arguments is not None and arguments is not _UNSAID:
        count, bound = len(arguments), entry.bound_inputs
        if count + len(bound) != len(function.inputs):
            what = f"is given {count} arguments and {len(bound)} captured objects"
            yield f"it takes {len(function.inputs)} tensors, and {what}"
        else:
            takes = _taken(function)[count:]
            yield from _compared("captured objects", [_captured(node) for node in bound], takes)
    if results is not None and results is not _UNSAID and len(results) != len(function.outputs):
        yield f"its structure has {len(results)} results, the function {len(function.outputs)}"


def _unnameable(structure: object) -> Iterator[str]:
    for name in _keywords(structure):
        if keyword.iskeyword(name):
            yield f"its argument {name!r} is no name that Python takes, and the whole model does not load"


def _keywords(structure: object) -> list[str]:
    """Return the names of the arguments that are given by name, as inputs of signatures are."""
    named = structure[1] if isinstance(structure, tuple) and len(structure) == 2 else None
    return sorted(name for name in named if isinstance(name, str)) if isinstance(named, Mapping) else []


def _of_calls(entry: ConcreteFunction, function: Graph) -> Iterator[str]:
    """Say which arguments are not what the function takes: a call with what the structure says fails."""
    arguments = _flat(entry.input_signature) if _is_said(entry) else None
    if arguments and len(arguments) + len(entry.bound_inputs) == len(function.inputs):
        yield from _compared("arguments", arguments, _taken(function)[: len(arguments)])


def _of_results(entry: ConcreteFunction, function: Graph) -> Iterator[str]:
    results = _flat(entry.output_signature) if _is_said(entry) else None
    if results and len(results) == len(function.outputs):
        yield from _compared("results", results, [_Leaf(one.dtype, UNKNOWN_RANK) for one in function.outputs])


def _is_said(entry: ConcreteFunction) -> bool:
    return entry.raw is not None or bool(entry.structures)


def _taken(function: Graph) -> list[_Leaf]:
    return [_Leaf(value.dtype, value.shape or UNKNOWN_RANK) for value in function.inputs]


def _compared(noun: str, given: Sequence[_Leaf], taken: Sequence[_Leaf]) -> Iterator[str]:
    if len(given) != len(taken):
        yield f"its structure has {len(given)} {noun}, the function {len(taken)}"
        return
    for number, (one, two) in enumerate(zip(given, taken, strict=True)):
        if one.dtype is not None and not one.dtype.number:
            continue  # told as such
        if one.dtype is not None and two.dtype is not None and one.dtype.base is not two.dtype.base:
            yield f"number {number} of its {noun} is {one.dtype}, in the function {two.dtype}"
        elif not one.shape.is_compatible_with(two.shape):
            yield f"number {number} of its {noun} has the shape {one.shape}, in the function {two.shape}"


def _captured(node: ObjectNode) -> _Leaf:
    if node.kind in ("variable", "resource"):
        return _Leaf(RESOURCE, UNKNOWN_RANK)
    if node.kind == "asset":
        return _Leaf(STRING, UNKNOWN_RANK)
    constant = node.mention.node if node.kind == "constant" and node.mention is not None else None
    value = constant.attrs.get("value") if constant is not None else None
    return _Leaf(value.dtype, value.shape) if isinstance(value, Tensor) else _Leaf(None, UNKNOWN_RANK)


_UNSAID: list[_Leaf] = []  # stands for a structure with a part that holds nothing; told from others by identity


def _flat(structure: object) -> list[_Leaf] | None:
    """Return the tensors of a structure, None where it holds what cannot be counted."""
    if isinstance(structure, TensorSpec):
        return [_Leaf(structure.dtype, structure.shape)]
    if structure is None or isinstance(structure, _PLAIN):
        return []
    if isinstance(structure, Mapping):
        return _joined([structure[key] for key in sorted(structure)])
    if isinstance(structure, (tuple, list)):
        return _joined(structure)
    if is_unsaid(structure):
        return _UNSAID
    count = flat_components(structure)
    return None if count is None else [_Leaf(None, UNKNOWN_RANK)] * count


def _joined(parts: Sequence[object]) -> list[_Leaf] | None:
    found = [_flat(part) for part in parts]
    if any(leaves is _UNSAID for leaves in found):
        return _UNSAID
    known = [leaves for leaves in found if leaves is not None]
    return [leaf for leaves in known for leaf in leaves] if len(known) == len(found) else None


def _spec_faults(spec: FunctionSpec, entry: ConcreteFunction | None) -> Iterator[str]:
    for name in spec.args:
        if not name.isidentifier() or keyword.iskeyword(name):
            yield f"its argument {name!r} is no name that Python takes"
    if spec.is_nameless:
        yield "it is a method, and has no argument for the object that it belongs to"
    if not isinstance(spec.signature, (tuple, list)):
        return
    if len(spec.signature) > len(spec.args) and not spec.takes_more:
        yield f"its signature says what {len(spec.signature)} arguments are, and it has {len(spec.args)}"
    wanted = len(spec.args) - spec.defaults
    if len(spec.signature) < wanted:
        yield f"it has {wanted} arguments, and its signature says what {len(spec.signature)} of them are"
    leaves = _flat(spec.signature)
    arguments = _flat(entry.input_signature) if entry is not None else None
    if leaves and arguments and arguments is not _UNSAID:
        yield from _compared("arguments", leaves, arguments)
