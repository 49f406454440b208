"""Rules about variables: what the graph restores, what the checkpoint holds, and whether its files are whole."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from graphsurgeon.analysis.flow.restore_map import restore_map
from graphsurgeon.checks.saved.variable_values import variable_values
from graphsurgeon.disk.files import Progress
from graphsurgeon.errors import plural
from graphsurgeon.formats.checkpoint import find as checkpoints
from graphsurgeon.model.checkpoint import Checkpoint
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.ops.kinds import VARIABLES

_SEEN = 20  # entries that are named when they are listed


def of_model(model: Model) -> Iterator[Finding]:
    """Find damage of the checkpoint, and variables that only one of graph and checkpoint knows."""
    problems = checkpoints.problems(model.checkpoint) if model.checkpoint is not None else []
    unasked = _unasked(model)
    for problem in problems:  # what is not restored may be anything
        severity: Severity = "warning" if problem.severity == "error" and problem.where in unasked else problem.severity
        yield replace(problem, severity=severity, rule="checkpoint-files")
    if model.checkpoint is not None:
        # `tf.train.load_checkpoint` and `latest_checkpoint` refuse the folder then; who names a checkpoint in it never
        # reads the file.
        state = model.checkpoint.state if model.checkpoint.of_folder else None
        severity = "error" if state is not None and checkpoints.leads_nowhere(state) else "warning"
        for what in checkpoints.state_faults(model.checkpoint):
            text, _, hint = what.partition("; ")
            yield Finding(severity, "folder", text, hint, "state-file")
    if _speak_tensorflow(model):
        yield from _restored(model)
    if model.checkpoint is not None:
        yield from _object_keys(model.checkpoint)
    if model.checkpoint is not None and all(problem.severity != "error" for problem in problems):
        yield from variable_values(model, model.checkpoint)


def _unasked(model: Model) -> frozenset[str]:
    """Return the keys of the checkpoint of a SavedModel of version 1 that its graph does not restore.

    Who restores objects lists all entries first.
    """
    has_objects = any(metagraph.objects is not None and metagraph.objects.nodes for metagraph in model.metagraphs)
    if not model.traits.is_servable or model.checkpoint is None or has_objects:
        return frozenset()
    maps = [restore_map(metagraph) for metagraph in model.metagraphs]
    asked = {restored.key for found in maps for restored in found.variables.values()}
    asked |= {restored.key for found in maps for pair in found.tables.values() for restored in pair}
    return frozenset((model.checkpoint.variables.keys() - asked) | set(checkpoints.orphans(model.checkpoint)))


def checksums(model: Model, progress: Progress | None = None) -> Iterator[Finding]:
    """Compare the stored values with their checksums. Reads them all."""
    if model.checkpoint is not None:
        unasked = _unasked(model)
        for problem in checkpoints.verify_checksums(model.checkpoint, progress=progress):
            severity: Severity = "warning" if problem.where in unasked else problem.severity
            yield replace(problem, severity=severity, rule="checksum")


def _speak_tensorflow(model: Model) -> bool:
    return any(metagraph.vocabulary == TENSORFLOW for metagraph in model.metagraphs)


def _restored(model: Model) -> Iterator[Finding]:
    keys: set[str] = set()
    for metagraph in model.metagraphs:
        found = restore_map(metagraph)
        keys |= {restored.key for restored in found.variables.values()}
        keys |= {restored.key for pair in found.tables.values() for restored in pair}
    if model.checkpoint is None:
        yield from _no_checkpoint(model, keys)
        return
    if model.traits.is_servable and not _is_where_loaders_look(model.checkpoint):
        what = f"they lie in {Path(model.checkpoint.prefix).name}, in the format of version 1"
        hint = "loaders look for variables/variables; no TensorFlow of today reads them"
        yield Finding("error", "variables", what, hint, "variables-name")
    stored = model.checkpoint.variables
    missing = sorted(keys - stored.keys())
    unused = sorted(stored.keys() - keys - _of_registered_savers(model.checkpoint))
    renamed = _renamed(model, missing, unused, model.checkpoint)
    for key in missing:
        what = "the graph restores it, and the checkpoint does not have it"
        hint = "take the checkpoint that belongs to the graph, or rename what it has with gs rename"
        if key in renamed:
            what += f"; {renamed[key]!r} alone is of its dtype and shape there, and nothing restores that"
            prefix = model.checkpoint.prefix
            hint = f"if it is the same one: gs rename {shlex.quote(str(prefix))} {_pair(renamed[key], key)} --in-place"
        yield Finding("error", f"variable {key}", what, hint, "variable-not-stored")
    unused = [key for key in unused if key not in renamed.values()]
    if keys and unused:
        names = ", ".join(unused[:_SEEN]) + (", ..." if len(unused) > _SEEN else "")
        what = f"{len(unused)} of its entries are not restored by the graph: {names}"
        has_objects = any(metagraph.objects is not None for metagraph in model.metagraphs)
        hint = "no loader minds, and objects may hold more than variables" if has_objects else "gs strip takes them out"
        yield Finding("note", "checkpoint", what, hint, "variable-not-used")


def _of_registered_savers(checkpoint: Checkpoint) -> set[str]:
    """Return the keys below the names that savers of the program's own are given: its code restores them."""
    objects = checkpoint.objects
    names = tuple(f"{node.saver_name}/" for node in objects.nodes if node.saver_name) if objects is not None else ()
    return {key for key in checkpoint.variables if key.startswith(names)} if names else set()


