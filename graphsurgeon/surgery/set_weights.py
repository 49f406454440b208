"""Give weights other values: variables of a checkpoint or SavedModel, constants of a graph, tensors of a TFLite model.

Names, shapes, types and ranges of all of them are checked before the first one changes. Nothing but the values
changes; large ones are copied, converted or quantized block by block when the model is written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphsurgeon.errors import UsageError
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.surgery.moves import arguments
from graphsurgeon.surgery.setting.given import FitRules, Fitted, make
from graphsurgeon.surgery.setting.names import StoredWeight, WeightNames


@dataclass(frozen=True)
class SetWeight:
    """One weight.

    Attributes:
        name: key of the variable, name of the node or tensor.
        dtype, shape: as stored.
        kind: variable or constant.
        rounding: what became of the values: empty if they are stored as given.
    """

    name: str
    dtype: DType
    shape: Shape
    kind: str
    rounding: str


@dataclass(frozen=True)
class SetWeightsReport:
    """What was set.

    Attributes:
        weights: in the order given; a weight that is stored twice comes twice.
        notes: what the user should know, one line each.
    """

    weights: tuple[SetWeight, ...]
    notes: tuple[str, ...]


@arguments.takes(values=arguments.by_name, tags=arguments.names)
def set_weights(
    model: Model,
    *,
    values: Mapping[str, object] | None = None,
    source: Model | None = None,
    raw: bool = False,
    clip: bool = False,
    graph: str | None = None,
    tags: Sequence[str] | None = None,
) -> SetWeightsReport:
    """Set the values of weights; shapes and dtypes stay.

    Args:
        model: changed in place.
        values: name -> array, number (it fills the shape), nested list, `Tensor`, or text that means one. A name is
            the key of a variable, a path of its object or the program's name for it; a Const node; a TFLite tensor or
            `#index`. Real numbers for a quantized tensor are quantized by its own parameters.
        source: a model of arrays (`.npz`, `.safetensors`, a checkpoint): each of its variables is set by its name.
            What `values` names too is taken from there.
        raw: integers for a quantized tensor are stored as given.
        clip: what is out of range becomes the nearest that fits, instead of being refused.
        graph: only constants of this function or subgraph.
        tags: of the MetaGraph whose constants are set; variables are shared by all of them.

    Raises:
        UsageError: there is no such weight, or the values do not fit it in shape, kind or range.
        UnsupportedError: the format holds no values that can be set, or the weight has none.
        FileError: the values cannot be read.
    """
    held = source.checkpoint.variables if source is not None and source.checkpoint is not None else {}
    wanted: dict[str, object] = {**{key: variable.tensor for key, variable in held.items()}, **(values or {})}
    if not wanted:
        raise UsageError("nothing to set", hint="give NAME=VALUE, --map or --from")
    targets = WeightNames(model, tags, graph)
    found = {name: targets.find(name) for name in wanted}
    _require_once(found)
    rules = FitRules(raw, clip)
    plan = [
        (target, make(target.slot, wanted[name], rules)) for name, one in found.items() for target in (one, *one.also)
    ]
    for target, made in plan:
        target.put(made.tensor)
    notes = [note for target in found.values() for note in target.notes]
    return SetWeightsReport(tuple(_told(target, made) for target, made in plan), tuple(dict.fromkeys(notes)))


def _require_once(found: Mapping[str, StoredWeight]) -> None:
    """Refuse two values for one weight, under two of its names; a copy that is named itself is set by its own name."""
    taken: dict[int, str] = {}
    for name, target in found.items():
        other = taken.setdefault(id(target.identity), name)
        if other != name:
            raise UsageError(f"{other!r} and {name!r} are the same weight", hint="give one of them")


def _told(target: StoredWeight, made: Fitted) -> SetWeight:
    how = []
    if made.largest_error:
        verb = "quantized" if target.slot.quantization is not None else "rounded"
        how.append(f"{verb}, off by at most {made.largest_error:.3g}")
    if made.clipped:
        how.append(f"{made.clipped:,} clipped")
    return SetWeight(target.name, target.slot.dtype, target.slot.shape, target.kind, "; ".join(how))
