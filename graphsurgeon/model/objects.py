"""The object graph: what `tf.saved_model.load` (or a checkpoint) rebuilds as Python objects.

Nodes refer to each other and to functions as objects; node ids exist only in the file. Facts about what
each loader needs of it are in `docs/formats.md`.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Collection, Iterable, Iterator
from typing import TYPE_CHECKING, Protocol

from graphsurgeon.model import traversal
from graphsurgeon.model.mention import Mention

if TYPE_CHECKING:
    from typing import Any

    from graphsurgeon.model.dtype import DType
    from graphsurgeon.model.graph import Graph
    from graphsurgeon.model.shape import Shape


# Programs have a handful of ways to a variable (a Keras 3 model beside its optimizer about ten), some ten steps long.
_MOST_WAYS = 32
_LONGEST_WAY = 64


def path_text(names: Iterable[str]) -> str:
    """Return the path that checkpoint keys show for names of children (`trackable_utils.escape_local_name`)."""
    return "/".join(name.replace(".", "..").replace("/", ".S") for name in names)


def path_names(path: str) -> list[str]:
    """Return the names of children that a path is made of: what `path_text` was given."""
    return [re.sub(r"\.(.)", lambda found: "/" if found[1] == "S" else found[1], part) for part in path.split("/")]


def parameter_name(key: str) -> str:
    """Return the parameter name that TensorFlow makes of an input key; wrappers bind inputs in its order."""
    name = re.sub(r"[^A-Za-z0-9]", "_", key)
    return name if name[:1].isalpha() else f"arg_{name}"


def is_parameter(key: str) -> bool:
    """Say whether loaders can make a parameter of an input key: they refuse a model for a word of Python's own."""
    return bool(key) and not keyword.iskeyword(key) and key != "self"


class ObjectNode:
    """One tracked object.

    Attributes:
        kind: "user_object", "function", "bare_concrete_function", "variable", "constant", "captured_tensor",
            "asset", "resource", or "" for a plain container; in a checkpoint always ""; "missing" for the target
            of a reference to an object that the file does not have.
        children: (local name, object), in file order.
        functions: the concrete functions it names (function: any number; bare_concrete_function and
            captured_tensor: one), as their graphs; a name that the library lacks stays a text.
        mention: constant: the node with its value; captured_tensor: the tensor inside its function.
        name, dtype, shape, trainable: of a variable.
        identifier: of a user_object (`signature_map`, `_generic_user_object`, ...).
        argument_keywords: of a bare_concrete_function, in the wrapper's argument order.
        asset_index: of an asset.
        attributes: checkpoint: (name, full name, checkpoint key) of each saved value.
        saver_name: checkpoint: the name that a registered saver is given to save and restore it under, empty if none.
        slots: (original variable, slot name, slot variable) of an optimizer.
        raw: the format's own form, None for a new object.
    """

    __slots__ = (
        "argument_keywords", "asset_index", "attributes", "children", "dependencies", "dtype", "functions",
        "identifier",
        "kind", "mention", "name", "raw", "saveables", "saver_name", "shape", "slots", "trainable",
    )  # fmt: skip

    def __init__(self, kind: str, raw: Any = None) -> None:
        self.kind = kind
        self.raw = raw
        self.children: list[tuple[str, ObjectNode]] = []
        self.dependencies: list[tuple[str, ObjectNode]] = []
        self.functions: list[Graph | str] = []
        self.mention: Mention | None = None
        self.name = ""
        self.dtype: DType | None = None
        self.shape: Shape | None = None
        self.trainable = False
        self.identifier = ""
        self.argument_keywords: list[str] = []
        self.asset_index = 0
        self.attributes: list[tuple[str, str, str]] = []
        self.saver_name = ""
        self.slots: list[tuple[ObjectNode, str, ObjectNode]] = []
        self.saveables: dict[str, tuple[ObjectNode, ObjectNode]] = {}

    def child(self, name: str) -> ObjectNode | None:
        """Return the child with a local name, None if there is none."""
        return next((node for local, node in self.children if local == name), None)

    def __repr__(self) -> str:
        return f"ObjectNode({self.kind or 'container'}, {[name for name, _ in self.children]})"


class StructureSource(Protocol):
    """What a format offers about the structured signatures of a concrete function; each is asked once."""

    def input_signature(self) -> object:
        """Decode how the arguments are structured."""

    def output_signature(self) -> object:
        """Decode how the results are structured."""


class ConcreteFunction:
    """A function as the object graph knows it: what it captures and how its arguments are structured.

    Attributes:
        function: the graph, or its name where the library lacks it.
        bound_inputs: captured objects, one for each of the last arguments, in order.
        structures: the structured signatures ("input", "output") that somebody asked for or set.
        raw: the format's StructureSource, None for a new entry.
    """

    __slots__ = ("bound_inputs", "function", "raw", "structures")

    def __init__(
        self, function: Graph | str, bound_inputs: list[ObjectNode], raw: StructureSource | None = None
    ) -> None:
        self.function = function
        self.bound_inputs = bound_inputs
        self.raw: Any = raw
        self.structures: dict[str, object] = {}

    @property
    def input_signature(self) -> object:
        """Arguments: a tuple of the positional ones and a dict of the keywords.

        Nested Python values: tuple, dict, list, None, numbers, strings, Shapes, DTypes and `TensorSpec`s; what
        the vocabulary has no words for stays as the format has it. Assign a new structure to change the file.
        """
        if "input" not in self.structures:
            self.structures["input"] = self.raw.input_signature() if self.raw is not None else None
        return self.structures["input"]

    @input_signature.setter
    def input_signature(self, structure: object) -> None:
        self.structures["input"] = structure

    @property
    def output_signature(self) -> object:
        """Results, as nested Python values like those of `input_signature`."""
        if "output" not in self.structures:
            self.structures["output"] = self.raw.output_signature() if self.raw is not None else None
        return self.structures["output"]

    @output_signature.setter
    def output_signature(self, structure: object) -> None:
        self.structures["output"] = structure


