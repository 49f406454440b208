"""Rules about the saver of a MetaGraph: how the loaders of version 1 restore variables.

Facts are of `saver.py` and `loader_impl.py` of TensorFlow 2.21. A saver that misses a name is refused when the graph is
imported; what it names is looked up when it restores, which needs a checkpoint; saving is nobody's matter on load.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.analysis.flow.calls import reached_functions
from graphsurgeon.checks.graphs.mentions import takes_one
from graphsurgeon.checks.graphs.ops import OutputTypes
from graphsurgeon.checks.places import is_present
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import Node, Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import Saver
from graphsurgeon.model.model import Model
from graphsurgeon.model.traversal import upstream
from graphsurgeon.ops.kinds import SAVES

_READING = frozenset({"ReadVariableOp"})
_HINT = "session-style loaders need it to restore the variables; gs strip --only savers takes it out"


def savers(model: Model) -> Iterator[Finding]:
    """Find names that a saver lacks, spells in a way that cannot be used, or that the graph does not have."""
    for metagraph in model.metagraphs:
        saver = metagraph.saver
        if saver is not None:
            restores = model.traits.is_servable or model.checkpoint is not None
            yield from _lacking(saver)
            yield from _looked_up(saver, "error" if restores else "warning")


def _lacking(saver: Saver) -> Iterator[Finding]:
    for field, mention in (("save_tensor_name", saver.save), ("restore_op_name", saver.restore)):
        if not mention.text:
            yield _finding("error", field, "it names nothing, and no saver is made without it")


def _looked_up(saver: Saver, severity: Severity) -> Iterator[Finding]:
    if not saver.filename.text:
        yield _finding("error", "filename_tensor_name", "it names nothing that the path could be fed to")
    elif saver.filename.stored and ":" not in saver.filename.text:
        what = f"it names {saver.filename.text!r}, an operation and no tensor of it"
        yield _finding("error", "filename_tensor_name", what)
    path = saver.filename.target
    found = OutputTypes().of(path) if isinstance(path, Value) and is_present(path) else None
    if found is not None and found.base is not STRING:
        what = f"it names {saver.filename.text!r}, which is {found}: no path can be fed to it"
        yield _finding(severity, "filename_tensor_name", what)
    elif is_present(path) and not takes_one(path):
        what = f"it names {saver.filename.text!r}, which is no scalar: no path can be fed to it"
        yield _finding(severity, "filename_tensor_name", what)
    node = saver.restore.node
    fed = path.producer if isinstance(path, Value) else None
    if node is not None and fed is not None and is_present(path) and fed not in upstream([node]):
        what = f"it names {saver.filename.text!r}, which restoring does not read: it reads some other place"
        yield _finding(severity, "filename_tensor_name", what)
    reader = _reads_before(node, path) if node is not None else None
    if reader is not None:
        what = f"restoring waits for {reader.name}, which reads variables that have no value yet"
        yield _finding(severity, "restore_op_name", what)
    if ":" in saver.restore.text and node is not None and node.output_dtypes() == []:
        what = f"it names {saver.restore.text!r}, and that operation has no outputs"
        yield _finding("error", "restore_op_name", what)
    named: tuple[tuple[Severity, str, Mention], ...] = (
        (severity, "filename_tensor_name", saver.filename),
        ("warning", "save_tensor_name", saver.save),
        (severity, "restore_op_name", saver.restore),
    )
    for how, field, mention in named:
        if mention.text and not is_present(mention.target):
            what = f"it names {mention.text!r}, which the graph does not have"
            yield Finding(how, f"saver, {field}", what, _HINT, "dangling-mention")


def _reads_before(restore: Node, path: object) -> Node | None:
    """Return a node that restoring runs and that reads variables, or saves: on load that fails."""
    fed = {path} if isinstance(path, Value) else set()
    for node in upstream([restore], fed=fed):
        functions = {*node.functions, *reached_functions(node.functions)}
        inside = (one.op for function in functions for one in function.nodes)
        if node.op in _READING or not SAVES.keys().isdisjoint((node.op, *inside)):
            return node
    return None


def _finding(severity: Severity, field: str, what: str) -> Finding:
    return Finding(severity, f"saver, {field}", what, _HINT, "saver")
