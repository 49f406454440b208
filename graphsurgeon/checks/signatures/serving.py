"""Rules of TensorFlow Serving: what keeps the server from loading a model, or from answering a request.

Sources: `file_system_storage_path_source.cc`, `http_rest_api_util.cc` and `predict_util.cc` of TensorFlow
Serving; `tensorflow/cc/saved_model/{reader,loader}.cc`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from graphsurgeon.analysis.flow.load_path import INIT_COLLECTIONS, INIT_SIGNATURE
from graphsurgeon.analysis.interface.serving import METHODS, serving_problems
from graphsurgeon.analysis.names import INTERNAL
from graphsurgeon.checks.places import place
from graphsurgeon.disk.files import exists, folder_names, is_file, is_folder, open_source
from graphsurgeon.disk.places import path_of
from graphsurgeon.formats.savedmodel import parts
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.model import Model
from graphsurgeon.ops import catalog
from graphsurgeon.ops.kinds import PLACEHOLDERS, PYTHON

SERVE = "serve"
DEFAULT = "serving_default"
_MOST_BYTES = (1 << 31) - 1  # of a protobuf that C++ parses
_MOST_VERSION = (1 << 63) - 1


def of_model(model: Model) -> Iterator[Finding]:
    """Find what TensorFlow Serving would refuse, beyond what every loader refuses."""
    if not model.traits.is_servable:
        what = f"the server takes SavedModels; this is {model.traits.a_title}"
        hint = "gs add-signature --serving-dir DIR makes one" if model.traits.is_bare_graph else ""
        yield Finding("error", "model", what, hint, "serving-format")
        return
    yield from _layout(path_of(model.path))
    metagraph = next((other for other in model.metagraphs if set(other.tags or ()) == {SERVE}), None)
    if metagraph is None:
        tags = "; ".join(",".join(other.tags or ()) or "none" for other in model.metagraphs)
        what = f"no MetaGraph is tagged {SERVE} and nothing else, which the server asks for; there is {tags}"
        hint = "gs rename --what tags OLD=serve, or start the server with --saved_model_tags"
        yield Finding("error", "model", what, hint, "serving-tags")
        metagraph = model.metagraphs[0]
        if len(model.metagraphs) > 1:
            return
    yield from _on_load(model, metagraph)
    yield from _ops(metagraph)
    yield from _signatures(model, metagraph)


def _layout(path: Path) -> Iterator[Finding]:
    if not is_folder(path):
        what = f"it is a file alone; the server looks for NAME/N/{parts.BINARY}"
        yield Finding("error", "folder", what, "put it into a folder named by a number", "serving-layout")
        return
    folder = Path(os.path.abspath(path))  # not what a link leads to: the server goes by the name
    large = folder / parts.BINARY
    if is_file(large) and open_source(large).size > _MOST_BYTES:
        what = f"{parts.BINARY} has more than 2 GiB, which no protobuf may have"
        yield Finding("error", "folder", what, "keep large constants as variables", "serving-size")
    version = _version(folder.name)
    if version is None:
        what = f"its folder is named {folder.name!r}; the server looks for NAME/N, where N is the number of a version"
        hint = f"move it to {folder.name}/1, or write it with --serving-dir"
        yield Finding("error", "folder", what, hint, "serving-layout")
        return
    yield from _siblings(folder, version)


def _siblings(folder: Path, version: int) -> Iterator[Finding]:
    """Judge the other versions: the server loads the highest number, whatever it holds."""
    others = {number: name for name in folder_names(folder.parent) if (number := _version(name)) is not None}
    newest = max(others, default=version)
    if newest <= version:
        return
    other = folder.parent / others[newest]
    if not any(exists(other / name) for name in parts.ENTRIES):
        what = f"version {newest} holds no SavedModel, and it is the one that the server tries to load"
        yield Finding("error", f"folder {others[newest]}", what, "remove it, or complete it", "serving-layout")
    else:
        what = f"the server loads version {newest}, not this one, unless its version policy says otherwise"
        yield Finding("note", f"folder {folder.name}", what, f"gs check {other}", "serving-version")


def _version(name: str) -> int | None:
    """Return the version that a folder's name says, None if the server would not take it for one."""
    digits = name.removeprefix("-")
    number = int(name) if digits.isascii() and digits.isdecimal() else None
    return number if number is not None and 0 <= number <= _MOST_VERSION else None