class TensorSpec:
    """Name, shape and dtype of a tensor inside a structured signature."""

    __slots__ = ("dtype", "name", "raw", "shape")

    def __init__(self, name: str, shape: Shape, dtype: DType, raw: Any = None) -> None:
        self.name = name
        self.shape = shape
        self.dtype = dtype
        self.raw = raw

    def __repr__(self) -> str:
        return f"TensorSpec({self.name!r}, {self.shape}, {self.dtype})"


class CompositeSpec:
    """A ragged or sparse tensor inside a structured signature; a function takes its parts one behind the other.

    Attributes:
        kind: "ragged" (flat values, then row splits, outer ones first) or "sparse" (indices, values, dense shape).
        shape, dtype: of the whole.
        ragged_rank: how many row splits there are.
        raw: as the format has it; nothing here changes it.
    """

    __slots__ = ("dtype", "kind", "ragged_rank", "raw", "shape")

    def __init__(self, kind: str, shape: Shape, dtype: DType, ragged_rank: int, raw: Any) -> None:
        self.kind = kind
        self.shape = shape
        self.dtype = dtype
        self.ragged_rank = ragged_rank
        self.raw = raw

    def __eq__(self, other: object) -> bool:
        return isinstance(other, CompositeSpec) and self._facts() == other._facts()

    def __hash__(self) -> int:
        return hash((self.kind, self.dtype, self.ragged_rank))

    def __repr__(self) -> str:
        return f"CompositeSpec({self.kind!r}, {self.shape}, {self.dtype})"

    def _facts(self) -> tuple[object, ...]:
        return self.kind, self.shape, self.dtype, self.ragged_rank


Way = tuple[tuple[ObjectNode, str], ...]  # from the root on: an object, and the name of the child that comes next


class ObjectGraph:
    """All objects; the first is the root. Nodes that are no longer reached stay until removed from `nodes`."""

    __slots__ = ("concrete_functions", "nodes", "raw")

    def __init__(self, nodes: list[ObjectNode], concrete_functions: list[ConcreteFunction], raw: Any = None) -> None:
        self.nodes = nodes
        self.concrete_functions = concrete_functions
        self.raw = raw

    @property
    def root(self) -> ObjectNode:
        """The object that loading returns."""
        return self.nodes[0]

    def paths(self, separator: str) -> dict[ObjectNode, str]:
        """Return the names of children on the shortest way to each object, nearer objects first; empty for the root."""
        paths = {self.root: ""}
        for node in (waiting := [self.root]):
            for name, child in node.children:
                if child not in paths:
                    paths[child] = f"{paths[node]}{separator}{name}" if node is not self.root else name
                    waiting.append(child)
        return paths

    def ways(self) -> dict[ObjectNode, list[Way]]:
        """Return the ways to each object, shorter ones first: no object twice on one, and not endlessly many."""
        found: dict[ObjectNode, list[Way]] = {}
        for node, way in traversal.ways(self.root, lambda one: one.children, most=_MOST_WAYS, longest=_LONGEST_WAY):
            found.setdefault(node, []).append(way)
        return found

    def leave_out(self, gone: Collection[ObjectNode]) -> None:
        """Remove all edges and slots that lead to some objects; the objects themselves stay in `nodes`."""
        for node in self.nodes:
            if any(child in gone for _, child in node.children):
                node.children = [(name, child) for name, child in node.children if child not in gone]
            if any(slot in gone or of in gone for of, _, slot in node.slots):
                node.slots = [one for one in node.slots if one[0] not in gone and one[2] not in gone]

    def paired(self, other: ObjectGraph) -> dict[ObjectNode, ObjectNode]:
        """Return the object of another graph to which the same names lead, for each that has one."""
        pairs = {self.root: other.root}
        for node in (waiting := [self.root]):
            theirs = dict(pairs[node].children)
            for name, child in node.children:
                if name in theirs and child not in pairs:
                    pairs[child] = theirs[name]
                    waiting.append(child)
        return pairs

    def restored_from(self, stored: ObjectGraph) -> dict[ObjectNode, ObjectNode]:
        """Return the object of a checkpoint that restoring takes for each: by names of children, then by slots."""
        twins = self.paired(stored)
        for node in self.nodes:
            theirs = {(of, name): slot for of, name, slot in twins[node].slots} if node in twins and node.slots else {}
            for of, name, slot in node.slots:
                twin = theirs.get((twins[of], name)) if of in twins else None
                if twin is not None:
                    twins.setdefault(slot, twin)
        return twins

    def concrete(self, function: Graph | str) -> ConcreteFunction | None:
        """Return what the object graph knows of a function, None if nothing."""
        return next((entry for entry in self.concrete_functions if entry.function == function), None)

    def mentions(self) -> Iterator[Mention]:
        """Mentions of nodes and tensors by constants and captured tensors."""
        for node in self.nodes:
            if node.mention is not None:
                yield node.mention
