"""Which inputs of a signature are parts of one ragged or sparse tensor: a signature takes them one by one.

A signature that TensorFlow 2 traced spells `ids` and `ids_1` for the values and row splits of one argument; only the
type specs of the object graph say which is which.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from graphsurgeon.model.graph import Graph
from graphsurgeon.model.metagraph import MetaGraph, Signature
from graphsurgeon.model.objects import CompositeSpec, TensorSpec


class CompositePart(NamedTuple):
    """What an input is of a composite tensor.

    Attributes:
        role: "values", "row splits", "indices" or "dense shape".
        spec: of the whole tensor.
        whole: the input key that its first part has.
    """

    role: str
    spec: CompositeSpec
    whole: str

    def __str__(self) -> str:
        return f"{self.role} of {self.spec.kind} {self.spec.dtype} {self.spec.shape}"


def composite_parts(metagraph: MetaGraph, signature: Signature) -> dict[str, CompositePart]:
    """Return the inputs of a signature that are parts of ragged or sparse tensors; empty where nothing tells."""
    if not any(f"{key}_1" in signature.inputs for key in signature.inputs):  # how a second part is called
        return {}
    objects = metagraph.objects
    for entry in objects.concrete_functions if objects is not None else ():
        roles = list(_roles(entry.input_signature))
        if not any(spec is not None for _, spec in roles) or not isinstance(entry.function, Graph):
            continue
        names = [value.name or "" for value in entry.function.inputs[: len(roles)]]
        if set(names) == set(signature.inputs):
            return _parts(names, roles)
    return {}


def _parts(names: list[str], roles: list[tuple[str, CompositeSpec | None]]) -> dict[str, CompositePart]:
    found, whole, last = {}, "", None
    for name, (role, spec) in zip(names, roles, strict=True):
        if spec is not None:
            whole = name if spec is not last else whole
            found[name] = CompositePart(role, spec, whole)
        last = spec
    return found


def _roles(structure: object) -> Iterator[tuple[str, CompositeSpec | None]]:
    """Yield the tensors that a function takes for its arguments, in order."""
    if isinstance(structure, TensorSpec):
        yield "", None
    elif isinstance(structure, CompositeSpec):
        roles = ["values", *["row splits"] * structure.ragged_rank]
        roles = roles if structure.kind == "ragged" else ["indices", "values", "dense shape"]
        yield from ((role, structure) for role in roles)
    elif isinstance(structure, tuple | list):
        for item in structure:
            yield from _roles(item)
    elif isinstance(structure, Mapping):
        for _, item in sorted(structure.items()):
            yield from _roles(item)
