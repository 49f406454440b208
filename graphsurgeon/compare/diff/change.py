"""One difference between two models, and the words in which attribute values and tensors are told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from graphsurgeon.errors import FormatError
from graphsurgeon.model.dtype import STRING
from graphsurgeon.model.graph import AttrValue, FunctionRef
from graphsurgeon.model.tensor import Tensor

Kind = Literal["added", "removed", "renamed", "rewired", "changed"]

FEW = 8  # elements of a tensor, or items of a list, that are told one by one
LONG = 80  # characters of a text that are told; of a longer one the length and a digest


@dataclass(frozen=True)
class Detail:
    """One thing that differs: what it is, and what both models say; None where one says nothing."""

    field: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class Change:
    """One difference.

    Attributes:
        kind: "rewired" is a node that reads other values; "changed" is anything else that differs in place.
        part: "node", "function", "tensor", "signature", "variable", "collection", "saver", "asset", "file",
            "object", "gradient", "metagraph" or "producer".
        graph: name of the function or subgraph; empty for the main graph and what lies outside graphs.
        name: in the first model; in the second for what was added.
        new_name: of what was renamed.
        details: what differs.
        tags: of the MetaGraph, where a model has several.
        variable: what the program calls a variable, where its key says something else.
    """

    kind: Kind
    part: str
    graph: str
    name: str
    new_name: str | None = None
    details: list[Detail] = field(default_factory=list)
    tags: list[str] | None = None
    variable: str | None = None


def different(name: str, before: object, after: object) -> Iterator[Detail]:
    """Yield one detail if two things differ."""
    if before != after:
        yield Detail(name, told(before), told(after))


def different_sets(name: str, before: Iterable[str], after: Iterable[str]) -> Iterator[Detail]:
    """Yield one detail for each text that only one side has."""
    first, second = dict.fromkeys(before), dict.fromkeys(after)
    yield from (Detail(name, text, None) for text in first if text not in second)
    yield from (Detail(name, None, text) for text in second if text not in first)


def told(value: object) -> str | None:
    """Return how a value is told; None for nothing."""
    if value is None:
        return None
    if isinstance(value, Tensor):
        return told_tensor(value)
    if isinstance(value, list | tuple):
        return told_list(list(value))
    return _short(value.decode("utf-8", "backslashreplace")) if isinstance(value, bytes) else _short(str(value))


def told_attr(value: AttrValue) -> str | None:
    """Return how an attribute is told."""
    if isinstance(value, FunctionRef):
        return value.name
    return told_list(value) if isinstance(value, list) else told(value)


def told_list(items: Sequence[object]) -> str:
    """Return how a list is told."""
    shown = [item.name if isinstance(item, FunctionRef) else told(item) or "" for item in items[:FEW]]
    rest = f", ... ({len(items)} items)" if len(items) > FEW else ""
    return f"[{', '.join(shown)}{rest}]"


def told_tensor(tensor: Tensor) -> str:
    """Return how a tensor is told: dtype and shape, with the values of a small one."""
    head = f"{tensor.dtype} {tensor.shape}"
    if not 0 < tensor.num_elements <= FEW:
        return head
    try:
        items = tensor.items()
    except FormatError as error:
        return f"{head} that cannot be read: {error.message}"
    shown = [
        item.decode("utf-8", "backslashreplace")
        if tensor.dtype is STRING
        else f"{item:.9g}"
        if isinstance(item, float)
        else str(item)
        for item in items
    ]
    return f"{head} {_short(shown[0] if tensor.shape.rank == 0 else '[' + ', '.join(shown) + ']')}"


def _short(text: str) -> str:
    if len(text) <= LONG:
        return text
    digest = hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return f"{text[: LONG // 2]}... ({len(text)} characters, sha256 {digest})"
