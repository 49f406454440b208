"""Rules about collections: what Python makes of them while it imports a MetaGraph.

Sources: `meta_graph.py` (`import_scoped_meta_graph_with_return_elements`), the `from_proto` functions that collections
are registered with, and `loader_impl.py` of TensorFlow 2.21. The loader of version 1 and `import_meta_graph` read every
collection; `tf.saved_model.load` those of a model without objects.
"""

from __future__ import annotations

from collections.abc import Iterator

from graphsurgeon.analysis.flow.collection_faults import collection_fault
from graphsurgeon.analysis.flow.load_path import INIT_COLLECTIONS, INIT_SIGNATURE
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.metagraph import Collection, MetaGraph
from graphsurgeon.model.model import Model

_RESTORED = "variables"  # what a Saver without a definition saves, and what a model of version 1 is made of


def collections(metagraph: MetaGraph) -> Iterator[Finding]:
    """Find elements that are not the messages which their collection is made of."""
    for collection in metagraph.collections.values():
        for index, item in enumerate(collection.items):
            what = collection_fault(collection, item)
            if what:
                yield _finding(collection, f"collection {collection.key}[{index}]", what)


def _finding(collection: Collection, where: str, what: str) -> Finding:
    hint = f"gs strip takes the collection {collection.key} out"
    return Finding("error", where, what, hint, "collection")


def init_ops(model: Model) -> Iterator[Finding]:
    """Find collections that do not name one init op, as session loaders want; an imported `.meta` runs none."""
    for metagraph in model.metagraphs if model.traits.is_servable else ():
        if INIT_SIGNATURE not in metagraph.signatures:
            yield from _not_one(metagraph)


def _not_one(metagraph: MetaGraph) -> Iterator[Finding]:
    for key in INIT_COLLECTIONS:
        collection = metagraph.collections.get(key)
        if collection is not None:
            count = len(collection.items) if collection.kind == "node_list" else 0
            if count != 1:
                what = f"it names {count} ops; loaders take exactly one to run on load"
                hint = "group them by one NoOp" if count else f"gs strip takes the collection {key} out"
                yield Finding("error", f"collection {key}", what, hint, "init-op")
            return


def plain_variables(model: Model) -> Iterator[Finding]:
    """Find variables that are listed by name alone, of which Python makes no variables."""
    for metagraph in model.metagraphs:
        collection = metagraph.collections.get(_RESTORED)
        if collection is None or collection.kind == "bytes_list" or not collection.items:
            continue
        if metagraph.objects is None or not metagraph.objects.nodes:
            what = f"it is a {collection.kind}, and Python wants variables"
            yield _finding(collection, f"collection {collection.key}", what)
