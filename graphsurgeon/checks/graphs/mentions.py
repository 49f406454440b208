"""Rules about what lies beside the graph and names its nodes: collections, assets, object graph."""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.checks.graphs.ops import OutputTypes
from graphsurgeon.checks.places import is_present
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.finding import Finding, Severity
from graphsurgeon.model.graph import Value
from graphsurgeon.model.mention import Mention
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.shape import Shape
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.ops.kinds import PLACEHOLDERS


def dangling_mentions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find what collections and object graph name and the graph lacks."""
    for mention, hint in _mentions(metagraph):
        if mention.text and not is_present(mention.target):
            kind = "a tensor" if mention.kind == "tensor" else "a node"
            what = f"it names {mention.text!r}, {kind} that the graph does not have"
            yield Finding("error", mention.where, what, hint, "dangling-mention")


def _mentions(metagraph: MetaGraph) -> Iterator[tuple[Mention, str]]:
    """Yield each mention with what it is good for; those of signatures have rules of their own."""
    for collection in metagraph.collections.values():
        for item in collection.items:
            for mention in item.mentions.values():
                yield mention, f"gs strip takes the collection {collection.key} out"
    if metagraph.objects is not None:
        for mention in metagraph.objects.mentions():
            yield mention, "tf.saved_model.load needs it"


def assets(model: Model) -> Iterator[Finding]:
    """Find assets whose tensor the graph lacks, or is none for a path. An imported MetaGraph reads none."""
    severity: Severity = "error" if model.traits.is_servable else "warning"
    for metagraph in model.metagraphs:
        types = OutputTypes()
        for asset in metagraph.assets:
            target = asset.mention.target
            hint = f"the path of the asset {asset.filename} cannot be fed"
            if asset.mention.text and not is_present(target):
                what = f"it names {asset.mention.text!r}, a tensor that the graph does not have"
                yield Finding(severity, asset.mention.where, what, hint, "dangling-mention")
            found = types.of(target) if isinstance(target, Value) and is_present(target) else None
            if found is not None and found.base is not STRING:
                what = f"its path goes to {target}, which is {found}"
                yield Finding(severity, asset.mention.where, what, hint, "asset-type")
            elif not takes_one(target):
                what = f"its path goes to {target}, which is no scalar"
                yield Finding(severity, asset.mention.where, what, hint, "asset-type")


def takes_one(target: object) -> bool:
    """Say whether a path, a scalar, may be fed to a constant or a placeholder; of other nodes nothing is asked."""
    node = target.producer if isinstance(target, Value) else None
    value = node.attrs.get("value") if node is not None else None
    shape = node.attrs.get("shape") if node is not None and node.op in PLACEHOLDERS else None
    shape = value.shape if isinstance(value, Tensor) else shape
    return not isinstance(shape, Shape) or shape.is_compatible_with(Shape(()))


def object_graph_functions(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find functions that the object graph names and the library lacks."""
    objects = metagraph.objects
    if objects is None:
        return
    missing = {name for node in objects.nodes for name in node.functions if isinstance(name, str) and name}
    missing |= {entry.function for entry in objects.concrete_functions if isinstance(entry.function, str)}
    for name in sorted(missing):
        yield Finding(
            "error",
            f"object graph, function {name}",
            "it is not in the library",
            "tf.saved_model.load cannot build the object that uses it",
            "object-graph-function",
        )
