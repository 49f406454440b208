"""What an extraction yields."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphsurgeon.analysis.tensors import TensorFact
from graphsurgeon.model.shape import Shape


@dataclass
class Extracted:
    """What was extracted; see `ExtractReport`."""

    inputs: list[TensorFact] = field(default_factory=list)
    outputs: list[TensorFact] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class InputChange:
    """One input: what it was and what it is. `constant` tells the value if it has become one."""

    name: str
    dtype: str
    shape: Shape
    was_dtype: str
    was_shape: Shape
    constant: str | None = None


@dataclass(frozen=True)
class Contradiction:
    """A place that does not fit the new shapes: where, and what."""

    where: str
    what: str


@dataclass(frozen=True)
class SetInputReport:
    """What changed.

    Attributes:
        inputs: the placeholders.
        signatures: keys of the signatures that changed with them.
        contradictions: what does not fit the new shapes; the model does not run on them before that is mended.
        removed_nodes: nodes that could never run any more, or were needed only by those.
        recorded_shapes: nodes whose recorded shapes were brought in line.
        notes: what else the user should know, one line each.
    """

    inputs: tuple[InputChange, ...]
    signatures: tuple[str, ...]
    contradictions: tuple[Contradiction, ...]
    removed_nodes: tuple[str, ...]
    recorded_shapes: int
    notes: tuple[str, ...] = ()
