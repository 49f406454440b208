"""Bring what another TFLite model has into one: its first subgraph into the first, its others behind the others.

Tables stay those that were read, in the file that they lie in; what counts within a file (operator codes, buffers,
subgraphs, tensors) is numbered anew when the model is written, and data is copied from file to file.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.formats.tflite.support import NAME
from graphsurgeon.model.copies import copy_into
from graphsurgeon.model.graph import Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph, Signature, SignatureEntry, TakenIn

if TYPE_CHECKING:
    from graphsurgeon.formats.tflite.read import TfliteModelSource


def take_in(source: TfliteModelSource, metagraph: MetaGraph, other: MetaGraph) -> TakenIn:
    """Enter all that another model computes.

    Args:
        source: of the model that takes it in.
        metagraph: changed in place.
        other: taken apart: its further subgraphs are of the first model from there on.

    Raises:
        UnsupportedError: the second one was not read from TFLite, or is of another schema.
    """
    from graphsurgeon.formats.tflite.join_metadata import join_metadata, told_by
    from graphsurgeon.formats.tflite.read import TfliteModelSource

    if not isinstance(other.raw, TfliteModelSource) or other.raw.root.type is not source.root.type:
        raise UnsupportedError("TFLite models of different schemas are not joined")
    signatures = other.signatures  # lifts the subgraphs that they name
    told = told_by(other)
    collections = {key: one for key, one in other.collections.items() if key != NAME}
    further = list(other.functions.values())
    for graph in other.graphs:
        for node in graph.nodes:
            _ = node.attrs
    known = len(metagraph.graph.nodes)
    source.taken_in += [other.raw, *other.raw.taken_in]
    main, values = other.graph, copy_into(other.graph, metagraph.graph)
    for graph in further:
        graph.metagraph = metagraph
    metagraph.keep_subgraphs([*metagraph.graphs, *further])
    moved = {key: _moved(one, metagraph, values) if one.graph is main else one for key, one in signatures.items()}
    for signature in moved.values():
        signature.raw = None  # its place in the other file would pass for one in this
        for entry in signature.entries:
            entry.raw = None
    return TakenIn(
        list(metagraph.graph.nodes[known:]),
        further,
        moved,
        collections,
        None,
        [],
        None,
        partial(join_metadata, told, values),
    )


def _moved(signature: Signature, metagraph: MetaGraph, values: dict[Value, Value]) -> Signature:
    sides = [
        {
            key: SignatureEntry(Mention.of(values[target], entry.mention.where), entry.dtype, entry.shape)
            for key, entry in side.items()
            if entry.mention is not None and isinstance(target := entry.mention.target, Value) and target in values
        }
        for side in (signature.inputs, signature.outputs)
    ]
    return Signature(signature.key, metagraph.graph, sides[0], sides[1])
