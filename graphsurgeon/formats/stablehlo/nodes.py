"""StableHLO modules inside `XlaCallModule` nodes, as JAX and Keras on JAX export them into SavedModels."""

from __future__ import annotations

import hashlib

from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.formats.stablehlo.lift import lift
from graphsurgeon.model.metagraph import MetaGraph

OP = "XlaCallModule"


def modules_of(metagraph: MetaGraph) -> list[MetaGraph]:
    """Return the modules in attributes of nodes, each once: an export holds the same one several times."""
    found: dict[str, MetaGraph | None] = {}
    for graph in metagraph.graphs:
        for node in graph.peek((OP,)):
            data = node.attrs.get("module")
            if not isinstance(data, bytes):
                continue
            key = hashlib.sha256(data).hexdigest()
            if key not in found:
                found[key] = _tried(data)
            module = found[key]
            if module is not None:
                module.producer["sha256"] = key
                module.inside.append(f"{graph.name}/{node.name}" if graph.name else node.name)
    return [module for module in found.values() if module is not None]


def _tried(data: bytes) -> MetaGraph | None:
    try:
        return lift(data)
    except GraphSurgeonError:  # `gs check` says why
        return None
