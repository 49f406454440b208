"""A saver of a main graph that saves and restores only the variables that stay.

Session-style loaders restore everything that the saver names, so with a variable go its assignment, its place in
the lists of `RestoreV2` and `SaveV2`, and its entry in the checkpoint. Facts: `docs/freezing.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from graphsurgeon.analysis.flow.calls import Place, origin
from graphsurgeon.analysis.flow.restore_map import constant
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.model.traversal import producers, reached, upstream
from graphsurgeon.ops.kinds import ASSIGNMENTS, RESTORES, SAVES, TABLE_IMPORTS, TABLES, VARIABLES

_SHAPES = "_output_shapes"


class SaverPart:
    """The nodes of the main graph through which a saver works, and what each does it for.

    Attributes:
        targets: assignment that restores -> the variable or table that it fills.
        saves: op that saves -> the variable or table behind each of its tensors, None where it is none.
    """

    def __init__(self, metagraph: MetaGraph) -> None:
        saver = metagraph.saver
        self._roots = [node for mention in saver.mentions if (node := mention.node) is not None] if saver else []
        nodes = upstream(self._roots)
        self.targets: dict[Node, Node] = {}
        for node in nodes:
            target = _target(node)
            if target is not None and any(other.op in RESTORES for other in upstream([node])):
                self.targets[node] = target
        self._restores = [node for node in nodes if node.op == "RestoreV2"]
        self.saves = {node: [_owner(value) for value in _tensors(node)] for node in nodes if node.op in SAVES}

    def needed(self, is_kept: Callable[[Node], bool]) -> list[Node]:
        """Return the nodes that saving and restoring of what is kept takes; none if nothing is left to restore."""
        kept = [node for node, target in self.targets.items() if is_kept(target)]
        if not kept and self.targets:
            return []

        def before(node: Node) -> list[Node]:
            needed = [*producers(self._inputs(node, is_kept)), *node.controls]
            return [other for other in needed if other not in self.targets or is_kept(self.targets[other])]

        roots = [node for node in self._roots if node not in self.targets or is_kept(self.targets[node])]
        return list(reached(roots, before))

    def _inputs(self, node: Node, is_kept: Callable[[Node], bool]) -> Iterator[Value]:
        places = set(self._kept_places(node, is_kept)) if node in self.saves else None
        first = SAVES[node.op].first if places is not None else 0
        for index, value in enumerate(node.inputs):
            if places is None or index < first or index - first in places:
                yield value

    def _kept_places(self, node: Node, is_kept: Callable[[Node], bool]) -> list[int]:
        """Return which tensors an op goes on saving: all, where it could not do without."""
        owners = self.saves[node]
        places = [place for place, owner in enumerate(owners) if owner is None or is_kept(owner)]
        lists = [texts(node.inputs[index]) for index in SAVES[node.op].lists]
        can_shrink = bool(places) and all(items is not None and len(items) == len(owners) for items in lists)
        return places if can_shrink else list(range(len(owners)))

    def is_let_go(self, save: Node, node: Node, gone: set[Node]) -> bool:
        """Say whether an op that saves can do without the values of a node: their variables are gone."""
        owners = [o for o, v in zip(self.saves[save], _tensors(save), strict=True) if v.producer is node]
        return bool(owners) and all(owner in gone for owner in owners)

    def kept_saves(self, is_kept: Callable[[Node], bool]) -> dict[Node, list[int]]:
        """Return which tensors each op goes on saving, while all are still there."""
        return {node: self._kept_places(node, is_kept) for node in self.saves}

    def shrink(self, kept: Mapping[Node, list[int]]) -> None:
        """Leave what saves only the tensors that stay, and what restores only those that are assigned."""
        for node, places in kept.items():
            if node in node.graph:
                shrink_save(node, places)
        for node in self._restores if self.targets else ():
            if node in node.graph:
                shrink_restore(node)


def shrink_save(node: Node, places: list[int]) -> None:
    """Let an op save only the tensors in some places."""
    layout = SAVES[node.op]
    if len(places) == len(node.inputs) - layout.first:
        return
    node.inputs = [*node.inputs[: layout.first], *(node.inputs[layout.first + place] for place in places)]
    _narrow(node, layout.lists, layout.types, places)


def shrink_restore(node: Node) -> None:
    """Let a `RestoreV2` restore only what somebody reads."""
    names, slices = (texts(value) for value in node.inputs[1:3])
    places = [place for place in range(len(names or ())) if node.output(place).consumers]
    if names is None or slices is None or len(names) != len(slices) or not places or len(places) == len(names):
        return
    node.move_outputs({**{old: new for new, old in enumerate(places)}, **_aside(places, len(names))})
    _narrow(node, (1, 2), "dtypes", places)


def _aside(places: list[int], count: int) -> dict[int | str, int | str]:
    """Return ports out of the way for outputs that nobody reads."""
    read = set(places)
    return {port: count + port for port in range(count) if port not in read}


def _narrow(node: Node, lists: tuple[int, ...], types: str, places: list[int]) -> None:
    """Cut the lists that go with the tensors of a node."""
    dtypes = node.attrs.get(types)
    if isinstance(dtypes, list):
        node.attrs[types] = [dtypes[place] for place in places]
    node.attrs.pop(_SHAPES, None)
    for index in lists:
        listed = texts(node.inputs[index]) or []
        tensor = Tensor.of(STRING, (len(places),), [listed[place] for place in places])
        source = node.inputs[index].producer
        if source is not None and source.op == "Const" and source.consumers == (node,):
            source.attrs["value"] = tensor
            source.attrs.pop(_SHAPES, None)
            continue
        name = f"{source.name if source is not None else node.name}/kept"
        graph = node.graph
        new = graph.add_node("Const", graph.unique_name(name), [], {"dtype": STRING, "value": tensor})
        if source is not None:
            new.device = source.device
        node.set_input(index, new.output(0))


def texts(value: Value) -> list[bytes] | None:
    """Return the elements of a constant of strings; None if it is none."""
    tensor = constant(Place(value))
    return tensor.items() if tensor is not None and tensor.dtype is STRING else None


def _target(node: Node) -> Node | None:
    """Return the variable or table that an assignment fills."""
    if node.op not in ASSIGNMENTS | TABLE_IMPORTS or not node.inputs:
        return None
    target = origin(Place(node.inputs[0])).value.producer
    return target if target is not None and target.op in VARIABLES | TABLES else None


def _tensors(node: Node) -> tuple[Value, ...]:
    return node.inputs[SAVES[node.op].first :]


def _owner(value: Value) -> Node | None:
    """Return the only variable or table that a value is read from, None if there is none, or several."""
    nodes = upstream(producers([value]))
    owners = [node for node in nodes if node.op in VARIABLES | TABLES]
    return owners[0] if len(owners) == 1 else None
