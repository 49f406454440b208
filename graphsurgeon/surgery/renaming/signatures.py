"""Rename signatures and their keys, in `signature_def` and in what `tf.saved_model.load` shows."""

from __future__ import annotations

from collections.abc import Mapping

from graphsurgeon.errors import UsageError
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.objects import parameter_name
from graphsurgeon.surgery.moves.signatures.signature_function import (
    check_input_keys,
    find_wrapper,
    own_wrapper,
    rename_inputs,
    rename_outputs,
    signature_map,
)


def rename_signatures(metagraph: MetaGraph, names: Mapping[str, str]) -> None:
    """Rename whole signatures in both worlds; the names have been checked."""
    for signature in metagraph.signatures.values():
        signature.key = names.get(signature.key, signature.key)
    renamed = {signature.key: signature for signature in metagraph.signatures.values()}
    metagraph.signatures.clear()
    metagraph.signatures.update(renamed)
    signatures = signature_map(metagraph.objects)
    if signatures is not None:
        signatures.children = [(names.get(name, name), child) for name, child in signatures.children]


def rename_key(
    metagraph: MetaGraph, signature: Signature, keys: Mapping[str, str], *, check_only: bool = False
) -> None:
    """Rename input and output keys of one signature in both worlds.

    Args:
        metagraph: the signature's MetaGraph.
        signature: the signature.
        keys: old key -> new key; a key that is an input and an output is renamed in both.
        check_only: raise what would be raised, change nothing.

    Raises:
        UsageError: a new key is empty, or an input key that loaders bind differently.
        UnsupportedError: the object graph's signature cannot be edited.
    """
    if "" in keys.values():
        raise UsageError(f"a key of signature {signature.key!r} needs a name")
    inputs = {old: new for old, new in keys.items() if old in signature.inputs}
    outputs = {old: new for old, new in keys.items() if old in signature.outputs}
    _check(metagraph, signature, inputs)
    if check_only:
        return
    wrapper = own_wrapper(metagraph, signature.key)
    if wrapper is not None and inputs:
        rename_inputs(wrapper, inputs)
    if wrapper is not None and outputs:
        rename_outputs(wrapper, outputs)
    signature.inputs = {inputs.get(key, key): entry for key, entry in signature.inputs.items()}
    signature.outputs = {outputs.get(key, key): entry for key, entry in signature.outputs.items()}
    signature.defaults = {inputs.get(key, key): value for key, value in signature.defaults.items()}


def _check(metagraph: MetaGraph, signature: Signature, inputs: Mapping[str, str]) -> None:
    wrapper = find_wrapper(metagraph, signature.key)
    if wrapper is None or not inputs:
        return
    check_input_keys(list(inputs.values()))
    after = [parameter_name(inputs.get(key, key)) for key in signature.inputs]
    if len(set(after)) < len(after):
        raise UsageError(f"two inputs of signature {signature.key!r} would have the same parameter name")
