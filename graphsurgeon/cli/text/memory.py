"""How `gs show --memory` looks to a person."""

from __future__ import annotations

from graphsurgeon.analysis.costs.memory import GraphMemory, Memory
from graphsurgeon.cli import output
from graphsurgeon.cli.output import number, plural, size

FEW = 6  # rows of subgraphs, ops and names without --all


def print_memory(memory: Memory, *, everything: bool) -> None:
    """Print what a model needs while it runs."""
    assumed = ", ".join(f"{name} {shape}" for name, shape in memory.assumed.items())
    at = f" at {assumed} (--assume)" if assumed else ""
    output.heading(f"memory and work of one run{at}", apart=True)
    rows: list[tuple[str, str, str]] = [("weights", size(memory.weights), "as stored")]
    several = len(memory.graphs) > 1
    shown = memory.graphs if everything else memory.graphs[:FEW]
    for graph in shown:
        rows += _rows(graph, f" of {graph.name or 'the first subgraph'}" if several else "")
    rows.append(("MACs", number(memory.macs), _by_op(memory, everything=everything)))
    output.table(rows, align=["left", "right", "left"], indent=2)
    if len(shown) < len(memory.graphs):
        output.line(f"  {plural(len(memory.graphs) - len(shown), 'more subgraph')} (--all)")
    for note in _notes(memory, everything=everything):
        output.line(f"note: {note}")


def _rows(graph: GraphMemory, of: str) -> list[tuple[str, str, str]]:
    if graph.activations is None:
        return [(f"activations{of}", "?", "no shape is known")]
    rows = [(f"activations{of}", size(graph.activations), f"at most, at {graph.peak_op}" if graph.peak_op else "")]
    if graph.arena is not None:
        rows.append((f"arena{of}", size(graph.arena), "LiteRT's, without delegates, on one thread"))
    if graph.persistent:
        rows.append((f"kept beside it{of}", size(graph.persistent), "unpacked weights and state"))
    return rows


def _by_op(memory: Memory, *, everything: bool) -> str:
    listed = [f"{op} {number(count)}" for op, count in memory.macs_by_op.items()]
    shown = listed if everything else listed[:FEW]
    return ", ".join([*shown, *([f"{len(listed) - len(shown)} more ops"] if len(shown) < len(listed) else [])])


def _notes(memory: Memory, *, everything: bool) -> list[str]:
    notes = []
    uncounted = sum(graph.uncounted for graph in memory.graphs)
    if uncounted:
        notes.append(f"{plural(uncounted, 'tensor')} of a size that only a run tells, not counted")
    if memory.unknown_macs:
        names = memory.unknown_macs if everything else memory.unknown_macs[:FEW]
        more = f" and {len(memory.unknown_macs) - len(names)} more" if len(names) < len(memory.unknown_macs) else ""
        notes.append(f"MACs not counted, for their shapes are not known: {', '.join(names)}{more}")
    if memory.loops:
        notes.append("the body of a loop and each branch are counted once")
    return notes
