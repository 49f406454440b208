"""New nodes as drafts: what a rule builds for one match, with dtypes and attributes, before the graph is touched."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias

from graphsurgeon.errors import GraphSurgeonError, UnsupportedError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import AttrValue, Node, Value
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.patterns.expressions import Undecided, evaluate
from graphsurgeon.patterns.lexer import error_at
from graphsurgeon.patterns.match import Match
from graphsurgeon.patterns.scope import MatchScope
from graphsurgeon.patterns.subject import Bound, Subject
from graphsurgeon.patterns.syntax import Build, Expr, NewAttr
from graphsurgeon.patterns.vocabulary import vocabulary_of
from graphsurgeon.surgery.replacing.new_attrs import attr_of
from graphsurgeon.surgery.replacing.new_tensors import array_dtype, tensor_of
from graphsurgeon.surgery.replacing.typing_rules import Typed, complete_attrs


@dataclass(eq=False)
class Draft:
    """A node to be made.

    Attributes:
        op: its op; the word of the vocabulary for a constant if `tensor` is there.
        inputs: values of the graph, or outputs of other drafts.
        attrs: all attributes.
        dtypes: of the outputs; None if the op is not known.
        tensor: the elements of a constant.
    """

    op: str
    inputs: list[Slot] = field(default_factory=list)
    attrs: dict[str, AttrValue] = field(default_factory=dict)
    dtypes: list[DType] | None = None
    tensor: Tensor | None = None


class Made(NamedTuple):
    """An output of a draft."""

    draft: Draft
    port: int = 0


Slot: TypeAlias = "Value | Made"


@dataclass(eq=False)
class _Pending:
    """A constant whose dtype what reads it decides."""

    value: Any
    at: int
    fills: bool = False  # a number alone, which as a root has the shape of the root
    made: Made | None = None


class Substitute(NamedTuple):
    """What takes the place of a match.

    Attributes:
        match: the match.
        results: for each root what its value becomes.
        drafts: the new nodes, each behind what it reads.
    """

    match: Match
    results: list[Slot]
    drafts: list[Draft]


def plan(match: Match, subject: Subject) -> Substitute:
    """Return what takes the place of a match; nothing is changed.

    Raises:
        UnsupportedError: it cannot be built here; with the place.
        PatternError: the rule builds what cannot be.
    """
    return _Drafter(match, subject).plan()


class _Drafter:
    def __init__(self, match: Match, subject: Subject) -> None:
        self.match = match
        self.rule = match.rule
        self.subject = subject
        self.words = vocabulary_of(match.graph)
        self.scope = MatchScope(match.names, self.rule.lets, subject)
        self.named: dict[str, Slot | _Pending] = {}
        self.drafts: list[Draft] = []
        self._same: dict[object, Draft] = {}

    def plan(self) -> Substitute:
        results = []
        for root, build in zip(self.match.roots, self.rule.builds, strict=True):
            slot = self._slot(build, root)
            results.append(self._settled(slot, self.subject.dtype(root), root))
        return Substitute(self.match, results, self.drafts)

    # -- slots -----------------------------------------------------------------------------------------

    def _slot(self, build: Build, root: Value | None = None) -> Slot | _Pending:
        slot = self._new(build, root)
        if build.name is not None:
            self.named[build.name] = slot
        return slot

    def _new(self, build: Build, root: Value | None) -> Slot | _Pending:
        if build.kind == "value":
            return self._captured(build)
        if build.kind == "number":
            return _Pending(build.value, build.at, fills=True)
        if build.kind == "expr":
            return _Pending(self._evaluate(build.value), build.at)
        draft = self._node(build, root)
        port = build.port or 0
        if draft.dtypes is not None and port >= len(draft.dtypes):
            raise error_at(self.rule.text, build.at, f"{build.op} has no output {port}")
        return Made(draft, port)

    def _captured(self, build: Build) -> Slot | _Pending:
        if build.value in self.named:
            slot = self.named[build.value]
            if build.port is None or not isinstance(slot, Made):
                return slot
            return Made(slot.draft, build.port)
        bound = self.match.names[build.value]
        if isinstance(bound, list):
            raise error_at(self.rule.text, build.at, f"{build.value!r} is a list of values", hint=f"{build.value}...")
        if build.port is None or bound.node is None:
            return bound.value
        if not self.subject.has_output(bound.node, build.port):
            raise self.refuse(f"{bound.node.name!r} ({bound.node.op}) has no output {build.port}")
        return bound.node.output(build.port)

    def _inputs(self, build: Build) -> list[Slot | _Pending]:
        found: list[Slot | _Pending] = []
        for arg in build.args:
            if arg.kind == "rest":
                bound = self.match.names[arg.value]
                found += [one.value for one in bound] if isinstance(bound, list) else [bound.value]
            elif not arg.is_optional or arg.value in self.match.names:
                found.append(self._slot(arg))
        return found

    def _settled(self, slot: Slot | _Pending, dtype: DType | None, root: Value | None = None) -> Slot:
        """Return a slot, a constant with the dtype that what reads it has."""
        if not isinstance(slot, _Pending):
            return slot
        if slot.made is None:
            slot.made = Made(self._constant(slot, dtype, root))
        return slot.made

    def _constant(self, slot: _Pending, dtype: DType | None, root: Value | None) -> Draft:
        dtype = dtype.base if dtype is not None else array_dtype(slot.value)
        shape = None
        if root is not None and slot.fills:
            shape = self.subject.shape(root)
            if not shape.is_static:
                raise self.refuse(f"a constant needs the shape of {root}, which is {shape}")
        try:
            tensor = tensor_of(slot.value, dtype, shape)
        except GraphSurgeonError as error:
            raise self.refuse(error.message) from error
        draft = Draft("Const", attrs={"dtype": dtype, "value": tensor}, dtypes=[dtype], tensor=tensor)
        self.drafts.append(draft)
        return draft

    # -- nodes -----------------------------------------------------------------------------------------

    def _node(self, build: Build, root: Value | None) -> Draft:
        inputs = self._inputs(build)
        given = self._given_attrs(build)
        definition = self.words.definition(build.op)
        wanted = self.subject.dtype(root) if root is not None else None
        dtypes: list[DType] | None = None
        if definition is not None:
            natural = [array_dtype(slot.value) if isinstance(slot, _Pending) else None for slot in inputs]
            typed = Typed([self._dtype(slot) for slot in inputs], natural, wanted, build.port or 0)
            try:
                attrs, expected = complete_attrs(definition, given, typed)
            except UnsupportedError as error:
                raise error_at(self.rule.text, build.at, error.message, hint=error.hint) from error
            dtypes = definition.output_dtypes(attrs)
        else:
            attrs = given
            expected = [self._common(inputs, wanted)] * len(inputs)
            if self.match.graph.kind == "subgraph":
                dtypes = [self._common(inputs, wanted) or DType.of(0)]
        slots = [self._settled(slot, dtype) for slot, dtype in zip(inputs, expected, strict=True)]
        return self._shared(Draft(build.op, slots, attrs, dtypes))

    def _shared(self, draft: Draft) -> Draft:
        """Return an equal draft that is there already: `TopK(x) & TopK(x):1` is one node."""
        slots = tuple((slot.draft, slot.port) if isinstance(slot, Made) else slot for slot in draft.inputs)
        key = (draft.op, slots, repr(sorted(draft.attrs.items(), key=lambda item: item[0])))
        if key not in self._same:
            self._same[key] = draft
            self.drafts.append(draft)
        return self._same[key]

    def _common(self, inputs: list[Slot | _Pending], wanted: DType | None) -> DType | None:
        """Return the dtype of the first input that has one: of ops without definition nothing better is known."""
        known = (self._dtype(slot) for slot in inputs)
        return next((dtype for dtype in known if dtype is not None), wanted)

    def _dtype(self, slot: Slot | _Pending) -> DType | None:
        if isinstance(slot, _Pending):
            return self._dtype(slot.made) if slot.made is not None else None
        if isinstance(slot, Made):
            return slot.draft.dtypes[slot.port] if slot.draft.dtypes is not None else None
        dtype = self.subject.dtype(slot)
        return dtype.base if dtype is not None else None

    def _given_attrs(self, build: Build) -> dict[str, AttrValue]:
        definition = self.words.definition(build.op)
        attrs: dict[str, AttrValue] = {}
        for attr in build.attrs:
            if attr.name == "*":
                attrs.update(self._copied(attr))
                continue
            known = definition.attrs.get(attr.name) if definition is not None else None
            if definition is not None and known is None and not attr.name.startswith("_"):
                listed = ", ".join(sorted(definition.attrs)) or "it has none"
                raise error_at(self.rule.text, attr.at, f"{build.op} has no attribute {attr.name!r}", hint=listed)
            value = self._evaluate(attr.value) if isinstance(attr.value, Expr) else attr.value
            try:
                attrs[attr.name] = attr_of(value, known.type if known is not None else "")
            except UnsupportedError as error:
                raise error_at(self.rule.text, attr.at, f"{attr.name!r} of {build.op}: {error.message}") from error
        return attrs

    def _copied(self, attr: NewAttr) -> Mapping[str, AttrValue]:
        assert isinstance(attr.value, Expr)
        bound = self.match.names[attr.value.value]
        node = bound.node if isinstance(bound, Bound) else None
        if node is None:
            raise self.refuse(f"{attr.value.value!r} is no node")
        return {name: value for name, value in node.attrs.items() if not name.startswith("_")}

    def _evaluate(self, expr: Expr) -> Any:
        try:
            return evaluate(expr, self.scope)
        except Undecided as undecided:
            raise self.refuse(str(undecided)) from undecided

    def refuse(self, why: str) -> UnsupportedError:
        """Return the error that says where the rule cannot be used, and why."""
        return refusal(self.match, why)


def refusal(match: Match, why: str, *, hint: str = "") -> UnsupportedError:
    """Return the error that says where a rule cannot be used, and why."""
    return UnsupportedError(f"{where(match)}: rule {match.rule.name!r} cannot be used: {why}", hint=hint)


def where(match: Match) -> str:
    """Return the place of a match as messages say it."""
    root: Node = match.root
    name = root.name or str(match.roots[0])
    return f"{name!r} of {match.graph.kind} {match.graph.name!r}" if match.graph.name else f"{name!r}"


__all__ = ["Draft", "Made", "Shape", "Slot", "Substitute", "plan", "refusal", "where"]
