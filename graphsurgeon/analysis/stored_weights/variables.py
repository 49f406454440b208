"""The variables of a checkpoint under the names that people know them by, optimizer slots told apart.

A TF1 key is the variable's name. A TF2 key is a path of objects; the object graph inside the checkpoint has
the name. Where neither says, the graph's restore path does (`restore_map`). Facts: docs/formats.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Literal, NamedTuple

from graphsurgeon.model.checkpoint import Checkpoint, Variable
from graphsurgeon.model.model import Model
from graphsurgeon.model.objects import path_text

VariableKind = Literal["variable", "slot"]

OBJECT_SUFFIX = "/.ATTRIBUTES/"  # what follows the path of objects in a TF2 key
_STEPS = "/_iterations"
_SLOT_MARK = "/.OPTIMIZER_SLOT/"
# Names that TensorFlow's own optimizers give to slots; others are known by their place below the variable.
_SLOTS = frozenset(
    {
        "Adam", "AdamW", "Adamax", "AdamAsync", "LazyAdam", "LAMB", "LARS", "Momentum", "RMSProp", "Adagrad",
        "AdagradDA", "Adadelta", "Ftrl", "ProximalAdagrad", "AMSGrad", "Nadam", "Yogi", "adam_m", "adam_v", "lamb_m",
        "lamb_v", "slot_v", "slot_vr", "slot_vc",
    }
)  # fmt: skip
_JOINED = ("_slot_v", "_slot_vr", "_slot_vc", "_slot_m")  # mesh-tensorflow's Adafactor puts them behind the name itself
# Names of slots below `training/OPTIMIZER/VARIABLE/`, where Estimators put those of Keras's optimizers.
_PREFIXED = frozenset(
    {
        "accumulator", "linear", "m", "v", "vhat", "momentum", "rms", "mg", "velocity", "accum_grad", "accum_var",
    }
)  # fmt: skip
# Averages are kept like slots but stand in for the variable at inference.
_AVERAGES = ("exponentialmovingaverage", "moving_average", "ema")


class NamedVariable(NamedTuple):
    """An entry of a checkpoint with the name of its variable.

    Attributes:
        variable: the entry.
        name: what the variable is called in the program; None if nothing says.
        kind: "slot" for what an optimizer keeps beside a variable.
    """

    variable: Variable
    name: str | None
    kind: VariableKind

    @property
    def key(self) -> str:
        """The key in the file."""
        return self.variable.key

    @property
    def label(self) -> str:
        """The name, or the key where there is none."""
        return self.name or self.variable.key


def named_variables(checkpoint: Checkpoint, model: Model | None = None) -> list[NamedVariable]:
    """Return every entry with its name and kind, in file order. Reads the object graph, no values.

    Args:
        checkpoint: the variables.
        model: where names are looked for that the checkpoint does not tell; this lifts graphs. None for the
            checkpoint alone.
    """
    names = _object_names(checkpoint)
    variables = checkpoint.variables
    if model is not None and any(OBJECT_SUFFIX in key and key not in names for key in variables):
        names = _restored_names(model) | names
    slots = slot_keys(checkpoint)
    return [
        NamedVariable(variable, variable.name or _name(key, names), "slot" if key in slots else "variable")
        for key, variable in variables.items()
    ]


def names_of_variables(checkpoint: Checkpoint, model: Model | None = None) -> dict[str, set[str]]:
    """Return every name that each key's variable goes by: key, paths of objects, the program's name. Reads no values.

    Args:
        checkpoint: the variables.
        model: as `named_variables` takes it.
    """
    names = {named.key: {named.key, named.label} for named in named_variables(checkpoint, model)}
    for key, called in names.items():
        path, mark, attribute = key.partition(OBJECT_SUFFIX)
        if mark and attribute == "VARIABLE_VALUE":
            called.add(path)
    if checkpoint.objects is None or not any(OBJECT_SUFFIX in key for key in names):
        return names
    for node, ways in checkpoint.objects.ways().items():
        for key in checkpoint.keys_of(node):
            names[key].update(path_text(name for _, name in way) for way in ways if way)
    return names


def slot_keys(checkpoint: Checkpoint) -> set[str]:
    """Return the keys of what optimizers keep for each variable (momentum and the like). Reads no values."""
    variables = checkpoint.variables
    optimizers = _optimizers(variables)
    return {
        key for key, variable in variables.items() if variable.is_slot or _is_slot(key, variable, variables, optimizers)
    }


def _optimizers(keys: Iterable[str]) -> set[str]:
    """Return the paths of Keras's optimizers, whatever attribute holds them: they count their steps."""
    paths = (key.partition(OBJECT_SUFFIX)[0] for key in keys if _STEPS in key)
    return {path.removesuffix(_STEPS) for path in paths if path.endswith(_STEPS)}


