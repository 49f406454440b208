"""The variables of a MetaGraph with the values that they have once the model is loaded.

A loader restores variables from the checkpoint and then runs the init op, which may assign others (local
variables, paths of assets). What is not restored in that way is looked for under its own name, as in TF1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from graphsurgeon.analysis.flow.load_path import LoadPath
from graphsurgeon.analysis.flow.restore_map import (
    ResourceKey,
    Restored,
    RestoreMap,
    constant,
    resource_key,
    resource_name,
)
from graphsurgeon.analysis.names import suggestion
from graphsurgeon.analysis.stored_weights.variables import OBJECT_SUFFIX
from graphsurgeon.errors import FileError, FormatError
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.dtype import STRING, DType
from graphsurgeon.model.graph import Graph, Node
from graphsurgeon.model.metagraph import Asset
from graphsurgeon.model.shape import UNKNOWN_RANK, Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import VARIABLES
from graphsurgeon.surgery.freezing.partition import part_of
from graphsurgeon.surgery.moves.copy_computation import Made, copy_computation
from graphsurgeon.surgery.moves.variable_uses import HeldVariable

_MOST_NAMED = 5  # in a message, the others are counted


@dataclass(frozen=True, slots=True)
class Frozen:
    """A variable that has become a constant.

    Attributes:
        name: the variable's name at run time.
        key: the checkpoint key, None for a value from the init op.
        tensor: the value, None for one that is computed.
    """

    name: str
    key: str | None
    tensor: Tensor | None


class FrozenVariables:
    """Gives variable nodes their values; remembers which, and which hold the path of an asset.

    Args:
        restored: where the saver restores variables from.
        load_path: what the init op assigns.
        checkpoint: the values; None if there is none.
        captured: asked for the keys of captured variables, if the saver leaves one out.
        is_kept: says of a variable's name, or of its key in the checkpoint, that it stays a variable (unless
            the init op assigns it).
        averages: key -> key whose value it is to have.
        why_not: why there is no checkpoint, for messages.
    """

    def __init__(
        self,
        restored: RestoreMap,
        load_path: LoadPath,
        checkpoint: Checkpoint | None,
        *,
        captured: Callable[[], Mapping[Node, str]],
        is_kept: Callable[[str], bool],
        averages: Mapping[str, str] | None = None,
        why_not: str = "",
    ) -> None:
        self.averages = averages or {}
        self._checkpoint = checkpoint.seen_as(self.averages) if checkpoint is not None else None
        self._is_kept = is_kept
        self._why_not = why_not
        self._restored = {resource_key(node): source for node, source in restored.variables.items()}
        self._captured = captured
        self._load_path = load_path
        self._assigned = load_path.assigned
        self._held: dict[ResourceKey, HeldVariable] = {}
        self._made: dict[Graph, Made] = {}
        self.frozen: dict[ResourceKey, Frozen] = {}
        self.kept: dict[str, Node] = {}
        self.asset_paths: dict[Node, Asset] = {}

    def held(self, node: Node) -> HeldVariable | None:
        """Return the variable that a node stands for; None if the node is none, or the variable stays."""
        if node.op not in VARIABLES:
            return None
        key = resource_key(node)
        stored = self._stored_key(key)
        # What loading assigns would be lost with the init op; the checkpoint may hold another value, or none.
        if key not in self._assigned and (self._is_kept(key.name) or self._is_kept(stored)):
            self.kept.setdefault(key.name, node)
            return None
        if key not in self._held:
            dtype, shape = node.attrs.get("dtype"), node.attrs.get("shape")
            if not isinstance(dtype, DType):
                raise FormatError(f"variable {node.name!r} has no dtype")
            known = shape if isinstance(shape, Shape) else UNKNOWN_RANK
            is_apart = stored.partition(OBJECT_SUFFIX)[0] != key.name
            self._held[key] = HeldVariable(key.name, dtype.base, known, stored if is_apart else "")
        return self._held[key]

    def sources(self, graph: Graph) -> dict[Node, Restored]:
        """Return the variable nodes of a main graph that stay, one for each variable, and where they are stored.

        Raises:
            FileError: there is no such value.
        """
        nodes = {resource_key(node): node for node in reversed(graph.nodes) if node.op in VARIABLES}
        missing = [node for key, node in nodes.items() if self._stored_value(key) is None]
        if missing:
            raise self._missing(missing)
        return {node: self._source(key) for key, node in reversed(nodes.items())}

    def place_values(self, graph: Graph) -> None:
        """Turn the variable nodes of a graph into constants, one for each variable.

        Raises:
            FileError: values are missing, or of another type or shape than the variable.
            UnsupportedError: a value is computed when the model is loaded.
        """
        nodes = [node for node in graph.nodes if self.held(node) is not None]
        missing = [node for node in nodes if self._find(node) is None]
        if missing:
            raise self._missing(missing)
        first: dict[ResourceKey, Node] = {}
        for node in nodes:
            key = resource_key(node)
            if key in first:
                node.output(0).replace_with(first[key].output(0))
                graph.take_out([node])
            else:
                first[key] = node
        for key, node in first.items():
            self._place(node, self.frozen[key])

    def _find(self, node: Node) -> Frozen | None:
        key = resource_key(node)
        if key not in self.frozen:
            found = self._assigned_value(key) or self._stored_value(key)
            if found is None:
                return None
            if found.tensor is not None:
                _check(node, found)
            self.frozen[key] = found
        return self.frozen[key]

    def _assigned_value(self, key: ResourceKey) -> Frozen | None:
        place = self._assigned.get(key)
        return None if place is None else Frozen(key.name, None, constant(place))

    def _stored_value(self, key: ResourceKey) -> Frozen | None:
        if self._checkpoint is None:
            return None
        restored = self._source(key)
        variable = self._checkpoint.variables.get(restored.key)
        if variable is None:
            return None
        try:
            return Frozen(key.name, restored.key, part_of(variable.tensor, restored.slice))
        except FormatError as error:
            raise FormatError(f"variable {key.name!r}, checkpoint key {restored.key!r}: {error.message}") from error

    def _source(self, key: ResourceKey) -> Restored:
        """Return where a variable is stored: by the restore path, by the object graphs, else under its own name."""
        if key not in self._restored and self._checkpoint is not None and key.name not in self._checkpoint.variables:
            captured = {resource_key(node): Restored(stored) for node, stored in self._captured().items()}
            self._restored = {**captured, **self._restored}
        return self._restored.setdefault(key, Restored(key.name))

    def _stored_key(self, key: ResourceKey) -> str:
        """Return the key of a variable in the checkpoint; empty if it has none."""
        if self._checkpoint is None or key in self._assigned:
            return ""
        stored = self._source(key).key
        return stored if stored in self._checkpoint.variables else ""

    def _place(self, node: Node, frozen: Frozen) -> None:
        if frozen.tensor is not None:
            node.become("Const", [], {"dtype": frozen.tensor.dtype.base, "value": frozen.tensor})
            return
        graph, place = node.graph, self._assigned[resource_key(node)]
        asset = self._load_path.asset(place)
        if asset is not None:
            self.asset_paths[node] = asset
            node.become("Const", [], {"dtype": STRING, "value": Tensor.of(STRING, (), [asset.filename.encode()])})
            return
        made = self._made.setdefault(graph, {})
        value = copy_computation(place, graph, made, f"the value of variable {frozen.name!r}")
        node.become("Identity", [value], {"T": self._held[resource_key(node)].dtype})

    def _missing(self, nodes: list[Node]) -> FileError:
        names = [resource_name(node) for node in nodes]
        if self._checkpoint is None:
            why = self._why_not or "there is no checkpoint"
            many = f"{len(nodes)} variables have no value, such as {names[0]!r}"
            what = many if len(nodes) > 1 else f"variable {names[0]!r} has no value"
            return FileError(f"{what}: {why}", hint="give --checkpoint")
        listed = ", ".join(self._describe(node) for node in nodes[:_MOST_NAMED])
        more = f" and {len(nodes) - _MOST_NAMED} more" if len(nodes) > _MOST_NAMED else ""
        near = suggestion(self._key(nodes[0]), self._checkpoint.variables)
        return FileError(
            f"the checkpoint has no value for {listed}{more}",
            path=self._checkpoint.prefix,
            hint=near or "see gs weights",
        )

    def _describe(self, node: Node) -> str:
        key, name = self._key(node), resource_name(node)
        return f"variable {name!r}" + (f" (key {key!r})" if key != name else "")

    def _key(self, node: Node) -> str:
        return self._source(resource_key(node)).key


def _check(node: Node, frozen: Frozen) -> None:
    tensor, dtype, shape = frozen.tensor, node.attrs.get("dtype"), node.attrs.get("shape")
    assert tensor is not None
    where = f"variable {frozen.name!r}" + (f", checkpoint key {frozen.key!r}" if frozen.key else "")
    if isinstance(dtype, DType) and tensor.dtype is not dtype.base:
        raise FormatError(f"{where}: the graph asks for {dtype.base}, stored is {tensor.dtype}")
    if isinstance(shape, Shape) and not shape.is_compatible_with(tensor.shape):
        raise FormatError(f"{where}: the graph asks for shape {shape}, stored is {tensor.shape}")
