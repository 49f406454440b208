"""Entries of a checkpoint that only training needs."""

from __future__ import annotations

from collections.abc import Collection

from graphsurgeon.analysis.flow.restore_map import restore_map
from graphsurgeon.analysis.stored_weights.averages import moving_averages
from graphsurgeon.analysis.stored_weights.variables import OBJECT_SUFFIX, slot_keys
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.surgery.stripping.training_objects import training_keys

_COUNTERS = frozenset({"save_counter"})
_HYPERPARAMETERS = frozenset(
    {
        "iter", "iterations", "_iterations", "learning_rate", "_learning_rate", "decay", "beta_1", "beta_2", "momentum",
        "rho", "epsilon",
    }
)  # fmt: skip
_WHY = {"optimizers": "an optimizer's own state", "metrics": "a metric counts in it"}
_POWERS = frozenset({"beta1_power", "beta2_power"})


def restored_keys(metagraph: MetaGraph) -> set[str]:
    """Return the keys that a MetaGraph restores variables and tables from."""
    restored = restore_map(metagraph)
    keys = {one.key for one in restored.variables.values()}
    return keys.union(one.key for pair in restored.tables.values() for one in pair)


def entries_of_training(checkpoint: Checkpoint, kinds: Collection[str]) -> list[tuple[str, str, str]]:
    """Return key, kind and reason of each entry of some kinds, in file order. Reads no values."""
    slots = slot_keys(checkpoint)
    owned = training_keys(checkpoint.objects, kinds) if checkpoint.objects is not None else {}
    averages = set(moving_averages(checkpoint).values()) if "averages" in kinds else set()
    found = []
    for key in checkpoint.variables:
        if key in averages:
            found.append((key, "averages", "the moving average of a weight"))
        elif key in slots:
            found.append((key, "optimizers", "an optimizer keeps it beside a variable"))
        elif _is_of_optimizer(key) or (slots and key.rpartition("/")[2] in _POWERS):
            found.append((key, "optimizers", _WHY["optimizers"]))
        elif key in owned:
            found.append((key, owned[key], _WHY[owned[key]]))
        elif key.partition(OBJECT_SUFFIX)[0] in _COUNTERS and OBJECT_SUFFIX in key:
            found.append((key, "internals", "counts how often the checkpoint was saved"))
    return [entry for entry in found if entry[1] in kinds]


def drop_empty_slots(checkpoint: Checkpoint) -> None:
    """Let the object graph forget the slots whose variables have no entry any more."""
    for node in checkpoint.objects.nodes if checkpoint.objects is not None else ():
        if node.slots:
            node.slots = [slot for slot in node.slots if slot[2].attributes]


def _is_of_optimizer(key: str) -> bool:
    """Say whether an entry of a TF2 checkpoint is a count or rate that an optimizer keeps."""
    path, mark, _ = key.partition(OBJECT_SUFFIX)
    *scopes, last = path.split("/")
    return bool(mark) and last in _HYPERPARAMETERS and any("optimizer" in scope.lower() for scope in scopes)
