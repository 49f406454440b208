"""Variables of strings that hold more than strings: a graph, or a Python pickle."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from graphsurgeon.analysis.flow.restore_map import RestoreMap, restore_map
from graphsurgeon.errors import GraphSurgeonError
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import Node
from graphsurgeon.model.metagraph import MetaGraph
from graphsurgeon.model.model import Model
from graphsurgeon.model.tensor import Tensor
from graphsurgeon.scanning.files.magic import HEAD, program
from graphsurgeon.scanning.finding import Threat
from graphsurgeon.scanning.flow.strings import strings_of

_MOST_BYTES = 16 << 20  # of a variable's strings; more is a data set


def in_variables(model: Model, parse: Callable[[bytes], MetaGraph | None]) -> Iterator[Threat]:
    """Yield string variables whose elements begin like a program, or are a graph. Reads small ones only."""
    variables = model.checkpoint.variables if model.checkpoint is not None else {}
    for key, variable in variables.items():
        tensor = variable.tensor
        if tensor.dtype is not STRING or key == "_CHECKPOINTABLE_OBJECT_GRAPH":
            continue
        try:
            yield from _in_tensor(key, tensor, parse)
        except GraphSurgeonError as error:
            yield Threat("medium", None, f"a variable that could not be looked into: {error.message}", key)


def stored(model: Model) -> Callable[[MetaGraph, Node], list[bytes]]:
    """Return what gives the strings that a variable is restored with: a path may be kept in one."""
    maps: dict[MetaGraph, RestoreMap] = {}

    def strings(metagraph: MetaGraph, variable: Node) -> list[bytes]:
        if model.checkpoint is None:
            return []
        if metagraph not in maps:
            maps[metagraph] = restore_map(metagraph)
        restored = maps[metagraph].variables.get(variable)
        entry = model.checkpoint.variables.get(restored.key) if restored is not None else None
        if entry is None or entry.tensor.dtype is not STRING or entry.tensor.source.nbytes > _MOST_BYTES:
            return []
        return strings_of(entry.tensor) or []

    return strings


def _in_tensor(key: str, tensor: Tensor, parse: Callable[[bytes], MetaGraph | None]) -> Iterator[Threat]:
    items = strings_of(tensor) if tensor.source.nbytes <= _MOST_BYTES else None
    for item in items or ():
        what = program(item[:HEAD])
        if what is None and item[:1] == b"\x0a" and parse(item) is not None:
            what = "a graph"
        if what is not None:
            yield Threat("medium", None, f"holds {what} in a variable", key, "unknown", None, "variable")