def _name(key: str, names: Mapping[str, str]) -> str | None:
    return names.get(key) or (None if OBJECT_SUFFIX in key else key)


def _object_names(checkpoint: Checkpoint) -> dict[str, str]:
    if not any(OBJECT_SUFFIX in key for key in checkpoint.variables) or checkpoint.objects is None:
        return {}
    return {key: name for node in checkpoint.objects.nodes for _, name, key in node.attributes if name}


def _restored_names(model: Model) -> dict[str, str]:
    from graphsurgeon.analysis.flow.restore_map import restore_map

    names: dict[str, str] = {}
    for metagraph in model.metagraphs:
        names = restore_map(metagraph).names_by_key() | names
    return names


def _is_slot(key: str, variable: Variable, variables: Mapping[str, Variable], optimizers: set[str]) -> bool:
    if _SLOT_MARK in key:
        return True
    path, mark, _ = key.partition(OBJECT_SUFFIX)
    if mark:
        return bool(variable.tensor.shape.rank) and _is_kept_by_optimizer(path.split("/")[:-1], optimizers)
    joined = next((key.removesuffix(end) for end in _JOINED if key.endswith(end)), "")
    if joined in variables and _is_kept_for(variable, variables[joined]):
        return True
    owner, _, last = key.rpartition("/")
    if not owner:
        return False
    kept_as = _without_number(last)
    if kept_as.lower().endswith(_AVERAGES):
        return False
    owners = [*_owners(owner, kept_as in _SLOTS), *(_behind_optimizer(owner) if last in _PREFIXED else ())]
    return any(_is_kept_for(variable, variables[name]) for name in owners if name in variables)


def _is_kept_by_optimizer(path: Sequence[str], optimizers: set[str]) -> bool:
    """Say whether an optimizer tracks an array (iteration and learning rate are scalars), the model's own left out."""
    parts = [part.lower() for part in path]
    place = next((index for index, part in enumerate(parts) if "optimizer" in part), None)
    if place is None and optimizers:
        place = next((end for end in range(1, len(path)) if "/".join(path[:end]) in optimizers), None)
    return place is not None and not any("trainable_variables" in part for part in parts[place:])


def _without_number(name: str) -> str:
    base, _, number = name.rpartition("_")
    return base if base and number.isdecimal() else name


def _owners(owner: str, is_known: bool) -> Iterator[str]:
    """Yield the names that the variable may have: the slot's scope, or that without the optimizer's own scopes."""
    yield owner
    if is_known:
        parts = owner.split("/")
        yield from ("/".join(parts[start:]) for start in range(1, len(parts)))


def _behind_optimizer(owner: str) -> list[str]:
    """Return the name of the variable in `training/Adagrad/VARIABLE`, with or without more scopes in between."""
    parts = owner.split("/")
    place = next((index for index, part in enumerate(parts) if _without_number(part) in _SLOTS), len(parts))
    return ["/".join(parts[start:]) for start in range(place + 1, len(parts))]


def _is_kept_for(slot: Variable, variable: Variable) -> bool:
    """Say whether one has the other's shape, or that without one dimension, as factored moments do."""
    own, other = slot.tensor.shape.dims or (), variable.tensor.shape.dims or ()
    if len(own) != len(other) - 1:
        return own == other
    left_out = next((place for place, size in enumerate(own) if size != other[place]), len(own))
    return own[left_out:] == other[left_out + 1 :]
