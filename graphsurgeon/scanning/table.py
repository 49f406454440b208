"""The table of ops that reach out of a graph: `ops.tsv`, kept in step with TensorFlow by `tools/check_scan_ops.py`.

Kinds: `read`, `list`, `write`, `sql` (reads and writes), `summary` (writes to a writer that another op opens), `debug`
(writes or sends, as its URLs say), `network`, `code`, `graph` (runs a graph inside a string), `process` (ends or stalls
it), `device` (another device or job), `accelerator`, `shared` and `handle` (state of other models), `memory` (gives old
memory away), `bomb` (unpacks without a bound), `terminal` (shows itself only), `native` (code of a known package).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

FILES = frozenset({"read", "list", "write", "sql", "summary"})
ACTS = FILES | {"debug", "network", "code", "graph", "process"}  # what a run is refused for


@dataclass(frozen=True)
class OpRule:
    """One row.

    Attributes:
        op: its name.
        kind: see above.
        inputs: input arguments that hold a path, an address or a name.
        attrs: attributes that do.
        what: what it does, in words.
        at_import: TensorFlow evaluates it while it imports a graph, if its inputs are constant and something reads it.
        has_cpu_kernel: whether it runs on a CPU.
        package: what registers it, if that is not TensorFlow; "other" for none in particular.
    """

    op: str
    kind: str
    inputs: tuple[str, ...]
    attrs: tuple[str, ...]
    what: str
    at_import: bool = False
    has_cpu_kernel: bool = True
    package: str = ""


@cache
def rules() -> dict[str, OpRule]:
    """Return the table by op."""
    lines = Path(__file__).with_name("ops.tsv").read_text("utf-8").splitlines()[1:]
    return {rule.op: rule for rule in map(_rule, lines)}


@cache
def known_packages() -> dict[str, str]:
    """Return the package that brings each custom op that is met in the wild (`packages.tsv`)."""
    lines = Path(__file__).with_name("packages.tsv").read_text("utf-8").splitlines()[1:]
    return dict(line.split("\t") for line in lines)


def _rule(line: str) -> OpRule:
    op, kind, where, what, marks = line.split("\t")
    sides = {side: tuple(names.split(",")) for side, _, names in (part.partition(":") for part in where.split())}
    flags = marks.split(",")
    package = next((flag for flag in flags if flag not in ("", "import", "no-cpu")), "")
    inputs, attrs = sides.get("in", ()), sides.get("attr", ())
    return OpRule(op, kind, inputs, attrs, what, "import" in flags, "no-cpu" not in flags, package)
