"""What a model may reach while it is run: nothing outside itself, unless the user allows it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from graphsurgeon.errors import UnsupportedError, plural
from graphsurgeon.model.format import TENSORFLOW, TFLITE
from graphsurgeon.model.graph import Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.scanning.allow import is_allowed
from graphsurgeon.scanning.finding import Threat
from graphsurgeon.scanning.scan import judge_run, scan
from graphsurgeon.scanning.table import ACTS, FILES

_TOLD = 10  # things that a model does, told one by one

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Allowed:
    """What the user lets a model do.

    Attributes:
        ops: `OP` or `OP:PATH`; the path may be a glob.
        files: every op on files.
    """

    ops: tuple[str, ...] = ()
    files: bool = False

    @property
    def stand(self) -> Path | None:
        """Where the process of a run stands: with the user, once he lets it reach files; else in a scratch folder."""
        return Path.cwd() if self.files or self.ops else None

    def covers(self, threat: Threat) -> bool:
        """Say whether something that a model does was allowed."""
        if self.files and threat.kind in FILES:
            return True
        return is_allowed(threat, self.ops)


NOTHING = Allowed()


def require_allowed(
    model: Model, metagraph: MetaGraph, outputs: Iterable[Value], allowed: Allowed, tell: Tell | None = None
) -> None:
    """Refuse to run a model that reaches outside itself and was not allowed to.

    Args:
        model: what is going to be run.
        metagraph: of it.
        outputs: what is asked of it.
        allowed: by the user.
        tell: is told, a line each, what it does that was allowed.

    Raises:
        UnsupportedError: the model acts on files outside its folder, the network, processes, or runs code.
    """
    if model.traits.vocabulary not in (TENSORFLOW, TFLITE):
        found = [threat for threat in scan(model.path).findings if _acts(threat)]
    else:
        found = _of_graph(model, metagraph, outputs)
    refused = [threat for threat in found if not allowed.covers(threat)]
    if refused:
        more = f" (and {plural(len(refused) - 1, 'other act')})" if len(refused) > 1 else ""
        raise UnsupportedError(
            f"not run, for it reaches outside itself: {described(refused[0])}{more}",
            path=model.path,
            hint=_hint(refused),
        )
    for line in list(dict.fromkeys(map(described, found)))[:_TOLD] if tell is not None else ():
        assert tell is not None
        tell(f"{model.path}: {line}")


def _acts(threat: Threat) -> bool:
    """Say whether loading a model of another framework does something; nobody loads the native code of its own ops."""
    return threat.severity != "info" and threat.kind != "native"


def _of_graph(model: Model, metagraph: MetaGraph, outputs: Iterable[Value]) -> list[Threat]:
    nodes = [value.producer for value in outputs if value.producer is not None]
    nodes += [mention.node for mention in _table_initializers(model, metagraph) if mention.node is not None]
    return [threat for threat in judge_run(model, metagraph, nodes) if _reaches_out(threat, model)]


def described(threat: Threat) -> str:
    """Return in one line what a model does."""
    when = "on load" if threat.when == "load" else "when it runs"
    target = f": {threat.target}" if threat.target else ""
    return f"{threat.op or 'it'} {threat.what} {when}{target}"


def _table_initializers(model: Model, metagraph: MetaGraph) -> list[Mention]:
    """Return what the worker runs of a `.meta` before anything else."""
    collection = metagraph.collections.get("table_initializer") if model.traits.variables == "beside" else None
    return [mention for item in collection.items for mention in item.mentions.values()] if collection else []


def _reaches_out(threat: Threat, model: Model) -> bool:
    if threat.severity == "info" or threat.kind not in ACTS:
        return False
    if threat.kind not in FILES or not model.traits.holds_assets or not threat.targets:
        return True
    folder = Path(model.path) if Path(model.path).is_dir() else Path(model.path).parent
    root = os.path.realpath(folder)
    return not all(_lies_in(target.removeprefix("file://"), root) for target in threat.targets)


def _lies_in(target: str, root: str) -> bool:
    return os.path.isabs(target) and Path(os.path.realpath(target)).is_relative_to(root)


def _hint(refused: list[Threat]) -> str:
    ops = list(dict.fromkeys(threat.op for threat in refused if threat.op))
    files = all(threat.kind in FILES for threat in refused)
    options = "--allow-files" if files else " ".join(f"--allow {op}" for op in ops[:4])
    return f"if you trust it: {options}; gs scan tells all that it could do"