def _pair(old: str, new: str) -> str:
    return shlex.quote(f"{old}={new}")


def _renamed(model: Model, missing: Sequence[str], unused: Sequence[str], checkpoint: Checkpoint) -> dict[str, str]:
    """Return key that is missing -> key that is too many, where each is the only one of its dtype and shape."""
    wanted: dict[tuple[object, object], list[str]] = {}
    for metagraph in model.metagraphs:
        for node, restored in restore_map(metagraph).variables.items():
            shape = node.attrs.get("shape")
            if restored.key in missing and not restored.slice and isinstance(shape, Shape):
                wanted.setdefault((node.attrs.get("dtype"), shape.dims), []).append(restored.key)
    there: dict[tuple[object, object], list[str]] = {}
    for key in unused:
        tensor = checkpoint.variables[key].tensor
        there.setdefault((tensor.dtype, tensor.shape.dims), []).append(key)
    alike = ((dict.fromkeys(keys), there.get(kind, [])) for kind, keys in wanted.items())
    return {next(iter(keys)): others[0] for keys, others in alike if len(keys) == len(others) == 1}


def _no_checkpoint(model: Model, keys: set[str]) -> Iterator[Finding]:
    """Judge a graph alone: it is no fault of a GraphDef, and of a SavedModel only if something is restored."""
    if model.unreadable:
        yield Finding("error", "variables", model.unreadable, "", "unreadable-checkpoint")
        return
    if not model.traits.is_servable:
        return
    hint = "put the variables/ folder of the model beside saved_model.pb"
    if keys and any(graph.peek(VARIABLES) for graph in model.graphs):
        what = f"the graph restores {plural(len(keys), 'variable')}, and there is no checkpoint"
        yield Finding("error", "variables", what, hint, "missing-checkpoint")
    elif any(metagraph.objects is not None and metagraph.objects.nodes for metagraph in model.metagraphs):
        what = "there is no checkpoint, which tf.saved_model.load wants even for a model without variables"
        yield Finding("error", "variables", what, hint, "missing-checkpoint")


def _is_where_loaders_look(checkpoint: Checkpoint) -> bool:
    files = [file.path.name for file in checkpoints.source_files(checkpoint)]
    return checkpoint.version == 2 or files == ["variables"]


def _is_stored(key: str, checkpoint: Checkpoint) -> bool:
    """Look for a key, or for those that tables and iterators make of theirs: `key-keys`, `key-values`, `key_STATE`."""
    return key in checkpoint.variables or any(
        other.startswith((f"{key}-", f"{key}_")) for other in checkpoint.variables
    )


def _object_keys(checkpoint: Checkpoint) -> Iterator[Finding]:
    """Find keys that the object graph of a TF2 checkpoint names and the index lacks."""
    objects = checkpoint.objects
    for node in objects.nodes if objects is not None else ():
        for _, name, key in node.attributes:
            if key and not _is_stored(key, checkpoint):
                what = f"the object graph stores {name or 'a value'} under {key!r}, which the checkpoint does not have"
                yield Finding("warning", "checkpoint", what, "its restoring fails or leaves it as it is", "object-key")
