"""`SignatureDef` to Signature and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from graphsurgeon.formats import schema
from graphsurgeon.formats.graph import mention_sites
from graphsurgeon.formats.graph.values.attrs import Context
from graphsurgeon.formats.graph.values.tensorproto import read_shape, read_tensor, write_shape, write_tensor
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.graph import Graph
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry


def lift_signatures(raw: Mapping[str, Any], graph: Graph, context: Context) -> dict[str, Signature]:
    """Return the signatures of a `signature_def` map, keys sorted: the order in the file says nothing."""
    signatures = {}
    for key in sorted(raw):
        message = raw[key]
        signatures[key] = Signature(
            key,
            graph,
            _entries(message.inputs, graph, f"signature {key}, input"),
            _entries(message.outputs, graph, f"signature {key}, output"),
            method=message.method_name,
            defaults={name: read_tensor(message.defaults[name], context.payloads) for name in sorted(message.defaults)},
            raw=message,
        )
    return signatures


def lower_signatures(metagraph: MetaGraph, out: Any, context: Context) -> None:
    """Bring a `signature_def` map, filled from the raw one, to what the signatures are now."""
    raws = dict(out)
    signatures = metagraph.signatures
    copies = {}
    for key, signature in signatures.items():
        message = schema.message("tensorflow.SignatureDef")()
        if signature.raw is not None:
            message.CopyFrom(signature.raw)
        _lower_signature(signature, message, context)
        copies[key] = message
    if copies.keys() == raws.keys() and all(copies[key] == raws[key] for key in copies):
        return
    out.clear()
    for key, message in copies.items():
        out[key].CopyFrom(message)


def lower_tensor_info(message: Any, mention: Mention) -> None:
    """Put the current text of a mention into a plain `TensorInfo`."""
    if message.name != mention.text:
        message.name = mention.text


def _entries(raw: Mapping[str, Any], graph: Graph, where: str) -> dict[str, SignatureEntry]:
    return {name: _entry(raw[name], graph, f"{where} {name}") for name in sorted(raw)}


def _entry(raw: Any, graph: Graph, where: str) -> SignatureEntry:
    mentions: list[Mention] = []

    def see(path: str, kind: str, text: str) -> str:
        # An init op's entry names an operation: no output, no dtype.
        mentions.append(Mention("tensor" if ":" in text or raw.dtype else "node", text, graph, where))
        return text

    mention_sites.visit(raw, "TensorInfo", see)
    shape = read_shape(raw.tensor_shape) if raw.HasField("tensor_shape") else None
    dtype = DType.of(raw.dtype) if raw.dtype else None
    if raw.WhichOneof("encoding") in ("coo_sparse", "composite_tensor"):
        return SignatureEntry(None, dtype, shape, components=mentions, raw=raw)
    return SignatureEntry(mentions[0] if mentions else Mention("tensor", raw.name, graph, where), dtype, shape, raw=raw)


def _lower_signature(signature: Signature, message: Any, context: Context) -> None:
    if message.method_name != signature.method:
        message.method_name = signature.method
    _lower_entries(signature.inputs, message.inputs)
    _lower_entries(signature.outputs, message.outputs)
    raw = signature.raw
    before = {} if raw is None else {name: raw.defaults[name] for name in raw.defaults}
    for name in [name for name in message.defaults if name not in signature.defaults]:
        del message.defaults[name]
    for name, tensor in signature.defaults.items():
        if name not in before or getattr(tensor.source, "message", None) is not before[name]:
            message.defaults[name].Clear()
            write_tensor(tensor, message.defaults[name], context.payloads)


def _lower_entries(entries: Mapping[str, SignatureEntry], out: Any) -> None:
    for name in [name for name in out if name not in entries]:
        del out[name]
    for name, entry in entries.items():
        message = schema.message("tensorflow.TensorInfo")()
        if entry.raw is not None:
            message.CopyFrom(entry.raw)
        _lower_entry(entry, message)
        if name not in out or out[name] != message:
            out[name].CopyFrom(message)


def _lower_entry(entry: SignatureEntry, message: Any) -> None:
    texts = iter([mention.text for mention in entry.mentions])
    if entry.mention is not None and message.WhichOneof("encoding") != "name":
        message.name = next(texts)
    else:
        mention_sites.visit(message, "TensorInfo", lambda _path, _kind, text: next(texts, text))
    if entry.dtype is not None and message.dtype != entry.dtype.number:
        message.dtype = entry.dtype.number
    if entry.shape is not None and (
        not message.HasField("tensor_shape") or read_shape(message.tensor_shape) != entry.shape
    ):
        message.ClearField("tensor_shape")
        write_shape(entry.shape, message.tensor_shape)
