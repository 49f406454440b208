"""Which tensors two models are joined at, and which inputs and outputs the result has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from graphsurgeon.analysis.candidates import likely_outputs
from graphsurgeon.analysis.names import INTERNAL, KEY, find_signature, find_value
from graphsurgeon.errors import UnsupportedError, UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Value
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.shape import Shape
from graphsurgeon.shapes import infer_shapes
from graphsurgeon.shapes.report import ShapeReport
from graphsurgeon.surgery.moves.functions.functionalize import part_between
from graphsurgeon.surgery.moves.signatures.signature_keys import signature_key

Facts = tuple[DType | None, Shape]


class Partner:
    """Inputs and outputs of one of the two models.

    Attributes:
        metagraph: the model's.
        which: what messages call it: its path.
        signature: the one that is joined; None where the model has none.
        inputs, outputs: key -> tensor of the main graph.
    """

    def __init__(self, metagraph: MetaGraph, which: str, signature: str | None) -> None:
        self.metagraph = metagraph
        self.which = which
        self.signature = _signature(metagraph, signature)
        self.inputs: dict[str, Value] = {}
        self.outputs: dict[str, Value] = {}
        if self.signature is not None:
            self.inputs = self._values(self.signature, "inputs")
            self.outputs = self._values(self.signature, "outputs")
        self._shapes: ShapeReport | None = None

    def _values(self, signature: Signature, side: str) -> dict[str, Value]:
        found = {}
        for key, entry in getattr(signature, side).items():
            target = entry.mention.target if entry.mention is not None else None
            if not isinstance(target, Value):
                kind = "is made of several tensors" if entry.components else "names no tensor"
                raise UnsupportedError(
                    f"{side[:-1]} {key!r} of signature {signature.key!r} of {self.which} {kind}, which cannot be joined"
                )
            found[key] = target
        return found

    def output(self, text: str) -> Value:
        """Return the tensor that comes out under a name: an output, else an input that both models are to read.

        The key of the signature that is joined comes before a node of that name: `NAME:0` is the tensor.

        Raises:
            UsageError: there is no such tensor.
        """
        return self._find(text, {**self.inputs, **self.outputs})

    def input(self, text: str) -> Value:
        """Return the tensor that is replaced, by its name or as an input.

        Raises:
            UsageError: there is no such tensor.
        """
        return self._find(text, self.inputs)

    def _find(self, text: str, keyed: Mapping[str, Value]) -> Value:
        if text.removeprefix(KEY) in keyed:
            return keyed[text.removeprefix(KEY)]
        try:
            return find_value(self.metagraph, text, graph="main")
        except UsageError as error:
            known = f"it has {', '.join(keyed)}" if keyed else error.hint
            raise UsageError(f"{error.message} ({self.which})", hint=known) from None

    def facts(self, value: Value) -> Facts:
        """Return dtype and shape of a tensor: what is inferred, and where that says nothing what the signature says."""
        if self._shapes is None:
            self._shapes = infer_shapes(self.metagraph)
        dtype, shape = self._shapes.dtype(value), self._shapes.shape(value)
        for entry in self.signature.entries if self.signature is not None else ():
            if entry.mention is not None and entry.mention.target is value:
                dtype = dtype or entry.dtype
                shape = entry.shape if shape.dims is None and entry.shape is not None else shape
        return (dtype.base if dtype is not None else None), shape

    def name_inputs(self, outputs: Iterable[Value]) -> None:
        """Give a model without a signature the inputs that some tensors of it need, by the placeholders' names."""
        own = [value for value in outputs if value.graph is self.metagraph.graph]
        if self.signature is None:
            for node in part_between(self.metagraph.graph, [], own).unfed:
                key = key_of(node.output())
                self.inputs[key if key not in self.inputs else node.name.replace("/", "_")] = node.output()

    def name_outputs(self) -> None:
        """Give a model without a signature its likely output.

        Raises:
            UsageError: several are as likely, or none is.
        """
        likely = likely_outputs(self.metagraph)
        if len(likely) > 1 and likely[0].score > likely[1].score + _CLEARLY:
            likely = likely[:1]
        if len(likely) != 1:
            names = ", ".join(str(one.value) for one in likely[:5])
            has = f"several outputs: {names}" if likely else "no output that stands out"
            raise UsageError(
                f"{self.which} has no signature, and {has}", hint="--keep NAME says which tensor of it comes out"
            )
        self.outputs[key_of(likely[0].value)] = likely[0].value


def key_of(value: Value) -> str:
    """Return the key under which a tensor goes in or out that no signature names."""
    return signature_key(value.producer.name if value.producer is not None else str(value))


_CLEARLY = 20.0  # points between a likely output and the next one


class Joint(NamedTuple):
    """A tensor of the first model and the one of the second that it takes the place of."""

    source: Value
    target: Value
    source_facts: Facts
    target_facts: Facts


def joints(first: Partner, second: Partner, connect: Iterable[tuple[str, str]]) -> list[Joint]:
    """Return what is joined where.

    Args:
        first, second: the models.
        connect: pairs of a tensor or key of the first, and a tensor or input key of the second.

    Raises:
        UsageError: a name is unknown, one input is given twice, or the two do not fit in dtype or shape.
    """
    found: dict[Value, Joint] = {}
    for source_text, target_text in connect:
        source, target = first.output(source_text), second.input(target_text)
        if target in found:
            raise UsageError(f"{second.which}: {target} is given two tensors")
        found[target] = Joint(source, target, first.facts(source), second.facts(target))
        _check(first, second, found[target])
    return list(found.values())


def _check(first: Partner, second: Partner, joint: Joint) -> None:
    (dtype, shape), (wanted, wanted_shape) = joint.source_facts, joint.target_facts
    sides = (
        f"{joint.source} of {first.which} is {_text(dtype, shape)}, "
        f"and {joint.target} of {second.which} takes {_text(wanted, wanted_shape)}"
    )
    if dtype is not None and wanted is not None and dtype is not wanted:
        raise UsageError(f"the dtypes do not fit: {sides}", hint=_DTYPE_HINT)
    if not may_be(shape, wanted_shape):
        raise UsageError(f"the shapes do not fit: {sides}", hint=_SHAPE_HINT)


_DTYPE_HINT = "gs set-input changes the dtype of an input, with a Cast"
_SHAPE_HINT = "gs set-input changes the shape of an input, where the model allows it"


def _text(dtype: DType | None, shape: Shape) -> str:
    return f"{dtype or 'of unknown dtype'} {shape}"


def may_be(shape: Shape, other: Shape) -> bool:
    """Say whether a tensor may have both shapes."""
    if shape.dims is None or other.dims is None:
        return True
    pairs = list(zip(shape.dims, other.dims, strict=False))
    return len(shape.dims) == len(other.dims) and all(a is None or b is None or a == b for a, b in pairs)


def says_more(shape: Shape, other: Shape) -> bool:
    """Say whether a shape says something that another one leaves open."""
    if shape.dims is None:
        return False
    if other.dims is None:
        return True
    return any(a is not None and b is None for a, b in zip(shape.dims, other.dims, strict=True))


def _signature(metagraph: MetaGraph, key: str | None) -> Signature | None:
    """Return the signature that is joined: the one that is named, else the only one of the main graph."""
    public = [one for one in metagraph.signatures.values() if not one.key.startswith(INTERNAL)]
    own = [one for one in public if one.graph is metagraph.graph]
    if key is None and not own:
        return None
    return own[0] if key is None and len(own) == 1 else find_signature(metagraph, key)
