"""Rules about the keys of signatures, and about entries that are spelled as no tensor.

Facts are of TensorFlow 2.21: `tf.saved_model.load` makes a Python function with the input keys as parameters of every
signature of a model without object graph; of one with an object graph it never reads these keys. The loader of
version 1 looks a tensor up when the signature is run.
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Iterator

from graphsurgeon.model.finding import Finding
from graphsurgeon.model.format import TENSORFLOW
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.model import Model

INIT_OP = "__saved_model_init_op"
_INTERNAL = frozenset({INIT_OP, "__saved_model_train_op"})  # their entries name operations
_RENAME = "gs rename --what keys gives it another name"
_RULE = "signature-key"


def keys(model: Model) -> Iterator[Finding]:
    """Find input keys of a SavedModel of TensorFlow 1 from which no parameters can be made."""
    if not model.traits.is_servable:
        return
    for metagraph in model.metagraphs:
        if metagraph.vocabulary != TENSORFLOW or (metagraph.objects is not None and metagraph.objects.nodes):
            continue
        for signature in metagraph.signatures.values():
            if signature.key not in _INTERNAL:
                yield from _parameters(signature)


def _parameters(signature: Signature) -> Iterator[Finding]:
    seen: dict[str, str] = {}
    for key in signature.inputs:
        where = f"signature {signature.key}, input {key}"
        other = seen.setdefault(re.sub(r"\W", "_", key), key)
        if not key or keyword.iskeyword(key):
            what = f"{key!r} is a word of Python's own" if key else "its key is empty"
            yield Finding("error", where, f"{what}: tf.saved_model.load makes no parameter of it", _RENAME, _RULE)
        elif other != key:
            what = f"tf.saved_model.load makes the same parameter of it as of {other!r}"
            yield Finding("error", where, what, _RENAME, _RULE)
        elif key == "self":
            what = "no signature that tf.saved_model.load makes can be called with 'self'"
            yield Finding("error", where, what, _RENAME, _RULE)


def spelling(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find entries whose text is empty or names an operation, and an init op under another key than its own."""
    for signature in metagraph.signatures.values():
        if signature.key in _INTERNAL:
            yield from _init_op(signature)
            continue
        for side, entries in (("input", signature.inputs), ("output", signature.outputs)):
            for key, entry in entries.items():
                mention = entry.mention
                fault = _spelled(mention.stored, mention.text) if mention is not None else ""
                if mention is not None and fault:
                    where = f"signature {signature.key}, {side} {key}"
                    yield Finding("error", where, fault, "name a tensor, NODE:0", "signature-tensor")


def _spelled(stored: str, text: str) -> str:
    if not text:
        return "it names nothing"
    # A text that is not stored is of a value, and gets its port when it is written.
    return f"it names {text!r}, an operation and no tensor of it" if stored and ":" not in text else ""


def _init_op(signature: Signature) -> Iterator[Finding]:
    if signature.key == INIT_OP and INIT_OP not in signature.outputs:
        what = f"it has no output {INIT_OP!r}, which loaders of version 1 run"
        yield Finding("error", f"signature {INIT_OP}", what, "give its output that key", _RULE)
