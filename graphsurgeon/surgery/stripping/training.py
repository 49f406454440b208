"""Optimizers and metrics of a TF2 SavedModel: objects, saver and checkpoint let go of them together.

The object graph of the SavedModel, the one in the checkpoint, the traced functions that save and restore, and the
entries themselves name each other; a loader refuses a model in which one of them names what another has lost.
"""

from __future__ import annotations

from collections.abc import Collection

from graphsurgeon.analysis.flow.restore_map import restore_map
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import ObjectGraph, ObjectNode
from graphsurgeon.surgery.stripping.saver_v2 import TracedSaver
from graphsurgeon.surgery.stripping.training_objects import Leaving, forget, keys_of, leaving_objects, twins


class TrainingObjects:
    """What leaves a MetaGraph with its optimizers and metrics; found first, taken out in two steps.

    Attributes:
        roots: optimizer or metric -> (its kind, the path of names that leads to it).
        variables: variable of the main graph -> kind.
        keys: checkpoint key -> kind.
        notes: optimizers and metrics that stay, and why.
    """

    def __init__(self, model: Model, metagraph: MetaGraph, kinds: Collection[str]) -> None:
        self.roots: dict[ObjectNode, tuple[str, str]] = {}
        self.variables: dict[Node, str] = {}
        self.keys: dict[str, str] = {}
        self.notes: list[str] = []
        self._model = model
        self._metagraph = metagraph
        self._gone: list[ObjectNode] = []
        self._gone_stored: list[ObjectNode] = []
        objects, checkpoint = metagraph.objects, model.checkpoint
        self._saver = TracedSaver(metagraph)
        is_traced = objects is not None and len(model.metagraphs) == 1 and bool(self._saver.calls)
        stored = checkpoint.objects if checkpoint is not None and is_traced else None
        if objects is not None and stored is not None and stored.nodes:
            self._find(leaving_objects(objects, kinds), objects, stored)

    def _find(self, leaving: Leaving, objects: ObjectGraph, stored: ObjectGraph) -> None:
        self.notes += leaving.notes
        others = twins(objects, stored)
        staying = keys_of([node for node in objects.nodes if node not in leaving.objects], others)
        keys = {key: leaving.objects[one] for key, one in keys_of(leaving.objects, others).items()}
        self.keys = {key: kind for key, kind in keys.items() if key not in staying}
        restored = restore_map(self._metagraph).variables
        self.variables = {node: self.keys[one.key] for node, one in restored.items() if one.key in self.keys}
        stuck = [node.name for node in self.variables if not self._saver.can_let_go(node)]
        if stuck:
            self.variables, self.keys = {}, {}
            self.notes.append(f"optimizers and metrics stay: what saves {stuck[0]!r} cannot do without it")
            return
        self.roots, self._gone = leaving.roots, list(leaving.objects)
        kept = {others[node] for node in objects.nodes if node in others and node not in leaving.objects}
        self._gone_stored = [others[node] for node in self._gone if node in others and others[node] not in kept]

    def remove(self) -> None:
        """Take the objects, and their variables out of the saver; nodes and entries are then no longer needed."""
        if self._gone and self._metagraph.objects is not None:
            self._saver.let_go(self.variables)
            forget(self._metagraph.objects, self._gone)

    def remove_stored(self) -> None:
        """Take the objects out of the checkpoint, and let the saver save its object graph as it is then."""
        checkpoint = self._model.checkpoint
        if self._gone and checkpoint is not None and checkpoint.objects is not None:
            forget(checkpoint.objects, self._gone_stored)
            self._saver.save_objects(checkpoint.serialized_objects())
