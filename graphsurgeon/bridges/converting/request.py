"""What a converter is asked, and what it answers: the words between the command and the converters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphsurgeon.bridges.guard import NOTHING, Allowed, Tell
from graphsurgeon.compare.equivalence import ComparedOutput


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is to be converted, where to, and how.

    Attributes:
        path: the model.
        target: where it goes.
        inputs, outputs: tensors, nodes or signature keys, as in `freeze`.
        signature: the one to convert.
        set_values: placeholder -> the constant that it becomes.
        tags: of the MetaGraph.
        checkpoint: where the variables of a bare graph are.
        verify: load the result, and compare it with the source.
        seed: of the data that both are given.
        force: replace what is at the target.
        dry_run: do all, and write nothing.
        allowed: what the model may reach outside itself when it is run.
        tell: is told what it does there, before it is run.
        settings: what this converter alone can be told.
    """

    path: Path
    target: Path
    inputs: Sequence[str] = ()
    outputs: Sequence[str] = ()
    signature: str | None = None
    set_values: Mapping[str, object] = field(default_factory=dict)
    tags: Sequence[str] | None = None
    checkpoint: Path | None = None
    verify: bool = True
    seed: int = 0
    force: bool = False
    dry_run: bool = False
    allowed: Allowed = NOTHING
    tell: Tell | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class ConversionReport:
    """What a conversion did.

    Attributes:
        path: the model.
        output: what was written, or would be.
        format: the name of its format.
        written: whether it was; not in a dry run, nor where `problem` says why not.
        verified: the result was loaded, run, and gave what the source gives.
        problem: why nothing was written: it does not load, or differs, or could not be compared, with op and node;
            empty where all is well.
        bytes: of all files of the output.
        steps: what was done, a line each, in order.
        outputs: everything that was compared.
        notes: what the user should know.
        details: what only one converter has to tell.
    """

    path: str
    output: str
    format: str
    written: bool
    verified: bool
    problem: str = ""
    bytes: int = 0
    steps: Sequence[str] = ()
    outputs: Sequence[ComparedOutput] = ()
    notes: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
