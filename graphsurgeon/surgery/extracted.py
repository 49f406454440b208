"""What an extraction yields."""

from __future__ import annotations

from dataclasses import dataclass, field

from graphsurgeon.analysis.tensors import TensorFact


@dataclass
class Extracted:
    """What was extracted; see `ExtractReport`."""

    inputs: list[TensorFact] = field(default_factory=list)
    outputs: list[TensorFact] = field(default_factory=list)
    functions: list[str] = field(default_factory=list)
    variables: list[str] = field(default_factory=list)
    tables: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