def _on_load(model: Model, metagraph: MetaGraph) -> Iterator[Finding]:
    saver = metagraph.saver
    if model.checkpoint is not None and model.checkpoint.version == 2 and (saver is None or not saver.restore.text):
        what = "there are variables, and no saver that restores them: the server would fail to"
        yield Finding("error", "variables", what, "export the model anew", "serving-restore")
    if INIT_SIGNATURE in metagraph.signatures:
        return
    key = next((key for key in INIT_COLLECTIONS if key in metagraph.collections), None)
    if key is not None and len(metagraph.collections[key].items) != 1:
        what = f"it names {len(metagraph.collections[key].items)} ops; the server wants exactly one to run on load"
        yield Finding("error", f"collection {key}", what, "group them by one NoOp", "serving-init")


def _ops(metagraph: MetaGraph) -> Iterator[Finding]:
    unknown: dict[str, list[Node]] = {}
    for graph in metagraph.graphs:
        for node in graph.nodes:
            if node.op in PYTHON or (node.callee is None and catalog.of(node) is None):
                unknown.setdefault(node.op, []).append(node)
    for op, nodes in unknown.items():
        where = place(nodes[0].graph, nodes[0]) + (f" and {len(nodes) - 1} more" if len(nodes) > 1 else "")
        if op in PYTHON:
            what, hint = f"the op {op!r} calls Python, which the server does not have", "take it out of the graph"
            yield Finding("warning", where, what, hint, "serving-python")
        else:
            what = f"the op {op!r} is none of TensorFlow's: the server does not load the model without it"
            yield Finding("error", where, what, "build the server with the library of that op", "serving-op")


def _signatures(model: Model, metagraph: MetaGraph) -> Iterator[Finding]:
    public = [signature for key, signature in metagraph.signatures.items() if not key.startswith(INTERNAL)]
    if not public:
        what = "the model has no signature, so the server answers no request"
        is_computed = metagraph.graph.op_counts.keys() & PLACEHOLDERS  # else functions of objects compute, or nothing
        hint = (
            "gs add-signature adds one" if is_computed else "save it again with tf.saved_model.save(..., signatures=)"
        )
        yield Finding("error", "signatures", what, hint, "serving-signature")
        return
    if DEFAULT not in metagraph.signatures:
        what = f"there is no {DEFAULT}, so every request must name its signature"
        yield Finding("note", "signatures", what, 'requests say "signature_name"', "serving-default")
    for signature in public:
        yield from _form(signature)


def _form(signature: Signature) -> Iterator[Finding]:
    where = f"signature {signature.key}"
    if signature.method not in METHODS.values():
        what = f"its method is {signature.method!r}; the server answers only {', '.join(METHODS.values())}"
        yield Finding("error", where, what, "gs add-signature --replace writes it anew", "serving-method")
    for problem in serving_problems(signature):
        yield Finding("error", where, problem, "use --method predict, or other entries", "serving-method")
    for noun, entries in (("input", signature.inputs), ("output", signature.outputs)):
        for key, entry in entries.items():
            if entry.mention is None:
                what = "it is a sparse or composite tensor, which the server cannot take apart"
                hint = "give its parts to a signature as plain tensors"
                yield Finding("error", f"{where}, {noun} {key}", what, hint, "serving-composite")
    if not signature.inputs:
        what = "it has no input: the REST interface refuses such a signature, gRPC takes it"
        yield Finding("note", where, what, "", "serving-no-input")
