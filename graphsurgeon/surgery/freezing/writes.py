"""Writes to variables: which may be dropped when the variables become constants, and which must be refused.

A write is dropped if nothing that matters sees what it leaves behind. It is refused if its own output is
needed, if a needed read of the variable comes after it by data or control edges, or if both are in one loop.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from graphsurgeon.errors import UnsupportedError
from graphsurgeon.model.graph import Graph, Node, Value
from graphsurgeon.model.traversal import downstream, handed_on, nearest_first, producers, reached
from graphsurgeon.ops.kinds import ENTERS, EXITS, IDENTITIES, IFS, LOOPS, PLACEHOLDERS, SWITCHES
from graphsurgeon.surgery.moves.inlining.inline import alive_control
from graphsurgeon.surgery.moves.variable_uses import HeldVariable

_NO_HELD: frozenset[HeldVariable] = frozenset()
KEEP = "freeze another signature or output, or keep the variable in a SavedModel (--keep-vars)"


@dataclass(frozen=True, slots=True)
class Access:
    """What a node does to variables when it runs.

    Attributes:
        node: the node.
        reads: variables whose value it takes.
        writes: variables that it changes, or might.
        is_plain: it is a write itself, not a node that runs functions.
    """

    node: Node
    reads: frozenset[HeldVariable] = _NO_HELD
    writes: frozenset[HeldVariable] = _NO_HELD
    is_plain: bool = False


def needed_nodes(graph: Graph, acting: Iterable[Node]) -> set[Node]:
    """Return the nodes whose values matter: to an output of the graph, or to a node that acts."""
    acting = set(acting)
    behind = downstream(acting, controls=True)

    def before(node: Node) -> list[Node]:
        return [*producers(node.inputs), *(other for other in node.controls if other in behind)]

    return set(reached([*producers(output.value for output in graph.outputs), *acting], before))


def check_order(graph: Graph, accesses: Iterable[Access], needed: set[Node]) -> None:
    """Refuse writes that something needed sees.

    Raises:
        UnsupportedError: names the variable, the write and the read.
    """
    accesses = list(accesses)
    readers = [access for access in accesses if access.reads and access.node in needed]
    loops = _loops(graph) if any(access.writes for access in accesses) else []
    for access in accesses:
        if not access.writes:
            continue
        if access.is_plain and access.node in needed:
            raise _used(access, graph)
        after = downstream([access.node], controls=True) - {access.node}
        together = [nodes for nodes in loops if access.node in nodes]
        for reader in readers:
            both = reader.reads & access.writes
            is_after = reader.node in after or any(reader.node in nodes for nodes in together)
            is_loop = reader.node is access.node and access.node.op in LOOPS
            if both and (is_after or is_loop):
                raise _read_after(access, reader, both, graph)


def kept_state(accesses: Iterable[Access], needed: set[Node]) -> frozenset[HeldVariable]:
    """Return the variables that something needed reads and a write changes in every call, for the next to read."""
    accesses = list(accesses)
    always = [access for access in accesses if access.is_plain and next(_conditions(access.node), None) is None]
    read = _NO_HELD.union(*(access.reads for access in accesses if access.node in needed))
    return read & _NO_HELD.union(*(access.writes for access in always))


def drop_write(node: Node, held_input: int) -> None:
    """Turn a write in a graph with V1 control flow into a node that runs when it would have, and changes nothing.

    Whoever waits for it goes on waiting in its frame and on its branch; whoever takes its output, without needing
    the value, takes the variable's.
    """
    others = [value for index, value in enumerate(node.inputs) if index != held_input or not node.consumers]
    controls = list(dict.fromkeys([*node.controls, *(alive_control(v) for v in others if v.producer is not None)]))
    if node.consumers:
        node.become("Identity", [node.inputs[held_input]], {"T": node.attrs.get("T", node.attrs.get("dtype"))})
    else:
        node.become("NoOp", [], {})
    node.controls = controls


def _loops(graph: Graph) -> list[set[Node]]:
    """Return the nodes inside each loop of V1 control flow, inner loops belonging to the outer ones too."""
    frames: dict[object, list[Node]] = {}
    for node in graph.nodes:
        if node.op in ENTERS:
            frames.setdefault(node.attrs.get("frame_name"), []).append(node)
    return [_inside(enters) for enters in frames.values()]


def _inside(enters: list[Node]) -> set[Node]:
    found, waiting, depth = set(enters), [(node, 1) for node in enters], dict.fromkeys(enters, 1)
    while waiting:
        node, level = waiting.pop()
        for other in (*node.consumers, *node.control_consumers):
            inner = level + (other.op in ENTERS) - (other.op in EXITS)
            if inner > 0 and other not in depth:
                depth[other] = inner
                found.add(other)
                waiting.append((other, inner))
    return found


def _used(access: Access, graph: Graph) -> UnsupportedError:
    node, names = access.node, _names(access.writes)
    return UnsupportedError(
        f"the outputs need what {node.name!r} ({node.op}){_where(graph)} makes of variable {names} itself",
        hint=KEEP,
    )


def _read_after(access: Access, reader: Access, both: frozenset[HeldVariable], graph: Graph) -> UnsupportedError:
    write, read = access.node, reader.node
    if write is read:
        what = f"the loop {write.name!r}{_where(graph)} changes variable {_names(both)} and reads it"
    else:
        what = (
            f"variable {_names(both)} is changed by {write.name!r} ({write.op}){_where(graph)}"
            f" before {read.name!r} ({read.op}) reads it"
        )
    return UnsupportedError(f"{what}: a constant cannot stand for it", hint=f"{_decided(write)}{KEEP}")


def _decided(write: Node) -> str:
    """Say which placeholder takes a branch out that writes; empty if none chooses the branch.

    Which branch it is, its functions no longer tell: what nobody needs of them is gone by now.
    """
    switch = next((node for node in map(_switch, _conditions(write)) if node is not None), None)
    return f"--set {switch.name}=false (or true) takes out a branch that writes; else " if switch is not None else ""


def _conditions(write: Node) -> Iterator[Value]:
    """Yield what decides whether a write runs: the condition of an If, in V1 control flow what is nearest first."""
    if write.op in IFS:
        yield from write.inputs[:1]
        return
    before = nearest_first([write], lambda node: [*producers(node.inputs), *node.controls])
    yield from (node.inputs[1] for node in before if node.op in SWITCHES and len(node.inputs) > 1)


def _switch(condition: Value) -> Node | None:
    """Return the placeholder that alone decides a condition, None if there is none."""
    node = handed_on(condition, IDENTITIES | {"LogicalNot"}).producer
    return node if node is not None and node.op in PLACEHOLDERS else None


def _names(held: frozenset[HeldVariable]) -> str:
    return " or ".join(sorted(map(str, held)))


def _where(graph: Graph) -> str:
    return f" of function {graph.name!r}" if graph.name else ""
