"""Rules about what lives outside the graph while it runs: names of resources, and the types that tables hold.

Facts are of TensorFlow 2.21: `ContainerInfo::Init` of resource_mgr.cc, which kernels go through that keep a resource
under a name, and `CheckKeyAndValueTensors...` of lookup_interface.cc. Importers look at none of it; a run does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from graphsurgeon.checks.graphs.nodes import Running
from graphsurgeon.checks.graphs.ops import definition
from graphsurgeon.checks.places import Nodes, every_node, place
from graphsurgeon.model.dtype import DType
from graphsurgeon.model.finding import Finding
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.ops.kinds import RESOURCE_VARIABLES, TABLE_CHANGES, TABLE_FILLS, TABLE_READS, TABLES

_CONTAINER = re.compile(rb"[A-Za-z0-9.][A-Za-z0-9./-]*")
_WITH_VALUES = TABLE_FILLS | TABLE_READS | TABLE_CHANGES  # keys are their second input, values the third


def resource_names(metagraph: MetaGraph, nodes: Nodes = every_node) -> Iterator[Finding]:
    """Find containers and shared names that kernels do not take."""
    running = Running(metagraph)
    for graph in metagraph.graphs:
        for node in nodes(graph):
            for what in _name_faults(node):
                yield Finding(running.severity(node), place(graph, node), what, "set another", "resource-name")


def _name_faults(node: Node) -> Iterator[str]:
    container, name = node.attrs.get("container"), node.attrs.get("shared_name")
    if not (container or name) or node.op in RESOURCE_VARIABLES:  # which take any
        return
    opdef = definition(node) if node.callee is None else None
    if opdef is None or not {"container", "shared_name"} <= opdef.attrs.keys():
        return
    if isinstance(container, bytes) and container and _CONTAINER.fullmatch(container) is None:
        yield f"its container {container.decode('utf-8', 'backslashreplace')!r} is none that a kernel takes"
    if isinstance(name, bytes) and name.startswith(b"_"):
        yield f"its shared name {name.decode('utf-8', 'backslashreplace')!r} begins with '_'"


def table_types(metagraph: MetaGraph, nodes: Nodes = every_node) -> Iterator[Finding]:
    """Find reads and fills of tables whose keys or values are of another type than the table's."""
    running = Running(metagraph)
    for graph in metagraph.graphs:
        for node in nodes(graph):
            table = node.inputs[0].producer if node.op in _WITH_VALUES and len(node.inputs) > 1 else None
            if table is not None and table.op in TABLES:
                for what in _type_faults(node, table):
                    hint = "make its types those of the table"
                    yield Finding(running.severity(node), place(graph, node), what, hint, "table-types")


def _type_faults(node: Node, table: Node) -> Iterator[str]:
    opdef = definition(node)
    taken = opdef.input_dtypes(node.attrs) if opdef is not None else None
    for noun, attr, index in (("keys", "key_dtype", 1), ("values", "value_dtype", 2)):
        held = table.attrs.get(attr)
        found = taken[index] if taken is not None and index < len(taken) else None
        if isinstance(held, DType) and found is not None and found.number and found.base is not held.base:
            yield f"its {noun} are {found}, those of the table {table.name} {held}"
